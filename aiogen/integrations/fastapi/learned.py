"""What a worker has seen of outputs whose bytes it has handed out: their kinds and sizes, for the next answer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import attrs

from aiogen._content.measure import Measured
from aiogen.models import Output
from aiogen.session import Session

MOST = 10_000
"""Outputs that are remembered; each takes some hundred bytes."""


class Learned:
    """By job and number.  Another worker, or this one after a restart, does not know it until it has seen the bytes."""

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[str, int], Measured] = OrderedDict()

    def note(self, job_id: str, n: int, measured: Measured) -> None:
        """An output was seen."""
        self._found[job_id, n] = measured
        self._found.move_to_end((job_id, n))
        if len(self._found) > MOST:
            self._found.popitem(last=False)

    def of(self, job_id: str, outputs: Sequence[Output]) -> list[Output]:
        """The outputs of a job, with what is known."""
        return [self._filled(self._found.get((job_id, n)), output) for n, output in enumerate(outputs)]

    @staticmethod
    def _filled(measured: Measured | None, output: Output) -> Output:
        if measured is None:
            return output
        return attrs.evolve(
            output,
            media_type=measured.media_type or output.media_type,
            width=measured.width or output.width,
            height=measured.height or output.height,
        )


_BY_SESSION: WeakKeyDictionary[Session, Learned] = WeakKeyDictionary()


def learned_by(session: Session) -> Learned:
    """What the worker with this session has seen."""
    return _BY_SESSION.setdefault(session, Learned())
