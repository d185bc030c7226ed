"""The command worker: what others have taken in is made, and a signal leaves nothing half done."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Vendors

from aiogen import Cost, InputError, Session
from aiogen.cli import working
from aiogen.cli.budgets import budget_of, cost_of
from aiogen.cli.health import HealthFile
from aiogen.cli.terminal import Terminal

FOREVER = "[[processing=100000]]"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIOGEN_STORE", str(tmp_path / "jobs.db"))
    return tmp_path / "jobs.db"


def taken_in(path: Path, *prompts: str, model: str = "luma/uni-1", **options: Any) -> None:
    """By a process that follows nothing, and is gone by now."""

    async def take_in() -> None:
        async with Session(store=path, follow=False, **options) as session:
            for prompt in prompts:
                await session.submit(model, prompt)

    asyncio.run(take_in())


def states(path: Path) -> Counter[str]:
    with sqlite3.connect(path, timeout=10.0) as ledger:
        found = Counter(state for (state,) in ledger.execute("SELECT state FROM aiogen_job"))
    ledger.close()
    return found


def is_over(path: Path, count: int) -> Callable[[], bool]:
    return lambda: sum(states(path)[each] for each in ("completed", "failed", "cancelled", "unknown")) >= count


# --- what it does


def test_what_others_took_in_is_made(aiogen, vendors: Vendors, path: Path) -> None:
    taken_in(path, "a boat", "a ship")
    vendors.interrupt_once(is_over(path, 2), signal.SIGTERM)
    said = aiogen("worker")
    assert said.code == 0
    assert states(path) == {"completed": 2}
    assert len(vendors.jobs) == 2
    began, *_, stopping, stopped = said.err.splitlines()
    assert began.startswith(f"Follows the jobs of {path} at luma, leonardo")
    assert stopping == "Stopping: nothing is on its way."
    assert stopped == "Stopped. 0 that wait and 0 that run are in the ledger, for the next worker."
    assert said.out == ""


def test_what_is_taken_in_while_it_works_is_made_and_known_there(aiogen, vendors: Vendors, path: Path) -> None:
    """A web worker beside it waits for the end, which ends the worker here."""

    async def ask() -> str:
        async with Session(store=path, follow=False) as session:
            made = await session.generate("luma/uni-1", "a boat")
            os.kill(os.getpid(), signal.SIGINT)
            return made.state

    async def beside() -> str:
        return await asyncio.to_thread(asyncio.run, ask())

    taken_in(path, FOREVER)
    asking = asyncio.run_coroutine_threadsafe(beside(), vendors._loop)
    said = aiogen("worker", "--json")
    assert asking.result(10) == "completed"
    assert said.code == 0
    events = [record["event"] for record in said.records]
    assert (events[0], events[-2:]) == ("started", ["stopping", "stopped"])
    assert said.records[0]["store"] == str(path)
    assert {"luma", "leonardo"} <= set(said.records[0]["connections"])
    assert said.records[-1] == {"event": "stopped", "waiting": 0, "running": 1, "unknown": 0}


def test_it_says_now_and_then_what_has_changed(
    aiogen, vendors: Vendors, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "_LOOKS_EVERY", 0.02)
    real = working.Duty
    monkeypatch.setattr("aiogen.cli.commands.workers.Duty", lambda **more: real(**{**more, "every": 0.02}))
    taken_in(path, "a boat", FOREVER)
    vendors.once(is_over(path, 1), lambda: (time.sleep(0.3), os.kill(os.getpid(), signal.SIGINT)))
    said = aiogen("worker", "--json")
    working_events = [record for record in said.records if record["event"] == "working"]
    assert working_events[-1] == {"event": "working", "waiting": 0, "running": 1, "completed": 1}
    assert all(one != other for one, other in pairwise(working_events))


def test_its_health_file_is_touched_while_it_works_and_gone_after(
    aiogen, vendors: Vendors, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "_LOOKS_EVERY", 0.02)
    health = tmp_path / "healthy"
    health.touch()
    os.utime(health, (0, 0))
    seen = set[float]()

    def is_touched() -> bool:
        if health.exists():
            seen.add(health.stat().st_mtime)
        return len(seen - {0.0}) > 3

    vendors.interrupt_once(is_touched)
    assert aiogen("worker", "--health", health).code == 0
    assert not health.exists()


def test_its_health_file_grows_old_while_the_ledger_cannot_be_written(
    aiogen, vendors: Vendors, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "_LOOKS_EVERY", 0.02)
    monkeypatch.setattr(Session, "is_ready", False)
    health = tmp_path / "healthy"
    ages = list[float]()

    def is_old() -> bool:
        if health.exists():
            os.utime(health, (5, 5)) if not ages else ages.append(health.stat().st_mtime)
            ages.append(5.0)
        return len(ages) > 20

    vendors.interrupt_once(is_old)
    assert aiogen("worker", "--health", health).code == 0
    assert set(ages) == {5.0}


def test_a_budget_is_kept_for_all_who_take_in(aiogen, vendors: Vendors, path: Path) -> None:
    taken_in(path, "a boat", "a ship", "a raft")
    vendors.interrupt_once(is_over(path, 3))
    assert aiogen("worker", "--budget", "0.05", "--per", "day").code == 0
    assert states(path) == {"completed": 1, "failed": 2}
    assert len(vendors.jobs) == 1


def test_jobs_of_a_connection_that_is_not_configured_are_named_once(
    aiogen, vendors: Vendors, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "_LOOKS_EVERY", 0.02)
    monkeypatch.setattr(working, "_CONNECTS_EVERY", 0.02)
    taken_in(path, "a boat")
    monkeypatch.delenv("LUMA_AGENTS_API_KEY")
    began = time.monotonic()
    vendors.interrupt_once(lambda: time.monotonic() > began + 1.0)
    said = aiogen("worker")
    assert said.code == 0
    assert said.err.count("Jobs of luma wait, and this worker cannot send them") == 1
    assert states(path) == {"pending": 1}


# --- how it ends


def test_creates_on_their_way_are_answered_and_the_rest_is_left(aiogen, vendors: Vendors, path: Path) -> None:
    slow = "[[latency=0.3 processing=100000]]"
    taken_in(path, *[f"{i} {slow}" for i in range(14)])
    vendors.interrupt_once(lambda: vendors.jobs, signal.SIGTERM)
    said = aiogen("worker")
    assert said.code == 0
    assert "on their way" in said.err or "on its way" in said.err
    found = states(path)
    assert set(found) == {"queued", "pending"}, "nothing is unknown, nothing is sent after the signal"
    assert found["queued"] == len(vendors.jobs)
    with sqlite3.connect(path) as ledger:
        assert ledger.execute("SELECT count(*) FROM aiogen_job WHERE owner IS NOT NULL").fetchone() == (0,)
    ledger.close()
    assert f"{found['pending']} that wait and {found['queued']} that run are in the ledger" in said.err


def test_what_is_not_answered_in_the_grace_time_is_unknown_and_named(aiogen, vendors: Vendors, path: Path) -> None:
    taken_in(path, "a boat [[create=hang]]")
    vendors.interrupt_once(lambda: vendors.jobs)
    said = aiogen("worker", "--grace", 0.2)
    assert said.code == 6
    assert "1 submission was not answered within 0.2 s (--grace)" in said.err
    assert "aiogen reconcile" in said.err
    assert states(path) == {"unknown": 1}


def test_a_second_signal_does_not_wait(aiogen, vendors: Vendors, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say = Terminal.say

    def say_and_interrupt_again(self: Terminal, text: str, style: str = "") -> None:
        say(self, text, style)
        if text.startswith("Stopping"):
            vendors.once(lambda: True, lambda: os.kill(os.getpid(), signal.SIGHUP))  # which changes nothing
            vendors.once(lambda: True, lambda: os.kill(os.getpid(), signal.SIGINT))

    monkeypatch.setattr(Terminal, "say", say_and_interrupt_again)
    taken_in(path, "a boat [[create=hang]]")
    vendors.interrupt_once(lambda: vendors.jobs)
    assert aiogen("worker").code == 130
    assert states(path) == {"unknown": 1}


# --- what it refuses


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--grace", "0"], "--grace"),
        (["--every", "0"], "--every"),
        (["--budget", "much"], "--budget 'much' cannot be read"),
        (["--budget", "1", "--budget", "2"], "--budget is given twice in dollars"),
        (["--per", "day"], "--per belongs to a budget: add --budget"),
        (["--assume-cost", "1"], "--assume-cost belongs to a budget"),
        (["--budget", "1", "--per", "week"], "--per takes hour, day, month, not 'week'"),
        (["--store", ":memory:"], "With :memory: there is no ledger"),
        (["--health", "/nowhere/at/all"], "The health file '/nowhere/at/all' cannot be written: No such file"),
    ],
)
def test_what_cannot_be_meant_is_refused(aiogen, vendors: Vendors, path: Path, words: list[str], says: str) -> None:
    said = aiogen("worker", *words)
    assert said.code == 2
    assert says in " ".join(said.err.split())


def test_without_a_connection_it_says_what_to_set(aiogen, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LUMA_AGENTS_API_KEY", "LEONARDO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    said = aiogen("worker")
    assert said.code == 3
    assert "LUMA_AGENTS_API_KEY" in said.err


def test_a_connection_without_a_key_is_there_once_it_is_named_or_a_job_names_it(
    aiogen, path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("LUMA_AGENTS_API_KEY", "LEONARDO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    health = tmp_path / "healthy"
    with Vendors() as running:
        monkeypatch.setenv("COMFYUI_BASE_URL", running.environment["COMFYUI_BASE_URL"])
        assert aiogen("worker", "nothing").code == 3
        running.interrupt_once(health.exists)
        said = aiogen("worker", "comfyui", "--health", health)
        assert said.code == 0
        assert f"Follows the jobs of {path} at comfyui." in said.err
        taken_in(path, "a boat", model="comfyui/empty")
        running.interrupt_once(is_over(path, 1))
        said = aiogen("worker")
        assert said.code == 0
        assert f"Follows the jobs of {path} at comfyui." in said.err
    assert states(path) == {"completed": 1}


# --- parts of it


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("10", Cost(Decimal(10), "DOLLARS")),
        (" .5 ", Cost(Decimal("0.5"), "DOLLARS")),
        ("500 credits", Cost(Decimal(500), "CREDITS")),
        ("500CREDITS", Cost(Decimal(500), "CREDITS")),
    ],
)
def test_amounts_as_they_are_typed(text: str, cost: Cost) -> None:
    assert cost_of(text, "--budget") == cost


def test_a_budget_may_have_several_units() -> None:
    assert budget_of([]) is None
    assert budget_of(["10", "500 credits"]) == {"DOLLARS": Decimal(10), "CREDITS": Decimal(500)}
    for text in ("-1", "1e3", "$5", "", "5 6", "infinity"):
        with pytest.raises(InputError, match="cannot be read"):
            budget_of([text])


def test_a_health_file_that_is_lost_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "run"
    folder.mkdir()

    async def story() -> None:
        health = HealthFile(folder / "healthy")
        await health.begin()
        (folder / "healthy").unlink()
        folder.rmdir()
        for _ in range(3):
            await health.touch()
        folder.mkdir()
        await health.touch()
        assert (folder / "healthy").exists()
        await health.end()

    asyncio.run(story())
    assert len(caplog.messages) == 1
    assert "cannot be written: No such file or directory" in caplog.text
    assert not (folder / "healthy").exists()
