"""The sandbox as a whole: its life, and what it leaves behind."""

from __future__ import annotations

import asyncio
import threading

import aiohttp
import pytest

import aiogen.sandbox
from aiogen.sandbox import LEONARDO_KEY, LUMA_KEY, ComfyUISettings, LeonardoSettings, LumaSettings, Sandbox

from .conftest import Caller, Visiting


async def test_environment_points_here(visiting: Visiting) -> None:
    async with visiting() as caller:
        sandbox = caller.sandbox
        assert sandbox.url.startswith("http://127.0.0.1:")
        assert not sandbox.url.endswith(":0")
        assert sandbox.environment == {
            "LUMA_AGENTS_API_KEY": LUMA_KEY,
            "LUMA_BASE_URL": f"{sandbox.url}/luma/v1",
            "LEONARDO_API_KEY": LEONARDO_KEY,
            "LEONARDO_BASE_URL": f"{sandbox.url}/leonardo/api/rest",
            "COMFYUI_BASE_URL": f"{sandbox.url}/comfyui",
        }


def test_settings_are_read_under_the_vendors_names() -> None:
    settings = ComfyUISettings(cache="none")
    sandbox = Sandbox(comfyui=settings, luma=None)
    assert sandbox.comfyui is settings
    assert sandbox.luma == LumaSettings()
    with pytest.raises(AttributeError, match="'Sandbox' object has no attribute 'bfl_url'"):
        _ = sandbox.bfl_url  # type: ignore[attr-defined]


def test_settings_of_nobody_are_refused() -> None:
    with pytest.raises(TypeError, match="no keyword 'bfl'; the vendors are comfyui, leonardo, luma"):
        Sandbox(bfl=LumaSettings())  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="luma: expected LumaSettings, not ComfyUISettings"):
        Sandbox(luma=ComfyUISettings())  # type: ignore[arg-type]


def test_environment_names_a_key_that_works() -> None:
    other = "11111111-2222-4333-8444-000000000000"
    sandbox = Sandbox(
        luma=LumaSettings(api_keys={"old": "revoked", "new": "valid"}),
        leonardo=LeonardoSettings(api_keys={other: "valid"}),
    )
    assert sandbox.environment["LUMA_AGENTS_API_KEY"] == "new"
    assert sandbox.environment["LEONARDO_API_KEY"] == other


def test_environment_without_any_key_that_works() -> None:
    sandbox = Sandbox(luma=LumaSettings(api_keys={"old": "revoked"}))
    assert sandbox.environment["LUMA_AGENTS_API_KEY"] == LUMA_KEY


async def test_starting_and_stopping_twice_does_nothing() -> None:
    sandbox = Sandbox()
    await sandbox.stop()
    await sandbox.start()
    url = sandbox.url
    await sandbox.start()
    assert sandbox.url == url
    await sandbox.stop()
    await sandbox.stop()


async def test_what_was_seen_can_be_read_after_the_end() -> None:
    async with Sandbox() as sandbox, aiohttp.ClientSession() as http:
        await Caller(sandbox, http).created()
    assert len(sandbox.jobs) == len(sandbox.requests) == 1


async def test_started_again_it_has_forgotten_and_listens_where_it_did() -> None:
    sandbox = Sandbox()
    async with sandbox, aiohttp.ClientSession() as http:
        await Caller(sandbox, http).created()
        url = sandbox.url
    async with sandbox, aiohttp.ClientSession() as http:
        assert sandbox.url == url
        assert sandbox.jobs == []
        await Caller(sandbox, http).created()


async def test_before_the_start_there_is_nothing_to_see() -> None:
    sandbox = Sandbox()
    with pytest.raises(RuntimeError, match="has not been started"):
        _ = sandbox.jobs
    with pytest.raises(RuntimeError, match="has not been started"):
        sandbox.reset()


async def test_port_in_use_is_an_error_and_leaves_nothing_open() -> None:
    async with Sandbox() as first:
        second = Sandbox(port=int(first.url.rpartition(":")[2]))
        with pytest.raises(OSError, match=r"."):
            await second.start()
        await second.stop()


@pytest.mark.parametrize("speed", [0, -1])
def test_time_goes_forward(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        Sandbox(speed=speed)


async def test_leaves_no_task_and_no_thread_behind() -> None:
    tasks = asyncio.all_tasks()
    async with Sandbox() as sandbox, aiohttp.ClientSession() as http:
        caller = Caller(sandbox, http)
        job_id = await caller.created("a boat [[queued=0 processing=0]]")
        await caller.ask("GET", (await caller.poll(job_id)).json["output"][0]["url"])
        calls = [asyncio.create_task(caller.create(f"{i} [[create=hang]]")) for i in range(5)]
        await asyncio.sleep(1)
        await sandbox.stop()
        await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("aiogen")] == []


@pytest.mark.looptime(False)
async def test_runs_on_the_real_clock_as_well() -> None:
    async with Sandbox(speed=1e6) as sandbox, aiohttp.ClientSession() as http:
        caller = Caller(sandbox, http)
        job_id = await caller.created("a boat [[queued=0 processing=0 url-lifetime=1e9]]")
        url = (await caller.poll(job_id)).json["output"][0]["url"]
        assert (await caller.ask("GET", url)).status == 200


async def test_fifty_thousand_jobs_cost_no_task() -> None:
    settings = LumaSettings(creates_per_window=10**6, max_active=10**6)
    async with Sandbox(luma=settings) as sandbox, aiohttp.ClientSession() as http:
        caller = Caller(sandbox, http)
        await caller.created()
        tasks = len(asyncio.all_tasks())
        for _ in range(200):
            await caller.created()
        assert len(asyncio.all_tasks()) == tasks


def test_public_names_exist_and_are_sorted_out() -> None:
    for name in aiogen.sandbox.__all__:
        assert hasattr(aiogen.sandbox, name)
    assert {
        "Sandbox",
        "LumaSettings",
        "LeonardoSettings",
        "ComfyUISettings",
        "Script",
        "Rule",
        "Storm",
        "Fate",
        "Fault",
    } <= set(aiogen.sandbox.__all__)
