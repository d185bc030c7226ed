"""What the ledger knows of a batch, in few bytes."""

from __future__ import annotations

import hashlib
import tracemalloc
from uuid import uuid4

import attrs
import pytest

from aiogen import State
from aiogen._batch.standing import Known, Standing, content_of

ASKED = hashlib.sha256(b"a boat").hexdigest()
KNOWN = Known(
    job_id=str(uuid4()), state=State.COMPLETED, asked=content_of(ASKED), attempt=2, may_retry=False
)  # fmt: skip


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(
    "other", [{}, {"job_id": "job-1"}, {"job_id": str(uuid4()).upper()}, {"asked": None}, {"may_retry": True}]
)
def test_what_is_put_in_comes_out(state: State, other: dict[str, object]) -> None:
    """Whatever ids the ledger has."""
    standing, known = Standing(), attrs.evolve(KNOWN, state=state, **other)
    standing.put("row", known)
    assert standing.get("row") == known
    assert standing.was_over("row", known.job_id) is state.is_terminal
    assert not standing.was_over("row", "another")
    assert not standing.was_over("another", known.job_id)


def test_the_last_attempt_counts() -> None:
    """In whatever order they come."""
    for attempts in ((1, 2), (2, 1)):
        standing = Standing()
        for attempt in attempts:
            standing.put("row", attrs.evolve(KNOWN, attempt=attempt))
        found = standing.get("row")
        assert found is not None
        assert (found.attempt, len(standing)) == (2, 1)


def test_what_was_asked_is_compared() -> None:
    """A ledger that does not say it has asked for nothing that is known."""
    assert KNOWN.has_asked(ASKED)
    assert not KNOWN.has_asked(hashlib.sha256(b"a barn").hexdigest())
    assert not attrs.evolve(KNOWN, asked=None).has_asked(None)


def test_ten_thousand_rows_take_little() -> None:
    """Beside their keys, which are as long as a user likes: a hundred thousand go into some twenty megabytes."""
    keys, standing = [f"row{i}" for i in range(10_000)], Standing()
    tracemalloc.start()
    try:
        for key in keys:
            standing.put(key, attrs.evolve(KNOWN, job_id=str(uuid4())))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 250 * len(keys)
