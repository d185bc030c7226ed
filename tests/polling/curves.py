"""Samples of durations, the survival curves that they show, and what every such curve has to be."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

import pytest
from hypothesis import strategies as st

from aiogen._polling import survival
from aiogen._polling.survival import BINS, SurvivalCurve

samples = st.lists(st.floats(0.01, 9_000.0), min_size=1, max_size=30)


def seen_in(sample: list[float]) -> SurvivalCurve:
    """The share of a sample that outlasts each edge, each duration spread over its bin."""
    curve = [0.0] * (BINS + 1)
    for age in sample:
        for i in range(survival.bin_of(age) + 1):
            curve[i] += 1.0 / len(sample)
    return [1.0, *curve[1:]]


def lognormal_sample(count: int, median: float, sigma: float, seed: int = 1) -> list[float]:
    chance = Random(seed)
    return [chance.lognormvariate(math.log(median), sigma) for _ in range(count)]


def check(curve: SurvivalCurve) -> None:
    """It is a survival function."""
    assert len(curve) == BINS + 1
    assert curve[0] == pytest.approx(1.0)
    assert all(a >= b - 1e-12 for a, b in pairwise(curve))
    assert curve[-1] >= -1e-12
