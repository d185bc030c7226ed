"""The parts of the report about batches: simulated, and over sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.results import Row
from benchmarks.tables import of, percent, table


def batches(rows: list[Row], series: dict[str, Any]) -> str:
    """What hundreds of jobs at once cost, and what is believed afterwards."""
    return f"""## Hundreds at once

Simulated: the account's own machine, driven by arithmetic, with the limits lifted.
The figures are cost above the exact optimum, in the mean of several sessions (20, for thousands of jobs fewer), with
the standard error; of each batch what the best schedule had cost for the very same durations is subtracted.
*Warm* is the third such batch of a session.

![](batch-sizes)

{_grid(of(rows, "warm"), _cost)}
### What is believed afterwards

After a warm batch of 500: the ages by which 10, 50, 90 and 98 % have ended, in the mean of the sessions, beside the
true ones; by how much the first three are off; and the true cost of the plan for the next job above the optimum.

{_beliefs([row for row in of(rows, "warm") if row.metrics["n"] == 500])}
How that comes about while a batch goes on (median 8 s, sigma 0.5):

![](batch-belief)

### A model that nobody has seen

The first batch of a session, by what the provider file says of the model, in times the true median.

{_grid(of(rows, "cold"), _cost, last="best peer")}
### Durations halve

Between two batches of 500, or from one moment on within 500 that begin over ten minutes: the true cost of the plan
above the new optimum, 50 ends of the new kind later.

{_grid(of(rows, "durations halve"), _plan)}
### Batch after batch

{_grid(of(rows, "batch after batch"), _cost)}
### In other circumstances

500 jobs of median 8 s and sigma 0.5, the third such batch.
Where one question answers for several jobs each counts its part.

{_circumstances(of(rows, "in other circumstances"))}"""


def _grid(rows: list[Row], cell: Callable[[Row], str], last: str = "") -> str:
    """By the last word of the subject across, by the rest down."""
    across = list(dict.fromkeys(row.subject.rpartition(", ")[2] for row in rows))
    down = list(dict.fromkeys(row.subject.rpartition(", ")[0] for row in rows))
    by = {row.subject: row for row in rows}
    lines = [
        [name, *(cell(by[f"{name}, {column}"]) if f"{name}, {column}" in by else "" for column in across)]
        for name in down
    ]
    if last:
        for name, line in zip(down, lines, strict=True):
            line.append(percent(next(row for row in rows if row.subject.startswith(name)).metrics[last]))
    return table(["", *across, *([last] if last else [])], lines)


def _cost(row: Row) -> str:
    return f"{percent(row.metrics['over'])} ±{100.0 * row.metrics['over, error']:.1f}"


def _plan(row: Row) -> str:
    return f"{percent(row.metrics['plan'])} ±{100.0 * row.metrics['plan, error']:.1f}"


def _beliefs(rows: list[Row]) -> str:
    shares = ("q10", "q50", "q90", "q98")
    lines = [
        [
            row.subject.rpartition(", ")[0],
            *(f"{row.metrics[share]:.1f} ({row.metrics[f'true {share}']:.1f})" for share in shares),
            f"{100.0 * row.metrics['off, mean']:.0f} %",
            f"{100.0 * row.metrics['off, worst']:.0f} %",
            _plan(row),
        ]
        for row in rows
    ]
    return table(["", "10 %", "50 %", "90 %", "98 %", "off, mean", "off, any run", "plan"], lines)


def _circumstances(rows: list[Row]) -> str:
    lines = [
        [
            row.subject,
            f"{row.metrics['questions']:.2f}",
            f"{row.metrics['lag']:.2f} s",
            f"{row.metrics['cost']:.2f} s",
            _cost(row),
            f"{row.metrics['seconds']:.0f} s",
            f"{100.0 * row.metrics['off, mean']:.0f} %",
            f"{row.metrics['learning, ms per job'] + row.metrics['planning, ms per job']:.2f} ms",
            f"{row.metrics['longest, ms']:.1f} ms",
        ]
        for row in rows
    ]
    heads = ["questions", "lag", "cost", "above the optimum", "in all", "quantiles off", "CPU per job", "longest call"]
    return table(["", *heads], lines)


def turns(rows: list[Row], _: dict[str, Any]) -> str:
    """How long one turn of the loop takes."""
    lines = [
        [
            f"{row.bench}, {row.subject}",
            *(f"{row.metrics[name]:.1f}" for name in ("longest_ms", "above_2_ms", "above_3_ms")),
            f"{row.metrics['kept_p999_ms']:.1f}",
            f"{row.metrics['cpu_seconds']:.2f} s",
            f"{100.0 * row.metrics['share_learning']:.0f} %",
            percent(row.metrics["over"]) if "over" in row.metrics else "",
        ]
        for row in rows
    ]
    heads = ["longest turn, ms", "above 2 ms", "above 3 ms", "bystander late, ms", "CPU", "of it learning and planning"]
    return f"""## Turns of the event loop

Over real sockets, with the server in another process: jobs of median 8 s and sigma 0.5 at Luma, limits lifted.
A turn is one callback of the client's loop in CPU time, the garbage collector not counted.
The bystander sleeps 1 ms again and again; 99.9 % of its naps ended no later than this for the loop's sake.

{table(["", *heads, "cost above the optimum"], lines)}"""


def memory(rows: list[Row], series: dict[str, Any]) -> str:
    """What a long list takes of memory."""
    kinds = {
        "check": "every row is checked, nothing is sent",
        "again": "all rows are made already, as the ledger says",
        "run": "all rows are made",
    }
    cells = [[kinds[row.bench], row.subject, f"{row.metrics['peak']:.1f} MB"] for row in rows]
    return f"""## A long list

`python -m benchmarks.batch_memory` goes through lists of `session.batch`, without pictures: 100,000 rows may take 50 MB
more than 1,000.
Each figure is the peak of the resident memory of a process of its own, with the ledger in a file.

{table(["", "", "peak"], cells)}"""
