"""What is said to whoever leaves before the end."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from aiogen import Generation, Job, State
from aiogen.cli.following import Batch, farewell
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
        "Take them up again with:",
        "  aiogen wait luma id-0 id-2",
        "  aiogen wait leonardo id-1",
        "Completed, but not yet saved; save them with:",
        "  aiogen download luma id-4",
        "Whether luma accepted job ours-1 cannot be known: it may be running and charged. "
        "Look at the provider before you submit it anew.",
        "Whether luma accepted job ours-2 cannot be known: it may be running and charged. "
        "Look at the provider before you submit it anew.",
        "Not sent, and not charged: 1.",
    ]


def test_the_commands_name_the_folder_and_the_ledger_that_were_asked_for() -> None:
    jobs = [job(State.PENDING, SessionClosed("left")), job(State.COMPLETED, id="not saved", provider_id="id-4")]
    said = list(farewell(Batch(jobs, out=Path("my pictures")), kept=True, where=["--store", "my.db"]))
    assert "  aiogen download luma id-4 --out 'my pictures'" in said
    assert said[-1] == "  aiogen resume --out 'my pictures' --store my.db"


def test_there_is_nothing_to_say_when_all_is_over() -> None:
    assert list(farewell(Batch([job(State.COMPLETED, id="saved")], [looked_up(completed("saved"))]))) == []


def test_endings_stand_in_the_order_of_the_jobs() -> None:
    jobs = [job(State.COMPLETED, id=name) for name in "abc"]
    endings = [looked_up(completed(name)) for name in "cab"]
    assert [ending.generation.id for ending in Batch(jobs, endings).in_order() if ending.generation] == ["a", "b", "c"]
