"""What generations cost together."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aiogen import Cost, Costs

DOLLARS = Cost(Decimal("0.04"), "DOLLARS")
GUESSED = Cost(Decimal("0.10"), "DOLLARS", is_estimate=True)
CREDITS = Cost(Decimal(12), "CREDITS")


@pytest.mark.parametrize(
    ("costs", "told"),
    [
        ([], "nothing"),
        ([DOLLARS, DOLLARS], "0.08 dollars"),
        ([DOLLARS, GUESSED], "about 0.14 dollars"),
        ([DOLLARS, CREDITS], "12 credits + 0.04 dollars"),
        ([None, None], "unknown (2 generations)"),
        ([DOLLARS, None], "0.04 dollars, and 1 generation of unknown cost"),
    ],
)
def test_what_people_read(costs: list[Cost | None], told: str) -> None:
    """Currencies stand beside each other; what nobody knows is said."""
    assert str(Costs.of(costs)) == told


def test_what_programs_read() -> None:
    """Amounts are text; nothing is lost in between."""
    costs = Costs.of([DOLLARS, GUESSED, CREDITS, None])
    assert costs.to_dict() == {
        "amounts": {"CREDITS": "12", "DOLLARS": "0.14"},
        "count": 4,
        "estimated": 1,
        "unknown": 1,
    }
    assert repr(costs) == "<Costs about 12 credits + 0.14 dollars, and 1 generation of unknown cost>"
