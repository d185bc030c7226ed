"""One generation at the vendor, and everyone here who waits for it.  Pure."""

from __future__ import annotations

import math
from typing import Generic, Protocol, TypeVar

import attrs

from aiogen._account.create_queue import Waiting
from aiogen.exchange import Submission, Ticket
from aiogen.models import State
from aiogen.providers.base import Provider


class Handle(Waiting, Protocol):
    """What an account knows of a `Job`."""

    @property
    def id(self) -> str:
        """Our id."""
        ...

    @property
    def submission(self) -> Submission | None:
        """What its create says; None if it was attached."""
        ...

    @property
    def poll_cost(self) -> float:
        """Seconds of waiting that one request about it is worth."""
        ...

    @property
    def done(self) -> bool:
        """Nobody waits for it any more."""
        ...


J = TypeVar("J", bound=Handle)
MOST_ASKED = 100
"""Moments that are kept of the questions about one generation."""


@attrs.define(eq=False)
class Track(Generic[J]):
    """One generation at the vendor, and everyone here who waits for it."""

    provider: Provider
    ticket: Ticket
    state: State
    accepted_at: float
    """On the session's steady clock."""
    weight: int
    is_ours: bool
    """Created by this session: "not found" may then mean "not yet"."""
    jobs: list[J] = attrs.field(factory=list)
    """Every handle to it, also those whose deadline has passed."""
    last_answer: int | None = None
    """Stands for the last answer that said it runs, to know the same one again."""
    was_read: bool = False
    """The vendor has answered about it at least once."""
    failures: int = 0
    not_found: int = 0
    missing_since: float = math.inf
    """When the first of the questions was sent that were answered with "not found", one after the other."""
    missing_outputs: int = 0
    auth_refusals: int = 0
    last_error: Exception | None = None
    is_of_previous_key: bool = False
    """Created with another key: "not found" may then mean that the vendor does not show it to this one."""
    asked: list[float] = attrs.field(factory=list)
    """When questions about it were sent, on the session's steady clock; of many, every second, fourth …"""
    _asked_times: int = attrs.field(default=0, init=False)
    _asked_every: int = attrs.field(default=1, init=False)

    @property
    def key(self) -> str:
        """The vendor's id, by which the schedule, the list and the vendor queue name it."""
        return self.ticket.provider_id

    def forget_failures(self) -> None:
        """A reading has come: earlier failures to read it no longer count."""
        self.failures = self.not_found = self.auth_refusals = 0
        self.missing_since = math.inf
        self.last_error = None

    def note_asked(self, at: float) -> None:
        """A question about it was sent."""
        if self._asked_times % self._asked_every == 0:
            self.asked.append(at)
            if len(self.asked) > MOST_ASKED:
                del self.asked[1::2]
                self._asked_every *= 2
        self._asked_times += 1

    def asked_after(self) -> tuple[float, ...]:
        """Seconds from its acceptance to each of these, in milliseconds, 0.0 or more."""
        return tuple(round(max(0.0, at - self.accepted_at), 3) for at in self.asked)

    @property
    def is_awaited(self) -> bool:
        """True while somebody may still get its result."""
        return any(not job.done for job in self.jobs)

    @property
    def price(self) -> float:
        """Of those who wait for it, the one to whom a request is worth the least waiting decides."""
        return min((job.poll_cost for job in self.jobs if not job.done), default=math.inf)
