"""The only file that sends.  It performs an `Exchange` and decides nothing."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import math
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import uuid4

import aiohttp
import attrs
import backoff

from aiogen._clock import Clock
from aiogen._retry import waits, worth_repeating
from aiogen._wire import Exchange, Request, Response
from aiogen._wording import duration
from aiogen.errors import AiogenError, ConfigurationError, NetworkError, ProtocolError
from aiogen.providers.base import Provider

T = TypeVar("T")
logger = logging.getLogger("aiogen")

USER_AGENT = "aiogen-sdk"
_LARGE_BODY = 128 * 1024


@attrs.frozen(kw_only=True)
class Timeouts:
    """Seconds; every request ends."""

    connect: float = 10.0
    """Name lookup, TCP and TLS together."""
    read: float = 30.0
    """A whole read, from sending to the last byte."""
    submit: float = 120.0
    """A whole create.  Luma fetches reference urls while it waits, up to 18 s each."""


class Transport:
    """Sends requests for one session, over its own connections or over the caller's `aiohttp.ClientSession`.

    Creates go over connections of their own that are not kept alive: a connection that died while idle would make
    the outcome of a paid POST unknown.  With a caller's session its connections serve for everything.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        timeouts: Timeouts,
        max_answer_bytes: int,
        read_attempts: int,
        client_session: aiohttp.ClientSession | None = None,
    ) -> None:
        self.clock = clock
        self._submit_timeout, self._read_timeout = (
            # Exact: aiohttp would round anything above five seconds up to whole ones.  Connecting ends first, for it
            # alone tells that nothing was sent.
            aiohttp.ClientTimeout(total=total, connect=min(timeouts.connect, 0.9 * total), ceil_threshold=math.inf)
            for total in (timeouts.submit, timeouts.read)
        )
        self._max_answer_bytes = max_answer_bytes
        self._read_attempts = read_attempts
        self._given = client_session
        self._reads: aiohttp.ClientSession | None = client_session
        self._creates: aiohttp.ClientSession | None = client_session
        self._storage: aiohttp.ClientSession | None = None
        self.sent = 0
        """Requests sent so far."""

    async def perform(
        self, provider: Provider, exchange: Exchange[T], *, gate: Callable[[], Awaitable[None]] | None = None
    ) -> T:
        """Drive the exchange to its result; `gate` is awaited before each request.

        Raises:
            APIError, ProtocolError: from the exchange.
            NetworkError: no answer came.
        """
        with self._reading(provider, exchange):
            request = next(exchange)
            while True:
                if gate is not None:
                    await gate()
                response = await self._send(request, provider)
                try:
                    request = exchange.send(response)
                except StopIteration as stop:
                    result: T = stop.value
                    return result

    async def look(self, provider: Provider, exchange: Exchange[T], last: int | None) -> tuple[T | None, int]:
        """Perform an exchange of one request, unless its answer is the same as the last one.

        `last` is the number that came with that one.  Most answers say "not yet" in the same bytes, so they need not
        be read again: the result is then None.

        Raises: the same as `perform`.
        """
        with self._reading(provider, exchange):
            response = await self._send(next(exchange), provider)
            number = hash((response.status, response.body))
            if number == last:
                return None, number
            try:
                exchange.send(response)
            except StopIteration as stop:
                return stop.value, number
        raise ProtocolError(f"Looking at one generation of {provider.default_name} takes one request.")

    @contextmanager
    def _reading(self, provider: Provider, exchange: Exchange[T]) -> Iterator[None]:
        try:
            yield
        except AiogenError as error:
            error.about(provider=provider.default_name, connection=provider.name)
            raise
        except Exception as error:
            # A shape that the provider file did not foresee.  It must not leave a waiter waiting, nor end a paid job.
            logger.exception("The answer of %s could not be read", provider.default_name)
            raise ProtocolError(
                f"The answer of {provider.default_name} could not be read: {type(error).__name__}: {error}",
                provider=provider.default_name,
                connection=provider.name,
            ) from error
        finally:
            exchange.close()

    async def repeat(
        self,
        provider: Provider,
        make: Callable[[], Exchange[T]],
        *,
        patience: float,
        gate: Callable[[], Awaitable[None]] | None = None,
        noted: Callable[[AiogenError], None] | None = None,
    ) -> T:
        """Perform an exchange of reads, again from its start while that may help: `read_attempts` times at most.

        It ends within `patience` seconds, and does not begin to wait for what would take longer.
        """
        last: AiogenError | None = None

        async def once() -> T:
            try:
                return await self.perform(provider, make(), gate=gate)
            except AiogenError as error:
                nonlocal last
                last = error
                if noted is not None:
                    noted(error)
                raise

        # jitter=None: ours is inside `waits`, and backoff's would undercut Retry-After.
        again = backoff.on_exception(
            lambda: waits(draw=random.uniform),
            AiogenError,
            max_tries=self._read_attempts,
            giveup=lambda error: not worth_repeating(error, patience),
            jitter=None,
            logger=None,
        )
        try:
            async with asyncio.timeout(patience):
                return await again(once)()
        except TimeoutError:
            if last is not None:
                raise last from None
            raise NetworkError(
                f"{provider.name} could not be asked within {duration(patience)}: this account has to wait.",
                sent=False,
                provider=provider.default_name,
                connection=provider.name,
            ) from None

    async def _send(self, request: Request, provider: Provider) -> Response:
        is_create = request.verb == "create"
        timeout = self._submit_timeout if is_create else self._read_timeout
        session = self._session(is_create)
        request_id = str(uuid4()) if provider.sends_request_id else None
        headers = {"User-Agent": USER_AGENT, **request.headers}
        if request_id is not None:
            headers["X-Request-Id"] = request_id
        data = None
        if request.body is not None:
            headers["Content-Type"] = "application/json"
            data = await _encoded(request.body)
        self.sent += 1
        context = {"provider": provider.default_name, "connection": provider.name, "request_id": request_id}
        try:
            async with session.request(
                request.method,
                request.url,
                params=request.query or None,
                data=data,
                headers=headers,
                allow_redirects=False,  # a key never follows a redirect
                raise_for_status=False,
                timeout=timeout,
            ) as answer:
                body = _without_key(await self._read(answer, request, context), provider)
                status, got = answer.status, answer.headers
        except aiohttp.InvalidURL as error:
            raise ConfigurationError(f"The address {request.url!r} cannot be requested: {error}", **context) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = _network_error(error, request, timeout.total or 0.0, context)
            logger.debug("%s %s: %s", request.method, request.url, failure)
            raise failure from error
        logger.debug("%s %s -> %d, %d bytes", request.method, request.url, status, len(body))
        return Response(
            status=status,
            headers=got,
            body=body,
            received_at=self.clock.wall(),
            request_id=got.get("X-Request-Id") or request_id,
        )

    async def _read(self, answer: aiohttp.ClientResponse, request: Request, context: dict[str, str | None]) -> bytes:
        length = answer.content_length
        if length is not None and length <= self._max_answer_bytes and "Content-Encoding" not in answer.headers:
            return await answer.read()  # compressed bytes are counted as they are unpacked
        chunks: list[bytes] = []
        size = 0
        async for chunk in answer.content.iter_any():
            size += len(chunk)
            if size > self._max_answer_bytes:
                answer.close()
                raise ProtocolError(
                    f"The answer to {request.verb!r} (HTTP {answer.status}) is larger than "
                    f"{self._max_answer_bytes:,} bytes; it was not read further.",
                    status=answer.status,
                    path="$",
                    **context,
                )
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _session(self, is_create: bool) -> aiohttp.ClientSession:
        if is_create:
            if self._creates is None:
                self._creates = self._open(aiohttp.TCPConnector(limit=0, force_close=True))
            return self._creates
        return self.reads

    @property
    def reads(self) -> aiohttp.ClientSession:
        """The connections for everything but creates; made when first used."""
        if self._reads is None:
            self._reads = self._open(aiohttp.TCPConnector(limit=0))
        return self._reads

    @property
    def storage(self) -> aiohttp.ClientSession:
        """The connections to whoever keeps the files: always our own, for a caller's may carry a key."""
        if self._storage is None:
            self._storage = self._open(aiohttp.TCPConnector(limit=0))
        return self._storage

    def _open(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    async def close(self) -> None:
        """Close what was opened here, and only that."""
        opened = [s for s in (self._reads, self._creates, self._storage) if s is not None and s is not self._given]
        self._reads = self._creates = self._given
        self._storage = None
        await asyncio.shield(asyncio.gather(*(session.close() for session in opened)))


def _without_key(body: bytes, provider: Provider) -> bytes:
    """A vendor that quotes the key in an answer does not bring it into errors, records or logs."""
    key = provider.api_key.encode()
    return body.replace(key, b"[the key]") if key in body else body


async def _encoded(body: object) -> bytes | io.BytesIO:
    if _size(body) > _LARGE_BODY:
        # References in base64: encoding and sending megabytes in one piece would hold up the loop.
        return io.BytesIO(await asyncio.to_thread(lambda: json.dumps(body).encode()))
    return json.dumps(body).encode()


def _size(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_size, value))
    return 8


def _network_error(error: Exception, request: Request, total: float, context: dict[str, str | None]) -> NetworkError:
    # Only a failure to connect is a proof that nothing was sent.
    unsent = isinstance(
        error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.ServerFingerprintMismatch
    )
    host = request.url.split("/")[2]
    if unsent:
        what = f"{host} cannot be reached: {error or type(error).__name__}"
    elif isinstance(error, TimeoutError):
        what = f"{host} did not answer within {duration(total)}"
    else:
        what = f"The connection to {host} was lost before the answer was complete: {error or type(error).__name__}"
    return NetworkError(f"{what} (while trying to {request.verb}).", sent=not unsent, **context)
