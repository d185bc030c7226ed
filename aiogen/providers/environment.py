"""What the environment says about a connection.  Read when a provider is made, and by nothing else that is pure."""

from __future__ import annotations

import os


def said(variable: str | None) -> str:
    """The value of a variable; empty if it is not set, or if there is none to ask for."""
    return os.environ.get(variable, "") if variable else ""
