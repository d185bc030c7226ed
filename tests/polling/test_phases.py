"""`aiogen._polling.phases`: since the acceptance, or since the beginning."""

from __future__ import annotations

import json
import math
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polling.teaching import up_to_date

from aiogen._polling.phases import Ages, PhaseModel
from aiogen.models import Typical

quick = settings(deadline=None, derandomize=True, max_examples=30)

TYPICAL = Typical(median=30.0, spread=0.45)


def phases_after(jobs: int, *, wait: tuple[float, float], run: tuple[float, float]) -> PhaseModel:
    """The phase model after jobs that waited and ran for times between these bounds, each asked about every second."""
    chance, phases = Random(1), PhaseModel(TYPICAL)
    for _ in range(jobs):
        begins = chance.uniform(*wait)
        phased_job(phases, begins, begins + chance.uniform(*run))
    return phases


def phased_job(phases: PhaseModel, begins: float, ends: float) -> None:
    """Asked about every second."""
    known, since, until = math.ceil(begins), math.floor(ends), math.ceil(ends + 1e-9)
    start = known - 0.5
    whole, part = phases.queued.begin(), phases.processing.begin()
    phases.queued.runs(whole, since)
    phases.processing.runs(part, since - start)
    phases.compare(part, (known, since, until), (0.5, since - start, until - start))
    phases.processing.ended(part, until - start)
    phases.queued.ended(whole, until)
    for durations in (phases.queued, phases.processing):
        up_to_date(durations)


def compared(phases: PhaseModel, *pairs: tuple[Ages, Ages], times: int = 1) -> None:
    """Jobs of which nothing else is learned."""
    for _ in range(times):
        for whole, part in pairs:
            sight = phases.processing.begin()
            phases.compare(sight, whole, part)
            phases.processing._evidence.ended(sight, 1.0)


def test_at_first_the_whole_is_asked() -> None:
    """Before anything was seen the time since the acceptance counts."""
    phases = PhaseModel(TYPICAL)
    assert not phases.by_beginning
    assert (phases.seen, phases.typical) == (0, TYPICAL)


def test_a_queue_that_varies_makes_the_beginning_tell_more() -> None:
    """Where jobs wait for ten to ninety seconds and then run for ten, the beginning is soon asked about."""
    assert phases_after(12, wait=(10.0, 90.0), run=(9.5, 10.5)).by_beginning


def test_without_a_queue_the_beginning_tells_nothing() -> None:
    """Where jobs begin at once, looking for their beginning gains nothing, so it is not done."""
    assert not phases_after(20, wait=(0.1, 0.4), run=(20.0, 40.0)).by_beginning


def test_what_no_longer_holds_is_forgotten() -> None:
    """If the beginning no longer says more, the acceptance is asked again after some jobs."""
    phases = phases_after(12, wait=(10.0, 90.0), run=(9.5, 10.5))
    chance = Random(2)
    for _ in range(60):
        begins = chance.uniform(1.0, 30.0)
        phased_job(phases, begins, 31.0)
    assert not phases.by_beginning


@pytest.mark.parametrize("stored", [2.0, 50.0])
def test_an_old_verdict_can_be_overruled(stored: float) -> None:
    """What another session found counts for some jobs, however sure it was."""
    phases = PhaseModel.from_json(TYPICAL, PhaseModel(TYPICAL).to_json() | {"lead": stored})
    assert phases.by_beginning
    compared(phases, ((5.0, 29.0, 31.0), (5.0, 29.0, 30.0)), times=40)
    assert not phases.by_beginning


def test_a_verdict_fades_with_the_jobs_it_is_of() -> None:
    """Where both foretell the same for hundreds of jobs, those of which one told more count no longer."""
    phases = phases_after(12, wait=(10.0, 90.0), run=(9.5, 10.5))
    sure = phases._total_lead()
    same = phases.processing.begin()
    phases.processing._evidence.ended(same, 10.0)
    for _ in range(300):
        phases.processing._evidence.ended(phases.processing.begin(), 10.0)
    phases._lead_is_of = (-1, -1, -1)
    assert 0.0 < phases._total_lead() < 0.1 * sure


def test_of_many_jobs_a_few_hundred_are_compared() -> None:
    """Every second, fourth ... by when they began, so that the order of their ends is no matter."""
    phases = PhaseModel(TYPICAL)
    sights = [phases.processing.begin() for _ in range(1_000)]
    for sight in reversed(sights):
        phases.compare(sight, (5.0, 29.0, 30.0), (5.0, 29.0, 29.5))
    numbers = [job.sight.number for job in phases._compared]
    assert sorted(numbers) == list(range(0, 1_000, 4))


def test_one_job_proves_nothing() -> None:
    """However wrong one of the two was, both have to be compared more than once or twice by luck."""
    phases = PhaseModel(TYPICAL)
    compared(phases, ((5.0, 29.0, 31.0), (5.0, 29.0, 33.0)))
    assert not phases.by_beginning


@pytest.mark.parametrize(("interval", "is_vague"), [(0.0, False), (6.0, False), (9.0, True), (60.0, True)])
def test_a_beginning_has_to_be_known(interval: float, is_vague: bool) -> None:
    """A beginning known only to a quarter of the usual duration, or worse, says nothing."""
    assert PhaseModel(TYPICAL).is_vague(interval) is is_vague


def test_impossible_ends_are_compared_all_the_same() -> None:
    """Ends that neither thought possible are no division by zero, and no verdict."""
    phases = PhaseModel(TYPICAL)
    compared(phases, ((9e9, 9e9, 9e9), (9e9, 9e9, 9e9)))
    assert not phases.by_beginning


def test_what_was_learned_survives_the_store() -> None:
    """Written as JSON and read again, as much is known, and the same of the two is asked."""
    phases = phases_after(30, wait=(10.0, 90.0), run=(9.5, 10.5))
    again = PhaseModel.from_json(TYPICAL, json.loads(json.dumps(phases.to_json(), allow_nan=False)))
    assert (again.seen, again.by_beginning) == (30, True)
    for before, after in ((phases.queued, again.queued), (phases.processing, again.processing)):
        assert after.quantile(0.5) == pytest.approx(before.quantile(0.5), rel=0.1)
    assert again.processing.quantile(0.5) < 15.0 < again.queued.quantile(0.5)


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(queued=anything, processing=anything, lead=anything)
@quick
def test_what_cannot_be_read_counts_for_nothing(queued: Any, processing: Any, lead: Any) -> None:
    """Whatever the store brings, there is an estimate, and a verdict can still change."""
    phases = PhaseModel.from_json(TYPICAL, {"queued": queued, "processing": processing, "lead": lead})
    assert phases.queued.quantile(0.5) == pytest.approx(30.0, rel=0.15)
    assert math.isfinite(phases._total_lead())


@pytest.mark.parametrize("data", [{}, None, [], "phases", 3.5], ids=repr)
def test_nothing_in_the_store(data: Any) -> None:
    """Empty data, or none at all, mean beginning again."""
    phases = PhaseModel.from_json(TYPICAL, data)
    assert (phases.seen, phases.by_beginning) == (0, False)
