"""What is carried over from one ledger into another: which columns, and each value as the other keeps it.  Pure."""

from __future__ import annotations

from typing import Any

import attrs

from aiogen.stores import rows

Row = tuple[Any, ...]


@attrs.frozen
class Table:
    """What is copied of one table."""

    name: str
    columns: tuple[str, ...]
    moments: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    """Numbers in the file, and true or false in the database."""
    json: frozenset[str] = frozenset()

    @property
    def select(self) -> str:
        """In an order that stays the same."""
        return f"SELECT {', '.join(self.columns)} FROM aiogen_{self.name} ORDER BY rowid"


TABLES = (
    Table(
        "job",
        (*(name for name in rows.COLUMNS if name != "owner"), "submitter", "expires_at"),
        moments=frozenset({"created_at", "submitted_at", "accepted_at", "finished_at", "expires_at"}),
        json=frozenset({"request", "result", "metadata", "reference"}),
    ),
    Table(
        "delivery",
        ("job", "handler", "attempts", "next_at", "done_at", "pause"),
        moments=frozenset({"next_at", "done_at"}),
    ),
    Table("wish", ("job", "cancel", "wake", "answer"), flags=frozenset({"cancel", "wake"}), json=frozenset({"answer"})),
    Table(
        "budget",
        ("account", "lane", "spent_until", "held_until", "held_by", "held_for"),
        moments=frozenset({"spent_until", "held_until"}),
    ),
    Table("learned", ("name", "value", "updated_at", "version"), frozenset({"updated_at"}), json=frozenset({"value"})),
    Table("spent", ("minute", "connection", "unit", "charge", "jobs", "estimated")),
)
"""All but the workers: nobody owns anything in what was moved."""
NAMES = ("id", "connection", "provider", "account", "provider_id", "scope", "key", "batch", "fingerprint")
"""Of a job: what it is found by, which must arrive letter for letter."""


def carried(table: Table, row: Row, shift: float) -> Row:
    """As the database keeps it; `shift` is by how many seconds its clock is ahead."""
    return tuple(_carried(table, name, value, shift) for name, value in zip(table.columns, row, strict=True))


def _carried(table: Table, name: str, value: Any, shift: float) -> Any:
    if name in table.moments:
        return value + shift if value else value  # 0 is no moment
    if name in table.flags:
        return bool(value)
    if isinstance(value, str):
        return storable(value, is_json=name in table.json)
    return value


def storable(text: str, *, is_json: bool) -> str:
    """What a database can keep; JSON that is damaged stays so, for nobody may send what somebody never wrote."""
    try:
        if "\0" not in text:
            text.encode()
            return text
    except UnicodeEncodeError:
        pass
    clean = text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return f"damaged: {clean}" if is_json else clean
