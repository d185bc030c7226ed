"""Requests that were decided, and waited: right before their bytes are written it is asked whether they still may go.

A process may be stopped while a request waits for its turn, for a name or for a connection.  When it goes on, others
may own what the request is about by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from aiogen.errors import NetworkError

Permit = Callable[[], bool]
"""Whether a request that was decided when this was made may still be sent, now."""


class Withheld(NetworkError):
    """It was not sent, because it may not be sent any more: to other callers a `NetworkError` like any other."""

    sent: bool = False


def withheld() -> Withheld:
    """The error that stands for the answer."""
    return Withheld(
        "The request was not sent: before its turn to be sent came this process stood still, or was cut off from the "
        "ledger, for most of its lease."
    )


class NotPermitted(Exception):
    """The same inside aiohttp, which wraps errors of the network in errors of its own."""


_permit: ContextVar[Permit | None] = ContextVar("aiogen_permit", default=None)


@contextmanager
def under(permit: Permit) -> Iterator[None]:
    """Requests that are sent in here, by a session with `PermittedRequest`, are sent as long as this says so."""
    token = _permit.set(permit)
    try:
        yield
    finally:
        _permit.reset(token)


def is_permitted() -> bool:
    """Whether what is sent in here may still be sent, now; without a permit it may."""
    permit = _permit.get()
    return permit is None or permit()
