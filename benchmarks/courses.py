"""One model's life in a session: batches one after the other, and how each was followed, against the exact optimum.

The cost of a batch is compared with what the best schedule there is would have cost for the very same durations: both
are late for the same long jobs, so what is left of chance is small.  Beside it stands what was believed afterwards:
quantiles against the truth, and the true cost of the plan for the next job, which has no chance in it at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from random import Random
from statistics import fmean
from typing import Any, Literal

import attrs

import aiogen
from aiogen._polling.durations import DurationModel
from aiogen._polling.evidence import Sight
from aiogen._polling.phases import PhaseModel
from aiogen._polling.survival import EDGES
from aiogen.models import Typical
from aiogen.providers.base import Provider
from benchmarks.distributions import Distribution, Total, quantile
from benchmarks.job import Job
from benchmarks.learning import TYPICAL, judged
from benchmarks.machine import Simulation
from benchmarks.optimum import cost_of, optimum
from benchmarks.watch import Watch, watched

PRICE = 0.15
"""The default poll_cost."""
SHARES = (0.1, 0.5, 0.9, 0.98)
"""Of the jobs, that have ended by the quantiles that are looked at."""
PAUSE = 60.0
"""Seconds from the last end of a batch to the next batch."""
_TRACED_EVERY = 4
"""Ends between two notes of what is believed."""


@attrs.frozen(kw_only=True)
class Batch:
    """So many jobs of one model."""

    n: int
    truth: Distribution
    over: float = 0.0
    """Seconds in which they are handed in, evenly."""
    later: Distribution | None = None
    """What the durations of those are that are handed in in the second half."""
    queued: Distribution | None = None
    """How long each waits at the vendor before it begins."""
    timeout: float = math.inf
    """Seconds from a job's acceptance to its deadline."""
    beside: Distribution | None = None
    """Every other job is of a second model with these durations, and is in no mean."""
    looked_at: tuple[int, ...] = ()
    """Ends (of the later jobs, if there are) after which the belief is judged."""
    is_traced: bool = False
    """What is believed is noted as the batch goes on."""

    @property
    def whole(self) -> Distribution:
        """From the acceptance to the end; of the later jobs, if there are."""
        law = self.later or self.truth
        return law if self.queued is None else Total(self.queued, law)


@attrs.frozen(kw_only=True)
class Course:
    """One session: what it is told, and the batches it gets; chance is fixed by the seed."""

    batches: tuple[Batch, ...]
    seed: int
    typical: Typical = TYPICAL
    knows: bool = False
    """It is given the true distribution, and learns nothing: what the schedule can do at best."""
    latency: float = 0.0
    creates: bool = False
    """Jobs wait for the account to send their creates; else each begins when it is handed in."""
    at: Literal["luma", "leonardo"] = "luma"
    slots: int | None = None
    tells_phases: bool = False
    limited: bool = False
    """The vendor's own limits; else there are none."""
    reopened: bool = False
    """Before the last batch a new session reads what was stored."""


@attrs.frozen
class Look:
    """What is believed at one moment."""

    seconds: float
    """Since the batch began."""
    ends: int
    quantiles: tuple[float, ...]
    """Ages at which it is believed that `SHARES` of the jobs have ended."""
    plan: float
    """The true cost of the plan that is believed best, over the optimum."""


@attrs.frozen
class Found:
    """What became of one batch; means are over its jobs."""

    n: int
    questions: float
    lag: float
    cost: float
    optimum: float
    """The least that jobs of this distribution can cost, in the mean."""
    over: float
    """Cost over the optimum; the same durations at the best schedule are subtracted, so it varies little."""
    after: Look
    looks: dict[int, Look]
    """By ends, as `Batch.looked_at` says."""
    trace: list[Look]
    truth: tuple[float, ...]
    """The true quantiles."""
    alarms: int
    """How often the model began again because durations seemed to have changed."""
    seconds: float
    """From the first job handed in to the last end known."""
    late: int
    """Jobs whose end came to be known after their deadline; they are in no mean."""
    cpu: dict[str, float]
    """Seconds of CPU: `learning`, `planning`, and by call to the machine, with the longest of each."""


class Known(DurationModel):
    """Believes the true distribution, and learns nothing."""

    def __init__(self, truth: Distribution) -> None:
        super().__init__(TYPICAL)
        self.curve = [truth.survival(edge) for edge in EDGES]
        self.seen = 1000

    def runs(self, sight: Sight, age: float) -> None:
        """Nothing new."""

    def ended(self, sight: Sight, until: float) -> None:
        """Nothing new."""


def knowing(truth: Distribution) -> PhaseModel:
    """A model of which everything is known."""
    phases = PhaseModel(TYPICAL)
    phases.queued = phases.processing = Known(truth)
    return phases


def take(course: Course) -> list[Found]:
    """Go through one course."""
    with watched() as watch:
        return list(_batches(course, watch))


def _batches(course: Course, watch: Watch) -> Iterator[Found]:
    chance = Random(course.seed)
    phases = knowing(course.batches[0].truth) if course.knows else PhaseModel(course.typical)
    simulation = _session(course, phases)
    for number, batch in enumerate(course.batches):
        if course.reopened and number == len(course.batches) - 1:
            phases = PhaseModel.from_json(course.typical, phases.to_json())
            simulation = _session(course, phases)
        jobs = _jobs(batch, chance)
        looks = _Looks(batch, phases, simulation)
        simulation.on_end = looks
        simulation.meters.clear()
        simulation.requests.clear()
        watch.clear()
        simulation.run(jobs)
        yield _found(batch, jobs, simulation, watch, looks)
        simulation.now += PAUSE


def teach(phases: PhaseModel, batches: Sequence[Batch], seed: int) -> None:
    """Let a model learn from such batches."""
    chance = Random(seed)
    simulation = _session(Course(batches=tuple(batches), seed=seed), phases)
    for batch in batches:
        simulation.run(_jobs(batch, chance))
        simulation.now += PAUSE


def _session(course: Course, phases: PhaseModel) -> Simulation:
    return Simulation(
        _provider(course),
        [phases, PhaseModel(course.typical)],
        latency=course.latency,
        creates=course.creates,
        tells_phases=course.tells_phases,
        slots=course.slots,
        seed=course.seed,
    )


def _provider(course: Course) -> Provider:
    limits: dict[str, Any] = (
        {} if course.limited else dict.fromkeys(("max_active", "creates_per_minute", "requests_per_minute"), 1_000_000)
    )
    if course.at == "luma":
        return aiogen.Luma(api_key="benchmark", **limits)
    return aiogen.Leonardo(api_key="benchmark", running_at_once=course.slots or 1_000_000, **limits)


def _jobs(batch: Batch, chance: Random) -> list[Job]:
    jobs = []
    for i in range(batch.n):
        is_later = batch.later is not None and i >= batch.n // 2
        law = batch.later if is_later and batch.later is not None else batch.truth
        if batch.beside is not None and i % 2:
            law = batch.beside
        jobs.append(
            Job(
                handed_in_at=batch.over * i / batch.n,
                seconds=law.sample(chance),
                queued=batch.queued.sample(chance) if batch.queued is not None else 0.0,
                model=i % 2 if batch.beside is not None else 0,
                is_later=is_later,
                timeout=batch.timeout,
                poll_cost=PRICE,
            )
        )
    return jobs


class _Looks:
    """What is believed, now and after so many ends."""

    def __init__(self, batch: Batch, phases: PhaseModel, simulation: Simulation) -> None:
        self.found: dict[int, Look] = {}
        self.trace: list[Look] = []
        self._batch = batch
        self._phases = phases
        self._simulation = simulation
        self._began = simulation.now
        self._ends = 0
        if batch.is_traced:
            self.trace.append(self.now())

    def __call__(self, job: Job) -> None:
        """A job's end is known, and learned."""
        if job.model or (self._batch.later is not None and not job.is_later):
            return
        self._ends += 1
        if self._ends in self._batch.looked_at:
            self.found[self._ends] = self.now()
        if self._batch.is_traced and self._ends % _TRACED_EVERY == 0:
            self.trace.append(self.now())

    def now(self) -> Look:
        """At this moment."""
        believed, truth = self._phases.queued, self._batch.whole
        quantiles = tuple(believed.quantile(1.0 - share) for share in SHARES)
        plan = judged(believed, PRICE, truth).cost(PRICE) / optimum(truth, PRICE).cost
        return Look(self._simulation.now - self._began, self._ends, quantiles, plan)


def _found(batch: Batch, jobs: Sequence[Job], simulation: Simulation, watch: Watch, looks: _Looks) -> Found:
    truth = batch.whole
    own = [job for job in jobs if not job.model and (job.is_later or batch.later is None)]
    in_time = [job for job in own if job.found_at <= job.accepted_at + job.timeout]
    cost = fmean(PRICE * job.questions + job.lag for job in in_time)
    best = fmean(cost_of(truth, PRICE, job.seconds + job.queued) for job in in_time)
    least = optimum(truth, PRICE).cost
    meters = simulation.meters.values()
    after = looks.now()
    return Found(
        n=batch.n,
        questions=fmean(job.questions for job in in_time),
        lag=fmean(job.lag for job in in_time),
        cost=cost,
        optimum=least,
        over=1.0 + (cost - best) / least,
        after=after,
        looks=looks.found,
        trace=looks.trace,
        truth=true_quantiles(truth),
        alarms=watch.alarms,
        seconds=after.seconds,
        late=len(own) - len(in_time),
        cpu={
            "learning": watch.learning,
            "planning": watch.planning,
            "machine": math.fsum(meter.total for meter in meters),
            "longest": max(meter.longest for meter in meters),
        },
    )


@lru_cache(maxsize=256)
def true_quantiles(truth: Distribution) -> tuple[float, ...]:
    """The ages at which `SHARES` of the jobs have ended."""
    return tuple(quantile(truth, 1.0 - share) for share in SHARES)
