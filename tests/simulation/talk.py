"""What travels between the programs and the vendors, as the vendors see it."""

from __future__ import annotations

from typing import Any

import attrs

from .lives import Life
from .network import Process


@attrs.define(eq=False)
class Ask:
    """One request."""

    process: Process | None
    port: int
    at: float
    kind: str
    """create, read, list, account"""
    key: str
    """The job's number of a create, the id of a read."""
    nth: int
    body: Any = None
    offset: int = 0
    limit: int = 0


@attrs.define(eq=False)
class Answer:
    """What is said, and what it means to whoever reads it."""

    status: int
    document: Any
    means: str = "nothing"
    """accepted, refused, throttled, unavailable, over, runs, missing, page; "nothing" if it cannot be believed.

    In place of a create's answer that said "accepted": "lost", or "mixed up" if it says so of another generation."""
    headers: dict[str, str] = attrs.field(factory=dict)
    life: Life | None = None
    page: list[Life] = attrs.field(factory=list)
    wait: float | None = None
    is_dated: bool = False
    """The wait is told as a date."""
    scope: str = ""
    """Who has to wait: "all", "creates", "place"."""
    is_genuine: bool = False
    """A limit was really reached."""
    is_edge: bool = False
    """Something in between said so, not the vendor."""
