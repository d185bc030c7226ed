"""What the board says of jobs in every state; drawn without a terminal, from jobs that nobody runs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from aiogen import Eta, Job, State
from aiogen.cli.board import Board
from aiogen.cli.terminal import Terminal
from aiogen.errors import AiogenError, GenerationFailed, GenerationTimeout, SubmissionUnknown


def job(state: State, error: AiogenError | None = None, *, connection: str = "luma", **more: Any) -> Job:
    done = error is not None or state is State.COMPLETED
    fields = {"provider_id": None, "eta": lambda: None, **more}
    return cast(Job, SimpleNamespace(connection=connection, state=state, error=error, done=done, **fields))


JOBS = [
    job(State.PENDING),
    job(State.SUBMITTING),
    job(State.QUEUED),
    job(State.PROCESSING),
    job(State.PROCESSING),
    job(State.COMPLETED),
    job(State.FAILED, GenerationFailed("no")),
]
LOST = [job(State.UNKNOWN, SubmissionUnknown("no")), job(State.PROCESSING, GenerationTimeout("no"))]


def drawn(jobs: Sequence[Job], *, width: int = 100, **options: Any) -> str:
    terminal = Terminal()
    terminal.err = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, **options)
    board = Board(terminal, jobs, title="Many jobs")
    board.note("completed   luma/uni-1  " + "a very long prompt " * 9)
    noted = terminal.err.file.tell()
    terminal.err.print(board.draw())
    return cast(io.StringIO, terminal.err.file).getvalue()[noted:]


def test_each_state_is_counted_where_it_belongs() -> None:
    heading, counts = drawn(JOBS).splitlines()[2:4]
    assert heading.split() == ["waiting", "queued", "processing", "done", "failed"]
    assert counts.replace("━", "").split() == ["luma", "2", "of", "7", "2", "1", "2", "1", "1"]


def test_rare_ends_have_columns_only_when_there_are_some() -> None:
    heading, counts = drawn([*JOBS, *LOST]).splitlines()[2:4]
    assert heading.split()[-3:] == ["unknown", "not", "followed"]
    assert counts.split()[-2:] == ["1", "1"]


def test_each_connection_has_a_row() -> None:
    rows = drawn([*JOBS, job(State.COMPLETED, connection="leonardo")]).splitlines()[3:5]
    assert [row.split()[0] for row in rows] == ["luma", "leonardo"]


def expected(seconds: float) -> Any:
    return lambda: Eta(seconds, seconds / 2, seconds * 2)


def test_it_tells_how_long_the_last_may_still_take() -> None:
    """The one that waits, though another was submitted after it; and the slower of two providers."""
    jobs = [job(State.PENDING, eta=expected(200.0)), job(State.QUEUED, eta=expected(9.0))]
    assert "about 3 min left" in drawn(jobs)
    assert "about 9 s left" in drawn(jobs[1:])
    assert "about 20 s left" in drawn([*jobs[1:], job(State.QUEUED, connection="leonardo", eta=expected(20.0))])
    assert "left" not in drawn([*JOBS, *LOST])


@pytest.mark.parametrize("width", [50, 60, 70, 80, 100, 200])
def test_it_fits_the_terminal(width: int) -> None:
    lines = drawn(JOBS, width=width).splitlines()
    assert max(len(line) for line in lines) <= width
    assert lines[3].split()[-5:] == ["2", "1", "2", "1", "1"]


@pytest.mark.parametrize("width", [60, 80, 160])
def test_every_word_of_it_is_whole(width: int) -> None:
    """But for the prompts; and nothing stands in the last columns, where a ^C would begin a new line."""
    lines = drawn([*JOBS, job(State.QUEUED, connection="leonardo")], width=width).splitlines()
    assert "…" not in "".join(lines[:5])
    assert lines[2].split() == ["waiting", "queued", "processing", "done", "failed"]
    assert len(lines[-1]) <= width - 4


def test_on_a_narrow_terminal_only_what_there_is_is_counted() -> None:
    lines = drawn([job(State.QUEUED, connection="leonardo")], width=60).splitlines()
    assert (lines[2].split(), lines[3].split()) == (["queued"], ["leonardo", "0", "of", "1", "1"])


def test_without_colours_the_bar_has_signs() -> None:
    row = drawn(JOBS, no_color=True).splitlines()[3]
    bar = row.split()[1]
    assert set(bar) == set("#x=-.")
    assert list(dict.fromkeys(bar)) == ["#", "x", "=", "-", "."]
