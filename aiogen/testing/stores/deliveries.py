"""Checks of the delivery of ends to handlers: each is claimed by one process at a time, until it is acknowledged."""

from __future__ import annotations

from collections.abc import Collection

from aiogen.models import State
from aiogen.stores.base import Store
from aiogen.testing.stores.samples import ended, record
from aiogen.testing.stores.setup import StoreSetup
from aiogen.testing.stores.stage import Stage, check

GALLERY = ("gallery",)
BOTH = ("gallery", "mail")


async def claimed(store: Store, handlers: Collection[str] = BOTH, limit: int = 10) -> list[tuple[str, str, int]]:
    """Handler, job and attempt, in the order of their names."""
    return sorted((handler, end.id or "", attempt) for handler, end, attempt in await store.claim(handlers, limit))


class DeliveryChecks(StoreSetup):
    """`claim` and `ack`."""

    @check
    async def test_an_end_is_due_for_each_handler_that_waits(self, stage: Stage) -> None:
        """Not before the end, and not for other handlers."""
        store = await stage.joins()
        for job_id, handlers in (("a", BOTH), ("b", GALLERY), ("c", ())):
            await store.add(record(job_id, handlers=handlers))
        assert await claimed(store) == []
        await store.settle([ended("a", State.FAILED), ended("b"), ended("c")])
        assert await claimed(store, ["unheard of"]) == []
        ((handler, end, attempt),) = await store.claim(["mail"], 10)
        assert (handler, end, attempt) == ("mail", ended("a", State.FAILED), 1)
        assert await claimed(store) == [("gallery", "a", 1), ("gallery", "b", 1)]

    @check
    async def test_what_is_claimed_is_given_out_once(self, stage: Stage) -> None:
        """At most as many as were asked for."""
        store = await stage.joins()
        for job_id in "abc":
            await store.add(record(job_id, handlers=GALLERY))
        await store.settle([ended(job_id) for job_id in "abc"])
        some, rest = await claimed(store, limit=2), await claimed(store, limit=2)
        assert (len(some), len(rest)) == (2, 1)
        assert sorted(some + rest) == [("gallery", job_id, 1) for job_id in "abc"]
        assert await claimed(store) == []

    @check
    async def test_what_was_heard_of_does_not_come_again(self, stage: Stage) -> None:
        """Also not for the next process, nor because of a second end."""
        store = await stage.joins()
        await store.add(record("a", handlers=BOTH))
        await store.settle([ended("a")])
        await claimed(store)
        await store.ack("a", "gallery", None)
        await store.settle([ended("a")])
        store = await stage.comes_back(store)
        assert await claimed(store) == [("mail", "a", 2)], "what was claimed, and not acknowledged, is due again"

    @check
    async def test_what_failed_is_due_again_later(self, stage: Stage) -> None:
        """After the seconds that `ack` was given, with the number of the attempt."""
        store = await stage.joins()
        await store.add(record("a", handlers=GALLERY))
        await store.settle([ended("a")])
        for attempt in (1, 2, 3):
            assert await claimed(store) == [("gallery", "a", attempt)]
            await store.ack("a", "gallery", 40.0)
            await stage.passes(39.0)
            assert await claimed(store) == []
            await stage.passes(2.0)

    @check
    async def test_a_claim_hides_an_end_from_others(self, stage: Stage) -> None:
        """Until the lease of the process that claimed it has ended; its `ack` after that does no harm."""
        one, other = await stage.two()
        for job_id in "ab":
            await one.add(record(job_id, handlers=GALLERY))
        await other.settle([ended(job_id) for job_id in "ab"])
        assert len(await claimed(one)) == 2
        await stage.passes(3.0 * stage.context.lease)
        assert await claimed(other) == [], "another process is delivering it"
        await stage.stands_still(one)
        assert await claimed(other) == [("gallery", job_id, 2) for job_id in "ab"]
        assert await claimed(one) == [], "a process without a lease claims nothing"
        await one.ack("b", "gallery", 0.0)
        assert await claimed(other) == [], "a process without a lease releases no claim of another process"
        await one.ack("a", "gallery", None)
        await other.ack("a", "gallery", None)
        await other.ack("b", "gallery", None)
        await one.ack("b", "gallery", 1.0)
        await stage.passes(2.0, without=one)
        assert await claimed(other) == [], "it was delivered"
