"""What a program does with a provider that another package offers; it prints what became of it as JSON."""

import asyncio
import json
import os
import sys
from typing import Any

import aiogen


def loaded() -> list[str]:
    """Which of the outside modules have been imported."""
    return sorted(name for name in sys.modules if name.startswith("aiogen_"))


async def refused(session: aiogen.Session, model: str) -> str:
    """The error for a model."""
    try:
        await session.generate(model, "a paper boat")
    except aiogen.AiogenError as error:
        return f"{type(error).__name__}: {error}"
    return "none"


async def main() -> dict[str, Any]:
    """Everything, in one process."""
    said: dict[str, Any] = {}
    async with aiogen.Session() as session:
        said["before"] = loaded()
        generation = await session.generate("darkroom/silver", "a paper boat")
        said["after"] = loaded()
        said["generation"] = [generation.provider, generation.provider_id, generation.state, generation.url]
        said["connections"] = list(session.connections)
        for name in ("broken", "exits", "thief", "factless", "misnamed", "luma", "nobody"):
            said[name] = await refused(session, f"{name}/x")
        said["still"] = (await session.generate("darkroom/silver", "another boat")).state
    async with aiogen.Session(store="left.db") as session:
        job = await session.submit("darkroom/silver", "a slow boat")
        said["left"] = await job.accepted()
    del os.environ["DARKROOM_KEY"]
    async with aiogen.Session() as session:
        said["without a key"] = await refused(session, "darkroom/silver")
    async with aiogen.Session([]) as session:
        said["not passed"] = await refused(session, "darkroom/silver")
    return said


sys.stdout.write(json.dumps(asyncio.run(main())))
