"""How aiohttp sessions are opened: over connections of our own, or over a caller's connector.

A caller's `ClientSession` brings its way to the network: connector (CA, client certificate, resolver, limits), proxy
and trace configs.  Its headers, auth, cookies, base_url, timeouts and the rest are meant for the caller's own requests:
in ours they would replace the key, send it to another host, or cut a request short.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from aiogen._safety.proxies import Proxies, Proxy, basic, proxy_at
from aiogen._safety.secret import Masked
from aiogen.errors import ConfigurationError

LONGEST_LINE = 64 * 1024
"""Bytes of one header line that are read; proxies and policies write more than aiohttp's 8,190."""
Way = Callable[[URL], Proxy | None]
"""Through which proxy the request for an address goes, if through any."""
_numbers = itertools.count(1)


def own(
    connector: aiohttp.BaseConnector,
    way: Way | None,
    *,
    traces: Sequence[aiohttp.TraceConfig] = (),
    request_class: type[aiohttp.ClientRequest] = aiohttp.ClientRequest,
    alone: bool = False,
) -> aiohttp.ClientSession:
    """A session over a connector of ours, which is closed with it.

    `alone`: each request has a connection of its own, which is closed after it.
    """
    return _opened(connector, True, _routed(request_class, way, alone=alone), traces)


def over(
    given: aiohttp.ClientSession,
    way: Way | None,
    *,
    traces: Sequence[aiohttp.TraceConfig] = (),
    request_class: type[aiohttp.ClientRequest] = aiohttp.ClientRequest,
    alone: bool = False,
) -> aiohttp.ClientSession:
    """A session of ours over the caller's connector, which stays open; `alone` as far as it does what `own`'s do."""
    assert given.connector is not None
    request_class = _routed(request_class, way, alone=alone)
    # Ours come last: where one of the caller's raises, nothing was sent yet.
    return _opened(given.connector, False, request_class, [*given.trace_configs, *traces])


def _opened(
    connector: aiohttp.BaseConnector,
    is_ours: bool,
    request_class: type[aiohttp.ClientRequest],
    traces: Sequence[aiohttp.TraceConfig],
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        connector_owner=is_ours,
        cookie_jar=aiohttp.DummyCookieJar(),
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
        request_class=request_class,
        response_class=_Answer,
        trace_configs=list(traces),
    )


class _Answer(aiohttp.ClientResponse):
    """Shows no headers: it stands among the locals of whatever is cancelled, and a vendor may quote the key in them."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} of {self.host}>"


def check_session(given: object, argument: str) -> None:
    """Whether this can be asked for its connector.

    Raises:
        ConfigurationError: it is no `aiohttp.ClientSession`.
    """
    if not isinstance(given, aiohttp.ClientSession):
        raise ConfigurationError(
            f"{argument}= must be an aiohttp.ClientSession, whose connections are used, not {type(given).__name__}.",
            code=None,
            action=None,
        )


def check_usable(given: aiohttp.ClientSession, argument: str) -> None:
    """Whether a caller's session can carry a request now.

    Raises:
        ConfigurationError: it is closed, or belongs to another event loop; nothing was sent.
    """
    if given.closed:
        raise ConfigurationError(
            f"The aiohttp.ClientSession that was passed as {argument}= is closed; nothing was sent. Keep it open "
            "until the aiogen session is closed, or open both again.",
            code=None,
            action=None,
        )
    if getattr(given.connector, "_loop", None) not in (None, asyncio.get_running_loop()):
        raise ConfigurationError(
            f"The aiohttp.ClientSession that was passed as {argument}= belongs to another event loop; nothing was "
            "sent. Open it in the event loop in which the aiogen session runs.",
            code=None,
            action=None,
        )


def way_of_environment() -> Way | None:
    """The way by HTTP_PROXY, HTTPS_PROXY and NO_PROXY as they are now; None if no proxy is named."""
    proxies = Proxies.of(os.environ)
    return (lambda url: proxies.proxy_for(url.scheme, url.host or "", url.port)) if proxies else None


def way_of(given: aiohttp.ClientSession, argument: str) -> Way | None:
    """The way of a caller's session: its own proxy, or that of the environment if it trusts that.

    Raises:
        ConfigurationError: its proxy cannot be used.
    """
    # A session's own proxy is in private attributes only.
    address = getattr(given, "_default_proxy", None)
    if address is None:
        return way_of_environment() if given.trust_env else None
    proxy = proxy_at(Masked(address), f"The proxy of {argument}=")
    auth = getattr(given, "_default_proxy_auth", None)
    if auth is not None:
        proxy = Proxy(proxy.url, basic(*auth))
    elif (value := given.headers.get("Proxy-Authorization")) is not None:
        proxy = Proxy(proxy.url, Masked(value))  # aiohttp sends a session's headers to its proxy, too
    return lambda url: proxy


def _routed(base: type[aiohttp.ClientRequest], way: Way | None, *, alone: bool) -> type[aiohttp.ClientRequest]:
    """The class of requests that go this way; each hop of a redirect is a request, and goes its own way."""
    if way is None and not alone:
        return base

    class Request(base):  # type: ignore[valid-type, misc]
        def __init__(self, method: str, url: URL, **options: Any) -> None:
            headers = options["headers"] = CIMultiDict(options.get("headers") or ())
            proxy = way(url) if way is not None else None
            if proxy is not None:
                options["proxy"] = URL(proxy.url)
                if proxy.authorization is not None:
                    credentials = CIMultiDict({"Proxy-Authorization": proxy.authorization})
                    if url.scheme == "https":
                        options["proxy_headers"] = credentials  # of CONNECT, which the proxy alone reads
                    else:
                        headers.update(credentials)
            if alone:
                headers["Connection"] = "close"
            self._number = next(_numbers)
            super().__init__(method, url, **options)

        @property
        def connection_key(self) -> Any:
            # The pool gives a kept connection to a request with an equal key: no other has this one.
            key = super().connection_key
            return key._replace(proxy_headers_hash=self._number) if alone else key

        def send(self, conn: Any) -> Any:
            if alone and conn.protocol is not None:
                conn.protocol.force_close()  # whatever the server says: nobody asks by this key again
            return super().send(conn)

    return Request
