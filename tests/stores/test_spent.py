"""What removed jobs have cost is added up: by the minute for as long as a budget looks back, then by the day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aiogen import State
from aiogen.stores import spent
from aiogen.stores.base import Record
from aiogen.stores.charges import Charge, costs_of
from aiogen.stores.query import RecordQuery
from aiogen.stores.spent import Spent

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def removed(ago: timedelta) -> Record:
    return Record(
        id="a",
        connection="luma",
        provider="luma",
        account="a",
        state=State.COMPLETED,
        created_at=NOW - ago,
        submitted_at=NOW - ago,
        charge=Charge(unit="DOLLARS", millionths=40_000, is_estimate=True),
    )


def test_what_lies_far_back_takes_one_sum_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost, and what a budget may look back on stays exact."""
    monkeypatch.setattr(spent, "_MANY", 100)
    kept = Spent()
    for i in range(3000):
        kept.keep(removed(timedelta(days=60) - timedelta(minutes=20 * i)))
    assert len(kept._removed) < 31 * 72 + 30 + 101
    everything = costs_of(kept.sums(RecordQuery(), NOW))
    assert (everything.count, str(everything.amounts["DOLLARS"])) == (3000, "120.00")
    # To the minute: what was sent in the very minute in which the period begins counts.
    recent = costs_of(kept.sums(RecordQuery(sent_within=20 * 86_400.0), NOW))
    assert recent.count == sum(
        timedelta(days=60) - timedelta(minutes=20 * i) <= timedelta(days=20) for i in range(3000)
    )
