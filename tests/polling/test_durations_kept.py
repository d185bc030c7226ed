"""What is kept of a duration model in the store, and read back from there."""

from __future__ import annotations

import math
from typing import Any

import pytest
from polling.models_of import (
    LAWS,
    TYPICAL,
    check,
    drawn,
    lognormal,
    median_of,
    remembered,
    stored,
    taught,
)
from polling.teaching import teach

from aiogen._polling.durations import DurationModel
from aiogen._polling.survival import BINS

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
