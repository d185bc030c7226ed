"""The figures as pictures: each answers one question before anything else is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from benchmarks import batch_pictures, results
from benchmarks.results import Row

FOLDER = Path(__file__).parents[1] / "docs" / "benchmarks"
WIDTH = 9.0
DPI = 150

OURS, THEIRS, LATE, INK, FAINT = "#0b6e4f", "#6b7280", "#d1344b", "#1f2937", "#d1d5db"

mpl.rcParams.update(
    {
        "font.size": 11,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "text.color": INK,
        "xtick.color": THEIRS,
        "ytick.color": THEIRS,
        "axes.titlelocation": "left",
        "axes.titlesize": 13,
        "axes.titleweight": "bold",
    }
)


def draw(folder: Path = FOLDER) -> list[Path]:
    """Every picture whose figures are there."""
    pictures: dict[str, tuple[str, Callable[[list[Row], dict[str, Any]], Figure]]] = {
        "requests-and-lag": ("efficiency", requests_and_lag),
        "timeline": ("throughput", timeline),
        "learning": ("efficiency", learning),
        "cpu": ("cpu", cpu),
        "batch-sizes": ("batches", batch_pictures.sizes),
        "batch-belief": ("batches", batch_pictures.belief),
    }
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, (source, picture) in pictures.items():
        try:
            found = results.read(source)
        except FileNotFoundError:
            continue
        path = folder / f"{name}.png"
        picture(*found).savefig(path, dpi=DPI, facecolor="white")
        drawn.append(path)
    return drawn


def requests_and_lag(rows: list[Row], series: dict[str, Any]) -> Figure:
    """Who asks how often, and knows how late: down and left is better."""
    figure = Figure(figsize=(WIDTH, 6.2), layout="constrained")
    axes = figure.subplots()
    _logarithmic(axes, (1.0, 300.0), (0.04, 16.0), (1, 2, 5, 10, 20, 50, 100, 200), (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10))
    axes.set_xlabel("requests per job")
    axes.set_ylabel("seconds from a job's end until the client knows")
    axes.set_title(f"Fewer requests, sooner known: down and left is better\n({series['distribution']})")

    span = [1.0, 300.0]
    limit = [series["bound"] / x for x in span]
    axes.fill_between(span, limit, 0.01, color="#eef2f7", lw=0)
    axes.plot(span, limit, color="#9aa5b8", lw=1.2)
    axes.text(1.15, 0.075, "below Keller's limit for many requests", color="#7b8798", fontsize=12, style="italic")

    interval = [(x, y) for _, x, y in series["intervals"]]
    axes.plot(*zip(*interval, strict=True), color=FAINT, lw=5, solid_capstyle="round", zorder=1)
    axes.annotate("any fixed interval", interval[1], (10, 4), textcoords="offset points", color=THEIRS)

    line = [(ours, lag) for _, ours, lag, _, _ in series["prices"]]
    axes.plot(*zip(*line, strict=True), color=OURS, lw=2.5, marker="o", ms=4, zorder=3)
    for end in (0, -1):
        words = f"poll_cost {series['prices'][end][0]:g}"
        axes.annotate(words, line[end], (-8, -15), textcoords="offset points", color=OURS, ha="right")

    points = {name: (x, y) for name, x, y in series["points"]}
    places = {
        "every 1 s": (8, 4),
        "every 2 s": (8, 4),
        "every 5 s": (8, 4),
        "Luma's docs": (8, 4),
        "google-api-core": (8, 4),
        "fal-client": (-6, 9),
        "replicate": (8, 4),
        "30 s, then every 2 s": (8, 0),
    }
    for name, place in places.items():
        axes.plot(*points[name], "o", color=THEIRS, ms=7, zorder=4)
        side = "left" if place[0] > 0 else "center"
        axes.annotate(name, points[name], place, textcoords="offset points", color=INK, ha=side)
    ours = points["aiogen, learned"]
    axes.plot(*ours, "o", color=OURS, ms=11, zorder=5)
    axes.annotate(
        f"aiogen\n{ours[0]:.1f} requests, {ours[1]:.2f} s",
        ours,
        (-12, -6),
        textcoords="offset points",
        color=OURS,
        weight="bold",
        fontsize=13,
        ha="right",
        va="top",
    )
    return figure


def timeline(rows: list[Row], series: dict[str, Any]) -> Figure:
    """Every job as a line, every question as a dot, what nobody knew yet in red."""
    lives: dict[str, list[tuple[float, float, list[float]]]] = series["lives"]
    figure = Figure(figsize=(WIDTH, 7.0), layout="constrained")
    panels: Sequence[Axes] = figure.subplots(1, len(lives), sharex=True, sharey=True)
    names = {"semaphore, every 2 s": "a question every 2 s"}
    count = len(next(iter(lives.values())))
    longest = max(looks[-1] - accepted for jobs in lives.values() for accepted, _, looks in jobs)
    for axes, (name, jobs) in zip(panels, lives.items(), strict=True):
        color = OURS if name == "aiogen" else INK
        ages = sorted((end - accepted, [look - accepted for look in looks]) for accepted, end, looks in jobs)
        rows_of = list(enumerate(ages))
        axes.add_collection(LineCollection([[(0, i), (end, i)] for i, (end, _) in rows_of], colors="#e5e7eb", lw=0.8))
        late = [[(end, i), (looks[-1], i)] for i, (end, looks) in rows_of]
        axes.add_collection(LineCollection(late, colors=LATE, lw=0.9, alpha=0.75))
        dots = [(look, i) for i, (_, looks) in rows_of for look in looks]
        axes.scatter([x for x, _ in dots], [y for _, y in dots], s=1.3, color=color, lw=0, zorder=3)
        looks_each = fmean(len(looks) for _, looks in ages)
        lag = fmean(looks[-1] - end for end, looks in ages)
        axes.set_title(names.get(name, name), color=color, fontsize=15)
        axes.text(
            0.0, 1.0, f"{looks_each:.1f} questions per job\n{lag:.2f} s until it is known", color=color,
            transform=axes.transAxes, va="top", fontsize=13,
        )  # fmt: skip
        axes.set_xlabel("seconds since the job was accepted")
        axes.set_xlim(0, longest * 1.01)
        axes.set_ylim(count * 1.005, -count * 0.13)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
    panels[0].set_ylabel(f"{count} jobs, the shortest on top")
    where = int(count * 0.88)
    panels[1].annotate(
        "over, and nobody\nknows yet", (ages[where][1][-1], where), (38, count * 0.66), color=LATE, ha="center",
        arrowprops={"arrowstyle": "-", "color": LATE},
    )  # fmt: skip
    panels[1].annotate(
        "each dot is\na question", (ages[0][1][-1], 0), (34, count * 0.1), color=INK, ha="center", va="center",
        arrowprops={"arrowstyle": "-", "color": INK},
    )  # fmt: skip
    return figure


def learning(rows: list[Row], series: dict[str, Any]) -> Figure:
    """How soon what is learned is as good as what cannot be beaten."""
    figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
    axes = figure.subplots()
    curves: dict[str, list[tuple[int, float]]] = series["curves"]
    named = {series["distribution"]: OURS, "uniform 18-22 s": "#b45309", "two humps, 12 s and 39 s": "#5b4b9a"}
    _logarithmic(axes, (0.7, 1900.0), (0.5, 200.0), (1, 2, 5, 10, 20, 50, 100, 200), (1, 3, 6, 10, 30, 100))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"+{y:g} %"))
    for name, curve in curves.items():
        points = [(n, 100.0 * (over - 1.0)) for n, over in curve if n]
        strong = name in named
        color, width = (named[name], 2.5) if strong else ("#b8bfc9", 1.3)
        axes.plot(*zip(*points, strict=True), color=color, lw=width, zorder=3 if strong else 2)
        if strong:
            axes.text(210, points[-1][1], name, color=named[name], va="center")
    for count, goal, color in ((20, 6.0, LATE), (50, 3.0, LATE), (50, 6.0, named["two humps, 12 s and 39 s"])):
        axes.plot([count / 1.22, count * 1.22], [goal, goal], color=color, lw=4, zorder=4, solid_capstyle="butt")
    axes.text(1.0, 2.75, "goals, as bars: +6 % after 20,\n+3 % after 50", color=LATE)
    axes.text(1.0, 2.1, "(two humps: +6 % after 50)", color=named["two humps, 12 s and 39 s"])
    axes.text(1.0, 1.55, "grey: the other distributions", color="#8b95a3")
    axes.set_xlabel("generations of this model that have ended, from a cold start")
    axes.set_ylabel("cost above the exact optimum")
    axes.set_title(f"What is learned, and how soon (mean of {series['seeds']} courses)")
    return figure


def cpu(rows: list[Row], series: dict[str, Any]) -> Figure:
    """What a question costs the client."""
    figure = Figure(figsize=(WIDTH, 5.0), layout="constrained")
    axes = figure.subplots()
    levels = sorted({int(name.rpartition("_")[2]) for row in rows for name in row.metrics if name.startswith("us_")})
    _logarithmic(axes, (0.8, 500 * 24.0), (150.0, 40_000.0), levels, (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y / 1000:g} ms" if y >= 1000 else f"{y:g} µs"))
    last, lowest = levels[-1], 0.0
    for row in sorted(rows, key=lambda row: row.metrics[f"us_per_poll_at_{last}"]):
        points = [(level, row.metrics[f"us_per_poll_at_{level}"]) for level in levels]
        ours = row.subject.startswith("aiogen")
        color = OURS if row.subject == "aiogen, polling" else "#5aa58b" if ours else THEIRS
        axes.plot(*zip(*points, strict=True), color=color, lw=2.8 if ours else 1.6, marker="o", ms=5)
        times = row.metrics[f"times_bare_at_{last}"]
        label = row.subject if row.subject == "bare aiohttp" else f"{row.subject}  ×{times:.1f}"
        # Labels of lines that end close together are drawn one above the other.
        lowest = max(points[-1][1], lowest * 1.24)
        axes.text(last * 1.15, lowest, label, color=color, va="center", weight="bold" if ours else "normal")
    axes.set_xlabel("questions in flight")
    axes.set_ylabel("CPU of the client per question")
    axes.set_title("What a question costs; × against bare aiohttp")
    return figure


def _logarithmic(
    axes: Axes,
    x: tuple[float, float],
    y: tuple[float, float],
    x_ticks: Sequence[float],
    y_ticks: Sequence[float],
) -> None:
    """Both axes logarithmic, with plain numbers at the given places and nowhere else."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(*x)
    axes.set_ylim(*y)
    for axis, ticks in ((axes.xaxis, x_ticks), (axes.yaxis, y_ticks)):
        axis.set_major_locator(FixedLocator(list(ticks)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(color="#f1f3f6", lw=0.8)
    axes.set_axisbelow(True)


if __name__ == "__main__":
    for picture in draw():
        print(picture)
