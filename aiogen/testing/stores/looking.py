"""Checks of how records are found, and of what was learned."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aiogen.models import State
from aiogen.stores.base import RecordQuery
from aiogen.testing.stores.samples import AGO, THEN, ended, record
from aiogen.testing.stores.setup import StoreSetup
from aiogen.testing.stores.stage import Stage, check


class LookingChecks(StoreSetup):
    """What a query means."""

    @check
    async def test_records_are_found_by_each_part_of_a_query(self, stage: Stage) -> None:
        """The newest first; all conditions have to hold."""
        store = await stage.joins()
        first = THEN - timedelta(hours=4)
        for i in range(4):
            more = {"batch": "odd" if i % 2 else None, "connection": "luma" if i < 3 else "leonardo"}
            await store.add(record(f"job{i}", created_at=first + timedelta(hours=i), **more))
        await store.settle([ended("job3")])

        async def ids(**query: Any) -> str:
            records = await store.find(RecordQuery(**query))
            return "".join(each.id.removeprefix("job") for each in records)

        assert await ids() == "3210"
        assert await ids(limit=2) == "32"
        assert await ids(states=[State.COMPLETED]) == "3"
        assert await ids(states=[State.COMPLETED, State.PENDING], limit=3) == "321"
        assert await ids(states=[]) == ""
        assert await ids(batch="odd") == "31"
        assert await ids(batch="odd", states=[State.PENDING]) == "1"
        assert await ids(connection="luma") == "210"
        assert await ids(created_after=first, created_before=first + timedelta(hours=3)) == "21"
        assert await ids(younger=2.5 * 3600.0) == "32"
        assert await ids(younger=3.5 * 3600.0, older=1.5 * 3600.0) == "21"
        assert await ids(ids=["job0", "job2", "job9"]) == "20"
        assert await ids(ids=["job0", "job2"], states=[State.FAILED]) == ""
        assert await ids(ids=[]) == ""

    @check
    async def test_the_beginning_of_an_id_is_enough(self, stage: Stage) -> None:
        """Of our id or the vendor's; no character is a wildcard."""
        store = await stage.joins()
        for job_id, provider_id in (("ab1", None), ("ab2", "xy_1"), ("cd3", "abz")):
            state = State.PENDING if provider_id is None else State.QUEUED
            await store.add(record(job_id, provider_id=provider_id, state=state))

        async def ids(prefix: str) -> set[str]:
            return {each.id for each in await store.find(RecordQuery(prefix=prefix))}

        assert await ids("ab") == {"ab1", "ab2", "cd3"}
        assert await ids("ab2") == {"ab2"}
        assert await ids("xy_") == {"ab2"}
        assert await ids("b1") == set()
        assert [await ids(prefix) for prefix in ("%", "_b", "a*", "x?")] == [set()] * 4

    @check
    async def test_records_are_found_by_the_id_of_the_vendor(self, stage: Stage) -> None:
        """Within one account: another may have the same id."""
        store = await stage.joins()
        for job_id, account in (("a", "a"), ("b", "a"), ("c", "b")):
            await store.add(record(job_id, account=account))
            await store.intend(job_id)
            await store.confirm(job_id, "same" if job_id != "b" else "other", State.QUEUED, AGO)
        await store.add(record("d", provider_id="attached", state=State.PROCESSING, submission=None))
        await store.add(record("e"))
        await store.settle([ended("e", provider_id="seen at its end")])

        async def ids(account: str, *provider_ids: str) -> set[str]:
            return {each.id for each in await store.by_provider_id(account, provider_ids)}

        assert await ids("a", "same") == {"a"}
        assert await ids("b", "same", "other") == {"c"}
        assert await ids("a", "same", "other", "attached", "unheard of") == {"a", "b", "d"}
        assert await ids("a", "seen at its end") == {"e"}
        assert await ids("a") == set()

    @check
    async def test_what_was_learned_is_kept(self, stage: Stage) -> None:
        """The latest under each name, for the next process as well."""
        store = await stage.joins()
        assert await store.get_learned("durations") == (None, 0)
        first = await store.put_learned("durations", {"seen": 1}, 0)
        second = await store.put_learned("durations", {"seen": 2, "curve": [0.5, None, "é"]}, first)
        other = await store.put_learned("weights", {}, 0)
        assert 0 < first != second > 0
        store = await stage.comes_back(store)
        assert await store.get_learned("durations") == ({"seen": 2, "curve": [0.5, None, "é"]}, second)
        assert await store.get_learned("durations", first) == ({"seen": 2, "curve": [0.5, None, "é"]}, second)
        assert await store.get_learned("durations", second) == (None, second)
        assert await store.get_learned("weights") == ({}, other)

    @check
    async def test_nothing_is_learned_over_what_nobody_has_read(self, stage: Stage) -> None:
        """Of two writers that have read the same value, one succeeds, and the other gets 0."""
        one = await stage.joins()
        other = one if one.lease is None else await stage.joins()
        assert await other.put_learned("durations", {"seen": 1}, 7) == 0
        assert await other.get_learned("durations") == (None, 0)
        first = await one.put_learned("durations", {"seen": 1}, 0)
        assert await other.put_learned("durations", {"seen": 2}, 0) == 0
        assert await other.get_learned("durations") == ({"seen": 1}, first)
        second = await other.put_learned("durations", {"seen": 3}, first)
        assert second not in (0, first)
        for stale in (0, first, second + 1):
            assert await one.put_learned("durations", {"seen": 4}, stale) == 0
        assert await one.get_learned("durations", first) == ({"seen": 3}, second)
        assert await one.put_learned("durations", {"seen": 5}, second) not in (0, first, second)
