"""`aiogen._polling.observation`: what one job teaches."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest

from aiogen._polling.durations import DurationModel
from aiogen._polling.observation import Observation, teach_running
from aiogen._polling.phases import PhaseModel
from aiogen.models import Typical

TYPICAL = Typical(median=30.0, spread=0.45)


class Written(DurationModel):
    """It learns nothing, and writes down what it is taught."""

    def __init__(self) -> None:
        super().__init__(TYPICAL)
        self.taught: list[tuple[str, float, float]] = []

    def running(self, since: float, until: float) -> None:
        self.taught.append(("running", since, until))

    def ended(self, since: float, until: float) -> None:
        self.taught.append(("ended", since, until))


class Model(PhaseModel):
    queued: Written
    processing: Written

    def __init__(self) -> None:
        super().__init__(TYPICAL)
        self.queued, self.processing = Written(), Written()
        self.compared: list[Any] = []

    def compare(self, whole: tuple[float, float, float], part: tuple[float, float, float]) -> None:
        self.compared.append((whole, part))


def observed(phases: PhaseModel, **how: Any) -> Observation:
    """A job that was accepted at 100, and ran at 112."""
    usual = {"began_at": 100.0, "asked_at": 112.0, "processed": None, "price": 0.15}
    return Observation(phases=phases, durations=phases.queued, **usual | how)


def test_an_observation_does_not_change() -> None:
    """It may be kept until the ledger has the end, whatever the schedule does meanwhile."""
    observation = observed(Model())
    for name in attrs.fields_dict(Observation):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(observation, name, None)


def test_an_end_teaches_between_which_ages_it_came() -> None:
    """Where nothing is known of phases, that is all."""
    model = Model()
    observed(model).teach(120.0)
    assert (model.queued.taught, model.processing.taught, model.compared) == ([("ended", 12.0, 20.0)], [], [])


def test_an_end_that_was_seen_before_the_last_answer() -> None:
    """Readings may cross; no interval runs backwards."""
    model = Model()
    observed(model).teach(111.0)
    assert model.queued.taught == [("ended", 12.0, 12.0)]


def test_an_end_teaches_both_models_where_the_beginning_is_known() -> None:
    """It is taken to be in the middle between the two questions, and it is compared which model foretold better."""
    model = Model()
    observed(model, processed=(104.0, 110.0)).teach(120.0)
    assert model.queued.taught == [("ended", 12.0, 20.0)]
    assert model.processing.taught == [("ended", 5.0, 13.0)]
    assert model.compared == [((10.0, 12.0, 20.0), (3.0, 5.0, 13.0))]


def test_a_beginning_after_the_last_answer_is_no_negative_age() -> None:
    """It began after it was last asked about, and has ended by now."""
    model = Model()
    observed(model, processed=(112.0, 116.0)).teach(120.0)
    assert model.processing.taught == [("ended", 0.0, 6.0)]
    assert model.compared == [((16.0, 12.0, 20.0), (2.0, 0.0, 6.0))]


@pytest.mark.parametrize(
    ("earliest", "now", "too_early"), [(-math.inf, 0.0, False), (115.0, 114.9, True), (115.0, 115.0, False)]
)
def test_an_end_may_be_too_early(earliest: float, now: float, too_early: bool) -> None:
    """Only where the beginning was guessed is there a moment before which it cannot have ended."""
    assert observed(Model(), earliest_end=earliest).is_too_early(now) is too_early


def test_a_job_that_runs_teaches_by_which_ages_it_did() -> None:
    """Its whole time, and the time since its processing began, as far as that had begun."""
    model = Model()
    teach_running(model, 100.0, None, since=103.0, until=105.0)
    teach_running(model, 100.0, (104.0, 110.0), since=105.0, until=110.0)
    teach_running(model, 100.0, (104.0, 110.0), since=110.0, until=120.0)
    assert model.queued.taught == [("running", 3.0, 5.0), ("running", 5.0, 10.0), ("running", 10.0, 20.0)]
    assert model.processing.taught == [("running", 0.0, 3.0), ("running", 3.0, 13.0)]
