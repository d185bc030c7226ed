"""What an account decides to do; the engine carries it out.  Pure."""

from __future__ import annotations

from typing import Generic, Protocol

import attrs

from aiogen._account.track import J, Track
from aiogen._polling.durations import DurationModel
from aiogen.errors import Throttle
from aiogen.stores.base import RequestKind


class Turn(Protocol):
    """A single call that waits for its turn: a future, to this room."""

    def done(self) -> bool:
        """True if its caller was cancelled meanwhile."""
        ...

    def set_result(self, result: None, /) -> None:
        """The call may be sent now."""
        ...

    def __hash__(self) -> int:
        """A turn is known by its identity."""
        ...


@attrs.frozen(eq=False)
class SendCreate(Generic[J]):
    """Send a job's create.  Its place in the window is taken."""

    number: int
    """Its place in the queue, which it keeps if it has to be requeued."""
    job: J
    weight: int
    was_alone: bool
    """No other create was in flight when it began."""


@attrs.frozen(eq=False)
class AskOne(Generic[J]):
    """Ask about one generation."""

    track: Track[J]


@attrs.frozen(eq=False)
class AskPage(Generic[J]):
    """Read one page of the vendor's list, as one question about all that should be on it."""

    track: Track[J]
    """The one whose question was due."""
    offset: int
    keys: list[str]
    """Whose questions are taken out of the schedule."""


@attrs.frozen(eq=False)
class GiveTurn:
    """A single call may send its request."""

    turn: Turn


@attrs.frozen
class TakeBudget:
    """Take requests out of the budget that all processes on the ledger share."""

    count: int
    per_second: float


@attrs.frozen
class AnnounceHold:
    """Every process on the ledger has to hold back for this long, too."""

    kind: RequestKind
    seconds: float


@attrs.frozen(eq=False)
class Fit:
    """Bring the estimate of how long a model takes up to date, in steps, with turns for others between them."""

    durations: DurationModel


Action = SendCreate[J] | AskOne[J] | AskPage[J] | GiveTurn | TakeBudget | AnnounceHold | Fit


@attrs.frozen
class Hold:
    """The account has to slow down, which has not been logged yet."""

    throttle: Throttle | None
    """Which limit; None if the provider is overloaded."""
    status: int
    seconds: float | None
    """None until one of our own jobs has ended."""


@attrs.frozen
class Refusal:
    """What a refusal means for the account."""

    concerns_all: bool = False
    """The account's rate, or an overloaded provider, is why: it says nothing of the generation that was asked about."""
    hold: Hold | None = None
    """To be logged: once per hold."""
