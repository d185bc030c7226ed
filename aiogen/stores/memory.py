"""The ledger in a dict: for tests, and for those who want no file.  Gone with the process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from aiogen.models import Generation, State
from aiogen.stores.base import Record


class MemoryStore:
    """Keeps every unfinished job, and the last `keep_finished` finished ones."""

    def __init__(self, keep_finished: int = 1_000) -> None:
        self._records: dict[str, Record] = {}
        self._finished: OrderedDict[str, None] = OrderedDict()
        self._keep_finished = keep_finished
        self._learned: dict[str, Mapping[str, Any]] = {}

    async def add(self, record: Record) -> None:
        """See `Store.add`."""
        self._records[record.id] = record

    async def intend(self, job_id: str) -> None:
        """See `Store.intend`."""
        self._change(job_id, state=State.SUBMITTING)

    async def confirm(self, job_id: str, provider_id: str, state: State, accepted_at: datetime) -> None:
        """See `Store.confirm`."""
        self._change(job_id, state=state, provider_id=provider_id, accepted_at=accepted_at)

    async def retreat(self, job_id: str) -> None:
        """See `Store.retreat`."""
        self._change(job_id, state=State.PENDING)

    async def lose(self, job_id: str) -> None:
        """See `Store.lose`."""
        self._change(job_id, state=State.UNKNOWN)

    async def settle(self, ended: Sequence[Generation]) -> None:
        """See `Store.settle`."""
        for generation in ended:
            record = self._records.get(generation.id or "")
            if record is None or record.state.is_terminal:
                continue
            # What was sent is not needed any more, and may hold megabytes of references.
            self._change(record.id, state=generation.state, generation=generation, submission=None)
            self._finished[record.id] = None
            if len(self._finished) > self._keep_finished:
                self._records.pop(self._finished.popitem(last=False)[0], None)

    async def get(self, job_id: str) -> Record | None:
        """See `Store.get`."""
        return self._records.get(job_id)

    async def remember(self, name: str, value: Mapping[str, Any]) -> None:
        """See `Store.remember`."""
        self._learned[name] = value

    async def recall(self, name: str) -> Mapping[str, Any] | None:
        """See `Store.recall`."""
        return self._learned.get(name)

    async def close(self) -> None:
        """Nothing to let go of."""

    def _change(self, job_id: str, **changes: object) -> None:
        record = self._records.get(job_id)
        if record is not None:
            self._records[job_id] = attrs.evolve(record, **changes)  # type: ignore[arg-type]
