"""The commands about the ledger itself: db adopt, db copy, db reopen, db restored, db sql."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from aiogen.cli import ledgers, moves
from aiogen.cli.exits import Exit
from aiogen.cli.options import Common, Connected
from aiogen.cli.program import command
from aiogen.cli.running import run as run_until_signalled
from aiogen.cli.terminal import Terminal
from aiogen.errors import ConfigurationError, InputError
from aiogen.stores.postgres.address import Address, is_url, schema_name
from aiogen.stores.postgres.schema import script
from aiogen.stores.sqlite.file import path_in_url
from aiogen.stores.sqlite.store import SqliteStore

db: App = App(name="db", help="Manage the ledger of jobs itself.", help_format="plaintext")
_NO_STORE = Connected()
_PLAIN = Common()


@db.command
def adopt(*, common: Connected = _NO_STORE) -> Exit:
    """Confirm that a ledger which seems to be a copy is the one in use, so that the jobs waiting in it are sent.

    Jobs that wait in a ledger that was copied, moved or restored from a backup are not sent before, because the other
    ledger may send them, too.  Everything else works as usual.
    """
    store = ledgers.in_a_file(
        common.ledger(),
        f"For one that was put back from a backup there is: {command('db', 'restored', 'postgresql://user@host/database')}",
    )
    return run_until_signalled(_adopt(common.terminal(), store))


@db.command
def sql(*, schema: Annotated[str, Parameter(help="The namespace for the tables.")] = "public") -> Exit:
    """Print the tables of a ledger in PostgreSQL, for those who migrate with a tool of their own.

    Otherwise the first process that opens the ledger makes them.
    """
    sys.stdout.write(script(_schema(schema) or ""))
    return Exit.OK


@db.command
def copy(
    source: Annotated[str, Parameter(help="The file, as sqlite:jobs.db.")],
    target: Annotated[str, Parameter(help="The database, as postgresql://user@host/database.")],
    *,
    schema: Annotated[
        str | None, Parameter(help="The namespace for the tables; by default the first of the search path.")
    ] = None,
    common: Common = _PLAIN,
) -> Exit:
    """Move the ledger in a file into PostgreSQL: the file is closed for good, copied, and the database is opened.

    End the programs that use the file first.  After an interruption the same command goes on, and nothing is lost or
    sent twice.  The password need not be in the url: PGPASSWORD and ~/.pgpass are read.
    """
    path = path_in_url(source)
    if path is None or not is_url(target):
        no_way_back = "There is no way back from a database into a file. " if is_url(source) else ""
        raise InputError(
            f"{no_way_back}A ledger is moved from a file into PostgreSQL: aiogen db copy sqlite:jobs.db "
            "postgresql://user@host/database."
        )
    return run_until_signalled(moves.copy(common.terminal(), path, target, _schema(schema, target)))


@db.command
def reopen(*, common: Connected = _NO_STORE) -> Exit:
    """Give up a move that has not come to its end, so that the file may be used again.

    Refused once everything was handed over to the database, where its jobs may be sent already.
    """
    store = ledgers.in_a_file(common.ledger(), "A move is given up at the file that was to be moved: --store FILE.")
    return run_until_signalled(moves.reopen(common.terminal(), store.path))


@db.command
def restored(
    target: Annotated[str, Parameter(help="The database, as postgresql://user@host/database.")],
    *,
    schema: Annotated[str | None, Parameter(help="The namespace of the tables.")] = None,
    common: Common = _PLAIN,
) -> Exit:
    """Say that a database was put back from a backup, before any program uses it.

    What waited in it may have been sent since the backup was made, so it is unknown from here on, and never sent again
    by itself.  What ran is followed.
    """
    if not is_url(target):
        raise InputError("Name the database as postgresql://user@host/database; for a file there is: aiogen db adopt.")
    return run_until_signalled(moves.restored(common.terminal(), target, _schema(schema, target)))


def _schema(schema: str | None, url: str | None = None) -> str | None:
    """What --schema names.

    Raises:
        InputError: it is no name, or the url names another one, and which is meant is not known.
    """
    try:
        given = schema_name(schema, "--schema")
    except ConfigurationError as error:
        raise InputError(str(error)) from None
    named = Address.of(url, "The url").schema if url is not None and given is not None else None
    if named not in (None, given):
        raise InputError(f"The url names another schema ({named}) than --schema ({given}): leave one of them out.")
    return given


async def _adopt(terminal: Terminal, store: SqliteStore) -> Exit:
    if not _is_there(store.path):
        raise InputError(f"There is no ledger {str(store.path)!r}; name it with --store.")
    await store.open()
    try:
        count = await store.adopt_copy()
    finally:
        await store.close()
    if not count:
        terminal.say(f"No jobs are on hold in {store.path}.")
    else:
        jobs = "1 job" if count == 1 else f"{count} jobs"
        now = terminal.command("resume")
        terminal.say(f"{jobs} in {store.path} will be sent by the next session. To send now: {now}")
    return Exit.OK


def _is_there(path: Path) -> bool:
    return path.exists()
