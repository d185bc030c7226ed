"""From an accepted create to a job: its id, its size, and when it starts and ends."""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Mapping
from typing import Any, Literal

from ...clock import Clock
from ...jobs import SandboxJob
from ...script import Fate
from ...script.fate import USUAL
from .settings import LumaSettings

WEB_SEARCH_SECONDS = 3.0
"""Documented as "a few seconds"."""
LONGEST_SIDE = 2048
"""Pixels; the price list speaks of 2K."""


class JobFactory:
    """Makes jobs; the same seed makes the same."""

    def __init__(self, settings: LumaSettings, clock: Clock, *, seed: int) -> None:
        self._settings = settings
        self._clock = clock
        self._seed = seed
        self._accepted = 0

    def job(
        self, now: float, body: dict[str, Any], prompt: str, fate: Fate, *, weight: int, fetching: float
    ) -> SandboxJob:
        """The job of a create that is accepted now, and whose references take `fetching` loop seconds to arrive."""
        dice = random.Random(f"{self._seed}/luma/{self._accepted}")
        self._accepted += 1
        model, kind = model_and_kind(body)
        job_id = str(uuid.UUID(int=dice.getrandbits(128), version=4))
        usual_outputs = dice.randint(2, 4) if kind == "layering" else 1
        queued, processing = self._seconds(dice, model, web_search=bool(body.get("web_search")), fate=fate)
        started_at = now + fetching + self._clock.shortened(queued)
        return SandboxJob(
            provider="luma",
            id=job_id,
            kind=kind,
            model=model,
            body=body,
            prompt=prompt,
            fate=fate,
            outputs=usual_outputs if fate.outputs is None else fate.outputs,
            size=_size(body.get("aspect_ratio")),
            format=_format(body, kind),
            seed=dice.getrandbits(32),
            weight=weight,
            created_at=now,
            started_at=started_at,
            ends_at=started_at + self._clock.shortened(processing),
        )

    def _seconds(self, dice: random.Random, model: str, *, web_search: bool, fate: Fate) -> tuple[float, float]:
        """The vendor's seconds in the queue, and of processing."""
        median, sigma = self._settings.durations.get(model, (30.0, 0.33))
        whole = dice.lognormvariate(math.log(median), sigma) + WEB_SEARCH_SECONDS * web_search
        queued = whole * self._settings.queued_share
        return (
            queued if fate.queued is None else fate.queued,
            whole - queued if fate.processing is None else fate.processing,
        )


def finished(job_id: str, now: float) -> SandboxJob:
    """For the lenient mode, in which every job exists and has ended."""
    return SandboxJob(
        provider="luma",
        id=job_id,
        kind="image",
        model="uni-1",
        body={},
        prompt="",
        fate=USUAL,
        outputs=1,
        size=_size(None),
        format="png",
        seed=0,
        created_at=now,
        started_at=now,
        ends_at=now,
    )


def model_and_kind(body: Mapping[str, Any]) -> tuple[str, str]:
    return str(body.get("model", "uni-1")), str(body.get("type", "image"))


def _format(body: Mapping[str, Any], kind: str) -> Literal["png", "jpeg", "mp4"]:
    if kind.startswith("video"):
        return "mp4"
    # What the model chooses by default is not documented; the samples are PNG, and layers need transparency.
    return "jpeg" if body.get("output_format") == "jpeg" and kind != "layering" else "png"


def _size(aspect_ratio: object) -> tuple[int, int]:
    """A square if the model decides (not documented)."""
    try:
        width, height = (int(side) for side in str(aspect_ratio or "1:1").split(":"))
    except ValueError:  # lenient
        return LONGEST_SIDE, LONGEST_SIDE
    scale = LONGEST_SIDE / max(width, height, 1)
    return round(width * scale), round(height * scale)
