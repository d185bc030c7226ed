"""`aiogen._account.create_queue`: the creates that wait here."""

from __future__ import annotations

import random

import pytest
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
    queue.ended(jobs[2])
    queue.ended(jobs[2])
    assert [queue.ahead_of(jobs[number]) for number in (1, 2, 3, 4)] == [0, 0, 1, 2]
    assert len(queue) == 3
    queue.ended(FakeJob("on its way"))
    assert queue.ahead_of(FakeJob("on its way")) == 0


def test_who_has_ended_unheard_counts_until_its_turn_comes() -> None:
    """Then it is skipped; and it has no place itself."""
    queue, jobs = queue_of(1, 2, 3)
    jobs[1].done = True
    assert [queue.ahead_of(jobs[number]) for number in (1, 2, 3)] == [0, 1, 2]
    assert queue.first() == (2, jobs[2])
    assert [queue.ahead_of(jobs[number]) for number in (2, 3)] == [0, 1]


class Counted(FakeJob):
    """It notes how often it is looked at."""

    looks = 0

    def __getattribute__(self, name: str) -> object:
        if name == "done":
            Counted.looks += 1
        return super().__getattribute__(name)


def test_a_place_is_found_without_a_look_at_all_that_wait() -> None:
    """Two thousand streams ask for two thousand places every five seconds."""
    queue: CreateQueue[FakeJob] = CreateQueue()
    jobs = [Counted(f"{number}", priority=(3, 7)[number % 2], scope="xyz"[number % 3]) for number in range(2000)]
    for number, job in enumerate(jobs, 1):
        queue.put(number, job)
    Counted.looks = 0
    assert len({queue.ahead_of(job) for job in jobs}) == 2000
    assert Counted.looks <= 2000


def waits(*jobs: tuple[int, str]) -> CreateQueue[FakeJob]:
    """Jobs of these priorities and scopes, in this order, named by scope and number."""
    queue: CreateQueue[FakeJob] = CreateQueue()
    for number, (priority, scope) in enumerate(jobs, 1):
        queue.put(number, FakeJob(f"{scope}{number}", priority=priority, scope=scope))
    return queue


def sent(queue: CreateQueue[FakeJob], count: int = 1000) -> list[str]:
    return [queue.pop()[1].id for _ in range(min(count, len(queue)))]


def test_the_higher_priority_goes_first() -> None:
    """Whoever waits in person does not wait for the night's batch."""
    queue = waits(*[(3, "night")] * 1000, (7, "ann"))
    assert queue.ahead_of(next(job for _, _, job in queue._classes[7].entries)) == 0
    assert sent(queue, 2) == ["ann1001", "night1"]


def test_a_batch_is_never_starved() -> None:
    """Every eighth create is of the lowest priority that waits."""
    queue = waits(*[(3, "b")] * 10, *[(7, "a")] * 40, *[(5, "c")] * 3)
    order = "".join(name[0] for name in sent(queue))
    assert order[:16] == "aaaaaaabaaaaaaab"
    assert order.count("c") == 3
    assert order.rindex("a") < order.index("c") or order.index("b") == 7


def test_scopes_take_turns() -> None:
    """Five hundred, five and one: the small ones are not behind the big one."""
    queue = waits(*[(5, "x")] * 500, *[(5, "y")] * 5, (5, "z"))
    order = [name[0] for name in sent(queue)]
    assert order.index("z") <= 2
    assert max(i for i, scope in enumerate(order) if scope == "y") <= 10
    assert len(order) == 506


def test_who_comes_late_has_not_to_wait_for_all_the_others_turns() -> None:
    """Nor has it more than its turn."""
    queue = waits(*[(5, "x")] * 100)
    sent(queue, 50)
    for number in range(101, 111):
        queue.put(number, FakeJob(f"y{number}", scope="y"))
    assert [name[0] for name in sent(queue, 8)] == list("xyxyxyxy")


def test_what_is_requeued_goes_before_all_that_were_not_sent() -> None:
    """It had its turn."""
    queue = waits((5, "x"), (5, "x"), (5, "y"), (5, "x"))
    number, job = queue.pop()
    queue.put(number, job)
    assert queue.first() == (number, job)
    assert sent(queue)[0] == "x1"


def test_nobody_waits() -> None:
    """Then there is nothing to take out."""
    queue: CreateQueue[FakeJob] = CreateQueue()
    assert queue.first() is None
    with pytest.raises(IndexError):
        queue.pop()


def test_it_is_taken_out_in_the_order_in_which_it_came() -> None:
    """Whatever its priority, when the session is left."""
    queue = waits((3, "a"), (7, "b"), (5, "c"))
    assert [job.id for job in queue.drain()] == ["a1", "b2", "c3"]


@pytest.mark.parametrize("seed", range(40))
def test_how_many_go_before_is_known(seed: int) -> None:
    """Whatever waits, and however many went before the lowest by now: they are counted as they are sent."""
    chance = random.Random(seed)
    queue = waits(*[(chance.choice((3, 5, 7)), chance.choice("xyz")) for _ in range(chance.randint(1, 60))])
    sent(queue, chance.randint(0, 12))
    jobs = [job for among in queue._classes.values() for _, _, job in among.entries]
    for job in jobs[:: chance.randint(3, 9)]:
        job.done = True
        queue.ended(job)
    foretold = {job.id: queue.ahead_of(job) for job in jobs if not job.done}
    order = list[str]()
    while (entry := queue.first()) is not None:
        order.append(entry[1].id)
        queue.pop()
    assert foretold == {name: place for place, name in enumerate(order)}


def test_what_waits_already_keeps_its_place() -> None:
    queue, jobs = queue_of(1, 2)
    queue.put(3, jobs[1])
    assert len(queue) == 2
    assert queue.pop() == (1, jobs[1])


# --- scopes that are held


def test_a_scope_that_is_held_is_passed_over() -> None:
    """The others go in their order, and it keeps its place."""
    queue = waits(*[(5, "x")] * 3, (5, "y"), (5, "z"))
    first = queue.first({"x"})
    assert first is not None
    assert first[1].id == "y4"
    assert queue.pop({"x"})[1].id == "y4"
    assert queue.scopes() == {"x", "z"}
    assert queue.first({"x", "z"}) is None
    with pytest.raises(IndexError):
        queue.pop({"x", "z"})
    assert sent(queue) == ["x1", "z5", "x2", "x3"]


def test_one_that_has_ended_is_passed_over_where_those_before_it_are_held() -> None:
    queue = waits((5, "x"), (5, "y"), (5, "y"))
    next(job for _, _, job in queue._classes[5].entries if job.id == "y2").done = True
    assert queue.pop({"x"})[1].id == "y3"
    assert queue.first({"x"}) is None


def test_where_the_more_urgent_are_held_the_others_go() -> None:
    """Also the lowest, before its turn; it is not owed one for that."""
    queue = waits(*[(7, "x")] * 20, *[(3, "y")] * 3)
    assert queue.pop({"x"})[1].id == "y21"
    assert "".join(name[0] for name in sent(queue, 9)) == "xxxxxxxyx"


def test_where_the_lowest_is_held_at_its_turn_it_has_it_when_it_is_not() -> None:
    queue = waits(*[(7, "x")] * 20, *[(3, "y")] * 3)
    for _ in range(12):
        assert queue.pop({"y"})[1].scope == "x"
    assert "".join(name[0] for name in sent(queue, 9)) == "yxxxxxxxy"
