"""Loop seconds and wall times."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from aiogen.sandbox.clock import Clock


async def test_goes_with_the_loop() -> None:
    clock = Clock(asyncio.get_running_loop())
    start = clock.now()
    await asyncio.sleep(5)
    assert clock.now() == start + 5
    assert clock.since_start() == 5


async def test_wall_moves_with_the_loop() -> None:
    before = datetime.now(UTC)
    clock = Clock(asyncio.get_running_loop())
    start = clock.now()
    assert timedelta(0) <= clock.wall(start) - before < timedelta(minutes=1)
    assert clock.wall(start + 90) - clock.wall(start) == timedelta(seconds=90)


async def test_speed_shortens() -> None:
    assert Clock(asyncio.get_running_loop(), speed=10).shortened(60) == 6
