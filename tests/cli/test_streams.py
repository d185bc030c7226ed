"""A full disk, a closed pipe, a stream that never was: said on the other one, and no paid picture fails for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aiogen.cli import streams
from aiogen.cli.terminal import Terminal

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no disk is full on request here")

GENERATE = ("generate", "luma/uni-1", "a boat [[queued=0 processing=0]]")


def in_shell(words: tuple[object, ...], redirected: str) -> subprocess.CompletedProcess[str]:
    """The program with its streams redirected by a shell."""
    line = '"$0" -m aiogen "$@" ' + redirected
    return subprocess.run(
        ["bash", "-c", line, sys.executable, *map(str, words)],
        check=False, timeout=30, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize("redirected", ["2>/dev/full", "2>&- <&-"])
def test_a_stderr_that_takes_nothing_costs_no_picture(vendors, tmp_path: Path, redirected: str) -> None:
    ran = in_shell((*GENERATE, "--json", "--out", tmp_path), redirected)
    assert (ran.returncode, len(list(tmp_path.iterdir()))) == (0, 1)
    assert len(ran.stdout.splitlines()) == 1  # and nothing that was meant for stderr
    assert ran.stdout.startswith("{")


@pytest.mark.parametrize("option", ["--json", "--batch=x"])
def test_a_stdout_that_takes_nothing_is_told_on_stderr(vendors, tmp_path: Path, option: str) -> None:
    ran = in_shell((*GENERATE, option, "--out", tmp_path), ">/dev/full")
    assert (ran.returncode, len(list(tmp_path.iterdir()))) == (141, 1)
    assert ran.stderr.endswith("aiogen: The output of this command could not be written: No space left on device.\n")
    assert "Traceback" not in ran.stderr


def test_help_that_cannot_be_printed_is_no_bug() -> None:
    ran = in_shell(("jobs", "--help"), ">/dev/full")
    assert (ran.returncode, ran.stderr.count("\n")) == (141, 1)


def test_an_error_is_told_also_where_the_results_are_lost(aiogen, vendors, monkeypatch) -> None:
    def lost(*_: object) -> None:
        raise streams.OutputLost("full")

    monkeypatch.setattr(Terminal, "columns", lost)
    said = aiogen("get", "luma", "d290f1ee-6c54-4b01-90e6-d701748f0851")
    assert said.code == 141
    assert "Generation not found" in said.err


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_that_was_never_there_takes_everything(monkeypatch, name: str) -> None:
    monkeypatch.setattr(sys, name, None)
    terminal = Terminal()
    terminal.say("a message")
    terminal.line("a result")
    terminal.flush()
    assert not terminal.is_live


def test_closed_numbers_are_held(monkeypatch) -> None:
    """Else the next file that is opened, such as the ledger, gets what is meant for stderr."""
    opened: list[str] = []

    def closed(number: int) -> None:
        if number == 2:
            raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", closed)
        patch.setattr(os, "open", lambda path, flags: opened.append(path))
        streams.hold_numbers()
    assert opened == [os.devnull]
