"""Ctrl-C and SIGTERM: nothing that is paid for is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from aiogen.cli import main
from aiogen.cli.demo.witness import Witness
from aiogen.cli.exits import Exit
from aiogen.cli.running import run
from aiogen.cli.terminal import Terminal
from aiogen.sandbox import SandboxJob

FOREVER = "[[processing=100000]]"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_names_what_still_runs_and_how_to_take_it_up_again(aiogen, vendors, number: signal.Signals) -> None:
    # The fate of a job that has been asked about twice: it is followed, not only accepted.
    vendors.interrupt_once(lambda: len(vendors.jobs) == 2 and all(job.polls for job in vendors.jobs), number)
    said = aiogen("generate", "luma/uni-1", f"a boat {FOREVER}", "--count", 2, "--no-download")
    first, second = (job.id for job in vendors.jobs)
    assert said.code == 130
    assert f"  luma  {first}  " in said.err
    assert f"  luma  {second}  " in said.err
    assert said.err.endswith("Continue with:\n  aiogen resume --no-download\n")
    assert said.out == ""
    assert "Traceback" not in said.err


def test_a_create_in_flight_is_waited_for(aiogen, vendors) -> None:
    vendors.interrupt_once(lambda: vendors.jobs)
    said = aiogen("generate", "luma/uni-1", "a boat [[latency=0.3 processing=100000]]", "--no-download")
    assert said.code == 130
    assert "Waiting for 1 submission in flight" in said.err
    assert f"  luma  {vendors.jobs[0].id}  " in said.err


def test_a_second_signal_does_not_wait_and_says_that_nobody_knows(aiogen, vendors, monkeypatch) -> None:
    say = Terminal.say

    def say_and_interrupt_again(self: Terminal, text: str, style: str = "") -> None:
        say(self, text, style)
        if "press Ctrl-C again to stop without waiting" in text:
            vendors.once(lambda: True, lambda: os.kill(os.getpid(), signal.SIGINT))

    monkeypatch.setattr(Terminal, "say", say_and_interrupt_again)
    vendors.interrupt_once(lambda: vendors.jobs)
    said = aiogen("generate", "luma/uni-1", "a boat [[create=hang]]", "--no-download")
    assert said.code == 130
    assert "It is not known whether luma accepted job" in said.err
    assert "Not sent" not in said.err


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no terminal hangs up here")
@pytest.mark.parametrize("first", [signal.SIGHUP, signal.SIGINT])
def test_a_hangup_waits_for_the_create_however_often_it_comes(aiogen, vendors, monkeypatch, first) -> None:
    """From the kernel and from the shell, or after a Ctrl-C: the id of what was paid for gets into the ledger."""
    say = Terminal.say

    def say_and_hang_up(self: Terminal, text: str, style: str = "") -> None:
        say(self, text, style)
        if "press Ctrl-C again to stop without waiting" in text:
            os.kill(os.getpid(), signal.SIGHUP)
            vendors.once(lambda: True, lambda: os.kill(os.getpid(), signal.SIGHUP))

    monkeypatch.setattr(Terminal, "say", say_and_hang_up)
    vendors.interrupt_once(lambda: vendors.jobs, first)
    said = aiogen("generate", "luma/uni-1", "a boat [[latency=0.3 processing=100000]]", "--no-download")
    assert said.code == 130
    [known] = aiogen("jobs", "--json").records
    assert known["provider_id"] == vendors.jobs[0].id


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no terminal hangs up here")
def test_under_nohup_a_hangup_is_ignored(aiogen, vendors) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        vendors.interrupt_once(lambda: vendors.jobs, signal.SIGHUP)
        assert aiogen("generate", "luma/uni-1", "a boat", "--no-download").code == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_was_not_sent_is_counted(aiogen, vendors) -> None:
    vendors.interrupt_once(lambda: len(vendors.jobs) == 10 and all(job.polls for job in vendors.jobs))
    said = aiogen("generate", "luma/uni-1", f"a boat {FOREVER}", "--count", 12, "--no-download")
    assert said.code == 130
    assert "Not sent and not charged: 2." in said.err
    assert len(vendors.jobs) == 10


def test_an_image_that_was_not_saved_is_named(aiogen, vendors, tmp_path: Path, monkeypatch) -> None:
    prompt = "a boat [[download=hang]]"
    vendors.interrupt_once(lambda: any(request.action == "download" for request in vendors.sandbox.requests))
    said = aiogen("generate", "luma/uni-1", prompt, "--out", tmp_path)
    assert said.code == 130
    [known] = aiogen("jobs", "--json").records
    assert said.err.endswith(f"Continue with:\n  aiogen resume {known['id']} --out {tmp_path}\n")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(SandboxJob, "download_fault", lambda *_: None)  # the storage is well again
    resumed = aiogen("resume", known["id"], "--out", tmp_path, "--json")
    assert (resumed.code, len(vendors.jobs)) == (0, 1)
    assert resumed.records[0]["files"] == [str(path) for path in tmp_path.iterdir()]
    assert len(resumed.records[0]["files"]) == 1


def test_a_download_that_was_stopped_goes_on_with_the_same_command(aiogen, vendors, tmp_path: Path) -> None:
    [made] = vendors.make("a boat [[processing=0 download=hang]]")
    vendors.interrupt_once(lambda: any(request.action == "download" for request in vendors.sandbox.requests))
    said = aiogen("download", "leonardo", made, "--out", tmp_path)
    assert said.code == 130
    assert said.err.endswith(f"continue with:\n  aiogen download leonardo {made} --out {tmp_path}\n")


def test_what_has_ended_is_shown(aiogen, vendors) -> None:
    short, long = vendors.make("a boat", f"a lake {FOREVER}")
    vendors.interrupt_once(lambda: vendors.jobs[0].seen_end_at is not None and len(vendors.jobs[1].polls) > 3)
    said = aiogen("wait", "leonardo", short, long)
    assert said.code == 130
    assert said.out.startswith("completed\t")
    assert short in said.out
    assert f"aiogen wait leonardo {long}" in said.err


def test_on_a_terminal_the_display_is_gone_before_the_words(aiogen, vendors, terminal: None) -> None:
    vendors.interrupt_once(lambda: vendors.jobs and vendors.jobs[0].polls)
    said = aiogen("generate", "luma/uni-1", f"a boat {FOREVER}", "--no-download")
    assert said.code == 130
    assert said.err.index("\x1b[?25h") < said.err.index("Still running")


def test_when_the_reader_of_the_records_goes_the_others_are_named(aiogen, vendors, monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(Terminal, "record", broken)
    [short, long] = vendors.make("a boat", f"a lake {FOREVER}")
    said = aiogen("wait", "leonardo", short, long, "--json")
    assert said.code == 141
    assert said.err.endswith(f"Continue with:\n  aiogen wait leonardo {long}\n")


def test_the_demo_may_be_stopped(aiogen, tmp_path: Path, monkeypatch) -> None:
    # It looks at the sandbox once a second; the first look is soon enough.
    monkeypatch.setattr(Witness, "look", lambda self: os.kill(os.getpid(), signal.SIGINT))
    said = aiogen("demo", "--count", 4, "--out", tmp_path)
    assert said.code == 130
    assert "imitations" in said.err
    assert "aiogen wait" not in said.err


def test_in_another_thread_signals_are_left_alone(vendors) -> None:
    codes: list[int] = []
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=lambda: codes.append(main(["account", "luma"])))
    thread.start()
    thread.join(10)
    assert codes == [0]
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_handlers_are_put_back(aiogen, vendors) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    aiogen("account", "luma")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_ctrl_c_at_the_question_is_130(aiogen, vendors, monkeypatch) -> None:
    class Keyboard:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", Keyboard())
    assert aiogen("delete", "leonardo", "x").code == 130


def test_a_cancellation_that_no_signal_asked_for_is_not_taken_for_one() -> None:
    async def work() -> Exit:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run(work())
