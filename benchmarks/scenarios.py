"""What batches are tried: how many jobs, of which durations, how they begin, and what was told and seen before."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import attrs

from aiogen.models import Typical
from benchmarks.courses import Batch, Course
from benchmarks.distributions import DISTRIBUTIONS, USUAL, Distribution, Lognormal, Uniform, quantile
from benchmarks.learning import SHIFT

RUNS = 20
SIZES = (20, 60, 250, 500, 2_000, 5_000)
MANY = {20: 100, 60: 40, 2_000: 6, 5_000: 3}
"""Runs of the others: what counts for the standard error is how many jobs there are in all."""
COLD = (1, 5, 20, 500)
TOLD = {"10 × too long": 10.0, "5 × too long": 5.0, "2 × too long": 2.0, "2 × too short": 0.5, "5 × too short": 0.2}
UNTOLD = Typical(median=40.0, spread=0.8)
"""What Luma's file says of a model that it does not know."""
TWO_HUMPS, FLAT = "two humps, 12 s and 39 s", "uniform 18-22 s"
SHORT = Lognormal(8.0 * math.exp(0.125), math.sqrt(math.expm1(0.25)))
"""Median 8 s, sigma 0.5."""
DRIFT = 20
"""Batches one after the other."""


@attrs.frozen(kw_only=True)
class Scenario:
    """A course that is taken so often, and which batch of it counts."""

    bench: str
    subject: str
    course: Callable[[int], Course]
    """By seed."""
    which: int = -1
    look: int | None = None
    """The belief is judged after so many ends; else after the batch."""
    runs: int = RUNS
    is_quick: bool = False
    is_beside_peers: bool = False
    note: str = ""

    @property
    def truth(self) -> Distribution:
        """Of the batch that counts."""
        return self.course(0).batches[self.which].whole


def scenarios() -> list[Scenario]:
    """All, in the order of the report."""
    return [*_warm(), *_cold(), *_changes(), *_drift(), *_other()]


def warm(n: int, truth: Distribution, seed: int) -> Course:
    """The third such batch of a session counts."""
    return Course(batches=(Batch(n=n, truth=truth),) * 3, seed=seed)


def _warm() -> Iterator[Scenario]:
    for n in SIZES:
        for name, truth in DISTRIBUTIONS.items():
            yield Scenario(
                bench="warm",
                subject=f"{name}, {n:,}",
                course=lambda seed, n=n, truth=truth: warm(n, truth, seed),
                runs=MANY.get(n, RUNS),
                is_quick=n in (20, 60) and name in (USUAL, FLAT),
            )


def _cold() -> Iterator[Scenario]:
    for name in (USUAL, FLAT, TWO_HUMPS):
        truth = DISTRIBUTIONS[name]
        median = quantile(truth, 0.5)
        told = {words: Typical(median=factor * median, spread=0.45) for words, factor in TOLD.items()}
        for words, typical in {**told, "told nothing": UNTOLD}.items():
            for n in COLD:
                yield Scenario(
                    bench="cold",
                    subject=f"{name}, {words}, {n}",
                    course=lambda seed, n=n, truth=truth, typical=typical: Course(
                        batches=(Batch(n=n, truth=truth),), seed=seed, typical=typical
                    ),
                    which=0,
                    runs=100 if n < 20 else RUNS,
                    is_quick=n == 20 and name == USUAL,
                    is_beside_peers=True,
                )


def _changes() -> Iterator[Scenario]:
    """Durations halve; what is believed 50 ends later."""
    for name, truth in DISTRIBUTIONS.items():
        halved = truth.scaled(SHIFT)
        before = Batch(n=500, truth=truth)
        between = (before, before, Batch(n=500, truth=halved, looked_at=(50,)))
        within = (before, Batch(n=500, truth=truth, later=halved, over=600.0, looked_at=(50,)))
        for words, batches in (("between two batches", between), ("within ten minutes", within)):
            yield Scenario(
                bench="durations halve",
                subject=f"{name}, {words}",
                course=lambda seed, batches=batches: Course(batches=batches, seed=seed),
                look=50,
                is_quick=name == USUAL and words == "within ten minutes",
            )


def _drift() -> Iterator[Scenario]:
    for name in (USUAL, FLAT, TWO_HUMPS):
        for which in (1, DRIFT - 1):
            yield Scenario(
                bench="batch after batch",
                subject=f"{name}, the {which + 1}th",
                course=lambda seed, name=name: Course(
                    batches=(Batch(n=500, truth=DISTRIBUTIONS[name]),) * DRIFT, seed=seed
                ),
                which=which,
                runs=RUNS // 2,
            )


def _other() -> Iterator[Scenario]:
    """The same in other circumstances; durations of median 8 s and sigma 0.5."""
    plain = Batch(n=500, truth=SHORT)
    made: dict[str, Callable[[int], Course]] = {
        "warm, what is believed meanwhile": lambda seed: Course(
            batches=(plain, plain, attrs.evolve(plain, is_traced=True)), seed=seed
        ),
        "the truth is known": lambda seed: Course(batches=(plain,), seed=seed, knows=True),
        "submitted, 50 ms per request": lambda seed: Course(
            batches=(plain,) * 3, seed=seed, creates=True, latency=0.05
        ),
        "over ten minutes": lambda seed: Course(batches=(attrs.evolve(plain, over=600.0),) * 3, seed=seed),
        "Luma's own limits, 120": lambda seed: Course(
            batches=(Batch(n=120, truth=SHORT),) * 3, seed=seed, creates=True, limited=True, latency=0.05
        ),
        "queued 0-20 s before": lambda seed: Course(
            batches=(attrs.evolve(plain, queued=Uniform(0.0, 20.0)),) * 3, seed=seed, tells_phases=True
        ),
        "Leonardo, all run": lambda seed: Course(batches=(plain,) * 3, seed=seed, at="leonardo", latency=0.05),
        "Leonardo, 10 run, 200": lambda seed: Course(
            batches=(Batch(n=200, truth=SHORT),) * 3, seed=seed, at="leonardo", slots=10, latency=0.05
        ),
        "beside another model of 30 s": lambda seed: Course(
            batches=(attrs.evolve(plain, beside=Lognormal(30.0, 0.35)),) * 3, seed=seed
        ),
        "the last two in a hundred are given up": lambda seed: Course(
            batches=(attrs.evolve(plain, timeout=quantile(SHORT, 0.02)),) * 3, seed=seed
        ),
        "stored, and read by a new session": lambda seed: Course(batches=(plain,) * 3, seed=seed, reopened=True),
    }
    for subject, course in made.items():
        yield Scenario(bench="in other circumstances", subject=subject, course=course, is_quick="meanwhile" in subject)


def _inner_loop() -> Iterator[Scenario]:
    for name, truth in (("lognormal 8 s", SHORT), ("uniform 18-22 s", DISTRIBUTIONS[FLAT])):
        for n, which, words in ((60, 2, "warm"), (500, 2, "warm"), (500, 0, "cold, told 30 s")):
            yield Scenario(
                bench=name,
                subject=f"{n} {words}",
                course=lambda seed, n=n, truth=truth: warm(n, truth, seed),
                which=which,
            )
        yield Scenario(
            bench=name,
            subject="500 warm, submitted",
            course=lambda seed, truth=truth: attrs.evolve(warm(500, truth, seed), creates=True, latency=0.03),
        )


QUICK = list(_inner_loop())
"""For the inner loop of development."""
