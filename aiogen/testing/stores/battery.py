"""The tests that every store passes, as a class that pytest collects from a subclass."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, cast

import hypothesis
from hypothesis import HealthCheck
from hypothesis.stateful import run_state_machine_as_test

from aiogen.models import State
from aiogen.testing.stores.choosing import ChoosingChecks
from aiogen.testing.stores.deliveries import DeliveryChecks
from aiogen.testing.stores.driver import ANSWERS, HANDLERS, MEANWHILE
from aiogen.testing.stores.fairness import FairnessChecks
from aiogen.testing.stores.following import FollowingChecks
from aiogen.testing.stores.jobs import JobChecks
from aiogen.testing.stores.looking import LookingChecks
from aiogen.testing.stores.machine import StoreMachine
from aiogen.testing.stores.sharing import SharingChecks
from aiogen.testing.stores.spending import SpendingChecks
from aiogen.testing.stores.wishes import WishChecks
from aiogen.testing.stores.workers import WorkerChecks


class StoreBattery(
    JobChecks,
    LookingChecks,
    ChoosingChecks,
    DeliveryChecks,
    WorkerChecks,
    SharingChecks,
    FairnessChecks,
    FollowingChecks,
    WishChecks,
    SpendingChecks,
):
    """What every store has to pass.

        class TestMyStore(aiogen.testing.StoreBattery):
            def make_store(self, context):
                return MyStore(context.folder / "ledger", lease=context.lease, time=context.time)

    pytest collects the tests by the name of the subclass.  The class variables and `make_store`, `kill` and
    `hypothesis_settings` are what a subclass may change.
    """

    machine: ClassVar[type[StoreMachine]] = StoreMachine
    """The rules of the state machine; for a store with more features, a subclass with more rules."""
    max_examples: ClassVar[int] = 40
    """Sequences of events that are tried."""
    steps: ClassVar[int] = 30
    """The most events in each."""

    def hypothesis_settings(self) -> hypothesis.settings:
        """Settings of hypothesis: how long it searches; what is not set here comes from the active profile."""
        return hypothesis.settings(
            deadline=None,
            max_examples=self.max_examples,
            stateful_step_count=self.steps,
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        )

    def test_whatever_happens_no_job_is_lost_or_ends_twice(self) -> None:
        """In any sequence of events; and each end is delivered to each handler that waits for it."""
        __tracebackhide__ = True
        factory = cast("type[StoreMachine]", lambda: self.machine(self))  # a function does as well as a class
        run_state_machine_as_test(factory, settings=self.hypothesis_settings())

    def test_an_answer_may_come_late(self) -> None:
        """Whatever the answer of a create says, and whatever has become of its job meanwhile."""
        with self._story() as story:
            story.begin(())
            for meanwhile, wakes, answer in itertools.product(MEANWHILE, (False, True), ANSWERS):
                story.everybody_is_well()
                story.add(story.process(0), "a", (), is_ours=True)
                job = list(story.model.jobs.values())[-1]
                story.answer_late(job, meanwhile, wakes=wakes, answer=answer, again=False)
                story.compare()

    def test_what_is_left_behind_is_taken_up_once(self) -> None:
        """By the next process: jobs of the accounts that it has keys for, and only those that it asks for."""
        with self._story() as story:
            story.begin(())
            story.intend(story.process(0), story.job(0))
            while story.processes:
                story.goes_for_good()
            story.opens()
            ids = {story.job(2).id}
            for leases in (0.0, 240.0):  # only after the leases is it known that no process comes back
                story.passes(leases)
                story.everybody_is_well()
                for accounts, only in ((("c",), None), (("a", "b"), ids), (("a",), None), (("a", "b"), None)):
                    story.adopt(story.process(0), accounts, only)
                    story.compare()
            states = [job.state for job in story.model.jobs.values()]
            assert states == [State.UNKNOWN, State.PENDING, State.PENDING]

    def test_an_end_may_be_brought_late(self) -> None:
        """By a process whose claim has ended, after another has delivered it, or failed to."""
        with self._story() as story:
            story.begin(HANDLERS)
            for again, late in itertools.product((None, 50.0), repeat=2):
                story.everybody_is_well()
                story.settle(story.process(0), [story.job(0).id], State.COMPLETED)
                story.bring_late(0, again, late)
                story.claim(story.process(1), HANDLERS, 20)
                story.passes(4.0)

    @contextmanager
    def _story(self) -> Iterator[StoreMachine]:
        """A machine that carries out fixed steps, and is compared with the model once more in the end."""
        story = self.machine(self)
        try:
            yield story
        except BaseException:
            story.stage.close()  # what closing reports is of interest only if the steps went well
            raise
        story.finish()
