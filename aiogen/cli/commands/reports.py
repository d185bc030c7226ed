"""The command about a whole batch as it is typed: report."""

from __future__ import annotations

from aiogen.cli import report as reporting
from aiogen.cli.commands.shared import NO_STORE
from aiogen.cli.exits import Exit
from aiogen.cli.options import Connected
from aiogen.cli.running import run


def report(batch: str, /, *, out: str | None = None, files: str | None = None, common: Connected = NO_STORE) -> Exit:
    """Write one HTML file about a batch: its images, failures, timeline, durations and totals.  No provider is asked.

    Parameters
    ----------
    batch
        The name that its jobs were submitted under.
    out
        The file, which is replaced; by default the name of the batch with .html, in this folder.
    files
        The folder with the images; by default the one that aiogen batch has put them in, else this one.
    """
    return run(reporting.report(common.terminal(), common.session(), common.ledger(), batch, out=out, files=files))
