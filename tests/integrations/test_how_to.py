"""The how-to for FastAPI (docs/web.md): its code runs as it stands."""

from __future__ import annotations

import ast
import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from ledger.in_loop import files_in_the_loop

from aiogen.sandbox import Sandbox

PAGE = (Path(__file__).parent.parent.parent / "docs" / "web.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## aiogen in a FastAPI backend\n")[2].partition("\n## ")[0]
BACKEND, CLIENT = re.findall(r"^```python\n(.*?)^```", SECTION, re.DOTALL | re.MULTILINE)


async def test_the_code_of_the_how_to_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The application and its client, as they are written there; asked twice, it is paid once."""
    monkeypatch.chdir(tmp_path)
    with files_in_the_loop(asyncio.get_running_loop()):
        async with Sandbox() as box:
            for name, value in box.environment.items():
                monkeypatch.setenv(name, value)
            backend: dict[str, Any] = {"__name__": "backend"}
            exec(compile(BACKEND, "backend.py", "exec"), backend)
            app = backend["app"]
            async with app.router.lifespan_context(app):
                for token, status in (("Bearer ann-s-token", 200), ("Bearer ben-s-token", 404), ("", 401)):
                    async with httpx.AsyncClient(
                        transport=httpx.ASGITransport(app), base_url="http://here", headers={"authorization": token}
                    ) as client:
                        if status == 200:
                            found = [await run(client) for _ in range(2)]
                            assert found[0]["picture"].startswith(b"\x89PNG")
                            assert found[0]["job"]["id"] == found[1]["job"]["id"]
                            assert len(box.jobs) == 1
                            waits = {"prefer": "wait=60"}
                            similar = await client.post("/generations", json=found[0]["similar"], headers=waits)
                            assert (similar.status_code, similar.json()["state"]) == (200, "completed")
                            path = found[0]["job"]["links"]["self"]
                        assert (await client.get(path)).status_code == status
                        assert (await client.get("/health/ready")).json()["status"] == "ok"
                assert len(box.jobs) == 2


async def run(client: httpx.AsyncClient) -> dict[str, Any]:
    """The client's lines, and what they found."""
    names: dict[str, Any] = {"client": client}
    await eval(compile(CLIENT, "client.py", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    return names


def test_every_route_is_in_the_table() -> None:
    """What the router has is what the page says."""
    backend: dict[str, Any] = {"__name__": "backend"}
    exec(compile(BACKEND, "backend.py", "exec"), backend)
    for path in backend["app"].openapi()["paths"]:
        assert re.search(rf"`(GET |POST |DELETE )?{re.escape(path.replace('job_id', 'id'))}[?`]", SECTION), path
