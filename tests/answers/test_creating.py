"""`aiogen._answers.creating`: how far a create has come, read from its exchange."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from aiogen._answers.creating import Progress, followed
from aiogen.errors import ProtocolError
from aiogen.exchange import Exchange, Request, Response


def asks(*verbs: str) -> Exchange[str]:
    """One request after the other."""
    for verb in verbs:
        yield Request(verb=verb, method="POST", url=f"https://vendor.example/{verb}")
    return "done"


def answered(exchange: Exchange[str], statuses: Sequence[int]) -> tuple[list[str], str | None]:
    """What it asked for with these answers, and its result; None if it asks for more."""
    asked = [next(exchange).verb]
    for status in statuses:
        try:
            asked.append(exchange.send(Response(status=status)).verb)
        except StopIteration as stop:
            return asked, stop.value
    return asked, None


@pytest.mark.parametrize(
    ("verbs", "statuses", "posted", "went_on"),
    [
        (["upload", "create"], [], False, False),
        (["upload", "create"], [200], True, False),
        (["create", "retrieve"], [201], True, True),
        (["create", "retrieve"], [404], True, False),
    ],
)
def test_how_far_it_has_come(verbs: list[str], statuses: list[int], posted: bool, went_on: bool) -> None:
    """Before its one request that costs something nothing is lost; after a yes the generation is there."""
    progress = Progress()
    asked, result = answered(followed(asks(*verbs), progress), statuses)
    assert (asked, result) == (verbs[: len(statuses) + 1], None)
    assert (progress.posted, progress.went_on) == (posted, went_on)


def test_its_result_is_handed_on() -> None:
    """Nothing else of it changes."""
    assert answered(followed(asks("create"), Progress()), [200]) == (["create"], "done")


def test_a_second_create_is_not_sent() -> None:
    """It could be charged for twice, whatever the first was answered."""
    exchange = followed(asks("create", "create"), Progress())
    next(exchange)
    with pytest.raises(ProtocolError, match="send its request once"):
        exchange.send(Response(status=500))
