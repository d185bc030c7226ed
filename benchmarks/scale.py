"""How cost grows: 500, 5,000 and 50,000 generations of 18 to 22 seconds at a server without latency.

Per generation: CPU of the client for its whole life, and what the client's process grew by (resident memory, so with
connections, buffers and whatever the allocator keeps).  The bare loop stands beside it where a connection and a task
for each can still be had.
"""

from __future__ import annotations

from benchmarks import results
from benchmarks.measure import Followed, follow, together
from benchmarks.results import Row
from benchmarks.world import Config

LOOP = "aiohttp, every 2 s"
FULL = (
    *(("aiogen, Luma", 500), (LOOP, 500), ("aiogen, Luma", 5_000), (LOOP, 5_000)),
    *(("aiogen, Leonardo", 5_000), ("aiogen, Luma", 50_000)),
)
QUICK = (("aiogen, Luma", 200), (LOOP, 200))


def run(*, quick: bool = False) -> list[Row]:
    """Measure CPU and memory per generation at growing numbers."""
    config = Config(durations=("uniform", 3.0, 4.0) if quick else ("uniform", 18.0, 22.0))
    sizes = QUICK if quick else FULL
    small = [call for call in sizes if call[1] <= 500]
    found: list[Followed] = together(follow, [(*call, config) for call in small], at_once=2)
    found += together(follow, [(*call, config) for call in sizes if call[1] > 500], at_once=1)

    rows = []
    for (subject, n), measured in zip(sizes, found, strict=True):
        metrics = measured.metrics() | {
            "cpu_ms_per_job": measured.cpu / n * 1000.0,
            "rss_bytes_per_job": measured.rss_growth / n,
            "peak_connections": measured.totals.peak_connections,
            "peak_tasks": measured.peak_tasks,
            "seconds": measured.seconds,
        }
        rows.append(Row(f"{n:,} generations", subject, metrics, measured.note()))
    results.write("scale", rows)
    results.show(rows)
    return rows


if __name__ == "__main__":
    results.main(run)
