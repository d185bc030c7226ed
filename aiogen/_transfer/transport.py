"""The only file that sends.  It performs an `Exchange` and decides nothing."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Generic, TypeVar
from uuid import uuid4

import aiohttp
import attrs
import backoff

from aiogen._clock import Clock
from aiogen._content.portions import LARGE
from aiogen._limits.retry import waits, worth_repeating
from aiogen._options import RequestOptions
from aiogen._safety.redact import redacted
from aiogen._safety.secret import Secret
from aiogen._transfer.bodies import encoded
from aiogen._transfer.clients import Clients
from aiogen._transfer.failures import SendWatch, failure, watching_send
from aiogen._transfer.permits import NotPermitted, Permit, under, withheld
from aiogen._transfer.threads import Threads
from aiogen._wording import duration
from aiogen.errors import AiogenError, NetworkError, ProtocolError
from aiogen.exchange import Exchange, Request, Response
from aiogen.providers.base import Provider

T = TypeVar("T")
logger = logging.getLogger("aiogen")

USER_AGENT = "aiogen-sdk"
_UNWATCHED = nullcontext()


class Transport:
    """Sends requests for one session, and reads their answers."""

    def __init__(
        self,
        clock: Clock,
        options: RequestOptions,
        *,
        client_session: aiohttp.ClientSession | None = None,
        download_session: aiohttp.ClientSession | None = None,
    ) -> None:
        self.clock = clock
        self._submit_timeout, self._read_timeout = (
            # Exact: aiohttp would round anything above five seconds up to whole ones.  Connecting ends first, for it
            # alone shows that nothing was sent.
            aiohttp.ClientTimeout(
                total=total, connect=min(options.connect_timeout, 0.9 * total), ceil_threshold=math.inf
            )
            for total in (options.submit_timeout, options.read_timeout)
        )
        self._max_answer_bytes = options.max_answer_bytes
        self._read_attempts = options.read_attempts
        self.threads = Threads()
        """For whatever would hold up the event loop."""
        self.clients = Clients(self.threads, client_session, download_session)
        """The connections."""
        self.sent = 0
        """Requests sent so far."""
        self.permits: Callable[[], Permit] = lambda: _always
        """Makes the permit of a request that is decided now, and is given none."""

    async def perform(
        self,
        provider: Provider,
        exchange: Exchange[T],
        *,
        before_each: Callable[[], Awaitable[None]] | None = None,
        permit: Permit | None = None,
    ) -> T:
        """Drive the exchange to its result; `before_each` is awaited before each request.

        `permit`: of the decision to perform it; by default each request is decided when its turn has come.

        Raises:
            APIError, ProtocolError: from the exchange.
            NetworkError: no answer came; `Withheld` if its permit does not hold any more, and a request was not sent.
        """
        with self._reading(provider, exchange):
            try:
                request = next(exchange)
            except StopIteration as stop:
                known: T = stop.value
                return known
            return await self._rest(provider, exchange, request, before_each or _at_once, permit)

    async def poll(
        self,
        provider: Provider,
        exchange: Exchange[T],
        previous: int | None,
        *,
        before_more: Callable[[], Awaitable[None]],
        permit: Permit | None = None,
    ) -> tuple[T | None, int | None]:
        """Perform an exchange of reads, and read its first answer only if that is not the same as the previous one.

        `previous` is the number that came with that one.  Most answers say "not yet" in the same bytes, so they need
        not be read again: the result is then None.  Only an answer that was enough by itself has a number: one after
        which more was asked says nothing about what that would say now.
        `before_more` is awaited before each request but the first.  `permit`: see `perform`.

        Raises: the same as `perform`.
        """
        number: int | None = None
        with self._reading(provider, exchange):
            try:
                response, number = await self._answered(next(exchange), provider, previous, permit)
                if response is None:
                    return None, number
            except StopIteration as stop:
                return stop.value, number
            step = await self._told(exchange, response)
            if isinstance(step, _Result):
                return step.value, number
            return await self._rest(provider, exchange, step, before_more, permit), None

    async def _rest(
        self,
        provider: Provider,
        exchange: Exchange[T],
        request: Request,
        before_each: Callable[[], Awaitable[None]],
        permit: Permit | None,
    ) -> T:
        """The result of an exchange that goes on with this request."""
        step: Request | _Result[T] = request
        while not isinstance(step, _Result):
            await before_each()
            step = await self._told(exchange, await self._send(step, provider, permit))
        return step.value

    async def _told(self, exchange: Exchange[T], response: Response) -> Request | _Result[T]:
        """What the exchange says to this answer; a large one is read in a thread."""
        if len(response.body) <= LARGE:
            return _advanced(exchange, response)
        reading = self.threads.start(_advanced, exchange, response)
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            while not reading.done():  # what runs cannot be closed
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([reading])
            raise

    @contextmanager
    def _reading(self, provider: Provider, exchange: Exchange[T]) -> Iterator[None]:
        try:
            yield
        except AiogenError as error:
            error.add_context(provider=provider.facts.name, connection=provider.name)
            raise
        except Exception as error:
            # A shape that the provider file did not foresee.  It must not leave a waiter waiting, nor end a paid job.
            logger.exception("The answer of %s could not be read", provider.facts.name)
            raise ProtocolError(
                f"The answer of {provider.facts.name} could not be read: {type(error).__name__}: {error}",
                provider=provider.facts.name,
                connection=provider.name,
            ) from error
        finally:
            exchange.close()

    async def repeat(
        self,
        provider: Provider,
        make: Callable[[], Exchange[T]],
        *,
        timeout: float,
        before_each: Callable[[], Awaitable[None]] | None = None,
        on_error: Callable[[AiogenError], None] | None = None,
    ) -> T:
        """Perform an exchange of reads, again from its start while that may help: `read_attempts` times at most.

        It ends within `timeout` seconds, and does not begin to wait for what would take longer.  `before_each` is
        awaited before each request; `on_error` is called with each error.
        """
        last: AiogenError | None = None

        async def once() -> T:
            try:
                return await self.perform(provider, make(), before_each=before_each)
            except AiogenError as error:
                nonlocal last
                last = error
                if on_error is not None:
                    on_error(error)
                raise

        # jitter=None: ours is inside `waits`, and backoff's would undercut Retry-After.
        again = backoff.on_exception(
            lambda: waits(draw=random.uniform),
            AiogenError,
            max_tries=self._read_attempts,
            giveup=lambda error: not worth_repeating(error, timeout),
            jitter=None,
            logger=None,
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                return await again(once)()
        raise last or NetworkError(
            f"{provider.name} could not be asked within {duration(timeout)}: this account has to wait.",
            sent=False,
            provider=provider.facts.name,
            connection=provider.name,
        )

    async def _send(self, request: Request, provider: Provider, permit: Permit | None) -> Response:
        response, _ = await self._answered(request, provider, None, permit)
        assert response is not None
        return response

    async def _answered(
        self, request: Request, provider: Provider, previous: int | None, permit: Permit | None
    ) -> tuple[Response | None, int]:
        """The answer and its number; None instead of an answer whose number is the previous one."""
        outcome = await self._outcome(request, provider, permit or self.permits())
        if isinstance(outcome, AiogenError):
            raise outcome  # from here, where no local is of the request's inside
        if len(outcome.body) > LARGE:
            return await self.threads.run(_looked_at, outcome, provider.secrets, previous)
        return _looked_at(outcome, provider.secrets, previous)

    async def _outcome(self, request: Request, provider: Provider, permit: Permit) -> Response | AiogenError:
        """The answer as it came, or the error to raise."""
        if not permit():
            return withheld()
        is_create = request.verb == "create"
        timeout = self._submit_timeout if is_create else self._read_timeout
        request_id = str(uuid4()) if provider.facts.sends_request_id else None
        headers = {"User-Agent": USER_AGENT, **request.headers}
        if request_id is not None:
            headers["X-Request-Id"] = request_id
        self.sent += 1
        context = {"provider": provider.facts.name, "connection": provider.name, "request_id": request_id}
        watch: SendWatch | None = None
        try:
            body = None if request.body is None else await encoded(request.body, self.threads)
            if body is not None and body.content_type is not None:
                headers["Content-Type"] = body.content_type
            with watching_send() if is_create else _UNWATCHED as watch, under(permit):
                session = self.clients.creates if is_create else self.clients.reads
                async with session.request(
                    request.method,
                    request.url,
                    params=request.query or None,
                    data=None if body is None else body.data,
                    headers=headers,
                    allow_redirects=False,  # a key never follows a redirect
                    timeout=timeout,
                ) as answer:
                    content = await self._read(answer, request, context)
                    status, got = answer.status, answer.headers
        except AiogenError as error:
            return error.with_traceback(None)
        except NotPermitted:
            self.sent -= 1
            return withheld()
        except Exception as error:
            broken = failure(
                error, request, provider.secrets, watch=watch, seconds=timeout.total or 0.0, context=context
            )
            logger.debug("%s %s: %s", request.method, request.url, broken)
            return broken
        logger.debug("%s %s -> %d, %d bytes", request.method, request.url, status, len(content))
        return Response(
            status=status,
            headers=got,
            body=content,
            received_at=self.clock.wall(),
            request_id=got.get("X-Request-Id") or request_id,
        )

    async def _read(self, answer: aiohttp.ClientResponse, request: Request, context: dict[str, str | None]) -> bytes:
        length = answer.content_length
        is_small = length is not None and length <= min(LARGE, self._max_answer_bytes)
        if is_small and "Content-Encoding" not in answer.headers:
            return await answer.read()  # compressed bytes are counted as they are unpacked
        chunks: list[bytes] = []
        size = 0
        async for chunk in answer.content.iter_any():
            size += len(chunk)
            if size > self._max_answer_bytes:
                answer.close()
                raise ProtocolError(
                    f"The answer to {request.verb!r} (HTTP {answer.status}) is larger than "
                    f"{self._max_answer_bytes:,} bytes; the rest was not read.",
                    status=answer.status,
                    path="$",
                    **context,
                )
            chunks.append(chunk)
        if len(chunks) == 1:
            return chunks[0]
        return b"".join(chunks) if size <= LARGE else await self.threads.run(b"".join, chunks)

    async def close(self) -> None:
        """Close what was opened here, and only that."""
        await asyncio.shield(self.clients.close())
        await asyncio.shield(self.threads.close())


@attrs.frozen
class _Result(Generic[T]):
    """What an exchange has come to."""

    value: T


def _advanced(exchange: Exchange[T], response: Response) -> Request | _Result[T]:
    try:
        return exchange.send(response)
    except StopIteration as stop:
        return _Result(stop.value)


def _looked_at(answer: Response, secrets: Iterable[Secret], previous: int | None) -> tuple[Response | None, int]:
    """The answer without any key in it, and its number; None instead of one whose number is the previous one."""
    body: bytes | int = answer.body
    if len(answer.body) > LARGE:  # the digest lets other threads run
        body = int.from_bytes(hashlib.blake2b(answer.body, digest_size=16).digest())
    number = hash((answer.status, body))
    if number == previous:
        return None, number
    for secret in secrets:
        answer = redacted(secret, answer)
    return answer, number


async def _at_once() -> None:
    """Nothing to wait for."""


def _always() -> bool:
    """Nothing can have happened to what it is about."""
    return True
