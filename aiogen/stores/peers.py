"""Who a store is in its ledger, how much of it that follows, and who else uses it.  Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

import attrs


class Follows(StrEnum):
    """What a worker sends and asks about."""

    ALL = "all"
    """What it adds, and what nobody owns."""
    OWN = "own"
    """What it adds, and jobs that its program asks for by their ids."""
    NOTHING = "nothing"
    """Nothing: what it adds belongs to nobody, so that workers that follow all adopt it at once."""


class Peers(int):
    """How many other workers use a ledger now."""

    follow_all: int
    """How many of them adopt what nobody owns."""
    follow_nothing: int
    """How many of them only add jobs, so that there may be something to adopt at any moment."""

    def __new__(cls, others: int, *, follow_all: int | None = None, follow_nothing: int = 0) -> Self:
        """These numbers; by default all of them follow all."""
        self = super().__new__(cls, others)
        self.follow_all = others - follow_nothing if follow_all is None else follow_all
        self.follow_nothing = follow_nothing
        return self

    @classmethod
    def of(cls, others: int) -> Self:
        """What a store says: one that was written before workers could follow less says a plain number."""
        return others if isinstance(others, cls) else cls(others)


@attrs.define(eq=False)
class Worker:
    """Who one store is in its ledger.  A life begins with each opening, and again when a lease was lost."""

    name: str = ""
    """In this life; empty before the first."""
    names: list[str] = attrs.field(factory=list)
    """In all lives so far: what was sent in an earlier one was sent by this store, too."""
    follows: Follows = Follows.ALL

    def begin(self, name: str, follows: Follows = Follows.ALL) -> None:
        """A life under this name."""
        self.name = name
        self.names.append(name)
        self.follows = follows

    @property
    def owner(self) -> str | None:
        """The owner of the jobs that this worker adds."""
        return None if self.follows is Follows.NOTHING else self.name
