"""How far a create has come, read from its exchange: what that asks for and is answered.  Pure."""

from __future__ import annotations

from typing import TypeVar

import attrs

from aiogen.errors import ProtocolError
from aiogen.exchange import Exchange

T = TypeVar("T")


@attrs.define
class Progress:
    """What has happened in the exchange of one create so far."""

    posted: bool = False
    """The one request that makes the generation was handed over to be sent."""
    went_on: bool = False
    """It was answered with yes, and more was asked after it: whatever fails then, the generation is there."""


def followed(exchange: Exchange[T], progress: Progress) -> Exchange[T]:
    """The same exchange; `progress` is kept up to date.

    Raises:
        ProtocolError: it wants to send a second create, which could be charged for twice; that is not sent.
    """
    is_accepted = False
    try:
        request = next(exchange)
        while True:
            progress.went_on = is_accepted
            if request.verb == "create":
                if progress.posted:
                    raise ProtocolError("A create must send its request once; the provider wants to send another one.")
                progress.posted = True
            response = yield request
            if request.verb == "create":
                is_accepted = 200 <= response.status < 300
            request = exchange.send(response)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        exchange.close()
