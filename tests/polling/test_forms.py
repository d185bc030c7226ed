"""`aiogen._polling.forms`: what all curves of one form share."""

from __future__ import annotations

from itertools import pairwise

import pytest
from polling.teaching import counted

from aiogen._polling import forms
from aiogen._polling.survival import BINS


@pytest.mark.parametrize("i", range(forms.COUNT))
def test_each_family_is_a_survival(i: int) -> None:
    """Made again, whoever has needed it before: it falls from one to nothing, and its median is the middle."""
    family = forms.family_at.__wrapped__(i)
    assert forms._stray.__wrapped__() == forms._stray()
    assert forms._survival.__wrapped__(i) == family.survival
    assert forms._hazard.__wrapped__(i) == family.hazard
    assert all(a >= b for a, b in pairwise(family.survival))
    assert family.survival[0] > 0.9 > 0.1 > family.survival[-1]
    assert family.survival[BINS] == pytest.approx(0.5, abs=0.01)
    assert family.survival == forms.family_at(i).survival


def test_each_is_made_in_as_many_steps_whoever_has_needed_it_before() -> None:
    """A story that is told again has as many turns of the loop."""
    assert [counted(forms.making(3))[1] for _ in range(2)] == [4, 4]
