"""Answers of megabytes hold nobody up: they are read in a thread."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from serving import ID, KEY, Vendor, body, done, luma, serving
from watchdogs import watching_sizes

import aiogen
from aiogen._content.portions import LARGE

MUCH = "boat " * LARGE


async def test_a_large_answer_is_read_in_a_thread() -> None:
    """Its JSON, and the key that it repeats, which is cut out."""
    vendor = Vendor(
        reads=[(200, done() | {"note": f"{KEY} {MUCH}", "rows": [{"key": KEY, "n": i} for i in range(9999)]})]
    )
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        with watching_sizes(LARGE) as seen:
            found = await session.get("luma", ID)
        assert not seen, seen[0]
    assert found.state is aiogen.State.COMPLETED
    assert KEY not in json.dumps(found.raw)
    assert len(found.raw["rows"]) == 9999


async def test_a_large_refusal_is_read_in_a_thread() -> None:
    """It raises the same error."""
    vendor = Vendor(reads=[(400, {"detail": "no", "trace": [f"Bearer {KEY} {MUCH}"]})])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        with watching_sizes(LARGE) as seen, pytest.raises(aiogen.APIError, match="API error 400: no"):
            await session.get("luma", ID)
        assert not seen, seen[0]


async def test_the_same_large_answer_is_not_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its bytes, as a small one."""
    vendor = Vendor(reads=[(200, body("processing", note=MUCH))] * 3 + [(200, done())])
    reads = 0
    known = aiogen.Luma.get

    def counted(provider: aiogen.Luma, *args: Any) -> Any:
        nonlocal reads
        question = known(provider, *args)
        answer = yield next(question)
        reads += 1
        try:
            question.send(answer)
        except StopIteration as stop:
            return stop.value

    monkeypatch.setattr(aiogen.Luma, "get", counted)
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        await session.generate("luma/uni-1", "a boat")
    assert (vendor.reads, reads) == (4, 2)


async def test_who_is_cancelled_while_an_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hears of nothing else, however often; the thread ends before."""
    begun, goes_on = threading.Event(), threading.Event()
    known = aiogen.Luma.get

    def slow(provider: aiogen.Luma, *args: Any) -> Any:
        question = known(provider, *args)
        answer = yield next(question)
        begun.set()
        goes_on.wait(10.0)
        question.send(answer)

    monkeypatch.setattr(aiogen.Luma, "get", slow)
    vendor = Vendor(reads=[(200, done() | {"note": MUCH})])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        asking = asyncio.ensure_future(session.get("luma", ID))
        while not begun.is_set():
            await asyncio.sleep(0)
        for _ in range(3):
            asking.cancel()
            for _ in range(5):
                await asyncio.sleep(0)
        assert not asking.done()
        goes_on.set()
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_a_long_page_is_passed_on_in_turns() -> None:
    """Others run while a program goes through thousands of generations of one page."""
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        asyncio.get_running_loop().call_soon(turn)

    rows = [{"id": f"{i:08d}-0000-4000-8000-000000000000", "status": "PENDING"} for i in range(1000)]
    async with serving(Vendor(reads=[(200, {"generations": rows})])) as url:
        leonardo = aiogen.Leonardo(api_key=KEY, base_url=url)
        async with aiogen.Session([leonardo]) as session:
            asyncio.get_running_loop().call_soon(turn)
            seen = [turns async for _ in session.list("leonardo", user_id=ID, limit=1000)]
    assert len(seen) == 1000
    assert max(seen.count(each) for each in set(seen)) <= 20
