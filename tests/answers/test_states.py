"""`aiogen._answers.states`: the life of a job."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiogen._answers.states import TRANSITIONS, may_follow, observed
from aiogen.models import State

P, S, U, Q, R = State.PENDING, State.SUBMITTING, State.UNKNOWN, State.QUEUED, State.PROCESSING
C, F, X = State.COMPLETED, State.FAILED, State.CANCELLED

LIFE = {
    P: {S, F, X},
    S: {P, U, Q, R, C, F},
    U: {P, Q, R, C, F, X},
    Q: {R, C, F, X},
    R: {C, F, X},
    C: set(),
    F: set(),
    X: set(),
}


@pytest.mark.parametrize(("current", "new"), [*product(State, State)])
def test_the_life_of_a_job(current: State, new: State) -> None:
    """Of all pairs of states, exactly these may follow each other; no state follows itself."""
    assert may_follow(current, new) is (new in LIFE[current])


def test_every_state_has_its_place() -> None:
    """The table knows every state."""
    assert set(TRANSITIONS) == set(State)


@pytest.mark.parametrize("state", State)
def test_the_end_is_reached_from_everywhere(state: State) -> None:
    """A terminal state leads nowhere, and every other leads to one at once."""
    assert state.is_terminal is (not TRANSITIONS[state])
    assert state.is_terminal or any(after.is_terminal for after in TRANSITIONS[state])


@pytest.mark.parametrize(
    ("current", "seen", "after"),
    [
        (Q, Q, Q),
        (Q, R, R),
        (R, Q, R),
        (Q, C, C),
        (R, F, F),
        (C, R, C),
        (C, F, C),
        (F, C, F),
        (X, C, X),
        (U, Q, Q),
    ],
)
def test_an_answer_only_leads_forward(current: State, seen: State, after: State) -> None:
    """An answer that was overtaken by another changes nothing."""
    assert observed(current, seen) is after


@given(answers=st.lists(st.sampled_from([Q, R, C, F]), max_size=12))
@settings(deadline=None, derandomize=True)
def test_the_first_end_stays(answers: list[State]) -> None:
    """Whatever order answers come in, the first terminal one is the end, and before it nothing goes back."""
    state, rank = Q, {Q: 0, R: 1, C: 2, F: 2}
    for seen in answers:
        before, state = state, observed(state, seen)
        assert rank[state] >= rank[before]
    ends = [seen for seen in answers if seen.is_terminal]
    assert not ends or state is ends[0]
