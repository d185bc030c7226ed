"""What is known of a model, for people and for programs."""

from __future__ import annotations

from decimal import Decimal

from aiogen import Cost, ModelInfo, Parameter

WHOLE = ModelInfo(
    name="uni-1",
    title="Uni 1",
    takes_prompt=False,
    max_outputs=4,
    max_references=0,
    parameters=(Parameter(name="style", choices=("auto", "manga")),),
    price=Cost(Decimal("0.04"), "DOLLARS", is_estimate=True),
    seconds=31.4,
    seen=1200,
    source="the vendor's page of 2026-11-01",
)


def test_what_people_read() -> None:
    """Only what is known, one fact per line."""
    assert WHOLE.describe().splitlines() == [
        "uni-1",
        "  title          Uni 1",
        "  kind           image",
        "  prompt         no: leave it out",
        "  outputs        up to 4",
        "  references     none",
        "  price          about 0.04 dollars",
        "  usually takes  31 s (learned here from 1,200)",
        "  parameters     style",
        "  source         the vendor's page of 2026-11-01",
    ]
    assert "up to 9" in ModelInfo(name="m", max_references=9).describe()
    assert len(ModelInfo(name="m").describe().splitlines()) == 2


def test_what_programs_read() -> None:
    """JSON, with amounts as text."""
    told = WHOLE.to_dict()
    assert told["price"] == {"amount": "0.04", "unit": "DOLLARS", "is_estimate": True}
    assert told["parameters"][0]["choices"] == ["auto", "manga"]
    assert ModelInfo(name="m").to_dict()["price"] is None
