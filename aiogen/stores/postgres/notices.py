"""What one process reports to the others when it has written: who it is, and which jobs have changed.  Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator

import attrs

_LONGEST = 7_900
"""Bytes; PostgreSQL refuses 8,000, and with them the transaction that they are about."""


@attrs.frozen
class Notice:
    """One notice, as it arrives."""

    by: str
    """The store that sent it."""
    job_ids: tuple[str, ...] = ()
    is_of_all: bool = False
    """Of which jobs is not said: whatever is watched may have changed."""
    is_echo: bool = False
    """Only to its own sender, to know that notices arrive."""


def channel(schema: str) -> str:
    """Of the ledger in this namespace; a name has 63 bytes at most."""
    return f"aiogen_{hashlib.sha256(schema.encode()).hexdigest()[:16]}"


def texts(by: str, job_ids: Iterable[str]) -> Iterator[str]:
    """As few notices as these ids fit into; one without ids if there are none."""
    some, size, count = list[str](), 0, 0
    room = _LONGEST - len(json.dumps([by])) - 8
    for job_id in dict.fromkeys(job_ids):
        length = len(json.dumps(job_id)) + 1  # in ASCII, so each character is a byte
        if length > room:
            yield json.dumps([by, None])
            return
        if size + length > room:
            yield _text(by, some)
            some, size = [], 0
        some.append(job_id)
        size, count = size + length, count + 1
    if some or not count:
        yield _text(by, some)


_ECHO = "?"


def echo(by: str) -> str:
    """To oneself: whether notices arrive."""
    return f"{_ECHO}{by}"


def _text(by: str, job_ids: list[str]) -> str:
    return json.dumps([by, *job_ids], separators=(",", ":"))


def read(text: str) -> Notice:
    """What somebody has sent on this channel; something that is no notice may be about anything."""
    if text.startswith(_ECHO):
        return Notice(text[1:], is_echo=True)
    try:
        by, *job_ids = json.loads(text)
    except (ValueError, TypeError):
        return Notice("", is_of_all=True)
    if not isinstance(by, str) or not all(isinstance(job_id, str) for job_id in job_ids):
        return Notice(str(by), is_of_all=True)
    return Notice(by, tuple(job_ids))
