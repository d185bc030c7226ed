"""`aiogen._account.create_queue`: the creates that wait here."""

from __future__ import annotations

from account.scenes import FakeJob

from aiogen._account.create_queue import CreateQueue


def queue_of(*numbers: int) -> tuple[CreateQueue[FakeJob], dict[int, FakeJob]]:
    """Put in this order."""
    queue: CreateQueue[FakeJob] = CreateQueue()
    jobs = {number: FakeJob(str(number)) for number in numbers}
    for number, job in jobs.items():
        queue.put(number, job)
    return queue, jobs


def test_the_lowest_number_goes_first() -> None:
    """Whatever the order in which they were put."""
    queue, jobs = queue_of(3, 1, 2)
    for number in (1, 2, 3):
        assert queue.first() == (number, jobs[number])
        assert queue.pop() == (number, jobs[number])
    assert queue.first() is None
    assert len(queue) == 0


def test_who_has_ended_is_skipped() -> None:
    """At the front only: the others are skipped when they come there."""
    queue, jobs = queue_of(1, 2, 3, 4)
    jobs[1].done = jobs[3].done = True
    assert queue.first() == (2, jobs[2])
    assert len(queue) == 3
    queue.pop()
    assert queue.first() == (4, jobs[4])


def test_all_are_taken_out_in_order() -> None:
    """When the session is left, or the account is refused; those that have ended know it already."""
    queue, jobs = queue_of(4, 2, 3, 1)
    jobs[3].done = True
    assert queue.drain() == [jobs[1], jobs[2], jobs[4]]
    assert queue.drain() == []
    assert len(queue) == 0


def test_how_many_are_before_one() -> None:
    """Without those that have ended; none, for one that does not wait here."""
    queue, jobs = queue_of(4, 2, 3, 1)
    assert [queue.ahead_of(jobs[number]) for number in (1, 2, 3, 4)] == [0, 1, 2, 3]
    jobs[2].done = True
    assert [queue.ahead_of(jobs[number]) for number in (1, 3, 4)] == [0, 1, 2]
    assert queue.ahead_of(FakeJob("on its way")) == 0
