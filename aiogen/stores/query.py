"""Which records are asked for, and how many were forgotten.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Self

import attrs

from aiogen._checks import check_json
from aiogen._options import whole
from aiogen.errors import InputError
from aiogen.models import State
from aiogen.stores.paging import place_at


def _has_time_zone(_: object, attribute: attrs.Attribute[Any], moment: datetime | None) -> None:
    if moment is not None and moment.tzinfo is None:
        raise InputError(f"{attribute.name} needs a time zone: datetime.now(UTC), or moment.astimezone().")


def _are_states(_: object, attribute: attrs.Attribute[Any], value: Collection[Any] | None) -> None:
    if isinstance(value, str):
        raise InputError(f"{attribute.name} takes several states: [State.{value.upper()}].")
    unknown = [each for each in value or () if each not in list(State)]
    if unknown:
        raise InputError(f"{attribute.name}: {unknown[0]!r} is no state; the states are {', '.join(State)}.")


def _is_text(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        if not isinstance(value, str):
            raise InputError(f"{attribute.name} has to be text, not {type(value).__name__}.")
        check_json(value, attribute.name)


def _is_object(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        if not isinstance(value, Mapping):
            raise InputError(f"{attribute.name} has to be a mapping of names to values, not {type(value).__name__}.")
        check_json(value, attribute.name)


def _is_cursor(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        place_at(value)


@attrs.frozen(kw_only=True)
class RecordQuery:
    """Which records; what is None does not matter, and all the rest has to hold.

    Raises:
        InputError: a moment has no time zone, the limit is out of its range, a state or the cursor is not valid, or
            the metadata is not JSON.
    """

    states: Collection[State] | None = attrs.field(default=None, validator=_are_states)
    connection: str | None = None
    batch: str | None = None
    scope: str | None = None
    key: str | None = None
    created_after: datetime | None = attrs.field(default=None, validator=_has_time_zone)
    created_before: datetime | None = attrs.field(default=None, validator=_has_time_zone)
    ids: Collection[str] | None = None
    prefix: str | None = None
    """Only those whose id, ours or the vendor's, begins so."""
    limit: int | None = attrs.field(default=None, validator=attrs.validators.optional(whole(1, 1_000_000)))
    """At most this number, the newest first; by default `MOST_FOUND` where records are given back, and all where they
    are counted or forgotten."""
    prompt: str | None = attrs.field(default=None, validator=_is_text)
    """Only those whose prompt, as it was sent, contains this; upper and lower case are the same."""
    metadata: Mapping[str, Any] | None = attrs.field(default=None, validator=_is_object)
    """Only those whose metadata has each of these names, with this value: equal as JSON."""
    after: str | None = attrs.field(default=None, validator=_is_cursor)
    """Only those behind this one: `Record.cursor` of the last of a page.  Jobs that come in meanwhile are before it."""
    younger: float | None = None
    """Added fewer seconds ago, by the store's clock."""
    older: float | None = None
    """Added more seconds ago, by the store's clock."""
    with_request: bool = False
    """Read what was sent, too, which may be megabytes each; without it `Record.submission` is None."""
    sent_after: datetime | None = attrs.field(default=None, validator=_has_time_zone)
    """Only those whose create was sent after this; none that was not sent from this ledger."""
    sent_within: float | None = None
    """Only those whose create was sent fewer seconds ago, by the store's clock."""


MOST_FOUND = 1000
"""Records that are given back where no limit is named."""


class Forgotten(int):
    """How many jobs were removed."""

    running: int
    """How many stayed, because they are not over."""

    def __new__(cls, removed: int, running: int = 0) -> Self:
        """Both numbers."""
        self = super().__new__(cls, removed)
        self.running = running
        return self
