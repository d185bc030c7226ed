"""The providers' APIs on this machine, to build and test against without a key and without cost.

    async with Sandbox(speed=10) as sandbox:
        os.environ |= sandbox.environment

A `Script`, or the prompt itself, decides what happens to which job: see `aiogen.sandbox.script`. Whatever the vendors
do not document is marked so in the source. Beside the names below, each vendor has its settings here, and a key that
its API accepts, if it needs one.
"""

from typing import TYPE_CHECKING

from .app import IMITATIONS, Sandbox
from .context import RecordedRequest
from .jobs import SandboxJob
from .script import Fate, Fault, Rule, Script, ScriptError, Storm
from .webhooks import SentWebhook

__all__ = [
    "Fate",
    "Fault",
    "RecordedRequest",
    "Rule",
    "Sandbox",
    "SandboxJob",
    "Script",
    "ScriptError",
    "SentWebhook",
    "Storm",
]

if TYPE_CHECKING:
    from .vendors import typed
    from .vendors.typed import *  # noqa: F403

    __all__ += typed.__all__
else:
    for _imitation in IMITATIONS.values():
        globals().update(_imitation.exports)
        __all__ += _imitation.exports
