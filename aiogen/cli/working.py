"""The command worker: sends and follows what other processes have submitted, until it is to stop."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from aiogen import Job, Session
from aiogen._wording import duration
from aiogen.cli import ledgers
from aiogen.cli.exits import Exit
from aiogen.cli.health import HealthFile
from aiogen.cli.options import connected, no_connection
from aiogen.cli.terminal import Terminal
from aiogen.errors import ConfigurationError, StoreError
from aiogen.models import State
from aiogen.providers import registry

_LOOKS_EVERY = 1.0
"""Seconds between two looks at how the worker stands, and two touches of the health file."""
_CONNECTS_EVERY = 5.0
"""Seconds between two looks for jobs of connections that are there only once they are named."""
_UNFINISHED = (State.PENDING, State.SUBMITTING, State.QUEUED, State.PROCESSING)
_NEWEST = 500
"""Unfinished jobs that are looked at for their connections."""


@attrs.frozen(kw_only=True)
class Duty:
    """How a worker works."""

    connections: tuple[str, ...] = ()
    """Those that are there only once they are named."""
    health: Path | None = None
    grace: float = 25.0
    """Seconds for which creates on their way are waited for at the end."""
    every: float = 60.0
    """Seconds between two lines about what it does."""


@attrs.define(eq=False)
class _Tally:
    """What this worker has taken up, and what came of it."""

    _running: list[Job] = attrs.field(factory=list)
    _over: Counter[State] = attrs.field(factory=Counter)
    _said: dict[str, int] = attrs.field(factory=lambda: {"waiting": 0, "running": 0})

    async def look(self, session: Session) -> None:
        """What is new, and what is over."""
        self._running += await session.resume()
        self._over.update(job.state for job in self._running if job.done)
        self._running = [job for job in self._running if not job.done]

    def leave(self) -> list[str]:
        """The session is closed: those of whose creates nobody knows what came of them; the others are left."""
        unknown = [job.id for job in self._running if job.state is State.UNKNOWN]
        self._running = [job for job in self._running if not job.state.is_terminal and job.id not in unknown]
        return unknown

    def counts(self) -> dict[str, int]:
        """How many wait and run now, and how many ended how since it began."""
        waiting = sum(job.provider_id is None for job in self._running)
        ended = {str(state): self._over[state] for state in State if self._over[state]}
        return {"waiting": waiting, "running": len(self._running) - waiting, **ended}

    def news(self) -> dict[str, int] | None:
        """The same, if it is not what was said before."""
        before, self._said = self._said, self.counts()
        return None if before == self._said else self._said

    @property
    def submitting(self) -> int:
        """Creates on their way."""
        return sum(job.state is State.SUBMITTING for job in self._running)


async def work(terminal: Terminal, session: Session, duty: Duty, stop: asyncio.Event) -> Exit:
    """Follow everything on the ledger; then let what is on its way be answered, and leave the rest to others.

    Raises:
        ConfigurationError: no connection is configured, and the ledger names none.
        InputError: the health file cannot be written.
        StoreError: the ledger cannot be opened.
    """
    for name in duty.connections:
        await asyncio.to_thread(connected, session, name)
    health = HealthFile(duty.health)
    connecting = _Connecting(terminal, session)
    await session.__aenter__()
    try:
        await connecting.look()
        if not len(session.connections):
            raise ConfigurationError(no_connection())
        await health.begin()
        _began(terminal, session)
        tally = _Tally()
        await _until_stopped(terminal, session, duty, stop, tally, health, connecting)
        return await _drain(terminal, session, duty, tally)
    finally:
        try:
            await session.close()
        finally:
            await health.end()


async def _until_stopped(
    terminal: Terminal,
    session: Session,
    duty: Duty,
    stop: asyncio.Event,
    tally: _Tally,
    health: HealthFile,
    connecting: _Connecting,
) -> None:
    clock = asyncio.get_running_loop().time
    tell_at, connect_at = clock(), clock() + _CONNECTS_EVERY
    while not stop.is_set():
        if session.is_ready:
            await health.touch()
        await tally.look(session)
        if clock() >= connect_at:
            connect_at = clock() + _CONNECTS_EVERY
            await connecting.look()
        if clock() >= tell_at:
            tell_at = clock() + duty.every
            _tell(terminal, tally)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOKS_EVERY):
                await stop.wait()


async def _drain(terminal: Terminal, session: Session, duty: Duty, tally: _Tally) -> Exit:
    """Take nothing new, and wait for what is on its way, for the grace time at most."""
    await tally.look(session)
    _tell(terminal, tally)
    _say(terminal, "stopping", f"Stopping: {_sending(tally.submitting)}.", submitting=tally.submitting)
    is_over = True
    try:
        async with asyncio.timeout(duty.grace):
            await session.close()
    except TimeoutError:
        is_over = False
    unknown = tally.leave()
    left = {key: count for key, count in tally.counts().items() if key in ("waiting", "running")}
    _say(
        terminal,
        "stopped",
        f"Stopped. {left['waiting']} that wait and {left['running']} that run are in the ledger, for the next worker.",
        **left,
        unknown=len(unknown),
    )
    if is_over or not unknown:
        return Exit.OK
    terminal.complain(
        f"{_submissions(len(unknown), 'was', 'were')} not answered within {duration(duty.grace)} (--grace), and may "
        f"run and be charged: {', '.join(unknown[:20])}. See: {terminal.command('reconcile')}"
    )
    return Exit.UNKNOWN


class _Connecting:
    """Connections that need no key, or come from other packages, are there only once somebody names them."""

    def __init__(self, terminal: Terminal, session: Session) -> None:
        self._terminal = terminal
        self._session = session
        self._names: set[str] = set()
        self._missing: set[str] = set()
        """Those whose key is not here."""

    async def look(self) -> None:
        """Whether there are jobs of one that is not there yet."""
        session = self._session
        with suppress(StoreError):  # which the session's log says
            found = await session.records(states=_UNFINISHED, limit=_NEWEST)
            self._names = {record.connection for record in found if record.owner is None}
        for name in sorted(self._names - set(session.connections) - self._missing):
            try:
                await asyncio.to_thread(registry.find, name)  # it may have to be imported
                session.connections.find(name)
            except ConfigurationError as error:
                self._missing.add(name)
                self._terminal.complain(f"Jobs of {name} wait, and this worker cannot send them: {error}")


def _began(terminal: Terminal, session: Session) -> None:
    place, names = ledgers.place(session.store), list(session.connections)
    _say(terminal, "started", f"Follows the jobs of {place} at {', '.join(names)}.", store=place, connections=names)


def _tell(terminal: Terminal, tally: _Tally) -> None:
    counts = tally.news()
    if counts is not None:
        text = ", ".join(f"{count} {what}" for what, count in counts.items())
        _say(terminal, "working", f"{text}.", **counts)


def _say(terminal: Terminal, event: str, text: str, **facts: Any) -> None:
    if terminal.as_json:
        terminal.record({"event": event, **facts})
    else:
        terminal.say(text)


def _sending(count: int) -> str:
    if not count:
        return "nothing is on its way"
    return f"{_submissions(count, 'is', 'are')} on {'its' if count == 1 else 'their'} way"


def _submissions(count: int, one: str, many: str) -> str:
    return f"1 submission {one}" if count == 1 else f"{count} submissions {many}"
