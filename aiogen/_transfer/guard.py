"""Connections to the storage of the files, which hold to a `FilePolicy` at the IP address that is really reached.

A name says nothing about where it leads, and may lead somewhere else the next time it is looked up.  So our own
connector judges the addresses that its lookup found, before it connects to one; and whatever the connector, the address
of the peer is judged before the request is sent.  Through a proxy, which looks names up by itself, only the text of an
address can be judged.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from aiogen._safety.address import FilePolicy, Reach, Refused, reach_of_host
from aiogen._transfer.threads import Threads

if TYPE_CHECKING:
    from aiohttp.connector import Connection

_watch: ContextVar[tuple[FilePolicy, URL] | None] = ContextVar("aiogen_file_policy", default=None)
"""The policy, and the url, of the request that this task is about to send.

aiohttp hands neither resolver nor request anything of the caller's, and one session serves all connections.
"""


@contextmanager
def holding_to(policy: FilePolicy, url: URL) -> Iterator[None]:
    """A request for this url that is sent in here goes nowhere that the policy does not allow."""
    token = _watch.set((policy, url))
    try:
        yield
    finally:
        _watch.reset(token)


class GuardedResolver(AbstractResolver):
    """Looks names up as the system does, in the session's own threads, and leaves out what the policy refuses.

    Its connector must not cache names: what one connection's policy allows, another's may not.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host; those of a proxy, which is the user's own choice, are not judged.

        Raises:
            OSError: it has none.
            Refused: it has only such as the policy refuses.
        """
        # A machine without IPv6 is not to be given IPv6 addresses; one without any network is still to find itself.
        flags = 0 if reach_of_host(host) is Reach.PRIVATE else socket.AI_ADDRCONFIG
        try:
            infos = await self._threads.run(
                socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=flags
            )
        except UnicodeError as error:
            raise OSError(None, f"{host!r} is not a valid host name") from error
        found = [_result(host, port, info) for info in infos]
        watch = _watch.get()
        if watch is None or (watch[1].raw_host or "").rstrip(".") != host.rstrip("."):
            return found
        allowed, refused = [], None
        for result in found:
            try:
                watch[0].check(watch[1], result["host"])
                allowed.append(result)
            except Refused as error:
                refused = error
        if refused is not None and not allowed:
            raise refused
        return allowed

    async def close(self) -> None:
        """Nothing: the threads belong to the session."""


def _result(host: str, port: int, info: tuple[Any, ...]) -> ResolveResult:
    family, _, proto, _, address = info
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=address[0], port=port, family=family, proto=proto, flags=flags)


class GuardedRequest(aiohttp.ClientRequest):
    """Is sent only to a peer that the policy allows."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Write the request.

        Raises:
            Refused: the policy does not allow the peer; nothing was written.
        """
        watch = _watch.get()
        if watch is not None and not self.proxy and conn.transport is not None:
            peer = conn.transport.get_extra_info("peername")
            if isinstance(peer, tuple):  # over a socket of the file system there is none
                watch[0].check(watch[1], str(peer[0]))
        return await super().send(conn)
