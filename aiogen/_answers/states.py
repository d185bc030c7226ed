"""The life of a job as a table.  Pure.

Two rules: a state only moves forward, and a terminal state never moves.  Every transition that may happen is in
`TRANSITIONS`; the picture in docs/design.md is drawn from it.
"""

from __future__ import annotations

from aiogen.models import State

TRANSITIONS: dict[State, frozenset[State]] = {
    # A pending job may fail without having been sent: the account is out of money, or its key is refused.
    State.PENDING: frozenset({State.SUBMITTING, State.FAILED, State.CANCELLED}),
    # Back to pending only when the create surely was not carried out.
    State.SUBMITTING: frozenset(
        {State.PENDING, State.UNKNOWN, State.QUEUED, State.PROCESSING, State.COMPLETED, State.FAILED}
    ),
    # An unknown submission may be found again, sent again, or withdrawn by its user.
    State.UNKNOWN: frozenset(
        {State.PENDING, State.QUEUED, State.PROCESSING, State.COMPLETED, State.FAILED, State.CANCELLED}
    ),
    State.QUEUED: frozenset({State.PROCESSING, State.COMPLETED, State.FAILED, State.CANCELLED}),
    State.PROCESSING: frozenset({State.COMPLETED, State.FAILED, State.CANCELLED}),
    State.COMPLETED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}


def may_follow(current: State, new: State) -> bool:
    """True if a job in `current` may next be in `new`."""
    return new in TRANSITIONS[current]


def observed(current: State, seen: State) -> State:
    """The state of a running job after an answer that says `seen`.

    Answers can overtake each other: a "queued" that arrives after a "processing" changes nothing, and nothing
    changes a terminal state.
    """
    return seen if may_follow(current, seen) else current
