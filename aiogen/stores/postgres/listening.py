"""Hearing of what other processes have written: LISTEN on a connection of its own, or a look twice a second.

A notice that was sent while this connection was lost is lost, too: so after each connecting everything that is watched
is read, and now and then without any reason.  Behind a pooler that shares sessions nothing is ever heard; that is found
out by a notice to oneself.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiogen.stores.postgres import notices
from aiogen.stores.postgres.database import Raw

logger: logging.Logger = logging.getLogger("aiogen")

_GATHERED = 0.1
"""Seconds from one hint that others have written to the next, where they write all the time."""
_LOOKS_EVERY = 0.5
"""Seconds between two such hints while nothing is heard."""
_CHECKED_EVERY = 15.0
"""Seconds between two questions whether the connection still hears."""
_ANSWERS_WITHIN = 2.0
"""Seconds for such a question."""
_BEGINS_WITHIN = 10.0
_AGAIN = (0.2, 5.0)
"""Seconds between two tries to connect: the first, and at most."""
_MOST = 20_000
"""Jobs of which it is remembered that they have changed."""


class Listener:
    """Listens for one store to what other processes have written."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Raw]],
        release: Callable[[Raw], Awaitable[None]],
        send: Callable[[str], Awaitable[None]],
        channel: str,
        name: str,
    ) -> None:
        """`send` sends a notice over another connection; `name`: who this store is in notices."""
        self._connect = connect
        self._release = release
        self._send = send
        self._channel = channel
        self._name = name
        self._raw: Raw | None = None
        self._task: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._heard_itself = asyncio.Event()
        self._news = asyncio.Event()
        self._told_at = -math.inf
        """When it was last said that others have written."""
        self._changed: set[str] = set()
        self._is_of_all = True
        self.is_live: bool = False
        """Whatever others commit is heard."""
        self._was_told = False

    async def start(self) -> None:
        """Connect; if that fails, it is tried again and again."""
        try:
            await self._begin()
        except Exception as error:
            await self._let_go(error)
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Hear nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._let_go(None)

    # --- what was heard

    async def wait(self, timeout: float) -> bool:
        """See `Store.wait_for_news`."""
        clock = asyncio.get_running_loop().time
        until = clock() + timeout
        if timeout <= 0.0:
            await self.sync()
            if self._news.is_set():
                return self._say(clock())
            return not self.is_live and clock() >= self._told_at + _LOOKS_EVERY and self._say(clock())
        while True:
            next_at = self._told_at + (_GATHERED if self.is_live else _LOOKS_EVERY)
            if next_at > clock():
                await asyncio.sleep(min(next_at, until) - clock())
                if clock() < next_at:
                    return False
            if not self.is_live:
                return self._say(clock())
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._news.wait()
            if self._news.is_set():
                return self._say(clock())
            if clock() >= until:
                return False

    def _say(self, now: float) -> bool:
        self._told_at = now
        self._news.clear()
        return True

    async def sync(self) -> None:
        """Whatever was committed before this is called is heard after it."""
        raw = self._raw
        if raw is None:
            return
        try:
            await raw.execute("SELECT 1", timeout=_ANSWERS_WITHIN)
        except Exception:
            self._hang_up()

    def take(self) -> set[str] | None:
        """Which jobs have changed since this was last asked; None if it is not known."""
        changed, self._changed = self._changed, set()
        is_of_all, self._is_of_all = self._is_of_all or not self.is_live, False
        return None if is_of_all else changed

    def forget(self) -> None:
        """What was taken could not be read: it is not known what has changed."""
        self._is_of_all = True

    # --- the connection

    async def _keep(self) -> None:
        pause = _AGAIN[0]
        while True:
            try:
                if self._raw is None:
                    await self._begin()
                pause = _AGAIN[0]
                with suppress(TimeoutError):
                    async with asyncio.timeout(_CHECKED_EVERY):
                        await self._lost.wait()
                if self._lost.is_set():
                    raise ConnectionError("the connection was closed")
                await self._check()
            except Exception as error:
                await self._let_go(error)
                await asyncio.sleep(pause)
                pause = min(2.0 * pause, _AGAIN[1])

    async def _begin(self) -> None:
        raw = await self._connect()
        self._lost.clear()
        self._raw = raw
        raw.add_termination_listener(self._ended)
        async with asyncio.timeout(_BEGINS_WITHIN):
            await raw.add_listener(self._channel, self._hear)
        await self._check()
        # Now, and not before it listened: what was written in between would be in neither.
        self._hint(everything=True)

    async def _check(self) -> None:
        """Raises TimeoutError where this connection says nothing any more."""
        assert self._raw is not None
        self._heard_itself.clear()
        await self._send(notices.echo(self._name))
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN):
                await self._heard_itself.wait()
        except TimeoutError:
            await self._raw.execute("SELECT 1", timeout=_ANSWERS_WITHIN)
            if self.is_live:  # it has heard before: perhaps it leads to a server that another one has replaced
                raise ConnectionError("nothing is heard any more") from None
            if not self._was_told:
                logger.warning(
                    "No notifications of what other processes write arrive (LISTEN), as behind a pooler that shares "
                    "sessions; the ledger is read twice a second instead. A direct connection (listen_dsn) is faster."
                )
            self.is_live, self._was_told = False, True
        else:
            self.is_live = True

    async def _let_go(self, error: Exception | None) -> None:
        raw, self._raw, self.is_live = self._raw, None, False
        if error is not None:
            logger.debug(
                "The connection that listens for the ledger's notifications is lost; aiogen connects again: %r", error
            )
            self._hint(everything=True)
        if raw is not None:
            with suppress(Exception):
                async with asyncio.timeout(_ANSWERS_WITHIN):
                    raw.remove_termination_listener(self._ended)
                    await raw.remove_listener(self._channel, self._hear)
            await self._release(raw)

    def _ended(self, raw: Raw) -> None:
        if raw is self._raw:
            self._hang_up()

    def _hang_up(self) -> None:
        self.is_live = False
        self._lost.set()
        self._hint(everything=True)

    def _hear(self, raw: Raw, pid: int, channel: str, text: object) -> None:
        notice = notices.read(str(text))
        if notice.by == self._name:
            self._heard_itself.set()
        if notice.by == self._name or notice.is_echo:
            return
        self._changed.update(notice.job_ids)
        self._hint(everything=notice.is_of_all or len(self._changed) > _MOST)

    def _hint(self, *, everything: bool) -> None:
        if everything:
            self._is_of_all = True
            self._changed.clear()
        self._news.set()
