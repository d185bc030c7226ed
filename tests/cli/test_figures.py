"""Ages and money."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from aiogen.cli.figures import age, money
from aiogen.models import Cost


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0s"), (0.9, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (86_399, "23h"), (86_400, "1d"), (9e6, "104d")],
)
def test_an_age_is_short_and_never_rounded_up(seconds: float, said: str) -> None:
    assert age(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        (None, "-"),
        (Cost(Decimal("0.0404"), "DOLLARS"), "$0.0404"),
        (Cost(Decimal("1E+2"), "CREDITS"), "100 credits"),
        (Cost(Decimal("8"), "Tokens"), "8 tokens"),
    ],
)
def test_money_has_its_unit(cost: Cost | None, said: str) -> None:
    assert money(cost) == said
