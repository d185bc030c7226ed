"""`aiogen db copy`, `reopen` and `restored`: a ledger moves into a database, or comes back, and what is said of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from aiogen.cli.exits import Exit
from aiogen.cli.terminal import Terminal
from aiogen.models import State
from aiogen.stores.choosing import postgres_store
from aiogen.stores.sqlite import leaving

_SAID_EVERY = 2.0
"""Seconds between two lines about how far it has come."""
_NOUNS = {"job": "jobs", "delivery": "deliveries", "spent": "minutes of spending"}
"""The tables that may be long."""


@attrs.define
class Progress:
    """Says how far the copying has come, now and then."""

    _say: Callable[[str], None]
    _now: Callable[[], float] = time.monotonic
    _said_at: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._said_at = self._now()

    def __call__(self, table: str, done: int, total: int) -> None:
        """See `stores.moving.Progress`."""
        now = self._now()
        if table not in _NOUNS or not total or now < self._said_at + _SAID_EVERY:
            return
        self._said_at = now
        self._say(f"Copied {done:,} of {total:,} {_NOUNS[table]}.")


def counted(counts: Mapping[str, int]) -> str:
    """Jobs by state, in the order of a job's life."""
    order = [str(state) for state in State]
    known = sorted(counts, key=lambda state: order.index(state) if state in order else len(order))
    return ", ".join(f"{counts[state]:,} {state}" for state in known) or "no jobs"


async def copy(terminal: Terminal, path: Path, url: str, schema: str | None) -> Exit:
    """Move it, and say what to do next."""
    postgres_store()  # which says what is not installed
    from aiogen.stores.moving import move

    try:
        moved = await move(path, url, schema=schema, progress=Progress(terminal.say))
    except asyncio.CancelledError:
        terminal.say("Interrupted; the same command goes on with the move.")
        raise
    if terminal.as_json:
        terminal.record({"event": "moved", "to": moved.to, "jobs": moved.jobs, "states": dict(moved.counts)})
    if moved.was_done:
        terminal.say(f"{path} was moved to {moved.to} before. There now: {counted(moved.counts)}.")
    else:
        terminal.say(f"{moved.jobs:,} jobs are in {moved.to} now: {counted(moved.counts)}.")
    if not moved.was_done and (unknown := moved.counts.get(State.UNKNOWN)):
        terminal.say(f"Of {unknown:,} nobody knows whether they were created; they are not sent again by themselves.")
    namespace = "" if schema is None else f", with ?search_path={schema} behind it"
    terminal.say(f"Next: start your programs with that url as their store (AIOGEN_STORE){namespace}.")
    terminal.say(f"{path} is closed for good, and may be deleted, with -wal, -shm and -epoch beside it.")
    return Exit.OK


async def reopen(terminal: Terminal, path: Path) -> Exit:
    """Give a move up."""
    to = await leaving.reopen(path)
    terminal.say(f"{path} is open again, and was not moved to {to}, where nothing is left of it.")
    return Exit.OK


async def restored(terminal: Terminal, url: str, schema: str | None) -> Exit:
    """What waited is not sent again."""
    postgres_store()
    from aiogen.stores.postgres import restored

    place, count = await restored.hold(url, schema=schema)
    if terminal.as_json:
        terminal.record({"event": "restored", "ledger": place, "unknown": count})
    if count:
        terminal.say(
            f"{count:,} jobs that waited in {place} are unknown now: they may have been sent since the backup."
        )
    else:
        terminal.say(f"Nothing waited in {place}.")
    return Exit.OK
