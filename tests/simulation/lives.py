"""Generations as a vendor keeps them, and what they look like from outside, in the words of each vendor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import attrs

from aiogen import FailureCode, State

EPOCH = 1_800_000_000.0
"""The wall clock at the beginning of every story."""
USER = "3f1c3a3e-0000-4000-8000-000000000001"

ENDS: dict[str, tuple[State, frozenset[FailureCode | None]]] = {
    "completed": (State.COMPLETED, frozenset({None})),
    "partial": (State.COMPLETED, frozenset({None})),
    "hollow twice": (State.COMPLETED, frozenset({None})),
    "moderated": (State.FAILED, frozenset({FailureCode.CONTENT_MODERATED})),
    "failed": (State.FAILED, frozenset({FailureCode.GENERATION_FAILED})),
    "hollow": (State.FAILED, frozenset({FailureCode.OUTPUT_NOT_FOUND})),
    "empty": (State.FAILED, frozenset({FailureCode.OUTPUT_NOT_FOUND})),
    "lost": (State.FAILED, frozenset({FailureCode.NOT_FOUND})),
}
"""What a program may be told of each fate; "stuck" has no end."""


@attrs.define(eq=False)
class Life:
    """One generation that a vendor carried out."""

    id: str
    number: int | None
    """Of the job that it was made for; None if others made it."""
    model: str
    prompt: str
    images: int
    fate: str
    accepted_at: float
    starts_at: float
    ends_at: float
    known_from: float
    """Before that reads do not know it."""
    blips: tuple[tuple[float, float], ...] = ()
    """From when to when they do not know it either."""
    missed_in: tuple[float, float] | None = None
    """The blip in which the last read was."""
    hollow_reads: int = 0
    seen_over: bool = False

    @property
    def lost_at(self) -> float:
        return self.ends_at if self.fate == "lost" else math.inf

    def is_over(self, at: float) -> bool:
        """True if there will be nothing new to see."""
        return at >= self.ends_at and self.fate != "stuck"

    def is_active(self, at: float, *, frees_by_poll: bool) -> bool:
        """True while it takes a place of the account."""
        if self.fate == "stuck":
            return True
        return at < self.ends_at or (frees_by_poll and not self.seen_over and self.fate != "lost")

    def is_found(self, at: float) -> bool:
        """True if a read finds it now.

        There is a good reading between two blips, even if it comes late: else nobody could tell them from a loss.
        """
        if not self.known_from <= at < self.lost_at:
            return False
        blip = next((blip for blip in self.blips if blip[0] <= at < blip[1]), None)
        if blip is None or self.missed_in not in (None, blip):
            self.missed_in = None
            return True
        self.missed_in = blip
        return False

    @property
    def given(self) -> int:
        """How many pictures there will be."""
        return {"partial": 1, "hollow": 0, "empty": 0}.get(self.fate, self.images)

    def urls(self) -> list[str]:
        return [f"https://storage.invalid/{self.id}/{i}.png" for i in range(self.given)]


def born(
    r: Random, plan: Any, *, key: str, number: int | None, model: str, prompt: str, images: int, at: float
) -> Life:
    """A new one; `plan` is its vendor's."""
    duration = max(0.05, plan.medians.get(model, 5.0) * math.exp(plan.spread * r.gauss(0.0, 1.0)))
    fate = r.choices(tuple(plan.fates), tuple(plan.fates.values()))[0]
    life = Life(
        id=key,
        number=number,
        model=model,
        prompt=prompt,
        images=images,
        fate="completed" if fate == "partial" and images == 1 else fate,
        accepted_at=at,
        starts_at=at + duration * r.uniform(0.0, 0.3),
        ends_at=at + duration,
        known_from=at + (plan.late_knowledge * r.random() if number is not None else 0.0),
    )
    if plan.blips:
        life.blips = tuple(_blips(r, at, at + duration))
    return life


def _blips(r: Random, begin: float, end: float) -> Iterator[tuple[float, float]]:
    """Also about the end, for it is then that most is asked; and apart, for together they would be believed."""
    at = begin
    while (at := at + r.uniform(6.0, 20.0)) < end - 8.0:
        yield at, at + r.uniform(0.5, 2.5)
    at = end + r.uniform(-1.5, 0.5)
    yield at, at + r.uniform(0.5, 2.5)


def luma(life: Life, at: float) -> dict[str, Any]:
    """As Luma writes it."""
    is_failed = life.fate in ("moderated", "failed")
    state = "queued" if at < life.starts_at else "processing"
    if life.is_over(at):
        state = "failed" if is_failed else "completed"
    document: dict[str, Any] = {
        "id": life.id,
        "type": "image",
        "state": state,
        "model": life.model,
        "created_at": _date(life.accepted_at),
        "output": [],
    }
    if state == "failed":
        document["failure_code"] = "content_moderated" if life.fate == "moderated" else "generation_failed"
        document["failure_reason"] = "it was not to be"
    elif state == "completed" and not (life.fate == "hollow twice" and life.hollow_reads < 2):
        document["output"] = [{"type": "image", "url": url} for url in life.urls()]
    return document


def leonardo(life: Life, at: float) -> dict[str, Any]:
    """As Leonardo writes it."""
    over = life.is_over(at)
    is_failed = life.fate in ("moderated", "failed")
    return {
        "id": life.id,
        "status": ("FAILED" if is_failed else "COMPLETE") if over else "PENDING",
        "prompt": life.prompt,
        "modelId": None,
        "createdAt": _date(life.accepted_at),
        "generated_images": [{"id": url[-40:], "url": url, "nsfw": False} for url in life.urls()]
        if over and not is_failed
        else [],
        "prompt_moderations": [{"moderationClassification": ["NSFW"]}] if over and life.fate == "moderated" else [],
    }


def _date(at: float) -> str:
    return datetime.fromtimestamp(EPOCH + at, UTC).isoformat()
