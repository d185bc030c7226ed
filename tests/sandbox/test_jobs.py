"""The life of a job, with times as plain numbers."""

from __future__ import annotations

from typing import Any

import pytest

from aiogen.sandbox import Fate, SandboxJob
from aiogen.sandbox.jobs import Jobs


def job(fate: Fate | None = None, job_id: str = "a", **fields: Any) -> SandboxJob:
    """Created at 0, starts at 2, ends at 10."""
    return SandboxJob(
        **{
            "provider": "luma",
            "id": job_id,
            "kind": "image",
            "model": "uni-1",
            "body": {},
            "prompt": "a boat",
            "fate": fate or Fate(),
            "outputs": 1,
            "size": (64, 64),
            "format": "png",
            "seed": 0,
            "created_at": 0.0,
            "started_at": 2.0,
            "ends_at": 10.0,
            **fields,
        }
    )


def test_states_follow_the_clock() -> None:
    assert [job().state(at) for at in (0, 1.9, 2, 9.9, 10, 1e9)] == [
        "queued",
        "queued",
        "processing",
        "processing",
        "completed",
        "completed",
    ]


def test_fails_if_it_is_its_fate() -> None:
    assert job(Fate(failure_code="generation_failed")).state(10) == "failed"


def test_polls_and_the_first_sight_of_the_end_are_kept() -> None:
    one = job()
    for at in (1.0, 5.0, 10.5, 12.0):
        one.poll(at)
    assert one.polls == [1.0, 5.0, 10.5, 12.0]
    assert one.seen_end_at == 10.5


def test_faults_come_poll_by_poll() -> None:
    one = job(Fate(poll_faults="500,html"))
    words = [fault and fault.word for fault in (one.poll(1).fault for _ in range(3))]
    assert words == ["500", "html", None]


def test_an_end_that_was_not_reported_is_not_seen() -> None:
    one = job(Fate(poll_faults="500,cut-after"))
    one.poll(11)
    assert one.seen_end_at is None
    one.poll(12)  # reported, although the connection was cut
    assert one.seen_end_at == 12


def test_unknown_to_the_first_polls() -> None:
    one = job(Fate(not_found_polls=2, poll_faults="500"))
    assert [one.poll(11).known for _ in range(4)] == [True, False, False, True]  # the first met a fault
    assert one.seen_end_at == 11


def test_not_seen_while_unknown() -> None:
    one = job(Fate(not_found_polls=1))
    one.poll(11)
    assert one.seen_end_at is None


def test_unknown_state_until_the_end() -> None:
    one = job(Fate(unknown_state="pondering"))
    assert [one.poll(at).state for at in (1, 5, 10)] == ["pondering", "pondering", "completed"]


def test_unknown_state_for_some_polls() -> None:
    one = job(Fate(unknown_state="pondering", unknown_polls=2, not_found_polls=1))
    one.poll(5)  # not found
    assert [one.poll(5).state for _ in range(3)] == ["pondering", "pondering", "processing"]


def test_output_only_when_completed() -> None:
    assert [job().view(at).output for at in (0, 5, 10)] == ["none", "none", "full"]
    assert job(Fate(failure_code="null")).view(10).output == "none"


def test_output_missing_for_ever_or_for_some_polls() -> None:
    always = job(Fate(missing_output="empty"))
    assert [always.poll(10).output for _ in range(3)] == ["empty"] * 3
    twice = job(Fate(missing_output="absent", missing_polls=2))
    assert [twice.poll(at).output for at in (1, 10, 11, 12)] == ["none", "absent", "absent", "full"]


def test_a_view_does_not_count_as_a_poll() -> None:
    one = job(Fate(unknown_state="pondering", unknown_polls=1))
    assert [one.view(5).state for _ in range(3)] == ["pondering"] * 3
    assert one.polls == []
    assert one.seen_end_at is None


def test_deletes_and_downloads_have_their_own_faults() -> None:
    one = job(Fate(delete_faults="500", download_faults="cut"))
    assert [one.delete_fault() is not None for _ in range(2)] == [True, False]
    assert [one.download_fault(0) is not None for _ in range(2)] == [True, False]
    assert one.download_fault(1) is not None  # each output for itself


@pytest.mark.parametrize(("nsfw", "flags"), [(None, [False, False]), (1, [True, False]), ("all", [True, True])])
def test_flagged_outputs(nsfw: Any, flags: list[bool]) -> None:
    one = job(Fate(nsfw=nsfw), outputs=2)
    assert [one.flagged(index) for index in range(2)] == flags


class TestJobs:
    def three(self) -> Jobs:
        jobs = Jobs()
        for serial in range(3):
            jobs.add(job(job_id=str(serial), created_at=float(serial)))
        return jobs

    def test_newest_first_in_pages(self) -> None:
        jobs = self.three()
        assert [one.id for one in jobs.page("luma", before=9, offset=0, limit=2)] == ["2", "1"]
        assert [one.id for one in jobs.page("luma", before=9, offset=2, limit=2)] == ["0"]

    def test_a_page_as_of_some_time_ago(self) -> None:
        assert [one.id for one in self.three().page("luma", before=1, offset=0, limit=9)] == ["1", "0"]

    def test_vendors_do_not_mix(self) -> None:
        jobs = self.three()
        assert jobs.get("luma", "1") is not None
        assert jobs.get("leonardo", "1") is None
        assert jobs.page("leonardo", before=9, offset=0, limit=9) == []

    def test_deleted_is_gone_but_remembered(self) -> None:
        jobs = self.three()
        one = jobs.get("luma", "1")
        assert one is not None
        jobs.delete(one, 7.0)
        assert jobs.get("luma", "1") is None
        assert [left.id for left in jobs.page("luma", before=9, offset=0, limit=9)] == ["2", "0"]
        assert len(jobs.all) == 3
        assert one.deleted_at == 7.0
