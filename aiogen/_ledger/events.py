"""What the ledger reports to the engine, and what it asks it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from aiogen.stores.base import Record, Wish


class LedgerEvents(Protocol):
    """Handed to `Ledger` when it is made; called in the session's loop, so none of these may block or raise."""

    async def prepare_for(self, records: Sequence[Record]) -> None:
        """These will be adopted next: what takes long of that, and can be done before, is done here.  May wait."""
        ...

    def adopted(self, record: Record, part: float | None = None) -> None:
        """This job is ours from now on: go on with it.  Also called while the ledger is opened.

        `part`: where it stands, 0 to 1, among many that are taken up together; None if they are few.
        """
        ...

    def adoptable(self) -> Collection[str] | None:
        """The ids of the only jobs that may be adopted; None for all.

        What this session itself has lost to a pause is adopted in any case.
        """
        ...

    async def lost(self) -> None:
        """The lease ran out before it was renewed: no job is ours any more, and others may own them already.

        Nothing is adopted before this returns; it gives way to the loop where there is much to let go of.
        """
        ...

    def renewed(self) -> None:
        """The lease was renewed late enough that nothing could be sent before: requests may be sent again."""
        ...

    def joined(self) -> None:
        """Other processes have begun to use this ledger."""
        ...

    def watched(self) -> Sequence[str]:
        """The ids of the jobs of other processes that somebody here waits for."""
        ...

    def follows(self) -> bool:
        """True if there are jobs of ours of which others may want something."""
        ...

    def wished(self, wish: Wish) -> None:
        """Somebody else wants something of a job of ours; a cancel is reported again until it is granted."""
        ...

    def seen(self, record: Record) -> None:
        """The present record of a job that is watched; also reported if nothing has changed."""
        ...

    def gone(self, job_id: str) -> None:
        """A job that is watched is no longer in the ledger."""
        ...

    def accompanied(self) -> None:
        """Other processes use this ledger as well; reported whenever that was looked at, every few seconds."""
        ...
