"""The same under a limit: 50 requests in any second, of every kind, and 429 beyond; and at an account with few slots.

aiogen is told the limit (`requests_per_minute=3000`); the others have no such setting, so they meet the 429s and do
what they do about them: the plain loop ends that generation's task, luma-agents repeats twice, leonardo-ai-sdk not at
all, and the patient loop waits as `Retry-After` asks and tries again for ever.

The second part is an account at Leonardo that runs ten generations at once and takes 180 in all, with two hundred to
make.  Those that wait their turn there are PENDING like those that run: a question about them is a question too many.
"""

from __future__ import annotations

from functools import partial

from benchmarks import results
from benchmarks.measure import Followed, follow, together
from benchmarks.peers import Limits, Peer, aiogen_leonardo, aiogen_luma
from benchmarks.results import Row
from benchmarks.world import Config

OTHERS = (
    "luma-agents",
    "aiohttp, every 2 s, patient",
    "aiohttp, every 2 s",
    "leonardo-ai-sdk, every 2 s",
    "google's intervals",
    "replicate's interval",
)
SLOTS, OUTSTANDING = 10, 180
IN_LINE: dict[str, str | Peer] = {
    "aiogen, Leonardo": partial(aiogen_leonardo, limits=Limits(max_active=OUTSTANDING)),
    "leonardo-ai-sdk, every 2 s": "leonardo-ai-sdk, every 2 s",
}


def run(*, quick: bool = False) -> list[Row]:
    """Measure refusals, failures and lag under limits."""
    # Few generations would not meet the limit, so it shrinks with them.
    n, per_second = (60, 20) if quick else (500, 50)
    durations = ("uniform", 1.8, 2.2) if quick else ("uniform", 18.0, 22.0)
    limited = Config(durations=durations, latency=0.1, requests_per_second=per_second)
    told = Limits(requests_per_minute=60 * per_second)
    subjects: dict[str, str | Peer] = {
        "aiogen, Luma": partial(aiogen_luma, limits=told),
        "aiogen, Leonardo": partial(aiogen_leonardo, limits=told),
        **{name: name for name in (OTHERS[:2] if quick else OTHERS)},
    }
    line = Config(durations=("uniform", 3.6, 4.4), latency=0.1, slots=SLOTS, max_outstanding=OUTSTANDING)
    in_line = {} if quick else IN_LINE

    calls = [(peer, 200, line) for peer in in_line.values()] + [(peer, n, limited) for peer in subjects.values()]
    names = [(f"{SLOTS} slots", name) for name in in_line]
    names += [(f"{per_second} requests a second", name) for name in subjects]
    found: list[Followed] = together(follow, calls, at_once=4 if quick else 2)

    rows, lags = [], {}
    for (bench, subject), measured in zip(names, found, strict=True):
        metrics = measured.metrics() | {
            "refused": measured.totals.refused,
            "lists": measured.totals.lists,
            "seconds": measured.seconds,
        }
        rows.append(Row(bench, subject, metrics, measured.note()))
        lags[f"{bench}: {subject}"] = sorted(measured.lags)
    results.write("limited", rows, {"lags": lags})
    results.show(rows)
    return rows


if __name__ == "__main__":
    results.main(run)
