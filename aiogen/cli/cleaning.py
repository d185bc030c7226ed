"""The commands cleanup and mark: generations at a provider, chosen, shown, and deleted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from aiogen import Cleaned, Cleanup, Generation, Session, Where
from aiogen._schema import moment
from aiogen._wording import count
from aiogen.cli.exits import Exit, exit_of, gravest
from aiogen.cli.finding import whole_only
from aiogen.cli.generations import table
from aiogen.cli.records import error_as_json
from aiogen.cli.results import named
from aiogen.cli.terminal import Terminal

if TYPE_CHECKING:
    from aiogen.cli.ledgers import Ledger

_SHOWN = 20
"""Generations that are shown before the question; `--dry-run` shows all."""


@attrs.define
class Plan:
    """What a clean-up would delete, as it was shown."""

    account: str
    """Whose they are, for people."""
    cleanup: Cleanup | None = None
    left: tuple[Generation, ...] = ()


async def look(
    terminal: Terminal, session: Session, connection: str, where: Where, plan: Plan, *, limit: int | None
) -> Exit:
    """List what matches, and say whose and how many they are; nothing is deleted."""
    plan.cleanup = session.cleanup(connection, where, limit=limit)
    async with session:
        if session.connections.find(connection).capabilities.account:
            info = await session.account(connection)
            known = [f"{info.username}" if info.username else "", f"user {info.user_id}" if info.user_id else ""]
            plan.account = ", ".join(filter(None, known)) or connection
        plan.left = tuple(await plan.cleanup.find())
    terminal.say(_summary(plan, connection, plan.cleanup))
    return Exit.OK


def _summary(plan: Plan, connection: str, cleanup: Cleanup) -> str:
    """One line: whose, how many of how many, in which states, how old."""
    whose = f"at {connection}" if plan.account == connection else f"at {connection} ({plan.account})"
    said = f"{count(cleanup.matching)} of {_generations(cleanup.listed)} {whose} match"
    if not plan.left:
        return f"{said}."
    states = Counter(g.state for g in plan.left)
    kinds = ", ".join(f"{count(number)} {state}" for state, number in states.most_common())
    dates = sorted(g.created_at for g in plan.left if g.created_at is not None)
    span = f", created from {dates[0]:%Y-%m-%d} to {dates[-1]:%Y-%m-%d}" if dates else ""
    only = f"; with the limit the {count(len(plan.left))} oldest" if len(plan.left) < cleanup.matching else ""
    return f"{said}{only}: {kinds}{span}."


def show(terminal: Terminal, plan: Plan, connection: str) -> None:
    """All that was found, as the result of a dry run."""
    if terminal.as_json:
        for generation in plan.left:
            terminal.record(_record(connection, generation, "found"))
    elif plan.left:
        table(terminal, plan.left, datetime.now(UTC))


def allowed(terminal: Terminal, plan: Plan, max_delete: int) -> bool:
    """Whether the plan is within the bound; if not, says what helps."""
    many = len(plan.left)
    if many <= max_delete:
        return True
    terminal.complain(
        f"At most {_generations(max_delete)} may be deleted at once: nothing was deleted. --max-delete {many} allows "
        f"all of these; --limit {max_delete} deletes only the {max_delete} oldest."
    )
    return False


def confirmed(terminal: Terminal, plan: Plan, connection: str, save_first: str | None) -> bool:
    """Show the first of them, and ask on the terminal whether to delete; False without a terminal."""
    what = _generations(len(plan.left))
    if not terminal.can_ask_to(f"delete {what} at {connection}"):
        return False
    if not terminal.as_json:
        table(terminal, plan.left[:_SHOWN], datetime.now(UTC))
        if len(plan.left) > _SHOWN:
            terminal.say(f"These are the {_SHOWN} oldest of {count(len(plan.left))}; --dry-run shows all.")
    saved = f", once their images are in {save_first}" if save_first is not None else ", with the images"
    whose = "" if plan.account == connection else f" ({plan.account})"
    if terminal.ask(f"Delete {what} at {connection}{whose} permanently{saved}?"):
        return True
    terminal.say("Nothing was deleted.")
    return False


async def clean(terminal: Terminal, session: Session, connection: str, where: Where, plan: Plan, **bounds: Any) -> Exit:
    """Delete what was shown, and nothing else; `bounds` are those of `Session.cleanup`."""
    assert plan.cleanup is not None
    cleanup = session.cleanup(connection, where, dry_run=False, **bounds)
    cleanup.take_over(plan.cleanup)
    exits = [Exit.OK]
    async with session:
        try:
            async for result in cleanup:
                exits.append(_shown(terminal, connection, result))
        except asyncio.CancelledError:
            left = len(plan.left) - cleanup.results.total()
            terminal.say(f"Interrupted: {_ended(cleanup)}, {count(left)} left. The same command does the rest.")
            raise
        except BaseException:
            terminal.say(f"{_ended(cleanup)}.")
            raise
    left = len(plan.left) - cleanup.results.total()
    terminal.say(f"{_ended(cleanup)}{f', {count(left)} left' if left else ''}.")
    return gravest(exits)


def _shown(terminal: Terminal, connection: str, result: Cleaned) -> Exit:
    provider_id = result.generation.provider_id or "-"
    if terminal.as_json:
        files = [str(path) for path in result.files]
        error = error_as_json(result.error)
        terminal.record(_record(connection, result.generation, result.outcome) | {"files": files, "error": error})
    elif result.ok:
        terminal.columns([result.outcome, connection, provider_id, *map(str, result.files)])
    if result.error is None:
        return Exit.OK
    terminal.complain(named(terminal, provider_id, result.error))
    return exit_of(result.error)


def _record(connection: str, generation: Generation, outcome: str) -> dict[str, Any]:
    return {
        "connection": connection,
        "provider_id": generation.provider_id,
        "outcome": outcome,
        "state": generation.state,
        "created_at": moment(generation.created_at),
        "model": generation.model,
        "prompt": generation.prompt,
        "files": [],
        "error": None,
    }


def _ended(cleanup: Cleanup) -> str:
    gone = f", {count(cleanup.gone)} gone before" if cleanup.gone else ""
    failed = f", {count(cleanup.failed)} not deleted" if cleanup.failed else ""
    return f"{count(cleanup.deleted)} deleted{gone}{failed}"


def _generations(number: int) -> str:
    return f"{count(number)} generation{'s' * (number != 1)}"


async def mark(
    terminal: Terminal,
    session: Session,
    ids: Sequence[str],
    *,
    connection: str | None,
    marked: bool,
    known: Ledger | None,
) -> Exit:
    """Mark generations for deletion, or take the marks away.

    Raises:
        InputError: an id is only the beginning of one, or unknown.
        StoreError: the ledger cannot be read or written.
    """
    await whole_only(known, ids, "mark", is_needed=True)
    async with session:
        changed = await session.mark(*ids, connection=connection, marked=marked)
    if terminal.as_json:
        for each in ids:
            terminal.record({"id": each, "marked": marked})
    done = "marked for deletion" if marked else "not marked any more"
    same = len(ids) - changed
    terminal.say(f"{_generations(changed)} {done}{f'; {count(same)} {_were(same)} so before' if same else ''}.")
    return Exit.OK


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
