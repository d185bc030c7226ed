"""The rows of a batch: what each asks for, and under which key, so that a repeated batch pays only for what is new.

A row's key is its own name, else its content and how often that came before; never where it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import attrs

from aiogen._answers.asked import LONGEST_KEY
from aiogen._jobs.requests import Asked, taken_apart
from aiogen.errors import InputError, RowProblem

_NAMES = ("id", "custom_id", "key")
"""What a mapping may call its row's own name."""
_CONTENT = 20
"""Hexadecimal digits of a content in a key."""


@runtime_checkable
class Numbered(Protocol):
    """A row of a file, as `aiogen.batch.Row` is one."""

    @property
    def line(self) -> int: ...
    @property
    def id(self) -> str | None: ...
    @property
    def request(self) -> Mapping[str, Any]: ...
    @property
    def columns(self) -> Mapping[str, Any]: ...


@attrs.frozen(kw_only=True)
class BatchRow:
    """One row."""

    asked: Asked
    own_key: str | None = None
    """The row's own name; None if it has none."""
    line: int
    """Where it stands, from 1: in its file, or in the list."""
    columns: Mapping[str, Any] = attrs.field(factory=dict)
    """What is kept beside the job, and may be in the names of files."""


def row_of(request: object, index: int) -> BatchRow:
    """A row from what people put into lists: a `Row` of a file, or any request.

    Raises:
        InputError: it is not a request.
    """
    line, own, inner = index + 1, None, request
    columns: dict[str, Any] = {}
    if isinstance(request, RowProblem):
        raise InputError(request.what)
    if isinstance(request, Numbered):
        line, own, columns, inner = request.line, request.id, dict(request.columns), request.request
    if isinstance(inner, Mapping):
        fields = dict(inner)
        for name in _NAMES:
            if own is None and fields.get(name) is not None:
                own = str(fields.pop(name))
        columns |= {name: fields.pop(name) for name in list(fields) if name.startswith("_")}
        inner = fields
    if own is not None and not (0 < len(own) <= 200 and own.isprintable()):
        raise InputError(f"The name {own[:40]!r} of a row has to be 1 to 200 printable characters.")
    return BatchRow(asked=taken_apart(inner), own_key=own, line=line, columns=columns)


class Keys:
    """The keys of one run through the rows of a batch."""

    def __init__(self, batch: str) -> None:
        """`batch`: its name."""
        self._batch = batch
        self._seen: dict[bytes, int] = {}
        """How often each content came so far, by its hash; a hundred thousand take some megabytes."""

    def of(self, own_key: str | None, asked: str) -> str:
        """The key of the next row: within the batch, and the same when the batch is run again."""
        if own_key is not None:
            return own_key
        content = bytes.fromhex(asked[: 2 * _CONTENT])
        count = self._seen[content] = self._seen.get(content, 0) + 1
        return asked[:_CONTENT] + (f".{count}" if count > 1 else "")

    def in_ledger(self, key: str) -> str:
        """The same for the ledger, where keys of all batches of a scope stand side by side."""
        return f"{self._batch}/{key}"


def check_batch_name(name: object) -> str:
    """The name of a batch.

    Raises:
        InputError: it is not a valid name.
    """
    longest = LONGEST_KEY - 201
    if not isinstance(name, str) or not 1 <= len(name) <= longest or not name.isprintable() or name.strip() != name:
        raise InputError(f"A batch has a name of 1 to {longest} printable characters, not {str(name)[:60]!r}.")
    return name
