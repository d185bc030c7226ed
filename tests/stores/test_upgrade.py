"""Ledgers of every released version, opened by this one."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

import attrs
import pytest
from aiohttp import web
from serving import body, done, serving
from stores.disks import held
from stores.sample_ledger import ATTACHED, DEAD, HANDLER, KEY, LEARNED, NAMES, ended, provider, taken_in, wish

import aiogen
from aiogen import Generation, State, StoreError
from aiogen.stores.base import RecordQuery
from aiogen.stores.charges import Charge
from aiogen.stores.sqlite import SqliteStore
from aiogen.stores.sqlite.schema import VERSION

pytestmark = pytest.mark.looptime(False)

SAMPLES = sorted(Path(__file__).with_name("samples").glob("v*.sql"))


@pytest.fixture(params=SAMPLES, ids=lambda sample: sample.stem)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A ledger as that version left it."""
    return written(request.param, tmp_path / "aiogen.db")


def written(sample: Path, path: Path) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(sample.read_text(encoding="utf-8"))
    connection.close()
    return path


def test_there_is_a_sample_of_each_version() -> None:
    """The present one's is written when it is released, and then never changes: see sample_ledger.py."""
    versions = [int(sample.stem.removeprefix("v")) for sample in SAMPLES]
    assert versions == list(range(1, len(versions) + 1))
    assert VERSION - 1 <= len(versions) <= VERSION


async def test_every_job_is_as_it_was(path: Path) -> None:
    """Whatever its state, with all that is needed to go on with it."""
    store = SqliteStore(path)
    await store.open()
    records = {record.id: record for record in await store.find(RecordQuery(with_request=True))}
    assert await store.get_learned("durations") == (LEARNED, 1)
    await store.close()
    assert len(records) == len(NAMES)
    for name in NAMES:
        record, expected = records[f"job-{name}"], taken_in(name)
        assert record.state == (State.QUEUED if name == ATTACHED else State(name))
        assert (record.model, record.prompt) == ((None, None) if name == ATTACHED else ("uni-1", wish(name).prompt))
        same = ("connection", "provider", "account", "timeout", "batch", "created_at")
        assert [getattr(record, each) for each in same] == [getattr(expected, each) for each in same]
        assert record.owner == (DEAD if name in (*map(str, aiogen.stores.base.ADOPTED), ATTACHED) else None)
        assert (record.submitted_at is None) is (name in (State.PENDING, State.CANCELLED, ATTACHED))
        is_running = name in (State.QUEUED, State.PROCESSING, ATTACHED)
        assert record.provider_id == (f"v-{name}" if is_running or name in (State.COMPLETED, State.FAILED) else None)
        assert (record.accepted_at is None) is (record.provider_id is None)
        assert record.charge == (Charge(0) if name == State.CANCELLED else Charge())  # of the others nothing was said
        if record.state.is_terminal:
            assert (record.generation, record.finished_at) == (ended(name), ended(name).finished_at)
        elif name != ATTACHED:
            assert record.submission is not None
            assert record.submission.prompt == wish(name).prompt
            assert record.submission.body == wish(name).body
            assert record.fingerprint == record.submission.fingerprint()


async def test_what_an_older_version_was_quoted_counts(path: Path) -> None:
    """It stands in the results; whatever else may stand there is no price."""
    connection = sqlite3.connect(path)
    for name, cost in (
        ("completed", {"amount": "0.0404", "unit": "DOLLARS"}),
        ("failed", {"amount": "9", "unit": "CREDITS"}),
        ("cancelled", {"amount": "1E+40", "unit": 7}),
    ):
        connection.execute(
            "UPDATE aiogen_job SET result = json_set(result, '$.cost', json(?)) WHERE id = ?",
            (json.dumps(cost), f"job-{name}"),
        )
    connection.commit()
    connection.close()
    store = SqliteStore(path)
    await store.open()
    found = await store.costs(RecordQuery())
    await store.close()
    assert (found.amounts, found.estimated) == ({"DOLLARS": Decimal("0.0404"), "CREDITS": Decimal(9)}, 0)


async def test_an_upgraded_ledger_has_the_tables_of_a_new_one(path: Path) -> None:
    """The same columns and indexes, and the file knows its version."""
    for each in (path, path.with_name("new.db")):
        store = SqliteStore(each)
        await store.open()
        await store.close()
    assert shape(path) == shape(path.with_name("new.db"))


def shape(path: Path) -> dict[str, object]:
    """Tables with their columns and keys, indexes with theirs, and the version."""
    connection = sqlite3.connect(path)
    found: dict[str, object] = dict(connection.execute("SELECT k, v FROM aiogen_meta").fetchall())
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall():
        if kind == "table":
            columns = connection.execute(
                "SELECT name, type, [notnull], dflt_value, pk FROM pragma_table_info(?)", (name,)
            )
            keys = connection.execute(
                "SELECT [table], [from], [to], on_delete FROM pragma_foreign_key_list(?)", (name,)
            )
            found[name] = (columns.fetchall(), keys.fetchall(), "STRICT" in sql)
        else:
            found[name] = " ".join(sql.split()) if sql else sql
    connection.close()
    return found


GO_ON = (State.PENDING, State.QUEUED, State.PROCESSING, ATTACHED)


async def test_the_next_session_goes_on_with_it(path: Path) -> None:
    """What waited is sent, what ran is followed, a lost create is reported, and so is each end that nobody heard of."""
    prompts: list[str] = []
    heard: list[str | None] = []
    connection = sqlite3.connect(path)  # as if they had ended a little more than a week ago
    connection.execute("UPDATE aiogen_job SET expires_at = ? WHERE expires_at IS NOT NULL", (time.time() - 3600.0,))
    connection.commit()
    connection.close()

    async def vendor(request: web.BaseRequest) -> web.Response:
        if request.method == "POST":
            prompts.append((await request.json())["prompt"])
            return web.json_response(body() | {"id": "v-pending"}, status=201)
        return web.json_response(done() | {"id": request.path.rpartition("/")[2]})

    async def handler(generation: Generation) -> None:
        heard.append(generation.id)

    async with serving(vendor) as url, asyncio.timeout(30.0):
        luma = attrs.evolve(provider(), api_key=KEY, base_url=f"{url}/v1")
        async with aiogen.Session([luma], store=SqliteStore(path, lease=0.5)) as session:
            await session.on_completion(HANDLER, handler)
            jobs: dict[str, aiogen.Job] = {}
            while len(jobs) < 5:
                jobs |= {job.id: job for job in await session.resume()}
                await asyncio.sleep(0.05)
            for name in GO_ON:
                assert (await jobs[f"job-{name}"]).provider_id == f"v-{name}"
            with pytest.raises(aiogen.SubmissionUnknown, match="2025-06-01T12:02"):
                await jobs["job-submitting"]
    assert prompts == [wish("pending").prompt]
    assert set(heard) == {f"job-{name}" for name in (*GO_ON, State.COMPLETED, State.CANCELLED)}


# --- many at once


@pytest.mark.parametrize("sample", [None, SAMPLES[0]], ids=["new", "old"])
def test_many_open_it_at_once(sample: Path | None, tmp_path: Path) -> None:
    """Several programs are started together: one makes the tables, and all of them begin."""
    for i in range(8):
        path = tmp_path / f"{i}.db"
        if sample is not None:
            written(sample, path)
        assert together(path) == [None] * 6


def together(path: Path, count: int = 6) -> list[BaseException | None]:
    """What came of it in each thread."""
    outcomes: list[BaseException | None] = []
    barrier = threading.Barrier(count)

    def begin() -> None:
        async def opened() -> None:
            store = SqliteStore(path)
            barrier.wait()
            await store.open()
            await store.close()

        try:
            asyncio.run(opened())
        except BaseException as error:
            outcomes.append(error)
        else:
            outcomes.append(None)

    threads = [threading.Thread(target=begin) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


async def test_one_that_begins_it_meanwhile_is_waited_for(tmp_path: Path) -> None:
    """Before the file has its journal SQLite waits for nobody; aiogen does."""
    path = tmp_path / "aiogen.db"
    store = SqliteStore(path)
    with held(path):
        opening = asyncio.create_task(store.open())
        await asyncio.sleep(0.1)
        assert not opening.done()
    await opening
    await store.close()
    with held(path.with_name("other.db")), pytest.raises(StoreError, match="Another process has locked it"):
        await SqliteStore(path.with_name("other.db"), busy_timeout=0.05).open()


PROGRAM = """
import asyncio, sys, time
from pathlib import Path
from aiogen.stores.sqlite import SqliteStore

async def main():
    store = SqliteStore(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    await store.open()
    await store.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("sample", [None, SAMPLES[0]], ids=["new", "old"])
def test_several_processes_open_it_at_once(sample: Path | None, tmp_path: Path) -> None:
    """The same, where not even the locks are in one process."""
    path = tmp_path / "aiogen.db"
    if sample is not None:
        written(sample, path)
    command = [sys.executable, "-c", PROGRAM, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    programs = [subprocess.Popen(command, env=os.environ | {"PYTHONWARNINGS": "ignore"}, **pipes) for _ in range(3)]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
    errors = [program.communicate("go\n", timeout=30.0)[1] for program in programs]
    assert [program.returncode for program in programs] == [0, 0, 0], errors
