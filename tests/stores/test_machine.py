"""Any order of everything that can happen to a ledger and its workers, in a file and in memory: one model for both."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from stores.ledger_machine import ANSWERS, HANDLERS, MEANWHILE, FileMachine, Machine, MemoryMachine

from aiogen import State

machines = pytest.mark.parametrize("machine", [FileMachine, MemoryMachine], ids=["file", "memory"])


@pytest.mark.timeout(300)  # to make a failing example small takes its time
@machines
def test_whatever_happens_no_job_is_lost_or_ends_twice(machine: type[Machine]) -> None:
    """And each end is brought to each handler that waits for it."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            deadline=None,
            derandomize=True,
            max_examples=40,
            stateful_step_count=30,
            report_multiple_bugs=False,
            phases=set(Phase) - {Phase.explain},  # it looks for files while the loop runs, and the watchdog barks
            suppress_health_check=list(HealthCheck),
        ),
    )


@machines
def test_an_answer_may_come_late(machine: type[Machine]) -> None:
    """Whatever it says, and whatever has become of its job since then."""
    story = machine()
    try:
        story.begins(())
        for meanwhile, wakes, answer in itertools.product(MEANWHILE, (False, True), ANSWERS):
            for seat in story.seats:
                story.heartbeats(seat, begins_again=True)
            story.adds(0, "a", (), is_ours=True)
            newest = sum(job.state is State.PENDING for job in story.model.jobs.values()) - 1
            story.a_create_is_late(newest, meanwhile, wakes, answer, again=False)
            story.agrees_with_the_model()
    finally:
        story.teardown()


@machines
def test_what_is_left_behind_is_taken_up_once(machine: type[Machine]) -> None:
    """By the next that comes, of the accounts that it has keys for, and only what it asks for."""
    story = machine()
    try:
        story.begins(())
        story.intend(story.seats[0], story.job(0))
        while story.seats:
            story.goes_for_good()
        story.opens()
        for seconds in (0.0, 3600.0):  # only then is it known that nobody comes back
            story.model.now += seconds
            story.heartbeats(story.seats[0], begins_again=True)
            for accounts, only in ((("c",), None), (("a", "b"), {2}), (("a",), None), (("a", "b"), None)):
                story.adopts(0, accounts, only)
                story.agrees_with_the_model()
        assert [job.state for job in story.model.jobs.values()] == [State.UNKNOWN, State.PENDING, State.PENDING]
    finally:
        story.teardown()


@machines
def test_an_end_may_be_brought_late(machine: type[Machine]) -> None:
    """By one whose claim has ended, after another has brought it, or has failed to."""
    story = machine()
    try:
        story.begins(HANDLERS)
        for again, late in itertools.product((None, 50.0), repeat=2):
            for seat in story.seats:
                story.heartbeats(seat, begins_again=True)
            story.ends(0, [0], State.COMPLETED, ran=True)
            story.a_handler_is_slow(0, again, late)
            story.claims(1, HANDLERS, 20)
            story.model.now += 60.0
    finally:
        story.teardown()
