"""What the ledger knows of a batch before it is run again: the last attempt of each row."""

from __future__ import annotations

import attrs

from aiogen._answers.asked import may_retry
from aiogen.models import State
from aiogen.stores.base import Record, RecordQuery, Store

_AT_ONCE = 500


@attrs.frozen(kw_only=True)
class Known:
    """The last attempt of one row."""

    job_id: str
    state: State
    asked: str | None
    attempt: int
    may_retry: bool
    """Whether another attempt may be made, and may help."""


class Standing:
    """The rows that have a job already, by their keys."""

    def __init__(self) -> None:
        self._by_key: dict[str, Known] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def put(self, key: str, known: Known) -> None:
        """One more attempt; the last one counts."""
        before = self._by_key.get(key)
        if before is None or known.attempt > before.attempt:
            self._by_key[key] = known

    def get(self, key: str) -> Known | None:
        """The last attempt of a row."""
        return self._by_key.get(key)

    def was_over(self, key: str, job_id: str) -> bool:
        """Whether this very attempt was over before the run began."""
        known = self._by_key.get(key)
        return known is not None and known.job_id == job_id and known.state.is_terminal


async def read_standing(store: Store, batch: str, scope: str) -> Standing:
    """All of them; a hundred thousand take some ten megabytes.

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
        job_id=record.id, state=record.state, asked=record.asked, attempt=record.attempt, may_retry=helps
    )  # fmt: skip
