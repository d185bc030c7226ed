"""One model's durations by what is known of a job: since its acceptance, or since it was seen to begin.  Pure.

Where a vendor reports queued and processing as two states, the time since the beginning foretells the end better if the
queue varies, and worse if the beginning is known only roughly.  So both are learned, and the one that has foretold
better is asked.
"""

from __future__ import annotations

import math
from typing import Any

from aiogen._polling.durations import DurationModel
from aiogen.models import Typical

_DECAY = 0.95
_LEAD = 1.5
"""The beginning has to be ahead by this much (in the logarithm), for it also costs questions to learn of it."""
_VAGUE = 0.25
"""A beginning known to less than this part of the usual duration says nothing."""


class PhaseModel:
    """The two duration models of one model."""

    def __init__(self, typical: Typical) -> None:
        self.typical = typical
        self.queued = DurationModel(typical)
        """From acceptance to the end: what is asked while a job is queued, and where the vendor reports no phases."""
        self.processing = DurationModel(typical)
        """From the beginning to the end."""
        self._lead = 0.0

    @property
    def seen(self) -> int:
        """The number of ends that have been seen in all."""
        return self.queued.seen

    @property
    def by_beginning(self) -> bool:
        """True if the time since the beginning foretells better."""
        return self._lead > _LEAD

    def is_vague(self, interval: float) -> bool:
        """True if a beginning somewhere within `interval` seconds is no help."""
        return interval > _VAGUE * self.processing.quantile(0.5)

    def compare(self, whole: tuple[float, float, float], part: tuple[float, float, float]) -> None:
        """A job has ended: which of the two foretold it better?

        Each is (age when it was seen to have begun, last age at which it ran, age at which it was over).
        """
        said = [
            math.log(max(1e-6, d.left(since) - d.left(until)) / max(1e-6, d.left(known)))
            for d, (known, since, until) in ((self.queued, whole), (self.processing, part))
        ]
        self._lead = self._lead * _DECAY + said[1] - said[0]

    def to_json(self) -> dict[str, Any]:
        """All that was learned, for the store."""
        return {"queued": self.queued.to_json(), "processing": self.processing.to_json(), "lead": self._lead}

    @classmethod
    def from_json(cls, typical: Typical, data: object) -> PhaseModel:
        """What was learned before; starts over where the data cannot be read."""
        phases = cls(typical)
        if not isinstance(data, dict):
            return phases
        phases.queued = DurationModel.from_json(typical, data.get("queued"))
        phases.processing = DurationModel.from_json(typical, data.get("processing"))
        lead = data.get("lead")
        phases._lead = float(lead) if isinstance(lead, int | float) else 0.0
        return phases
