"""What is drawn: shapes as text for SVG paths, and axes with units.  Pure.

Nothing here is markup: the page writes the elements, and escapes what stands in them.  Shapes are drawn `WIDE` units
wide and stretched to the page's width, so labels are placed in per cent beside them and keep their size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

from aiogen._wording import count, duration
from aiogen.batch.report.figures import Durations, Figures, Line
from aiogen.models import State

WIDE = 1000.0
"""Units across."""
TALL = 160.0
"""Pixels of a chart of durations."""
_HIGHEST = 2400.0
"""Pixels of a timeline, however many jobs it has."""
_TITLED = 1000
"""Jobs of a timeline that say what they are under the pointer; of more none does, for the page's size."""
_STEPS = (
    *(m * 10.0**e for e in range(-3, 1) for m in (1, 2, 5)),
    10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
)  # fmt: skip
_TICKS = 7
"""At most, across."""


@attrs.frozen
class Tick:
    """A mark on an axis."""

    at: str
    """Per cent from the left, or from the top."""
    label: str


@attrs.frozen
class Span:
    """What one row shows under the pointer."""

    y: str
    high: str
    title: str


@attrs.frozen(kw_only=True)
class Timeline:
    """The jobs of one run: each a row of bars."""

    height: str
    """Pixels."""
    bars: tuple[tuple[str, str], ...]
    """The name of a phase, and the shapes of all its bars."""
    dots: str
    dot: str
    """Pixels across."""
    ends: str
    """Marks of those that failed."""
    ticks: tuple[Tick, ...]
    spans: tuple[Span, ...]
    begins: float
    jobs: int


@attrs.frozen(kw_only=True)
class Chart:
    """The durations of one model: the part that has completed, by seconds since acceptance."""

    model: str
    jobs: int
    seen: str
    """The steps of these jobs."""
    learned: str
    """The curve that the ledger has learned; empty if it has none."""
    learned_from: int
    ticks: tuple[Tick, ...]
    median: str
    most: str
    """Within which nine of ten had completed."""


def axis(longest: float) -> tuple[float, tuple[Tick, ...]]:
    """How many seconds the axis is long, and its marks; `longest`: what has to fit on it, 0 or more."""
    longest = max(longest, 0.001)
    step = next((s for s in _STEPS if longest / s <= _TICKS), None)
    if step is None:
        step = 604_800.0 * math.ceil(longest / (604_800.0 * _TICKS))
    number = math.floor(longest / step + 1e-9)
    end = longest if longest - number * step > 0.05 * step else max(longest, number * step)
    return end, tuple(Tick(_number(100.0 * i * step / end), moment(i * step)) for i in range(number + 1))


def moment(seconds: float) -> str:
    """A place on an axis of time: 0, 20 s, 1:30 min, 2 h, 2:30 h, 3 d."""
    if seconds == 0.0:
        return "0"
    if seconds < 60.0:
        return f"{count(float(f'{seconds:.3g}'))} s"
    for size, part, unit in ((86_400, 3600, "d"), (3600, 60, "h"), (60, 1, "min")):
        if seconds >= size:
            whole, rest = divmod(round(seconds), size)
            if size == 86_400:
                return f"{whole} d" if not rest else f"{whole} d {rest // part} h"
            return f"{whole} {unit}" if not rest else f"{whole}:{rest // part:02} {unit}"
    raise AssertionError(seconds)


def timeline(figures: Figures, lines: Sequence[Line]) -> Timeline:
    """Each job a row, in the order of their additions; the first at the top.  One job or more."""
    begins = min(line.added for line in lines)
    end, ticks = axis(max(figures.end_of(line) for line in lines) - begins)
    pitch = min(max(_HIGHEST / len(lines), 0.25), 10.0 if len(lines) <= 60 else 6.0 if len(lines) <= 200 else 3.0)
    pitch = min(pitch, _HIGHEST / len(lines))
    high = pitch * (0.72 if pitch >= 3.0 else 1.0)

    def x(at: float) -> float:
        return WIDE * min(1.0, max(0.0, (at - begins) / end))

    phases: dict[str, list[str]] = {"waiting": [], "queued": [], "processing": [], "vendor": []}
    dots, ends, spans = list[str](), list[str](), list[Span]()
    for i, line in enumerate(lines):
        top = i * pitch
        for phase, since, until in _phases(figures, line):
            if until > since:
                phases[phase].append(_bar(x(since), x(until), top, high))
        dots += [f"M{_number(x(at))} {_number(top + high / 2)}h0" for at in line.asked]
        if line.state is State.FAILED:
            ends.append(f"M{_number(x(figures.end_of(line)))} {_number(top)}v{_number(high)}")
        if len(lines) <= _TITLED:
            spans.append(Span(_number(top), _number(pitch), _title(figures, line)))
    return Timeline(
        height=_number(pitch * len(lines)),
        bars=tuple((name, "".join(shapes)) for name, shapes in phases.items()),
        dots="".join(dots),
        dot=_number(min(3.0, max(0.8, 0.5 * high))),
        ends="".join(ends),
        ticks=ticks,
        spans=tuple(spans),
        begins=begins,
        jobs=len(lines),
    )


def _phases(figures: Figures, line: Line) -> list[tuple[str, float, float]]:
    """What it did, from when to when."""
    end = figures.end_of(line)
    if line.accepted is None:
        return [("waiting", line.added, end)]
    accepted = min(max(line.accepted, line.added), end)
    waiting = ("waiting", line.added, accepted)
    if line.began is None:
        return [waiting, ("vendor", accepted, end)]
    return [waiting, ("queued", accepted, line.began), ("processing", line.began, end)]


def _bar(left: float, right: float, top: float, high: float) -> str:
    return f"M{_number(left)} {_number(top)}H{_number(right)}v{_number(high)}H{_number(left)}z"


def _title(figures: Figures, line: Line) -> str:
    names = {"vendor": "at the provider"}
    took = [
        f"{names.get(phase, phase)} {duration(max(0.0, until - since))}"
        for phase, since, until in _phases(figures, line)
        if until > since
    ]
    asked = f", asked about {len(line.asked)}×" if line.asked else ""
    why = f" ({line.code})" if line.code is not None and line.state is State.FAILED else ""
    return f"{line.name}: {line.state}{why}; {', '.join(took)}{asked}"


def chart(durations: Durations, learned: Sequence[tuple[float, float]] = (), learned_from: int = 0) -> Chart:
    """One model's durations; `learned`: ages in seconds, and the part that has ended by then, the ages rising."""
    longest = durations.sorted[-1] * 1.02
    known = [age for age, part in learned if part <= 0.97]
    end, ticks = axis(max(longest, min(known[-1], 3.0 * longest) if known else 0.0))

    def place(age: float, part: float) -> str:
        return f"{_number(WIDE * min(1.0, age / end))} {_number(TALL * (1.0 - part))}"

    steps, total = [f"M0 {_number(TALL)}"], len(durations.sorted)
    for i, took in enumerate(durations.sorted, 1):
        steps.append(f"H{_number(WIDE * took / end)}V{_number(TALL * (1.0 - i / total))}")
    steps.append(f"H{_number(WIDE)}")
    curve = [place(age, part) for age, part in learned if age <= end]
    return Chart(
        model=durations.model,
        jobs=total,
        seen="".join(steps),
        learned=f"M{'L'.join(curve)}" if len(curve) > 1 else "",
        learned_from=learned_from,
        ticks=ticks,
        median=duration(durations.quantile(0.5)),
        most=duration(durations.quantile(0.9)),
    )


def _number(value: float) -> str:
    """As short as it is exact enough."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
