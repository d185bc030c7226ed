"""A list from its first row to its last: a process that is killed, one that is interrupted, rows added and shuffled."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import attrs
import pytest

import aiogen
from aiogen.sandbox import LeonardoSettings, LumaSettings, Sandbox, Script, Storm

pytestmark = [pytest.mark.looptime(False), pytest.mark.no_cover]

ROWS = 60
HERE = str(Path(aiogen.__file__).parents[1])
"""For programs that run in another folder."""
PATIENCE = 40.0
"""Seconds of one run; a machine that does much else needs more than the five that are usual."""
LUMA_CODES = (
    *("content_moderated", "generation_failed", "output_not_found", "budget_exhausted", "image_too_large"),
    *("unsupported_format", "corrupt_input", "invalid_request", "rate_limited", "a_new_code"),
)
PASSING = (
    *("download=403", "download=cut@500", "download=500*2", "download=html", "download=cut-before,cut@3000"),
    *(
        "poll=500,html",
        "missing=empty*2",
        "create=429@0.2",
        "create=rpm@0.2",
        "create=cut-before",
        "create=concurrency",
    ),
)
"""What a picture comes of all the same."""
LOST = ("create=cut-after", "create=half-json")
"""Whether there is a picture nobody can know: the create was carried out."""

# The vendors' seconds are short here, so that they have to be asked more often; and what one test makes in a minute
# is more than they allow.
PROGRAM = """
import sys
import attrs
from aiogen.cli import main
from aiogen.providers.registry import BUILT_IN
for cls in BUILT_IN:
    raised = {"max_active": 8, "creates_per_minute": 100_000, "requests_per_minute": 100_000}
    raised["most_requests_per_minute"] = 100_000
    cls.facts = attrs.evolve(cls.facts, poll_floor=0.02, poll_ceiling=0.2, **raised)
sys.exit(main(sys.argv[1:]))
"""


@attrs.frozen
class Row:
    key: str
    model: str
    prompt: str

    @property
    def fault(self) -> str | None:
        """In double brackets, as the sandbox reads it."""
        found = re.search(r"\[\[(.*)\]\]", self.prompt)
        return found[1] if found else None


def some_rows(number: int) -> list[Row]:
    """Every fault once at least; most rows have none."""
    faults = [f"fail={code}" for code in LUMA_CODES] + [*PASSING, *LOST]
    rows = list[Row]()
    for i in range(number):
        model = ("luma/uni-1", "leonardo/lucid-origin")[i % 2]
        fault = faults[i // 2] if i % 2 == 0 and i // 2 < len(faults) else None
        if model.startswith("leonardo") and i // 2 < 3:
            fault = ("fail=null", "download=cut@500", "poll=500")[i // 2]
        rows.append(Row(f"row{i:03}", model, f"boat {i}" + (f" [[{fault}]]" if fault else "")))
    random.Random(1).shuffle(rows)
    return rows


@attrs.frozen
class Said:
    code: int
    out: str
    err: str


@attrs.define
class Place:
    """A folder with a list, a ledger and what is made of it."""

    folder: Path
    box: Sandbox
    name: str = "boats"
    runs: list[Said] = attrs.field(factory=list)

    @property
    def out(self) -> Path:
        return self.folder / self.name

    def write(self, rows: list[Row]) -> None:
        lines = "".join(f'{row.key},{row.model},"{row.prompt}"\n' for row in rows)
        (self.folder / f"{self.name}.csv").write_text("id,model,prompt\n" + lines, encoding="utf-8")

    async def run(self, sign: signal.Signals | None = None, when: Callable[[], bool] = lambda: True) -> Said:
        """The command; a signal once that holds."""
        environment = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_URL"))}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM, "batch", f"{self.name}.csv", "--json"),
            cwd=self.folder,
            env={**environment, **self.box.environment, "AIOGEN_STORE": "jobs.db", "PYTHONPATH": HERE},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        ending = asyncio.create_task(process.communicate())
        watch = asyncio.get_running_loop().call_later(PATIENCE, process.terminate)  # what it did is said all the same
        try:
            while sign is not None and not ending.done():
                if when():
                    process.send_signal(sign)
                    break
                await asyncio.sleep(0.005)
            out, err = await ending
        finally:
            watch.cancel()
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        self.runs.append(Said(process.returncode, out.decode(), err.decode()))
        return self.runs[-1]

    def states(self) -> Counter[str]:
        """By the ledger."""
        with closing(sqlite3.connect(self.folder / "jobs.db")) as ledger:
            return Counter(dict(ledger.execute("SELECT state, count(*) FROM aiogen_job GROUP BY state").fetchall()))

    def keys(self, state: str) -> set[str]:
        with closing(sqlite3.connect(self.folder / "jobs.db")) as ledger:
            found = ledger.execute("SELECT key FROM aiogen_job WHERE state = ?", (state,)).fetchall()
        return {key.removeprefix(f"{self.name}/") for (key,) in found}


async def story(folder: Path, number: int) -> Place:
    """Killed, interrupted, longer and in another order, and once more."""
    luma = LumaSettings(creates_per_window=100_000, max_active=8, url_lifetime=60.0)
    leonardo = LeonardoSettings(creates_per_window=100_000, requests_per_window=100_000, max_running=20)
    script = Script()
    async with Sandbox(speed=40.0, luma=luma, leonardo=leonardo, script=script) as box:
        place, rows = Place(folder, box), some_rows(number)
        first = rows[: 3 * number // 4]
        place.write(first)

        def is_under_way() -> bool:
            return len(box.jobs) >= number // 3 and len(list(place.out.glob("*.*"))) >= 3

        killed = await place.run(signal.SIGKILL, is_under_way)
        assert killed.code == -signal.SIGKILL, killed.err

        made = len(box.jobs)
        script.storms.append(Storm("429@0.1", actions=("create",), times=max(10, number // 10)))
        interrupted = await place.run(signal.SIGINT, lambda: len(box.jobs) >= made + max(3, number // 8))
        assert interrupted.code == 130, interrupted.err
        assert "The same command again goes on" in interrupted.err

        random.Random(2).shuffle(rows)
        place.write(rows)
        finished = await place.run()
        assert finished.code == 6, finished.err
        made = len(box.jobs)
        await place.run()
        assert len(box.jobs) == made
        check_all(place, rows)
        return place


def check_all(place: Place, rows: list[Row]) -> None:
    by_prompt = {re.sub(r"\s*\[\[.*\]\]", "", row.prompt): row for row in rows}
    made = Counter(by_prompt[job.prompt].key for job in place.box.jobs)
    assert [key for key, times in made.items() if times > 1] == [], "paid twice"
    unknown = place.keys("unknown")
    failed = {row.key for row in rows if (row.fault or "").startswith("fail=")} - unknown
    done = {row.key for row in rows} - failed - unknown
    # What was on its way when the process was killed, and what nobody can know.
    assert {row.key for row in rows if row.fault in LOST} <= unknown
    assert len(unknown) <= len(LOST) + 16
    assert set(made) >= failed | done
    # On the disk is every picture that there can be, whole, and nothing else.
    files = {path.name: path for path in place.out.iterdir()}
    assert files.keys() - {"results.jsonl"} == {
        f"{row.key}-0.{'png' if row.model.startswith('luma') else 'jpg'}" for row in rows if row.key in done
    }
    lines = [json.loads(line) for line in files["results.jsonl"].read_text("utf-8").splitlines()]
    assert Counter(line["key"] for line in lines) == Counter(row.key for row in rows)
    assert {line["key"] for line in lines if line["ok"]} == done
    assert all((place.out / name).is_file() for line in lines for name in line["files"])
    for said in place.runs[2:]:
        records = [json.loads(line) for line in said.out.splitlines()]
        ok, files_of = [record["key"] for record in records if record["ok"]], Counter(len(r["files"]) for r in records)
        assert Counter(record["key"] for record in records) == Counter(row.key for row in rows)
        assert f"{len(ok)} done, {len(rows) - len(ok) - len(unknown)} failed; {files_of[1]} files and" in said.err
        assert f"{len(unknown)} possibly charged" in said.err
        assert said.code == 6
        # A picture whose fetching has failed for good comes with the next run.
        late = done - {*ok}
        assert late <= {row.key for row in rows if (row.fault or "").startswith("download=")}
    assert late == set()
    again = place.runs[3].err
    assert (
        f"{len(rows)} rows, batch 'boats'; of these the ledger has {len(done)} completed, {len(failed)} failed, "
        in again
    )
    assert "Nothing is to be made." in again
    assert "Possibly charged, and never sent again by themselves:" in again
    assert set(place.states()) <= {"completed", "failed", "unknown"}


@pytest.mark.timeout(120)
async def test_a_list_to_its_last_row(tmp_path: Path) -> None:
    """Each row is made once at most, every picture that can be is on the disk, and every count is exact."""
    await story(tmp_path, ROWS)
