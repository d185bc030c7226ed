"""Importing aiogen is quick and needs no extra."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import sys
EXTRAS = {"rich", "cyclopts", "PIL", "fastapi", "uvicorn", "pydantic", "httpx", "hypothesis", "pytest"}
ROOMS = ("aiogen.sandbox", "aiogen.cli", "aiogen.integrations", "aiogen.testing")
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in EXTRAS:
            raise ImportError(f"{name} is an extra")
sys.meta_path.insert(0, Refuse())
import aiogen
aiogen.Session, aiogen.Luma, aiogen.Leonardo
extra = sorted(m for m in sys.modules if m.startswith(ROOMS))
print(extra, "aiohttp" in sys.modules)
aiogen.Session([])
print("aiohttp" in sys.modules)
"""


def test_the_core_needs_no_extra() -> None:
    """Neither the sandbox nor the command line is loaded, and aiohttp only with the first session."""
    result = subprocess.run([sys.executable, "-W", "error", "-c", PROBE], capture_output=True, text=True, timeout=50)
    assert (result.stdout, result.stderr) == ("[] False\nTrue\n", "")
