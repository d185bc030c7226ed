"""How much one batch may spend: what was quoted, what is expected of what is on its way, and what nobody knows.

What is on its way when the limit is reached goes on, so a batch can pass it where the vendor quotes more than it was
expected to.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import attrs

from aiogen.costs import Costs
from aiogen.errors import BudgetReached, InputError
from aiogen.exchange import Submission
from aiogen.models import Cost, Generation


@attrs.define
class Spending:
    """What one batch has spent, and may spend, over all its runs."""

    max_cost: Cost | None
    """None is no limit."""
    assume_cost: Cost | None
    """What a job is taken to cost whose price nobody knows beforehand."""
    _spent: Decimal = Decimal(0)

    def begin(self, before: Costs) -> None:
        """Count what the ledger already has of the batch."""
        if self.max_cost is None:
            return
        self._spent = before.amounts.get(self.max_cost.unit, Decimal(0))
        if before.unknown:
            self._spent += before.unknown * self._assumed().amount

    def take(self, submission: Submission) -> Cost | None:
        """One more will be made; what it is taken to cost.

        Raises:
            BudgetReached: it would pass the limit; nothing was sent.
            InputError: its price is not known, and nobody said what to assume.
        """
        if self.max_cost is None:
            return None
        cost = submission.estimate
        if cost is None or cost.unit != self.max_cost.unit:
            cost = self._assumed(submission)
        if self._spent + cost.amount > self.max_cost.amount:
            spent = Cost(self._spent, self.max_cost.unit)
            raise BudgetReached.of_batch(estimate=cost, budget=self.max_cost, spent=spent)
        self._spent += cost.amount
        return cost

    def ended(self, taken: Cost | None, generation: Generation) -> None:
        """A job of this run is over: what it cost is known better now."""
        if taken is None:
            return
        is_free = generation.provider_id is None or generation.refunded
        known = generation.cost
        if is_free:
            self._spent -= taken.amount
        elif known is not None and known.unit == taken.unit:
            self._spent += known.amount - taken.amount

    def _assumed(self, submission: Submission | None = None) -> Cost:
        assert self.max_cost is not None
        if self.assume_cost is None or self.assume_cost.unit != self.max_cost.unit:
            what = f"A job at {submission.model}" if submission is not None else "A job of this batch"
            raise InputError(
                f"{what} has a cost in {self.max_cost.unit.lower()} that nobody knows beforehand, so a limit cannot "
                "be kept. Say what to count for one until it is known: assume_cost=."
            )
        return self.assume_cost


def cost_of(value: object, name: str) -> Cost | None:
    """An amount as people write it: a number of dollars, or a `Cost`.

    Raises:
        InputError: it is not an amount, or is negative.
    """
    if value is None or isinstance(value, Cost):
        return value
    if isinstance(value, bool | Mapping):
        raise InputError(f"{name}= takes a number of dollars, or Cost(amount, unit), not {value!r}.")
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        raise InputError(
            f"{name}= takes a number of dollars, or Cost(amount, unit), not {str(value)[:40]!r}."
        ) from None
    if not amount.is_finite() or amount < 0:
        raise InputError(f"{name}= has to be 0 or more, not {value}.")
    return Cost(amount, "DOLLARS")
