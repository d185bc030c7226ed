"""A ledger that was copied, moved or put back: nothing that waited in it is sent twice, and everything else goes on."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from serving import KEY, body, done, luma, serving

import aiogen
from aiogen import State
from aiogen.stores.sqlite import SqliteStore

pytestmark = pytest.mark.looptime(False)


class Studio:
    """A vendor of many generations, who remembers every prompt."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.is_done = True

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        if request.method == "POST":
            self.prompts.append((await request.json())["prompt"])
            answer = done() if self.is_done else body()
            return web.json_response(answer | {"id": f"v-{len(self.prompts)}"}, status=201)
        answer = done() if self.is_done else body("processing")
        return web.json_response(answer | {"id": request.path.rpartition("/")[2]})


@pytest.fixture
def studio() -> Studio:
    return Studio()


@pytest.fixture
async def url(studio: Studio) -> AsyncIterator[str]:
    async with serving(studio) as url:
        yield url


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "aiogen.db"


@asynccontextmanager
async def session_on(url: str, store: Any, **limits: Any) -> AsyncIterator[aiogen.Session]:
    provider = luma(url, **({"creates_per_minute": 6000} | limits))
    async with asyncio.timeout(30.0), aiogen.Session([provider], store=store, poll_cost=0.01) as session:
        yield session


async def left_behind(url: str, studio: Studio, path: Path) -> None:
    """One that runs, and three that wait."""
    studio.is_done = False
    async with session_on(url, path, max_active=1) as session:
        jobs = [await session.submit("luma/uni-1", f"boat {i}") for i in range(4)]
        await jobs[0].accepted()
    studio.is_done = True


def copied(path: Path) -> Path:
    return Path(shutil.copy(path, path.with_name("copy.db")))


def folder_copied(path: Path) -> Path:
    return Path(shutil.copytree(path.parent, path.parent.with_name("copy"))) / path.name


def backed_up(path: Path) -> Path:
    import sqlite3

    one, other = sqlite3.connect(path), sqlite3.connect(path.with_name("backup.db"))
    one.backup(other)
    one.close()
    other.close()
    return path.with_name("backup.db")


def moved(path: Path) -> Path:
    return path.rename(path.with_name("moved.db"))


def folder_moved(path: Path) -> Path:
    return path.parent.rename(path.parent.with_name("moved")) / path.name


def restored_folder(path: Path) -> Path:
    shutil.copytree(path.parent, path.parent.with_name("backup"))
    shutil.rmtree(path.parent)
    path.parent.with_name("backup").rename(path.parent)
    return path


def without_counter(path: Path) -> Path:
    path.with_name(path.name + "-epoch").unlink()
    return path


KINDS = {
    each.__name__: each
    for each in (copied, folder_copied, backed_up, moved, folder_moved, restored_folder, without_counter)
}


@pytest.mark.parametrize("happens", KINDS.values(), ids=KINDS)
async def test_what_may_be_a_copy_is_known(
    url: str, studio: Studio, path: Path, happens: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    """However it came about; said once each time that it is opened, with the way out."""
    await left_behind(url, studio, path)
    there = await asyncio.to_thread(happens, path)
    for _ in range(2):
        caplog.clear()
        store = SqliteStore(there)
        await store.open()
        await store.open()
        assert store.held_copy is not None
        assert store.held_copy.jobs == 3
        assert {each.state for each in await store.adopt([luma(url).account])} <= {State.QUEUED}
        await store.close()
        (said,) = [each.getMessage() for each in caplog.records if "seems to be a copy" in each.getMessage()]
        assert f"aiogen db adopt --store {there}" in said


async def test_what_waited_in_a_copy_is_held(url: str, studio: Studio, path: Path) -> None:
    """Until somebody says that it is the only one; what runs is followed, and new jobs are sent."""
    await left_behind(url, studio, path)
    there = copied(path)
    for time in range(2):  # it stays so
        store = SqliteStore(there)
        async with session_on(url, store) as session:
            ended = await asyncio.gather(*await session.resume())
            assert [each.prompt for each in ended] == (["boat 0"] if time == 0 else [])
            assert (await session.generate("luma/uni-1", f"new {time}")).state is State.COMPLETED
            assert len(await session.records(states=[State.PENDING])) == 3
    assert studio.prompts == ["boat 0", "new 0", "new 1"]
    await store.open()
    assert await store.adopt_copy() == 3
    assert store.held_copy is None
    assert await store.adopt_copy() == 0
    await store.close()
    async with session_on(url, there) as session:
        assert len(await asyncio.gather(*await session.resume())) == 3
    assert sorted(studio.prompts[3:]) == ["boat 1", "boat 2", "boat 3"]


async def test_both_together_send_each_job_once(url: str, studio: Studio, path: Path) -> None:
    """The copy first, then the one that it was made of."""
    await left_behind(url, studio, path)
    for each in (copied(path), path):
        async with session_on(url, each) as session:
            await asyncio.gather(*await session.resume())
    assert sorted(studio.prompts) == [f"boat {i}" for i in range(4)]


async def test_an_older_state_in_its_place_sends_nothing_again(url: str, studio: Studio, path: Path) -> None:
    """A backup, made while the program ran, is put over the file: what waited then was sent since."""
    backup = path.with_name("backup.db")
    studio.is_done = False
    async with session_on(url, SqliteStore(path, lease=0.5), max_active=1) as session:
        jobs = [await session.submit("luma/uni-1", f"boat {i}") for i in range(3)]
        await jobs[0].accepted()
        await asyncio.to_thread(backed_up, path)
        await asyncio.sleep(0.4)  # a heartbeat or two
        studio.is_done = True
        await asyncio.gather(*jobs)
    with path.open("r+b") as file:  # the same file, and the same place
        file.truncate(0)
        file.write(backup.read_bytes())
    store = SqliteStore(path)
    async with session_on(url, store) as session:
        await asyncio.gather(*await session.resume(), return_exceptions=True)
        assert store.held_copy is not None
        assert "older state" in store.held_copy.reason
    assert sorted(studio.prompts) == ["boat 0", "boat 1", "boat 2"]


async def test_a_ledger_that_stays_where_it_is_is_no_copy(url: str, studio: Studio, path: Path) -> None:
    """Opened again and again, by several at once, through a link, and after a crash that lost the last count."""
    await left_behind(url, studio, path)
    counter = path.with_name(path.name + "-epoch")
    before = counter.read_text()
    link = path.with_name("link.db")
    link.symlink_to(path)
    for each in (path, link, path):
        one, other = SqliteStore(each), SqliteStore(path)
        await one.open()
        await other.open()
        assert one.held_copy is other.held_copy is None
        await one.close()
        await other.close()
    assert counter.read_text() > before
    assert counter.stat().st_mode & 0o777 == 0o600
    counter.write_text(before)
    async with session_on(url, path) as session:
        assert len(await asyncio.gather(*await session.resume())) == 4


async def test_a_copy_can_be_adopted_in_the_program(url: str, studio: Studio, path: Path) -> None:
    """Who copies ledgers on purpose says so where it is opened."""
    await left_behind(url, studio, path)
    store = SqliteStore(moved(path), adopt=True)
    async with session_on(url, store) as session:
        assert store.held_copy is None
        assert len(await asyncio.gather(*await session.resume())) == 4
    async with session_on(url, store.path) as session:
        assert await session.resume() == []


async def test_who_uses_the_copy_takes_up_what_is_adopted(url: str, studio: Studio, path: Path) -> None:
    """Without being started again."""
    await left_behind(url, studio, path)
    there = moved(path)
    async with session_on(url, SqliteStore(there, lease=1.5)) as session:
        await asyncio.gather(*await session.resume())
        other = SqliteStore(there)
        await other.open()
        assert other.held_copy is not None
        await other.adopt_copy()
        await other.close()
        jobs: list[aiogen.Job] = []
        while len(jobs) < 3:
            jobs += await session.resume()
            await asyncio.sleep(0.05)
        await asyncio.gather(*jobs)
    assert len(studio.prompts) == 4


async def test_a_false_alarm_does_not_stop_who_runs(url: str, studio: Studio, path: Path) -> None:
    """The same file by another name, as from within a container: who has it open goes on with its line."""
    studio.is_done = False
    async with session_on(url, SqliteStore(path, lease=3.0), max_active=1) as session:
        jobs = [await session.submit("luma/uni-1", f"boat {i}") for i in range(3)]
        await jobs[0].accepted()
        path.parent.rename(path.parent.with_name("mounted"))
        path.parent.symlink_to(path.parent.with_name("mounted"))
        other = SqliteStore(path.parent.with_name("mounted") / path.name)
        await other.open()
        await other.close()
        studio.is_done = True
        assert {each.state for each in await asyncio.gather(*jobs)} == {State.COMPLETED}
    assert studio.prompts == ["boat 0", "boat 1", "boat 2"]


async def test_what_is_held_can_be_given_up(url: str, studio: Studio, path: Path) -> None:
    """Instead of being sent; what waits in a ledger of one's own cannot."""
    await left_behind(url, studio, path)
    for each, count in ((copied(path), 3), (path, 0)):
        async with session_on(url, each, max_active=1) as session:
            waiting = await session.records(states=[State.PENDING])
            assert await session.forget(*(record.id for record in waiting)) == count


@pytest.mark.parametrize("what", ["held", "nothing", "no file"])
async def test_the_command(url: str, studio: Studio, path: Path, what: str) -> None:
    """`aiogen db adopt` says what it did; `aiogen jobs` what is held."""
    await left_behind(url, studio, path)
    there = {"held": copied, "nothing": lambda path: path, "no file": lambda path: path.with_name("none.db")}[what](
        path
    )

    async def run(*words: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "aiogen", *words, "--store", str(there)]
        environment = os.environ | {"LUMA_AGENTS_API_KEY": KEY}
        ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, env=environment)
        return ran.returncode, ran.stderr

    if what == "held":
        assert "3 waiting jobs in it are not sent" in (await run("jobs"))[1]
    code, said = await run("db", "adopt")
    if what == "no file":
        assert code != 0
        assert "There is no ledger" in said
        assert not there.exists()
        return
    assert code == 0
    assert ("3 jobs" if what == "held" else "No jobs are on hold") in said
    assert "seems to be a copy" not in (await run("jobs"))[1]
