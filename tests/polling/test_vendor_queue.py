"""`aiogen._polling.vendor_queue`: which of the accepted generations run, and which wait behind them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiogen._polling.vendor_queue import VendorQueue


def queue_of(keys: str, slots: int | None) -> VendorQueue[str]:
    queue: VendorQueue[str] = VendorQueue(slots)
    for key in keys:
        queue.add(key)
    return queue


def waiting(queue: VendorQueue[str], keys: str) -> str:
    """Those of the keys that wait, in their order."""
    return "".join(sorted((key for key in keys if queue.place(key)), key=queue.place))


# --- in


@pytest.mark.parametrize(
    ("slots", "runs"),
    [
        pytest.param(None, [True, True, True, True], id="no limit"),
        pytest.param(9, [True, True, True, True], id="room for all"),
        pytest.param(2, [True, True, False, False], id="room for two"),
        pytest.param(0, [False, False, False, False], id="room for none"),
    ],
)
def test_as_many_run_as_there_are_slots(slots: int | None, runs: list[bool]) -> None:
    """The first ones run at once, all others wait; both are in the queue."""
    queue: VendorQueue[str] = VendorQueue(slots)
    assert [queue.add(key) for key in "abcd"] == runs
    assert (len(queue), queue.running, queue.slots) == (4, sum(runs), slots)
    assert [queue.place(key) > 0 for key in "abcd"] == [not here for here in runs]


def test_places_are_counted_in_the_order_of_submission() -> None:
    """What runs has place 0, the first that waits is 1; what is not there waits for nothing."""
    queue = queue_of("abcd", 2)
    assert [queue.place(key) for key in "abcdx"] == [0, 0, 1, 2, 0]


def test_an_empty_line() -> None:
    """Nothing runs, nobody waits, and an end that nobody knows of begins nothing."""
    queue: VendorQueue[str] = VendorQueue(2)
    assert (len(queue), queue.running, queue.place("a")) == (0, 0, 0)
    assert queue.ended("a") == ([], False)
    assert queue.slots == 2


# --- out


@pytest.mark.parametrize("key", ["a", "b"])
def test_one_ends_and_one_begins(key: str) -> None:
    """Whichever ends of those that run, the one that has waited longest begins."""
    queue = queue_of("abcd", 2)
    assert queue.ended(key) == (["c"], False)
    assert (len(queue), queue.running, queue.slots, waiting(queue, "abcd")) == (3, 2, 2, "d")


def test_nobody_begins_where_nobody_waits() -> None:
    """The last ones leave free slots behind, which the next take at once."""
    queue = queue_of("ab", 2)
    assert [queue.ended(key) for key in "ab"] == [([], False), ([], False)]
    assert (len(queue), queue.running) == (0, 0)
    assert [queue.add(key) for key in "cde"] == [True, True, False]


def test_an_unknown_end_takes_nobodys_slot() -> None:
    """An id that was never added, or has ended before, makes no room."""
    queue = queue_of("abcd", 2)
    queue.ended("a")
    assert [queue.ended("a"), queue.ended("x")] == [([], False), ([], False)]
    assert (queue.running, waiting(queue, "abcd")) == (2, "d")


@pytest.mark.parametrize(
    ("key", "slots", "begun", "left"),
    [
        pytest.param("c", 6, "defg", "h", id="the first that waits"),
        pytest.param("e", 10, "cdfgh", "", id="the third that waits"),
        pytest.param("h", 16, "cdefg", "", id="the last"),
    ],
)
def test_one_that_should_have_waited_proves_more_slots(key: str, slots: int, begun: str, left: str) -> None:
    """If the n-th of the queue ends, at least n run, and twice as many are taken to; so others have begun, too."""
    queue = queue_of("abcdefgh", 2)
    assert queue.ended(key) == (list(begun), True)
    assert (queue.slots, queue.running, len(queue), waiting(queue, "abcdefgh")) == (slots, 2 + len(begun), 7, left)


# --- ends that came too soon


def test_three_early_ends_in_a_row_prove_more_slots() -> None:
    """If three ended sooner than any could, they had begun before: twice as many slots, and the others run, too."""
    queue = queue_of("abcdefgh", 2)
    assert [queue.ended(key, too_early=True) for key in "ab"] == [(["c"], False), (["d"], False)]
    assert queue.slots == 2
    assert queue.ended("c", too_early=True) == (["e", "f", "g"], True)
    assert (queue.slots, queue.running, waiting(queue, "abcdefgh")) == (4, 4, "h")


def test_it_takes_three_more_to_prove_even_more() -> None:
    """The count begins again after it has proved something."""
    queue = queue_of("abcdefgh", 1)
    proofs = [queue.ended(key, too_early=True)[1] for key in "abcdef"]
    assert proofs == [False, False, True, False, False, True]
    assert queue.slots == 4


def test_one_in_its_time_breaks_the_row() -> None:
    """Two early ends, one in its time, and two early ones prove nothing."""
    queue = queue_of("abcdefgh", 2)
    ends = [("a", True), ("b", True), ("c", False), ("d", True), ("e", True)]
    assert not any(queue.ended(key, too_early=too_early)[1] for key, too_early in ends)
    assert queue.slots == 2


def test_without_a_limit_haste_proves_nothing() -> None:
    """Where every accepted one runs there is nothing to learn."""
    queue = queue_of("abcdef", None)
    assert [queue.ended(key, too_early=True) for key in "abcd"] == [([], False)] * 4
    assert (queue.slots, queue.running) == (None, 2)


# --- what the vendor says


@pytest.mark.parametrize(
    ("slots", "said", "then", "begun"),
    [
        pytest.param(2, 4, 4, "cd", id="more"),
        pytest.param(2, 99, 99, "cdef", id="more than there are"),
        pytest.param(2, 2, 2, "", id="as many"),
        pytest.param(2, 1, 2, "", id="fewer"),
        pytest.param(None, 3, None, "", id="no limit"),
        pytest.param(0, 1, 1, "a", id="one after none"),
    ],
)
def test_the_vendor_says_how_many_run(slots: int | None, said: int, then: int | None, begun: str) -> None:
    """More slots are filled at once; fewer are not, for what was seen to run did."""
    queue = queue_of("abcdef", slots)
    assert queue.learn(said) == list(begun)
    assert queue.slots == then
    assert queue.learn(said) == []


@given(slots=st.integers(1, 5), count=st.integers(0, 30), others=st.randoms(use_true_random=False))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_a_vendor_of_so_many_slots_is_never_contradicted(slots: int, count: int, others: object) -> None:
    """Where the number is right, ends prove nothing, whichever ends first, and all begin in order of submission."""
    queue: VendorQueue[int] = VendorQueue(slots)
    begun = [key for key in range(count) if queue.add(key)]
    runs = list(begun)
    while runs:
        key = runs.pop(others.randrange(len(runs)))  # type: ignore[attr-defined]
        new, proof = queue.ended(key)
        assert not proof
        begun += new
        runs += new
        assert len(runs) == queue.running <= slots
    assert begun == list(range(count))
    assert (len(queue), queue.slots) == (0, slots)


class LineMachine(RuleBasedStateMachine):
    """Ends of any of them, in their time or not; beside a plain list, whose first `slots` run."""

    @initialize(slots=st.sampled_from([None, 0, 1, 2, 3, 10]))
    def begin(self, slots: int | None) -> None:
        self.queue: VendorQueue[int] = VendorQueue(slots)
        self.slots, self.early_ends, self.made = slots, 0, 0
        self.live: list[int] = []
        self.begun: list[int] = []

    def runs(self) -> list[int]:
        return self.live if self.slots is None else self.live[: self.slots]

    @rule(times=st.integers(1, 4))
    def add(self, times: int) -> None:
        for _ in range(times):
            self.live.append(self.made)
            runs = self.queue.add(self.made)
            assert runs is (self.made in self.runs())
            if runs:
                self.begun.append(self.made)
            self.made += 1

    @precondition(lambda self: self.live)
    @rule(data=st.data(), too_early=st.booleans())
    def end(self, data: st.DataObject, too_early: bool) -> None:
        self.ends(data.draw(st.sampled_from(self.live)), too_early=too_early)

    def ends(self, key: int, *, too_early: bool = False) -> None:
        before, rank = list(self.runs()), self.live.index(key) + 1
        self.early_ends = self.early_ends + 1 if too_early else 0
        proof = key not in before
        if proof:
            self.slots = 2 * rank
        if self.slots is not None and self.early_ends == 3:
            self.slots, self.early_ends, proof = 2 * self.slots, 0, True
        self.live.remove(key)
        expected = [other for other in self.runs() if other not in before]
        assert self.queue.ended(key, too_early=too_early) == (expected, proof)
        self.begun += expected

    @rule(slots=st.integers(0, 12))
    def learn(self, slots: int) -> None:
        before = list(self.runs())
        if self.slots is not None:
            self.slots = max(self.slots, slots)
        expected = [key for key in self.runs() if key not in before]
        assert self.queue.learn(slots) == expected
        self.begun += expected

    @invariant()
    def agrees(self) -> None:
        assert self.queue.slots == self.slots
        assert (len(self.queue), self.queue.running) == (len(self.live), len(self.runs()))
        behind = self.live[len(self.runs()) :]
        assert [self.queue.place(key) for key in behind] == list(range(1, len(behind) + 1))
        assert not any(self.queue.place(key) for key in self.runs())
        assert len(set(self.begun)) == len(self.begun), "one began twice"

    def teardown(self) -> None:
        if not hasattr(self, "queue"):
            return
        while self.live:
            self.ends(self.live[0])
        assert (len(self.queue), self.queue.running) == (0, 0)


TestLine = LineMachine.TestCase
TestLine.settings = settings(
    deadline=None, derandomize=True, max_examples=40, stateful_step_count=30, report_multiple_bugs=False
)
