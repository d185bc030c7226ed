"""Whom the studio asks: the providers of the environment, or the sandbox at a pace that is nice to watch."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiogen
from aiogen.sandbox import Fate, Rule, Sandbox, Script

VARIABLES = ("LUMA_AGENTS_API_KEY", "LEONARDO_API_KEY", "COMFYUI_BASE_URL")
SPEED = 4.0
"""How much faster the sandbox is than the vendors."""
REFUSED = Rule(prompt="that is refused", fate=Fate(failure_code="content_moderated"))
"""The page proposes such a prompt, so that one sees what a failure looks like."""
_LUMA = {"uni-1": 30.0, "uni-1-max": 60.0, "ray-3.2": 90.0}
_LEONARDO = {"lucid-origin": 12.0, "lucid-realism": 12.0, "flux-dev": 12.0, "flux-schnell": 12.0}


def are_real(providers: Sequence[aiogen.Provider] | None) -> bool:
    """False if the sandbox is asked, for there is no provider."""
    return providers is not None or any(os.environ.get(name) for name in VARIABLES)


@asynccontextmanager
async def chosen(
    providers: Sequence[aiogen.Provider] | None,
) -> AsyncIterator[tuple[Sequence[aiogen.Provider] | None, bool]]:
    """The providers as a session takes them, and whether they are imitated."""
    if are_real(providers):
        yield providers, False
        return
    print("No key is set, so this runs against the sandbox, and nothing costs money.")
    async with Sandbox(speed=SPEED, seed=random.randrange(1_000_000), script=Script([REFUSED])) as sandbox:
        before = {name: os.environ.get(name) for name in sandbox.environment}
        os.environ.update(sandbox.environment)
        try:
            # Known from the start, so that the first estimates are as good as they will be at the vendors.
            luma = aiogen.Luma(typical_seconds={model: seconds / SPEED for model, seconds in _LUMA.items()})
            usual = {model: seconds / SPEED for model, seconds in _LEONARDO.items()}
            yield [luma, aiogen.Leonardo(typical_seconds=usual), aiogen.ComfyUI()], True
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
