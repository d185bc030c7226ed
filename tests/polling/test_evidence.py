"""`aiogen._polling.evidence`: of each job one interval of ages, by cohort."""

from __future__ import annotations

import json
import math
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiogen._polling import survival
from aiogen._polling.evidence import Counts, Evidence, Place, Sight, place_of
from aiogen._polling.survival import ANYTHING, BINS, EDGES, WIDTHS, bin_of

quick = settings(deadline=None, derandomize=True, max_examples=40)

AROUND_20 = survival.with_tail(survival.lognormal(math.log(20.0), 0.2))
ages = st.one_of(st.floats(0.0, 50.0), st.floats(0.0, 7_300.0))


def one(evidence: Evidence, since: float, until: float) -> Sight:
    """A job from its beginning to its end."""
    sight = evidence.begin(ANYTHING)
    evidence.runs(sight, since)
    evidence.ended(sight, until)
    return sight


def middle_of(place: Place) -> float:
    return sum(share * EDGES[i] for i, share in place)


# --- where an age is


@given(age=ages)
@quick
def test_an_age_is_shared_out_without_rounding(age: float) -> None:
    """Between the two edges beside it, so that in the mean it stays where it is."""
    place = place_of(age)
    assert sum(share for _, share in place) == pytest.approx(1.0)
    assert middle_of(place) == pytest.approx(age, abs=1e-9)
    assert all(0 <= i <= BINS and 0.0 < share <= 1.0 for i, share in place)


def test_beyond_the_grid_all_ages_are_alike() -> None:
    """An edge is one place alone, and so is all that comes after the last."""
    assert place_of(EDGES[40]) == ((40, 1.0),)
    assert place_of(EDGES[-1]) == place_of(1e9) == ((BINS, 1.0),)


# --- what is known of one job


@given(looks=st.lists(ages, min_size=1, max_size=6).map(sorted), length=st.floats(0.01, 7_000.0))
@quick
def test_one_job_counts_once(looks: list[float], length: float) -> None:
    """One end, within its interval, and every bin it ran through wholly or partly; however often it was looked at."""
    evidence, looked = Evidence(ANYTHING), Evidence(ANYTHING)
    sight = looked.begin(ANYTHING)
    for age in looks:
        looked.runs(sight, age)
        assert sum(looked.together().running.values()) == pytest.approx(1.0)
    until = looks[-1] + length
    looked.ended(sight, until)
    one(evidence, looks[-1], until)
    assert looked.together().ended == pytest.approx(evidence.together().ended)
    assert (looked.together().running, looked.together().ends) == ({}, pytest.approx(1.0))
    ends, exposure = looked.together().spread(AROUND_20)
    first, last = bin_of(looks[-1]), min(BINS - 1, bin_of(until) + 1)  # an edge may be the end of its bin, or later
    assert sum(ends) == pytest.approx(1.0)
    assert sum(ends[first : last + 1]) == pytest.approx(1.0, abs=1e-6)
    assert exposure[:first] == pytest.approx([1.0] * first)
    assert all(0.0 <= share <= 1.0 + 1e-9 for share in exposure)
    assert exposure[last + 1 :] == pytest.approx([0.0] * (BINS - last - 1), abs=1e-9)


def test_what_runs_counts_as_far_as_it_ran() -> None:
    """It has been exposed in every bin up to its age, and has ended in none."""
    evidence = Evidence(ANYTHING)
    evidence.runs(evidence.begin(ANYTHING), 10.0)
    ends, exposure = evidence.together().spread(AROUND_20)
    last = bin_of(10.0)
    assert sum(ends) == 0.0
    assert exposure[:last] == [1.0] * last
    assert exposure[last] == pytest.approx((10.0 - EDGES[last]) / WIDTHS[last])
    assert exposure[last + 1 :] == pytest.approx([0.0] * (BINS - last - 1), abs=1e-12)


def test_an_end_is_where_it_is_likely() -> None:
    """An end between nothing and an hour is spread as a curve has it, each time by the curve that is given."""
    evidence = Evidence(ANYTHING)
    one(evidence, 0.0, 3_600.0)
    near = slice(bin_of(12.0), bin_of(33.0) + 1)
    assert sum(evidence.together().spread(ANYTHING)[0][near]) < 0.2
    assert sum(evidence.together().spread(AROUND_20)[0][near]) > 0.95


@pytest.mark.parametrize(("since", "until"), [(EDGES[-1], EDGES[-1]), (5.0, 5.0), (5.0, 4.0)])
def test_an_end_has_a_bin_at_least(since: float, until: float) -> None:
    """At the last edge, at a moment, or by readings that cross: it is in the bin where it was seen last."""
    counts = Counts()
    counts.end(place_of(since), place_of(until), 1.0)
    ends, _ = counts.spread(AROUND_20)
    assert sum(ends) == pytest.approx(1.0)
    first = min(BINS - 1, bin_of(since))
    assert sum(ends[first : first + 2]) == pytest.approx(1.0)


# --- cohorts


def test_who_began_before_the_first_end_is_of_one_cohort() -> None:
    """Whoever begins after it is of another, which knows what was expected then."""
    evidence = Evidence(ANYTHING)
    first, second = evidence.begin(ANYTHING), evidence.begin(AROUND_20)
    assert first.cohort is second.cohort
    assert first.cohort.expected is ANYTHING
    assert [first.number, second.number] == [0, 1]
    evidence.ended(second, 5.0)
    third, fourth = evidence.begin(AROUND_20), evidence.begin(ANYTHING)
    assert third.cohort is fourth.cohort is not first.cohort
    assert third.cohort.expected is AROUND_20
    evidence.ended(first, 9.0)  # not of the latest
    assert evidence.begin(ANYTHING).cohort is third.cohort


@pytest.mark.parametrize(("size", "counts_as"), [(1, 1), (20, 20), (100, 100), (5_000, 100)])
def test_a_cohort_has_one_weight(size: int, counts_as: int) -> None:
    """Its short ones, its long ones and what runs fade alike, when the next begins; a huge one not altogether."""
    evidence = Evidence(ANYTHING)
    sights = [evidence.begin(ANYTHING) for _ in range(size)]
    for sight in sights[1:]:
        evidence.runs(sight, 3.0)
    evidence.ended(sights[0], 2.0)
    assert evidence.weight(sights[0].cohort) == evidence.weight(sights[-1].cohort) == 1.0
    evidence.begin(ANYTHING)
    weight = math.exp(-0.01 * counts_as)
    assert evidence.weight(sights[0].cohort) == evidence.weight(sights[-1].cohort) == pytest.approx(weight)
    assert evidence.together().ends == pytest.approx(weight)
    for sight in sights[1:]:
        evidence.ended(sight, 4.0)
    assert evidence.together().ends == pytest.approx(size * weight)
    assert sum(weight for i, weight in evidence.together().running.items() if i) == pytest.approx(0.0, abs=1e-6)


def test_one_after_another_a_hundred_are_remembered() -> None:
    """However long a program runs; what is older than some hundreds is forgotten altogether."""
    evidence = Evidence(ANYTHING)
    for i in range(2_200):
        one(evidence, 100.0 if i < 10 else 20.0, 101.0 if i < 10 else 20.5)
    counts = evidence.together()
    assert counts.ends == pytest.approx(100.0, rel=0.02)
    assert not any(i > bin_of(90.0) for i, _ in counts.ended)


def test_what_is_known_is_added_up_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no turn of the loop is long, however much is known; what comes of it is the same."""
    evidence = Evidence(ANYTHING)
    for i in range(60):
        one(evidence, 10.0 + i, 11.0 + i)
    whole = evidence.together()
    monkeypatch.setattr("aiogen._polling.evidence.ADDED_AT_ONCE", 5)
    seen: list[Counts] = []

    def adding() -> Generator[None, None, None]:
        seen.append((yield from evidence.gathering()))

    assert sum(1 for _ in adding()) > 3
    assert (seen[0].ended, seen[0].running) == (whole.ended, whole.running)


def test_jobs_of_a_cohort_that_is_kept_apart_no_longer_count_on() -> None:
    """They are seen as ever, at the weight of their cohort, and so is their end."""
    evidence = Evidence(ANYTHING)
    runs, ends = evidence.begin(ANYTHING), evidence.begin(ANYTHING)
    evidence.runs(runs, 5.0)
    one(evidence, 1.0, 2.0)
    for _ in range(100):
        one(evidence, 20.0, 20.5)
    assert len(evidence.cohorts) < 100
    assert runs.cohort not in evidence.cohorts
    evidence.runs(runs, 50.0)
    evidence.ended(ends, 0.5)
    counts, weight = evidence.together(), evidence.weight(runs.cohort)
    assert weight == pytest.approx(math.exp(-1.02))
    assert counts.running == pytest.approx({i: share * weight for i, share in place_of(50.0)})
    assert sum(w for (i, _), w in counts.ended.items() if i == 0) == pytest.approx(weight)
    assert counts.ends == pytest.approx(2.0 * weight + sum(math.exp(-0.01 * i) for i in range(100)))


# --- what came before


def test_what_came_before_a_cohort_can_be_forgotten() -> None:
    """And only that: what began since stays; nor does it count what becomes of a job before it."""
    evidence = Evidence(ANYTHING)
    for _ in range(70):
        one(evidence, 50.0, 51.0)
    running = evidence.begin(ANYTHING)
    evidence.runs(running, 5.0)
    one(evidence, 0.0, 40.0)
    sight = evidence.begin(ANYTHING)
    evidence.runs(sight, 7.0)
    one(evidence, 0.0, 9.0)
    assert sight.cohort.follows == pytest.approx(
        sum(math.exp(-0.01 * i) for i in range(1, 72)) - math.exp(-0.7), abs=0.6
    )
    evidence.forget_before(sight.cohort)
    evidence.runs(running, 60.0)
    evidence.ended(running, 70.0)
    counts = evidence.together()
    assert set(counts.ended) == {(0, j) for j, _ in place_of(9.0)}
    assert counts.running == pytest.approx(dict(place_of(7.0)))


# --- the store


def stored(evidence: Evidence) -> Any:
    """As it comes back: strict JSON."""
    return json.loads(json.dumps(evidence.to_json(), allow_nan=False))


def some() -> Evidence:
    evidence = Evidence(ANYTHING)
    for i in range(30):
        one(evidence, 5.0 + 0.7 * i, 6.0 + 0.8 * i)
    evidence.begin(ANYTHING)
    one(evidence, 3.0, 4.0)
    return evidence


def test_what_is_stored_comes_back() -> None:
    """All ends, older and newer ones; that something still runs is no news for a later program."""
    evidence, again = some(), Evidence(ANYTHING)
    evidence.runs(evidence.begin(ANYTHING), 90.0)
    assert again.load(stored(evidence))
    assert again.together().ended == pytest.approx(evidence.together().ended, abs=1e-6)
    assert again.together().running == {}
    assert stored(again) == stored(evidence)


def test_what_two_processes_stored_adds_up() -> None:
    """They are sums: the model of both is the model of all their jobs."""
    one_, other, both = some(), Evidence(ANYTHING), Counts()
    for age in (8.0, 8.1, 40.0):
        one(other, age, age + 1.0)
    for evidence in (one_, other):
        read = Evidence(ANYTHING)
        assert read.load(stored(evidence))
        both.add(read.together())
    assert both.ends == pytest.approx(one_.together().ends + other.together().ends, abs=1e-4)
    ends, exposure = both.spread(AROUND_20)
    parts = [evidence.together().spread(AROUND_20) for evidence in (one_, other)]
    assert ends == pytest.approx([a + b for a, b in zip(parts[0][0], parts[1][0], strict=True)], abs=1e-4)
    assert sum(exposure) == pytest.approx(sum(map(sum, (parts[0][1], parts[1][1]))), rel=1e-4)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        7,
        {"ended": None},
        {"ended": {"0": 1.0}},
        {"ended": [3, 4, 1.0]},
        {"ended": [[3, 4]]},
        {"ended": [[3, 4, 1.0, 2.0]]},
        {"ended": [[4, 3, 1.0]]},
        {"ended": [[3, 3, 1.0]]},
        {"ended": [[-1, 3, 1.0]]},
        {"ended": [[3, BINS + 1, 1.0]]},
        {"ended": [[3.0, 4.0, 1.0]]},
        {"ended": [["3", "4", 1.0]]},
        {"ended": [[3, 4, "1"]]},
        {"ended": [[3, 4, None]]},
        {"ended": [[3, 4, -1.0]]},
        {"ended": [[3, 4, math.nan]]},
        {"ended": [[3, 4, math.inf]]},
        {"ended": [[3, 4, 10**400]]},
        {"ended": [[5, 6, 1.0], [3, 4, -1.0]]},
    ],
    ids=lambda data: repr(data)[:40],
)
def test_what_cannot_be_read_changes_nothing(data: Any) -> None:
    """Of another form, or damaged."""
    evidence = some()
    before = stored(evidence)
    assert not evidence.load(data)
    assert stored(evidence) == before
