"""Which jobs of the ledger a command is about, as it was typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

import attrs

from aiogen.errors import InputError
from aiogen.models import State
from aiogen.stores.base import RecordQuery

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def parse_states(words: Sequence[str]) -> list[State] | None:
    """The states by their names; none for all.

    Raises:
        InputError: there is no such state.
    """
    try:
        return [State(word) for word in words] or None
    except ValueError as error:
        raise InputError(f"{error}; the states are {', '.join(State)}.") from None


def parse_age(text: str) -> timedelta:
    """`90s`, `15m`, `24h`, `7d`.

    Raises:
        InputError: it is not an age.
    """
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([smhd])", text.strip())
    if found is None:
        raise InputError(f"The age {text!r} cannot be read; write 90s, 15m, 24h or 7d.")
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]])


@attrs.frozen(kw_only=True)
class Choice:
    """All of these have to hold; what is None does not matter.

    Raises:
        InputError: there is no such state, or an age is none.
    """

    state: tuple[str, ...] = ()
    batch: str | None = None
    scope: str | None = None
    key: str | None = None
    prompt_contains: str | None = None
    newer: str | None = None
    older: str | None = None

    def __attrs_post_init__(self) -> None:
        parse_states(self.state)
        for text in (self.newer, self.older):
            if text:
                parse_age(text)

    def query(self) -> RecordQuery:
        """What to ask the ledger for, by whose clock the ages count."""
        return RecordQuery(
            states=parse_states(self.state),
            batch=self.batch,
            scope=self.scope,
            key=self.key,
            prompt=self.prompt_contains,
            younger=parse_age(self.newer).total_seconds() if self.newer else None,
            older=parse_age(self.older).total_seconds() if self.older else None,
        )

    @property
    def is_by_age_alone(self) -> bool:
        """It says nothing but how old they are."""
        return self == Choice(newer=self.newer, older=self.older)

    def words(self) -> list[str]:
        """As it is typed."""
        words = [word for state in self.state for word in ("--state", state)]
        for field in attrs.fields(Choice)[1:]:
            value = getattr(self, field.name)
            if value is not None:
                words += [f"--{field.name.replace('_', '-')}", value]
        return words
