"""The commands about generations: generate, wait, get, list, delete, download."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiogen import Generation, Session
from aiogen._checks import check_id, check_number
from aiogen.cli.board import Board
from aiogen.cli.exits import Exit, exit_of, gravest
from aiogen.cli.figures import age, money
from aiogen.cli.finding import provider_ids, whole_only
from aiogen.cli.following import follow, open_until_left, saved
from aiogen.cli.places import Place
from aiogen.cli.program import command
from aiogen.cli.records import error_as_json
from aiogen.cli.results import STYLES, Ending, conclude, looked_up, named, show
from aiogen.cli.tables import Row
from aiogen.cli.terminal import Terminal
from aiogen.errors import AiogenError, GenerationFailed
from aiogen.models import State

if TYPE_CHECKING:
    from aiogen.cli.ledgers import Ledger


async def generate(
    terminal: Terminal,
    session: Session,
    model: str,
    prompt: str,
    params: Mapping[str, Any],
    *,
    count: int,
    out: Place | None,
    timeout: float | None,
    poll_cost: float | None,
    group: str | None = None,
    key: str | None = None,
    scope: str = "",
    retry: bool = False,
    priority: str | None = None,
) -> Exit:
    """Submit, follow, save; `group` is the batch that the ledger knows them by."""
    check_number(count, "--count", 1, 1000)
    async with open_until_left(terminal, session, out=out) as batch:
        rank: Any = int(priority) if priority is not None and priority.isdecimal() else priority
        for i in range(count):
            name = key if key is None or count == 1 else f"{key}/{i + 1}"
            batch.jobs.append(
                await session.submit(
                    model,
                    prompt,
                    timeout=timeout,
                    poll_cost=poll_cost,
                    batch=group,
                    key=name,
                    scope=scope,
                    retry=retry,
                    priority=rank,
                    **params,
                )
            )
        await follow(session, batch, Board(terminal, batch.jobs), ended=record_writer(terminal))
    return shown(terminal, batch.in_order())


async def wait(
    terminal: Terminal,
    session: Session,
    connection: str,
    ids: Sequence[str],
    *,
    out: Place | None,
    timeout: float | None,
    poll_cost: float | None,
    known: Ledger | None,
) -> Exit:
    """Follow generations made before, or by other programs; `known` is the ledger in which ids are looked up."""
    ids = await provider_ids(known, connection, [check_id(i) for i in ids], terminal.say)
    async with open_until_left(terminal, session, out=out) as batch:
        for provider_id in ids:
            batch.jobs.append(await session.attach(connection, provider_id, timeout=timeout, poll_cost=poll_cost))
        await follow(session, batch, Board(terminal, batch.jobs), ended=record_writer(terminal))
    return shown(terminal, batch.in_order())


async def get(
    terminal: Terminal, session: Session, connection: str, ids: Sequence[str], *, known: Ledger | None
) -> Exit:
    """Read the present state of each, once."""
    ids = await provider_ids(known, connection, ids, terminal.say)

    async def read(provider_id: str) -> Ending:
        return looked_up(await session.get(connection, provider_id))

    return await _each(terminal, session, connection, ids, read)


async def download(
    terminal: Terminal,
    session: Session,
    connection: str,
    ids: Sequence[str],
    *,
    out: Place,
    overwrite: bool,
    known: Ledger | None,
) -> Exit:
    """Save the outputs of completed generations."""
    ids = await provider_ids(known, connection, ids, terminal.say)

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

    try:
        return await _each(terminal, session, connection, ids, save)
    except asyncio.CancelledError:
        terminal.say("Interrupted. Files that were saved are kept; continue with:")
        terminal.say(f"  {command('download', connection, *ids, '--out', str(out.path))}")
        raise


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
        table(terminal, found, datetime.now(UTC))
    if len(found) == limit:
        terminal.say(f"These are the first {limit}; --limit shows more.")
    return Exit.OK


def table(terminal: Terminal, found: Sequence[Generation], now: datetime) -> None:
    """Generations as they are listed, for people: a row each on a terminal, a line each on a pipe."""
    if not terminal.out.is_terminal:
        for g in found:
            created = f"{g.created_at:%Y-%m-%d %H:%M}" if g.created_at is not None else "-"
            terminal.columns([g.provider_id or "-", g.state, created, g.model or "-", g.prompt or ""])
        return
    # Ids are shown whole: the ledger may know none of these by its beginning.
    terminal.listing(
        [
            Row(
                cells={
                    "state": g.state,
                    "age": age(now - g.created_at) if g.created_at is not None else "-",
                    "cost": money(g.cost),
                    "prompt": g.prompt or "",
                    "model": g.model or "-",
                },
                ids={"id": g.provider_id or "-"},
                style=STYLES.get(g.state, ""),
            )
            for g in found
        ]
    )


async def delete(
    terminal: Terminal, session: Session, connection: str, ids: Sequence[str], *, missing_ok: bool
) -> Exit:
    """Delete each at the provider; `confirmed` was asked before."""
    exits = []
    async with session:
        for provider_id in dict.fromkeys(ids):
            failure: AiogenError | None = None
            was_there = False
            try:
                was_there = await session.delete(connection, provider_id, missing_ok=missing_ok)
            except AiogenError as error:
                failure = error
                terminal.complain(named(terminal, provider_id, error))
            exits.append(Exit.OK if failure is None else exit_of(failure))
            if terminal.as_json:
                record = {"connection": connection, "provider_id": provider_id, "deleted": was_there}
                terminal.record(record | {"error": error_as_json(failure)})
            elif failure is None:
                terminal.columns(["deleted" if was_there else "was not there", connection, provider_id])
    return gravest(exits)


async def check_whole(ids: Sequence[str], known: Ledger | None) -> Exit:
    """Check the ids before asking whether to delete.

    Raises:
        InputError: an id is only the beginning of one.
    """
    await whole_only(known, ids, "delete")
    return Exit.OK


def confirmed(terminal: Terminal, connection: str, count: int) -> bool:
    """Ask on the terminal whether to delete; False without a terminal."""
    what = f"{count} generations" if count > 1 else "1 generation"
    where = f"{what} at {connection}"
    return terminal.confirms(f"delete {where}", f"Delete {where} permanently, with the images?", "Nothing was deleted.")


# --- what they share


async def _each(
    terminal: Terminal,
    session: Session,
    connection: str,
    ids: Sequence[str],
    work: Callable[[str], Awaitable[Ending]],
) -> Exit:
    """Do the same for every id, concurrently; an error of one does not affect the others."""
    write = record_writer(terminal)

    async def one(provider_id: str) -> Ending:
        try:
            ending = await work(provider_id)
        except AiogenError as error:
            ending = Ending(connection=connection, provider_id=provider_id, error=error)
        write(ending)
        return ending

    async with session:
        endings = await asyncio.gather(*(one(provider_id) for provider_id in dict.fromkeys(ids)))
    return shown(terminal, endings)


def record_writer(terminal: Terminal) -> Callable[[Ending], None]:
    """For programs each ending is written as it comes; people get all of them at the end."""
    return lambda ending: terminal.record(ending.record()) if terminal.as_json else None


def shown(terminal: Terminal, endings: Sequence[Ending]) -> Exit:
    """All of them for people, and every error.  Errors are written even if the results could not be."""
    try:
        if not terminal.as_json:
            show(terminal, endings)
    finally:
        code = conclude(terminal, endings)
    return code
