"""The commands about connections as they are typed: account, doctor."""

from __future__ import annotations

from aiogen.cli import accounts
from aiogen.cli import doctor as checkup
from aiogen.cli.commands.shared import NO_STORE
from aiogen.cli.exits import Exit
from aiogen.cli.options import Connected, connected
from aiogen.cli.running import run


def account(connection: str | None = None, /, *, common: Connected = NO_STORE) -> Exit:
    """Show whom the keys belong to, and what is left, where the provider says so.

    Parameters
    ----------
    connection
        Such as luma or leonardo; by default all that are configured.
    """
    session = common.session()
    if connection is not None:
        connected(session, connection)
    return run(accounts.account(common.terminal(), session, connection))


def doctor(*, common: Connected = NO_STORE) -> Exit:
    """Show which connections are configured, and whether they and the ledger work.

    One cheap read for each; nothing is charged, and no ledger is created.
    """
    return run(checkup.doctor(common.terminal(), common))
