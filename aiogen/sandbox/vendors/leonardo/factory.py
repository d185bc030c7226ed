"""From an accepted create to a job: its id, its size, and when it starts and ends."""

from __future__ import annotations

import math
import random
import uuid
from typing import Any, Literal

from ...clock import Clock
from ...jobs import SandboxJob
from ...limits import WaitingQueue
from ...script import Fate
from .checks import size_v1, size_v2
from .models import kind_of
from .settings import LeonardoSettings

FIRST_TICK = 0x1F1_8000_0000_0000
"""At which the 60-bit timestamps of v2's ids begin, in units of 100 ns since 1582: a day in 2026."""


class JobFactory:
    """Makes jobs; the same seed makes the same. The queue says when each of them starts."""

    def __init__(self, settings: LeonardoSettings, clock: Clock, queue: WaitingQueue, *, seed: int) -> None:
        self._settings = settings
        self._clock = clock
        self._queue = queue
        self._seed = seed
        self._accepted = 0

    def job(self, now: float, version: int, body: dict[str, Any], model: str, prompt: str, fate: Fate) -> SandboxJob:
        """The job of a create of v1 or v2 that is accepted now."""
        serial, self._accepted = self._accepted, self._accepted + 1
        dice = random.Random(f"{self._seed}/leonardo/{serial}")
        job_id = str(uuid.UUID(int=dice.getrandbits(128), version=4)) if version == 1 else _uuid6(serial, dice)
        kind = kind_of(model) if version == 2 else "image"
        started_at, ends_at = self._times(now, kind, fate, dice)
        width, height, images = size_v1(body) if version == 1 else size_v2(body["parameters"])
        return SandboxJob(
            provider="leonardo",
            id=job_id,
            kind=kind,
            model=model,
            body=body,
            prompt=prompt,
            fate=fate,
            outputs=images if fate.outputs is None else fate.outputs,
            size=(width, height),
            format=_format(model, body, kind),
            seed=dice.randrange(9_999_999_998),
            created_at=now,
            started_at=started_at,
            ends_at=ends_at,
        )

    def _times(self, now: float, kind: str, fate: Fate, dice: random.Random) -> tuple[float, float]:
        """When it will start and end, in loop seconds."""
        median, sigma = self._settings.durations.get(kind, (8.0, 0.4))
        usual = dice.lognormvariate(math.log(median), sigma)
        running = self._clock.shortened(usual if fate.processing is None else fate.processing)
        earliest = now + self._clock.shortened(fate.queued or 0)
        started_at = self._queue.enter(now, running, not_before=earliest)
        return started_at, started_at + running


def _format(model: str, body: dict[str, Any], kind: str) -> Literal["png", "jpeg", "mp4"]:
    """What results of audio and 3D models look like is not known; here they are pictures."""
    if kind == "video":
        return "mp4"
    cut_out = model == "remove-bg" and body["parameters"].get("format", "png") == "png"
    return "png" if cut_out else "jpeg"


def _uuid6(serial: int, dice: random.Random) -> str:
    """Like v2's ids: version 6, in order of creation. They count instead of reading the time, so that a seed repeats
    them."""
    ticks = FIRST_TICK + serial * 10_000
    high, low = ticks >> 12, ticks & 0xFFF
    return str(uuid.UUID(int=high << 80 | 0x6 << 76 | low << 64 | 0b10 << 62 | dice.getrandbits(62)))
