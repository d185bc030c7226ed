"""The families of curves that durations may follow, fitted to a life table all at once.  Pure.

All curves of a form are one curve, shifted on a logarithmic grid of ages (`forms`).  So the likelihood of what was seen
(ends and exposure per bin) is one product of lists for each shift.  The result is the mean of all curves, each weighed
by how well it explains what was seen: with little seen it is wide, because many curves explain that, and it narrows by
itself.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, chain
from operator import mul
from typing import TypeVar

import attrs

from aiogen._polling.evidence import Counts
from aiogen._polling.forms import COUNT, LEAST, LOGNORMALS, Family, family_at, making
from aiogen._polling.survival import BINS, FIRST, STEP, SurvivalCurve
from aiogen.models import Typical

_UNSURE = (0.35, 1.0)
"""Standard deviations of the logarithm of the typical duration: how far a provider's table may be off."""
_TRUST = 0.9
"""Weight of the typical durations against "any scale from half a second to an hour"."""
_ANY = (math.log(0.5), math.log(3600.0))
"""Of that scale, the logarithms."""
_UNLIKELY = 10.0
"""What is so much worse than the best (in the logarithm) by one age alone is not looked at closely."""
_MOST_PARTS = 40
"""Curves in one mean: a few dozen carry all but a trace of the weight."""
_SCORED_AT_ONCE, _MIXED_AT_ONCE = 25, 10
"""In one step, which takes less than a millisecond."""
_FILTERED_AT_ONCE, _INTERVALS_AT_ONCE = 400, 3_000
"""The same."""

T = TypeVar("T")


def preparing(typical: Typical) -> Generator[None, None, None]:
    """Make all families and their curves, in steps, before they are needed."""
    yield  # its caller has done something in this turn already
    _middles(typical.median)
    yield
    for i in range(COUNT):
        yield from making(i)
        _candidates_of(typical, i)
        yield
    _candidates(typical)
    yield


@attrs.frozen(eq=False)
class _Candidate:
    """One curve."""

    log_prior: float
    """The logarithm of its weight before anything was seen."""
    family: Family
    shift: int
    """Of the middle, in bins from the first edge."""


@lru_cache(maxsize=64)
def _candidates(typical: Typical) -> tuple[_Candidate, ...]:
    """Every curve at every shift, with its weight before anything was seen."""
    return tuple(chain.from_iterable(_candidates_of(typical, i) for i in range(COUNT)))


@lru_cache(maxsize=4 * COUNT)
def _candidates_of(typical: Typical, i: int) -> tuple[_Candidate, ...]:
    """Those of the i-th family."""
    family, found = family_at(i), []
    typical_sigma = {s: math.exp(-0.5 * (math.log(s / typical.spread) / 0.5) ** 2) for s in LOGNORMALS}
    stride = max(1, round(0.45 * family.width))
    trusted = typical_sigma[family.sigma] / sum(typical_sigma.values()) if family.sigma is not None else 0.0
    middles = _middles(typical.median)
    for shift in range(1, BINS, stride):
        near, anywhere = middles[shift]
        weight = stride * (_TRUST * trusted * near + (1.0 - _TRUST) * family.free * anywhere)
        if weight > 1e-9:
            found.append(_Candidate(math.log(weight), family, shift))
    return tuple(found)


@lru_cache(maxsize=4)
def _middles(median: float) -> list[tuple[float, float]]:
    """For each shift, how likely a middle there is if it is near what is typical, and if it may be anywhere."""
    found = []
    for shift in range(BINS):
        mu = math.log(FIRST) + shift * STEP
        near = sum(_normal(mu - math.log(median), unsure) for unsure in _UNSURE) / len(_UNSURE)
        found.append((near, 1.0 / (_ANY[1] - _ANY[0]) if _ANY[0] <= mu <= _ANY[1] else 0.0))
    return found


def _normal(distance: float, deviation: float) -> float:
    return math.exp(-0.5 * (distance / deviation) ** 2) / (deviation * math.sqrt(2.0 * math.pi))


def fitted(
    typical: Typical, ends: list[float], exposure: list[float], median: float | None = None
) -> Generator[None, None, SurvivalCurve]:
    """The mean of all curves, weighed by how well they explain what was seen; in steps.

    Args:
        typical: what the provider file says of the model: the weights before anything was seen.
        ends: in each bin.
        exposure: in each bin, in bins.
        median: of what was seen, if it is known: then only curves near it are looked at.
    """
    candidates = _candidates(typical)
    if median is not None:
        candidates = tuple(_near(candidates, math.log(max(median, FIRST) / FIRST) / STEP, sum(ends)))
    scored: list[tuple[float, _Candidate]] = []
    for some in batched(candidates, _SCORED_AT_ONCE):
        scored += _scored(some, ends, exposure)
        yield
    return (yield from _mean(scored, _MOST_PARTS if median is not None else len(scored)))


def _mean(scored: list[tuple[float, _Candidate]], most: int) -> Generator[None, None, SurvivalCurve]:
    """Of the likely ones, the best first."""
    best = max(score for score, _ in scored)
    parts = [(math.exp(score - best), c) for score, c in scored if score > best - 6.0]
    parts = sorted(parts, key=lambda part: -part[0])[:most]
    total = sum(weight for weight, _ in parts)
    curve = [0.0] * BINS
    for some_parts in batched(parts, _MIXED_AT_ONCE):
        for weight, c in some_parts:
            start, share = BINS - c.shift, weight / total
            curve = [s + share * v for s, v in zip(curve, c.family.survival[start : start + BINS], strict=True)]
        yield
    return [1.0, *curve]


def fitted_to(typical: Typical, counts: Counts) -> Generator[None, None, SurvivalCurve]:
    """The same by the intervals themselves, none of which was spread before; it takes time for each of them.

    To spread ends as the present estimate has it would confirm that estimate, where an interval begins long before its
    end: that of a job which was never asked about before.
    """
    over = [(j - 1, weight) for (i, j), weight in counts.ended.items() if i == 0]
    between = [(i - 1, j - 1, weight) for (i, j), weight in counts.ended.items() if i > 0]
    running = [(i - 1, weight) for i, weight in counts.running.items() if i > 0]
    candidates = yield from _likely(_candidates(typical), counts)
    yield
    scored: list[tuple[float, _Candidate]] = []
    for some in batched(candidates, 1 + _INTERVALS_AT_ONCE // (10 + len(over) + len(between) + len(running))):
        for c in some:
            start, survival, log_survival, log_over = BINS - c.shift, *c.family.curves
            score = c.log_prior + sum(weight * log_survival[start + i] for i, weight in running)
            score += sum(weight * log_over[start + i] for i, weight in over)
            for i, j, weight in between:
                score += weight * math.log(max(survival[start + i] - survival[start + j], LEAST))
            scored.append((score, c))
        yield
    return (yield from _mean(scored, _MOST_PARTS))


def _likely(candidates: tuple[_Candidate, ...], counts: Counts) -> Generator[None, None, list[_Candidate]]:
    """Without those that one age alone excludes: by how many were over at it, and how many outlasted it."""
    ends, lasts = [0.0] * (BINS + 1), [0.0] * (BINS + 1)
    for (i, j), weight in counts.ended.items():
        ends[j] += weight
        lasts[i] += weight
    for i, weight in counts.running.items():
        lasts[i] += weight
    over, left = list(accumulate(ends)), list(accumulate(reversed(lasts)))[::-1]
    age = max(range(1, BINS), key=lambda i: (over[i] + 0.1) * (left[i] + 0.1))
    yield
    scores: list[float] = []
    for some in batched(candidates, _FILTERED_AT_ONCE):
        for c in some:
            place = BINS - c.shift + age - 1
            likely = over[age] * c.family.log_over[place] + left[age] * c.family.log_survival[place]
            scores.append(c.log_prior + likely)
        yield
    least = max(scores) - _UNLIKELY
    return [c for score, c in zip(scores, candidates, strict=True) if score >= least]


def _near(candidates: tuple[_Candidate, ...], middle: float, count: float) -> Iterator[_Candidate]:
    """Those whose median lies within five standard errors of the one that was seen."""
    errors = 5.0 / math.sqrt(max(count, 1.0))
    for c in candidates:
        if abs(c.shift - middle) <= errors * c.family.width + 2.0:
            yield c


def batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in slices of `size`; the last one may be shorter."""
    for i in range(0, len(items), size):
        yield items[i : i + size]


def _scored(
    candidates: Sequence[_Candidate], ends: list[float], exposure: list[float]
) -> list[tuple[float, _Candidate]]:
    """Log-likelihood of a constant hazard within each bin: ends times its logarithm, less exposure times it."""
    last = max((i for i, x in enumerate(exposure) if x > 0.0), default=1)
    exposed = exposure[1 : last + 1]
    places = [i for i, count in enumerate(ends) if count > 1e-6]
    low, high = (max(1, places[0]), max(1, places[-1])) if places else (1, 0)
    counts = ends[low : high + 1]
    found = []
    for c in candidates:
        start = BINS - c.shift  # of the first edge, which begins bin 1
        likely = sum(map(mul, counts, c.family.log_hazard[start + low - 1 : start + high]))
        found.append((c.log_prior + likely - sum(map(mul, exposed, c.family.hazard[start : start + last])), c))
    return found
