"""What a program may set: each limit and each timeout with its unit and its range, in one place.  Pure.

`Session` and `SqliteStore` take these by keyword, and their docstrings name the same units and ranges; each part of a
session is handed its own class.  What is out of its range is an `InputError` that names the keyword.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from aiogen._checks import check_number, check_seconds
from aiogen.errors import InputError

POLL_COSTS = (0.001, 60.0)
"""Seconds of waiting that one request may be worth."""
_DAY = 86_400.0

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def seconds(*span: float) -> Validator:
    """Seconds; without a span from a millisecond to 30 days."""

    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        check_seconds(value, attribute.name, *span)

    return check


def whole(low: int, high: int) -> Validator:
    """A whole number from `low` to `high`."""

    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not float(check_number(value, attribute.name, low, high)).is_integer():
            raise InputError(f"{attribute.name} has to be a whole number, not {value!r}.")

    return check


@attrs.frozen(kw_only=True)
class Limits:
    """What bounds the jobs of a session."""

    max_in_flight: int = attrs.field(validator=whole(1, 1000))
    """Requests under way at once, per account."""
    queue_timeout: float = attrs.field(validator=seconds())
    """Seconds that a job may wait for its turn."""
    unreachable_timeout: float = attrs.field(validator=seconds())
    """Seconds after which waiting creates give up on a provider that cannot be reached."""
    handler_timeout: float = attrs.field(validator=seconds())
    """Seconds that a handler of `on_completion` may take."""


@attrs.frozen(kw_only=True)
class RequestOptions:
    """What bounds one request to a provider."""

    connect_timeout: float = attrs.field(validator=seconds())
    """Seconds for name lookup, TCP and TLS together."""
    read_timeout: float = attrs.field(validator=seconds())
    """Seconds for a whole read, from sending to the last byte."""
    submit_timeout: float = attrs.field(validator=seconds())
    """Seconds for a whole create.  Luma fetches reference urls while it waits, up to 18 s each."""
    max_answer_bytes: int = attrs.field(validator=whole(1024, 1 << 40))
    """An answer that is larger is not read."""
    read_attempts: int = attrs.field(validator=whole(1, 20))
    """How often a read is tried in all."""


@attrs.frozen(kw_only=True)
class DownloadOptions:
    """What bounds the downloads of a session."""

    max_download_bytes: int = attrs.field(validator=whole(1, 1 << 50))
    """An output that is larger is not saved."""
    max_downloads: int = attrs.field(validator=whole(1, 100))
    """Downloads under way at once."""
    download_timeout: float = attrs.field(validator=seconds())
    """Seconds for one output, all attempts together."""


@attrs.frozen(kw_only=True)
class CallOptions:
    """What a call of the session's takes where the caller says nothing else."""

    call_timeout: float = attrs.field(validator=seconds())
    """Seconds for one single call, all attempts together."""
    poll_cost: float | None = attrs.field(validator=attrs.validators.optional(seconds(*POLL_COSTS)))
    """Seconds of waiting that one request about a job is worth."""


@attrs.frozen(kw_only=True)
class JobOptions:
    """What one job may be given of its own; None: what the session has, or the provider."""

    timeout: float | None = attrs.field(default=None, validator=attrs.validators.optional(seconds()))
    """Seconds until its deadline."""
    poll_cost: float | None = attrs.field(default=None, validator=attrs.validators.optional(seconds(*POLL_COSTS)))
    """Seconds of waiting that one request about it is worth."""
    retries: int = attrs.field(default=0, validator=whole(0, 5))
    """Further attempts after a failure."""


@attrs.frozen(kw_only=True)
class StoreOptions:
    """How `SqliteStore` keeps its file."""

    keep_finished: float = attrs.field(validator=seconds(0.0, 36_500 * _DAY))
    """Seconds that a job stays after its end."""
    keep_requests: bool
    """Keep what is sent until the job is over."""
    lease: float = attrs.field(validator=seconds(0.5, 3600.0))
    """Seconds after which others take over the jobs of a process that does not renew it."""
    busy_timeout: float = attrs.field(validator=seconds(0.0, 600.0))
    """Seconds to wait for other processes that write."""
    adopt: bool
    """Send what waits in a copy."""


@attrs.frozen(kw_only=True)
class ServerOptions:
    """How `PostgresStore` keeps its ledger."""

    keep_finished: float = attrs.field(validator=seconds(0.0, 36_500 * _DAY))
    """Seconds that a job stays after its end."""
    keep_requests: bool
    """Keep what is sent until the job is over."""
    lease: float = attrs.field(validator=seconds(0.5, 3600.0))
    """Seconds after which others take over the jobs of a process that does not renew it."""
    timeout: float = attrs.field(validator=seconds(0.1, 600.0))
    """Seconds that one statement may take."""
    statement_cache_size: int = attrs.field(validator=whole(0, 10_000))
    """Prepared statements of one connection."""
