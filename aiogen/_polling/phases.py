"""One model's durations by what is known of a job: since its acceptance, or since it was seen to begin.  Pure.

Where a vendor reports queued and processing as two states, the time since the beginning foretells the end better if the
queue varies, and worse if the beginning is known only roughly.  So both are learned, and the one that has predicted
better is asked.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

import attrs

from aiogen._polling.durations import DurationModel
from aiogen._polling.evidence import Sight, at_once
from aiogen.models import Typical

_COMPARED = 300
"""Jobs by which the two are compared; of more, every second, fourth … by the order in which they began."""
_LEAD = 1.5
"""The beginning has to be ahead by this much (in the logarithm), for it also costs questions to learn of it."""
_VAGUE = 0.25
"""A beginning known to less than this part of the usual duration says nothing."""


_MOST_STORED = 3.0
"""Of what another session found: what this one sees may overrule it."""
_HUGE = 1e300
"""Nothing that was stored is so large."""
Ages = tuple[float, float, float]


@attrs.frozen(eq=False)
class _Compared:
    sight: Sight
    whole: Ages
    part: Ages


class PhaseModel:
    """The two duration models of one model."""

    def __init__(self, typical: Typical) -> None:
        self.typical = typical
        self.queued = DurationModel(typical)
        """From acceptance to the end: what is asked while a job is queued, and where the vendor reports no phases."""
        self.processing = DurationModel(typical)
        """From the beginning to the end."""
        self._compared: list[_Compared] = []
        self._every = 1
        self._others_lead = 0.0
        """What was found by other sessions, before and meanwhile."""
        self._stood_lead = self._sent_lead = 0.0
        """What stood in the store when it was last read or written; what is being written."""
        self._lead = 0.0
        self._lead_is_of = (-1, -1, -1)

    @property
    def seen(self) -> int:
        """The number of ends that have been seen in all."""
        return self.queued.seen

    @property
    def unwritten(self) -> int:
        """The number of ends seen here that are not in the store yet."""
        return self.queued.unwritten

    @property
    def seen_here(self) -> int:
        """The number of ends seen here, by this process."""
        return self.queued.seen_here

    @property
    def by_beginning(self) -> bool:
        """True if the time since the beginning foretells better."""
        return self._total_lead() > _LEAD

    def _total_lead(self) -> float:
        is_of = (self.queued.version, self.processing.version, len(self._compared))
        if is_of != self._lead_is_of:
            self._lead_is_of = is_of
            self._lead = math.fsum(self.processing.weight(job.sight) * self._ahead(job) for job in self._compared)
        return self._lead + max(-_MOST_STORED, min(_MOST_STORED, self._others_lead))

    def _ahead(self, job: _Compared) -> float:
        """How much better the time since the beginning explains the end of this job (the logarithm)."""
        said = [
            math.log(max(1e-6, d.left(since) - d.left(until)) / max(1e-6, d.left(known)))
            for d, (known, since, until) in ((self.queued, job.whole), (self.processing, job.part))
        ]
        return said[1] - said[0]

    def is_vague(self, interval: float) -> bool:
        """True if a beginning somewhere within `interval` seconds is no help."""
        return interval > _VAGUE * self.processing.quantile(0.5)

    def compare(self, sight: Sight, whole: Ages, part: Ages) -> None:
        """A job has ended of which the beginning is known.

        Each is (age when it was seen to have begun, last age at which it ran, age at which it was over).
        """
        if sight.number % self._every == 0:
            self._compared.append(_Compared(sight, whole, part))
            while len(self._compared) > _COMPARED:
                self._every *= 2
                self._compared = [job for job in self._compared if job.sight.number % self._every == 0]

    def to_json(self) -> dict[str, Any]:
        """All that was learned, for the store."""
        return at_once(self.storing())

    def storing(self) -> Generator[None, None, dict[str, Any]]:
        """The same in steps, with turns for others between them."""
        queued = yield from self.queued.storing()
        yield
        processing = yield from self.processing.storing()
        return {"queued": queued, "processing": processing, "lead": self._total_lead()}

    def fitting(self) -> Generator[None, None, None]:
        """Bring both estimates up to date, in steps, where enough has been seen for that."""
        for durations in (self.queued, self.processing):
            if durations.is_outdated:
                yield from durations.fitting()

    def restore(self, data: object) -> bool:
        """Take what was learned before, to be fitted next; False if it cannot be read."""
        if not isinstance(data, dict):
            return False
        is_read = self.queued.restore(data.get("queued"))
        self.processing.restore(data.get("processing"))
        self._stood_lead = _lead_in(data)
        self._others_lead = max(-_MOST_STORED, min(_MOST_STORED, self._stood_lead))
        return is_read

    def merging(self, data: object) -> Generator[None, None, bool]:
        """Take up what others have written since it was read or written here, in steps; to be fitted next.

        False if it cannot be read: then all that is known here is to be written.
        """
        data = data if isinstance(data, dict) else {}
        is_read = yield from self.queued.merging(data.get("queued"))
        yield from self.processing.merging(data.get("processing"))
        lead = _lead_in(data)
        self._others_lead += lead - self._stood_lead
        self._stood_lead = lead
        return is_read

    def sharing(self) -> Generator[None, None, dict[str, Any]]:
        """What is to stand in the store now, in steps: what stood there, and what was seen here since."""
        queued = yield from self.queued.sharing()
        yield
        processing = yield from self.processing.sharing()
        self._total_lead()
        self._sent_lead = self._others_lead + self._lead
        return {"queued": queued, "processing": processing, "lead": self._sent_lead}

    def shared(self, is_written: bool) -> None:
        """Whether what `sharing` said stands in the store now."""
        self.queued.shared(is_written)
        self.processing.shared(is_written)
        if is_written:
            self._stood_lead = self._sent_lead

    @classmethod
    def from_json(cls, typical: Typical, data: object) -> PhaseModel:
        """What was learned before, fitted; starts over where the data cannot be read."""
        phases = cls(typical)
        phases.restore(data)
        for _ in phases.fitting():
            pass
        return phases


def _lead_in(data: dict[str, Any]) -> float:
    lead = data.get("lead")
    return float(lead) if isinstance(lead, int | float) and abs(lead) < _HUGE else 0.0
