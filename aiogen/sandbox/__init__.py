"""Luma's and Leonardo.Ai's APIs on this machine, to build and test against without a key and without cost.

    async with Sandbox(speed=10) as sandbox:
        os.environ |= sandbox.environment

A `Script`, or the prompt itself, decides what happens to which job: see `aiogen.sandbox.script`. Whatever the vendors
do not document is marked so in the source.
"""

from .app import Sandbox
from .context import RecordedRequest
from .jobs import SandboxJob
from .script import Fate, Fault, Rule, Script, ScriptError, Storm
from .vendors.leonardo import LEONARDO_KEY, LeonardoSettings
from .vendors.luma import LUMA_KEY, LumaSettings

__all__ = [
    "LEONARDO_KEY",
    "LUMA_KEY",
    "Fate",
    "Fault",
    "LeonardoSettings",
    "LumaSettings",
    "RecordedRequest",
    "Rule",
    "Sandbox",
    "SandboxJob",
    "Script",
    "ScriptError",
    "Storm",
]
