"""Keywords sorted out before anything is sent: what the vendor has, what it surely has not, and what was misspelt.

Pure, and public.  A provider file says which parameters it knows; whatever else is meant for the vendor goes through
`extra`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from aiogen._checks import check_extra
from aiogen.errors import InputError, UnknownParameter

COMMON = ("aspect_ratio", "width", "height", "n", "seed", "negative_prompt", "references")
"""Parameters that mean the same everywhere: each provider translates them, and says in a warning what it cannot."""

_ALIKE = 0.62
"""From 0 to 1: how alike two names have to be for one to be proposed in place of the other.  At 0.6 `steps` is a
`style`, and `user_id` a `seed`."""


def proposal(name: str, known: Collection[str]) -> str | None:
    """The known name that was probably meant, or None."""
    by_letters = {_letters(each): each for each in sorted(known, reverse=True)}
    if (same := by_letters.get(_letters(name))) is not None:
        return same
    found = difflib.get_close_matches(_letters(name), by_letters, n=1, cutoff=_ALIKE)
    return by_letters[found[0]] if found else None


def _letters(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def unknown(
    whose: str, name: str, known: Collection[str], hint: str | None = None, *, meant: str | None = None
) -> UnknownParameter:
    """The error for a parameter that `whose` ("Luma", "Leonardo AI's model 'x'") has not.

    `hint`: a sentence in place of the proposal, where more is known than that a name is similar.  `meant`: the name
    that was meant, where it is known otherwise than by its letters.
    """
    meant = None if hint else meant or proposal(name, known)
    helps = f" {hint}" if hint else f" Did you mean {meant!r}?" if meant else ""
    if not helps:
        listed = ", ".join(sorted(known))
        helps = f" Its parameters are {listed}." if listed else ""
    return UnknownParameter(
        f'{whose} has no parameter {name!r}.{helps} To send it all the same, pass extra={{"{name}": …}}.',
        parameter=name,
        proposal=meant,
    )


def check_known(whose: str, options: Iterable[str], known: Collection[str]) -> None:
    """Every option is one that is known; `known` may contain further names than are worth proposing.

    Raises:
        UnknownParameter: one is not.
    """
    for name in options:
        if name not in known:
            raise unknown(whose, name, known)


def take_extra(options: dict[str, Any]) -> Mapping[str, Any]:
    """`extra=` taken out of the options: further fields in the vendor's own words, which nobody checks.

    Raises:
        InputError: it is no mapping.
    """
    extra = options.pop("extra", None)
    if extra is None:
        return {}
    if not isinstance(extra, Mapping):
        check_extra(extra)
    return dict(extra)


def whole_of(value: object, name: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`.

    Raises:
        InputError: it is not valid.
    """
    if type(value) is not int or not low <= value <= high:
        raise InputError(f"{name} has to be a whole number from {low:,} to {high:,}, not {value!r}.")
    return value


__all__ = ["COMMON", "check_known", "proposal", "take_extra", "unknown", "whole_of"]
