"""How much of a ledger a worker follows, and who else uses it.  Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Follows(StrEnum):
    """What a worker sends and asks about."""

    ALL = "all"
    """What it takes in, and what nobody owns."""
    OWN = "own"
    """What it takes in, and what it is asked for by its id."""
    NOTHING = "nothing"
    """What it takes in belongs to nobody, so that those who follow all adopt it at once."""


class Peers(int):
    """How many other workers use a ledger now."""

    follow_all: int
    """How many of them adopt what nobody owns."""
    follow_nothing: int
    """How many of them only take in, so that there may be something to adopt at any moment."""

    def __new__(cls, others: int, *, follow_all: int | None = None, follow_nothing: int = 0) -> Self:
        """These numbers; unless told otherwise all of them follow all."""
        self = super().__new__(cls, others)
        self.follow_all = others - follow_nothing if follow_all is None else follow_all
        self.follow_nothing = follow_nothing
        return self

    @classmethod
    def of(cls, others: int) -> Self:
        """What a store says: one that was written before workers could follow less says a plain number."""
        return others if isinstance(others, cls) else cls(others)
