"""What the signatures of several commands share."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from aiogen.cli.exits import Exit
from aiogen.cli.options import Common, Connected
from aiogen.cli.terminal import Terminal

Flag: Parameter = Parameter(negative="")
"""An option without a value, and without a `--no-…` or `--empty-…` beside it."""
Ids = Annotated[list[str], Flag]
"""Positional ids; `-` reads them from stdin."""
NO_STORE = Connected()
"""The options of a command that talks to providers, when none was given."""
NO_JSON = Common()
"""The options of a command that needs no ledger, when none was given."""


def nothing_to_do(terminal: Terminal) -> Exit:
    """The end of a command whose `-` found no ids on stdin: that is no error."""
    terminal.say("No ids came on stdin; nothing to do.")
    return Exit.OK
