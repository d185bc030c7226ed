"""Makes the report of a batch: reads the ledger and the folder, and writes one file.  No provider is asked."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import attrs

from aiogen._transfer.threads import Threads
from aiogen._wording import plain
from aiogen.batch.report.curves import Curve, learned
from aiogen.batch.report.figures import Figures, Line, clean, line_of, quantile
from aiogen.batch.report.files import Folder
from aiogen.batch.report.page import check_installed, write_page
from aiogen.batch.report.svg import Chart, chart, timeline
from aiogen.batch.report.thumbnails import INSIDE, Thumbnail, thumbnails
from aiogen.errors import InputError
from aiogen.models import State
from aiogen.providers.connections import Connections
from aiogen.stores.base import Record, RecordQuery, Store

_PAGE = 500
"""Records that are in memory at a time."""
_CHARTS = 6
"""Models whose durations are drawn."""
_ENDINGS = (".html", ".htm")
Command = Callable[..., str]


@attrs.frozen(kw_only=True)
class Made:
    """What was written."""

    path: Path
    thumbnails: Path | None
    """The folder beside it; None if they stand in the page."""
    jobs: int
    states: dict[State, int]
    pictures: int
    """Shown, or named with why they cannot be shown."""
    missing: int
    """Outputs whose files are not in the folder."""
    unreadable: int
    """Lines of `results.jsonl` that could not be used."""


@attrs.frozen
class Picture:
    """One output in the gallery."""

    line: Line
    number: str
    """Which output it is; empty if it is the only one."""
    small: Thumbnail
    href: str
    """Empty if the file is not there."""
    fetch: str
    """The command that saves it."""


async def make(
    store: Store,
    batch: str,
    out: str | os.PathLike[str],
    *,
    files: str | os.PathLike[str] = ".",
    connections: Connections | None = None,
    command: Command = lambda *words: shlex.join(["aiogen", *words]),
) -> Made:
    """Write the report of one batch.

    Args:
        store: the ledger, opened.
        batch: the name that its jobs were submitted under.
        out: the file; it is replaced whole.  With more than 300 pictures a folder `<name>-thumbnails` lies beside it.
        files: the folder with the pictures.
        connections: those of the session, by which the learned curves of durations are found; None: without them.
        command: how a command of the program is written.

    Raises:
        ConfigurationError: jinja2 or Pillow is missing.
        InputError: the ledger has no job of this batch, or the report cannot be written there.
        StoreError: the ledger cannot be read.
    """
    threads = Threads()
    try:
        return await _make(threads, store, batch, Path(out), Folder(Path(files)), connections, command)
    finally:
        await threads.close()


async def _make(
    threads: Threads,
    store: Store,
    batch: str,
    target: Path,
    folder: Folder,
    connections: Connections | None,
    command: Command,
) -> Made:
    await threads.run(_check, target)
    await threads.run(folder.read)
    lines, found = list[Line](), dict[str, list[Path | None]]()
    read_at = 0.0
    async for records in _pages(store, batch):
        lines += [line_of(record) for record in records]
        found |= await threads.run(folder.of_all, [r for r in records if r.state is State.COMPLETED])
        read_at = max([read_at, *(r.read_at.timestamp() for r in records if r.read_at is not None)])
    if not lines:
        raise InputError(f"The ledger has no job of a batch {plain(batch, 64)!r}.")
    figures = Figures.of(lines, read_at)
    pictures, beside = await _pictures(threads, figures, found, target, folder.path, command)
    curves = await learned(threads, store, connections, lines)
    await threads.run(_write, target, _values(batch, figures, pictures, curves, folder.path, command))
    missing = sum(not picture.href for picture in pictures)
    return Made(
        path=target,
        thumbnails=beside,
        jobs=len(lines),
        states=figures.states(),
        pictures=len(pictures) - missing,
        missing=missing,
        unreadable=folder.unreadable,
    )


async def _pages(store: Store, batch: str) -> AsyncIterator[list[Record]]:
    after: str | None = None
    while records := await store.find(RecordQuery(batch=batch, limit=_PAGE, after=after)):
        yield records
        if len(records) < _PAGE:
            return
        after = records[-1].cursor


def file_for(batch: str) -> Path:
    """The name of a batch's report where none was said."""
    name = re.sub(r"[^\w.-]+", "-", batch).strip("-.")[:80]
    return Path(f"{name or 'report'}.html")


async def _pictures(
    threads: Threads,
    figures: Figures,
    found: dict[str, list[Path | None]],
    target: Path,
    folder: Path,
    command: Command,
) -> tuple[list[Picture], Path | None]:
    """All outputs, in the order of their jobs; and the folder of their thumbnails, if there is one."""
    each = [(line, i, path) for line in figures.lines for i, path in enumerate(found.get(line.id, ()))]
    paths = [path for _, _, path in each if path is not None]
    beside = target.with_name(f"{target.stem}-thumbnails") if len(paths) > INSIDE else None
    try:
        small = iter(await thumbnails(threads, paths, beside))
    except OSError as error:
        raise InputError(f"The folder {str(beside)!r} cannot be written: {error.strerror or error}.") from None
    ways = iter(await threads.run(_ways, target, paths))
    pictures = []
    for line, i, path in each:
        number = str(i + 1) if len(found[line.id]) > 1 else ""
        if path is None:
            fetch = command("download", line.connection, line.provider_id or line.id, "--out", str(folder))
            pictures.append(Picture(line, number, Thumbnail(), "", clean(fetch, 1000)))
        else:
            pictures.append(Picture(line, number, next(small), next(ways), ""))
    return pictures, beside


def _ways(target: Path, paths: Sequence[Path]) -> list[str]:
    begin = os.path.realpath(target.parent)
    return [_href(begin, path) for path in paths]


def _href(begin: str, path: Path) -> str:
    """The way from the page to a file; never another scheme than that of the page itself."""
    absolute = Path(os.path.realpath(path))
    try:
        way = os.path.relpath(absolute, begin)
    except ValueError:  # another drive
        return absolute.as_uri()
    return "./" + quote(way.replace(os.sep, "/").encode(errors="surrogateescape"))


def _values(
    batch: str,
    figures: Figures,
    pictures: Sequence[Picture],
    curves: dict[str, Curve],
    folder: Path,
    command: Command,
) -> dict[str, Any]:
    """The values for the template."""
    runs, durations = figures.runs(), figures.durations()
    charts = list[Chart]()
    for each in durations[:_CHARTS]:
        curve = curves.get(each.model)
        charts.append(chart(each, curve.points, curve.seen) if curve is not None else chart(each))
    unfinished = [line for line in figures.lines if not line.state.is_terminal and line.state is not State.UNKNOWN]
    return {
        "name": clean(batch, 120),
        "figures": figures,
        "states": figures.states(),
        "State": State,
        "pictures": pictures,
        "missing": sum(not picture.href for picture in pictures),
        "folder": clean(str(folder), 200),
        "failures": figures.failures(),
        "retry": lambda lines: clean(command("retry", *(line.id for line in lines[:3])), 400),
        "unfinished": len(unfinished),
        "resume": command("resume"),
        "reconcile": clean(command("reconcile", "--batch", batch), 400),
        "timelines": [timeline(figures, run) for run in runs],
        "charts": charts,
        "charts_left": len(durations) - len(charts),
        "has_curves": bool(curves),
        "models": [_model(figures, model, lines) for model, lines in figures.by_model()],
        "all": _model(figures, "all", figures.lines),
        "took": quantile([s for line in figures.lines if (s := _completed_in(line)) is not None], 0.5),
    }


def _model(figures: Figures, name: str, lines: Sequence[Line]) -> dict[str, Any]:
    """One row of the table of totals."""
    took = [s for line in lines if (s := _completed_in(line)) is not None]
    states = figures.states(lines)
    return {
        "name": name,
        "jobs": len(lines),
        "completed": states.get(State.COMPLETED, 0),
        "failed": states.get(State.FAILED, 0),
        "others": len(lines) - states.get(State.COMPLETED, 0) - states.get(State.FAILED, 0),
        "images": sum(line.outputs for line in lines),
        "questions": sum(len(line.asked) for line in lines),
        "median": quantile(took, 0.5),
        "most": quantile(took, 0.9),
        "cost": str(figures.cost(lines)),
    }


def _completed_in(line: Line) -> float | None:
    return line.seconds if line.state is State.COMPLETED else None


def _check(target: Path) -> None:
    """Before anything is read: what is needed is installed, and a report can be written there."""
    check_installed()
    if target.suffix.lower() not in _ENDINGS:
        raise InputError(f"{str(target)!r} is no name for a report; it has to end with .html.")
    if target.is_dir():
        raise InputError(f"{str(target)!r} is a folder.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {str(target.parent)!r} cannot be created: {error.strerror or error}.") from None


def _write(target: Path, values: dict[str, Any]) -> None:
    """The file, replaced whole."""
    try:
        part = target.with_name(f".{target.name[:100]}.{os.getpid()}.part")
        part.unlink(missing_ok=True)
        try:
            with open(part, "x", encoding="utf-8", errors="replace", newline="\n") as file:
                write_page(file, values)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"The report {str(target)!r} cannot be written: {error.strerror or error}.") from None
