"""`aiogen._limits.shared_budget`: what one process may ask of a budget that several share."""

from __future__ import annotations

import math

from aiogen._limits.shared_budget import SharedBudget


def test_it_begins_by_asking() -> None:
    """Others may be using the account already."""
    budget = SharedBudget()
    assert budget.at(0.0) == math.inf
    assert budget.take(20.0) == 5
    assert budget.take(20.0) == 0  # once
    budget.taken(5, 1.5, alone=False)
    assert budget.at(1.0) == 1.5
    assert budget.at(2.0) == 2.0


def test_a_batch_is_used_up_and_the_next_is_taken() -> None:
    """Nothing is taken before it is needed."""
    budget = SharedBudget()
    budget.taken(budget.take(8.0), 0.0, alone=False)
    budget.spend()
    assert budget.at(0.0) == 0.0
    assert budget.take(8.0) == 0
    budget.spend()
    assert budget.at(0.0) == math.inf
    assert budget.take(8.0) == 2


def test_what_creates_have_used_is_paid_for_with_the_next_batch() -> None:
    """They do not wait for one."""
    budget = SharedBudget()
    for _ in range(3):
        budget.spend()
    assert budget.take(1.0) == 4
    budget.taken(4, 0.0, alone=False)
    budget.spend()
    assert budget.at(0.0) == math.inf


def test_alone_nothing_has_to_be_taken() -> None:
    """Its own window is enough; but what a process before it was asked to wait, it waits."""
    budget = SharedBudget()
    budget.taken(budget.take(20.0), 7.0, alone=True)
    assert [budget.at(now) for now in (0.0, 8.0)] == [7.0, 8.0]
    assert budget.take(20.0) == 0
    for _ in range(100):
        budget.spend()
    assert budget.at(9.0) == 9.0


def test_when_somebody_joins_it_asks_again() -> None:
    """What was sent alone is nobody's debt."""
    budget = SharedBudget()
    budget.taken(budget.take(20.0), 0.0, alone=True)
    budget.spend()
    budget.is_shared = True
    assert budget.at(1.0) == math.inf
    assert budget.take(20.0) == 5


def test_a_create_that_was_not_sent_costs_nothing() -> None:
    """Its turn had come, but the account was full with others."""
    budget = SharedBudget()
    budget.taken(budget.take(4.0), 0.0, alone=False)
    budget.spend()
    budget.unspend()
    assert budget.at(0.0) == 0.0
    budget.is_shared = False
    budget.unspend()
    budget.is_shared = True
    budget.spend()
    assert budget.at(0.0) == math.inf
