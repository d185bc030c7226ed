"""`aiogen._polling.observation`: what one job teaches."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest

from aiogen._polling.durations import DurationModel
from aiogen._polling.evidence import Sight
from aiogen._polling.observation import Observation
from aiogen._polling.phases import Ages, PhaseModel
from aiogen.models import Typical

TYPICAL = Typical(median=30.0, spread=0.45)


class Written(DurationModel):
    """It learns nothing, and writes down what it is taught."""

    def __init__(self) -> None:
        super().__init__(TYPICAL)
        self.taught: list[tuple[Sight, float]] = []

    def ended(self, sight: Sight, until: float) -> None:
        self.taught.append((sight, until))


class Model(PhaseModel):
    queued: Written
    processing: Written

    def __init__(self) -> None:
        super().__init__(TYPICAL)
        self.queued, self.processing = Written(), Written()
        self.compared: list[Any] = []

    def compare(self, sight: Sight, whole: Ages, part: Ages) -> None:
        self.compared.append((sight, whole, part))


def observed(phases: PhaseModel, **how: Any) -> Observation:
    """A job that was accepted at 100, and ran at 112."""
    usual = {"began_at": 100.0, "asked_at": 112.0, "processed": None, "price": 0.15, "queued": phases.queued.begin()}
    if how.get("processed") is not None:
        usual["processing"] = phases.processing.begin()
    return Observation(phases=phases, durations=phases.queued, **{"processing": None} | usual | how)


def test_an_observation_does_not_change() -> None:
    """It may be kept until the ledger has the end, whatever the schedule does meanwhile."""
    observation = observed(Model())
    for name in attrs.fields_dict(Observation):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(observation, name, None)


def test_an_end_teaches_between_which_ages_it_came() -> None:
    """Where nothing is known of phases, that is all."""
    model = Model()
    observation = observed(model)
    observation.teach(120.0)
    assert (model.queued.taught, model.processing.taught, model.compared) == ([(observation.queued, 20.0)], [], [])


def test_an_end_that_was_seen_before_the_last_answer() -> None:
    """Readings may cross; no interval runs backwards."""
    model = Model()
    observation = observed(model)
    observation.teach(111.0)
    assert model.queued.taught == [(observation.queued, 12.0)]


def test_an_end_teaches_both_models_where_the_beginning_is_known() -> None:
    """It is taken to be in the middle between the two questions, and it is compared which model foretold better."""
    model = Model()
    observation = observed(model, processed=(104.0, 110.0))
    observation.teach(120.0)
    assert model.queued.taught == [(observation.queued, 20.0)]
    assert model.processing.taught == [(observation.processing, 13.0)]
    assert model.compared == [(observation.processing, (10.0, 12.0, 20.0), (3.0, 5.0, 13.0))]


def test_a_beginning_after_the_last_answer_is_no_negative_age() -> None:
    """It began after it was last asked about, and has ended by now."""
    model = Model()
    observation = observed(model, processed=(112.0, 116.0))
    observation.teach(120.0)
    assert model.processing.taught == [(observation.processing, 6.0)]
    assert model.compared == [(observation.processing, (16.0, 12.0, 20.0), (2.0, 0.0, 6.0))]


@pytest.mark.parametrize(
    ("earliest", "now", "too_early"), [(-math.inf, 0.0, False), (115.0, 114.9, True), (115.0, 115.0, False)]
)
def test_an_end_may_be_too_early(earliest: float, now: float, too_early: bool) -> None:
    """Only where the beginning was guessed is there a moment before which it cannot have ended."""
    assert observed(Model(), earliest_end=earliest).is_too_early(now) is too_early


@pytest.mark.parametrize("processed", [None, (104.0, 110.0)])
def test_a_job_that_its_model_never_saw_begin_teaches_nothing(processed: tuple[float, float] | None) -> None:
    """There is nothing that its end could be the end of."""
    model = Model()
    observed(model, processed=processed, queued=None, processing=None).teach(120.0)
    assert (model.queued.taught, model.processing.taught, model.compared) == ([], [], [])
