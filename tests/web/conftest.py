"""The studio on a server of its own, and a real browser that looks at it: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from web.looking import Studio, Window

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def studio() -> Iterator[Studio]:
    """Thirty times as fast as the vendors."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-m", "web.studio_server", "30"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as server:
        assert server.stdout is not None
        try:
            where = json.loads(server.stdout.readline())
            yield Studio(where["studio"], where["sandbox"])
        finally:
            server.terminate()
            server.wait(20)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Without a window of its own."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    assert chromium is not None, "There is no chromium here: apt-get install chromium"
    sandboxed = ["--no-sandbox"] if os.geteuid() == 0 else []  # which root is not allowed
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=sandboxed)
        yield running
        running.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Any]:
    """Somebody with cookies of their own, who likes it calm; what the page complains of fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(15_000)
    complaints: list[str] = []
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
    yield context
    context.close()
    # What a test does to the connection on purpose, the browser writes down as well.
    unexpected = [line for line in complaints if not line.startswith("Failed to load resource")]
    assert unexpected == []


@pytest.fixture
def window(visitor: Any, studio: Studio) -> Window:
    """The page, as this visitor sees it at first."""
    return Window.open(visitor, studio)
