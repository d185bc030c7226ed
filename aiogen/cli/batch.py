"""The command batch: a picture for each row of a list, with progress, and what is left to do."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from aiogen import Result, Session
from aiogen._batch.batch import Batch
from aiogen._batch.check import Check
from aiogen._batch.results import NAME as RESULTS
from aiogen._batch.templates import DEFAULT
from aiogen._wording import count, shorten
from aiogen.batch import Rows
from aiogen.batch.rows import Format
from aiogen.cli.batch_board import BatchBoard
from aiogen.cli.exits import Exit, exit_of, explain, gravest
from aiogen.cli.following import notes_to
from aiogen.cli.results import possibly_charged
from aiogen.cli.terminal import Terminal, without_job_log
from aiogen.errors import AiogenError, RowProblem
from aiogen.models import FailureCode, State
from aiogen.stores.base import ADOPTED

_SHOWN = 10
"""Rows of one kind that are named."""
_NAMED = re.compile(r"^Generation \S+ at \S+ failed with ")


@attrs.frozen(kw_only=True)
class Wanted:
    """What the command line asks for."""

    file: str
    model: str | None
    defaults: Mapping[str, Any]
    out: str | None
    """None to save nothing, empty for a folder with the batch's name."""
    template: str | None
    name: str | None
    retry_failed: int
    redo_changed: bool
    max_cost: str | None
    assume_cost: str | None
    pace: float | None
    dry_run: bool
    stop_at_first_failure: bool
    kind: Format | None
    encoding: str | None
    timeout: float | None
    scope: str

    @property
    def batch_name(self) -> str:
        """Under which the ledger has it: as given, else from file and model."""
        if self.name is not None:
            return self.name
        stem = "stdin" if self.file == "-" else Path(self.file).stem
        words = f"{stem} {self.model or ''}"
        return re.sub(r"[^A-Za-z0-9._-]+", "-", words).strip("-.")[:55].rstrip("-.") or "batch"

    def folder(self) -> Path | None:
        """Where the pictures go."""
        return None if self.out is None else Path(self.out or self.batch_name)


@attrs.define
class _Seen:
    """What has come so far."""

    exits: Counter[Exit] = attrs.field(factory=Counter)
    failures: Counter[str] = attrs.field(factory=Counter)
    """By what went wrong and what helps."""
    ok: int = 0
    files: int = 0
    unknown: int = 0
    unsaved: int = 0
    """Failures of rows whose generation has completed."""
    has_lines: bool = False
    """Whether there is a `results.jsonl` in the end."""


async def batch(terminal: Terminal, session: Session, wanted: Wanted) -> Exit:
    """Run it, or run it again."""
    name, folder, seen = wanted.batch_name, wanted.folder(), _Seen()
    defaults = {**wanted.defaults, **({"model": wanted.model} if wanted.model is not None else {})}
    rows = await asyncio.to_thread(
        lambda: Rows(wanted.file, kind=wanted.kind, encoding=wanted.encoding, defaults=defaults)
    )
    try:
        async with session:
            made = session.batch(
                name,
                rows,
                out=folder,
                template=wanted.template or DEFAULT,
                retry_failed=wanted.retry_failed,
                redo_changed=wanted.redo_changed,
                max_cost=wanted.max_cost,
                assume_cost=wanted.assume_cost,
                pace=wanted.pace,
                stop_at_first_failure=wanted.stop_at_first_failure,
                scope=wanted.scope,
                timeout=wanted.timeout,
            )
            checked = await made.check()
            _say(terminal, rows.source, made, checked, wanted)
            if wanted.dry_run:
                return Exit.OK if not checked.changed or wanted.redo_changed else Exit.USAGE
            with without_job_log():
                await _follow(terminal, made, seen, folder)
    except asyncio.CancelledError:
        terminal.say(
            f"Interrupted; {count(seen.ok)} rows are done. The same command again goes on, and pays for nothing twice."
        )
        raise
    finally:
        await asyncio.to_thread(rows.close)
    seen.has_lines = folder is not None and await asyncio.to_thread((folder / RESULTS).is_file)
    return _conclude(terminal, seen, name, folder)


def _say(terminal: Terminal, source: str, made: Batch, checked: Check, wanted: Wanted) -> None:
    """What would be done, before it is."""
    standing = ", ".join(f"{count(number)} {state}" for state, number in sorted(checked.standing.items()))
    under_way = sum(number for state, number in checked.standing.items() if state in ADOPTED)
    before = f"; of these the ledger has {standing}" if standing else ""
    terminal.say(f"{source}: {count(checked.rows)} rows, batch {made.name!r}{before}.")
    if checked.new:
        retried = f" ({count(checked.retried)} of them tried again)" if checked.retried else ""
        terminal.say(f"To be made: {count(checked.new)}{retried}, for {checked.costs}.")
    elif not under_way:
        terminal.say("Nothing is to be made.")
    if under_way:
        terminal.say(f"Begun by an earlier run, and followed to the end: {count(under_way)}.")
    _list(terminal, "Possibly charged, and never sent again by themselves:", checked.unknown)
    if checked.unknown:
        terminal.say(f"Decide about them with: {terminal.command('reconcile')}")
    if wanted.redo_changed or wanted.dry_run:
        _list(terminal, "Changed since they were made:", checked.changed)
    if terminal.as_json and wanted.dry_run:
        terminal.record(
            {
                "batch": made.name,
                "rows": checked.rows,
                "new": checked.new,
                "standing": {str(state): number for state, number in checked.standing.items()},
                "retried": checked.retried,
                "changed": [attrs.asdict(problem) for problem in checked.changed],
                "unknown": [attrs.asdict(problem) for problem in checked.unknown],
                "costs": checked.costs.to_dict(),
            }
        )


def _list(terminal: Terminal, title: str, problems: Iterable[RowProblem]) -> None:
    every = list(problems)
    if not every:
        return
    terminal.say(title)
    for problem in every[:_SHOWN]:
        terminal.say(f"  {problem}")
    if len(every) > _SHOWN:
        terminal.say(f"  and {count(len(every) - _SHOWN)} more")


async def _follow(terminal: Terminal, made: Batch, seen: _Seen, folder: Path | None) -> None:
    board = BatchBoard(terminal, made, title=f"batch {made.name}")
    with notes_to(board):
        async with board:
            async for result in made:
                _note(terminal, board, result, seen, folder)


def _note(terminal: Terminal, board: BatchBoard, result: Result[Any], seen: _Seen, folder: Path | None) -> None:
    error, key = result.error, str(result.key or f"line {result.index + 1}")
    if terminal.as_json:
        terminal.record(result.to_dict(folder))
    elif not terminal.out.is_terminal:
        state = str(result.generation.state) if result.generation is not None else "refused"
        paths = " ".join(map(str, result.files)) or ("-" if error is None else str(error.code or type(error).__name__))
        terminal.columns([state, key, paths])
    if error is None:
        seen.ok += 1
        seen.files += len(result.files)
        board.note(f"{'done':<10}  {shorten(key, 60)}", "green", minor=True)
        return
    seen.exits[exit_of(error)] += 1
    if result.generation is not None and result.generation.state is State.UNKNOWN:
        seen.unknown += 1
    else:
        seen.failures[_kind(error)] += 1
        seen.unsaved += result.generation is not None and result.generation.state is State.COMPLETED
    board.note(f"{'failed':<10}  {shorten(key, 40)}  {shorten(_why(terminal, error), 200)}", "red")


def _why(terminal: Terminal, error: AiogenError) -> str:
    """As for one generation, but without what the line has already: a narrow one has room for the reason only."""
    return _NAMED.sub("", explain(error, terminal.command), count=1)


def _kind(error: AiogenError) -> str:
    """Failures that one thing helps against."""
    what = str(error.code) if isinstance(error.code, FailureCode) else type(error).__name__
    return f"{what}: {error.action.help_text}" if error.action is not None else what


def _conclude(terminal: Terminal, seen: _Seen, name: str, folder: Path | None) -> Exit:
    failed = sum(seen.failures.values())
    lines = f" and {RESULTS}" if seen.has_lines else ""
    saved = f"; {count(seen.files)} files{lines} in {folder}" if folder is not None else ""
    terminal.say(f"{count(seen.ok)} done, {count(failed)} failed{saved}.")
    for kind, number in seen.failures.most_common(_SHOWN):
        terminal.say(f"  {count(number)} × {kind}")
    if seen.unknown:
        terminal.say(possibly_charged(seen.unknown, terminal.command("reconcile", "--batch", name)))
    if seen.unsaved:
        terminal.say("The same command again fetches what could not be saved, and pays for nothing twice.")
    if failed > seen.unsaved:
        terminal.say("The same command with --retry-failed 1 tries again what may work the next time.")
    return gravest(seen.exits)
