"""A session with the provider from outside: two requests a poll, and the addresses that the create named."""

from __future__ import annotations

from pathlib import Path

import pytest
from serving import serving

import aiogen
from outside.test_battery import darkroom
from outside.vendor import KEY, Darkroom


def connection(vendor: Darkroom) -> aiogen.Provider:
    return darkroom.Darkroom(api_key=KEY, base_url=f"{vendor.url}/v1")  # type: ignore[no-any-return]


async def test_the_result_is_asked_for_once_it_is_ready() -> None:
    """And not before: only the status while it is developed."""
    vendor = Darkroom(ready_after=2)
    async with serving(vendor) as vendor.url:
        async with aiogen.Session([connection(vendor)]) as session:
            generation = await session.generate("darkroom/silver", "a paper boat")
    assert generation.url == f"{vendor.url}/files/p-1.png"
    status, result = "GET /v1/queue/p-1/status", "GET /v1/queue/p-1/result"
    assert vendor.asked == ["POST /v1/prints", status, status, status, result]


async def test_a_failure_that_the_result_tells() -> None:
    """A refusal of the result is the end of the generation."""
    vendor = Darkroom()
    async with serving(vendor) as vendor.url:
        async with aiogen.Session([connection(vendor)]) as session:
            with pytest.raises(aiogen.GenerationFailed, match="the paper is torn"):
                await session.generate("darkroom/silver", "a torn boat")


@pytest.mark.looptime(False)
async def test_the_addresses_survive_the_program(tmp_path: Path) -> None:
    """The next session asks where the first create was told to ask, for nothing else is there."""
    vendor = Darkroom(ready_after=10**6)
    async with serving(vendor) as vendor.url:
        async with aiogen.Session([connection(vendor)], store=str(tmp_path / "jobs.db")) as session:
            job = await session.submit("darkroom/silver", "a paper boat")
            await job.accepted()
        vendor.ready_after = 0
        async with aiogen.Session([connection(vendor)], store=str(tmp_path / "jobs.db")) as session:
            found = await session.job(job.id)
            assert (await found).url == f"{vendor.url}/files/p-1.png"
    assert vendor.subjects == ["a paper boat"]
