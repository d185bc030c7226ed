"""The three aiohttp sessions of a session: for reads, for creates, and for the files; each opened when first used."""

from __future__ import annotations

import asyncio

import aiohttp

from aiogen._transfer import sessions
from aiogen._transfer.failures import send_trace
from aiogen._transfer.guard import GuardedRequest, GuardedResolver
from aiogen._transfer.permitted import PermittedRequest
from aiogen._transfer.threads import Threads


class Clients:
    """Connections of our own, or over the connector of the caller's `ClientSession`.

    Creates go over connections of their own that are not kept alive: a connection that died while idle would make
    the outcome of a paid POST unknown.
    """

    def __init__(
        self,
        threads: Threads,
        client_session: aiohttp.ClientSession | None = None,
        download_session: aiohttp.ClientSession | None = None,
    ) -> None:
        """`threads` look up the names of hosts; the sessions are the caller's, if there are any."""
        self._threads = threads
        self._given = client_session
        self._given_for_files = download_session
        self._reads: aiohttp.ClientSession | None = None
        self._creates: aiohttp.ClientSession | None = None
        self._storage: aiohttp.ClientSession | None = None

    @property
    def reads(self) -> aiohttp.ClientSession:
        """The connections for everything but creates; made when first used.

        Raises:
            ConfigurationError: the caller's session is closed, or of another event loop.
        """
        given = self._usable(self._given, "client_session")
        if self._reads is None:
            if given is None:
                way = sessions.way_of_environment()
                self._reads = sessions.own(self._connector(), way, request_class=PermittedRequest)
            else:
                way = sessions.way_of(given, "client_session")
                self._reads = sessions.over(given, way, request_class=PermittedRequest)
        return self._reads

    @property
    def creates(self) -> aiohttp.ClientSession:
        """The connections for creates, each for one; raises like `reads`."""
        given = self._usable(self._given, "client_session")
        if self._creates is None:
            if given is None:
                way = sessions.way_of_environment()
                # A connector that closes by force would ask a proxy to close, too, in the very CONNECT.
                connector = self._connector(force_close=way is None)
                self._creates = sessions.own(
                    connector, way, traces=[send_trace()], request_class=PermittedRequest, alone=way is not None
                )
            else:
                way = sessions.way_of(given, "client_session")
                self._creates = sessions.over(
                    given, way, traces=[send_trace()], request_class=PermittedRequest, alone=True
                )
        return self._creates

    @property
    def storage(self) -> aiohttp.ClientSession:
        """The connections to the storage that keeps the files, without any key or header; raises like `reads`."""
        given, argument = self._given_for_files, "download_session"
        if given is None:
            given, argument = self._given, "client_session"
        given = self._usable(given, argument)
        if self._storage is None:
            if given is None:
                connector = self._connector(use_dns_cache=False)
                way = sessions.way_of_environment()
                self._storage = sessions.own(connector, way, request_class=GuardedRequest)
            else:
                way = sessions.way_of(given, argument)
                self._storage = sessions.over(given, way, request_class=GuardedRequest)
        return self._storage

    def _connector(self, *, force_close: bool = False, use_dns_cache: bool = True) -> aiohttp.TCPConnector:
        # Names are looked up in our own threads: an application may have filled those of the loop.
        resolver = GuardedResolver(self._threads)
        return aiohttp.TCPConnector(limit=0, resolver=resolver, force_close=force_close, use_dns_cache=use_dns_cache)

    def _usable(self, given: aiohttp.ClientSession | None, argument: str) -> aiohttp.ClientSession | None:
        if given is not None:
            sessions.check_usable(given, argument)
        return given

    async def close(self) -> None:
        """Close what was opened here, and only that."""
        opened = [session for session in (self._reads, self._creates, self._storage) if session is not None]
        self._reads = self._creates = self._storage = None
        await asyncio.gather(*(session.close() for session in opened))
