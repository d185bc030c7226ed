"""What was to be reached in batches, and whether it was."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from benchmarks.results import Row
from benchmarks.scenarios import DRIFT, FLAT, TWO_HUMPS
from benchmarks.tables import of, percent
from benchmarks.verdict import Verdict

BEFORE = Path(__file__).parent / "before.json"
"""Cost over the optimum by scenario, before issue 12; measured once, with the same seeds, and kept."""
_HARD = (FLAT, TWO_HUMPS)
_SURE = 2.0
"""Standard errors by which two figures have to differ."""


@cache
def before() -> dict[str, float]:
    """`bench, subject` to cost over the optimum."""
    found: dict[str, float] = json.loads(BEFORE.read_text())
    return found


def batches(rows: list[Row]) -> list[Verdict]:
    """Simulated."""
    warm, cold = of(rows, "warm"), of(rows, "cold")
    halve, drift = of(rows, "durations halve"), of(rows, "batch after batch")
    after = [row for row in warm if row.metrics["n"] == 500]
    large = [row for row in cold if row.metrics["n"] == 500]
    small = [row for row in cold if row.metrics["n"] < 500]
    verdicts = [
        _most("warm, 20 to 5,000 at once", "≤ 1.04 × the optimum (uniform, two humps: 1.08)", warm, "over", _warm),
        _no_worse_when_many(warm),
        _verdict(
            "the model after a batch of 500",
            "10, 50 and 90 % within 5 % in the mean, no run beyond 15 %",
            after,
            lambda row: row.metrics["off, mean"] <= 0.05 and row.metrics["off, worst"] <= 0.15,
            lambda row: f"{100.0 * row.metrics['off, mean']:.0f} %, a run {100.0 * row.metrics['off, worst']:.0f} %",
            lambda row: row.metrics["off, worst"],
        ),
        _most("cold, 500 at once", "≤ 1.15 × the optimum (told ten times too long: 1.25)", large, "over", _cold),
        _verdict(
            "cold, 500 at once",
            "below every peer",
            large,
            lambda row: row.metrics["over"] < row.metrics["best peer"],
            lambda row: f"{percent(row.metrics['over'])}, the best peer {percent(row.metrics['best peer'])}",
            lambda row: row.metrics["over"] / row.metrics["best peer"],
        ),
        _verdict(
            "cold, 1, 5 and 20 jobs",
            "no worse than before",
            [row for row in small if _name(row) in before()],
            lambda row: row.metrics["over"] <= before()[_name(row)] + _SURE * row.metrics["over, error"],
            lambda row: f"{percent(row.metrics['over'])}, before {percent(before()[_name(row)])}",
            lambda row: row.metrics["over"] / before()[_name(row)],
        ),
        _most("durations halve, 50 ends later", "within 6 %", halve, "plan", lambda _: 1.06),
    ]
    return [verdict for verdict in (*verdicts, _no_drift(drift)) if verdict is not None]


def turns(rows: list[Row]) -> list[Verdict]:
    """Over sockets."""
    ours = [row for row in rows if row.subject.startswith("aiogen")]
    longest = max(ours, key=lambda row: row.metrics["longest_ms"])
    kept = max(ours, key=lambda row: row.metrics["kept_p999_ms"])
    verdicts = [
        Verdict(
            "the longest turn of the loop",
            "≤ 2 ms of CPU",
            f"{longest.metrics['longest_ms']:.1f} ms ({longest.bench})",
            longest.metrics["longest_ms"] <= 2.0,
        ),
        Verdict(
            "a bystander that sleeps 1 ms",
            "at most 3 ms late (99.9 %)",
            f"{kept.metrics['kept_p999_ms']:.1f} ms ({kept.bench})",
            kept.metrics["kept_p999_ms"] <= 3.0,
        ),
    ]
    for row in ours:
        loops = [each for each in rows if each.bench == row.bench and each is not row]
        if row.bench == "500 jobs" and loops:
            times = row.metrics["cpu_seconds"] / loops[0].metrics["cpu_seconds"]
            share = row.metrics["share_learning"]
            verdicts.append(
                Verdict(
                    "CPU for 500 jobs, warm, at Luma",
                    "≤ 1.4 × the bare 2 s loop's; learning and planning ≤ 15 % of it",
                    f"{times:.2f} ×, {100.0 * share:.0f} %",
                    times <= 1.4 and share <= 0.15,
                    loops[0].subject,
                    f"{times:.2f} of the CPU",
                )
            )
    return verdicts


def _warm(row: Row) -> float:
    return 1.08 if row.subject.startswith(_HARD) else 1.04


def _cold(row: Row) -> float:
    return 1.25 if "10 ×" in row.subject else 1.15


def _most(what: str, goal: str, rows: list[Row], metric: str, most: Callable[[Row], float]) -> Verdict | None:
    return _verdict(
        what,
        goal,
        rows,
        lambda row: row.metrics[metric] <= most(row),
        lambda row: percent(row.metrics[metric]),
        lambda row: row.metrics[metric] / most(row),
    )


def _verdict(
    what: str,
    goal: str,
    rows: list[Row],
    is_met: Callable[[Row], bool],
    words: Callable[[Row], str],
    badness: Callable[[Row], float],
) -> Verdict | None:
    """How many of the rows reach the goal, and the worst of them; None without rows."""
    if not rows:
        return None
    met = sum(map(is_met, rows))
    worst = max(rows, key=badness)
    return Verdict(what, goal, f"{met} of {len(rows)}; worst: {worst.subject} ({words(worst)})", met == len(rows))


def _no_worse_when_many(warm: Iterable[Row]) -> Verdict | None:
    by = {row.subject: row for row in warm}
    many = {name: f"{name.removesuffix('20')}5,000" for name in by if name.endswith(", 20")}
    pairs = [(by[few], by[name]) for few, name in many.items() if name in by]
    return _pairs("warm, 5,000 against 20 at once", "no worse", pairs)


def _no_drift(drift: Iterable[Row]) -> Verdict | None:
    by = {row.subject: row for row in drift}
    last = f", the {DRIFT}th"
    pairs = [(by[name.replace(last, ", the 2nd")], row) for name, row in by.items() if name.endswith(last)]
    return _pairs(f"{DRIFT} batches of 500 one after the other", "the last as good as the second", pairs)


def _pairs(what: str, goal: str, pairs: list[tuple[Row, Row]]) -> Verdict | None:
    """Each second against its first, as far as the standard errors tell them apart."""
    if not pairs:
        return None

    def worse(pair: tuple[Row, Row]) -> float:
        a, b = (row.metrics for row in pair)
        return b["over"] - a["over"] - _SURE * math.hypot(a["over, error"], b["over, error"])

    worst = max(pairs, key=worse)
    met = sum(worse(pair) <= 0.0 for pair in pairs)
    words = f"{percent(worst[0].metrics['over'])}, then {percent(worst[1].metrics['over'])}"
    return Verdict(what, goal, f"{met} of {len(pairs)}; worst: {worst[1].subject} ({words})", met == len(pairs))


def _name(row: Row) -> str:
    return f"{row.bench}, {row.subject}"


JUDGES: dict[str, Callable[[list[Row]], list[Verdict]]] = {"batches": batches, "turns": turns}
"""By the benchmark that has the figures."""
