"""What the author of a store provides: how one is made, where, and with which clock."""

from __future__ import annotations

import math
import tempfile
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import attrs

from aiogen.stores.base import Store

T = TypeVar("T")
START = 1_800_000_000.0
"""Seconds since the epoch when each test begins; every date of the battery is near it."""


@attrs.define(eq=False, kw_only=True)
class StoreContext:
    """One ledger: stores that are made with the same context share it, and with another one they do not."""

    folder: Path
    """Empty when the first store is made, and removed after the test."""
    name: str
    """Letters and digits, different for each ledger: for a schema, a database or the beginning of a key."""
    lease: float
    """Seconds that a worker's lease has to last, unless `Store.lease` is None."""
    keep_finished: float
    """Seconds that a job has to be kept after its end; infinite unless the battery says otherwise."""
    now: float = START
    """The time, in seconds since the epoch.  It moves only when a test says so, and does not go back."""
    kept: dict[str, Any] = attrs.field(factory=dict)
    """For your own use: what the stores of one ledger share in this process."""
    _entered: ExitStack = attrs.field(factory=ExitStack, init=False)

    def time(self) -> float:
        """The time, in seconds since the epoch: what a store has to use in place of `time.time`."""
        return self.now

    def enter(self, manager: AbstractContextManager[T]) -> T:
        """Enter a context manager, which is left when the test has closed every store: a patch, or a server."""
        return self._entered.enter_context(manager)

    def close(self) -> None:
        """Leave what was entered, the last first."""
        self._entered.close()


class StoreSetup:
    """What the battery has to know about a store.  Only `make_store` has to be written."""

    lease: ClassVar[float] = 15.0
    """Seconds of `StoreContext.lease`; for a store whose lease cannot be chosen, the one that it has."""
    keep_finished: ClassVar[float] = math.inf
    """Seconds after the end of a job, and after every handler has heard of it, when the next heartbeat removes it.

    Infinite, the default, is for a store that removes nothing by itself, or at other times; it has to keep everything.
    """

    def make_store(self, context: StoreContext) -> Store:
        """A store that is not open yet, on the ledger of this context.

        Called once for each process that joins the ledger, and each time that one comes back.  A store whose ledger
        lies in the object itself is made once, and given out again:
        `context.kept.setdefault("store", MyStore())`.  Called in the event loop of the test.
        """
        raise NotImplementedError(f"{type(self).__name__} has to define make_store(self, context) -> Store.")

    async def kill(self, store: Store) -> None:
        """Stop a store as if its process had been killed: nothing is given back, and its lease runs on.

        By default it is not used any more, and closed after the test.  Called only for stores with a lease.
        """


def new_context(setup: StoreSetup, folder: tempfile.TemporaryDirectory[str]) -> StoreContext:
    """A ledger of its own in a fresh folder."""
    path = Path(folder.name)
    name = "".join(letter for letter in path.name if letter.isalnum()).lower()
    return StoreContext(folder=path, name=name, lease=setup.lease, keep_finished=setup.keep_finished)
