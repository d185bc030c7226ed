"""The commands about the ledger itself: db adopt, db sql."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from aiogen.cli.exits import Exit
from aiogen.cli.options import Connected
from aiogen.cli.running import run as run_until_signalled
from aiogen.cli.terminal import Terminal
from aiogen.errors import ConfigurationError, InputError
from aiogen.stores.postgres.address import schema_name
from aiogen.stores.postgres.schema import script
from aiogen.stores.sqlite.store import SqliteStore

db: App = App(name="db", help="Manage the ledger of jobs itself.", help_format="plaintext")
_NO_STORE = Connected()


@db.command
def adopt(*, common: Connected = _NO_STORE) -> Exit:
    """Confirm that a ledger which seems to be a copy is the one in use, so that the jobs waiting in it are sent.

    Jobs that wait in a ledger that was copied, moved or restored from a backup are not sent before, because the other
    ledger may send them, too.  Everything else works as usual.
    """
    return run_until_signalled(_adopt(common.terminal(), common.ledger()))


@db.command
def sql(*, schema: Annotated[str, Parameter(help="The namespace for the tables.")] = "public") -> Exit:
    """Print the tables of a ledger in PostgreSQL, for those who migrate with a tool of their own.

    Otherwise whoever opens the ledger first makes them.
    """
    try:
        name = schema_name(schema, "--schema")
    except ConfigurationError as error:
        raise InputError(str(error)) from None
    sys.stdout.write(script(name or ""))
    return Exit.OK


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
