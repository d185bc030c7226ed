"""The watches of every test can fail: each is shown what it is there for."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

import aiohttp
import pyleak
import pytest
import watchdogs
from blockbuster import BlockingError
from serving import Vendor, luma, serving
from watchdogs import no_file_left, no_session_left, no_task_left, no_thread_left

import aiogen
from aiogen._transfer.threads import Threads
from aiogen._transfer.uploads import load
from aiogen.references import Reference
from aiogen.stores.memory import MemoryStore

pytestmark = pytest.mark.no_cover  # what is planted has no source

TESTS = Path(__file__).parent
PICTURE = b"\x89PNG\r\n\x1a\n"

# --- calls that block


def planted(line: str, **names: Any) -> Callable[[], Awaitable[object]]:
    """A coroutine function that counts as aiogen's own code."""
    source = f"import os, socket, sqlite3, threading, time\nfrom pathlib import Path\nasync def go(): return {line}"
    exec(compile(source, str(Path(aiogen.__file__).with_name("_planted.py")), "exec"), names)
    return names["go"]  # type: ignore[no-any-return]


@contextmanager
def reported(calls: list[str], name: str) -> Iterator[None]:
    """Calls of this name were kept, which would fail the test; here they are wanted."""
    yield
    assert calls
    assert {call.splitlines()[0] for call in calls} == {f"Blocking call to {name}"}
    calls.clear()


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("time.sleep(0)", "time.sleep"),
        ("open(os.devnull).read()", "builtins.open"),
        ("Path(os.devnull).read_bytes()", "io.open"),
        ("Path('nowhere').exists()", "os.stat"),
        ("os.unlink('nowhere')", "os.unlink"),
        ("os.open(os.devnull, os.O_RDONLY)", "os.open"),
        ("sqlite3.connect(':memory:')", "sqlite3.connect"),
        ("socket.getaddrinfo('localhost', 80)", "socket.getaddrinfo"),
        ("[lock := threading.Lock(), lock.acquire(), lock.acquire(timeout=0.01)]", "lock.acquire"),
    ],
)
async def test_a_call_that_blocks_the_loop_is_reported(line: str, name: str, blocking_calls: list[str]) -> None:
    """It raises at once, and is kept."""
    with reported(blocking_calls, name), pytest.raises(BlockingError, match=name):
        await planted(line)()


@pytest.mark.parametrize(("mode", "name"), [("r", "TextIOWrapper"), ("rb", "BufferedReader")])
async def test_reading_is_reported(mode: str, name: str, blocking_calls: list[str]) -> None:
    """Also of a file that is open already."""
    with Path(__file__).open(mode) as file:  # noqa: ASYNC230
        with reported(blocking_calls, f"io.{name}.read"), pytest.raises(BlockingError):
            await planted("file.read()", file=file)()


async def test_files_read_on_the_loop_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocking_calls: list[str]
) -> None:
    """aiogen's own reading of references, without the thread that does it."""

    async def here(function: Callable[..., object], *args: object) -> object:
        return function(*args)

    reference = Reference(path=tmp_path / "picture.png")
    (tmp_path / "picture.png").write_bytes(PICTURE)
    threads = Threads()
    assert await load([reference], 100, threads)
    monkeypatch.setattr(threads, "run", here)
    with reported(blocking_calls, "os.stat"), pytest.raises(BlockingError):
        await load([reference], 100, threads)
    await threads.close()


async def test_what_aiogen_outlives_is_reported_too(blocking_calls: list[str]) -> None:
    """A store that blocks is a store that fails, and an error of the store fails no job."""

    class Blocking(MemoryStore):
        async def settle(self, *ended: Any) -> None:
            time.sleep(0)  # noqa: ASYNC251 - that is what it is
            await super().settle(*ended)

    with reported(blocking_calls, "time.sleep"):
        async with serving(Vendor()) as url, aiogen.Session([luma(url)], store=Blocking()) as session:
            assert (await session.generate("luma/uni-1", "a boat")).url


async def test_off_the_loop_anything_may_block() -> None:
    """In a thread; and a test's own code may in its loop, too."""
    time.sleep(0)  # noqa: ASYNC251
    assert Path(__file__).exists()
    sleep = await planted("lambda: time.sleep(0)")()
    await asyncio.to_thread(sleep)  # type: ignore[arg-type]


# --- what is left behind


async def test_a_task_that_is_left_is_reported() -> None:
    """By its name, and where it stands."""

    async def waiting() -> None:
        await asyncio.Event().wait()

    with pytest.raises(pyleak.TaskLeakError, match=r"(?s)forgotten.*in waiting"):
        async with no_task_left():
            task = asyncio.create_task(waiting(), name="forgotten")
    task.cancel()


@pytest.mark.parametrize("daemon", [True, False])
def test_a_thread_that_is_left_is_reported(daemon: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon as well; one that ends a moment later is not left."""
    monkeypatch.setattr(watchdogs, "PATIENCE", 0.05)
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="forgotten", daemon=daemon)
    with pytest.raises(pyleak.ThreadLeakError, match="forgotten"), no_thread_left():
        thread.start()
    over.set()
    thread.join()
    with no_thread_left():
        threading.Thread(target=time.sleep, args=(0.01,)).start()


def reopened(file: TextIO, path: Path) -> TextIO:
    """Another file under the same number."""
    file.close()
    return path.open("w")


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="this system does not show what is open")
def test_a_file_that_is_left_open_is_reported(tmp_path: Path) -> None:
    """By its name; a socket by its kind; also where another had that number before."""
    with (tmp_path / "before").open("w") as before:
        with pytest.raises(AssertionError, match="forgotten"), no_file_left():
            left = (tmp_path / "forgotten").open("w")
        left.close()
        with pytest.raises(AssertionError, match="socket:"), no_file_left():
            one = socket.socket()
        one.close()
        number = before.fileno()
        with pytest.raises(AssertionError, match="after"), no_file_left():
            after = reopened(before, tmp_path / "after")
        assert after.fileno() == number
        after.close()


async def test_a_session_that_is_left_open_is_reported() -> None:
    """Also without a connection, so that nothing else shows it."""
    with pytest.raises(AssertionError, match="ClientSession"), no_session_left():
        session = aiohttp.ClientSession()
    await session.close()


# --- all together

LEAKING = """
import asyncio, os, socket, threading, time
import aiohttp, pytest, watchdogs
import aiogen
from serving import Vendor, luma, serving
from test_watchdogs import planted

watchdogs.PATIENCE = 0.05
kept = []

async def test_nothing():
    async with serving(Vendor()) as url, aiogen.Session([luma(url)]) as session:
        assert (await session.generate("luma/uni-1", "a boat")).url

async def test_call():
    try:
        await planted("time.sleep(0)")()
    except Exception:
        pass

async def test_task():
    kept.append(asyncio.create_task(asyncio.Event().wait()))

def test_thread():
    threading.Thread(target=time.sleep, args=(0.5,), daemon=True).start()

def test_file():
    kept.append(open(os.devnull))

async def test_socket():
    kept.append(socket.socket())

async def test_connection():
    async with serving(Vendor()) as url:
        kept.append(aiohttp.ClientSession())
        await (await kept[-1].get(url)).read()

async def test_unclosed():
    aiohttp.ClientSession()

async def test_session(tmp_path):
    kept.append(aiogen.Session([luma("http://127.0.0.1:9")], store=tmp_path / "aiogen.db"))
    await kept[-1].__aenter__()

@pytest.mark.timeout(0.3)
async def test_timeout():
    asyncio.get_running_loop().call_soon(time.sleep, 0.5)  # swallows the first
    await asyncio.Event().wait()
"""


REASONS = {
    "call": "AssertionError: Blocking call to time.sleep",
    "task": "TaskLeakError: Detected 1 leaked asyncio task",
    "thread": "ThreadLeakError: Detected 1 leaked thread",
    "file": "AssertionError: still open: .*/dev/null",
    "socket": "AssertionError: still open: .*socket:",
    "connection": "AssertionError: still open: .*ClientSession",
    "unclosed": "PytestUnraisableExceptionWarning: .*ClientSession",
    "session": "ExceptionGroup: errors while tearing down",
    "timeout": r"Failed: Timeout \(>0.3s\)",
}


def test_every_test_is_watched(tmp_path: Path) -> None:
    """A file of tests run as this suite is: all but the first are red, each for its reason."""
    (tmp_path / "test_leaking.py").write_text(LEAKING)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]), "COLUMNS": "500"}
    options = ["-c", str(TESTS.parent / "pyproject.toml"), "--rootdir", str(tmp_path), "-p", "no:cacheprovider"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-p", "conftest", "-q", "-rfE", "--tb=no", "test_leaking.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    found: dict[str, str] = {}
    for name, reason in re.findall(r"^(?:ERROR|FAILED) test_leaking\.py::test_(\w+) - (.*)", run.stdout, re.MULTILINE):
        found[name] = f"{found.get(name, '')}{reason}\n"
    assert found.keys() == REASONS.keys(), run.stdout
    assert [name for name, reason in REASONS.items() if not re.search(reason, found[name])] == [], found


def test_the_lock_with_which_coverage_counts_may_be_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other that somebody holds may not."""
    theirs, ours = threading.Lock(), threading.Lock()
    collector = SimpleNamespace(Collector=SimpleNamespace(_collectors=[SimpleNamespace(data_lock=theirs)]))
    monkeypatch.setitem(sys.modules, "coverage.collector", collector)  # type: ignore[arg-type]
    assert watchdogs._may_wait(lambda lock: False, theirs)
    assert not watchdogs._may_wait(lambda lock: False, ours)
    assert watchdogs._may_wait(lambda lock: True, ours)
