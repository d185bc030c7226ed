"""What the parts of a query mean that no index knows, and what a whole one means where records are objects.  Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from aiogen.stores.base import Record
from aiogen.stores.paging import place_at, place_of
from aiogen.stores.query import RecordQuery


def says(prompt: str | None, words: str) -> bool:
    """These words are in the prompt, in upper or lower case."""
    return prompt is not None and words.casefold() in prompt.casefold()


def has(metadata: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    """Each of these names is there, with the same value."""
    return metadata is not None and all(
        name in metadata and canonical(metadata[name]) == canonical(value) for name, value in wanted.items()
    )


def has_in(metadata: str | bytes | None, wanted: Mapping[str, Any]) -> bool:
    """The same of metadata as a row has it; what is damaged has nothing, and its row is found by everything else."""
    try:
        known = json.loads(metadata) if metadata is not None else None
    except (ValueError, RecursionError):
        return False
    return isinstance(known, dict) and has(known, wanted)


def canonical(value: Any) -> str:
    """JSON in one spelling, so that equal values are equal texts; True is not 1."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=dict)


@lru_cache(maxsize=8)
def wanted_in(text: str) -> Mapping[str, Any]:
    """What a query wants of the metadata, read from JSON once for all rows."""
    return dict(json.loads(text))


def matches(record: Record, query: RecordQuery, now: datetime) -> bool:
    """The record is one that the query asks for, at this time by the store's clock."""
    age = (now - record.created_at).total_seconds()
    return (
        (query.states is None or record.state in query.states)
        and (query.connection is None or record.connection == query.connection)
        and (query.batch is None or record.batch == query.batch)
        and (query.scope is None or record.scope == query.scope)
        and (query.key is None or record.key == query.key)
        and (query.created_after is None or record.created_at > query.created_after)
        and (query.created_before is None or record.created_at < query.created_before)
        and (query.younger is None or age < query.younger)
        and (query.older is None or age > query.older)
        and (query.ids is None or record.id in query.ids)
        and (query.prefix is None or any(i.startswith(query.prefix) for i in (record.id, record.provider_id or "")))
        and (query.after is None or is_behind(record, query.after))
        and (query.prompt is None or says(record.prompt, query.prompt))
        and (query.metadata is None or has(record.metadata, query.metadata))
        and (query.sent_after is None or _sent(record, query.sent_after))
        and (query.sent_within is None or _sent(record, now - timedelta(seconds=query.sent_within)))
    )


def _sent(record: Record, since: datetime) -> bool:
    return record.submitted_at is not None and record.submitted_at > since


def is_of_all(query: RecordQuery) -> bool:
    """It asks for no jobs in particular, but by their connection, and by when their creates were sent."""
    return query == RecordQuery(connection=query.connection, sent_after=query.sent_after, sent_within=query.sent_within)


def order(record: Record) -> tuple[int, str]:
    """For sorting: the newest first, and of one moment the lower id."""
    when, job_id = place_of(record.created_at, record.id)
    return -when, job_id


def is_behind(record: Record, cursor: str) -> bool:
    """The record comes after the one that the cursor was made of."""
    when, job_id = place_at(cursor)
    return order(record) > (-when, job_id)
