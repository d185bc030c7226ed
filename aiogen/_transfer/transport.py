"""The only file that sends.  It performs an `Exchange` and decides nothing."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import math
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import TypeVar
from uuid import uuid4

import aiohttp
import attrs
import backoff

from aiogen._clock import Clock
from aiogen._limits.retry import waits, worth_repeating
from aiogen._safety.redact import redacted
from aiogen._transfer import sessions
from aiogen._transfer.failures import SendWatch, failure, send_trace, watching_send
from aiogen._transfer.guard import GuardedRequest, GuardedResolver
from aiogen._transfer.threads import Threads
from aiogen._wording import duration
from aiogen.errors import AiogenError, NetworkError, ProtocolError
from aiogen.exchange import Exchange, Request, Response
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
    """Sends requests for one session, over its own connections or over the connector of the caller's `ClientSession`.

    Creates go over connections of their own that are not kept alive: a connection that died while idle would make
    the outcome of a paid POST unknown.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        timeouts: Timeouts,
        max_answer_bytes: int,
        read_attempts: int,
        client_session: aiohttp.ClientSession | None = None,
        download_session: aiohttp.ClientSession | None = None,
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
        self._given_for_files = download_session
        self._reads: aiohttp.ClientSession | None = None
        self._creates: aiohttp.ClientSession | None = None
        self._storage: aiohttp.ClientSession | None = None
        self.threads = Threads()
        """For whatever would hold up the event loop."""
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
            response, number = await self._answered(next(exchange), provider, last)
            if response is None:
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
            error.add_context(provider=provider.default_name, connection=provider.name)
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
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                return await again(once)()
        raise last or NetworkError(
            f"{provider.name} could not be asked within {duration(patience)}: this account has to wait.",
            sent=False,
            provider=provider.default_name,
            connection=provider.name,
        )

    async def _send(self, request: Request, provider: Provider) -> Response:
        response, _ = await self._answered(request, provider, None)
        assert response is not None
        return response

    async def _answered(self, request: Request, provider: Provider, last: int | None) -> tuple[Response | None, int]:
        """The answer and its number; None instead of an answer whose number is the last one."""
        outcome = await self._outcome(request, provider)
        if isinstance(outcome, AiogenError):
            raise outcome  # from here, where no local is of the request's inside
        number = hash((outcome.status, outcome.body))
        return None if number == last else redacted(provider.secret, outcome), number

    async def _outcome(self, request: Request, provider: Provider) -> Response | AiogenError:
        """The answer as it came, or the error to raise."""
        is_create = request.verb == "create"
        timeout = self._submit_timeout if is_create else self._read_timeout
        request_id = str(uuid4()) if provider.sends_request_id else None
        headers = {"User-Agent": USER_AGENT, **request.headers}
        if request_id is not None:
            headers["X-Request-Id"] = request_id
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        self.sent += 1
        context = {"provider": provider.default_name, "connection": provider.name, "request_id": request_id}
        watch: SendWatch | None = None
        try:
            with watching_send() if is_create else nullcontext() as watch:
                session = self.creates if is_create else self.reads
                async with session.request(
                    request.method,
                    request.url,
                    params=request.query or None,
                    data=None if request.body is None else await self._encoded(request.body),
                    headers=headers,
                    allow_redirects=False,  # a key never follows a redirect
                    timeout=timeout,
                ) as answer:
                    body = await self._read(answer, request, context)
                    status, got = answer.status, answer.headers
        except AiogenError as error:
            return error.with_traceback(None)
        except Exception as error:
            told = failure(error, request, provider.secret, watch=watch, seconds=timeout.total or 0.0, context=context)
            logger.debug("%s %s: %s", request.method, request.url, told)
            return told
        logger.debug("%s %s -> %d, %d bytes", request.method, request.url, status, len(body))
        return Response(
            status=status,
            headers=got,
            body=body,
            received_at=self.clock.wall(),
            request_id=got.get("X-Request-Id") or request_id,
        )

    async def _encoded(self, body: object) -> bytes | io.BytesIO:
        if _size(body) > _LARGE_BODY:
            # References in base64: encoding and sending megabytes in one piece would hold up the loop.
            return io.BytesIO(await self.threads.run(lambda: json.dumps(body).encode()))
        return json.dumps(body).encode()

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

    @property
    def reads(self) -> aiohttp.ClientSession:
        """The connections for everything but creates; made when first used.

        Raises:
            ConfigurationError: the caller's session is closed, or of another event loop.
        """
        given = self._usable(self._given, "client_session")
        if self._reads is None:
            if given is None:
                self._reads = sessions.own(self._connector(), sessions.way_of_environment())
            else:
                self._reads = sessions.over(given, sessions.way_of(given, "client_session"))
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
                self._creates = sessions.own(connector, way, traces=[send_trace()], alone=way is not None)
            else:
                way = sessions.way_of(given, "client_session")
                self._creates = sessions.over(given, way, traces=[send_trace()], alone=True)
        return self._creates

    @property
    def storage(self) -> aiohttp.ClientSession:
        """The connections to whoever keeps the files, without any key or header; raises like `reads`."""
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
        resolver = GuardedResolver(self.threads)
        return aiohttp.TCPConnector(limit=0, resolver=resolver, force_close=force_close, use_dns_cache=use_dns_cache)

    def _usable(self, given: aiohttp.ClientSession | None, argument: str) -> aiohttp.ClientSession | None:
        if given is not None:
            sessions.check_usable(given, argument)
        return given

    async def close(self) -> None:
        """Close what was opened here, and only that."""
        opened = [session for session in (self._reads, self._creates, self._storage) if session is not None]
        self._reads = self._creates = self._storage = None
        await asyncio.shield(asyncio.gather(*(session.close() for session in opened)))
        await asyncio.shield(self.threads.close())


def _size(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_size, value))
    return 8
