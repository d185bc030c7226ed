"""A ledger moves from a file into a database, whatever ends the move in between; no job is lost or paid for twice."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import attrs
import pytest
from postgres.server import Server
from serving import Vendor, body, done, luma, serving
from stores.sample_ledger import DEAD, HANDLER, LEARNED, NAMES, taken_in

import aiogen
from aiogen import State, StoreError
from aiogen.cli import main
from aiogen.stores import PostgresStore, Record, RecordQuery, SqliteStore
from aiogen.stores.moving import Moved, move
from aiogen.stores.postgres import restored
from aiogen.stores.sqlite.leaving import reopen

pytestmark = [pytest.mark.postgres, pytest.mark.looptime(False)]
_NUMBERS = itertools.count()
SAMPLE = Path(__file__).parents[1] / "stores" / "samples"


class Killed(BaseException):
    """In the place of a signal."""


@pytest.fixture
def name() -> str:
    """Of a namespace that nobody uses."""
    return f"moved_{next(_NUMBERS)}"


@pytest.fixture
def url(server: Server) -> str:
    return server.url


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with a job in every state, as a program left it that was killed."""
    path = tmp_path / "jobs.db"
    newest = max(SAMPLE.glob("v*.sql"))
    with closing(sqlite3.connect(path)) as c:
        c.executescript(newest.read_text(encoding="utf-8"))
    asked(path, "DELETE FROM aiogen_worker")  # its lease has run out
    return path


def asked(path: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(path, isolation_level=None)) as c:
        c.execute("PRAGMA foreign_keys = ON")
        return c.execute(statement).fetchall()


async def records(store: Any) -> dict[str, Record]:
    """All of a ledger, without the moment when it was read."""
    await store.open()
    try:
        found = await store.find(RecordQuery(with_request=True))
        return {record.id: attrs.evolve(record, read_at=None) for record in found}
    finally:
        await store.close()


def killed_at(step: str) -> Callable[[str], Awaitable[None]]:
    async def passed(here: str) -> None:
        if here == step:
            raise Killed

    return passed


async def refused(path: Path) -> str:
    with pytest.raises(StoreError) as said:
        await SqliteStore(path).open()
    return str(said.value)


async def test_everything_is_there_afterwards(url: str, name: str, path: Path) -> None:
    """Jobs with what was sent and what came of it, the namespace of keys, ends that handlers wait for, what was
    learned, spent and wished."""
    store = SqliteStore(path, keep_finished=1e9)
    await store.open()
    namespace = store.namespace
    await store.add(attrs.evolve(taken_in(State.PENDING), id="gone", provider_id="v-gone", state=State.QUEUED))
    await store.wish("gone")
    await store.hold("a", aiogen.stores.RequestKind.CREATES, 3600.0)
    await store.close()
    asked(path, "INSERT INTO aiogen_spent VALUES (29000000, 'luma', 'USD', 4000000, 3, 1)")
    before = await records(SqliteStore(path, keep_finished=1e9))
    costs = {**before}["job-completed"].charge
    moved = await move(path, url, schema=name)
    assert moved.jobs == len(NAMES) + 1
    after = await records(PostgresStore(url, schema=name, keep_finished=1e9))
    expected = {job_id: attrs.evolve(record, owner=None) for job_id, record in before.items()}
    expected["job-submitting"] = attrs.evolve(expected["job-submitting"], state=State.UNKNOWN)
    assert after == expected
    assert after["job-completed"].charge == costs
    async with AsyncExitStack() as stack:
        there = PostgresStore(url, schema=name, keep_finished=1e9)
        stack.push_async_callback(there.close)
        await there.open()
        assert there.namespace == namespace
        assert await there.get_learned("durations") == (LEARNED, 1)
        assert {end.id for _, end, _ in await there.claim([HANDLER], 9)} == {"job-completed", "job-cancelled"}
        assert (await there.costs(RecordQuery())).amounts["USD"] == 4
        assert [each.id for each in await there.adopt([before["gone"].account], ["gone"])] == ["gone"]
        assert [wish.cancel for wish in await there.wishes()] == [True]
    assert DEAD not in str(after)


STEPS = ("closed", "alone", "some of job", "some of delivery", "copied", "handed over", "committed")


@pytest.mark.parametrize("step", STEPS)
async def test_it_can_be_done_again_wherever_it_ended(url: str, name: str, path: Path, step: str) -> None:
    """Meanwhile neither is open for long, and never both: the file from the first step, the other before the last."""
    before = set(await records(SqliteStore(path, keep_finished=1e9)))
    with pytest.raises(Killed):
        await move(path, url, schema=name, passed=killed_at(step))
    assert "is being moved to" in await refused(path)
    is_there = bool(await records(PostgresStore(url, schema=f"{name}", keep_finished=1e9)))
    assert is_there is (step == "committed")
    moved = await move(path, url, schema=name)
    assert moved.jobs == len(before)
    assert set(await records(PostgresStore(url, schema=name, keep_finished=1e9))) == before
    assert f"was moved to {moved.to}" in await refused(path)
    again = await move(path, url, schema=name)
    assert (again.was_done, again.counts) == (True, moved.counts)


async def test_what_was_done_there_since_is_not_undone_by_doing_it_again(url: str, name: str, path: Path) -> None:
    with pytest.raises(Killed):
        await move(path, url, schema=name, passed=killed_at("committed"))
    store = PostgresStore(url, schema=name, keep_finished=1e9)
    await store.open()
    await store.add(attrs.evolve(taken_in(State.PENDING), id="new"))
    await store.forget(["job-completed"])
    moved = await move(path, url, schema=name)  # while it is in use
    assert (moved.jobs, moved.was_done) == (len(NAMES), False)
    assert await store.get("new") is not None
    await store.close()


async def test_keyed_jobs_are_the_same_jobs(url: str, name: str, tmp_path: Path) -> None:
    """Whoever asks again under a key after the move gets the job of before: nothing is sent or paid for again."""
    path = tmp_path / "jobs.db"
    vendor = Vendor(reads=[(200, body("processing")), (200, done())])
    async with serving(vendor) as address:
        connections = [luma(address)]
        async with aiogen.Session(connections, store=SqliteStore(path)) as session:
            over = await session.submit("luma/uni-1", "a boat", key="over", scope="ann")
            await over
            running = await session.submit("luma/uni-1", "a fox", key="running")
            while vendor.creates < 2:
                await asyncio.sleep(0.01)
        await move(path, url, schema=name)
        async with aiogen.Session(connections, store=PostgresStore(url, schema=name)) as session:
            again = await session.submit("luma/uni-1", "a boat", key="over", scope="ann")
            assert (again.id, (await again).outputs[0].url) == (over.id, (await over).outputs[0].url)
            again = await session.submit("luma/uni-1", "a fox", key="running")
            assert again.id == running.id
            assert (await again).state is State.COMPLETED
    assert vendor.creates == 2


async def test_a_move_that_is_given_up_by_somebody_else_opens_nothing(url: str, name: str, path: Path) -> None:
    """In the last moment before it is handed over."""

    async def passed(step: str) -> None:
        if step == "copied":
            await reopen(path)

    with pytest.raises(StoreError, match="has opened it again"):
        await move(path, url, schema=name, passed=passed)
    assert await records(PostgresStore(url, schema=name)) == {}
    assert len(await records(SqliteStore(path, keep_finished=1e9))) == len(NAMES)


async def test_of_two_at_once_one_succeeds(url: str, name: str, path: Path) -> None:
    found = await asyncio.gather(*(move(path, url, schema=name) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(each, Moved | StoreError) for each in found)
    assert any(isinstance(each, Moved) and not each.was_done for each in found)
    assert len(await records(PostgresStore(url, schema=name, keep_finished=1e9))) == len(NAMES)


async def test_where_jobs_are_none_are_moved_to(url: str, name: str, path: Path) -> None:
    """Neither where somebody waits for the first one; the file stays open."""
    store = PostgresStore(url, schema=name)
    await store.open()
    with pytest.raises(StoreError, match="is in use by"):
        await move(path, url, schema=name)
    await store.add(taken_in(State.PENDING))
    await store.close()
    with pytest.raises(StoreError, match=r"There are jobs in postgresql://postgres@127\.0\.0\.1:\d+/postgres"):
        await move(path, url, schema=name)
    assert len(await records(SqliteStore(path, keep_finished=1e9))) == len(NAMES)


async def test_an_empty_ledger_that_was_opened_already_becomes_the_old_one(url: str, name: str, path: Path) -> None:
    store = PostgresStore(url, schema=name)
    await store.open()
    await store.put_learned("durations", {"of": "another"}, 0)
    await store.close()
    await move(path, url, schema=name)
    assert set(await records(PostgresStore(url, schema=name, keep_finished=1e9))) == {f"job-{each}" for each in NAMES}


async def test_it_moves_once(url: str, name: str, path: Path) -> None:
    """To one place; and if that is gone, nothing is sent from the file for the second time."""
    await move(path, url, schema=name)
    with pytest.raises(StoreError, match=f"was moved to .*{name}.* already, not to"):
        await move(path, url, schema=f"{name}_other")
    with pytest.raises(StoreError, match="cannot be opened again"):
        await reopen(path)
    gone = PostgresStore(url, schema=name, keep_finished=1e9)
    await gone.open()
    async with gone._open_parts().database.transaction() as tx:
        await tx.script(f'DROP SCHEMA "{name}" CASCADE')
    await gone.close()
    with pytest.raises(StoreError, match="put a backup of that database back"):
        await move(path, url, schema=name)
    assert await records(PostgresStore(url, schema=name)) == {}


async def test_many_jobs_say_how_far_they_have_come(url: str, name: str, path: Path) -> None:
    asked(
        path,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) "
        "INSERT INTO aiogen_job (id, connection, provider, account, state, created_at) "
        "SELECT 'more-' || i, 'luma', 'luma', 'a', 'pending', i FROM n",
    )
    said = list[tuple[str, int, int]]()
    moved = await move(path, url, schema=name, progress=lambda *each: said.append(each))
    total = 1200 + len(NAMES)
    assert [done for table, done, _ in said if table == "job"] == [0, 500, 1000, total]
    assert {total for table, _, total in said if table == "job"} == {total}
    assert moved.counts["pending"] == 1201


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from aiogen.stores.moving import move
async def passed(step):
    if step == sys.argv[4]:
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(move(Path(sys.argv[1]), sys.argv[2], schema=sys.argv[3], passed=passed))
"""


@pytest.mark.no_cover
async def test_a_process_that_is_killed_and_the_command_that_goes_on(url: str, name: str, path: Path) -> None:
    """With a real signal, in the worst moment."""
    words = [sys.executable, "-c", KILLED, str(path), url, name, "handed over"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ran = await asyncio.to_thread(subprocess.run, words, env=environment, check=False)
    assert ran.returncode == -signal.SIGKILL
    with pytest.raises(StoreError, match="cannot be opened again"):
        await reopen(path)
    assert await asyncio.to_thread(main, ["db", "copy", f"sqlite:{path}", url, "--schema", name]) == 0
    assert len(await records(PostgresStore(url, schema=name, keep_finished=1e9))) == len(NAMES)


def test_what_the_command_says(url: str, name: str, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is there now, what to do next; and no password."""
    assert main(["db", "copy", f"sqlite:{path}", url, "--schema", name]) == 0
    said = capsys.readouterr()
    assert f"{len(NAMES)} jobs are in postgresql://postgres@" in said.err
    assert "1 pending, 2 unknown, 2 queued, 1 processing" in said.err
    assert "Of 2 nobody knows whether they were created" in said.err
    assert f"with that url as their store (AIOGEN_STORE), with ?search_path={name} behind it" in said.err
    assert f"{path} is closed for good, and may be deleted" in said.err
    assert "geheim" not in said.out + said.err
    assert main(["db", "copy", f"sqlite:{path}", url, "--schema", name, "--json"]) == 0
    said = capsys.readouterr()
    assert '"event": "moved"' in said.out
    assert "was moved to" in said.err


async def test_a_database_from_a_backup_sends_nothing_again(url: str, name: str) -> None:
    """What waited then may have been sent since: it is unknown, whoever asks under its key; refused while in use."""
    vendor = Vendor(reads=[(200, done())])
    async with serving(vendor) as address:
        async with aiogen.Session([luma(address)], store=PostgresStore(url, schema=name), follow=False) as session:
            waiting = await session.submit("luma/uni-1", "a boat", key="night")
            with pytest.raises(StoreError, match="is in use by"):
                await restored.hold(url, schema=name)
        assert await asyncio.to_thread(main, ["db", "restored", url, "--schema", name]) == 0
        async with aiogen.Session([luma(address)], store=PostgresStore(url, schema=name)) as session:
            assert await session.resume() == []
            again = await session.submit("luma/uni-1", "a boat", key="night")
            assert again.id == waiting.id
            with pytest.raises(aiogen.SubmissionUnknown):
                await again
    assert vendor.creates == 0
    with pytest.raises(StoreError, match="There is no ledger in"):
        await restored.hold(url, schema=f"{name}_other")


def test_who_interrupts_it_is_told_how_it_goes_on(
    url: str, name: str, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def interrupted(*_: Any, **options: Any) -> Moved:
        async def passed(step: str) -> None:
            if step == "copied":
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(10.0)

        return await move(path, url, schema=name, passed=passed)

    with monkeypatch.context() as patch:
        patch.setattr("aiogen.stores.moving.move", interrupted)
        assert main(["db", "copy", f"sqlite:{path}", url, "--schema", name]) == 130
    assert "the same command goes on with the move" in capsys.readouterr().err
    assert main(["db", "copy", f"sqlite:{path}", url, "--schema", name]) == 0
    assert f"{len(NAMES)} jobs are in" in capsys.readouterr().err
