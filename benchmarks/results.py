"""What a benchmark found: rows of figures, kept as JSON for the report and the pictures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

FOLDER = Path(__file__).parent / "results"
"""Not committed: figures belong to the machine they were measured on."""


@attrs.frozen
class Row:
    """What one subject did in one benchmark."""

    bench: str
    subject: str
    metrics: dict[str, float]
    note: str = ""
    """What a reader has to know beside the figures, such as what failed and how."""


def write(name: str, rows: Sequence[Row], series: Mapping[str, Any] | None = None) -> Path:
    """Keep what the benchmark `name` found; `series` are lists of numbers for pictures, by any names."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps({"rows": [attrs.asdict(row) for row in rows], "series": dict(series or {})}, indent=1))
    return path


def read(name: str) -> tuple[list[Row], dict[str, Any]]:
    """The rows and the series that the benchmark `name` wrote last.

    Raises:
        FileNotFoundError: it has not been run here.
    """
    found = json.loads((FOLDER / f"{name}.json").read_text())
    return [Row(**row) for row in found["rows"]], found["series"]


def show(rows: Sequence[Row]) -> None:
    """Print the rows as one table per benchmark; a figure that a subject does not have is left out."""
    for bench in dict.fromkeys(row.bench for row in rows):
        chosen = [row for row in rows if row.bench == bench]
        names = list(dict.fromkeys(name for row in chosen for name in row.metrics))
        cells = [["", *names], *([r.subject, *(_number(r.metrics.get(name)) for name in names)] for r in chosen)]
        widths = [max(len(line[i]) for line in cells) for i in range(len(names) + 1)]
        print(f"\n{bench}")
        for line, note in zip(cells, ["", *(row.note for row in chosen)], strict=True):
            figures = (cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))
            print("  " + "  ".join([line[0].ljust(widths[0]), *figures, note]).rstrip())


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"


def main(run: Callable[..., list[Row]]) -> None:
    """Run one benchmark from the command line."""
    parser = argparse.ArgumentParser(description=run.__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller numbers, about ten seconds")
    run(quick=parser.parse_args().quick)
