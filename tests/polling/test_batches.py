"""`aiogen._polling.durations` and `phases`: hundreds of jobs that begin together, or one soon after the other."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polling.teaching import batch, counted, teach, up_to_date

from aiogen._polling.durations import DurationModel
from aiogen._polling.phases import PhaseModel
from aiogen.models import Typical

quick = settings(deadline=None, derandomize=True, max_examples=8)

TYPICAL = Typical(median=30.0, spread=0.45)
PRICE = 0.15
LOOKS = [2.0 + 0.7 * k for k in range(12)] + [10.5 + 1.2 * k for k in range(20)] + [36.0 * 1.15**k for k in range(30)]
"""Ages at which all jobs of a batch are asked about, where it does not matter when."""
SHARES = {0.9: -1.2816, 0.5: 0.0, 0.1: 1.2816}
"""What outlasts a quantile, and how many standard deviations of the logarithm that is from the median."""


def lives(count: int, seed: int, median: float = 8.0, sigma: float = 0.5) -> list[float]:
    chance = Random(seed)
    return [chance.lognormvariate(math.log(median), sigma) for _ in range(count)]


def off(durations: DurationModel, median: float = 8.0, sigma: float = 0.5) -> dict[float, float]:
    """How far each quantile is from the truth, as a part of it."""
    return {share: durations.quantile(share) / (median * math.exp(sigma * z)) - 1.0 for share, z in SHARES.items()}


def planned(durations: DurationModel, jobs: Iterable[tuple[float, float]]) -> Iterator[float]:
    """Jobs that begin at a moment and last for some time, asked about as planned; yields the moment of each end."""
    events: list[tuple[float, int, float, Any]] = [(at, i, life, None) for i, (at, life) in enumerate(jobs)]
    began = [at for at, *_ in events]
    heapq.heapify(events)
    while events:
        now, i, life, sight = heapq.heappop(events)
        if sight is None:
            sight, age = durations.begin(), 0.0
        else:
            age = now - began[i]
            if life <= age:
                durations.ended(sight, age)
                up_to_date(durations)
                yield now
                continue
            durations.runs(sight, age)
        up_to_date(durations)
        heapq.heappush(events, (began[i] + durations.plan(PRICE).next_age(age), i, life, sight))


def together(durations: DurationModel, ends: Iterable[float]) -> None:
    """A batch, asked about as planned."""
    for _ in planned(durations, [(0.0, life) for life in ends]):
        pass


# --- the order of answers


Event = tuple[int, float, bool]
"""Which job, at which age, and whether it was over."""


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """All answers about one batch by the clock, and the same in another order, each job's own still one by one."""
    jobs = draw(st.lists(st.tuples(st.floats(3.0, 40.0), st.floats(0.5, 9.0)), min_size=2, max_size=9))
    events: list[Event] = []
    for i, (life, every) in enumerate(jobs):
        looks = range(1, math.ceil(life / every) + 1)
        events += [(i, every * n, every * n >= life) for n in looks]
    events.sort(key=lambda event: event[1])
    left = [[event for event in events if event[0] == i] for i in range(len(jobs))]
    order = draw(st.permutations([i for i, *_ in events]))
    return events, [left[i].pop(0) for i in order]


def told(durations: DurationModel, events: Sequence[Event], fits: frozenset[int] = frozenset()) -> DurationModel:
    """A cohort, of which these answers came; fitted after some of them."""
    sights = [durations.begin() for _ in range(len({i for i, *_ in events}))]
    for number, (i, age, is_over) in enumerate(events):
        (durations.ended if is_over else durations.runs)(sights[i], age)
        if number in fits:
            durations.fit()
    return durations


def known() -> DurationModel:
    return teach(DurationModel(TYPICAL), lives(20, seed=4, median=15.0), 1.0)


@pytest.mark.no_cover
@given(orders=shuffled(), is_known=st.booleans())
@quick
def test_the_order_of_answers_does_not_matter(orders: tuple[list[Event], list[Event]], is_known: bool) -> None:
    """Of jobs that began together, whichever is heard of first: the estimate is the same, and so is what is stored."""
    one, other = (told(known() if is_known else DurationModel(TYPICAL), order) for order in orders)
    if one.alarms == other.alarms == 0:  # with one, what came before it is forgotten
        assert one._unfitted == pytest.approx(other._unfitted)
        one.fit()
        other.fit()
        assert one.curve == pytest.approx(other.curve, abs=1e-9)
        rows = [model.to_json()["evidence"]["ended"] for model in (one, other)]
        assert [row[:2] for row in rows[0]] == [row[:2] for row in rows[1]]
        assert [row[2] for row in rows[0]] == pytest.approx([row[2] for row in rows[1]], abs=2e-6)
    for cohorts in zip(one._evidence.cohorts, other._evidence.cohorts, strict=False):
        if one.alarms == other.alarms == 0:
            assert cohorts[0].ahead == pytest.approx(cohorts[1].ahead, abs=1e-9)


@pytest.mark.no_cover
@given(orders=shuffled(), fits=st.frozensets(st.integers(0, 30), max_size=4))
@quick
def test_when_it_was_fitted_meanwhile_does_not_matter(orders: tuple[list[Event], list[Event]], fits: Any) -> None:
    """An end that is known roughly lies where the estimate before had it, but that is soon forgotten."""
    one, other = told(DurationModel(TYPICAL), orders[0]), told(DurationModel(TYPICAL), orders[1], fits)
    for _ in range(6):
        one.fit()
        other.fit()
    assert max(abs(a - b) for a, b in zip(one.curve, other.curve, strict=True)) < 0.02


@given(orders=shuffled(), begins=st.lists(st.floats(0.2, 2.5), min_size=9, max_size=9))
@quick
def test_which_of_the_two_is_asked_does_not_depend_on_the_order(
    orders: tuple[list[Event], list[Event]], begins: list[float]
) -> None:
    """The time since the acceptance, or since the beginning: with phases, too, only what is known counts."""
    leads = []
    for order in orders:
        phases = PhaseModel(TYPICAL)
        whole = [phases.queued.begin() for _ in begins]
        part = [phases.processing.begin() for _ in begins]
        for i, age, is_over in order:
            own = age - begins[i]
            if not is_over:
                phases.queued.runs(whole[i], age)
                phases.processing.runs(part[i], own)
                continue
            since, own_since = whole[i].age, part[i].age
            phases.compare(part[i], (begins[i], since, age), (0.1, max(0.1, own_since), max(0.2, own)))
            phases.processing.ended(part[i], own)
            phases.queued.ended(whole[i], age)
        phases.queued.fit()
        phases.processing.fit()
        leads.append((phases.to_json()["lead"], *phases.queued.curve, *phases.processing.curve))
    assert leads[0] == pytest.approx(leads[1], abs=1e-9)


# --- one batch


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(4))
def test_a_batch_of_hundreds_is_learned(seed: int) -> None:
    """Short ones and long ones alike, though the long ones ended last; and so it stays with the next."""
    durations = DurationModel(TYPICAL)
    batch(durations, lives(500, seed), LOOKS)
    assert all(abs(part) < 0.15 for part in off(durations).values())
    together(durations, lives(500, 100 + seed))
    assert all(abs(part) < 0.15 for part in off(durations).values())
    assert (durations.seen, durations.alarms) == (1_000, 0)


@pytest.mark.parametrize("seed", range(4))
def test_the_last_that_was_seen_is_not_the_last_that_may_come(seed: int) -> None:
    """Beyond what has ended comes what the model says, not an edge: some outlast it, and are asked about on the way."""
    ends = lives(100, seed)
    durations = DurationModel(TYPICAL)
    batch(durations, ends, LOOKS)
    assert durations.left(max(ends)) > 0.002
    assert durations.quantile(0.02) > sorted(ends)[-5]
    plan = durations.plan(PRICE)
    age = max(ends)
    for _ in range(4):
        assert plan.next_age(age) < 1.6 * age
        age = plan.next_age(age)


def test_as_if_they_had_run_one_after_another() -> None:
    """A batch and the same jobs each alone leave nearly the same estimate."""
    ends = lives(60, seed=3)
    at_once, alone = DurationModel(TYPICAL), DurationModel(TYPICAL)
    batch(at_once, ends, LOOKS)
    for end in Random(1).sample(ends, len(ends)):
        batch(alone, [end], LOOKS)
    for share in SHARES:
        assert at_once.quantile(share) == pytest.approx(alone.quantile(share), rel=0.2)


# --- batch after batch


@pytest.mark.no_cover
def test_nothing_drifts() -> None:
    """After twenty batches the estimate is as good as after two, and nothing has looked like a change."""
    durations, wrong = DurationModel(TYPICAL), []
    for seed in range(20):
        together(durations, lives(60, seed))
        wrong.append(max(abs(part) for part in off(durations).values()))
    assert durations.alarms == 0
    assert max(wrong[1:]) < 0.3
    assert sum(wrong[-5:]) / 5.0 < 0.12


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(3))
def test_durations_that_halve_between_two_batches_are_noticed(seed: int) -> None:
    """Within fifty ends of the next, and what came before no longer counts."""
    durations = DurationModel(TYPICAL)
    for first in (0, 100):
        together(durations, lives(300, first + seed))
    assert durations.alarms == 0
    ends = planned(durations, [(0.0, life) for life in lives(300, 200 + seed, median=4.0)])
    for _ in range(50):
        next(ends)
    assert durations.alarms == 1
    assert durations.quantile(0.5) == pytest.approx(4.0, rel=0.25)
    for _ in ends:
        pass
    together(durations, lives(300, 300 + seed, median=4.0))
    assert durations.alarms == 1
    assert all(abs(part) < 0.15 for part in off(durations, 4.0).values())


@pytest.mark.no_cover
def test_durations_that_halve_while_jobs_begin_all_the_time_are_noticed() -> None:
    """Ten in flight at any time: it is noticed within twenty-five ends, and fifty after it the estimate is right."""
    medians = []
    for seed in range(4):
        begins = [0.8 * i for i in range(260)]
        lasting = [*lives(200, seed), *lives(60, 50 + seed, 4.0)]
        durations, alarms = DurationModel(TYPICAL), []
        for _ in planned(durations, zip(begins, lasting, strict=True)):
            alarms.append(durations.alarms)
        assert alarms[225] > alarms[199]
        medians.append(durations.quantile(0.5))
    assert all(median == pytest.approx(4.0, rel=0.25) for median in medians)
    assert sum(medians) / 4.0 == pytest.approx(4.0, rel=0.1)


# --- in steps


def test_a_fit_has_some_dozens_of_steps() -> None:
    """However much was seen: the loop goes round between them, and each is short."""
    for count in (1, 5, 50, 500):
        durations = DurationModel(TYPICAL)
        for sight, end in [(durations.begin(), end) for end in lives(count, seed=1)]:
            durations.ended(sight, end)
        for price in (0.05, 0.15, 1.0):
            durations.plan(price)
        _, steps = counted(durations.fitting())
        assert steps < 250


def test_what_is_seen_during_a_fit_is_not_lost() -> None:
    """It waits for the next, which comes at once if it is enough."""
    one, other = DurationModel(TYPICAL), DurationModel(TYPICAL)
    sights = {model: [model.begin() for _ in range(40)] for model in (one, other)}
    for model in (one, other):
        for sight in sights[model][:10]:
            model.runs(sight, 8.0)
            model.ended(sight, 9.0)
    before, steps = one.curve, one.fitting()
    assert not one.is_outdated  # it is under way from here on
    next(steps)
    for sight in sights[one][10:]:
        one.ended(sight, 4.0)
    assert not one.is_outdated  # it is under way
    assert one.curve is before
    for _ in steps:
        pass
    assert (one.version, one.is_outdated) == (1, True)
    assert one.quantile(0.5) > 6.0
    other.fit()
    assert one.curve == other.curve
    for sight in sights[other][10:]:
        other.ended(sight, 4.0)
    for model in (one, other):
        assert model.is_outdated
        model.fit()
        assert not model.is_outdated
    assert one.curve == pytest.approx(other.curve, abs=1e-9)


def test_a_fit_that_is_given_up_changes_nothing() -> None:
    """The session has stopped: the next fit can begin."""
    durations = DurationModel(TYPICAL)
    durations.ended(durations.begin(), 9.0)
    steps = durations.fitting()
    next(steps)
    steps.close()
    assert (durations.version, durations._is_fitting) == (0, False)


def test_a_fit_of_what_is_forgotten_meanwhile_does_not_count() -> None:
    """A change is noticed while it is under way: the estimate is that of the change, and it is fitted again."""
    durations = teach(DurationModel(TYPICAL), lives(60, seed=1, median=20.0, sigma=0.2))
    sights = [durations.begin() for _ in range(6)]
    durations.ended(sights[0], 9.0)
    assert durations.alarms == 0
    steps = durations.fitting()
    next(steps)
    for sight in sights[1:]:
        durations.ended(sight, 9.0)
    assert durations.alarms == 1
    curve, version = durations.curve, durations.version
    for _ in steps:
        pass
    assert (durations.curve, durations.version) == (curve, version)
    assert durations.is_outdated


def test_plans_that_are_in_use_are_made_again_by_the_fit() -> None:
    """So that nobody has to wait for them; those that were asked for long ago are not."""
    durations = DurationModel(TYPICAL)
    for price in (0.02, 0.15, 1.0):
        durations.plan(price)
    durations.ended(durations.begin(), 9.0)
    durations.fit()
    plans = dict(durations._plans)
    assert len(plans) == 2
    assert [durations.plan(price) for price in (0.15, 1.0)] == list(plans.values())


def test_cohorts_are_few() -> None:
    """A session of thousands of jobs remembers as much as one of hundreds."""
    sizes = []
    durations = DurationModel(TYPICAL)
    for seed in range(3):
        for life in lives(700, seed):
            sight = durations.begin()
            durations.runs(sight, life)
            durations.ended(sight, life + 0.5)
        counts = durations._evidence.together()
        sizes.append(len(counts.ended) + len(counts.running) + len(durations._evidence.cohorts))
    assert all(b < 1.2 * a for a, b in pairwise(sizes))


@pytest.mark.parametrize("count", [9, 40])
def test_in_a_large_batch_the_first_end_counts_however_many_were_expected(count: int) -> None:
    """All that ran longer than expected was learned; that something ends at last is news all the same."""
    durations = DurationModel(TYPICAL)
    sights = [durations.begin() for _ in range(count)]
    for age in (60.0, 90.0, 120.0):
        for sight in sights:
            durations.runs(sight, age)
        durations.fit()
    assert not durations.is_outdated
    durations.ended(sights[0], 121.0)
    assert durations.is_outdated is (count == 40)


def test_a_surprise_is_learned_at_once() -> None:
    """Where few were expected to end and four have, the others' plans do not wait for a part of all ends."""
    durations = DurationModel(TYPICAL)
    batch(durations, lives(100, 1, 20.0, 0.1), [15.0 + 0.5 * k for k in range(40)])
    durations.fit()
    surprising, usual = ([durations.begin() for _ in range(60)] for _ in range(2))
    for sight in surprising[:4]:
        durations.runs(sight, 17.0)
        durations.ended(sight, 17.6)
    assert durations.is_outdated
    assert durations.alarms == 0
    durations.fit()
    for sight in usual[:4]:
        durations.runs(sight, 19.0)
        durations.ended(sight, 21.0)
    assert not durations.is_outdated
