"""The ledger in a file, beyond what every store has to do (test_machine.py): what stands in it, and what errors say."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import stat
import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from stores.opening import opened

from aiogen import Cost, Generation, Output, State, StoreError
from aiogen.exchange import Submission
from aiogen.models import Typical
from aiogen.stores.base import Record, RecordQuery
from aiogen.stores.sqlite import SqliteStore

pytestmark = pytest.mark.looptime(False)

NOW = datetime(2026, 4, 8, 12, tzinfo=UTC)
WISH = Submission(
    model="uni-1",
    kind="image",
    prompt="a lighthouse at dawn",
    endpoint="generations",
    body={"prompt": "a lighthouse at dawn", "image_ref": [{"url": "https://example.org/é.png"}]},
    outputs=2,
    weight=3,
    timeout=120.0,
    typical=Typical(median=30.0, spread=0.4),
)


def record(job_id: str, **more: Any) -> Record:
    fields = {"connection": "luma", "provider": "luma", "account": "a", "state": State.PENDING, "created_at": NOW}
    return Record(id=job_id, **(fields | more))


def ended(job_id: str, state: State = State.COMPLETED, **more: Any) -> Generation:
    fields = {"provider_id": f"v-{job_id}", "provider": "luma", "connection": "luma", "model": "uni-1", "state": state}
    return Generation(id=job_id, finished_at=NOW, **(fields | more))


async def found(store: SqliteStore, job_id: str) -> Record:
    record = await store.get(job_id)
    assert record is not None
    return record


def rows(path: Path, statement: str) -> list[Any]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


# --- what is kept


async def test_all_of_a_job_is_there_again(path: Path) -> None:
    """Another process, years later, sends exactly what was to be sent."""
    added = record("a", submission=WISH, timeout=90.0, batch="monday")
    async with opened(path) as store:
        await store.add(added)
    async with opened(path) as store:
        again = await found(store, "a")
    assert again == attrs.evolve(added, fingerprint=WISH.fingerprint(), created_at=again.created_at)
    assert again.submission == WISH


async def test_a_result_is_there_again(path: Path) -> None:
    """All but the vendor's raw answers."""
    output = Output(
        kind="image",
        url="https://cdn.example/a.png?sig=1",
        expires_at=NOW,
        nsfw=False,
        media_type="image/png",
        width=8,
        height=9,
        raw={"a": 1},
    )
    whole = ended(
        "a",
        outputs=(output,),
        cost=Cost(Decimal("0.0404"), "DOLLARS"),
        prompt="a cat",
        created_at=NOW,
        raw={"id": "v-a"},
    )
    async with opened(path) as store:
        await store.add(record("a", submission=WISH))
        await store.settle([whole])
        kept = await found(store, "a")
    assert kept.generation == attrs.evolve(whole, raw={}, outputs=(attrs.evolve(output, raw={}),))
    assert (kept.state, kept.submission) == (State.COMPLETED, None)
    assert kept.finished_at is not None
    assert kept.created_at <= kept.finished_at <= (kept.read_at or NOW), "as of when it was written"


async def test_the_file_is_for_its_owner_alone(path: Path) -> None:
    """Prompts and addresses of images are nobody else's."""
    async with opened(path) as store:
        await store.add(record("a"))
        assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}


async def test_without_requests_no_prompt_reaches_the_file(path: Path) -> None:
    """What was not sent cannot be sent by the next program; what runs can be followed."""
    async with opened(path, keep_requests=False) as store:
        await store.add(record("a", submission=WISH))
        await store.settle([ended("b", prompt="a lighthouse at dawn")])
        kept = await found(store, "a")
        assert b"lighthouse" not in b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert kept.submission is not None
    assert (kept.submission.body, kept.submission.prompt, kept.submission.outputs) == ({}, None, 2)
    assert kept.fingerprint == WISH.fingerprint()


async def test_what_is_old_goes_by_itself(path: Path) -> None:
    """A week after its end, or as was asked; what runs never."""
    async with opened(path, keep_finished=0.0) as store:
        await store.add(record("a"))
        await store.add(record("b"))
        await store.settle([ended("a")])
        await asyncio.sleep(0.01)
        assert await store.heartbeat()
        assert [each.id for each in await store.find(RecordQuery())] == ["b"]


async def test_an_end_that_nobody_was_told_of_is_kept(path: Path) -> None:
    """Its handler's program may only be away; but not for ever."""
    async with opened(path, keep_finished=0.0) as store:
        for job_id in "ab":
            await store.add(record(job_id, handlers=("gallery",)))
            await store.settle([ended(job_id)])
        await store.claim(["gallery"], 1)
        await store.ack("a", "gallery", None)
        await store.heartbeat()
        assert [each.id for each in await store.find(RecordQuery())] == ["b"]
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE aiogen_job SET expires_at = expires_at - 31 * 86400")
        await store.heartbeat()
        assert await store.find(RecordQuery()) == []


async def test_a_row_that_cannot_be_read_keeps_no_other(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said, left as it is, and taken up by nobody."""
    async with opened(path) as store:
        for job_id in "abc":
            await store.add(record(job_id, submission=WISH))
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE aiogen_job SET request = '{half' WHERE id = 'b'")
    async with opened(path) as store:
        assert [each.id for each in await store.adopt(["a"])] == ["a", "c"]
        assert "Job b in" in caplog.text
        assert "neither sent nor followed" in caplog.text
        with pytest.raises(StoreError, match="contains a row that this version cannot read"):
            await store.get("b")


async def test_an_end_that_cannot_be_read_keeps_no_other_from_being_told(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, not at each look."""
    async with opened(path) as store:
        for job_id in "abc":
            await store.add(record(job_id, handlers=("gallery",)))
            await store.settle([ended(job_id)])
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE aiogen_job SET result = '{half' WHERE id = 'b'")
        claimed = await store.claim(["gallery"], 10)
        assert sorted(generation.id or "" for _, generation, _ in claimed) == ["a", "c"]
        assert await store.claim(["gallery"], 10) == []
    assert caplog.text.count("The end of job b") == 1


async def test_a_finished_job_is_small(path: Path) -> None:
    """At most two kilobytes of file each, with a long prompt and a signed address."""
    output = Output(kind="image", url="https://cdn.example/" + "x" * 400, expires_at=NOW)
    async with opened(path) as store:
        many = [str(i) for i in range(500)]
        await asyncio.gather(*(store.add(record(i, submission=WISH)) for i in many))
        await asyncio.gather(*(store.settle([ended(i, outputs=(output,), prompt="p" * 300)]) for i in many))
    assert path.stat().st_size / 500 < 2048


# --- several workers


async def test_the_jobs_of_the_living_are_theirs(path: Path) -> None:
    """Two processes share a file, and no job."""
    async with opened(path) as one, opened(path) as other:
        await one.add(record("a", submission=WISH))
        assert await other.adopt(["a"]) == []
        assert await other.heartbeat()
        with pytest.raises(StoreError, match="must not be sent by this process"):
            await other.intend("a")
        await one.intend("a")


async def test_the_dead_lose_their_lease(path: Path) -> None:
    """A process that stood still is no longer the owner, and learns it before it sends anything."""
    async with opened(path, lease=0.5) as paused, opened(path) as other:
        await paused.add(record("a", submission=WISH))
        await asyncio.sleep(0.6)
        assert await other.heartbeat()  # the lease of the first has run out, and is ended
        assert [each.id for each in await other.adopt(["a"])] == ["a"]
        assert not await paused.heartbeat()
        with pytest.raises(StoreError, match="another process has taken it over"):
            await paused.intend("a")
        await paused.open()
        assert await paused.heartbeat()
        assert await paused.adopt(["a"]) == []


async def test_what_is_added_when_the_lease_is_over_is_refused_for_a_moment(path: Path) -> None:
    """With the reason, and the way out."""
    async with opened(path, lease=0.5) as paused, opened(path, lease=0.5) as other:
        await asyncio.sleep(0.6)
        await other.open()
        assert await other.heartbeat()
        with pytest.raises(StoreError, match=r"was stopped .* Submit it again") as refused:
            await paused.add(record("a", submission=WISH))
        assert refused.value.retryable
        await paused.open()
        await paused.add(record("a", submission=WISH))


# --- errors


async def test_one_that_cannot_be_written_takes_no_other_with_it(path: Path) -> None:
    """Many wait for one commit; each stands for itself."""
    async with opened(path) as store:
        wrong = record("a", handlers=("twice", "twice"))
        each = [store.add(wrong if job_id == "a" else record(job_id)) for job_id in "bacd"]
        results = await asyncio.gather(*each, return_exceptions=True)
        assert [type(each) for each in results] == [type(None), StoreError, type(None), type(None)]
        assert {each.id for each in await store.find(RecordQuery())} == set("bcd")


async def test_a_caller_that_is_cancelled_leaves_no_half(path: Path) -> None:
    """What was given to it is kept."""
    async with opened(path) as store:
        adding = asyncio.create_task(store.add(record("a")))
        await asyncio.sleep(0)
        adding.cancel()
        await asyncio.gather(adding, return_exceptions=True)
        assert (await found(store, "a")).id == "a"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_bytes(b"no ledger at all, " * 100), "damaged, or is not a ledger"),
        (lambda path: path.mkdir(), "must exist and be writable"),
        (lambda path: path.parent.rmdir(), "must exist and be writable"),
    ],
    ids=["something else", "a folder", "no folder"],
)
async def test_what_is_no_ledger_is_said_before_anything_is_sent(path: Path, spoil: Any, says: str) -> None:
    """And nothing of it is touched."""
    spoil(path)
    store = SqliteStore(path)
    with pytest.raises(StoreError, match=says):
        await store.open()
    await store.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "aiogen-store"]


async def test_a_newer_ledger_is_left_alone(path: Path) -> None:
    """An old program must not guess what a new one wrote."""
    async with opened(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute("UPDATE aiogen_meta SET v = '99'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match=r"newer version of aiogen \(schema 99"):
        await SqliteStore(path).open()
    assert rows(path, "SELECT v FROM aiogen_meta") == [("99",)]


async def test_a_ledger_that_another_holds(path: Path) -> None:
    """It is waited for, not for ever, and said to be worth trying again."""
    async with opened(path, busy_timeout=0.1) as store:
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="Another process has locked it") as caught:
            await store.add(record("a"))
        assert caught.value.retryable
        holder.execute("COMMIT")
        holder.close()
        await store.add(record("a"))


async def test_a_row_that_nobody_can_read_is_said(path: Path) -> None:
    """With the name of the file."""
    async with opened(path) as store:
        await store.add(record("a"))
        connection = sqlite3.connect(path)
        connection.execute("UPDATE aiogen_job SET state = 'dreaming'")
        connection.commit()
        connection.close()
        with pytest.raises(StoreError, match="cannot read"):
            await store.get("a")


async def test_a_closed_ledger_says_so(path: Path) -> None:
    """Also when it was never opened; closing twice does nothing."""
    store = SqliteStore(path)
    with pytest.raises(StoreError, match="not open"):
        await store.add(record("a"))
    await store.open()
    await store.close()
    await store.close()
    assert repr(store) == f"<SqliteStore {str(path)!r}>"


@pytest.mark.parametrize(
    "options",
    [{"lease": 0.0}, {"keep_finished": -1.0}, {"busy_timeout": float("nan")}],
    ids=lambda each: next(iter(each)),
)
def test_numbers_out_of_range_are_refused(path: Path, options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        SqliteStore(path, **options)


def test_the_rows_are_plain_json() -> None:
    """For people who look into the file with another program."""
    from aiogen.stores.rows import request_text, result_text

    assert json.loads(request_text(WISH, whole=True))["body"] == WISH.body
    assert json.loads(result_text(ended("a"), whole=True))["state"] == "completed"
    assert os.linesep not in request_text(WISH, whole=True)
