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
    """Which records: all conditions have to hold; one that is None is no condition.

    Raises:
        InputError: a time has no time zone, the limit is out of its range, a state or the cursor is not valid, or the
            metadata is not JSON.
    """

    states: Collection[State] | None = attrs.field(default=None, validator=_are_states)
    """Only those in one of these states."""
    connection: str | None = None
    """Only those of the connection of this name."""
    batch: str | None = None
    """Only those that were submitted under this name."""
    scope: str | None = None
    """Only those of this scope; "" is the scope of jobs without one."""
    key: str | None = None
    """Only those under this key, of any scope unless `scope` is given."""
    created_after: datetime | None = attrs.field(default=None, validator=_has_time_zone)
    """Only those that were added after this time."""
    created_before: datetime | None = attrs.field(default=None, validator=_has_time_zone)
    """Only those that were added before this time."""
    ids: Collection[str] | None = None
    """Only those with one of these ids of ours."""
    prefix: str | None = None
    """Only those whose id, ours or the vendor's, begins with this."""
    limit: int | None = attrs.field(default=None, validator=attrs.validators.optional(whole(1, 1_000_000)))
    """At most this number, the newest first, 1 to 1,000,000; by default `MOST_FOUND` where records are returned, and
    all where they are counted or forgotten."""
    prompt: str | None = attrs.field(default=None, validator=_is_text)
    """Only those whose prompt, as it was sent, contains this; upper and lower case are the same."""
    metadata: Mapping[str, Any] | None = attrs.field(default=None, validator=_is_object)
    """Only those whose metadata has each of these names, with this value: equal as JSON."""
    after: str | None = attrs.field(default=None, validator=_is_cursor)
    """Only those after this one: `Record.cursor` of the last of a page.  Jobs that are added later are before it."""
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
"""The most records that are returned if no limit is given."""


class Forgotten(int):
    """How many jobs were removed."""

    running: int
    """How many stayed, because they have not ended."""

    def __new__(cls, removed: int, running: int = 0) -> Self:
        """Both numbers."""
        self = super().__new__(cls, removed)
        self.running = running
        return self
