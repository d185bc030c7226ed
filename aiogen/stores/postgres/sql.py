"""Statements as they are written here, and as they are sent.  Pure.

Written are plain names: `aiogen_job`, and `aiogen_now()` for the time.  Sent is each with its namespace, since
behind a pooler no session keeps a search path.
"""

from __future__ import annotations

import re
from functools import lru_cache

_TABLES = "meta|worker|job|delivery|lock|budget|learned|wish|spent|job_removed"
_NAME = re.compile(rf"(?<![\w.])aiogen_(?:{_TABLES})\b")
_NOW = "aiogen_now()"


def now() -> str:
    """The time of the server when this is evaluated, not when the transaction began: seconds since the epoch."""
    return "extract(epoch FROM clock_timestamp())::float8"


def in_schema(statement: str, schema: str) -> str:
    """The statement as it is sent: with the namespace before the names of ours."""
    qualified = _qualified(statement, schema)
    return qualified.replace(_NOW, now()) if _NOW in qualified else qualified


@lru_cache(maxsize=512)
def _qualified(statement: str, schema: str) -> str:
    return _NAME.sub(lambda found: f'"{schema}".{found[0]}', statement)


class Values:
    """The values of a statement, as its conditions are put together."""

    def __init__(self, *values: object) -> None:
        self.all: list[object] = list(values)

    def __call__(self, value: object) -> str:
        """The place of this one."""
        self.all.append(value)
        return f"${len(self.all)}"
