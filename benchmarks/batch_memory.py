"""The memory of a batch: the peak of a process that goes through 1,000 rows, and of one with 100,000.

    python -m benchmarks.batch_memory [--rows 1000 100000] [--only check|again|run]

`check` reads every row and sends nothing; `again` goes through a list whose rows are all made, as the ledger says;
`run` makes them at a vendor that is imitated here and done at once, some seventy a second.  Each is a process of its
own with the ledger in a file, and no pictures; the peak is the resident memory of the process, as the system counts it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import aiogen
from aiogen.batch import Rows
from benchmarks import results
from benchmarks.results import Row
from benchmarks.server import Server
from benchmarks.world import Config

KEY = "luma-api-0123456789"
PHASES = ("check", "again", "run")
ALLOWED = 50.0
"""Megabytes that the larger list may take more."""


def fill(path: Path, number: int) -> None:
    """Of the one job in the ledger, as many as there are rows."""
    with closing(sqlite3.connect(path)) as ledger:
        names = [name for _, name, *_ in ledger.execute("PRAGMA table_info(aiogen_job)")]
        own = {
            "id": "printf('00000000-0000-4000-8000-%012x', n)",
            "provider_id": "printf('10000000-0000-4000-8000-%012x', n)",
            "key": "printf('rows/row%d', n)",
            "seq": "n + 1",
            "created_at": "created_at + n * 0.001",
        }
        ledger.execute(
            "WITH RECURSIVE numbers(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
            f"INSERT INTO aiogen_job ({', '.join(names)})"
            f"SELECT {', '.join(own.get(name, name) for name in names)} FROM aiogen_job, numbers",
            (number - 1,),
        )
        ledger.commit()


def write_rows(folder: Path, number: int) -> None:
    """All ask for the same, under names of their own."""
    lines = (f"row{i},a boat on a lake\n" for i in range(number))
    (folder / "rows.csv").write_text("id,prompt\n" + "".join(lines), encoding="utf-8")


async def phase(kind: str, folder: Path, url: str) -> int:
    """One of them, in this process; how many rows came to their end."""
    luma = aiogen.Luma(
        api_key=KEY, base_url=url, max_active=500, creates_per_minute=1_000_000, requests_per_minute=1_000_000
    )
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
        ended = asyncio.run(phase(given.phase[0], Path(given.phase[1]), given.phase[2]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024.0 if sys.platform != "darwin" else 1024.0**2)
        print(json.dumps({"rows": ended, "peak": peak, "seconds": time.monotonic() - began}))
        return 0
    first: dict[str, float] = {}
    rows, is_met = list[Row](), True
    for kind in given.only or PHASES:
        for number in sorted(given.rows):
            with Server() as server, tempfile.TemporaryDirectory() as made:
                folder = Path(made)
                server.reset(Config(durations=("fixed", 0.0)))
                if kind == "again":
                    write_rows(folder, 1)
                    measured("run", folder, server.luma_url)
                    fill(folder / "jobs.db", number)
                write_rows(folder, number)
                found = measured(kind, folder, server.luma_url)
            rows.append(Row(kind, f"{number:,} rows", found))
            more = found["peak"] - first.setdefault(kind, found["peak"])
            is_met &= more <= ALLOWED and found["rows"] == number
            print(
                f"{kind:<5}  {number:>9,} rows  {found['peak']:7.1f} MB at most, {more:+.1f} MB, "
                f"{found['seconds']:.1f} s",
                flush=True,
            )
    results.write("batch_memory", rows)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
