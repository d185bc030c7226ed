"""The command account: whom the keys belong to, and what is left."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs

from aiogen import AccountInfo, Session
from aiogen._wording import count
from aiogen.cli.exits import Exit, exit_of, explain, gravest
from aiogen.cli.options import no_connection
from aiogen.cli.terminal import Terminal
from aiogen.errors import AiogenError, ConfigurationError


async def account(terminal: Terminal, session: Session, connection: str | None) -> Exit:
    """Whom the keys belong to."""
    names = list(session.connections) if connection is None else [session.connections.find(connection).name]
    if not names:
        raise ConfigurationError(no_connection())
    async with session:
        found = await asyncio.gather(*(_account(session, name) for name in names))
    for result in found:
        if isinstance(result, AiogenError):
            terminal.complain(explain(result))
        elif terminal.as_json:
            terminal.record(attrs.asdict(result, filter=lambda field, _: field.name != "raw"))
        else:
            _show(terminal, result)
    return gravest(exit_of(result) for result in found if isinstance(result, AiogenError))


async def _account(session: Session, name: str) -> AccountInfo | AiogenError:
    try:
        return await session.account(name)
    except AiogenError as error:
        return error


def _show(terminal: Terminal, found: AccountInfo) -> None:
    facts: dict[str, Any] = {"user": found.username, "user id": found.user_id, **found.balances}
    facts["jobs at once"] = found.concurrency_slots
    facts["this session's limits"] = (
        f"{found.window['creates_per_minute']} creates a minute, {found.window['max_active']} jobs at once, "
        f"{count(found.window['requests_per_minute'])} requests a minute"
    )
    terminal.table(
        ("connection", "fact", "value"),
        [(found.connection, name, str(value)) for name, value in facts.items() if value is not None],
    )
