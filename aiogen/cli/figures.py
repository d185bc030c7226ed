"""Ages and amounts as people write them.  Pure."""

from __future__ import annotations

from datetime import timedelta

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
