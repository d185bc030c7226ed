"""The examples run as they stand, each as its own program, against the sandbox."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
PROGRAMS = sorted(p.name for p in EXAMPLES.glob("[a-z]*.py") if p.name != "fastapi_backend.py")


def environment() -> dict[str, str]:
    keys = ("LUMA_AGENTS_API_KEY", "LEONARDO_API_KEY")
    return {name: value for name, value in os.environ.items() if name not in keys}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[subprocess.Popen[str], Path]]]:
    """All of them at once: they mostly wait."""
    running = {}
    for name in PROGRAMS:
        folder = tmp_path_factory.mktemp(name.removesuffix(".py"))
        process = subprocess.Popen(
            [sys.executable, "-W", "error", EXAMPLES / name],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running[name] = process, folder
    yield running
    for process, _ in running.values():
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_example_runs(name: str, started: dict[str, tuple[subprocess.Popen[str], Path]]) -> None:
    """With no key it starts the sandbox by itself, and ends well."""
    process, folder = started[name]
    output, errors = process.communicate(timeout=50)
    assert (process.returncode, errors) == (0, "")
    assert "sandbox" in output
    if "out/" in output:
        assert list((folder / "out").iterdir())


@pytest.mark.looptime(False)
async def test_the_web_backend(tmp_path: Path) -> None:
    """One session serves requests that wait, and requests that come back later; asked over real HTTP."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "fastapi_backend:app", "--app-dir", str(EXAMPLES), "--port", "0"),
        env=environment(),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        assert server.stdout is not None
        url = ""
        async for line in server.stdout:
            if b"running on" in line:
                url = line.decode().split("running on ")[1].split()[0]
                break
        async with httpx.AsyncClient(base_url=url, timeout=30.0) as client:
            await speak(client)
    finally:
        server.terminate()
        rest = await server.communicate()
    assert b"Traceback" not in rest[0]
    assert b"Application shutdown complete" in rest[0]


async def speak(client: httpx.AsyncClient) -> None:
    """What a browser or another service would ask."""
    waited, quick, failed, refused = await asyncio.gather(
        client.post("/images", json={"prompt": "a paper boat [[processing=5]]"}),
        client.post(
            "/images/jobs", json={"prompt": "a paper boat [[processing=5]]", "model": "leonardo/gemini-image-2"}
        ),
        client.post("/images", json={"prompt": "a bad boat [[processing=5 fail=content_moderated]]"}),
        client.post("/images", json={"prompt": " "}),
    )
    assert (waited.status_code, waited.json()["state"]) == (200, "completed")
    assert waited.json()["urls"]
    assert (failed.status_code, failed.json()["detail"]["failure_code"]) == (422, "content_moderated")
    assert (refused.status_code, "prompt cannot be empty" in refused.text) == (422, True)
    assert quick.status_code == 202
    job: dict[str, Any] = quick.json()
    assert (job["provider_id"], job["state"]) == (None, "pending")
    while job["state"] not in ("completed", "failed"):
        await asyncio.sleep(0.05)
        job = (await client.get(f"/images/jobs/{job['job_id']}")).json()
    assert job["urls"]
    assert (await client.get("/images/jobs/none")).status_code == 404
