"""`aiogen._limits.shared_budget`: what one process may ask of a budget that several share."""

from __future__ import annotations

import math

from aiogen._limits.shared_budget import SharedBudget


def test_it_begins_by_asking() -> None:
    """Others may be using the account already."""
    share = SharedBudget()
    assert share.at(0.0) == math.inf
    assert share.take(20.0) == 5
    assert share.take(20.0) == 0  # once
    share.taken(5, 1.5, alone=False)
    assert share.at(1.0) == 1.5
    assert share.at(2.0) == 2.0


def test_a_lot_is_used_up_and_the_next_is_taken() -> None:
    """Nothing is taken before it is needed."""
    share = SharedBudget()
    share.taken(share.take(8.0), 0.0, alone=False)
    share.spend()
    assert share.at(0.0) == 0.0
    assert share.take(8.0) == 0
    share.spend()
    assert share.at(0.0) == math.inf
    assert share.take(8.0) == 2


def test_what_creates_have_used_is_paid_for_with_the_next_lot() -> None:
    """They do not wait for one."""
    share = SharedBudget()
    for _ in range(3):
        share.spend()
    assert share.take(1.0) == 4
    share.taken(4, 0.0, alone=False)
    share.spend()
    assert share.at(0.0) == math.inf


def test_alone_nothing_has_to_be_taken() -> None:
    """Its own window is enough; but what a process before it was told to wait, it waits."""
    share = SharedBudget()
    share.taken(share.take(20.0), 7.0, alone=True)
    assert [share.at(now) for now in (0.0, 8.0)] == [7.0, 8.0]
    assert share.take(20.0) == 0
    for _ in range(100):
        share.spend()
    assert share.at(9.0) == 9.0


def test_when_somebody_joins_it_asks_again() -> None:
    """What was sent alone is nobody's debt."""
    share = SharedBudget()
    share.taken(share.take(20.0), 0.0, alone=True)
    share.spend()
    share.is_shared = True
    assert share.at(1.0) == math.inf
    assert share.take(20.0) == 5


def test_a_create_that_was_not_sent_costs_nothing() -> None:
    """Its turn had come, but the account was full with others."""
    share = SharedBudget()
    share.taken(share.take(4.0), 0.0, alone=False)
    share.spend()
    share.unspend()
    assert share.at(0.0) == 0.0
    share.is_shared = False
    share.unspend()
    share.is_shared = True
    share.spend()
    assert share.at(0.0) == math.inf
