"""Two pictures about batches: what their size costs, and what is believed while one goes on."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.batch_goals import before
from benchmarks.results import Row

_OURS, _THEIRS, _LATE = "#0b6e4f", "#6b7280", "#d1344b"


def sizes(rows: list[Row], series: dict[str, Any]) -> Figure:
    """The mean of all distributions, by how many jobs begin at once."""
    figure = Figure(figsize=(9.0, 5.2), layout="constrained")
    axes = figure.subplots()
    curves: dict[str, list[tuple[int, float]]] = series["curves"]
    counts = sorted({n for curve in curves.values() for n, _ in curve})
    whole = {name: dict(curve) for name, curve in curves.items() if len(curve) == len(counts)}

    def over(value: float) -> float:
        return 100.0 * (value - 1.0)

    for curve in whole.values():
        axes.plot(counts, [over(curve[n]) for n in counts], color="#b9d8cd", lw=1.2)
    now = [over(fmean(curve[n] for curve in whole.values())) for n in counts]
    axes.plot(counts, now, color=_OURS, lw=2.8, marker="o", ms=5)
    axes.text(counts[-1] * 1.08, now[-1], "aiogen", color=_OURS, va="center", weight="bold")
    known = [n for n in counts if all(f"warm, {name}, {n:,}" in before() for name in whole)]
    if known:
        past = [over(fmean(before()[f"warm, {name}, {n:,}"] for name in whole)) for n in known]
        axes.plot(known, past, color=_LATE, lw=2.0, marker="o", ms=4)
        axes.text(known[-1] * 1.08, past[-1], "before", color=_LATE, va="center")
    peers = {row.subject.split(", ")[0]: row.metrics["best peer"] for row in rows if "best peer" in row.metrics}
    if peers:
        best = over(fmean(peers.values()))
        axes.axhline(best, color=_THEIRS, lw=1.4, ls="--")
        axes.text(counts[0], best, "the best of the others for each", color=_THEIRS, va="bottom")
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{n:,}" for n in counts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(counts[0] * 0.8, counts[-1] * 2.2)
    axes.set_ylim(0.0, None)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"+{y:g} %"))
    axes.set_xlabel("jobs that begin at once, the third such batch")
    axes.set_ylabel("cost above the exact optimum")
    axes.set_title("What hundreds at once cost (light: each distribution)")
    return figure


def belief(rows: list[Row], series: dict[str, Any]) -> Figure:
    """The believed 10, 50 and 90 % while a batch of 500 goes on."""
    figure = Figure(figsize=(9.0, 4.8), layout="constrained")
    axes = figure.subplots()
    trace = next(iter(series["traces"].values()))
    looks = trace["looks"]
    for i, words in enumerate(("10 %", "half", "90 %")):
        axes.axhline(trace["truth"][i], color=_THEIRS, lw=1.2, ls="--")
        axes.plot([look[0] for look in looks], [look[2 + i] for look in looks], color=_OURS, lw=2.2)
        axes.text(looks[-1][0] * 1.01, trace["truth"][i], f"{words}, truly", color=_THEIRS, va="bottom")
    axes.set_xlim(0.0, looks[-1][0] * 1.18)
    axes.set_ylim(0.0, None)
    axes.set_xlabel("seconds since 500 jobs began, the third such batch")
    axes.set_ylabel("believed to have ended by (s)")
    axes.set_title("What is believed while a batch goes on")
    return figure
