"""`aiogen._polling.durations`: how long one model's generations take."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from polling.teaching import counted, one_job, teach, up_to_date

from aiogen._polling import durations as _durations
from aiogen._polling.durations import DurationModel
from aiogen._polling.evidence import Sight
from aiogen._polling.plan import Plan
from aiogen._polling.survival import ANYTHING, BINS, EDGES, bin_of
from aiogen.models import Typical

quick = settings(deadline=None, derandomize=True, max_examples=6)

TYPICAL = Typical(median=30.0, spread=0.45)
SHARES = (0.95, 0.9, 0.75, 0.5, 0.25, 0.1, 0.05)

Draw = Callable[[Random], float]


def taught(ends: Iterable[float], every: float | None = None) -> DurationModel:
    return deepcopy(_taught(tuple(ends), every))


@cache
def _taught(ends: tuple[float, ...], every: float | None) -> DurationModel:
    return teach(DurationModel(TYPICAL), ends, every)


def drawn(draw: Draw, count: int, seed: int = 1) -> list[float]:
    chance = Random(seed)
    return [draw(chance) for _ in range(count)]


def lognormal(median: float, sigma: float) -> Draw:
    return lambda chance: chance.lognormvariate(math.log(median), sigma)


def outlasting(median: float, sigma: float) -> Callable[[float], float]:
    return lambda age: 0.5 * math.erfc(math.log(max(age, 1e-9) / median) / (sigma * math.sqrt(2.0)))


def quantiles(durations: DurationModel) -> list[float]:
    return [durations.quantile(share) for share in SHARES]


def median_of(durations: DurationModel) -> float:
    return durations.quantile(0.5)


def looks(durations: DurationModel, price: float, until: float) -> list[float]:
    """The ages at which a job is asked about that lasts for so long."""
    plan = durations.plan(price)
    ages = [plan.next_age(0.0)]
    while ages[-1] < until:
        ages.append(plan.next_age(ages[-1]))
    return ages


def stored(durations: DurationModel) -> Any:
    """As it comes back from the store: strict JSON."""
    return json.loads(json.dumps(durations.to_json(), allow_nan=False))


def remembered(durations: DurationModel) -> tuple[list[float], list[float], float]:
    """Ends and exposure per bin, and how many ends are remembered."""
    counts = durations._evidence.together()
    return *counts.spread(durations.curve), counts.ends


def check(durations: DurationModel) -> None:
    """It is a distribution: what ends within each bin, and what outlasts the grid, is never negative and sums to 1."""
    masses = [a - b for a, b in pairwise(durations.curve)] + [durations.curve[-1]]
    assert len(masses) == BINS + 1
    assert all(math.isfinite(mass) and mass >= -1e-12 for mass in masses)
    assert sum(masses) == pytest.approx(1.0, abs=1e-3)
    assert durations.left(EDGES[-1]) > 1e-5


# --- before anything was seen


@pytest.mark.parametrize(("median", "spread"), [(3.0, 0.4), (30.0, 0.45), (120.0, 0.6)])
def test_at_first_the_providers_table_counts(median: float, spread: float) -> None:
    """The typical duration is in the middle, and nothing has been seen."""
    typical = Typical(median=median, spread=spread)
    durations = DurationModel(typical)
    check(durations)
    assert median_of(durations) == pytest.approx(median, rel=0.12)
    assert (durations.typical, durations.seen, durations.version) == (typical, 0, 0)


def test_what_a_new_model_needs_is_made_in_steps_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The expectation of a provider's table is shared by its models; of many tables the oldest is made again."""
    monkeypatch.setattr(_durations, "_priors", {})
    monkeypatch.setattr(_durations, "_PRIORS_KEPT", 2)
    tables = [Typical(median=median) for median in (5.0, 50.0, 500.0)]
    for typical in tables:
        assert counted(_durations.preparing(typical))[1] > 20
        assert counted(_durations.preparing(typical))[1] == 1
    assert list(_durations._priors) == tables[1:]
    assert DurationModel(tables[1]).curve is DurationModel(tables[1]).curve


def test_what_was_read_from_few_ends_learns_as_quickly_as_they_allow() -> None:
    """One end is no reason to wait for forty."""
    again = DurationModel.from_json(TYPICAL, stored(taught([20.0])))
    version = again.version
    teach(again, [10.0] * 3)
    assert again.version >= version + 2


def test_one_model_teaches_nothing_about_another() -> None:
    """Two that begin with the same typical duration learn for themselves."""
    one, other = DurationModel(TYPICAL), DurationModel(TYPICAL)
    before = list(other.curve)
    teach(one, [5.0] * 10)
    assert median_of(one) < 10.0
    assert (other.curve, other.seen) == (before, 0)


# --- learning

LAWS: dict[str, tuple[Draw, Callable[[float], float]]] = {
    "lognormal": (lognormal(12.0, 0.3), outlasting(12.0, 0.3)),
    "uniform": (lambda chance: chance.uniform(40.0, 80.0), lambda age: min(1.0, max(0.0, (80.0 - age) / 40.0))),
    "two humps": (
        lambda chance: lognormal(8.0 if chance.random() < 0.6 else 40.0, 0.12)(chance),
        lambda age: 0.6 * outlasting(8.0, 0.12)(age) + 0.4 * outlasting(40.0, 0.12)(age),
    ),
    "always alike": (lambda chance: chance.gauss(100.0, 3.0), outlasting(100.0, 0.03)),
}


@pytest.mark.parametrize(("name", "every"), [*((name, 2.0) for name in LAWS), ("lognormal", None)], ids=str)
def test_the_truth_is_approached(name: str, every: float | None) -> None:
    """Whatever the durations follow: twenty ends say much, and after 120 the estimate is nowhere far from the truth."""
    draw, truth = LAWS[name]
    durations, ends = DurationModel(TYPICAL), drawn(draw, 120, seed=2)
    wrong = []
    for part in ([], ends[:20], ends[20:]):
        teach(durations, part, every)
        check(durations)
        wrong.append(max(abs(durations.left(edge) - truth(edge)) for edge in EDGES))
    assert wrong[0] > 0.4
    assert wrong[1] < 0.25
    assert wrong[2] < 0.11


def test_the_ends_of_a_uniform_are_sharp() -> None:
    """Where all end between 40 s and 80 s hardly any is expected to end before or after."""
    durations = taught(drawn(LAWS["uniform"][0], 120, seed=2))
    assert durations.left(37.0) > 0.97
    assert durations.left(83.0) < 0.03
    assert durations.left(60.0) == pytest.approx(0.5, abs=0.08)


def test_between_two_humps_nothing_ends() -> None:
    """Where some take 8 s and some 40 s, none is expected to take 20 s, and the share of each is known."""
    durations = taught(drawn(LAWS["two humps"][0], 120, seed=2), 2.0)
    assert durations.left(13.0) - durations.left(26.0) < 0.04
    assert durations.left(20.0) == pytest.approx(0.4, abs=0.1)


def test_coarse_looks_leave_more_doubt() -> None:
    """Of jobs that all take 33 s exact ends show that, and questions every ten seconds that it is between 30 and 40."""
    exact, fine, coarse = (taught([33.0] * 15, every) for every in (None, 1.0, 10.0))
    widths = [d.quantile(0.1) - d.quantile(0.9) for d in (exact, fine, coarse)]
    assert max(widths[:2]) < 4.5 < 7.0 < widths[2] < 12.0
    assert median_of(exact) == pytest.approx(33.0, rel=0.02)
    assert median_of(fine) == pytest.approx(33.5, rel=0.02)
    assert 29.0 < coarse.quantile(0.95) < coarse.quantile(0.05) < 42.0


def test_looks_at_different_ages_tell_what_coarse_ones_cannot() -> None:
    """Intervals that begin anywhere overlap where the jobs end, and the estimate narrows round that place."""
    chance, durations, widths = Random(1), DurationModel(TYPICAL), []
    for _ in range(100):
        since = 33.0 - chance.uniform(0.0, 10.0)
        one_job(durations, [since], since + 10.0)
        widths.append(durations.quantile(0.1) - durations.quantile(0.9))
    assert median_of(durations) == pytest.approx(33.0, rel=0.03)
    assert widths[99] < 0.8 * widths[19] < 0.5 * widths[0]


def test_what_runs_still_counts_too() -> None:
    """In a batch of jobs between 20 s and 40 s, ends alone would say at 25 s that the model is quick."""
    ends = sorted(drawn(lambda chance: chance.uniform(20.0, 40.0), 40))
    early = [age for age in ends if age < 25.0]
    alone, batch = taught(early), DurationModel(TYPICAL)
    sights = [(batch.begin(), age) for age in ends]
    for sight, age in sights:
        batch.runs(sight, min(age, 25.0))
        if age < 25.0:
            batch.ended(sight, age)
    batch.fit()
    assert median_of(alone) < 25.0 < median_of(batch) < 40.0
    assert batch.seen == len(early)


def test_a_batch_that_is_looked_at_all_the_time() -> None:
    """Forty jobs between 20 s and 40 s, looked at every half second: the middle is known before half have ended."""
    durations, medians = DurationModel(TYPICAL), {}
    live = [(durations.begin(), age) for age in drawn(lambda chance: chance.uniform(20.0, 40.0), 40)]
    for now in (n / 2.0 for n in range(1, 81)):
        for sight, age in live:
            (durations.runs if age > now else durations.ended)(sight, now)
        live = [(sight, age) for sight, age in live if age > now]
        up_to_date(durations)
        medians[now] = median_of(durations)
    assert live == []
    for age, off in ((25.0, 0.35), (30.0, 0.15), (40.0, 0.1)):
        assert medians[age] == pytest.approx(30.0, rel=off)


def test_running_alone_teaches() -> None:
    """Ten jobs that still run after two minutes are slower than thought, with no end seen."""
    durations = DurationModel(TYPICAL)
    sights = [durations.begin() for _ in range(10)]
    for age in range(10, 130, 10):
        for sight in sights:
            durations.runs(sight, age)
        up_to_date(durations)
    check(durations)
    assert median_of(durations) > 130.0
    assert (durations.seen, durations.version > 0) == (0, True)


def test_one_look_or_many_are_the_same_time() -> None:
    """A minute without an end is a minute, in how many pieces it may come; nothing is learned of no time."""
    whole, pieces = DurationModel(TYPICAL), DurationModel(TYPICAL)
    for _ in range(3):
        whole.runs(whole.begin(), 61.0)
        sight = pieces.begin()
        for age in (0.1, 0.7, 3.0, 3.0, 10.0, 10.1, 9.0, 0.0, 55.5, 61.0, 55.5):
            pieces.runs(sight, age)
    assert remembered(pieces)[1] == pytest.approx(remembered(whole)[1])
    assert sum(remembered(whole)[1][:5]) == pytest.approx(15.0)
    for durations in (whole, pieces):
        durations.fit()
    assert pieces.curve == pytest.approx(whole.curve, abs=1e-9)


def test_the_last_ages_of_the_grid() -> None:
    """What runs for longer than the grid counts as having run to its end; beyond that all ages are alike."""
    durations, shorter = DurationModel(TYPICAL), DurationModel(TYPICAL)
    sight = durations.begin()
    for age in (7_000.0, 90_000.0, 95_000.0):
        durations.runs(sight, age)
    shorter.runs(shorter.begin(), EDGES[-1])
    assert remembered(durations) == remembered(shorter)
    durations.ended(sight, 99_000.0)
    durations.fit()
    check(durations)
    assert (durations.seen, remembered(durations)[2]) == (1, pytest.approx(1.0))


@pytest.mark.parametrize("since", [EDGES[-1], 8_000.0, 90_000.0])
def test_an_end_beyond_the_grid(since: float) -> None:
    """A job that ended after three hours is an end, too."""
    durations = DurationModel(TYPICAL)
    one_job(durations, [since], since + 60.0)
    check(durations)
    assert durations.seen == 1


@pytest.mark.parametrize(("first", "factor"), [(1.0, 5.0), (20.0, 1.4)])
def test_later_ends_are_a_later_belief(first: float, factor: float) -> None:
    """If all jobs took longer by some factor, more is expected to be left at any age that matters."""
    sample = drawn(lognormal(first, 0.2), 5)
    quicker, slower = taught(sample, 0.5), taught([factor * age for age in sample], 0.5)
    assert median_of(slower) > 1.15 * median_of(quicker)
    assert slower.left(first * math.sqrt(factor)) > quicker.left(first * math.sqrt(factor)) + 0.2


@pytest.mark.parametrize("ends", [4, 50])
def test_hardly_anything_has_ended(ends: int) -> None:
    """A hundred times as many have hung for longer than the grid: that is learned, too."""
    durations = DurationModel(TYPICAL)
    sights = [durations.begin() for _ in range(100 * ends)]
    for sight in sights[ends:]:
        durations.runs(sight, 1e5)
    for sight in sights[:ends]:
        durations.ended(sight, 10.0)
    durations.fit()
    check(durations)
    assert durations.left(7_000.0) > 0.9


@pytest.mark.parametrize(("median", "spread"), [(0.5, 0.1), (3_000.0, 0.5)])
def test_a_wrong_table_is_outweighed(median: float, spread: float) -> None:
    """Whatever the provider's table said, after 25 ends the model's own durations count."""
    durations = teach(DurationModel(Typical(median=median, spread=spread)), drawn(lognormal(20.0, 0.25), 25))
    assert median_of(durations) == pytest.approx(20.0, rel=0.15)
    assert durations.quantile(0.05) < 45.0


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


# --- what is asked of it


@given(
    ends=st.lists(st.sampled_from([0.2, 8.0, 30.0, 31.0, 4_000.0]), max_size=3),
    ages=st.tuples(st.floats(0.0, 9_000.0), st.floats(0.0, 9_000.0)).map(sorted),
    shares=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)).map(sorted),
    every=st.sampled_from([None, 3.0]),
)
@quick
def test_what_is_left_only_falls(
    ends: list[float], ages: list[float], shares: list[float], every: float | None
) -> None:
    """Later, less is left; the smaller the share that is to outlast an age, the later it is; and the two agree."""
    durations = taught(ends, every)
    check(durations)
    assert durations.left(ages[0]) >= durations.left(ages[1]) - 1e-12
    assert durations.quantile(shares[0]) >= durations.quantile(shares[1])
    assert 0.0 <= durations.quantile(shares[1]) <= durations.quantile(shares[0]) <= EDGES[-1]
    for share in shares:
        if durations.left(EDGES[-1]) < share < durations.left(0.0):
            assert durations.left(durations.quantile(share)) == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize("ends", [[], drawn(LAWS["two humps"][0], 25)], ids=["none", "humps"])
def test_dearer_requests_are_rarer(ends: list[float]) -> None:
    """The higher the price of a request, the fewer looks at a job."""
    durations = taught(ends, 1.0)
    counts = [len(looks(durations, price, 300.0)) for price in (0.005, 0.05, 0.5, 5.0, 50.0)]
    assert all(a > b for a, b in pairwise(counts[:4]))
    assert counts[3] >= counts[4]


def test_the_plan_is_of_the_belief() -> None:
    """What is asked is what the estimate and the price say; prices that hardly differ share a plan."""
    durations = taught([20.0] * 10)
    plan = durations.plan(0.15)
    expected = Plan(durations.curve, 0.15)
    ages = [0.0, 5.0, 18.0, 19.9, 21.0, 300.0]
    assert [plan.next_age(age) for age in ages] == [expected.next_age(age) for age in ages]
    assert durations.plan(0.15) is plan
    assert durations.plan(0.16) is plan
    assert durations.plan(0.14) is plan
    for price in (0.001, 0.03, 0.2, 1.0, 60.0):
        others = [Plan(durations.curve, price * factor).next_age(0.0) for factor in (0.89, 1.12)]
        assert min(others) - 0.2 <= durations.plan(price).next_age(0.0) <= max(others) + 0.2
        assert durations.plan(price) is not plan


def test_with_the_belief_the_plan_changes() -> None:
    """Plans last as long as the estimate they were made of."""
    durations = DurationModel(TYPICAL)
    plan, version, curve = durations.plan(0.15), durations.version, durations.curve
    durations.runs(durations.begin(), 0.3)
    up_to_date(durations)
    assert (durations.version, durations.curve) == (version, curve)
    assert durations.plan(0.15) is plan
    teach(durations, [5.0] * 5)
    assert durations.version > version
    assert durations.plan(0.15) is not plan
    assert len([age for age in looks(durations, 0.15, 8.0) if age < 8.0]) > 3


def test_a_belief_that_is_sure_changes_rarely() -> None:
    """Fitting costs time: the first ends are all worth it, the hundredth is not; and nothing changes in between."""
    durations = DurationModel(TYPICAL)
    versions = []
    for age in drawn(lognormal(20.0, 0.3), 120):
        before = durations.version, durations.curve
        sight = durations.begin()
        durations.runs(sight, age)
        durations.ended(sight, age)
        assert (durations.version, durations.curve) == before
        is_outdated = durations.is_outdated
        up_to_date(durations)
        assert (durations.version > before[0]) is (durations.curve is not before[1]) is is_outdated
        versions.append(durations.version)
    assert versions[:2] == [1, 2]
    assert 10 <= versions[-1] <= 40
    assert versions[-1] - versions[79] <= 4


# --- kept in the store

HISTORIES = {
    "nothing but one": [20.0],
    "alike": drawn(lognormal(20.0, 0.2), 25),
    "uniform": drawn(LAWS["uniform"][0], 40),
    "two humps": drawn(LAWS["two humps"][0], 25),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_what_was_learned_survives_the_store(name: str) -> None:
    """Written as JSON and read again, the estimate is the same, and worth as much."""
    durations = taught(HISTORIES[name], 1.0)
    again = DurationModel.from_json(TYPICAL, stored(durations))
    check(again)
    assert (again.seen, again.typical) == (len(HISTORIES[name]), TYPICAL)
    assert max(abs(a - b) for a, b in zip(again.curve, durations.curve, strict=True)) < 0.12
    assert again._evidence.together().ended == pytest.approx(durations._evidence.together().ended, abs=1e-6)
    assert DurationModel.from_json(TYPICAL, stored(again)).curve == pytest.approx(again.curve, abs=1e-6)


def test_what_was_read_is_fitted_rarely() -> None:
    """An estimate from forty ends is no beginner's: the next ten do not change it one by one."""
    again = DurationModel.from_json(TYPICAL, stored(taught(HISTORIES["uniform"])))
    version = again.version
    teach(again, drawn(LAWS["uniform"][0], 10, seed=3))
    assert again.version - version <= 2


def test_writing_changes_nothing() -> None:
    """A model that was saved goes on as if it had not been."""
    saved, other = taught([20.0] * 12), taught([20.0] * 12)
    assert stored(saved) == stored(saved)
    for _ in range(5):
        stored(saved)
        teach(saved, [30.0], 2.0)
        teach(other, [30.0], 2.0)
    assert saved.curve == other.curve


@pytest.mark.parametrize("change", [0.5, 3.0])
def test_what_was_read_is_learned_on(change: float) -> None:
    """What came from the store is worth as much as before: one end does not overturn it, some more at other ages do.

    If generations become slower, the old ones count as long as they are remembered.
    """
    durations = taught(drawn(lognormal(20.0, 0.2), 40))
    again = DurationModel.from_json(TYPICAL, stored(durations))
    teach(again, [20.0 * change])
    assert median_of(again) == pytest.approx(20.0, rel=0.1)
    teach(again, drawn(lognormal(20.0 * change, 0.2), 14, seed=2))
    if change < 1.0:
        assert median_of(again) == pytest.approx(20.0 * change, rel=0.2)
    else:
        assert again.left(35.0) == pytest.approx(15.0 / (15.0 + 40.0 * 0.85), abs=0.1)


def test_the_best_shape_is_found_again() -> None:
    """Scores follow from what is known, so they are not stored: after reading, a uniform still has sharp ends."""
    again = DurationModel.from_json(TYPICAL, stored(taught(drawn(LAWS["uniform"][0], 120, seed=2))))
    assert again.left(37.5) > 0.97
    assert again.left(83.0) < 0.03


OLD = {
    "table": {"ends": [1.0] * BINS, "exposure": [2.0] * BINS, "weight": float(BINS)},
    "scores": {"curves": -3.0, "flat": 0.5},
    "seen": 40,
}
"""As it was stored until version 0.11."""


def test_what_an_older_version_stored_is_started_anew() -> None:
    """Ends and exposure without their intervals cannot be read any more; it is learned again, and stored as of now."""
    durations = DurationModel.from_json(TYPICAL, OLD)
    assert (durations.seen, durations.version, durations.curve) == (0, 0, DurationModel(TYPICAL).curve)
    teach(durations, [12.0] * 6)
    again = DurationModel.from_json(TYPICAL, stored(durations))
    assert (again.seen, median_of(again)) == (6, pytest.approx(12.0, rel=0.15))


def damaged(**changes: Any) -> Any:
    """What a dozen ends would have stored, with something wrong in it."""
    data = stored(taught(drawn(lognormal(10.0, 0.2), 12)))
    for name, value in changes.items():
        (data["evidence"] if name == "ended" else data)[name] = value
    return data


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "durations",
        7,
        math.nan,
        {},
        {"seen": 3},
        {"seen": 3, "evidence": [1.0, 2.0]},
        {"seen": 3, "evidence": {}},
        {"version": 1, "mu": 3.4, "sigma": 0.4},
        OLD,
        damaged(seen=None),
        damaged(seen="many"),
        damaged(seen=[3]),
        damaged(seen=math.nan),
        damaged(evidence=None),
        damaged(ended=None),
        damaged(ended=[[1, 2]]),
        damaged(ended=[[1, BINS + 1, 1.0]]),
        damaged(ended={"0": 1.0}),
        damaged(ended=[[3, 4, -1.0]]),
        damaged(ended=[[3, 4, math.nan]]),
        damaged(ended=[[3, 4, math.inf]]),
        damaged(ended=[[3, 4, "1"]]),
        damaged(ended=[[3, 4, 10**400]]),
    ],
    ids=lambda data: repr(data)[:24],
)
def test_what_cannot_be_read_counts_for_nothing(data: Any) -> None:
    """Of another version, of another grid, or damaged: one begins again, and learns."""
    durations = DurationModel.from_json(TYPICAL, data)
    assert (durations.seen, durations.curve) == (0, DurationModel(TYPICAL).curve)
    assert remembered(durations)[2] == 0.0
    teach(durations, [5.0] * 3)
    assert median_of(durations) < 12.0


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({**damaged(), "more": "of a later version"}, id="something unknown"),
        pytest.param(damaged(evidence={**damaged()["evidence"], "more": [1]}), id="something unknown inside"),
        pytest.param({**damaged(), "scores": None}, id="scores of an older version"),
        pytest.param(
            damaged(ended=[[i, j, round(w)] for i, j, w in damaged()["evidence"]["ended"]]), id="whole numbers"
        ),
    ],
)
def test_what_can_be_read_counts(data: Any) -> None:
    """What is unknown beside the evidence is no reason to throw it away."""
    durations = DurationModel.from_json(TYPICAL, data)
    check(durations)
    assert durations.seen == 12
    assert median_of(durations) == pytest.approx(10.0, rel=0.15)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(damaged(seen=-5), id="seen negative"),
        pytest.param(damaged(seen=10**400), id="seen beyond all floats"),
        pytest.param(damaged(ended=[]), id="no ends"),
        pytest.param(damaged(ended=[[0, BINS, 1e-12]]), id="next to none"),
        pytest.param(damaged(ended=[[0, BINS, 5.0]]), id="of which nothing is known"),
        pytest.param(damaged(ended=[[i, i + 1, 1e200] for i in range(BINS)]), id="enormous numbers"),
        pytest.param(damaged(ended=[[3, 4, 1e299], [4, 5, 1e299]]), id="the most enormous numbers"),
    ],
)
def test_damage_is_no_crash(data: Any) -> None:
    """Whatever the store brings, there is an estimate, and it can be learned on."""
    durations = DurationModel.from_json(TYPICAL, data)
    check(durations)
    assert durations.seen >= 0
    teach(durations, [5.0] * 3)
    check(durations)
    stored(durations)


# --- all together

prices = st.sampled_from([0.001, 0.03, 0.15, 2.0, 60.0])
lasting = st.one_of(st.floats(0.01, 100.0), st.floats(0.01, 6_000.0))


class DurationsMachine(RuleBasedStateMachine):
    """Jobs that are asked about as planned, others known exactly or roughly, and a restart now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.durations = DurationModel(TYPICAL)
        self.history: list[tuple[str, int, float]] = []
        self.sights: dict[int, Sight] = {}
        self.jobs: list[tuple[int, float, float]] = []  # its number, how long it lasts, when it was last asked about
        self.numbers = 0
        self.known = (0, self.durations.curve)
        self.seen = 0

    def teach(self, what: str, number: int = 0, age: float = 0.0) -> None:
        self.history.append((what, number, age))
        self.durations = self.after(self.durations, self.sights, what, number, age)
        self.seen += what == "ended"

    @staticmethod
    def after(durations: DurationModel, sights: dict[int, Sight], what: str, number: int, age: float) -> DurationModel:
        match what:
            case "restart":
                durations = DurationModel.from_json(TYPICAL, stored(durations))
                sights.update({n: durations.begin() for n in sights})  # followed by another session now
            case "begin":
                sights[number] = durations.begin()
            case "runs":
                durations.runs(sights[number], age)
            case "ended":
                durations.ended(sights.pop(number), age)
            case "fit":
                up_to_date(durations)
        return durations

    def begin(self) -> int:
        self.numbers += 1
        self.teach("begin", self.numbers)
        return self.numbers

    @rule(age=lasting, times=st.integers(1, 6))
    def exact_ends(self, age: float, times: int) -> None:
        for n in range(times):
            number = self.begin()
            self.teach("runs", number, age * (1.0 + 0.03 * n))
            self.teach("ended", number, age * (1.0 + 0.03 * n))
            self.teach("fit")

    @rule(since=lasting, length=lasting, fits=st.booleans())
    def rough_end(self, since: float, length: float, fits: bool) -> None:
        number = self.begin()
        self.teach("runs", number, since)
        self.teach("ended", number, since + length)
        if fits:
            self.teach("fit")

    @rule(since=lasting, length=lasting)
    def still_running(self, since: float, length: float) -> None:
        """One that is never asked about again."""
        number = self.begin()
        self.teach("runs", number, since)
        self.teach("runs", number, since + length)
        self.teach("fit")

    @rule(lasts=lasting, times=st.integers(1, 5))
    def submit(self, lasts: float, times: int) -> None:
        """Some that begin together."""
        self.jobs += [(self.begin(), lasts * (1.0 + 0.1 * n), 0.0) for n in range(times)]

    @precondition(lambda self: self.jobs)
    @rule(price=prices, times=st.integers(1, 4))
    def ask(self, price: float, times: int) -> None:
        for _ in range(min(times, len(self.jobs))):
            self.look(price)

    def look(self, price: float) -> None:
        """At the job that waits longest."""
        number, lasts, asked = self.jobs.pop(0)
        age = self.durations.plan(price).next_age(asked)
        assert asked < age < math.inf
        if lasts > age:
            self.teach("runs", number, age)
            self.jobs.append((number, lasts, age))
        else:
            self.teach("ended", number, age)
        self.teach("fit")

    @rule()
    def restart(self) -> None:
        before = self.durations._evidence.together().ended
        self.teach("restart")
        self.known = (self.durations.version, self.durations.curve)
        after = self.durations._evidence.together().ended
        assert after == pytest.approx({k: w for k, w in before.items() if k in after}, abs=1e-6)
        assert all(w < 1e-5 for k, w in before.items() if k not in after)

    @invariant()
    def is_a_distribution(self) -> None:
        check(self.durations)

    @invariant()
    def is_counted(self) -> None:
        ends, exposure, weight = remembered(self.durations)
        assert self.durations.seen == self.seen
        assert weight <= self.seen + 1e-6
        assert sum(ends) == pytest.approx(weight, abs=1e-6)
        assert all(math.isfinite(amount) and amount >= 0.0 for amount in [*ends, *exposure])

    @invariant()
    def says_when_it_changes(self) -> None:
        version, curve = self.known
        assert self.durations.version >= version
        assert (self.durations.version == version) is (self.durations.curve is curve)
        self.known = (self.durations.version, self.durations.curve)

    def teardown(self) -> None:
        looks = 0
        while self.jobs:
            self.look(2.0)
            looks += 1
            assert looks < 2_000, "somebody is asked about for ever, and does not end"
        check(self.durations)
        again, sights = DurationModel(TYPICAL), {}
        for event in self.history:
            again = self.after(again, sights, *event)
        assert again.curve == self.durations.curve, "the same history gives another estimate"
        assert again.to_json() == self.durations.to_json()


TestDurations = DurationsMachine.TestCase
TestDurations.settings = settings(
    deadline=None, derandomize=True, max_examples=4, stateful_step_count=8, report_multiple_bugs=False
)


def test_what_is_expected_before_anything_was_seen_is_kept_for_some_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest ago goes, and is made again when it is needed."""
    priors: dict[Typical, Any] = {}
    monkeypatch.setattr("aiogen._polling.durations._priors", priors)
    monkeypatch.setattr("aiogen._polling.durations._PRIORS_KEPT", 2)
    typicals = [Typical(median=seconds, spread=0.5) for seconds in (5.0, 20.0, 60.0)]
    curves = [DurationModel(typical).curve for typical in typicals]
    assert list(priors) == typicals[1:]
    assert DurationModel(typicals[0]).curve == curves[0]


def test_plans_are_kept_for_the_latest_prices() -> None:
    """A price that changes all the time takes no more memory than some plans."""
    model = DurationModel(Typical(median=20.0, spread=0.5))
    plans = [model.plan(0.01 * 1.4**i) for i in range(20)]
    assert model.plan(0.01 * 1.4**19) is plans[19]
    assert model.plan(0.01) is not plans[0]
    assert len(model._plans) == 12
