"""What a duration model remembers, and how it notices that a model has become quicker or slower."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from polling.models_of import (
    TYPICAL,
    check,
    drawn,
    lognormal,
    looks,
    median_of,
    quantiles,
    remembered,
    taught,
)
from polling.teaching import one_job, teach

from aiogen._polling.durations import DurationModel
from aiogen._polling.survival import ANYTHING, EDGES, bin_of

# --- what is remembered


def test_an_end_at_an_edge_is_before_it() -> None:
    """Who was over at the very edge between two bins ended in the first of them."""
    durations = DurationModel(TYPICAL)
    one_job(durations, [EDGES[120]], EDGES[122])
    ends = remembered(durations)[0]
    assert sum(ends[120:122]) == pytest.approx(1.0)
    assert ends[122] == 0.0


def test_an_end_is_where_it_is_likely() -> None:
    """Of an end between nothing and an hour the estimate says where; what it calls hardly possible gets nothing."""
    durations = taught([20.0] * 30)
    before, ran = remembered(durations)[:2]
    durations.ended(durations.begin(), 3_600.0)
    fading = math.exp(-0.01)
    new, time = (
        [b - fading * a for a, b in zip(*tables, strict=True)]
        for tables in zip((before, ran), remembered(durations)[:2], strict=True)
    )
    near = sum(new[bin_of(17.0) : bin_of(23.0) + 1])
    assert sum(new) == pytest.approx(1.0)
    assert near > 0.9
    assert new[bin_of(1_000.0)] == pytest.approx(0.0, abs=1e-3)
    assert time[: bin_of(10.0)] == pytest.approx([1.0] * bin_of(10.0), abs=0.01)
    assert time[bin_of(1_000.0)] == pytest.approx(0.0, abs=0.02)


def test_old_ends_are_spread_again() -> None:
    """Ends of which little was known at first are placed where later, exact ones were."""
    durations = DurationModel(TYPICAL)
    for _ in range(5):
        one_job(durations, [], 200.0)
    before = sum(remembered(durations)[0][bin_of(18.5) : bin_of(21.5) + 1])
    teach(durations, [20.0] * 20)
    after = sum(remembered(durations)[0][bin_of(18.5) : bin_of(21.5) + 1])
    assert before < 2.5
    assert after > 0.9 * remembered(durations)[2]


def test_the_newest_end_counts_one() -> None:
    """Each end counts a hundredth less with every one that comes after it; so a hundred are remembered."""
    durations = taught([10.0, 50.0, 10.0])
    ends, exposure, weight = remembered(durations)
    fading = math.exp(-0.01)
    assert weight == pytest.approx(1.0 + fading + fading**2)
    assert sum(ends[bin_of(50.0) : bin_of(50.0) + 2]) == pytest.approx(fading)
    assert sum(ends) == pytest.approx(weight)
    # Its time counts as much as its end.
    assert exposure[bin_of(30.0)] == pytest.approx(fading)


def test_after_thousands_of_ends_it_goes_on_learning() -> None:
    """However long a program runs, the estimate is that of the last hundred ends."""
    durations = taught([20.0] * 5)
    for _ in range(2_200):
        sight = durations.begin()
        durations.runs(sight, 30.0)
        durations.ended(sight, 30.5)
    teach(durations, drawn(lognormal(30.0, 0.05), 30))
    ends, _, weight = remembered(durations)
    assert sum(ends) == pytest.approx(weight) == pytest.approx(100.0, rel=0.02)
    assert median_of(durations) == pytest.approx(30.0, rel=0.05)
    check(durations)


# --- a model changes


@pytest.mark.parametrize(("before", "after"), [(40.0, 20.0), (20.0, 5.0)], ids=str)
def test_a_shift_by_half_is_noticed(before: float, after: float) -> None:
    """A model that takes half as long all at once, or less, is expected to after a dozen ends."""
    durations = taught(drawn(lognormal(before, 0.25), 70), 1.0)
    assert median_of(durations) == pytest.approx(before, rel=0.12)
    assert durations.alarms == 0
    teach(durations, drawn(lognormal(after, 0.25), 12, seed=2), 1.0)
    check(durations)
    assert median_of(durations) == pytest.approx(after, rel=0.2)
    ends, _, weight = remembered(durations)
    assert durations.alarms == 1
    assert weight < 20.0, "what came before counts no more"
    assert sum(ends) == pytest.approx(weight)
    assert durations.seen == 82


def test_a_model_that_takes_twice_as_long_is_followed() -> None:
    """Looking too early is soon seen to be in vain; the estimate follows at the latest when old ends are forgotten."""
    durations = taught(drawn(lognormal(20.0, 0.25), 70), 1.0)
    teach(durations, drawn(lognormal(40.0, 0.25), 12, seed=2), 1.0)
    assert durations.left(35.0) > 0.08
    teach(durations, drawn(lognormal(40.0, 0.25), 88, seed=3), 1.0)
    check(durations)
    assert median_of(durations) > 30.0
    assert durations.left(55.0) < 0.2


@pytest.mark.no_cover
def test_a_model_that_does_not_change_alarms_hardly_ever() -> None:
    """Hundreds of ends that are as they always were: once in some thousand it looks otherwise, by chance."""
    alarms = [taught(drawn(lognormal(20.0, 0.4), 120, seed)).alarms for seed in range(8)]
    assert sum(alarms) <= 1


def test_a_slow_change_is_followed() -> None:
    """A model that takes a quarter more is expected to after as many ends as are remembered, alarm or not."""
    durations = taught(drawn(lognormal(20.0, 0.25), 60))
    teach(durations, drawn(lognormal(25.0, 0.25), 80, seed=2))
    assert median_of(durations) == pytest.approx(25.0, rel=0.1)


def test_one_that_hung_changes_nothing() -> None:
    """A single job of an hour among eighty neither alarms nor moves the middle."""
    durations = taught(drawn(lognormal(12.0, 0.3), 80, seed=2))
    before = quantiles(durations)
    teach(durations, [3_600.0, *drawn(lognormal(12.0, 0.3), 20, seed=3)], 1.0)
    assert durations.alarms == 0
    assert quantiles(durations)[:5] == pytest.approx(before[:5], rel=0.2)


@pytest.mark.parametrize("age", [0.3, 10.0, 1_000.0])
def test_no_job_is_ever_forgotten(age: float) -> None:
    """However alike all ends were, some are expected to last for ever longer, and are asked about again and again."""
    durations = taught([age] * 60)
    assert median_of(durations) == pytest.approx(age, rel=0.1, abs=0.1)
    for later in (2.0 * age, 100.0, 3_600.0, 7_000.0):
        if later > age:
            assert durations.left(later) >= 0.0149 * ANYTHING[bin_of(later) + 1]
    gaps = [b / a for a, b in pairwise(looks(durations, 0.15, 40_000.0)) if a > max(60.0, 2.0 * age)]
    assert max(gaps) < 1.8
