"""Five hundred generations of 18 to 22 seconds, followed to their end at 100 ms per request: what each peer asks,
how late it knows, and what it costs the client.

aiogen is measured cold, with a session that knows nothing, and warm, after the same session has seen fifty such
generations.  aiogen and the peers that keep a core busy run alone; the others run two at once, each with a server of
its own.  Bytes per waiting generation come from runs of their own.
"""

from __future__ import annotations

from benchmarks import results
from benchmarks.measure import Followed, bytes_per_waiting, follow, together
from benchmarks.results import Row
from benchmarks.world import Config

BUSY = ("fal's interval", "replicate's interval", "leonardo-ai-sdk, every 2 s")
"""Nothing runs beside them."""
QUIET = ("luma-agents", "aiohttp, every 2 s", "google's intervals")
OURS = ("aiogen, Luma", "aiogen, Leonardo")
WEIGHED = (*OURS, "luma-agents", "aiohttp, every 2 s", "leonardo-ai-sdk, every 2 s")
"""The other intervals drive the same loop as every 2 s does."""
WARM_UP = 50


def run(*, quick: bool = False) -> list[Row]:
    """Measure requests, lag, CPU, connections, tasks and bytes per peer."""
    n, warm_up = (60, 20) if quick else (500, WARM_UP)
    config = Config(durations=("uniform", 1.8, 2.2) if quick else ("uniform", 18.0, 22.0), latency=0.1)
    ours = [(subject, n, config, how) for subject in (OURS[:1] if quick else OURS) for how in (0, warm_up)]
    theirs = [(subject, n, config) for subject in (QUIET[:2] if quick else QUIET)]
    busy = [] if quick else [(subject, n, config) for subject in BUSY]
    found: list[Followed] = together(follow, ours, at_once=1)
    found += together(follow, theirs, at_once=2) + together(follow, busy, at_once=1)
    calls = [*ours, *theirs, *busy]
    weighed = OURS[:1] if quick else WEIGHED
    sizes = together(bytes_per_waiting, [(subject, n) for subject in weighed], at_once=2)
    size_of = dict(zip(weighed, sizes, strict=True))

    rows, lags = [], {}
    for call, measured in zip(calls, found, strict=True):
        subject = _name(call)
        lags[subject] = sorted(measured.lags)
        metrics = measured.metrics() | {
            "peak_connections": measured.totals.peak_connections,
            "peak_tasks": measured.peak_tasks,
            "usual_tasks": measured.usual_tasks,
        }
        if call[0] in size_of:
            metrics["bytes_per_waiting"] = size_of[call[0]]
        rows.append(Row("sockets", subject, metrics, measured.note()))
    results.write("sockets", rows, {"lags": lags})
    results.show(rows)
    return rows


def _name(call: tuple[object, ...]) -> str:
    subject, _, _, *warm_up = call
    return str(subject) if not warm_up else f"{subject}, {'warm' if warm_up[0] else 'cold'}"


if __name__ == "__main__":
    results.main(run)
