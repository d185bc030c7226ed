"""Checks of queries by the user's own names: pages, counts, and `forget`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from aiogen.errors import InputError
from aiogen.models import State
from aiogen.stores.base import Record, RecordQuery, Store
from aiogen.testing.stores.samples import THEN, WISH, ended, record
from aiogen.testing.stores.setup import StoreSetup
from aiogen.testing.stores.stage import Stage, check

PAST = THEN - timedelta(days=1)


class ChoosingChecks(StoreSetup):
    """Which jobs a query selects, and that `forget` leaves nothing of them."""

    @check
    async def test_records_are_found_by_what_the_user_called_them(self, stage: Stage) -> None:
        """Scope, key, words of the prompt, and metadata: all of them have to hold."""
        store = await stage.joins()
        prompts = ("A paper BOAT", "a boat on the Müggelsee", None, "50% of a_fox")
        metadata: tuple[Any, ...] = ({"row": 1, "tags": ["x", {"y": None}]}, {"row": "1"}, None, {"row": True, "é": 0})
        for i, (prompt, known) in enumerate(zip(prompts, metadata, strict=True)):
            names = {"scope": "ann" if i % 2 else "", "key": f"k{i}", "prompt": prompt, "metadata": known}
            await store.add(record(f"job{i}", created_at=PAST + timedelta(hours=i), **names))

        async def ids(**query: Any) -> str:
            return "".join(_numbers(await store.find(RecordQuery(**query))))

        assert await ids(scope="ann") == "31"
        assert await ids(scope="") == "20"
        assert await ids(scope="ann", key="k1") == "1"
        assert await ids(scope="", key="k1") == ""
        assert await ids(prompt="boat") == "10"
        assert await ids(prompt="BoAt ON") == "1"
        assert await ids(prompt="MÜGGEL") == "1", "case is ignored in all alphabets"
        assert await ids(prompt="%") == await ids(prompt="a_F") == "3", "no character is a wildcard"
        assert await ids(prompt="a_b") == ""
        assert await ids(prompt="boat", scope="ann") == "1"
        assert await ids(metadata={"row": 1}) == "0", "a text and true are other values"
        assert await ids(metadata={"row": "1"}) == "1"
        assert await ids(metadata={"row": True, "é": 0}) == "3"
        assert await ids(metadata={"row": 1, "other": 1}) == ""
        assert await ids(metadata={"tags": ["x", {"y": None}]}) == "0"
        assert await ids(metadata={"other": None}) == "", "a missing key is not null"
        assert await ids(metadata={}) == "310"
        assert await ids(ids=["job0", "job1"], prompt="paper", metadata={"row": 1}) == "0"

    @check
    async def test_pages_stay_as_they_are_while_jobs_come_in(self, stage: Stage) -> None:
        """The newest first; each job is on one page, also of many that were added at one moment."""
        store = await stage.joins()
        whole = [record(f"{i:02}", created_at=PAST + timedelta(microseconds=i // 4)) for i in range(23)]
        for each in whole:
            await store.add(each)
        expected = [each.id for each in await store.find(RecordQuery())]
        assert [int(job_id) // 4 for job_id in expected] == sorted((i // 4 for i in range(23)), reverse=True)
        seen, after, number = list[str](), None, 0
        while page := await store.find(RecordQuery(limit=3, after=after)):
            seen += [each.id for each in page]
            after = page[-1].cursor
            await store.add(record(f"new{number}", created_at=PAST + timedelta(hours=1 + number)))
            await store.settle([ended(page[0].id)])
            assert await store.forget([page[-1].id, page[0].id]), "a cursor is valid without its job"
            number += 1
            assert number <= 8, "the pages never end"
        assert seen == expected
        newest = await store.find(RecordQuery(limit=1))
        assert newest[0].id == f"new{number - 1}"

    @check
    async def test_what_is_no_cursor_is_refused(self, stage: Stage) -> None:
        """Before anything is read."""
        await stage.joins()
        cursor = record("a").cursor
        assert RecordQuery(after=cursor).after == cursor
        for text in ("", "a", cursor[:-1], cursor + "=", cursor.swapcase(), "é", "MQ", 7):
            with pytest.raises(InputError, match="no cursor"):
                RecordQuery(after=text)  # type: ignore[arg-type]

    @check
    async def test_what_was_sent_is_read_only_when_asked(self, stage: Stage) -> None:
        """The submission may be megabytes."""
        store = await stage.joins()
        await store.add(record("a", model="uni-1", prompt="a boat"))
        for query in ({}, {"ids": ["a"]}):
            (bare,) = await store.find(RecordQuery(**query))  # type: ignore[arg-type]
            assert (bare.submission, bare.model, bare.kind, bare.prompt) == (None, "uni-1", "image", "a boat")
            (whole,) = await store.find(RecordQuery(**query, with_request=True))  # type: ignore[arg-type]
            assert whole.submission == WISH
        kept = await store.get("a")
        assert kept is not None
        assert kept.submission == WISH

    @check
    async def test_jobs_are_counted_by_state(self, stage: Stage) -> None:
        """Only jobs that the query selects."""
        store = await stage.joins()
        await _filled(store)
        assert dict(await store.count(RecordQuery())) == {
            State.PENDING: 2, State.QUEUED: 2, State.UNKNOWN: 2, State.COMPLETED: 2, State.FAILED: 2,
        }  # fmt: skip
        assert dict(await store.count(RecordQuery(scope="ann", states=[State.FAILED, State.PENDING]))) == {
            State.PENDING: 1, State.FAILED: 1,
        }  # fmt: skip
        assert dict(await store.count(RecordQuery(scope="nobody"))) == {}
        assert dict(await store.count(RecordQuery(prompt="ANN'S", limit=2))) == {State.UNKNOWN: 1, State.COMPLETED: 1}

    @check
    async def test_everything_of_a_person_is_forgotten_but_what_runs(self, stage: Stage) -> None:
        """Nothing of anybody else; what still runs, and costs money, is kept and counted in the result."""
        store = await stage.joins()
        await _filled(store)
        others = await store.find(RecordQuery(scope="bob"))
        gone = await store.forget(RecordQuery(scope="ann"))
        assert (gone, gone.running) == (3, 2)
        assert {each.state for each in await store.find(RecordQuery(scope="ann"))} == {State.PENDING, State.QUEUED}
        assert await store.find(RecordQuery(scope="bob")) == others
        assert await store.latest("ann", "ann-completed") is None
        assert await store.by_provider_id("a", ["v-ann-completed", "v-ann-failed"]) == []
        assert [handler for handler, end, _ in await store.claim(["gallery"], 20) if end.id == "ann-completed"] == []
        await store.settle([ended("ann-pending", provider_id=None, state=State.CANCELLED), ended("ann-queued")])
        gone = await store.forget(RecordQuery(scope="ann"))
        assert (gone, gone.running) == (2, 0)
        assert await store.add(record("ann-completed", scope="ann", key="ann-completed")) is None, "the key is free"

    @check
    async def test_jobs_are_forgotten_by_batch_state_and_age(self, stage: Stage) -> None:
        """All that the query selects, however many: a limit counts only if one is given."""
        store = await stage.joins()
        await _filled(store)
        assert await store.forget(RecordQuery(states=[State.FAILED], batch="ann's")) == 1
        assert await store.forget(RecordQuery(created_before=PAST)) == 0
        assert await store.forget(RecordQuery(states=[State.UNKNOWN], limit=1)) == 1
        (left,) = await store.find(RecordQuery(states=[State.UNKNOWN]))
        assert left.scope == "ann", "the newest was removed"
        gone = await store.forget(RecordQuery())
        assert (gone, gone.running) == (4, 4)

    @check
    async def test_a_named_batch_stays_until_it_is_forgotten(self, stage: Stage) -> None:
        """Whatever is configured for other jobs."""
        store = await stage.joins()
        for job_id, batch in (("a", "night"), ("b", None), ("c", "night")):
            await store.add(record(job_id, batch=batch))
        await store.settle([ended("a"), ended("b")])
        await store.withdraw(ended("c", State.CANCELLED, provider_id=None))
        is_kept = math.isinf(self.keep_finished)
        await stage.passes((0.0 if is_kept else self.keep_finished) + 3.0 * self.lease)
        assert {each.id for each in await store.find(RecordQuery())} == ({"a", "b", "c"} if is_kept else {"a", "c"})
        assert await store.forget(RecordQuery(batch="night")) == 2
        assert await store.find(RecordQuery(batch="night")) == []


def _numbers(records: Iterable[Record]) -> list[str]:
    return [each.id.removeprefix("job") for each in records]


async def _filled(store: Store) -> None:
    """A job of ann's and one of bob's in each of five states, bob's the newer ones."""
    hour = 0
    for who in ("ann", "bob"):
        for what in ("pending", "queued", "failed", "completed", "unknown"):
            hour += 1
            job_id = f"{who}-{what}"
            names = {"scope": who, "key": job_id, "batch": f"{who}'s", "prompt": f"{who}'s {what} boat"}
            await store.add(
                record(job_id, created_at=PAST + timedelta(hours=hour), handlers=("gallery",), metadata={}, **names)
            )
            if what != "pending":
                await store.intend(job_id)
            if what == "unknown":
                await store.mark_unknown(job_id)
            elif what != "pending":
                await store.confirm(job_id, f"v-{job_id}", State.QUEUED, 0.0)
        await store.settle([ended(f"{who}-completed"), ended(f"{who}-failed", State.FAILED)])
