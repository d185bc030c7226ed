"""A query as the conditions of a SELECT.  Pure."""

from __future__ import annotations

from aiogen.stores.paging import place_at
from aiogen.stores.postgres.sql import Values
from aiogen.stores.query import RecordQuery

ORDER = "ORDER BY created_at DESC, id"
_HALF = 0.5e-6
"""Seconds: of a cursor's microsecond, to both sides."""
_NOW = "(SELECT aiogen_now())"
"""Asked once for a statement, so that an index can serve."""


def conditions(query: RecordQuery, values: Values) -> str:
    """What has to hold, but for prompt and metadata: of those PostgreSQL knows neither the letters of all alphabets,
    whatever it was set up with, nor which values of JSON are equal here."""
    parts = ["true"]
    if query.states is not None:
        parts.append(f"state = ANY({values([str(state) for state in query.states])}::text[])")
    if query.ids is not None:
        parts.append(f"id = ANY({values(list(query.ids))}::text[])")
    if query.prefix is not None:
        prefix = values(query.prefix)
        parts.append(f"(starts_with(id, {prefix}) OR starts_with(provider_id, {prefix}))")
    for column, value in (
        ("connection", query.connection),
        ("batch", query.batch),
        ("scope", query.scope),
        ("key", query.key),
    ):
        if value is not None:
            parts.append(f"{column} = {values(value)}")
    for sign, moment in ((">", query.created_after), ("<", query.created_before)):
        if moment is not None:
            parts.append(f"created_at {sign} {values(moment.timestamp())}")
    for sign, age in ((">", query.younger), ("<", query.older)):
        if age is not None:
            parts.append(f"created_at {sign} {_NOW} - {values(age)}::float8")
    if query.after is not None:
        when, job_id = place_at(query.after)
        last, before = values(when / 1e6 + _HALF), values(when / 1e6 - _HALF)
        parts.append(f"created_at < {last} AND (created_at < {before} OR id > {values(job_id)})")
    parts += [f"submitted_at > {since}" for since in sent_since(query, values)]
    return " AND ".join(parts)


def sent_since(query: RecordQuery, values: Values) -> list[str]:
    """The moments after which a create has to have been sent."""
    moments = [] if query.sent_after is None else [f"{values(query.sent_after.timestamp())}::float8"]
    return moments if query.sent_within is None else [*moments, f"({_NOW} - {values(query.sent_within)}::float8)"]


def limited(query: RecordQuery, values: Values) -> str:
    """The order, and how many."""
    return "" if query.limit is None else f" {ORDER} LIMIT {values(query.limit)}"
