"""A job whose deadline has passed goes on at the provider, and so does the router with whoever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from integrations.test_events import events_of, over_http, slow
from integrations.web import Web, serving, until

import aiogen
from aiogen.integrations.fastapi import begin_shutdown
from aiogen.integrations.fastapi.following import LONGEST_WAIT
from aiogen.integrations.fastapi.news import LOOK_EVERY

HOUR = 3600.0


@asynccontextmanager
async def late(takes: float, store: Any = ":memory:") -> AsyncIterator[tuple[Web, str]]:
    """A job that takes so long, and whose deadline of 10 s has passed; its path."""
    async with serving(slow(takes), store=store) as web:
        web.session.submit = partial(web.session.submit, timeout=10.0)  # type: ignore[method-assign]
        body = (await web.post()).json()
        assert await _ended_by(web) == ("processing", aiogen.GenerationTimeout)
        yield web, body["links"]["self"]


async def _ended_by(web: Web) -> tuple[str, type[Exception]]:
    """How the only job stands when its handle has ended, which nobody holds after this."""
    (job,) = web.session.jobs()
    await until(lambda: job.done)
    return job.state, type(job.error)


async def test_it_is_waited_for_as_any_other() -> None:
    """`wait=n` takes n seconds, or until it is over; it is `processing` until then, and completes."""
    loop = asyncio.get_running_loop()
    async with late(150.0) as (web, path):
        begun = loop.time()
        body = (await web.get(path, {"prefer": "wait=30"})).json()
        assert loop.time() - begun == pytest.approx(30.0, abs=0.5)
        assert (body["state"], body["failure"]) == ("processing", None)
        asked = 0
        while body["state"] == "processing":
            body, asked = (await web.get(path, {"prefer": "wait=60"})).json(), asked + 1
        assert (body["state"], len(body["outputs"]), asked <= 4) == ("completed", 1, True)
        assert 150.0 - LONGEST_WAIT < loop.time() - begun < 200.0


async def test_its_events_go_on() -> None:
    """One stream, to the end; nothing is told twice."""
    async with late(150.0) as (web, path), over_http(web) as http:
        found = await events_of(http, f"{path}/events")
        assert [state for state, _ in found] == ["processing", "completed"]


async def test_a_server_that_is_stopped_lets_them_go() -> None:
    """Who waits for it is answered at once, as for any other."""
    loop = asyncio.get_running_loop()
    async with late(500.0) as (web, path), over_http(web) as http:
        listening = asyncio.ensure_future(events_of(http, f"{path}/events"))
        waiting = asyncio.ensure_future(web.get(path, {"prefer": "wait=60"}))
        await until(lambda: len(web.app.state.aiogen_shutdown._calls) == 2)
        begun = loop.time()
        begin_shutdown(web.app)
        assert (await waiting).json()["state"] == "processing"
        assert [state for state, _ in await listening] == ["processing"]
        assert loop.time() - begun < LOOK_EVERY


async def test_one_that_is_removed_is_waited_for_no_more() -> None:
    """Somebody has erased it meanwhile: 404, and the stream ends."""
    async with late(100.0) as (web, path), over_http(web) as http:
        listening = asyncio.ensure_future(events_of(http, f"{path}/events"))
        waiting = asyncio.ensure_future(web.get(path, {"prefer": "wait=60"}))
        await until(lambda: len(web.app.state.aiogen_shutdown._calls) == 2)

        async def none(_: Any) -> list[Any]:
            return []

        web.session.store.find = none  # type: ignore[method-assign, assignment]
        assert (await waiting).status_code == 404
        assert len(await listening) == 1


async def test_after_an_hour_it_is_asked_about_where_somebody_asks() -> None:
    """Nobody has waited for it for so long that it is followed no more: who asks has it followed again."""
    async with late(HOUR + 700.0) as (web, path):
        handle = await web.session.job(path.rpartition("/")[2])
        assert handle is not None
        await asyncio.sleep(HOUR + 100.0)
        asked = len(web.box.requests)
        await asyncio.sleep(100.0)
        assert len(web.box.requests) == asked
        assert (await web.get(path)).json()["state"] == "processing"
        await asyncio.sleep(700.0)
        body = (await web.get(path, {"prefer": "wait=60"})).json()
        assert (body["state"], handle.state) == ("completed", "processing")
        assert web.paid == 1
