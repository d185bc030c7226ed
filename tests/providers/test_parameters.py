"""Keywords that a vendor has not: refused with the one that was meant, and a way to send them all the same."""

from __future__ import annotations

import pytest

from aiogen import InputError, UnknownParameter
from aiogen.providers.parameters import COMMON, check_known, proposal, take_extra, unknown, whole_of

KNOWN = (*COMMON, "output_format", "style")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("aspectratio", "aspect_ratio"),
        ("aspectRatio", "aspect_ratio"),
        ("ASPECT-RATIO", "aspect_ratio"),
        ("apect_ratio", "aspect_ratio"),
        ("seeed", "seed"),
        ("hight", "height"),
        ("witdh", "width"),
        ("negativePrompt", "negative_prompt"),
        ("styles", "style"),
        ("format", "output_format"),
        ("temperature", None),
        ("", None),
    ],
)
def test_what_was_meant(name: str, meant: str | None) -> None:
    """Letters count, and neither case nor punctuation; a name that is like none has no proposal."""
    assert proposal(name, KNOWN) == meant


def test_the_way_out_is_said() -> None:
    """The message names the proposal and the way to send it all the same; programs find both as fields."""
    with pytest.raises(UnknownParameter) as caught:
        check_known("Luma", ["seed", "aspectratio"], KNOWN)
    error = caught.value
    assert (error.parameter, error.proposal) == ("aspectratio", "aspect_ratio")
    assert str(error) == (
        "Luma has no parameter 'aspectratio'. Did you mean 'aspect_ratio'? "
        'To send it all the same, pass extra={"aspectratio": …}.'
    )
    assert not error.retryable


def test_without_a_proposal_all_are_listed() -> None:
    """So that one can choose; a hint of the provider's stands in its place."""
    assert "Its parameters are n, seed." in str(unknown("X", "temperature", ("seed", "n")))
    hinted = unknown("X", "seeed", ("seed",), "It has none of the kind.")
    assert "It has none of the kind." in str(hinted)
    assert hinted.proposal is None
    assert str(unknown("X", "a", ())) == "X has no parameter 'a'. To send it all the same, pass extra={\"a\": …}."


def test_extra_is_taken_out() -> None:
    """It is for the vendor, whatever stands in it."""
    options = {"seed": 1, "extra": {"new": 2}}
    assert take_extra(options) == {"new": 2}
    assert options == {"seed": 1}
    assert take_extra(options) == {}
    assert take_extra({"extra": None}) == {}
    with pytest.raises(InputError, match="extra="):
        take_extra({"extra": ["new"]})


@pytest.mark.parametrize("value", [0, 9, 1.0, "2", True, None])
def test_whole_numbers(value: object) -> None:
    """In range, and no other kind of number."""
    assert whole_of(8, "n", 1, 8) == 8
    with pytest.raises(InputError, match="n has to be a whole number from 1 to 8"):
        whole_of(value, "n", 1, 8)
