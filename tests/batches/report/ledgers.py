"""Records of a batch, as a ledger gives them back, and a store that has nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from aiogen.models import Cost, Generation, Output, State
from aiogen.stores.base import Record, RecordQuery
from aiogen.stores.charges import UNKNOWN, Charge

BEGIN = datetime(2026, 11, 28, 10, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def job(
    number: int,
    state: State = State.COMPLETED,
    *,
    added: float = 0.0,
    accepted: float | None = 1.0,
    ended: float | None = 11.0,
    key: str | None = None,
    connection: str = "luma",
    outputs: int = 1,
    known: Mapping[str, Any] | None = None,
    **more: Any,
) -> Record:
    """One job; `known`: of its generation, whose clock is the ledger's."""
    job_id = f"{number:08x}-0000-4000-8000-000000000000"
    fields: dict[str, Any] = {
        "provider_id": None if accepted is None else f"theirs-{number}",
        "accepted_at": None if accepted is None else at(accepted),
        "finished_at": None if ended is None else at(ended),
        "outputs": tuple(Output(kind="image", url=f"https://x.example/{i}?signature") for i in range(outputs)),
        "model": "uni-1",
        "prompt": f"boat {number}",
        "cost": Cost(Decimal("0.04"), "DOLLARS"),
    }
    fields |= known or {}
    generation = Generation(id=job_id, provider="luma", connection=connection, state=state, **fields)
    if state is not State.COMPLETED:
        generation = attrs.evolve(generation, outputs=())
    return Record(
        id=job_id,
        connection=connection,
        provider="luma",
        account="a",
        state=state,
        provider_id=generation.provider_id,
        batch="b1",
        key=key,
        prompt=generation.prompt,
        model=generation.model,
        created_at=at(added),
        submitted_at=at(added) if accepted is not None or state is State.UNKNOWN else None,
        charge=Charge.of(generation.cost) if state.is_terminal else UNKNOWN,
        accepted_at=None if accepted is None else at(accepted),
        finished_at=None if ended is None or not state.is_terminal else at(ended),
        generation=generation if state.is_terminal else None,
        read_at=at(100.0),
        **more,
    )


class Ledger:
    """Gives them back page by page, the newest first, as stores do."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = sorted(records, key=lambda record: (record.created_at, record.id), reverse=True)
        self.pages = 0

    async def find(self, query: RecordQuery) -> list[Record]:
        self.pages += 1
        found = [record for record in self._records if record.batch == query.batch]
        if query.after is not None:
            cursors = [record.cursor for record in found]
            found = found[cursors.index(query.after) + 1 :]
        return found[: query.limit]
