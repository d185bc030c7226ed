"""Requests that were decided, and waited: right before their bytes are written it is asked whether they still may go.

A process may be stopped while a request waits for its turn, for a name or for a connection.  When it goes on, others
may own what the request is about by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import aiohttp

from aiogen.errors import NetworkError

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.connector import Connection

Permit = Callable[[], bool]
"""Whether a request that was decided when this was made may still be sent, now."""


class Withheld(NetworkError):
    """It was not sent, for it may not be any more: an error like any other for whom nothing but that matters."""

    sent: bool = False


def withheld() -> Withheld:
    """The error that stands for the answer."""
    return Withheld(
        "The request was not sent: before its turn to be sent came this process stood still, or was cut off from the "
        "ledger, for most of its lease."
    )


class NotPermitted(Exception):
    """The same to aiohttp, which makes errors of its own of those of the network."""


_permit: ContextVar[Permit | None] = ContextVar("aiogen_permit", default=None)


@contextmanager
def under(permit: Permit) -> Iterator[None]:
    """The requests that are sent in here, by a session with `PermittedRequest`, are sent as long as this says so."""
    token = _permit.set(permit)
    try:
        yield
    finally:
        _permit.reset(token)


class PermittedRequest(aiohttp.ClientRequest):
    """Is sent only while its permit holds."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Write the request, over a connection that is there.

        Raises:
            NotPermitted: it may not be sent any more; nothing was written.
        """
        if not _is_permitted():
            raise NotPermitted
        return await super().send(conn)

    async def write_bytes(self, writer: AbstractStreamWriter, conn: Connection, *length: int | None) -> None:
        """Write the headers and the body, in a task of its own, before which others may have had their turn."""
        if _is_permitted():
            await super().write_bytes(writer, conn, *length)
        elif conn.protocol is not None:
            conn.protocol.set_exception(NotPermitted())  # for whoever waits for the answer, and closes it


def _is_permitted() -> bool:
    permit = _permit.get()
    return permit is None or permit()
