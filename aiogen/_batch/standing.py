"""What the ledger knows of a batch before it is run again: the last attempt of each row."""

from __future__ import annotations

from struct import Struct
from uuid import UUID

import attrs

from aiogen._answers.asked import may_retry
from aiogen.models import State
from aiogen.stores.base import Record, RecordQuery, Store

_AT_ONCE = 500
_CONTENT = 20
"""Bytes."""
_PACKED = Struct(f"<16s{_CONTENT}sBI?")
_STATES = tuple(State)


@attrs.frozen(kw_only=True)
class Known:
    """The last attempt of one row."""

    job_id: str
    state: State
    asked: bytes | None
    """The beginning of what it asked for; None if the ledger does not say that."""
    attempt: int
    may_retry: bool
    """Whether another attempt may be made, and may help."""

    def has_asked(self, asked: str | None) -> bool:
        """Whether it has asked for this."""
        return self.asked is not None and self.asked == content_of(asked)


def content_of(asked: str | None) -> bytes | None:
    """As much of what a row asks for as two that differ do not share."""
    return None if asked is None else bytes.fromhex(asked[: 2 * _CONTENT])


class Standing:
    """The rows that have a job already, by their keys: of a hundred thousand some twenty megabytes."""

    def __init__(self) -> None:
        self._by_key: dict[str, bytes | Known] = {}
        """In few bytes, which a ledger with other ids than ours does not allow."""

    def __len__(self) -> int:
        return len(self._by_key)

    def put(self, key: str, known: Known) -> None:
        """One more attempt; the last one counts."""
        before = self.get(key)
        if before is None or known.attempt > before.attempt:
            self._by_key[key] = _packed(known)

    def get(self, key: str) -> Known | None:
        """The last attempt of a row."""
        found = self._by_key.get(key)
        return _unpacked(found) if isinstance(found, bytes) else found

    def was_over(self, key: str, job_id: str) -> bool:
        """Whether this very attempt was over before the run began."""
        known = self.get(key)
        return known is not None and known.job_id == job_id and known.state.is_terminal


def _packed(known: Known) -> bytes | Known:
    try:
        job_id = UUID(known.job_id)
    except ValueError:
        return known
    if known.asked is None or len(known.asked) != _CONTENT or str(job_id) != known.job_id:
        return known
    return _PACKED.pack(job_id.bytes, known.asked, _STATES.index(known.state), known.attempt, known.may_retry)


def _unpacked(data: bytes) -> Known:
    job_id, asked, state, attempt, may_retry = _PACKED.unpack(data)
    return Known(
        job_id=str(UUID(bytes=job_id)), state=_STATES[state], asked=asked, attempt=attempt, may_retry=may_retry
    )  # fmt: skip


async def read_standing(store: Store, batch: str, scope: str) -> Standing:
    """All of them.

    Raises:
        StoreError: the ledger cannot be read.
    """
    standing, after = Standing(), None
    while True:
        records = await store.find(RecordQuery(batch=batch, scope=scope, after=after, limit=_AT_ONCE))
        for record in records:
            if record.key is not None:
                standing.put(record.key.removeprefix(f"{batch}/"), _known(record))
        if len(records) < _AT_ONCE:
            return standing
        after = records[-1].cursor


def _known(record: Record) -> Known:
    end = record.generation
    helps = may_retry(record.state, end.failure_code if end else None, end.action if end else None)
    return Known(
        job_id=record.id,
        state=record.state,
        asked=content_of(record.asked),
        attempt=record.attempt,
        may_retry=helps,
    )  # fmt: skip
