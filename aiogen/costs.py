"""What generations cost together: by currency, for dollars and credits are never added.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Self

import attrs

from aiogen._wording import count, plain
from aiogen.models import Cost


@attrs.frozen(kw_only=True)
class Costs:
    """What some generations cost, or will cost."""

    amounts: Mapping[str, Decimal] = attrs.field(factory=dict)
    """Unit ("DOLLARS", "CREDITS") to the sum of what is known in it."""
    count: int = 0
    """The number of generations."""
    estimated: int = 0
    """The number of those whose cost follows from published prices; the vendor quoted the others."""
    unknown: int = 0
    """The number of those whose cost is not known: they are in no amount, and may cost anything."""

    @classmethod
    def of(cls, costs: Iterable[Cost | None]) -> Self:
        """The sum of these costs.

        Args:
            costs: of each generation; None if it is not known.
        """
        amounts: dict[str, Decimal] = {}
        number = estimated = unknown = 0
        for cost in costs:
            number += 1
            if cost is None:
                unknown += 1
                continue
            estimated += cost.is_estimate
            amounts[cost.unit] = amounts.get(cost.unit, Decimal(0)) + cost.amount
        return cls(amounts=amounts, count=number, estimated=estimated, unknown=unknown)

    def plus(self, cost: Cost | None) -> Costs:
        """With one more generation, whose cost may be None."""
        return self.and_(Costs.of([cost]))

    def and_(self, other: Costs) -> Costs:
        """The sum of both."""
        amounts = dict(self.amounts)
        for unit, amount in other.amounts.items():
            amounts[unit] = amounts.get(unit, Decimal(0)) + amount
        return Costs(
            amounts=amounts,
            count=self.count + other.count,
            estimated=self.estimated + other.estimated,
            unknown=self.unknown + other.unknown,
        )

    def __str__(self) -> str:
        known = " + ".join(f"{amount:,f} {plain(unit, 20).lower()}" for unit, amount in sorted(self.amounts.items()))
        about = "about " if self.estimated and known else ""
        if not self.unknown:
            return f"{about}{known}" if known else "nothing"
        unknown = f"{count(self.unknown)} generation{'s' if self.unknown > 1 else ''}"
        return f"{about}{known}, and {unknown} of unknown cost" if known else f"unknown ({unknown})"

    def __repr__(self) -> str:
        return f"<Costs {self}>"

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object; amounts are text, because a number would be rounded."""
        amounts = {unit: f"{amount:f}" for unit, amount in sorted(self.amounts.items())}
        return {"amounts": amounts, "count": self.count, "estimated": self.estimated, "unknown": self.unknown}


__all__ = ["Costs"]
