"""What a store is: the ledger of jobs.

A store is told facts and keeps them; it decides nothing.  Each call is one whole transaction: when it returns, the
fact is as durable as the store makes anything.  The order of calls is the life of a job: `add`, `intend` (before the
create is sent), then `confirm`, `retreat` or `lose`, and at last `settle`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import attrs

from aiogen._wire import Submission
from aiogen.models import Generation, State


@attrs.frozen(kw_only=True)
class Record:
    """One job in the ledger.  It never holds a key: `account` is a keyed hash."""

    id: str
    connection: str
    provider: str
    account: str
    state: State
    submission: Submission | None = None
    """What was or will be sent; None for a job that was made elsewhere."""
    provider_id: str | None = None
    created_at: datetime
    accepted_at: datetime | None = None
    generation: Generation | None = None
    """The result, once settled."""


class Store(Protocol):
    """The ledger.

    Raises:
        StoreError: the fact could not be written; from any method.
    """

    async def add(self, record: Record) -> None:
        """A new job, pending or (attached) already running."""

    async def intend(self, job_id: str) -> None:
        """Its create is about to be sent."""

    async def confirm(self, job_id: str, provider_id: str, state: State, accepted_at: datetime) -> None:
        """The vendor accepted it."""

    async def retreat(self, job_id: str) -> None:
        """The create surely was not carried out: pending again."""

    async def lose(self, job_id: str) -> None:
        """The create's answer never came: unknown."""

    async def settle(self, ended: Sequence[Generation]) -> None:
        """These jobs are over.  Settling one twice changes nothing."""

    async def get(self, job_id: str) -> Record | None:
        """The record of a job, or None."""

    async def remember(self, name: str, value: Mapping[str, Any]) -> None:
        """Keep something that was learned, as JSON, in place of what was kept under that name."""

    async def recall(self, name: str) -> Mapping[str, Any] | None:
        """What was kept under a name, or None."""

    async def close(self) -> None:
        """Let go of files and threads."""
