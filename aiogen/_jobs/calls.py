"""Calls that a caller waits for by itself: one reading, one page of a list, a delete, the account.

They share the account's budget with everything else, are repeated while that may help, and end when the session is
left.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import attrs

from aiogen._answers import outcomes, snapshots
from aiogen._answers.pages import Moved, Pager
from aiogen._engine.hub import Account, Hub
from aiogen._engine.poll import about_it, observe
from aiogen._jobs.tickets import ticket_of
from aiogen.catalogue import ModelInfo
from aiogen.errors import AiogenError, NotFound, ProtocolError, SessionClosed
from aiogen.exchange import Cancelled, Exchange, Page, Snapshot, Submission, Ticket
from aiogen.models import AccountInfo, Cost, Generation
from aiogen.providers.base import Provider
from aiogen.stores.base import RequestKind

T = TypeVar("T")
logger = logging.getLogger("aiogen")

_ROWS_AT_ONCE = 200
"""Generations of a page that are passed on together; no vendor's page has as many."""


def _moved_too_much(provider: Provider, moved: Moved) -> ProtocolError:
    return ProtocolError(
        f"What generations {provider.name} has cannot be determined from its list: {moved}. Read it again when fewer "
        "generations are created and deleted there.",
        provider=provider.facts.name,
        connection=provider.name,
    )


def _log_unread_rows(provider: Provider, problem: ProtocolError) -> None:
    text = "Rows of the list of %s cannot be read and are left out; the first is at %s."
    logger.warning(text, provider.name, problem.path)


class Calls:
    """The single calls of one session."""

    def __init__(self, hub: Hub, *, call_timeout: float) -> None:
        """`call_timeout`: seconds for one call, all attempts together."""
        self._hub = hub
        self._call_timeout = call_timeout
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._places: dict[str, asyncio.Semaphore] = {}
        self._readings: dict[str, set[Pager]] = {}
        """The lists that are being read, by account: what is deleted moves what they have still to read."""

    def close(self) -> list[asyncio.Task[Any]]:
        """End what is under way; the tasks that are to be waited for."""
        self._closed = True
        running = list(self._running)
        for call in running:
            call.cancel()
        return running

    async def get(self, provider: Provider, provider_id: str) -> Generation:
        """See `Session.get`."""
        hub = self._hub
        self._check(provider, provider_id)
        track = hub.tracked(provider, provider_id)
        ticket = track.ticket if track is not None else await ticket_of(hub, provider, provider_id)
        try:
            snapshot = await self._read(provider, lambda: about_it(provider.get(ticket), provider_id))
        except AiogenError as error:
            raise error.add_context(provider_id=provider_id) from error.__cause__
        if track is not None and hub.tracked(provider, provider_id) is track:
            await observe(hub, hub.account(provider), track, snapshot)
        known = track.jobs[0].generation if track is not None and track.jobs else None
        at = hub.clock.datetime()
        if known is not None:
            return snapshots.advanced(known, snapshot, snapshot.state, at)
        return snapshots.looked_up(provider, snapshot, at=at)

    async def whole(self, provider: Provider, provider_id: str) -> Generation:
        """Read it once with every output that the vendor has, also what the connection drops; its job hears nothing.

        Raises:
            NotFound: the provider does not know it.
        """
        self._check(provider, provider_id)
        reader, ticket = provider.with_every_output(), await ticket_of(self._hub, provider, provider_id)
        try:
            snapshot = await self._read(provider, lambda: about_it(reader.get(ticket), provider_id))
        except AiogenError as error:
            raise error.add_context(provider_id=provider_id) from error.__cause__
        return snapshots.looked_up(provider, snapshot, at=self._hub.clock.datetime())

    async def pages(
        self, provider: Provider, user_id: str | None, *, reader: Provider | None = None
    ) -> AsyncGenerator[tuple[Snapshot, ...], None]:
        """A user's generations, page by page, each once; by default of the owner of the key.

        What is deleted meanwhile, here or by others, hides none that was there at the start.  `reader`: the same
        connection with other choices, by which the answers are read.
        """
        self._check(provider)
        if user_id is None and provider.capabilities.list:
            user_id = await self._user_id(provider)
        pager = Pager(provider.capabilities.list_page)
        readings = self._readings.setdefault(provider.account, set())
        readings.add(pager)
        said = knows = False
        try:
            while not pager.is_over:
                page = await self._read(
                    provider, partial(_page, reader or provider, user_id, pager.offset, knows=knows)
                )
                knows = knows or any(page.rows)
                try:
                    found = [page.rows[i] for i in pager.read(page.names)]
                except Moved as moved:
                    raise _moved_too_much(provider, moved) from None
                if page.problem is not None and not said:
                    said = True
                    _log_unread_rows(provider, page.problem)
                try:
                    for i in range(0, len(found), _ROWS_AT_ONCE):
                        if some := tuple(row for row in found[i : i + _ROWS_AT_ONCE] if row is not None):
                            yield some
                finally:
                    del page
                    if len(found) > _ROWS_AT_ONCE:
                        with suppress(RuntimeError):  # the session has been closed
                            self._hub.transport.threads.start(found.clear)  # to free thousands takes long
        finally:
            readings.discard(pager)

    async def delete(self, provider: Provider, provider_id: str, *, missing_ok: bool) -> bool:
        """See `Session.delete`."""
        self._check(provider, provider_id)
        try:
            deleted = await self._read(provider, lambda: provider.delete(provider_id))
        except AiogenError as error:
            raise error.naming(provider_id) from error.__cause__
        for pager in self._readings.get(provider.account, ()):
            pager.removed(provider_id.lower())
        if not deleted.found and not missing_ok:
            raise NotFound(
                "Failed to delete generation. API error 404: Generation not found",
                status=404,
                details="Generation not found",
                provider=provider.facts.name,
                connection=provider.name,
            ).naming(provider_id)
        return deleted.found

    async def cancel(self, provider: Provider, ticket: Ticket) -> Cancelled:
        """Stop a generation at the vendor; to repeat that does no harm."""
        self._check(provider, ticket.provider_id)
        try:
            return await self._read(provider, lambda: provider.cancel(ticket))
        except AiogenError as error:
            raise error.naming(ticket.provider_id) from error.__cause__

    def _check(self, provider: Provider, provider_id: str | None = None) -> None:
        """Whether this session asks about generations at all."""
        if not self._hub.is_follower:
            raise outcomes.not_asked(provider.facts.name, provider.name, provider_id)

    async def account(self, provider: Provider) -> AccountInfo:
        """See `Session.account`."""
        account = await self._read(provider, provider.read_account)
        return attrs.evolve(account, window=self._hub.account(provider).window.figures(self._hub.clock.now()))

    async def models(self, provider: Provider) -> tuple[ModelInfo, ...]:
        """See `Session.models`."""
        return await self._read(provider, provider.models)

    async def quote(self, provider: Provider, submission: Submission) -> Cost | None:
        """What a create would cost, by the vendor or by its published prices; None if nobody knows."""
        if type(provider).quote is Provider.quote:
            return submission.estimate  # nobody has to be asked
        return await self._read(provider, lambda: provider.quote(submission))

    async def until_closed(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it, unless the session is left meanwhile, or was left while the caller waited for its turn."""
        if self._closed:
            work.close()
            raise SessionClosed("The session was closed before this call was sent.")
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if task.cancelled() and self._closed:
                raise SessionClosed("The session was closed while this call was in progress.") from None
            raise
        finally:
            self._running.discard(task)

    async def _user_id(self, provider: Provider) -> str | None:
        account = self._hub.account(provider)
        async with self._hub.looking_up(account):
            if account.user_id is None:
                account.user_id = (await self._read(provider, provider.read_account)).user_id
            return account.user_id

    async def _read(self, provider: Provider, make: Callable[[], Exchange[T]]) -> T:
        """A single read, within the account's budget, repeated while that may help."""
        hub = self._hub
        account, clock = hub.account(provider), hub.clock
        sent_at = clock.now()

        async def turn() -> None:
            nonlocal sent_at
            await hub.turn(account)
            sent_at = clock.now()

        def noted(error: AiogenError) -> None:
            hub.refused(account, error, RequestKind.REQUESTS, sent_at=sent_at)

        async with self._places_of(account):
            result = await self.until_closed(
                hub.transport.repeat(provider, make, timeout=self._call_timeout, before_each=turn, on_error=noted)
            )
        account.served()
        return result

    def _places_of(self, account: Account) -> asyncio.Semaphore:
        """Calls under way at once; creates and questions are counted by the account."""
        return self._places.setdefault(account.key, asyncio.Semaphore(self._hub.limits.max_in_flight))


def _page(provider: Provider, user_id: str | None, offset: int, *, knows: bool) -> Exchange[Page]:
    """One page of a list; `knows`: a row of that list could be read before.

    Raises:
        ProtocolError: none could, so the vendor writes its lists otherwise than this version knows.
    """
    page = yield from provider.list(user_id, offset, provider.capabilities.list_page)
    if page.problem is not None and not knows and not any(page.rows):
        raise page.problem
    return page
