"""What one job costs, as a ledger can add it up: whole millionths of its unit, rounded up.  Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Self

import attrs

from aiogen.costs import Costs
from aiogen.models import Cost, Generation

MILLION = 1_000_000
_MOST = 10**13
"""Millionths: ten million dollars.  What a vendor says beyond that is a mistake, and sums have to stay in 64 bits."""


def millionths(amount: Decimal) -> int | None:
    """Rounded up; None of what is no number."""
    if not amount.is_finite():
        return None
    return max(0, math.ceil(min(amount, Decimal(_MOST // MILLION)) * MILLION))


def amount_of(millionths: int) -> Decimal:
    """With no more digits than it needs."""
    return Decimal(millionths) / MILLION


@attrs.frozen
class Charge:
    """What one job costs, as far as is known by now."""

    millionths: int | None = None
    """Of the unit, 0 or more; None if nobody knows."""
    unit: str | None = None
    """"DOLLARS" or "CREDITS"; None if nobody knows."""
    is_estimate: bool = False
    """It was worked out from published prices."""

    @classmethod
    def of(cls, cost: Cost | None) -> Self:
        """A cost as it is added up."""
        counted = millionths(cost.amount) if cost is not None else None
        return cls() if cost is None or counted is None else cls(counted, cost.unit, cost.is_estimate)

    @property
    def nothing(self) -> Charge:
        """It surely was not charged."""
        return attrs.evolve(self, millionths=0)

    @property
    def cost(self) -> Cost | None:
        """As people read it; None if nobody knows it, or nothing of a price that nobody knows was charged."""
        if self.millionths is None or self.unit is None:
            return None
        return Cost(amount_of(self.millionths), self.unit, self.is_estimate)

    def quoted(self, cost: Cost | None) -> Charge:
        """The charge as the vendor has quoted it; unchanged if it has quoted nothing."""
        known = Charge.of(cost)
        return self if known.millionths is None else known

    def after(self, ended: Generation) -> Charge:
        """What it has cost once it is over: what nobody knows better stays."""
        return self.nothing if is_free(ended) else self.quoted(ended.cost)


UNKNOWN = Charge()


def is_free(ended: Generation) -> bool:
    """It surely was not charged: not sent, refused, or refunded."""
    return ended.provider_id is None or ended.refunded


@attrs.frozen(kw_only=True)
class Sum:
    """What several jobs of one unit cost together."""

    unit: str | None
    """None for those whose price nobody knows."""
    millionths: int
    jobs: int
    estimated: int
    """How many of them by published prices."""


def costs_of(sums: Iterable[Sum]) -> Costs:
    """All of them together."""
    amounts: dict[str, Decimal] = {}
    jobs = estimated = unknown = 0
    for each in sums:
        jobs += each.jobs
        estimated += each.estimated
        if each.unit is None:
            unknown += each.jobs
        else:
            amounts[each.unit] = amounts.get(each.unit, Decimal(0)) + amount_of(each.millionths)
    return Costs(amounts=amounts, count=jobs, estimated=estimated, unknown=unknown)
