"""What stands between the programs and a vendor: it passes requests on, or answers them itself, or both.

It says nothing that the vendor could have said: a page, a word, nothing, or JSON of another shape.  What it passed on
was carried out, whatever it says then; what it turns away with a 4xx was not passed on, for so that is understood.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

import attrs

from .scenario import EdgePlan
from .talk import Answer, Ask

if TYPE_CHECKING:
    from .vendor import Vendor

_PASSES_ON = 0.8
"""Of what it loses."""


@attrs.frozen
class Word:
    """What it says to one request."""

    answer: Answer | None
    """None: what it said to an earlier one."""
    passes_on: bool

    def instead_of(self, answer: Answer, earlier: Answer | None) -> Answer:
        """What is told, if the vendor's answer was this."""
        if self.answer is None:
            if earlier is None or answer.life is None:
                return answer
            return attrs.evolve(earlier, means="mixed up", life=answer.life)
        return attrs.evolve(self.answer, life=answer.life, means="lost" if answer.life else self.answer.means)


def word(vendor: Vendor, plan: EdgePlan, ask: Ask) -> Word | None:
    """What it says to a request instead of the vendor, if it does."""
    r = vendor.chance("edge", ask.kind, ask.key, ask.nth)
    loses, turns_away, reads = plan.odds
    which = r.random()
    wait = float(r.randint(1, 20)) if r.random() < 0.4 else None
    form = r.choice(plan.forms)
    if ask.kind != "create":
        if which >= reads:
            return None
        return Word(_said(r.choice(plan.reads), form, wait, is_read=True), passes_on=False)
    if which < loses:
        return Word(_said(r.choice(plan.loses), form, None, is_read=False), passes_on=r.random() < _PASSES_ON)
    if r.random() < plan.repeats:
        return Word(None, passes_on=True)
    if which < loses + turns_away:
        return Word(_said(r.choice(plan.turns_away), form, wait, is_read=False), passes_on=False)
    return None


def _said(status: int, form: str, wait: float | None, *, is_read: bool) -> Answer:
    means = "nothing"
    if status == 429:
        means = "throttled"
    elif status == 503 and is_read:
        means = "unavailable"
    elif 400 <= status < 500 and status != 408 and not is_read:
        means = "refused"
    is_told = wait is not None and means in ("throttled", "unavailable")
    headers = {"Retry-After": f"{wait:g}"} if is_told else {}
    if 300 <= status < 400:
        headers["Location"] = "https://login.invalid/"
    return Answer(
        status, b"" if status == 204 else _body(status, form), means, headers=headers, wait=wait if is_told else None,
        scope="all", is_edge=True,
    )  # fmt: skip


def _body(status: int, form: str) -> bytes:
    try:
        words = HTTPStatus(status).phrase
    except ValueError:
        words = "The origin did not answer"
    match form:
        case "page":
            return f"<html><head><title>{words}</title></head><body><h1>{words}</h1></body></html>".encode()
        case "text":
            return f"edge says: {words}".encode()
        case "json":
            return json.dumps({"message": words, "requestId": "4f1c"} if status % 2 else {"error": words}).encode()
    return b""
