"""Rows as tables of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.results import Row


def of(rows: Iterable[Row], bench: str) -> list[Row]:
    """Those of one benchmark."""
    return [row for row in rows if row.bench == bench]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def percent(over: float) -> str:
    """A ratio to the optimum as what is above it, or as it is where that is more."""
    return f"{100.0 * (over - 1.0):+.1f} %" if over < 1.995 else f"× {over:.1f}"
