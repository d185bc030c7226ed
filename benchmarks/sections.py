"""The parts of the report: for each benchmark its tables, and the words that say what was done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import batch_sections
from benchmarks.distributions import USUAL
from benchmarks.efficiency import PRICE
from benchmarks.results import Row
from benchmarks.tables import of, percent, table

Section = Callable[[list[Row], dict[str, Any]], str]


def _efficiency(rows: list[Row], series: dict[str, Any]) -> str:
    return f"""## When to ask

Computed, not run: what a schedule costs follows exactly from the distribution of durations, so no noise is in it.
Durations are named by their shape and mean; CV is the standard deviation over the mean.
The exact optimum comes from dynamic programming over a fine grid, for a client that knows the distribution.

![](requests-and-lag)

For {series["distribution"]}.
*Learned* is after 50 generations from a cold start, the mean of {series["seeds"]} simulated runs.
*Mean* and *worst* are over all the distributions below.
The line in the picture is Keller's bound; it is a limit for many requests, and for a few the true optimum lies within
some per cent of it.

{_beside_others(rows)}
### What `poll_cost` buys

Requests and lag for {series["distribution"]}, after 50 generations, the mean of {series["seeds"]} simulated
runs of other jobs than above; beside them the exact optimum at that price.

{_prices(series)}
### What is learned

Generations one after another, polled by aiogen from a cold start that takes the provider's word for 30 s.
A client never sees when a job ended, only that it still ran at one look and was over at the next.
The figures are the true cost of the next job's plan above the exact optimum, after so many ends, the mean of
{series["seeds"]} courses; then the same for batches of 20 that begin together.
The last column is the schedule of others that happens to fit best.
For an exponential, where the past tells nothing, a fixed interval of the right length is nearly the best there is.

![](learning)

{_learned(rows)}
### A model becomes twice as fast

After 100 generations the durations halve; cost above the new optimum, after so many more.

{_halved(rows)}
### The very first job

Nothing is known but the provider's typical 30 s.
The usual advice is to wait so long, then to ask every 2 s.

{_first_job(rows)}
### If the durations were known

The plan alone, at prices at which the exact optimum asks so often per job: requests × lag over Keller's bound
½(∫√(f·S))², and in brackets the same of the exact optimum.

{_known(rows)}"""


def _beside_others(rows: list[Row]) -> str:
    lines = [
        [
            r.subject,
            r.note,
            f"{r.metrics['requests']:.1f}",
            f"{r.metrics['lag']:.2f} s",
            f"{r.metrics['cost']:.2f} s",
            percent(r.metrics["over"]),
            percent(r.metrics["over, mean"]),
            percent(r.metrics["over, worst"]),
        ]
        for r in of(rows, "beside others")
    ]
    return table(["", "", "requests", "lag", "cost", "above the optimum", "mean", "worst"], lines)


def _prices(series: dict[str, Any]) -> str:
    lines = [
        [f"{price:g}", f"{asked:.1f}", f"{lag:.2f} s", f"{least:.1f}", f"{least_lag:.2f} s"]
        for price, asked, lag, least, least_lag in series["prices"]
    ]
    return table(["poll_cost", "requests", "lag", "optimum: requests", "lag"], lines)


def _learned(rows: list[Row]) -> str:
    best = {r.subject: r for r in of(rows, "best peer")}
    batches = {r.subject: r for r in rows if r.bench.startswith("learned in batches")}
    lines = [
        [
            r.subject,
            *(percent(r.metrics[f"over@{n}"]) for n in (5, 20, 50, 200)),
            *(percent(batches[r.subject].metrics[f"over@{n}"]) for n in (20, 50)),
            f"{percent(best[r.subject].metrics['over'])} ({best[r.subject].note})",
        ]
        for r in of(rows, "learned one by one")
    ]
    return table(["", "after 5", "20", "50", "200", "batches: 20", "50", "best peer"], lines)


def _halved(rows: list[Row]) -> str:
    lines = [
        [r.subject, *(percent(r.metrics[f"over@{n}"]) for n in (0, 10, 20, 50))] for r in of(rows, "durations halve")
    ]
    return table(["", "at once", "after 10", "20", "50"], lines)


def _first_job(rows: list[Row]) -> str:
    lines = [
        [r.subject, f"{r.metrics['cost']:.2f} s", f"{r.metrics['usual advice']:.2f} s", _2(r.metrics["ratio"])]
        for r in of(rows, "the first job")
    ]
    return table(["", "aiogen's cost", "the usual advice", "ratio"], lines)


def _known(rows: list[Row]) -> str:
    asked = [int(name.partition("@")[2]) for name in of(rows, "known durations")[0].metrics if name.startswith("E@")]
    lines = [
        [r.subject, *(f"{_2(r.metrics[f'E@{n}'])} ({_2(r.metrics[f'optimum E@{n}'])})" for n in asked)]
        for r in of(rows, "known durations")
    ]
    return table(["", *(f"{n} requests" for n in asked)], lines)


def _throughput(rows: list[Row], series: dict[str, Any]) -> str:
    steady, halved, free = (
        of(rows, name) for name in ("behind Luma's limits", "limits halved midway", "each job's life")
    )
    batch = [
        [
            r.subject,
            f"{r.metrics['makespan'] / 60.0:.1f}",
            percent(r.metrics["over"]),
            f"{r.metrics['429s']:.0f}",
            f"{r.metrics['failed']:.0f}",
            f"{r.metrics['looks per job']:.1f}",
            f"{r.metrics['mean lag']:.2f} s",
        ]
        for r in steady
    ]
    change = [
        [
            r.subject,
            f"{r.metrics['failed']:.0f}",
            f"{r.metrics['429s']:.0f}",
            f"{100.0 * r.metrics['rate after a minute']:.0f} % of the ideal",
            percent(r.metrics["over"]),
        ]
        for r in halved
    ]
    lives = [
        [
            r.subject.replace("semaphore, ", ""),
            f"{r.metrics['looks per job']:.1f}",
            f"{r.metrics['mean lag']:.2f} s",
            f"{r.metrics['95 % lag']:.2f} s",
        ]
        for r in free
    ]
    return f"""## A batch behind an account's limits

On a virtual clock, with real sockets: {steady[0].note}; durations {USUAL}; 0.1 s per request.
The ideal knows every end at once and needs no network.
The other client is what people write with care: a semaphore for the places, creates evenly spaced, 429 obeyed, a look
every 2 s.
A place that is free and not known to be free delays everyone in line, so aiogen pays more requests for less lag here.

{table(["", "minutes", "above the ideal", "429s", "failed", "looks per job", "lag"], batch)}
### Limits are halved midway

{halved[0].note}; nobody is told.
The ideal knows it at once.

{table(["", "failed", "429s", "creates per minute, from one minute after the change on", "time to the end"], change)}
### The life of each job

{free[0].note}.
aiogen begins cold: the jobs that were accepted before it had learned anything are among them.

![](timeline)

{table(["", "looks per job", "lag", "95 % lag"], lives)}"""


def _measured(title: str, what: str) -> Section:
    """A section of figures that were measured at a server in a process of its own."""

    def text(rows: list[Row], series: dict[str, Any]) -> str:
        benches = list(dict.fromkeys(row.bench for row in rows))
        parts = [f"## {title}\n\n{what}\n"]
        for bench in benches:
            heading = f"### {bench[0].upper()}{bench[1:]}\n\n" if len(benches) > 1 else ""
            parts.append(heading + _figures(of(rows, bench)))
        return "\n".join(parts)

    return text


def _figures(rows: list[Row]) -> str:
    """Every known figure that a row has, and what its requests and lag cost against the best of the others."""
    names = [name for name in _COLUMNS if any(name in row.metrics for row in rows)]
    heads = ["", *(_COLUMNS[name][0] for name in names)]
    lines = [[r.subject, *(_COLUMNS[n][1](r.metrics[n]) if n in r.metrics else "" for n in names)] for r in rows]
    # Who lost some on the way is no measure for those who did not.
    others = [row for row in rows if not row.subject.startswith("aiogen") and not row.metrics.get("failures")]
    if "requests_per_job" in names and others:
        least = min(map(_cost, others))
        heads += ["cost", "of the best peer's"]
        for line, row in zip(lines, rows, strict=True):
            lost = bool(row.metrics.get("failures"))
            line += ["–", "–"] if lost else [f"{_cost(row):.2f} s", f"{_cost(row) / least:.2f}"]
    if any(row.note for row in rows):
        heads.append("")
        lines = [[*line, row.note] for line, row in zip(lines, rows, strict=True)]
    return table(heads, lines)


def _cost(row: Row) -> float:
    return PRICE * row.metrics["requests_per_job"] + row.metrics["mean_lag"]


_COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "us_per_poll_at_1": ("µs, 1 in flight", lambda v: f"{v:,.0f}"),
    "us_per_poll_at_50": ("50", lambda v: f"{v:,.0f}"),
    "us_per_poll_at_500": ("500", lambda v: f"{v:,.0f}"),
    "times_bare_at_1": ("× bare aiohttp, 1 in flight", lambda v: f"{v:.2f}"),
    "times_bare_at_50": ("50", lambda v: f"{v:.2f}"),
    "times_bare_at_500": ("500", lambda v: f"{v:.2f}"),
    "requests_per_job": ("requests per job", lambda v: f"{v:.2f}"),
    "lists": ("lists", lambda v: f"{v:,.0f}"),
    "mean_lag": ("lag", lambda v: f"{v:.2f} s" if v == v else "–"),
    "p95_lag": ("95 % lag", lambda v: f"{v:.2f} s" if v == v else "–"),
    "failures": ("not followed to the end", lambda v: f"{v:,.0f}"),
    "refused": ("429s", lambda v: f"{v:,.0f}"),
    "seconds": ("seconds in all", lambda v: f"{v:,.1f}"),
    "cpu_seconds": ("CPU", lambda v: f"{v:.2f} s"),
    "cpu_ms_per_job": ("CPU per job", lambda v: f"{v:.2f} ms"),
    "peak_connections": ("connections", lambda v: f"{v:,.0f}"),
    "peak_tasks": ("tasks at most", lambda v: f"{v:,.0f}"),
    "usual_tasks": ("tasks usually", lambda v: f"{v:,.0f}"),
    "bytes_per_waiting": ("bytes per waiting job", lambda v: f"{v:,.0f}"),
    "rss_bytes_per_job": ("memory per job", lambda v: f"{v / 1024.0:,.1f} KiB"),
}


def _store(rows: list[Row], _: dict[str, Any]) -> str:
    found = rows[0].metrics
    lines = [
        ["a durable submit, median", f"{1000.0 * found['submit p50']:.2f} ms"],
        ["95 %", f"{1000.0 * found['submit p95']:.2f} ms"],
        ["a bare SQLite transaction of one row on the same disk, median", f"{1000.0 * found['commit p50']:.2f} ms"],
        ["500 generations of 20 s at once, with a ledger in memory", f"{found['memory: seconds']:.2f} s"],
        [
            "with one in a file",
            f"{found['file: seconds']:.2f} s ({100.0 * found['throughput']:.0f} % of the throughput)",
        ],
        [
            "500 of 0.2 s, where the client's CPU is all that counts, in memory",
            f"{found['memory: short seconds']:.2f} s",
        ],
        ["in a file", f"{found['file: short seconds']:.2f} s"],
        [f"{found['jobs']:,.0f} running jobs are taken up after a restart in", f"{found['taken up']:.2f} s"],
        ["the file, per finished job", f"{found['bytes per finished job']:,.0f} bytes"],
    ]
    return f"""## What the ledger costs

An SQLite file on the machine's own disk, committed with `synchronous=FULL`; four commits for each generation.

{table(["", ""], lines)}"""


SECTIONS: dict[str, Section] = {
    "efficiency": _efficiency,
    "batches": batch_sections.batches,
    "turns": batch_sections.turns,
    "throughput": _throughput,
    "sockets": _measured(
        "Five hundred at once",
        "Over real sockets: generations of 18 to 22 s at a server in another process, 100 ms per request.\n"
        "*Cold* is a new session, *warm* one that has seen fifty such generations before.",
    ),
    "limited": _measured(
        "The same under limits", "aiogen is told the limit; the others have no such setting and meet the 429s."
    ),
    "cpu": _measured(
        "What a question costs the client",
        "CPU time of the client's process per status question, so many in flight, without latency.\n\n![](cpu)",
    ),
    "store": _store,
    "batch_memory": batch_sections.memory,
    "scale": _measured("How it grows", "Generations of 18 to 22 s at a server without latency."),
}
"""By the benchmark that has the figures, in the order of the page."""


def _2(value: float) -> str:
    return f"{value:.2f}"
