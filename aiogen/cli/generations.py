"""The commands about generations: generate, wait, get, list, delete, download."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiogen import Generation, Session
from aiogen.cli.board import Board
from aiogen.cli.exits import Exit, exit_of, explain, gravest
from aiogen.cli.following import follow, open_until_left, saved
from aiogen.cli.results import Ending, conclude, looked_up, show
from aiogen.cli.terminal import Terminal
from aiogen.errors import AiogenError, GenerationFailed
from aiogen.models import State
from aiogen.providers.base import check_id, check_number


async def generate(
    terminal: Terminal,
    session: Session,
    model: str,
    prompt: str,
    params: Mapping[str, Any],
    *,
    count: int,
    out: Path | None,
    timeout: float | None,
    poll_cost: float | None,
    group: str | None = None,
) -> Exit:
    """Submit, follow, save; `group` is the batch that the ledger knows them by."""
    check_number(count, "--count", 1, 1000)
    async with open_until_left(terminal, session) as batch:
        for _ in range(count):
            batch.jobs.append(
                await session.submit(model, prompt, timeout=timeout, poll_cost=poll_cost, batch=group, **params)
            )
        await follow(session, batch, Board(terminal, batch.jobs), out=out, ended=teller(terminal))
    return shown(terminal, batch.in_order())


async def wait(
    terminal: Terminal,
    session: Session,
    connection: str,
    ids: Sequence[str],
    *,
    timeout: float | None,
    poll_cost: float | None,
) -> Exit:
    """Follow generations that were made before, or elsewhere."""
    async with open_until_left(terminal, session) as batch:
        for provider_id in dict.fromkeys([check_id(i) for i in ids]):
            batch.jobs.append(await session.attach(connection, provider_id, timeout=timeout, poll_cost=poll_cost))
        await follow(session, batch, Board(terminal, batch.jobs), ended=teller(terminal))
    return shown(terminal, batch.in_order())


async def get(terminal: Terminal, session: Session, connection: str, ids: Sequence[str]) -> Exit:
    """Read each once, as it stands now."""

    async def read(provider_id: str) -> Ending:
        return looked_up(await session.get(connection, provider_id))

    return await _each(terminal, session, connection, ids, read)


async def download(
    terminal: Terminal, session: Session, connection: str, ids: Sequence[str], *, out: Path, overwrite: bool
) -> Exit:
    """Save the outputs of completed generations."""

    async def save(provider_id: str) -> Ending:
        generation = await session.get(connection, provider_id)
        if generation.state is State.FAILED:
            return Ending(
                connection=connection,
                provider_id=generation.provider_id,
                generation=generation,
                error=GenerationFailed.of(generation),
            )
        return await saved(session, generation, out, overwrite=overwrite)

    return await _each(terminal, session, connection, ids, save)


async def list_(terminal: Terminal, session: Session, connection: str, *, limit: int, user_id: str | None) -> Exit:
    """The user's generations at a provider."""
    found: list[Generation] = []
    async with session:
        async for generation in session.list(connection, user_id=user_id, limit=limit):
            found.append(generation)
            if terminal.as_json:
                terminal.record(looked_up(generation).record())
    if not found:
        terminal.say("There are no generations.")
    elif not terminal.as_json:
        rows = [_row(generation) for generation in found]
        terminal.table(("id", "state", "created", "model", "prompt"), rows, whole=("id", "state"))
    if len(found) == limit:
        terminal.say(f"These are the first {limit}; --limit gives more.")
    return Exit.OK


def _row(generation: Generation) -> tuple[str, ...]:
    created = f"{generation.created_at:%Y-%m-%d %H:%M}" if generation.created_at is not None else "-"
    prompt = " ".join((generation.prompt or "").split())
    return generation.provider_id or "-", generation.state, created, generation.model or "-", prompt


async def delete(
    terminal: Terminal, session: Session, connection: str, ids: Sequence[str], *, missing_ok: bool
) -> Exit:
    """Delete each at the provider; `confirmed` was asked before."""
    exits = []
    async with session:
        for provider_id in dict.fromkeys(ids):
            try:
                was_there = await session.delete(connection, provider_id, missing_ok=missing_ok)
            except AiogenError as error:
                terminal.complain(explain(error))
                exits.append(exit_of(error))
                was_there = False
            else:
                exits.append(Exit.OK)
                if not terminal.as_json:
                    terminal.line(f"{'deleted' if was_there else 'was not there'}\t{connection}\t{provider_id}")
            if terminal.as_json:
                terminal.record({"connection": connection, "provider_id": provider_id, "deleted": was_there})
    return gravest(exits)


def confirmed(terminal: Terminal, connection: str, count: int) -> bool:
    """Ask on the terminal whether to delete; without one there is nobody to ask."""
    what = f"{count} generations" if count > 1 else "1 generation"
    if not sys.stdin.isatty():
        terminal.complain(f"To delete {what} at {connection} without a terminal to ask on, pass --yes.")
        return False
    if terminal.ask(f"Delete {what} at {connection}, with the images, for good?"):
        return True
    terminal.say("Nothing was deleted.")
    return False


# --- what they share


async def _each(
    terminal: Terminal,
    session: Session,
    connection: str,
    ids: Sequence[str],
    work: Callable[[str], Awaitable[Ending]],
) -> Exit:
    """Do the same for every id, side by side; trouble with one does not keep the others."""
    session.connections.find(connection)
    tell = teller(terminal)

    async def one(provider_id: str) -> Ending:
        try:
            ending = await work(provider_id)
        except AiogenError as error:
            ending = Ending(connection=connection, provider_id=provider_id, error=error)
        tell(ending)
        return ending

    async with session:
        endings = await asyncio.gather(*(one(provider_id) for provider_id in dict.fromkeys(ids)))
    return shown(terminal, endings)


def teller(terminal: Terminal) -> Callable[[Ending], None]:
    """For programs each ending is written as it comes; people get all of them at the end."""
    return lambda ending: terminal.record(ending.record()) if terminal.as_json else None


def shown(terminal: Terminal, endings: Sequence[Ending]) -> Exit:
    if not terminal.as_json:
        show(terminal, endings)
    return conclude(terminal, endings)
