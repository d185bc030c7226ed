"""What was learned, in the database: values with versions, so that none is written over another unseen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiogen.stores.postgres.database import Tx


async def get(tx: Tx, name: str, known: int) -> tuple[Mapping[str, Any] | None, int]:
    """See `Store.get_learned`."""
    # Large, and mostly known: it is read only where it is not.
    found = await tx.row(
        "SELECT version, CASE WHEN version != $2 THEN value END FROM aiogen_learned WHERE name = $1", name, known
    )
    if found is None:
        return None, 0
    version, text = found
    value = json.loads(text) if version != known else None
    return (value if isinstance(value, dict) else None), version


async def put(tx: Tx, name: str, text: str, version: int) -> int:
    """See `Store.put_learned`."""
    row = await tx.row("SELECT version, value FROM aiogen_learned WHERE name = $1 FOR UPDATE", name)
    if row is None:
        if version:
            return 0
        return int(
            await tx.value(
                "INSERT INTO aiogen_learned VALUES ($1, $2, aiogen_now(), 1) ON CONFLICT (name) DO NOTHING "
                "RETURNING version",
                name,
                text,
            )
            or 0
        )
    stands, value = row
    if stands != version and not _is_damaged(value):
        return 0
    # Above both: a version that was read from what is damaged now is not given to another value.
    return int(
        await tx.value(
            "UPDATE aiogen_learned SET value = $2, updated_at = aiogen_now(), version = $3 WHERE name = $1 "
            "RETURNING version",
            name,
            text,
            max(stands, version) + 1,
        )
    )


def _is_damaged(text: str) -> bool:
    """Nobody can read it, so nobody loses anything by it."""
    try:
        return not isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return True
