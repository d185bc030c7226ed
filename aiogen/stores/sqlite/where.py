"""A query as the conditions of a SELECT."""

from __future__ import annotations

import sqlite3
from typing import Any

from aiogen.stores import selecting
from aiogen.stores.paging import place_at
from aiogen.stores.query import RecordQuery
from aiogen.stores.sqlite import clock

ORDER = "ORDER BY created_at DESC, id"
_HALF = 0.5e-6
"""Seconds: of a cursor's microsecond, to both sides."""


def conditions(c: sqlite3.Connection, query: RecordQuery) -> tuple[str, list[Any]]:
    """What has to hold, and the values in it; the connection learns what SQLite does not know by itself."""
    parts, values = ["1"], list[Any]()
    if query.states is not None:
        parts.append(f"state IN ({', '.join('?' for _ in query.states)})")
        values += map(str, query.states)
    if query.ids is not None:
        parts.append(f"id IN ({', '.join('?' for _ in query.ids)})")
        values += query.ids
    if query.prefix is not None:
        parts.append("(substr(id, 1, ?) = ? OR substr(provider_id, 1, ?) = ?)")
        values += [len(query.prefix), query.prefix] * 2
    for column, value in (
        ("connection", query.connection),
        ("batch", query.batch),
        ("scope", query.scope),
        ("key", query.key),
    ):
        if value is not None:
            parts.append(f"{column} = ?")
            values.append(value)
    for sign, moment in ((">", query.created_after), ("<", query.created_before)):
        if moment is not None:
            parts.append(f"created_at {sign} ?")
            values.append(moment.timestamp())
    for sign, age in ((">", query.younger), ("<", query.older)):
        if age is not None:
            parts.append(f"created_at {sign} ?")
            values.append(clock.now(c) - age)
    if query.after is not None:
        when, job_id = place_at(query.after)
        parts.append("created_at < ? AND (created_at < ? OR id > CAST(? AS TEXT))")
        values += [when / 1e6 + _HALF, when / 1e6 - _HALF, job_id.encode("utf-8", "surrogateescape")]
    for since in sent_since(c, query):
        parts.append("submitted_at > ?")
        values.append(since)
    # Last: what every row is read for is asked only of those that are left.
    if query.prompt is not None:
        _teach(c)
        parts.append("aiogen_says(CAST(prompt AS BLOB), ?)")
        values.append(query.prompt)
    if query.metadata is not None:
        _teach(c)
        parts.append("aiogen_has(CAST(metadata AS BLOB), ?)")
        values.append(selecting.canonical(query.metadata))
    return " AND ".join(parts), values


def sent_since(c: sqlite3.Connection, query: RecordQuery) -> list[float]:
    """The moments after which a create has to have been sent."""
    moments = [] if query.sent_after is None else [query.sent_after.timestamp()]
    return moments if query.sent_within is None else [*moments, clock.now(c) - query.sent_within]


def _teach(c: sqlite3.Connection) -> None:
    """Upper and lower case of all alphabets, and JSON that is equal."""
    c.create_function("aiogen_says", 2, _says, deterministic=True)
    c.create_function("aiogen_has", 2, _has, deterministic=True)


def _says(prompt: bytes | None, words: str) -> bool:
    return prompt is not None and selecting.says(prompt.decode("utf-8", "replace"), words)


def _has(metadata: bytes | None, wanted: str) -> bool:
    return selecting.has_in(metadata, selecting.wanted_in(wanted))
