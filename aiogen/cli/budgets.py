"""Amounts as they are typed: a number of dollars, or a number and a unit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from aiogen.errors import InputError
from aiogen.models import Cost

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([A-Za-z]+)?")
PERIODS = ("hour", "day", "month")


def cost_of(text: str, option: str) -> Cost:
    """`10` or `0.05` are dollars; `500 credits` says its unit.

    Raises:
        InputError: it is no amount.
    """
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise InputError(
            f"{option} {text[:40]!r} cannot be read; write a number of dollars, or a number and a unit, such as "
            f'{option} "500 credits".'
        )
    return Cost(Decimal(found[1]), (found[2] or "dollars").upper())


def budget_of(texts: Sequence[str]) -> dict[str, Decimal] | None:
    """Amounts by unit; None for none.

    Raises:
        InputError: one is no amount, or a unit is given twice.
    """
    amounts: dict[str, Decimal] = {}
    for text in texts:
        cost = cost_of(text, "--budget")
        if cost.unit in amounts:
            raise InputError(f"--budget is given twice in {cost.unit.lower()}.")
        amounts[cost.unit] = cost.amount
    return amounts or None


def check_period(per: str | None, *, has_budget: bool, assumes: bool) -> None:
    """What is said of a budget, with messages that name the options as typed.

    Raises:
        InputError: it is no period, or there is no budget.
    """
    if not has_budget and (per is not None or assumes):
        raise InputError(f"{'--per' if per is not None else '--assume-cost'} belongs to a budget: add --budget.")
    if per is not None and per not in PERIODS:
        raise InputError(
            f"--per takes {', '.join(PERIODS)}, not {per[:40]!r}; without it everything that was ever sent counts."
        )
