"""The command report: one page about a batch.  No provider is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from aiogen import Session
from aiogen._schema import as_json
from aiogen._wording import count
from aiogen.batch import report as reports
from aiogen.batch.report.files import RESULTS
from aiogen.cli.exits import Exit
from aiogen.cli.ledgers import is_there, place, reading
from aiogen.cli.terminal import Terminal
from aiogen.errors import InputError

if TYPE_CHECKING:
    from aiogen.cli.ledgers import Ledger


async def report(
    terminal: Terminal, session: Session, store: Ledger, batch: str, *, out: str | None, files: str | None
) -> Exit:
    """Write it, and say where; the session only knows the connections."""
    if not await is_there(store):
        raise InputError(f"There is no ledger {place(store)!r}; name it with --store.")
    folder = files if files is not None else await asyncio.to_thread(_folder_of, batch)
    target = Path(out) if out is not None else reports.file_for(batch)
    async with reading(store):
        made = await reports.make(
            store, batch, target, files=folder, connections=session.connections, command=terminal.command
        )
    if terminal.as_json:
        terminal.record(_as_json(batch, made))
    else:
        terminal.line(str(made.path))
    states = ", ".join(f"{count(number)} {state}" for state, number in made.states.items())
    terminal.say(f"{count(made.jobs)} jobs ({states}); {count(made.pictures)} pictures.")
    if made.thumbnails is not None:
        terminal.say(f"The small pictures are in {made.thumbnails}: keep it beside the report.")
    if made.missing:
        which = "1 file is" if made.missing == 1 else f"{count(made.missing)} files are"
        terminal.say(
            f"{which} not in {folder}; the report has the commands that download them. --files names a folder."
        )
    if made.unreadable:
        terminal.say(f"{count(made.unreadable)} lines of results.jsonl could not be used.")
    return Exit.OK


def _folder_of(batch: str) -> str:
    """The folder where `aiogen batch` puts the pictures by default, if there are any; else this one."""
    try:
        return batch if (Path(batch) / RESULTS).is_file() else "."
    except (OSError, ValueError):
        return "."


def _as_json(batch: str, made: reports.Made) -> dict[str, object]:
    return {
        "batch": batch,
        "report": str(made.path),
        "thumbnails": None if made.thumbnails is None else str(made.thumbnails),
        "jobs": made.jobs,
        "states": {as_json(state): number for state, number in made.states.items()},
        "pictures": made.pictures,
        "missing": made.missing,
    }
