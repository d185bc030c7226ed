"""The commands about the ledger's file itself: db adopt."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from aiogen.cli.exits import Exit
from aiogen.cli.options import Connected
from aiogen.cli.running import run as run_until_signalled
from aiogen.cli.terminal import Terminal
from aiogen.errors import InputError
from aiogen.stores.sqlite.store import SqliteStore

db: App = App(name="db", help="Look after the file of the ledger.", help_format="plaintext")
_NO_STORE = Connected()


@db.command
def adopt(*, common: Connected = _NO_STORE) -> Exit:
    """Say that a ledger which seems to be a copy is the one in use: what waits in it is sent from now on.

    A ledger that was copied, moved, or put back from a backup sends nothing that waited in it before, because the other
    one may send it, too.  Everything else goes on as ever.
    """
    return run_until_signalled(_adopt(common.terminal(), common.ledger()))


async def _adopt(terminal: Terminal, store: SqliteStore) -> Exit:
    if not _is_there(store.path):
        raise InputError(f"There is no ledger {str(store.path)!r}; name it with --store.")
    await store.open()
    try:
        count = await store.adopt_copy()
    finally:
        await store.close()
    if not count:
        terminal.say(f"Nothing is held in {store.path}.")
    else:
        jobs = "1 job" if count == 1 else f"{count} jobs"
        is_sent = "is" if count == 1 else "are"
        now = terminal.command("resume")
        terminal.say(f"{jobs} in {store.path} {is_sent} sent by the next session. To do that now: {now}")
    return Exit.OK


def _is_there(path: Path) -> bool:
    return path.exists()
