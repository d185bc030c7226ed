"""The thread and the cache."""

from __future__ import annotations

import asyncio
import threading

import pytest

from aiogen.sandbox import worker as module
from aiogen.sandbox.painting import Picture
from aiogen.sandbox.worker import Worker


def picture(prompt: str, form: str = "png") -> Picture:
    return Picture(prompt=prompt, model="uni-1", index=0, size=(32, 32), format=form, seed=0)


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Prompts in order of painting; each picture has 10 bytes."""
    prompts: list[str] = []

    def paint(one: Picture) -> bytes:
        prompts.append(one.prompt)
        return b"0123456789"

    monkeypatch.setattr(module, "paint", paint)
    return prompts


async def test_works_in_a_thread_of_its_own() -> None:
    worker = Worker()
    assert await worker.run(threading.get_ident) != threading.get_ident()
    await worker.close()


async def test_paints_once_and_keeps_it(painted: list[str]) -> None:
    worker = Worker()
    for _ in range(3):
        assert await worker.picture(picture("a")) == b"0123456789"
    assert painted == ["a"]
    await worker.close()


async def test_wanted_twice_at_once_it_is_kept_once(painted: list[str]) -> None:
    worker = Worker(kept_bytes=20)
    await asyncio.gather(*(worker.picture(picture("a")) for _ in range(3)))
    await worker.picture(picture("b"))
    painted.clear()
    await worker.picture(picture("a"))
    assert painted == []
    await worker.close()


async def test_cache_is_bounded_and_drops_the_least_recently_used(painted: list[str]) -> None:
    worker = Worker(kept_bytes=20)
    for prompt in "abacab":
        await worker.picture(picture(prompt))
    assert painted == ["a", "b", "c", "b"]
    await worker.close()


async def test_a_film_is_not_painted(painted: list[str]) -> None:
    worker = Worker()
    assert (await worker.picture(picture("a", "mp4")))[4:8] == b"ftyp"
    assert painted == []
    await worker.close()


async def test_leaves_no_thread_behind() -> None:
    worker = Worker()
    await worker.run(len, "abc")
    await worker.close()
    assert not any(thread.name.startswith("aiogen-sandbox") for thread in threading.enumerate())
