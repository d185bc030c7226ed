"""`aiogen._polling.vendor_queue`: which of the accepted generations run, and which wait behind them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiogen._polling.vendor_queue import VendorQueue


def line_of(keys: str, slots: int | None) -> VendorQueue[str]:
    line: VendorQueue[str] = VendorQueue(slots)
    for key in keys:
        line.add(key)
    return line


def waiting(line: VendorQueue[str], keys: str) -> str:
    """Those of the keys that wait, in their order."""
    return "".join(sorted((key for key in keys if line.place(key)), key=line.place))


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
    """The first ones run at once, all others wait; both are in the line."""
    line: VendorQueue[str] = VendorQueue(slots)
    assert [line.add(key) for key in "abcd"] == runs
    assert (len(line), line.running, line.slots) == (4, sum(runs), slots)
    assert [line.place(key) > 0 for key in "abcd"] == [not here for here in runs]


def test_places_are_counted_in_the_order_of_submission() -> None:
    """What runs has place 0, the first that waits is 1; what is not there waits for nothing."""
    line = line_of("abcd", 2)
    assert [line.place(key) for key in "abcdx"] == [0, 0, 1, 2, 0]


def test_an_empty_line() -> None:
    """Nothing runs, nobody waits, and an end that nobody knows of begins nothing."""
    line: VendorQueue[str] = VendorQueue(2)
    assert (len(line), line.running, line.place("a")) == (0, 0, 0)
    assert line.ended("a") == ([], False)
    assert line.slots == 2


# --- out


@pytest.mark.parametrize("key", ["a", "b"])
def test_one_ends_and_one_begins(key: str) -> None:
    """Whichever ends of those that run, the one that has waited longest begins."""
    line = line_of("abcd", 2)
    assert line.ended(key) == (["c"], False)
    assert (len(line), line.running, line.slots, waiting(line, "abcd")) == (3, 2, 2, "d")


def test_nobody_begins_where_nobody_waits() -> None:
    """The last ones leave free slots behind, which the next take at once."""
    line = line_of("ab", 2)
    assert [line.ended(key) for key in "ab"] == [([], False), ([], False)]
    assert (len(line), line.running) == (0, 0)
    assert [line.add(key) for key in "cde"] == [True, True, False]


def test_an_unknown_end_takes_nobodys_slot() -> None:
    """An id that was never added, or has ended before, makes no room."""
    line = line_of("abcd", 2)
    line.ended("a")
    assert [line.ended("a"), line.ended("x")] == [([], False), ([], False)]
    assert (line.running, waiting(line, "abcd")) == (2, "d")


@pytest.mark.parametrize(
    ("key", "slots", "begun", "left"),
    [
        pytest.param("c", 6, "defg", "h", id="the first that waits"),
        pytest.param("e", 10, "cdfgh", "", id="the third that waits"),
        pytest.param("h", 16, "cdefg", "", id="the last"),
    ],
)
def test_one_that_should_have_waited_proves_more_slots(key: str, slots: int, begun: str, left: str) -> None:
    """If the n-th of the line ends, at least n run, and twice as many are believed to; so others have begun, too."""
    line = line_of("abcdefgh", 2)
    assert line.ended(key) == (list(begun), True)
    assert (line.slots, line.running, len(line), waiting(line, "abcdefgh")) == (slots, 2 + len(begun), 7, left)


# --- ends that came too soon


def test_three_hasty_ends_in_a_row_prove_more_slots() -> None:
    """If three ended sooner than any could, they had begun before: twice as many slots, and the others run, too."""
    line = line_of("abcdefgh", 2)
    assert [line.ended(key, too_early=True) for key in "ab"] == [(["c"], False), (["d"], False)]
    assert line.slots == 2
    assert line.ended("c", too_early=True) == (["e", "f", "g"], True)
    assert (line.slots, line.running, waiting(line, "abcdefgh")) == (4, 4, "h")


def test_it_takes_three_more_to_prove_even_more() -> None:
    """The count begins anew after it has proved something."""
    line = line_of("abcdefgh", 1)
    proofs = [line.ended(key, too_early=True)[1] for key in "abcdef"]
    assert proofs == [False, False, True, False, False, True]
    assert line.slots == 4


def test_one_in_its_time_breaks_the_row() -> None:
    """Two hasty ends, one in its time, and two hasty ones prove nothing."""
    line = line_of("abcdefgh", 2)
    ends = [("a", True), ("b", True), ("c", False), ("d", True), ("e", True)]
    assert not any(line.ended(key, too_early=hasty)[1] for key, hasty in ends)
    assert line.slots == 2


def test_without_a_limit_haste_proves_nothing() -> None:
    """Where every accepted one runs there is nothing to learn."""
    line = line_of("abcdef", None)
    assert [line.ended(key, too_early=True) for key in "abcd"] == [([], False)] * 4
    assert (line.slots, line.running) == (None, 2)


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
    """More slots are believed and filled at once; fewer are not, for what was seen to run did."""
    line = line_of("abcdef", slots)
    assert line.learn(said) == list(begun)
    assert line.slots == then
    assert line.learn(said) == []


@given(slots=st.integers(1, 5), count=st.integers(0, 30), others=st.randoms(use_true_random=False))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_a_vendor_of_so_many_slots_is_never_contradicted(slots: int, count: int, others: object) -> None:
    """Where the number is right, ends prove nothing, whichever ends first, and all begin in order of submission."""
    line: VendorQueue[int] = VendorQueue(slots)
    begun = [key for key in range(count) if line.add(key)]
    runs = list(begun)
    while runs:
        key = runs.pop(others.randrange(len(runs)))  # type: ignore[attr-defined]
        new, proof = line.ended(key)
        assert not proof
        begun += new
        runs += new
        assert len(runs) == line.running <= slots
    assert begun == list(range(count))
    assert (len(line), line.slots) == (0, slots)


class LineMachine(RuleBasedStateMachine):
    """Ends of any of them, in their time or not; beside a plain list, whose first `slots` run."""

    @initialize(slots=st.sampled_from([None, 0, 1, 2, 3, 10]))
    def begin(self, slots: int | None) -> None:
        self.line: VendorQueue[int] = VendorQueue(slots)
        self.slots, self.hasty, self.made = slots, 0, 0
        self.live: list[int] = []
        self.begun: list[int] = []

    def runs(self) -> list[int]:
        return self.live if self.slots is None else self.live[: self.slots]

    @rule(times=st.integers(1, 4))
    def add(self, times: int) -> None:
        for _ in range(times):
            self.live.append(self.made)
            runs = self.line.add(self.made)
            assert runs is (self.made in self.runs())
            if runs:
                self.begun.append(self.made)
            self.made += 1

    @precondition(lambda self: self.live)
    @rule(data=st.data(), hasty=st.booleans())
    def end(self, data: st.DataObject, hasty: bool) -> None:
        self.ends(data.draw(st.sampled_from(self.live)), hasty=hasty)

    def ends(self, key: int, *, hasty: bool = False) -> None:
        before, rank = list(self.runs()), self.live.index(key) + 1
        self.hasty = self.hasty + 1 if hasty else 0
        proof = key not in before
        if proof:
            self.slots = 2 * rank
        if self.slots is not None and self.hasty == 3:
            self.slots, self.hasty, proof = 2 * self.slots, 0, True
        self.live.remove(key)
        expected = [other for other in self.runs() if other not in before]
        assert self.line.ended(key, too_early=hasty) == (expected, proof)
        self.begun += expected

    @rule(slots=st.integers(0, 12))
    def learn(self, slots: int) -> None:
        before = list(self.runs())
        if self.slots is not None:
            self.slots = max(self.slots, slots)
        expected = [key for key in self.runs() if key not in before]
        assert self.line.learn(slots) == expected
        self.begun += expected

    @invariant()
    def agrees(self) -> None:
        assert self.line.slots == self.slots
        assert (len(self.line), self.line.running) == (len(self.live), len(self.runs()))
        behind = self.live[len(self.runs()) :]
        assert [self.line.place(key) for key in behind] == list(range(1, len(behind) + 1))
        assert not any(self.line.place(key) for key in self.runs())
        assert len(set(self.begun)) == len(self.begun), "one began twice"

    def teardown(self) -> None:
        if not hasattr(self, "line"):
            return
        while self.live:
            self.ends(self.live[0])
        assert (len(self.line), self.line.running) == (0, 0)


TestLine = LineMachine.TestCase
TestLine.settings = settings(
    deadline=None, derandomize=True, max_examples=40, stateful_step_count=30, report_multiple_bugs=False
)
