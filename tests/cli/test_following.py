"""What a command says when it is interrupted before the end."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from aiogen import Generation, Job, State
from aiogen.cli.following import Batch, farewell
from aiogen.cli.places import Place
from aiogen.cli.results import looked_up
from aiogen.errors import AiogenError, SessionClosed, SubmissionUnknown


def job(state: State, error: AiogenError | None = None, *, connection: str = "luma", **more: Any) -> Job:
    fields = {"id": None, "provider_id": None, **more}
    return cast(Job, SimpleNamespace(connection=connection, state=state, error=error, **fields))


def completed(job_id: str) -> Generation:
    return Generation(
        id=job_id, provider_id="p", provider="luma", connection="luma", model="uni-1", state=State.COMPLETED
    )


def test_all_that_goes_on_is_named_with_the_command_that_takes_it_up_again() -> None:
    jobs = [
        job(State.PROCESSING, SessionClosed("left"), provider_id="id-0"),
        job(State.QUEUED, SessionClosed("left"), connection="leonardo", provider_id="id-1"),
        job(State.QUEUED, SessionClosed("left"), provider_id="id-2"),
        job(State.PENDING, SessionClosed("left")),
        job(State.UNKNOWN, SubmissionUnknown("no"), id="ours-1"),
        job(State.SUBMITTING, SessionClosed("left"), id="ours-2"),
        job(State.COMPLETED, id="saved", provider_id="id-3"),
        job(State.COMPLETED, id="not saved", provider_id="id-4"),
    ]
    assert list(farewell(Batch(jobs, [looked_up(completed("saved"))]))) == [
        "Still running at the provider:",
        "  luma  id-0  processing",
        "  leonardo  id-1  queued",
        "  luma  id-2  queued",
        "Completed but not saved yet: 1.",
        "Not sent and not charged: 1.",
        "It is not known whether luma accepted job ours-1: it may be running and charged. "
        "Check at the provider before you submit it again.",
        "It is not known whether luma accepted job ours-2: it may be running and charged. "
        "Check at the provider before you submit it again.",
        "Continue with:",
        "  aiogen wait luma id-0 id-2 id-4; aiogen wait leonardo id-1",
    ]


RUNNING = job(State.QUEUED, SessionClosed("left"), id="ours-1", provider_id="id-1")
UNSENT = job(State.PENDING, SessionClosed("left"), id="ours-2")
UNSAVED = job(State.COMPLETED, id="ours-3", provider_id="id-3")
UNKNOWN = job(State.UNKNOWN, SubmissionUnknown("no"), id="ours-4")


@pytest.mark.parametrize(
    ("jobs", "out", "kept", "step"),
    [
        ([RUNNING, UNSENT], "pics", True, "aiogen resume --out pics"),
        ([RUNNING, UNSENT], None, True, "aiogen resume --no-download"),
        ([RUNNING, UNSENT], "", True, "aiogen resume"),
        ([RUNNING, UNSENT, UNSAVED, UNKNOWN], "my pics", True, "aiogen resume ours-3 --out 'my pics'"),
        ([UNSAVED], "pics", True, "aiogen resume ours-3 --out pics"),
        ([UNKNOWN], "pics", True, "aiogen reconcile ours-4"),
        ([RUNNING, UNSENT, UNSAVED], "pics", False, "aiogen wait luma id-1 id-3 --out pics"),
        ([RUNNING], "boat.png", True, "aiogen resume --out boat.png"),
        ([RUNNING, UNSENT], "pics/boat.png", True, "aiogen resume --out pics"),
        ([RUNNING, UNSAVED], "boat.png", True, "aiogen resume ours-3"),
        ([RUNNING], "", False, "aiogen wait luma id-1 --out ."),
        ([RUNNING], None, False, "aiogen wait luma id-1"),
    ],
)
def test_one_command_takes_up_all_that_was_left(jobs: list[Job], out: str | None, kept: bool, step: str) -> None:
    """With the folder and the ledger that were asked for."""
    where = ["--store", "my.db"] if kept else []
    batch = Batch(jobs, out=None if out is None else Place(Path(out), is_file=out.endswith(".png")))
    said = list(farewell(batch, kept=kept, where=where))
    assert [line for line in said if line.startswith("  aiogen")] == [" ".join(["  " + step, *where])]
    assert said[-2] == "Continue with:"


@pytest.mark.parametrize("jobs", [[UNSENT], [UNKNOWN]])
def test_without_a_ledger_there_may_be_nothing_to_go_on_with(jobs: list[Job]) -> None:
    assert not [line for line in farewell(Batch(jobs)) if "aiogen" in line]


def test_of_many_that_run_some_are_named() -> None:
    jobs = [job(State.QUEUED, SessionClosed("left"), id=str(i), provider_id=f"id-{i}") for i in range(60)]
    said = list(farewell(Batch(jobs), kept=True))
    assert len(said) < 15
    assert "  and 50 more" in said


def test_there_is_nothing_to_say_when_all_is_over() -> None:
    assert list(farewell(Batch([job(State.COMPLETED, id="saved")], [looked_up(completed("saved"))]))) == []


def test_endings_stand_in_the_order_of_the_jobs() -> None:
    jobs = [job(State.COMPLETED, id=name) for name in "abc"]
    endings = [looked_up(completed(name)) for name in "cab"]
    assert [ending.generation.id for ending in Batch(jobs, endings).in_order() if ending.generation] == ["a", "b", "c"]
