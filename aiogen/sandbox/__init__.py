"""Luma's and Leonardo.Ai's APIs on this machine, to build and test against without a key and without a bill.

    async with Sandbox(speed=10) as sandbox:
        os.environ |= sandbox.environment

What shall happen to which job is said by a `Script`, or by the prompt itself: see `aiogen.sandbox.script`. Whatever
the vendors do not document is marked so where it is decided.
"""

from .answering import RecordedRequest
from .app import Sandbox
from .faults import Fault
from .jobs import SandboxJob
from .script import Fate, Rule, Script, ScriptError, Storm
from .settings import LEONARDO_KEY, LUMA_KEY, LeonardoSettings, LumaSettings

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
