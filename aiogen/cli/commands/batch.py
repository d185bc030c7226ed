"""The command about lists as it is typed: batch."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from aiogen.cli import batch as batches
from aiogen.cli.commands.shared import NO_STORE, Flag
from aiogen.cli.exits import Exit
from aiogen.cli.options import Connected, checked_waiting, connected, parse_params
from aiogen.cli.running import run


def batch(
    file: str,
    /,
    *,
    model: str | None = None,
    param: Annotated[list[str] | None, Parameter(name=["--param", "-p"], negative="")] = None,
    extra: Annotated[list[str] | None, Parameter(negative="")] = None,
    out: str | None = None,
    no_download: Annotated[bool, Flag] = False,
    template: str | None = None,
    name: str | None = None,
    retry_failed: int = 0,
    redo_changed: Annotated[bool, Flag] = False,
    max_cost: str | None = None,
    assume_cost: str | None = None,
    pace: float | None = None,
    dry_run: Annotated[bool, Flag] = False,
    stop_at_first_failure: Annotated[bool, Flag] = False,
    kind: Annotated[Literal["txt", "csv", "jsonl"] | None, Parameter(name="--format")] = None,
    encoding: str | None = None,
    timeout: float | None = None,
    scope: str = "",
    common: Connected = NO_STORE,
) -> Exit:
    """Make a picture for each row of a list.  The same command again pays only for what is new.

    Every row is checked before the first is sent.  Beside the pictures results.jsonl has a line for each row.

    Parameters
    ----------
    file
        A text file with a prompt in each line, a CSV file whose header names the columns, or JSON lines; - reads
        standard input.  Columns: prompt, model, id (a name of the row's own), and parameters of the provider; those
        that begin with _ are only for the names of files.
    model
        Of rows that name none, such as luma/uni-1.
    param
        A parameter of all rows that do not give it, as name=value.  May be repeated.
    extra
        A field of all rows that aiogen does not know, as name=value, sent to the provider unchecked.
    out
        The folder for the pictures; by default one with the batch's name.
    no_download
        Save nothing.
    template
        Of the files' names, with {index} {key} {id} {n} {model} {connection} and columns, ending with .{ext}.
    name
        Of the batch in the ledger; by default made of the file and the model.
    retry_failed
        How often a row that has failed is tried again, 0 to 5; each time is charged for by itself.
    redo_changed
        Make another picture for a row whose content has changed under its id.
    max_cost
        Dollars: nothing more is made when the batch would pass it.  What is on its way goes on.
    assume_cost
        Dollars to count for a picture whose price nobody knows beforehand.
    pace
        New pictures in a minute, where that is to be less than the provider allows.
    dry_run
        Check every row, say what would be made and what it would cost, and send nothing.
    stop_at_first_failure
        Send nothing more after a failure.
    kind
        What kind of list it is, where the file's name does not say it.
    encoding
        Of the file; by default UTF-8, or what a byte order mark says.
    timeout
        Seconds from the provider's acceptance to each deadline.
    scope
        In which the keys of the rows count.
    """
    checked_waiting(timeout, None)
    defaults = parse_params(param or [], extra or [])
    session = common.session(kept=True)
    if model is not None and "/" in model:
        connected(session, model.partition("/")[0].strip())
    wanted = batches.Wanted(
        file=file,
        model=model,
        defaults=defaults,
        out=None if no_download else out or "",
        template=template,
        name=name,
        retry_failed=retry_failed,
        redo_changed=redo_changed,
        max_cost=max_cost,
        assume_cost=assume_cost,
        pace=pace,
        dry_run=dry_run,
        stop_at_first_failure=stop_at_first_failure,
        kind=kind,
        encoding=encoding,
        timeout=timeout,
        scope=scope,
    )
    return run(batches.batch(common.terminal(), session, wanted))
