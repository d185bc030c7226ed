"""Pictures that a request names by the addresses of earlier uploads: their bytes take the place of the addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from aiogen.integrations.fastapi.problems import Refused
from aiogen.integrations.uploads import Uploads
from aiogen.references import Reference

MOST = 16
"""Uploads that one request may name, repetitions included."""
_ADDRESS = re.compile(r"/(?:[^/?#\s]{1,200}/){0,20}uploads/([0-9a-f]{64})")
_UNREAD = ("extra", "graph")
"""Parameters in which nothing is a picture."""
_DEEPEST = 20


async def with_uploads(parameters: dict[str, Any], uploads: Uploads | None, scope: str) -> dict[str, Any]:
    """The parameters, with the bytes of each upload that they name; of this scope alone.

    Raises:
        Refused: there is no such upload in this scope, or too many are named.
        OSError: it cannot be read.
    """
    if uploads is None:
        return parameters
    named = list(_named(parameters))
    if not named:
        return parameters
    if len(named) > MOST:
        raise Refused(
            422, "too_many_references", f"A request names at most {MOST} uploads, and this one names {len(named)}."
        )
    found: dict[str, Reference] = {}
    for upload_id in dict.fromkeys(named):
        data = await uploads.read(scope, upload_id)
        if data is None:
            gone = (
                f"There is no upload {upload_id}; it may have expired. Send the picture again: it has the same id then."
            )
            raise Refused(422, "unknown_upload", gone)
        found[upload_id] = Reference(data=data)
    return {
        name: value if name in _UNREAD else _replaced(value, found) for name, value in parameters.items()
    }  # fmt: skip


def id_in(value: Any) -> str | None:
    """The id of the upload whose address this is; None if it is none."""
    found = _ADDRESS.fullmatch(value) if isinstance(value, str) and len(value) < 5000 else None
    return found[1] if found is not None else None


def _named(parameters: Mapping[str, Any]) -> Iterator[str]:
    for name, value in parameters.items():
        if name not in _UNREAD:
            yield from _ids_in(value, 0)


def _ids_in(value: Any, depth: int) -> Iterator[str]:
    if (upload_id := id_in(value)) is not None:
        yield upload_id
    elif depth < _DEEPEST and isinstance(value, dict | list):  # what is deeper is refused later
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _ids_in(inner, depth + 1)


def _replaced(value: Any, found: Mapping[str, Reference], depth: int = 0) -> Any:
    if (upload_id := id_in(value)) is not None:
        return found[upload_id]
    if depth >= _DEEPEST:
        return value
    if isinstance(value, list):
        return [_replaced(each, found, depth + 1) for each in value]
    if isinstance(value, dict):
        inner = {name: _replaced(each, found, depth + 1) for name, each in value.items()}
        if isinstance(inner.get("url"), Reference):  # {"url": …, "media_type": …}, the long form of a reference
            inner["data"] = inner.pop("url").data
        return inner
    return value
