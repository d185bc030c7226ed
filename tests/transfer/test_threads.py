"""`aiogen._transfer.threads`: a session's own threads."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
import pytest
from pictures import png
from serving import ID, done, luma, serving

import aiogen
from aiogen._transfer.threads import AT_MOST, Threads


async def test_what_is_done_there_has_a_result() -> None:
    """Or raises; in threads of ours, of which there are few, and which end."""
    threads = Threads()
    names = await asyncio.gather(*(threads.run(lambda: threading.current_thread().name) for _ in range(50)))
    assert all(name.startswith("aiogen") for name in names)
    assert len(set(names)) <= AT_MOST
    assert await threads.run(int, "20", base=16) == 32
    with pytest.raises(ValueError, match="invalid literal"):
        await threads.run(int, "x")
    await threads.close()
    with pytest.raises(RuntimeError, match="have been stopped"):
        await threads.run(int)
    await threads.close()


async def test_threads_that_nobody_needed() -> None:
    """Are never started."""
    await Threads().close()


async def test_who_is_cancelled_leaves_it_to_end() -> None:
    """Closing waits for it, and what it raises then troubles nobody."""
    threads, go, over = Threads(), threading.Event(), []

    def slow() -> None:
        go.wait(10.0)
        over.append(True)
        raise RuntimeError("nobody looks")

    task = asyncio.create_task(threads.run(slow))
    await asyncio.sleep(0)
    task.cancel()
    assert await asyncio.gather(task, return_exceptions=True)
    closing = asyncio.create_task(threads.close())
    await asyncio.sleep(0)
    assert not over
    go.set()
    await closing
    assert over == [True]


async def test_an_application_may_have_filled_the_pool_of_the_loop(tmp_path: Path) -> None:
    """Every thread of it waits for aiogen, and aiogen needs none of them."""
    loop = asyncio.get_running_loop()
    full = ThreadPoolExecutor(1)
    loop.set_default_executor(full)

    async def vendor(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        if request.path.startswith("/v1"):
            return aiohttp.web.json_response(done(f"http://localhost:{request.url.port}/a.png"))
        return aiohttp.web.Response(body=png(), content_type="image/png")

    (tmp_path / "reference.png").write_bytes(png())
    async with serving(vendor) as url, aiogen.Session([luma(url.replace("127.0.0.1", "localhost"))]) as session:

        async def work() -> int:
            found = await session.get("luma", ID)
            references = [tmp_path / "reference.png", bytes(png(200_000))]
            await (await session.submit("luma/uni-1", "warmer", image_ref=references))
            return len(await session.download(found, tmp_path))

        def view() -> int:
            return asyncio.run_coroutine_threadsafe(work(), loop).result(30.0)

        assert await asyncio.to_thread(view) == 1
