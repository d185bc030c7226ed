"""What is drawn."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from batches.report.ledgers import BEGIN, job

from aiogen.batch.report.figures import Durations, Figures, line_of
from aiogen.batch.report.svg import TALL, axis, chart, moment, timeline
from aiogen.models import State
from aiogen.stores.base import Record


def figures(*records: Record) -> Figures:
    return Figures.of([line_of(record) for record in records], BEGIN.timestamp() + 100.0)


@pytest.mark.parametrize("longest", [0.0, 0.004, 0.7, 1.0, 9.0, 59.0, 61.0, 98.0, 600.0, 3599.0, 90_000.0, 3e7, 1e9])
def test_an_axis_has_few_marks_and_all_fits(longest: float) -> None:
    """From 0 on, with equal distances and different labels, none beyond the end."""
    end, ticks = axis(longest)
    assert end >= longest
    assert 1 <= len(ticks) <= 8
    places = [float(tick.at) for tick in ticks]
    assert places[0] == 0.0
    assert places[-1] <= 100.0
    assert len({tick.label for tick in ticks}) == len(ticks)
    distances = [later - earlier for earlier, later in pairwise(places)] or [0.0]
    assert max(distances) == pytest.approx(min(distances), abs=0.02)


@pytest.mark.parametrize(
    ("seconds", "label"),
    [
        (0.0, "0"), (0.5, "0.5 s"), (20.0, "20 s"), (60.0, "1 min"), (90.0, "1:30 min"), (3600.0, "1 h"),
        (9000.0, "2:30 h"), (86_400.0, "1 d"), (108_000.0, "1 d 6 h"),
    ],
)  # fmt: skip
def test_a_moment_has_its_unit(seconds: float, label: str) -> None:
    assert moment(seconds) == label


def bars(shapes: str) -> list[tuple[float, float]]:
    """From where to where each bar goes, in units."""
    return [(float(a), float(b)) for a, b in re.findall(r"M([\d.]+) [\d.]+H([\d.]+)v", shapes)]


def test_a_job_is_a_row_of_its_phases() -> None:
    """Waiting, queued and processing where both were seen; each question a dot."""
    seen = job(
        1, added=0.0, accepted=20.0, ended=100.0,
        known={"asked_after": (10.0, 80.0), "began_at": BEGIN.replace(second=50)},
    )  # fmt: skip
    found = figures(seen, job(2, State.FAILED, added=50.0, accepted=60.0, ended=80.0))
    drawn = timeline(found, found.lines)
    shapes = dict(drawn.bars)
    assert bars(shapes["waiting"]) == [(0.0, 200.0), (500.0, 600.0)]
    assert bars(shapes["queued"]) == [(200.0, 500.0)]
    assert bars(shapes["processing"]) == [(500.0, 1000.0)]
    assert bars(shapes["vendor"]) == [(600.0, 800.0)]
    assert re.findall(r"M([\d.]+) ", drawn.dots) == ["300", "1000"]
    assert re.findall(r"M([\d.]+) ", drawn.ends) == ["800"]
    assert [span.title for span in drawn.spans] == [
        "00000001: completed; waiting 20 s, queued 30 s, processing 50 s, asked about 2×",
        "00000002: failed (unknown); waiting 10 s, at the provider 20 s",
    ]


def test_what_waits_still_goes_on_until_now() -> None:
    found = figures(job(1, State.PENDING, added=0.0, accepted=None, ended=None))
    assert bars(dict(timeline(found, found.lines).bars)["waiting"]) == [(0.0, 1000.0)]


@pytest.mark.parametrize("jobs", [1, 60, 200, 1000, 5000])
def test_a_timeline_of_however_many_jobs_has_a_height(jobs: int) -> None:
    found = figures(*(job(i) for i in range(jobs)))
    drawn = timeline(found, found.lines)
    assert 0.0 < float(drawn.height) <= 2400.0
    assert len(drawn.spans) == (jobs if jobs <= 1000 else 0)


def test_steps_rise_to_all_of_them() -> None:
    """A quarter at each of four ends."""
    drawn = chart(Durations(model="m", sorted=(10.0, 20.0, 30.0, 40.0)))
    heights = [float(y) for y in re.findall(r"V([\d.]+)", drawn.seen)]
    assert heights == [TALL * part for part in (0.75, 0.5, 0.25, 0.0)]
    assert (drawn.median, drawn.most, drawn.learned) == ("20 s", "40 s", "")


def test_a_learned_curve_stands_on_the_same_axes() -> None:
    """And is cut where nothing more happens."""
    curve = [(float(age), min(0.99, age / 50.0)) for age in range(0, 5000, 5)]
    drawn = chart(Durations(model="m", sorted=(40.0,)), curve, 12)
    points = [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", drawn.learned)]
    assert points[0] == (0.0, TALL)
    assert max(x for x, _ in points) <= 1000.0
    assert points[5][1] == pytest.approx(TALL * 0.5)
    assert float(drawn.ticks[-1].at) <= 100.0
    assert [tick.label for tick in drawn.ticks][-1] in ("40 s", "45 s")
