"""What the ledger says of jobs: page by page, and by which words jobs are chosen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, TypedDict

import attrs

from aiogen._checks import check_number
from aiogen.errors import InputError
from aiogen.models import State
from aiogen.stores.base import Page, RecordQuery, Store

_LARGEST_PAGE = 10_000


class Which(TypedDict, total=False):
    """By what jobs are chosen; what is left out, or None, does not matter."""

    states: Collection[State] | None
    batch: str | None
    connection: str | None
    scope: str | None
    key: str | None
    prompt: str | None
    metadata: Mapping[str, Any] | None
    created_after: datetime | None
    created_before: datetime | None


def query_of(which: Which) -> RecordQuery:
    """The query for it.

    Raises:
        TypeError: a keyword is unknown.
        InputError: a value cannot be one.
    """
    unknown = sorted(which.keys() - Which.__annotations__.keys())
    if unknown:
        raise TypeError(f"Jobs are not chosen by {unknown[0]}=, but by {', '.join(Which.__annotations__)}.")
    return RecordQuery(**which)


def chooses(which: Which) -> bool:
    """False if it would be all jobs."""
    return any(value is not None for value in which.values())


def spent_since(since: datetime | timedelta | None, query: RecordQuery) -> RecordQuery:
    """Only what was sent since then, or within this time up to now.

    Raises:
        InputError: it is neither, or the moment has no time zone.
    """
    if since is None:
        return query
    if isinstance(since, timedelta):
        return attrs.evolve(query, sent_within=since.total_seconds())
    if isinstance(since, datetime):
        return attrs.evolve(query, sent_after=since)
    raise InputError(f"since= takes a moment or a length of time, not {str(since)[:40]!r}: timedelta(days=1).")


async def page(store: Store, query: RecordQuery, limit: int) -> Page:
    """This number of records, and the cursor of the last if there are more.

    Raises:
        InputError: the limit is out of its range.
    """
    check_number(limit, "limit", 1, _LARGEST_PAGE)
    found = await store.find(attrs.evolve(query, limit=limit + 1))
    some = tuple(found[:limit])
    return Page(records=some, next=some[-1].cursor if len(found) > limit else None)
