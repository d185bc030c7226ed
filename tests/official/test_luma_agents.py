"""Luma's own test suite for its own client passes against the sandbox.

The 140 API tests are in the source distribution of `luma-agents`; they send nonsense for some parameters on purpose,
so the sandbox is lenient here.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from aiogen.sandbox import LumaSettings, Sandbox

pytestmark = [pytest.mark.official, pytest.mark.looptime(False), pytest.mark.timeout(300)]

VERSION = "0.5.0"


def source_of_the_client(folder: Path) -> Path:
    """The unpacked source distribution."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "luma-agents"]
    subprocess.run([*command, "--dest", str(folder), f"luma-agents=={VERSION}"], check=True)
    (archive,) = folder.glob("luma_agents-*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / f"luma_agents-{VERSION}"


async def test_their_suite_passes(tmp_path: Path) -> None:
    """All of it: sync and async, loose and strict, httpx and aiohttp."""
    pytest.importorskip("luma_agents")
    source = await asyncio.to_thread(source_of_the_client, tmp_path)
    async with Sandbox(luma=LumaSettings(lenient=True)) as box:
        process = await asyncio.create_subprocess_exec(
            # Their loops and sockets are closed late, which a newer pytest than theirs calls an error.
            *(sys.executable, "-m", "pytest", "tests/api_resources", "-q", "-n", "0", "-o", "filterwarnings=default"),
            cwd=source,
            env={**os.environ, "TEST_API_BASE_URL": box.luma_url},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output[-3000:]
    passed = re.search(r"(\d+) passed", output)
    assert passed is not None
    assert int(passed[1]) == 140
