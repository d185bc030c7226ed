"""Bad answers are counted in a row: a good one between them, whatever it says, ends the row."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from serving import Answer, Vendor, body, done, luma, serving

import aiogen
from aiogen import State

pytestmark = pytest.mark.looptime(noop_cycles=4)

SAME: Answer = (200, body("processing"))
"""What was answered before, to the letter: it is not even read again."""
MISSING: Answer = (404, {"detail": "Generation not found"})
BROKEN: Answer = (500, {"detail": "oops"})
BUSY: Answer = (429, {"detail": "Too many requests"})


def other(i: int) -> Answer:
    """An answer that says something new each time."""
    return 200, body("processing", note=i)


class Slow(Vendor):
    """Each read takes so many seconds."""

    seconds = 0.0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            self.seen.append((asyncio.get_running_loop().time(), "asked", request.path))
            await asyncio.sleep(self.seconds)
        return await super().__call__(request)


def reads(times: int, bad: Iterable[Answer], good: str) -> list[Answer]:
    """So many rows of bad answers, each behind a good one."""
    rows: list[Answer] = []
    for i in range(times):
        rows += [SAME if good == "same" else other(i), *bad]
    return [*rows, SAME if good == "same" else other(times)]


@pytest.mark.no_cover
@pytest.mark.parametrize("good", ["same", "other"])
async def test_not_found_hours_apart_ends_no_job(good: str) -> None:
    """Once in an hour, for five hours: five accidents."""
    loop = asyncio.get_running_loop()
    missing: list[float] = []
    asked = 0

    async def vendor(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        if request.method == "POST":
            return web.json_response(body(), status=201)
        asked += 1
        if loop.time() > (len(missing) + 1) * 3600.0:
            missing.append(loop.time())
            return web.json_response({"detail": "Generation not found"}, status=404)
        told = body("processing", note=asked if good == "other" else None)
        return web.json_response(done() if len(missing) == 5 else told)

    async with serving(vendor) as url, aiogen.Session([luma(url)], poll_cost=10.0) as session:
        assert (await session.generate("luma/uni-1", "a boat", timeout=86_400.0)).state is State.COMPLETED
    assert len(missing) == 5


@pytest.mark.parametrize("good", ["same", "other"])
async def test_not_found_is_believed_after_three_in_a_row_alone(good: str) -> None:
    """Of answers that come slowly two span more than the grace; those of an earlier row do not make three of them."""
    vendor = Slow(reads=[*reads(4, [MISSING] * 2, good), (200, done())])
    vendor.seconds = 12.0
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        assert (await session.generate("luma/uni-1", "a boat", timeout=86_400.0)).state is State.COMPLETED


@pytest.mark.parametrize("good", ["same", "other", "429"])
async def test_a_failure_after_a_good_answer_backs_off_from_the_start(
    good: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five in a row make it ask ever more rarely; then the row begins again.  A 429 is the account's, no failure."""
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    row = [BROKEN] * 5
    between: Any = BUSY if good == "429" else SAME if good == "same" else other(2)
    vendor = Vendor(reads=[SAME if good == "same" else other(1), *row, between, *row, (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        assert (await session.generate("luma/uni-1", "a boat", timeout=86_400.0)).state is State.COMPLETED
    times = vendor.times("GET")
    pauses = [later - before for before, later in pairwise(times)]
    first, second = pauses[1:6], pauses[7:12]
    assert first == pytest.approx([1.0, 2.0, 4.0, 8.0, 16.0], abs=0.1)
    assert second == pytest.approx(first, abs=0.1)


@pytest.mark.parametrize("good", ["same", "other"])
async def test_a_deadline_tells_of_no_failure_that_has_passed(good: str) -> None:
    """The last question was answered well: what went wrong an hour ago explains nothing."""
    vendor = Vendor(reads=[SAME if good == "same" else other(0), BROKEN, SAME if good == "same" else other(1)])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.GenerationTimeout, match="may still finish") as caught:
            await session.generate("luma/uni-1", "a boat", timeout=300.0)
    assert "last question" not in str(caught.value)
