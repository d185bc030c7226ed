"""What goes wrong with one request: instead of an answer, or to an answer."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import attrs

from .talk import Answer, Ask

if TYPE_CHECKING:
    from .vendor import Vendor

_HTML = b"<html><body><h1>Bad gateway</h1></body></html>"
_NONSENSE: tuple[Any, ...] = (None, [[]], 17, "yes", {}, {"id": None}, {"id": 7, "state": []}, {"generate": "soon"},
                              {"generations_by_pk": 5}, {"generations": "many"})  # fmt: skip


def instead(vendor: Vendor, ask: Ask, fault: str | None, r: Random) -> Answer | None:
    """An answer without anything having been done, or None."""
    match (fault or "").split():
        case ["429", *how]:
            scope = r.choice(("creates", "place", "all")) if ask.kind == "create" else "all"
            wait = r.randint(1, 30) if how else None
            return vendor.refusal(scope, wait, dated=how == ["dated"])
        case [("502" | "503") as status, *how]:
            wait = r.randint(1, 20) if how else None
            headers = {"Retry-After": str(wait)} if how else {}
            # Luma documents that nothing was queued then; of Leonardo nobody knows.
            means = "unavailable" if vendor.is_luma or ask.kind != "create" else "nothing"
            scope = "" if status != "503" or means == "nothing" else "creates" if ask.kind == "create" else "all"
            return Answer(
                int(status), _error(vendor, "unavailable"), means, headers=headers,
                wait=wait if scope else None, scope=scope,
            )  # fmt: skip
        case [("500" | "408") as status, *how] if how != ["after"]:
            headers = {"Retry-After": str(r.randint(1, 20))} if how else {}
            return Answer(int(status), _error(vendor, "internal"), headers=headers)
        case [("400" | "401" | "402" | "422") as status]:
            return Answer(int(status), _error(vendor, "refused"), "refused")
        case ["html", "403"]:
            return Answer(403, _HTML, "refused")
        case ["html"]:
            return Answer(r.choice((200, 502) if ask.kind != "create" else (200,)), _HTML)
        case ["empty"] if ask.kind != "create":
            return Answer(200, b"")
        case ["nonsense"] if ask.kind != "create":
            return Answer(200, r.choice(_NONSENSE))
        case ["stale"]:
            at = vendor.now - r.uniform(0.5, 10.0)
            if ask.kind == "list":
                return vendor.listed(ask, at)
            life = vendor.lives.get(ask.key)
            return vendor.shown(life, at) if life is not None and life.is_found(vendor.now) else vendor.missing(ask)
        case ["wrong", "id"]:
            others = [life for life in vendor.lives.values() if life.id != ask.key]
            return attrs.evolve(vendor.shown(r.choice(others), vendor.now - 1e-9), means="nothing") if others else None
    return None


def spoiled(vendor: Vendor, ask: Ask, fault: str | None, answer: Answer, r: Random) -> Answer:
    """What becomes of an answer on its way out."""
    if ask.kind == "create" and answer.life is not None:
        match fault:
            case "500 after":
                return Answer(500, _error(vendor, "internal"), life=answer.life)
            case "html after":
                return Answer(200, _HTML, life=answer.life)
            case "empty":
                return Answer(200, b"", life=answer.life)
            case "nonsense":
                return Answer(200, r.choice(_NONSENSE), life=answer.life)
    if fault == "strange" and answer.means == "runs":
        inner = answer.document if vendor.is_luma else answer.document["generations_by_pk"]
        inner["state" if vendor.is_luma else "status"] = "pondering"
    if fault == "gaps" and answer.means == "page":
        rows = answer.document["generations"]
        kept = [row for row in rows if r.random() < 0.5]
        ids = {row["id"] for row in kept}
        page = [life for life in answer.page if life.id in ids]
        return Answer(200, {"generations": kept}, "page", page=page)
    return answer


def _error(vendor: Vendor, words: str) -> dict[str, str]:
    return {"detail": words} if vendor.is_luma else {"error": words, "code": "unexpected"}
