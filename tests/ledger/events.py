"""Somebody to whom a ledger reports, and who notes it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs

from aiogen.stores.base import Record, Wish


@attrs.define(eq=False)
class Noted:
    """`LedgerEvents` of which a test looks at some."""

    waiting: list[str] = attrs.field(factory=list)
    """What is watched."""
    only: Collection[str] | None = None
    expected: list[str] = attrs.field(factory=list)
    """What was said to be adopted next."""
    adopted_ids: list[str] = attrs.field(factory=list)
    seen_records: list[Record] = attrs.field(factory=list)
    has_jobs: bool = False
    """There are jobs of ours of which others may want something."""
    wishes: list[Wish] = attrs.field(factory=list)
    said: list[str] = attrs.field(factory=list)
    """Of all else the names, in order; `gone` with its id."""

    async def prepare_for(self, records: Sequence[Record]) -> None:
        self.expected += [record.id for record in records]

    def adopted(self, record: Record, part: float | None = None) -> None:
        self.adopted_ids.append(record.id)

    def adoptable(self) -> Collection[str] | None:
        return self.only

    async def lost(self) -> None:
        self.said.append("lost")

    def renewed(self) -> None:
        self.said.append("renewed")

    def joined(self) -> None:
        self.said.append("joined")

    def watched(self) -> list[str]:
        return self.waiting

    def follows(self) -> bool:
        return self.has_jobs

    def wished(self, wish: Wish) -> None:
        self.wishes.append(wish)

    def seen(self, record: Record) -> None:
        self.seen_records.append(record)

    def gone(self, job_id: str) -> None:
        self.said.append(f"gone {job_id}")

    def accompanied(self) -> None:
        """Said all the time."""
