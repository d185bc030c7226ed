"""The memory of a batch: the peak of a process that runs 1,000 rows, and of one that runs 100,000.

    python -m benchmarks.batch_memory [--rows 1000 100000] [--only check|run|again]

`check` reads every row and sends nothing; `run` makes them all at a vendor that is imitated here and done at once;
`again` goes through the list once more, which finds everything made.  Each is a process of its own, with the ledger in
a file and no pictures; the peak is the resident memory of the process, as the system counts it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiogen
from aiogen.batch import Rows
from benchmarks.server import Server
from benchmarks.world import Config

KEY = "luma-api-0123456789"
LIMITS = {"max_active": 500, "creates_per_minute": 1_000_000, "requests_per_minute": 1_000_000}
PHASES = ("check", "run", "again")
ALLOWED = 50.0
"""Megabytes that the larger list may take more."""


async def phase(kind: str, folder: Path, url: str) -> int:
    """One of them, in this process; how many rows came to their end."""
    luma = aiogen.Luma(api_key=KEY, base_url=url, **LIMITS)
    async with aiogen.Session([luma], store=folder / "jobs.db", poll_cost=0.01) as session:
        batch = session.batch("rows", Rows(folder / "rows.csv", defaults={"model": "luma/uni-1"}))
        if kind == "check":
            return (await batch.check()).rows
        count = 0
        async for _ in batch:
            count += 1
        return count


def measured(kind: str, folder: Path, url: str) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.batch_memory", "--phase", kind, str(folder), url]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> int:
    """Measure each number of rows, the smallest first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--only", choices=PHASES, action="append")
    parser.add_argument("--phase", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.phase is not None:
        began = time.monotonic()
        rows = asyncio.run(phase(given.phase[0], Path(given.phase[1]), given.phase[2]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024.0 if sys.platform != "darwin" else 1024.0**2)
        print(json.dumps({"rows": rows, "peak": peak, "seconds": time.monotonic() - began}))
        return 0
    first: dict[str, float] = {}
    is_met = True
    for number in sorted(given.rows):
        with Server() as server, tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            server.reset(Config(durations=("fixed", 0.0)))
            lines = (f"row{i},a boat with the number {i}\n" for i in range(number))
            (folder / "rows.csv").write_text("id,prompt\n" + "".join(lines), encoding="utf-8")
            for kind in given.only or PHASES:
                found = measured(kind, folder, server.luma_url)
                more = found["peak"] - first.setdefault(kind, found["peak"])
                is_met &= more <= ALLOWED and found["rows"] == number
                print(
                    f"{number:>9,} rows, {kind:<5}  {found['peak']:7.1f} MB at most, {more:+.1f} MB, "
                    f"{found['seconds']:.1f} s",
                    flush=True,
                )
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
