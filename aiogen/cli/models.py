"""The command models: which there are, and what is known of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiogen import ModelInfo, Session
from aiogen.cli.exits import Exit, exit_of, explain, gravest
from aiogen.cli.ledgers import is_there, writing
from aiogen.cli.options import Connected, connected, no_connection
from aiogen.cli.terminal import Terminal
from aiogen.errors import AiogenError, ConfigurationError, InputError, StoreError, Unsupported
from aiogen.providers.parameters import proposal
from aiogen.stores.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from aiogen.cli.ledgers import Ledger


async def models(terminal: Terminal, common: Connected, connection: str | None, kind: str | None) -> Exit:
    """The models of one connection or of all; of one model everything."""
    # What was learned is in the ledger, if there is one.
    ledger = await _if_there(terminal, common)
    session = Session(store=ledger, take_up=False)
    name, _, model = (connection or "").partition("/")
    names = [connected(session, name).name] if name else list(session.connections)
    if not names:
        raise ConfigurationError(no_connection())
    async with session:
        failures = list[AiogenError]()
        for each in names:
            try:
                found = await session.models(each)
            except Unsupported as error:
                if name:
                    raise
                terminal.say(explain(error))
            except AiogenError as error:
                failures.append(error)
                terminal.complain(explain(error))
            else:
                _show(terminal, each, found, model, kind)
    return gravest(map(exit_of, failures))


async def _if_there(terminal: Terminal, common: Connected) -> Ledger | None:
    """The ledger, if there is one and it can be asked: what was learned is only helpful."""
    ledger = common.ledger_if_there()
    if ledger is None or isinstance(ledger, SqliteStore):
        return ledger
    try:
        if not await is_there(ledger):
            return None
        async with writing(ledger):  # as the session does with it
            return ledger
    except StoreError as error:
        terminal.complain(f"{explain(error)} What was learned is not shown.")
        return None


def _show(terminal: Terminal, connection: str, found: list[ModelInfo], model: str, kind: str | None) -> None:
    if model:
        found = [_named(connection, found, model)]
    elif kind is not None:
        found = [info for info in found if info.kind == kind]
    if terminal.as_json:
        for info in found:
            terminal.record({"connection": connection, **info.to_dict()})
    elif model:
        for line in found[0].describe().splitlines():
            terminal.line(line)
    else:
        terminal.table(
            ("model", "kind", "prompt", "outputs", "references", "price", "usually"),
            [_row(connection, info) for info in found],
        )


def _named(connection: str, found: list[ModelInfo], model: str) -> ModelInfo:
    for info in found:
        if model in (info.name, info.provider_id):
            return info
    meant = proposal(model, [info.name for info in found])
    helps = f" Did you mean {connection}/{meant}?" if meant else ""
    raise InputError(f"{connection} lists no model {model!r}.{helps} It may work all the same: slugs come and go.")


def _row(connection: str, info: ModelInfo) -> tuple[str, ...]:
    prompt = {True: "yes", False: "no", None: ""}[info.takes_prompt]
    usually = "" if info.seconds is None else f"{info.seconds:,.0f} s" + (" (learned)" if info.seen else "")
    return (
        f"{connection}/{info.name}",
        info.kind,
        prompt,
        str(info.max_outputs or ""),
        "" if info.max_references is None else str(info.max_references or "none"),
        "" if info.price is None else str(info.price),
        usually,
    )
