"""What several processes learn of one model is one: nothing is lost, and nothing counted twice."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiogen._polling.evidence import at_once
from aiogen._polling.phases import PhaseModel
from aiogen.models import Typical

TYPICAL = Typical(median=30.0)


class Ledger:
    """Where a model is kept: with a version, and as JSON."""

    def __init__(self) -> None:
        self.text, self.version = "null", 0

    @property
    def value(self) -> Any:
        return json.loads(self.text)

    def put(self, value: dict[str, Any], version: int) -> bool:
        if version != self.version:
            return False
        self.text, self.version = json.dumps(value, allow_nan=False), version + 1
        return True


class Process:
    """One that learns, and keeps that as a session does."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.known = ledger, ledger.version
        self.phases = PhaseModel(TYPICAL)
        if ledger.version:
            assert self.phases.restore(ledger.value)

    def learns(self, *durations: float, at_once: bool = False) -> None:
        """Of jobs one after the other, or of a batch."""
        for model in (self.phases.queued, self.phases.processing):
            if at_once:
                sights = [model.begin() for _ in durations]
                for sight, duration in zip(sights, durations, strict=True):
                    model.ended(sight, duration)
            else:
                for duration in durations:
                    sight = model.begin()
                    model.runs(sight, 0.95 * duration)
                    model.ended(sight, duration)

    def takes_up(self) -> bool:
        if self.known == self.ledger.version:
            return True
        self.known = self.ledger.version
        return steps(self.phases.merging(self.ledger.value))

    def saves(self, *, breaks: bool = False) -> None:
        for _ in range(2):
            data = steps(self.phases.sharing())
            is_written = not breaks and self.ledger.put(data, self.known)
            self.phases.shared(is_written)
            if is_written:
                self.known += 1
            if is_written or breaks:
                return
            self.takes_up()
        raise AssertionError("nobody else writes meanwhile")


def steps(work: Any) -> Any:
    return at_once(work)


def ends(value: dict[str, Any]) -> float:
    """How many ends count in what is stored, in all."""
    return sum(weight for _, _, weight in value["queued"]["evidence"]["ended"])


def remembered(process: Process) -> float:
    return process.phases.queued._evidence.together().ends


def test_two_learn_and_a_third_knows_what_both_have_learned() -> None:
    """Each saves now and then, whoever was there before; the third begins with all of it."""
    ledger = Ledger()
    one, other = Process(ledger), Process(ledger)
    for _ in range(10):
        one.learns(*[10.0] * 5)
        other.learns(*[90.0] * 5)
        one.saves()
        other.saves()
    third = Process(ledger)
    assert third.phases.seen == 100
    third.phases.queued.fit()
    assert third.phases.queued.left(9.0) > 0.95
    assert 0.3 < third.phases.queued.left(50.0) < 0.7
    assert third.phases.queued.left(150.0) < 0.05


def test_whoever_is_first_is_not_written_over() -> None:
    """Two that began with nothing, and write once, at their ends; of batches no job is older than another."""
    ledger = Ledger()
    one, other = Process(ledger), Process(ledger)
    one.learns(*[10.0] * 50, at_once=True)
    other.learns(*[20.0] * 50, at_once=True)
    one.saves()
    other.saves()
    assert ledger.value["queued"]["seen"] == 100
    assert ends(ledger.value) == pytest.approx(100.0)


def test_a_running_process_takes_it_up() -> None:
    """It knows as much as one that begins now, and what it has seen itself counts once."""
    ledger = Ledger()
    one, other = Process(ledger), Process(ledger)
    one.learns(*[10.0] * 20, at_once=True)
    one.saves()
    other.learns(*[20.0] * 20, at_once=True)
    other.saves()
    one.learns(*[30.0] * 20, at_once=True)
    before = one.phases.queued.version
    one.takes_up()
    one.takes_up()
    assert one.phases.seen == 60
    assert steps(one.phases.fitting()) is None
    assert one.phases.queued.version > before
    one.saves()
    assert ledger.value["queued"]["seen"] == 60
    # What it has seen by itself fades for its own jobs alone.
    assert ends(ledger.value) <= remembered(one) + 0.1
    assert remembered(one) < 60.0
    assert Process(ledger).phases.seen == 60


EVENTS = ["learns", "batch", "saves", "breaks", "takes up", "begins again"]


@settings(deadline=None, max_examples=30, derandomize=True)
@given(
    events=st.lists(
        st.tuples(
            st.integers(0, 2), st.sampled_from(["learns", "batch", "saves", "breaks", "takes up", "begins again"])
        ),
        max_size=25,
    )
)
def test_in_any_order_nothing_is_lost_or_counted_twice(events: list[tuple[int, str]]) -> None:
    """Whoever saves when, in vain or not, or ends and begins again."""
    ledger, seen = Ledger(), 0
    processes = [Process(ledger) for _ in range(3)]
    for which, event in events:
        process = processes[which]
        match event:
            case "learns":
                process.learns(20.0)
                seen += 1
            case "batch":
                process.learns(10.0, 20.0, 30.0, at_once=True)
                seen += 3
            case "saves":
                process.saves()
            case "breaks":
                process.saves(breaks=True)
            case "takes up":
                process.takes_up()
            case _:
                process.saves()
                processes[which] = Process(ledger)
        others = sum(each.phases.unwritten for each in processes)
        assert (ledger.value["queued"]["seen"] if ledger.version else 0) + others == seen
    for process in processes:
        process.saves()
    assert ledger.value["queued"]["seen"] == seen
    # Of the first job as much is left as of one after which all others began, or more.
    assert seen * 0.99**seen - 0.01 <= ends(ledger.value) <= seen + 0.01
    for process in processes:
        process.takes_up()
        assert process.phases.seen == seen
        assert ends(ledger.value) - 0.01 <= remembered(process) <= seen + 0.01


def test_ten_processes_remember_as_much_as_one() -> None:
    """What fades is what is old, and not what others have not heard of yet."""
    ledger = Ledger()
    processes = [Process(ledger) for _ in range(10)]
    chance = random.Random(5)
    for _ in range(10):
        for process in processes:
            process.learns(*(chance.uniform(18.0, 22.0) for _ in range(25)))
            process.saves()
    assert ledger.value["queued"]["seen"] == 2_500
    assert 80.0 < ends(ledger.value) < 125.0
    assert all(remembered(process) < 250.0 for process in processes)


def test_what_could_not_be_written_for_long_is_written_with_its_weights() -> None:
    """Of seven hundred ends that were never saved about a hundred count, as if they had been."""
    ledger, saved = Ledger(), Ledger()
    one, other = Process(ledger), Process(saved)
    for _ in range(7):
        for process in (one, other):
            process.learns(*[20.0] * 100)
        other.saves()
    one.phases.shared(is_written=False)  # nothing was to be written yet
    one.saves(breaks=True)
    one.saves()
    assert ledger.value["queued"]["seen"] == saved.value["queued"]["seen"] == 700
    assert ends(ledger.value) == pytest.approx(ends(saved.value), rel=0.02)


def test_thousands_of_intervals_are_put_together_in_steps() -> None:
    """So that others have their turns meanwhile; an end that comes between two steps is counted."""
    rows = [[i, j, 0.01] for i in range(60) for j in range(i + 1, i + 40)]
    ledger = Ledger()
    one = Process(ledger)
    one.learns(20.0)
    one.saves()
    value = ledger.value
    value["queued"] |= {"evidence": {"ended": rows}, "seen": 101}
    assert ledger.put(value, 1)
    one.known = 2
    count = 0
    for work in (one.phases.merging(ledger.value), one.phases.sharing()):
        for _ in work:
            one.learns(20.0)
            count += 1
    assert count > 8
    assert one.phases.seen == 101 + count
    one.phases.shared(is_written=False)
    one.saves()
    assert ledger.value["queued"]["seen"] == 101 + count
    assert ends(ledger.value) == pytest.approx(0.01 * len(rows) * 0.99**count + count, rel=0.1)


# --- a model that changes


def test_what_one_has_forgotten_is_forgotten_for_all() -> None:
    """The vendor has become faster: what both knew before is gone, what both have learned since is not."""
    ledger = Ledger()
    first = Process(ledger)
    first.learns(*[40.0] * 80)
    first.saves()
    one, other = Process(ledger), Process(ledger)
    for process in (one, other):
        steps(process.phases.fitting())
        for _ in range(12):
            process.learns(20.0)
        assert process.phases.queued.alarms
    one.saves()
    assert ends(ledger.value) < 15.0
    other.saves()
    assert 20.0 < ends(ledger.value) < 26.0
    assert ledger.value["queued"]["seen"] == 104
    one.takes_up()
    assert 20.0 < remembered(one) < 26.0
    third = Process(ledger)
    steps(third.phases.fitting())
    assert third.phases.queued.quantile(0.5) < 25.0


def test_who_has_not_seen_it_yet_hears_of_it() -> None:
    """One that has seen no end since takes up that all has changed, and does not write the old back."""
    ledger = Ledger()
    first = Process(ledger)
    first.learns(*[40.0] * 80)
    first.saves()
    one, other = Process(ledger), Process(ledger)
    other.learns(40.0)
    steps(one.phases.fitting())
    one.learns(*[20.0] * 12)
    one.saves()
    other.takes_up()
    assert 11.0 < remembered(other) < 14.0
    other.saves()
    assert 11.0 < ends(ledger.value) < 14.0


def test_others_that_write_before_a_change_is_written_keep_what_they_saw() -> None:
    """What is taken out is what the one that saw the change has forgotten, and nothing else."""
    ledger = Ledger()
    first = Process(ledger)
    first.learns(*[40.0] * 80)
    first.saves()
    one, other = Process(ledger), Process(ledger)
    steps(one.phases.fitting())
    one.learns(*[20.0] * 12)
    assert one.phases.queued.alarms
    other.learns(*[21.0] * 4)
    other.saves()
    one.takes_up()
    one.saves(breaks=True)
    one.saves()
    assert 14.0 < ends(ledger.value) < 17.0
    assert ledger.value["queued"]["seen"] == 96


@pytest.mark.parametrize("is_written", [True, False])
def test_a_change_is_seen_while_the_model_is_being_written(is_written: bool) -> None:
    """What is written knows nothing of it yet; the next time it does."""
    ledger = Ledger()
    one = Process(ledger)
    one.learns(*[40.0] * 80)
    one.saves()
    one = Process(ledger)
    steps(one.phases.fitting())
    data = steps(one.phases.sharing())
    one.learns(*[20.0] * 12)
    assert one.phases.queued.alarms
    assert not is_written or ledger.put(data, 1)
    one.phases.shared(is_written)
    one.known += is_written
    one.saves()
    assert 11.0 < ends(ledger.value) < 13.0
    assert ledger.value["queued"]["seen"] == 92


# --- what cannot be read


@pytest.mark.parametrize("value", [None, [], {}, {"queued": {"seen": 3}}], ids=repr)
def test_what_nobody_can_read_is_written_over_with_all_that_is_known(value: Any) -> None:
    """Whatever stands there now, what this process knows does not go with it."""
    ledger = Ledger()
    one = Process(ledger)
    one.learns(*[10.0] * 20, at_once=True)
    one.saves()
    ledger.text, ledger.version = json.dumps(value), ledger.version + 1
    one.learns(*[10.0] * 5)
    one.saves()
    assert ledger.value["queued"]["seen"] == 25
    assert ends(ledger.value) == pytest.approx(remembered(one), abs=0.01)


def test_a_ledger_from_before_is_gone_on_with() -> None:
    """Without what is said of fading and of changes."""
    ledger = Ledger()
    one = Process(ledger)
    one.learns(*[10.0] * 20, at_once=True)
    assert ledger.put(one.phases.to_json(), 0)
    one, other = Process(ledger), Process(ledger)
    for process in (one, other):
        process.learns(*[10.0] * 5, at_once=True)
        process.saves()
    assert ledger.value["queued"]["seen"] == 30
    assert 25.0 < ends(ledger.value) < 30.01


# --- which of both foretells better


def test_each_finds_the_lead_and_it_counts_once() -> None:
    """What others have found counts for a beginner; what one has written itself is not found by others."""
    ledger = Ledger()
    one, other = Process(ledger), Process(ledger)
    for process in (one, other):
        for _ in range(2):
            sight = process.phases.processing.begin()
            process.phases.compare(sight, (5.0, 27.0, 33.0), (5.0, 20.0, 42.0))
        lead = process.phases._total_lead()
        assert 1.5 < lead < 3.0
        for _ in range(3):
            process.saves()
            process.takes_up()
    one.takes_up()
    assert ledger.value["lead"] == pytest.approx(2.0 * lead, rel=0.01)
    assert one.phases._total_lead() == pytest.approx(other.phases._total_lead(), rel=0.01)
    assert Process(ledger).phases.by_beginning
