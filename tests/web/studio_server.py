"""The studio beside a sandbox of its own, as a program: prints where both are, and runs until it is ended.

    python -m web.studio_server [speed]

A process of its own, so that no connection of a browser's stands open in the one that runs the tests.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path

import uvicorn

import aiogen
from aiogen.sandbox import LEONARDO_KEY, LUMA_KEY, Fate, Rule, Sandbox, Script

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from studio.app import make_app
from studio.vendors import REFUSED

SLOW = Rule(prompt="a steep street", fate=Fate(processing=300))
"""For a picture of the page while one is made."""


async def main(speed: float) -> None:
    """Serve until a signal comes."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        async with Sandbox(speed=speed, script=Script([REFUSED, SLOW])) as box:
            usual = {"uni-1": 30.0 / speed, "uni-1-max": 60.0 / speed, "ray-3.2": 90.0 / speed}
            luma = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url, typical_seconds=usual)
            leonardo = aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=box.leonardo_url)
            app = make_app([luma, leonardo], store=":memory:", is_sandbox=True)
            options = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
            where = {"studio": f"http://127.0.0.1:{door.getsockname()[1]}", "sandbox": box.url}
            sys.stdout.write(json.dumps(where) + "\n")
            sys.stdout.flush()
            await uvicorn.Server(options).serve([door])


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 30.0))
