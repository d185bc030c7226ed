"""The forms that durations may follow by their nature, on a logarithmic grid of ages.  Pure.

There a lognormal of one spread is the same curve wherever its median lies, only shifted; so is a Weibull of one form,
and a uniform of one ratio between its ends.  So what all curves of a form need is made once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from functools import cache
from itertools import pairwise

import attrs

from aiogen._polling.survival import BINS, STEP

LOGNORMALS = (0.07, 0.1, 0.14, 0.2, 0.28, 0.4, 0.56, 0.8, 1.1)
"""Standard deviations of the logarithm."""
_WEIBULLS = (0.8, 1.0, 1.3, 1.8, 2.5, 4.0)
"""Forms; 1 is the exponential."""
_UNIFORMS = (1.15, 1.25, 1.4, 1.6, 1.9, 2.4, 3.2, 5.0, 12.0)
"""Longest over shortest duration."""
_WEIGHTS = (0.6, 0.2, 0.2)
"""Weights of lognormals, Weibulls and uniforms before anything was seen."""
LEAST = 1e-6
"""No probability counts as less."""
_STRAY = 0.01
"""The part of the jobs that follow no curve: one that hung does not outweigh a hundred that did not."""


@attrs.frozen(eq=False)
class Family:
    """All curves of one form, which differ only in where their middle lies."""

    width: float
    """Of most of a curve, in bins."""
    free: float
    """Weight before anything was seen, wherever the middle lies."""
    sigma: float | None
    """Of a lognormal, to compare with what the provider file calls typical."""
    survival: list[float]
    """By distance from the middle in bins, from -BINS on, as the next two."""
    hazard: list[float]
    """Per bin."""
    log_hazard: list[float]
    log_survival: list[float]
    """Also by distance, as the next."""
    log_over: list[float]
    """Of the probability to have ended."""

    @property
    def curves(self) -> tuple[list[float], list[float], list[float]]:
        """Survival, its logarithm, and that of the probability to have ended."""
        return self.survival, self.log_survival, self.log_over


def _lognormal(sigma: float) -> Callable[[float], float]:
    return lambda x: 0.5 * math.erfc(x / (sigma * math.sqrt(2.0)))


def _weibull(form: float) -> Callable[[float], float]:
    return lambda x: math.exp(-math.log(2.0) * math.exp(min(form * x, 6.5)))


def _uniform(ratio: float) -> Callable[[float], float]:
    low = 2.0 / (1.0 + ratio)  # so that the median is 1
    return lambda x: min(1.0, max(0.0, (ratio * low - math.exp(x)) / (ratio * low - low)))


COUNT = len(LOGNORMALS) + len(_WEIBULLS) + len(_UNIFORMS)


def _form(i: int) -> tuple[Callable[[float], float], float, float, float | None]:
    """Of the i-th of all: survival at a distance from the middle, in units of the logarithm; width, weight, sigma."""
    a, b, c = _WEIGHTS
    if i < len(LOGNORMALS):
        usual = [math.exp(-0.5 * (math.log(sigma / 0.35) / 0.8) ** 2) for sigma in LOGNORMALS]
        return _lognormal(LOGNORMALS[i]), LOGNORMALS[i], a * usual[i] / sum(usual), LOGNORMALS[i]
    if (i := i - len(LOGNORMALS)) < len(_WEIBULLS):
        return _weibull(_WEIBULLS[i]), 1.2 / _WEIBULLS[i], b / len(_WEIBULLS), None
    ratio = _UNIFORMS[i - len(_WEIBULLS)]
    return _uniform(ratio), 0.3 * math.log(ratio), c / len(_UNIFORMS), None


@cache
def _stray() -> list[float]:
    """By distance from the middle, as all of these: survival of the few that follow no curve."""
    return [1.0 / (1.0 + math.exp(1.2 * k * STEP)) for k in range(-BINS, BINS + 1)]


@cache
def _survival(i: int) -> list[float]:
    law = _form(i)[0]
    distances = zip(range(-BINS, BINS + 1), _stray(), strict=True)
    return [(1.0 - _STRAY) * law(k * STEP) + _STRAY * stray for k, stray in distances]


@cache
def _hazard(i: int) -> list[float]:
    return [max(1e-9, math.log(a / b)) for a, b in pairwise(_survival(i))]


@cache
def family_at(i: int) -> Family:
    """The i-th of all; made when first needed, which takes a millisecond if nobody has done so in steps."""
    _, width, free, sigma = _form(i)
    survival, hazard = _survival(i), _hazard(i)
    return Family(
        width / STEP,
        free,
        sigma,
        survival,
        hazard,
        [math.log(h) for h in hazard],
        [math.log(max(s, LEAST)) for s in survival],
        [math.log(max(1.0 - s, LEAST)) for s in survival],
    )


def making(i: int) -> Generator[None, None, None]:
    """Make the i-th in steps, always as many of them."""
    for make in (_survival, _hazard, family_at):
        make(i)
        yield
