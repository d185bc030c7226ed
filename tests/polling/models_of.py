"""Duration models that have seen some jobs."""

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
from hypothesis import settings
from polling.teaching import teach

from aiogen._polling.durations import DurationModel
from aiogen._polling.survival import BINS, EDGES
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


LAWS: dict[str, tuple[Draw, Callable[[float], float]]] = {
    "lognormal": (lognormal(12.0, 0.3), outlasting(12.0, 0.3)),
    "uniform": (lambda chance: chance.uniform(40.0, 80.0), lambda age: min(1.0, max(0.0, (80.0 - age) / 40.0))),
    "two humps": (
        lambda chance: lognormal(8.0 if chance.random() < 0.6 else 40.0, 0.12)(chance),
        lambda age: 0.6 * outlasting(8.0, 0.12)(age) + 0.4 * outlasting(40.0, 0.12)(age),
    ),
    "always alike": (lambda chance: chance.gauss(100.0, 3.0), outlasting(100.0, 0.03)),
}
