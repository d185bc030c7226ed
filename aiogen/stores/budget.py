"""How much may be spent in a period, by all processes on one ledger together.  Pure.

What a store has to do for it is little: add up what the jobs of the period cost, in the transaction that notes the
intent of one more (`Store.intend`).  Whether that one fits is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Self

import attrs

from aiogen.errors import BudgetReached, InputError
from aiogen.models import Cost
from aiogen.stores.charges import Charge, Sum, amount_of, millionths

PERIODS: Mapping[str, float] = {"hour": 3600.0, "day": 86_400.0, "month": 30 * 86_400.0}
"""Seconds.  Each rolls: any 24 hours are a day, and any 30 days a month."""
DOLLARS = "DOLLARS"

Sent = tuple[float, str | None, int, int]
"""Seconds since it was sent, its unit, its millionths, and how many jobs they are."""
Amount = int | float | Decimal | str
Amounts = Amount | Cost | Mapping[str, Amount]


@attrs.frozen
class Budget:
    """What may be spent, by unit."""

    amounts: Mapping[str, int]
    """Millionths by unit; what costs in another unit does not fit."""
    per: str | None = None
    """One of `PERIODS`; None for all that the ledger has ever sent."""
    assumed: Charge | None = None
    """What a job counts whose cost nobody knows, or knows in no unit of these."""

    @classmethod
    def of(cls, budget: Amounts | None, per: str | None, assume_cost: Amount | Cost | None) -> Self | None:
        """As a program says it; None for none.

        Raises:
            InputError: an amount is not a number of 0 or more, the period is unknown, or `per` or `assume_cost` is
                given without a budget.
        """
        if budget is None:
            for name, value in (("per", per), ("assume_cost", assume_cost)):
                if value is not None:
                    raise InputError(f"{name}= belongs to a budget: give one with budget=.")
            return None
        if per is not None and per not in PERIODS:
            raise InputError(f"per= takes {', '.join(map(repr, PERIODS))} or None, not {str(per)[:40]!r}.")
        amounts = _amounts(budget)
        assumed = None
        if assume_cost is not None:
            unit, counted = _assumed(assume_cost, amounts)
            assumed = Charge(counted, unit, is_estimate=True)
        return cls(amounts, per, assumed)

    @property
    def period(self) -> float | None:
        """Seconds that count, up to now; None for all."""
        return None if self.per is None else PERIODS[self.per]

    def counted(self, charge: Charge) -> tuple[str, int] | None:
        """In which unit a job counts, and how much of it; None if nobody can say."""
        if charge.millionths == 0:
            return next(iter(self.amounts)), 0
        if charge.millionths is not None and charge.unit is not None and charge.unit in self.amounts:
            return charge.unit, charge.millionths
        if self.assumed is not None and self.assumed.unit is not None:
            return self.assumed.unit, self.assumed.millionths or 0
        return None

    def check_alone(self, charge: Charge) -> None:
        """Whether a job could ever fit.

        Raises:
            BudgetReached: it could not, whatever else is spent.
        """
        counted = self.counted(charge)
        if counted is None:
            raise BudgetReached.unpriced(charge.cost, self._costs())
        unit, needed = counted
        if needed > self.amounts[unit]:
            raise self._reached(unit, needed, spent=None, retry_after=None)

    def check(self, charge: Charge, sums: Iterable[Sum], each: Callable[[], Iterable[Sent]]) -> None:
        """Whether a job fits beside what was sent in the period.

        Args:
            charge: what it will cost, as far as is known.
            sums: what was sent in the period, without what cost nothing.
            each: the same one by one, the oldest first.  Only asked for if it does not fit.

        Raises:
            BudgetReached: it does not fit now, or never could.
        """
        self.check_alone(charge)
        unit, needed = self.counted(charge) or ("", 0)
        spent = sum(self._part(each, unit) for each in sums)
        over = spent + needed - self.amounts[unit]
        if needed and over > 0:
            raise self._reached(unit, needed, spent=spent, retry_after=self._wait(unit, over, each))

    def _part(self, some: Sum, unit: str) -> int:
        """Of what was spent, how much counts in this unit."""
        if some.unit in self.amounts:
            return some.millionths if some.unit == unit else 0
        return self._assumed_in(unit) * some.jobs

    def _assumed_in(self, unit: str) -> int:
        """What a job counts in this unit whose cost nobody knows."""
        return (self.assumed.millionths or 0) if self.assumed is not None and self.assumed.unit == unit else 0

    def _wait(self, unit: str, over: int, each: Callable[[], Iterable[Sent]]) -> float | None:
        """Seconds until so much of what was spent has left the period; None if nothing ever leaves it."""
        if self.period is None:
            return None
        assumed = self._assumed_in(unit)
        for age, of, part, jobs in each():  # there may be many
            over -= part if of == unit else 0 if of in self.amounts else assumed * jobs
            if over <= 0:
                return max(0.0, self.period - age)
        return None

    def _reached(self, unit: str, needed: int, *, spent: int | None, retry_after: float | None) -> BudgetReached:
        return BudgetReached.of(
            estimate=Cost(amount_of(needed), unit, is_estimate=True),
            budget=Cost(amount_of(self.amounts[unit]), unit),
            spent=None if spent is None else Cost(amount_of(spent), unit),
            per=self.per,
            retry_after=retry_after,
        )

    def _costs(self) -> list[Cost]:
        return [Cost(amount_of(each), unit) for unit, each in self.amounts.items()]

    def __str__(self) -> str:
        known = " + ".join(map(str, self._costs()))
        return f"{known} per {self.per}" if self.per is not None else f"{known} in all"


def _amounts(budget: Amounts) -> dict[str, int]:
    if isinstance(budget, Cost):
        return {_unit(budget.unit): _number(budget.amount, "budget")}
    if not isinstance(budget, Mapping):
        return {DOLLARS: _number(budget, "budget")}
    if not budget:
        raise InputError("budget= names no amount.")
    return {_unit(unit): _number(amount, "budget") for unit, amount in budget.items()}


def _assumed(given: Amount | Cost, amounts: Mapping[str, int]) -> tuple[str, int]:
    if isinstance(given, Cost):
        unit, counted = _unit(given.unit), _number(given.amount, "assume_cost")
    else:
        unit = next(iter(amounts)) if len(amounts) == 1 else DOLLARS
        counted = _number(given, "assume_cost")
    if unit not in amounts:
        raise InputError(f"assume_cost= is in {unit.lower()}, and the budget is not; dollars and credits never add up.")
    return unit, counted


def _unit(unit: object) -> str:
    if not isinstance(unit, str) or not unit.strip():
        raise InputError(f'The unit of a budget is a word such as "DOLLARS" or "CREDITS", not {str(unit)[:40]!r}.')
    return unit.strip().upper()


def _number(amount: object, name: str) -> int:
    if isinstance(amount, int | float | Decimal | str) and not isinstance(amount, bool):
        try:
            found = Decimal(str(amount))
            if found.is_finite() and 0 <= found <= 10_000_000:
                return millionths(found) or 0
        except InvalidOperation:
            pass
    raise InputError(f"{name}= takes an amount from 0 to 10,000,000, not {str(amount)[:40]!r}.")
