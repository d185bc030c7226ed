"""What is forgotten is in no file any more: a person may ask for that."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest
from stores.opening import opened

from aiogen import Generation, State, StoreError
from aiogen.stores import Record, RecordQuery, SqliteStore
from aiogen.testing.stores.samples import WISH

pytestmark = pytest.mark.looptime(False)

SECRET = "Ann-Example-of-Elm-Street"
BODY = {"prompt": SECRET, "image": f"{SECRET} " * 4000}
NOW = datetime(2026, 4, 8, 12, tzinfo=UTC)


def written(path: Path) -> int:
    """How often her name stands in the ledger's files."""
    files = [each for each in path.parent.iterdir() if each.name.startswith(path.name)]
    return sum(each.read_bytes().count(SECRET.encode()) for each in files)


async def lived(store: SqliteStore, count: int) -> None:
    """Jobs of hers that have ended in every way."""
    wish = attrs.evolve(WISH, prompt=SECRET, body=BODY)
    names = {"connection": "luma", "provider": "luma", "account": "a", "scope": SECRET, "batch": f"{SECRET}-1"}
    for i in range(count):
        await store.add(
            Record(
                id=f"job{i}",
                state=State.PENDING,
                submission=wish,
                prompt=SECRET,
                key=f"{SECRET}-{i}",
                metadata={"who": SECRET},
                handlers=("gallery",),
                created_at=NOW + timedelta(seconds=i),
                **names,
            )
        )
        await store.intend(f"job{i}")
        if i % 3 == 0:
            await store.mark_unknown(f"job{i}")
            continue
        await store.confirm(f"job{i}", f"v{i}", State.QUEUED, 0.0, {"status": SECRET})
        end = Generation(id=f"job{i}", provider_id=f"v{i}", provider="luma", connection="luma", model="uni-1",
                         state=State.COMPLETED if i % 3 == 1 else State.FAILED, prompt=SECRET)  # fmt: skip
        await store.settle([end])


@pytest.mark.parametrize("count", [3, 40])
async def test_nothing_of_a_person_is_left_in_the_files(tmp_path: Path, count: int) -> None:
    """Neither in rows, nor in free pages, nor in the log: while it is open, and after."""
    path = tmp_path / "aiogen.db"
    async with opened(path) as store, opened(path) as other:
        await lived(store, count)
        assert written(path) > count
        assert await other.find(RecordQuery(scope=SECRET, limit=1))
        assert await store.forget(RecordQuery(scope=SECRET)) == count
        assert written(path) == 0
        assert await other.heartbeat(), "nobody takes it for damage"
        assert await other.add(Record(id="x", connection="l", provider="l", account="a", state=State.PENDING,
                                      created_at=NOW)) is None  # fmt: skip
    assert written(path) == 0


async def test_a_long_search_ends_with_its_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that finds nothing: whoever closes the store does not wait for it."""
    monkeypatch.setattr("aiogen.stores.sqlite.reading._LOOK", 10)
    seen = list[str]()
    loop = asyncio.get_running_loop()
    began = asyncio.Event()

    def says(prompt: str | None, words: str) -> bool:
        seen.append(words)
        loop.call_soon_threadsafe(began.set)
        loop_closed.wait(10.0)
        return False

    loop_closed = threading.Event()
    monkeypatch.setattr("aiogen.stores.selecting.says", says)
    async with opened(tmp_path / "aiogen.db") as store:
        await lived(store, 30)
        search = asyncio.create_task(store.find(RecordQuery(prompt="nothing")))
        await began.wait()
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0)
        loop_closed.set()
        await closing
        with pytest.raises(StoreError, match="closed while it was read"):
            await search
    assert len(seen) < 30
