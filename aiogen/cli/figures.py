"""Numbers and times as people, and as programs, write them.  Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aiogen.models import Cost

_UNITS = (("d", 86_400.0), ("h", 3600.0), ("m", 60.0))


def age(passed: timedelta) -> str:
    """How long ago, in at most four characters: 7s, 59m, 23h, 400d."""
    seconds = max(0.0, passed.total_seconds())
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds // 1:.0f}s"


def money(cost: Cost | None) -> str:
    """$0.04 or 8 credits; the amount as the vendor wrote it."""
    if cost is None:
        return "-"
    if cost.unit == "DOLLARS":
        return f"${cost.amount:f}"
    return f"{cost.amount:f} {cost.unit.lower()}"


def moment(at: datetime | None) -> str | None:
    """ISO 8601 in UTC, such as 2026-11-27T10:00:00.208Z."""
    if at is None:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.isoformat(timespec="milliseconds" if at.microsecond else "seconds").replace("+00:00", "Z")
