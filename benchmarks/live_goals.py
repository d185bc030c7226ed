"""What was to be reached over real sockets, and whether it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.efficiency import PRICE
from benchmarks.results import Row
from benchmarks.verdict import Verdict

_KB = 1024.0
_GOAL_REQUESTS, _GOAL_LAG, _GOAL_CPU, _GOAL_CONNECTIONS, _GOAL_BYTES = 4.5, 0.5, 0.6, 64, 5 * _KB


def sockets(rows: Sequence[Row]) -> list[Verdict]:
    """500 generations at once, for a session that has seen fifty before."""
    return [verdict for name in ("aiogen, Luma, warm", "aiogen, Leonardo, warm") for verdict in _at_once(name, rows)]


def _at_once(name: str, rows: Sequence[Row]) -> list[Verdict]:
    ours = _named(rows, name)
    peer = min(_others(rows), key=lambda row: _cost(row.metrics))
    least = min(_others(rows), key=lambda row: row.metrics["cpu_seconds"])
    requests, lag, cpu = ours["requests_per_job"], ours["mean_lag"], ours["cpu_seconds"]
    connections, tasks, size = ours["peak_connections"], ours["usual_tasks"], ours["bytes_per_waiting"]
    return [
        Verdict(
            f"500 at once: {name}",
            "≤ 4.5 requests per job, ≤ 0.5 s lag",
            f"{requests:.2f} requests, {lag:.2f} s",
            requests <= _GOAL_REQUESTS and lag <= _GOAL_LAG,
            f"{peer.subject} ({peer.metrics['requests_per_job']:.1f} requests, {peer.metrics['mean_lag']:.2f} s)",
            f"{_cost(ours) / _cost(peer.metrics):.2f} of the cost",
        ),
        Verdict(
            f"what that costs: {name}",
            "≤ 0.6 CPU seconds, ≤ 64 connections, ≤ 5 KB and no task per waiting job",
            f"{cpu:.1f} CPU seconds, {connections:.0f} connections, {size / _KB:.1f} KB, {tasks:.0f} tasks usually",
            cpu <= _GOAL_CPU and connections <= _GOAL_CONNECTIONS and size <= _GOAL_BYTES and tasks < 48,
            f"{least.subject} ({least.metrics['cpu_seconds']:.1f} CPU seconds)",
            f"{cpu / least.metrics['cpu_seconds']:.2f} of the CPU",
        ),
    ]


def limited(rows: Sequence[Row]) -> list[Verdict]:
    """Fifty requests a second, and the vendor's own line."""
    rate = [row for row in rows if row.bench == "50 requests a second"]
    line = [row for row in rows if row.bench == "10 slots"]
    verdicts = []
    for name, most in (("aiogen, Luma", 5.5), ("aiogen, Leonardo", 1.0)):
        ours = _named(rate, name)
        finished = [row for row in _others(rate) if not row.metrics["failures"]]
        peer = min(finished, key=lambda row: _cost(row.metrics))
        verdicts.append(
            Verdict(
                f"500 at 50 requests a second: {name}",
                f"0 failures, at most 5 429s, lag ≤ {most:g} s",
                f"{ours['failures']:.0f} failures, {ours['refused']:.0f} 429s, {ours['mean_lag']:.2f} s",
                not ours["failures"] and ours["refused"] <= 5 and ours["mean_lag"] <= most,
                f"{peer.subject} ({peer.metrics['refused']:,.0f} 429s, {peer.metrics['mean_lag']:.2f} s)",
                f"{_cost(ours) / _cost(peer.metrics):.2f} of the cost",
            )
        )
    if line:
        ours, peer = _named(line, "aiogen, Leonardo"), _others(line)[0]
        verdicts.append(
            Verdict(
                "200 behind 10 running slots: aiogen, Leonardo",
                "lag ≤ 1.0 s",
                f"{ours['mean_lag']:.2f} s with {ours['requests_per_job']:.1f} requests per job",
                ours["mean_lag"] <= 1.0 and not ours["failures"],
                f"{peer.subject} ({peer.metrics['requests_per_job']:.1f} requests, {peer.metrics['mean_lag']:.2f} s, "
                f"{peer.metrics['failures']:.0f} failed)",
                f"{_cost(ours) / _cost(peer.metrics):.2f} of the cost",
            )
        )
    return verdicts


def cpu(rows: Sequence[Row]) -> list[Verdict]:
    """CPU per question."""
    ours = _named(rows, "aiogen, polling")
    times = [ours[f"times_bare_at_{n}"] for n in (1, 50, 500)]
    sdk = _named(rows, "luma-agents")
    theirs = ", ".join(f"{sdk[f'times_bare_at_{n}']:.1f} ×" for n in (1, 50, 500))
    return [
        Verdict(
            "CPU per question, 1, 50 and 500 in flight",
            "≤ 1.5 × a bare aiohttp GET with json.loads",
            ", ".join(f"{each:.2f} ×" for each in times),
            max(times) <= 1.5,
            f"luma-agents ({theirs})",
            f"{ours['us_per_poll_at_500'] / sdk['us_per_poll_at_500']:.2f} at 500",
        )
    ]


def scale(rows: Sequence[Row]) -> list[Verdict]:
    """How cost grows."""
    found = {
        int(row.bench.partition(" ")[0].replace(",", "")): row.metrics for row in rows if row.subject == "aiogen, Luma"
    }
    if 50_000 not in found:
        return []
    per_job = [found[n]["cpu_ms_per_job"] for n in (500, 5_000, 50_000)]
    growth = found[5_000]["rss_bytes_per_job"] * 5_000 / 2**20
    flat = max(per_job) <= 1.2 * min(per_job)
    return [
        Verdict(
            "500, 5,000 and 50,000 generations",
            "CPU per job flat (± 20 %), ≤ 30 MB more for 5,000",
            f"{', '.join(f'{each:.1f}' for each in per_job)} ms per job; {growth:.0f} MB",
            flat and growth <= 30.0,
            "",
            "",
        )
    ]


def store(rows: Sequence[Row]) -> list[Verdict]:
    """What the ledger costs."""
    found = rows[0].metrics
    p50, share, size, seconds = (
        1000.0 * found["submit p50"],
        found["throughput"],
        found["bytes per finished job"],
        found["taken up"],
    )
    return [
        Verdict(
            "the ledger in a file",
            "≤ 1 ms for a durable submit, ≥ 90 % of the throughput without, ≤ 2 KB per finished job, "
            "5,000 running jobs taken up in ≤ 1 s",
            f"{p50:.2f} ms, {100.0 * share:.0f} %, {size:,.0f} bytes, {seconds:.2f} s",
            p50 <= 1.0 and share >= 0.9 and size <= 2 * _KB and seconds <= 1.0,
            "",
            "",
        )
    ]


def _named(rows: Sequence[Row], name: str) -> dict[str, float]:
    return next(row.metrics for row in rows if row.subject == name)


def _others(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if not row.subject.startswith("aiogen") and "mean_lag" in row.metrics]


def _cost(metrics: dict[str, float]) -> float:
    return PRICE * metrics["requests_per_job"] + metrics["mean_lag"]


JUDGES: dict[str, Callable[[list[Row]], list[Verdict]]] = {
    "sockets": sockets,
    "limited": limited,
    "cpu": cpu,
    "scale": scale,
    "store": store,
}
"""By the benchmark that has the figures."""
