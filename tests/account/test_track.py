"""What is kept of a generation while it is followed."""

from __future__ import annotations

from itertools import pairwise

import aiogen
from aiogen._account.track import MOST_ASKED, Track
from aiogen.exchange import Ticket
from aiogen.models import State


def track() -> Track[aiogen.Job]:
    luma = aiogen.Luma(api_key="luma-api-test-key-0123456789")
    return Track(luma, Ticket(provider_id="g-1", kind="image"), State.QUEUED, 1000.0, 1, True)


def test_questions_are_kept_from_acceptance() -> None:
    """In milliseconds; a clock that was set back makes none of them negative."""
    kept = track()
    for at in (999.0, 1000.5, 1002.0004):
        kept.note_asked(at)
    assert kept.asked_after() == (0.0, 0.5, 2.0)


def test_of_many_questions_an_even_part_is_kept() -> None:
    """However many there are, from the first to nearly the last, with equal distances."""
    kept = track()
    for second in range(10_000):
        kept.note_asked(1000.0 + second)
        assert len(kept.asked) <= MOST_ASKED
    after = kept.asked_after()
    assert MOST_ASKED / 2 <= len(after) <= MOST_ASKED
    assert after[0] == 0.0
    assert after[-1] >= 9_800.0
    assert len({later - earlier for earlier, later in pairwise(after)}) == 1
