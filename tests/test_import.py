"""Importing aiogen is quick and needs no extra."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import sys
EXTRAS = {"rich", "cyclopts", "PIL", "fastapi", "uvicorn", "jinja2", "pydantic", "httpx", "hypothesis", "pytest"}
ROOMS = ("aiogen.sandbox", "aiogen.cli", "aiogen.integrations", "aiogen.testing")
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"{name} is an extra", name=name)
sys.meta_path.insert(0, Refuse())
import aiogen
aiogen.Session, aiogen.Luma, aiogen.Leonardo
extra = sorted(m for m in sys.modules if m.startswith(ROOMS))
print(extra, "aiohttp" in sys.modules)
aiogen.Session([])
print("aiohttp" in sys.modules)
"""

# What drives an exchange needs no extra; a battery says which it needs.
TESTING = (
    PROBE[: PROBE.index("import aiogen")]
    + """
from aiogen.testing import answer, drive
try:
    from aiogen.testing import ProviderBattery
except ImportError as error:
    print(error)
"""
)


def test_a_battery_names_its_extra() -> None:
    """Without pytest the message says what to install."""
    result = subprocess.run([sys.executable, "-W", "error", "-c", TESTING], capture_output=True, text=True, timeout=50)
    assert (result.stdout, result.stderr) == ('aiogen.testing needs pytest: pip install "aiogen-sdk[testing]"\n', "")


def test_the_core_needs_no_extra() -> None:
    """Neither the sandbox nor the command line is loaded, and aiohttp only with the first session."""
    result = subprocess.run([sys.executable, "-W", "error", "-c", PROBE], capture_output=True, text=True, timeout=50)
    assert (result.stdout, result.stderr) == ("[] False\nTrue\n", "")
