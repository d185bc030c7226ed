"""Every test runs on looptime's virtual clock unless it says @pytest.mark.looptime(False).

Start servers and sessions inside the test body, not in async fixtures: the virtual clock runs only there.
Every test is watched (watchdogs.py): aiogen may not block a loop, and nothing may be left behind.
"""

from __future__ import annotations

import asyncio
import gc
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any

import hypothesis
import pytest
from pytest_asyncio import is_async_test
from watchdogs import no_file_left, no_session_left, no_task_left, no_thread_left, watching_calls

import aiogen
from aiogen.providers.registry import BUILT_IN as PROVIDERS

hypothesis.settings.register_profile("any machine", deadline=None)  # a busy one is late with any of its examples
hypothesis.settings.load_profile("any machine")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means: one more than there are processors, for tests in real time mostly wait."""
    return (os.cpu_count() or 1) + 1


NOT_MEASURED = tuple(
    f"tests/{name}.py"
    for name in (
        "session/test_binding", "session/test_faults", "session/test_first_call", "session/test_parameters",
        "session/test_fairness", "session/test_keys", "session/test_records", "session/test_webhook_price",
        "session/test_hostile", "session/test_checkpoint",
        "ledger/test_learning", "ledger/test_clocks", "ledger/test_sharing", "ledger/test_handlers",
        "engine/test_budget", "engine/test_log", "engine/test_remote", "engine/test_streaks", "jobs/test_intake",
        "batches/test_recipes", "batches/test_cleanup",
        "cli/test_interrupt", "cli/test_report", "cli/test_batch", "cli/test_app", "cli/test_generations",
        "cli/test_streams", "integrations/test_strangers", "test_examples", "test_openai_front", "test_studio",
        "transfer/test_hostile_wire", "transfer/test_download", "transfer/test_storages",
        "contract/test_contract", "simulation/test_found",
    )
)  # fmt: skip
"""The whole stack again and again: what these run is measured elsewhere, at a fraction of the time.

Where the coverage falls for one of these, a test of its room is missing that says what the module does.
"""


FOLDERS = {"tests/slow/": "slow", "tests/web/": "web"}
"""What each folder is marked with: everything in it has a target of its own (Makefile)."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the files of `NOT_MEASURED`, and what is in `FOLDERS`."""
    for item in items:
        if item.nodeid.startswith(NOT_MEASURED):
            item.add_marker("no_cover")
        for folder, marker in FOLDERS.items():
            if item.nodeid.startswith(folder):
                item.add_marker(marker)


def pytest_configure() -> None:
    """looptime looks through all that pytest-asyncio has for each fixture of each test; once for each is enough."""
    with suppress(ImportError, AttributeError):
        plugin = import_module("looptime._internal.plugin")
        look, seen = plugin._should_patch, dict[tuple[str, str], bool]()

        def remembered(fixture: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> bool:
            key = (fixture.func.__module__, fixture.argname)
            if key not in seen:
                seen[key] = look(fixture, request)
            return seen[key]

        plugin._should_patch = remembered


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_timeout_set_timer(settings: Any) -> Generator[None, object, object]:
    """A loop swallows what is raised in a callback, a timeout as well, so that one is raised again and again."""
    is_set = yield
    if hasattr(signal, "getitimer") and signal.getitimer(signal.ITIMER_REAL)[0]:
        signal.setitimer(signal.ITIMER_REAL, settings.timeout, min(10.0, settings.timeout))
    return is_set


class Measuring:
    """Only what a test calls is measured: what pytest and the fixtures do around it takes twice as long when it is.

    A vendor that a fixture runs in a thread is not measured either.
    """

    def __init__(self) -> None:
        self._trace: Any = None
        self._trace_threads: Any = None
        """What measures, while it does not."""

    def pause(self) -> None:
        """From here on nothing is measured in this thread, and in those that begin."""
        self._trace = sys.gettrace() or self._trace
        self._trace_threads = threading.gettrace() or self._trace_threads
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]  # allowed since 3.10

    def resume(self) -> None:
        """As it was before."""
        threading.settrace(self._trace_threads)
        sys.settrace(self._trace)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> Generator[None, object, object]:
        """What runs when a module is imported is measured in one process; each worker imports all the tests."""
        if not hasattr(session.config, "workerinput"):
            for module in pkgutil.walk_packages(aiogen.__path__, "aiogen."):
                if not module.name.endswith("__main__"):  # which would run
                    import_module(module.name)
        self.pause()
        self._keep_the_lock_unwatched()
        return (yield)

    @staticmethod
    def _keep_the_lock_unwatched() -> None:
        """coverage takes a lock for each line that runs; where each `threading.Lock` is watched, that costs a third.

        What begins again after a test that is not measured would take the watched one (`watchdogs.watching_calls`).
        """
        collector = getattr(sys.modules.get("coverage.collector"), "Collector", None)
        for each in getattr(collector, "_collectors", ()):
            each.data_lock = lock = threading.RLock()  # its type is another, which nobody watches
            for tracer in each.tracers:
                tracer.lock_data, tracer.unlock_data = lock.acquire, lock.release

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Up to the test, and after it."""
        self.pause()
        return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """What is marked `no_cover` is not measured in a worker of xdist either.

        There pytest-cov begins twice, and pausing the second measurement lets the first one, which nobody reads, go on.
        What is switched off here pytest-cov switches on again after the test.
        """
        if item.get_closest_marker("no_cover"):
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]  # allowed since 3.10
            return (yield)
        self.resume()
        try:
            return (yield)
        finally:
            self.pause()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """What pytest-cov has switched on again."""
        self.pause()
        return (yield)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Where pytest-cov measures, it does so as `Measuring` says."""
    if session.config.pluginmanager.hasplugin("_cov"):
        session.config.pluginmanager.register(Measuring())


def pytest_collection_finish() -> None:
    """Half a million objects stay until the end: nobody has to look through them for garbage again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_loop_but_the_tests_own() -> None:
    """Where no loop was ever set, looptime's look for one would make one, and leave it."""
    asyncio.set_event_loop(None)


@pytest.fixture(autouse=True)
def no_keys_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test must never speak to a real provider, whatever the developer's environment holds."""
    for provider in PROVIDERS:
        if provider.facts.key_variable is not None:
            monkeypatch.delenv(provider.facts.key_variable, raising=False)
        monkeypatch.delenv(provider.facts.url_variable, raising=False)
    monkeypatch.delenv("AIOGEN_STORE", raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="session")
def blocking_calls() -> Iterator[list[str]]:
    """What has blocked a loop so far; switched on once, for that takes a while."""
    with watching_calls() as seen:
        yield seen


@pytest.fixture(autouse=True)
def nothing_blocks(blocking_calls: list[str]) -> Iterator[None]:
    """No call of aiogen's own holds up a loop, whatever became of it."""
    blocking_calls.clear()
    yield
    assert not blocking_calls, "\n".join(blocking_calls)


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No test leaves a thread, a file or a socket; looked at after its loop, whose own threads end with it."""
    with no_file_left(), no_thread_left(), no_session_left():
        yield


@pytest.fixture
async def no_task_left_behind() -> AsyncIterator[None]:
    """No test leaves a task running."""
    async with no_task_left():
        yield


@pytest.fixture(autouse=True)
def nothing_left_running(request: pytest.FixtureRequest, nothing_left_behind: None) -> None:
    """Only tests with a loop of their own have tasks to leave; the loop ends before threads and files are looked at."""
    if is_async_test(request.node):
        request.getfixturevalue("no_task_left_behind")
