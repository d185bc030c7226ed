"""The commands about models as they are typed: models."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from aiogen.cli import models as listing
from aiogen.cli.commands.shared import NO_STORE
from aiogen.cli.exits import Exit
from aiogen.cli.options import Connected
from aiogen.cli.running import run


def models(
    connection: str | None = None,
    /,
    *,
    kind: Annotated[str | None, Parameter(help="Only models of this kind, such as image or video.")] = None,
    common: Connected = NO_STORE,
) -> Exit:
    """Show which models there are, what each takes and costs, and how long it usually takes.

    Slugs come and go: a model that is not listed may work all the same.

    Parameters
    ----------
    connection
        Such as luma, or luma/uni-1 for all that is known of one model; by default all connections.
    """
    return run(listing.models(common.terminal(), common, connection, kind))
