"""What a caller asked for under a key: its fingerprint, and the id of the job that it stands for.  Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import attrs

from aiogen._content.portions import written
from aiogen.errors import InputError
from aiogen.models import ACTIONS, Action, FailureCode, State
from aiogen.references import Reference

LONGEST_KEY = 256
"""Characters of a key, and of a scope."""


def check_key(value: object, name: str) -> str:
    """A key or a scope.

    Raises:
        InputError: it is no text of 1 to 256 characters that can be printed.
    """
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_KEY or not value.isprintable():
        raise InputError(f"{name}= takes 1 to {LONGEST_KEY} printable characters, not {str(value)[:60]!r}.")
    return value


def job_id(namespace: UUID, scope: str, key: str, attempt: int) -> str:
    """The id of an attempt under a key: the same in every process on one ledger."""
    return str(uuid5(namespace, json.dumps([scope, key, attempt])))


def fingerprint(provider: str, request: Any) -> str:
    """SHA-256 of what was asked of a provider: the given fields of a typed request, references by their bytes.

    Defaults, and what is decided later (seeds, uploads), are not in it, so a newer version finds it unchanged.
    """
    said = hashlib.sha256()
    for part in written([provider, _plain(request)], sort_keys=True, separators=(",", ":")):
        said.update(part.encode("utf-8", "surrogatepass"))
    return said.hexdigest()


def _plain(value: Any) -> Any:
    """As JSON; bytes as their hash."""
    if isinstance(value, Reference) and value.data is not None:
        return _plain(value.data)
    if attrs.has(type(value)):
        fields = {field.name: (getattr(value, field.name), field.default) for field in attrs.fields(type(value))}
        given = {name: _plain(each) for name, (each, default) in fields.items() if not _is_default(each, default)}
        return {"": type(value).__name__, **given}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"sha256": hashlib.sha256(value).hexdigest()}
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, Path):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def _is_default(value: Any, default: Any) -> bool:
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return value in ({}, [], (), None)
    return bool(value == default) or value is None or value == ()


def may_retry(state: State, code: FailureCode | None, action: Action | None) -> bool:
    """Whether another attempt may be made: it failed and trying again may help, or was stopped or withdrawn."""
    if state is State.CANCELLED:
        return True
    helps = action or (ACTIONS[code] if code is not None else None)
    return state is State.FAILED and helps is Action.RETRY
