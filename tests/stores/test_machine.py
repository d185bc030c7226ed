"""Both stores pass what every store has to pass; the one in a file also while it is moved and the clock set back."""

from __future__ import annotations

from types import SimpleNamespace
from unittest import mock

import hypothesis
import pytest
from hypothesis import Phase
from stores.file_ledger import FileMachine, file_store, kill

from aiogen.stores.base import Store
from aiogen.stores.memory import MemoryStore
from aiogen.testing import StoreBattery, StoreContext


class Repeatable(StoreBattery):
    """The same orders each time."""

    def hypothesis_settings(self) -> hypothesis.settings:
        # Phase.explain looks for files while the loop runs, and the watchdog barks.
        return hypothesis.settings(super().hypothesis_settings(), derandomize=True, phases=set(Phase) - {Phase.explain})


@pytest.mark.timeout(300)  # to make a failing example small takes its time
class TestFile(Repeatable):
    keep_finished = 100.0
    machine = FileMachine

    def make_store(self, context: StoreContext) -> Store:
        return file_store(context)

    async def kill(self, store: Store) -> None:
        await kill(store)

    def test_what_waits_in_a_moved_file_is_held(self) -> None:
        """Until the user says that nobody else sends it; what ran is taken up."""
        story = FileMachine(self)
        try:
            story.begin(())
            story.intend(story.process(0), story.job(0))
            story.answer(story.creates[0], "queued", again=False)
            story.file_is_moved(moves=False, takes_up=True)
            story.compare()
            held = [job.id for job in story.model.jobs.values() if job.id in story.model.held and job.owner is None]
            assert len(held) == 2
            story.user_says_it_is_the_only_one(0)
            story.adopt(story.process(0), ("a", "b"), None)
            assert all(job.owner is story.process(0).worker for job in story.model.jobs.values())
        finally:
            story.finish()


@pytest.mark.timeout(300)
class TestMemory(Repeatable):
    def make_store(self, context: StoreContext) -> Store:
        if "store" not in context.kept:
            loop = SimpleNamespace(get_running_loop=lambda: context)  # which tells the time as a loop does
            context.enter(mock.patch("aiogen.stores.memory.asyncio", loop))
            context.enter(mock.patch("aiogen.stores.memory.time", context))
            context.kept["store"] = MemoryStore()
        store: MemoryStore = context.kept["store"]
        return store
