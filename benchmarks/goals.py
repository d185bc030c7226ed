"""What was to be reached, and whether it was: each goal against the figures, with the best peer beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from benchmarks import batch_goals, live_goals
from benchmarks.distributions import USUAL
from benchmarks.results import Row
from benchmarks.verdict import Verdict

_NEAR = 1.05
"""Of the ideal, where the goal has no figure of its own."""
_TWO_HUMPS = "two humps, 12 s and 39 s"


def _efficiency(rows: list[Row]) -> list[Verdict]:
    best, best_halved = (_index(_of(rows, bench)) for bench in ("best peer", "best peer, halved"))
    learned, halved = (_index(_of(rows, bench)) for bench in ("learned one by one", "durations halve"))
    after_20, after_50 = ({name: row.metrics[f"over@{count}"] for name, row in learned.items()} for count in (20, 50))
    changed = {name: row.metrics["over@50"] for name, row in halved.items()}
    return [
        _known(_of(rows, "known durations")),
        _learned(
            "learned, after 20 generations",
            "cost within 6 % of the optimum (two humps excepted)",
            after_20,
            {name: 1.06 for name in learned if name != _TWO_HUMPS},
            best,
        ),
        _learned(
            "learned, after 50 generations",
            "cost within 3 % of the optimum (two humps: 6 %)",
            after_50,
            {name: 1.06 if name == _TWO_HUMPS else 1.03 for name in learned},
            best,
        ),
        _cold(_of(rows, "the first job")),
        _learned(
            "durations halve, 50 generations later",
            "cost within 6 % of the new optimum",
            changed,
            dict.fromkeys(changed, 1.06),
            best_halved,
        ),
        *_beside(_of(rows, "beside others")),
    ]


def _known(rows: list[Row]) -> Verdict:
    """E at most 1.10; where the optimum itself is above, its cost and one per cent."""
    cases = [
        (row.metrics[f"E@{n}"], row.metrics[f"optimum E@{n}"], row.metrics[f"over@{n}"], f"{row.subject}, {n} requests")
        for row in rows
        for n in (int(name.removeprefix("E@")) for name in row.metrics if name.startswith("E@"))
    ]
    missed = [case for case in cases if not (case[0] <= 1.10 or (case[1] > 1.10 and case[2] <= 1.01))]
    words = f"{len(cases) - len(missed)} of {len(cases)} cases"
    if missed:
        worst = max(missed, key=lambda case: case[0] / case[1])
        words += f"; worst: E = {worst[0]:.2f} where the optimum has {worst[1]:.2f} ({worst[3]})"
    goal = "requests × lag ≤ 1.10 × the bound, or the optimum's cost + 1 % where that is above"
    return Verdict("durations known, 3 to 12 requests", goal, words, not missed)


def _learned(what: str, goal: str, over: dict[str, float], most: dict[str, float], best: dict[str, Row]) -> Verdict:
    """Cost over the optimum, for each distribution that the goal speaks of; all that miss it are named."""
    missed = sorted((name for name in most if over[name] > most[name]), key=lambda name: -over[name])
    words = f"{len(most) - len(missed)} of {len(most)} distributions"
    if missed:
        words += "; not " + ", ".join(f"{name} ({_above(over[name])})" for name in missed)
    ratios = {name: over[name] / best[name].metrics["over"] for name in most}
    low, high = min(ratios, key=lambda n: ratios[n]), max(ratios, key=lambda n: ratios[n])
    who = list(dict.fromkeys(best[name].note for name in most))
    peer = who[0] if len(who) == 1 else f"{' or '.join(who)}, whichever fits best"
    return Verdict(what, goal, words, not missed, peer, f"{ratios[low]:.2f} ({low}) to {ratios[high]:.2f} ({high})")


def _cold(rows: list[Row]) -> Verdict:
    worst = max(rows, key=lambda row: row.metrics["ratio"])
    ratio = worst.metrics["ratio"]
    return Verdict(
        "the very first job",
        "at most 1.5 × the cost of waiting 30 s, then asking every 2 s",
        f"{ratio:.2f} × at worst ({worst.subject})",
        ratio <= 1.5,
        "30 s, then every 2 s",
        f"{min(row.metrics['ratio'] for row in rows):.2f} to {ratio:.2f}",
    )


def _beside(rows: list[Row]) -> list[Verdict]:
    ours = next(row for row in rows if row.subject == "aiogen, learned").metrics
    others = [row for row in rows if not row.subject.startswith(("aiogen", "exact", "best", "root"))]
    peer = min(others, key=lambda row: row.metrics["cost"])
    return [
        Verdict(
            USUAL,
            "at most 6.8 requests per job and 1.0 s lag",
            f"{ours['requests']:.1f} requests, {ours['lag']:.2f} s",
            ours["requests"] <= 6.8 and ours["lag"] <= 1.0,
            f"{peer.subject} ({peer.metrics['requests']:.1f} requests, {peer.metrics['lag']:.2f} s)",
            f"{ours['cost'] / peer.metrics['cost']:.2f} of the cost",
        )
    ]


def _throughput(rows: list[Row]) -> list[Verdict]:
    by = {(row.bench, row.subject): row for row in rows}
    peer = next(row.subject for row in rows if row.subject != "aiogen")
    steady, other = by["behind Luma's limits", "aiogen"].metrics, by["behind Luma's limits", peer].metrics
    halved, theirs = by["limits halved midway", "aiogen"].metrics, by["limits halved midway", peer].metrics
    return [
        Verdict(
            "a batch behind Luma's limits",
            "no job fails, no 429, near the ideal",
            f"{steady['failed']:.0f} failed, {steady['429s']:.0f} 429s, {_above(steady['over'])} time",
            not steady["failed"] and not steady["429s"] and steady["over"] <= _NEAR,
            f"{peer} ({other['429s']:.0f} 429s, {_above(other['over'])})",
            f"{steady['over'] / other['over']:.2f} of the time",
        ),
        Verdict(
            "limits halved midway",
            "no job fails; the new ideal's rate within a minute",
            f"{halved['failed']:.0f} failed; {100.0 * halved['rate after a minute']:.0f} % of the rate",
            not halved["failed"] and halved["rate after a minute"] >= 1.0 / _NEAR,
            f"{peer} ({theirs['failed']:.0f} failed, {100.0 * theirs['rate after a minute']:.0f} %)",
            f"{halved['rate after a minute'] / theirs['rate after a minute']:.2f} of the rate",
        ),
    ]


def _above(over: float) -> str:
    return f"+{100.0 * (over - 1.0):.1f} %" if over < 1.995 else f"× {over:.1f}"


def _index(rows: Iterable[Row]) -> dict[str, Row]:
    return {row.subject: row for row in rows}


def _of(rows: Iterable[Row], bench: str) -> list[Row]:
    return [row for row in rows if row.bench == bench]


JUDGES: dict[str, Callable[[list[Row]], list[Verdict]]] = {
    "efficiency": _efficiency,
    "throughput": _throughput,
    **batch_goals.JUDGES,
    **live_goals.JUDGES,
}
"""By the benchmark that has the figures."""
