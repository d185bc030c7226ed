"""A ledger's file that is closed for good, because it moves into a database, or has moved.

It says a version that no program knows, so every version refuses to open it.  A program that has it open still (it was
stopped for longer than its lease) is refused by triggers, which need nothing of that program's version.  Where the move
stands is kept in the file: that it was handed over is one commit here, before which the other ledger cannot be opened,
and after which this one cannot be opened again.
"""

from __future__ import annotations

import json
import shlex
import sqlite3
from enum import StrEnum
from pathlib import Path
from typing import Any

import attrs

from aiogen.errors import StoreError
from aiogen.models import Action
from aiogen.stores.sqlite import clock, copies, moments, workers

CLOSED = 999_999_999
"""The version that it says: the greatest that any program reads."""
_MOVE = "move"
_REFUSED = {
    "aiogen_worker": ("INSERT",),
    "aiogen_job": ("INSERT", "UPDATE"),
    "aiogen_delivery": ("INSERT", "UPDATE"),
    "aiogen_wish": ("INSERT", "UPDATE"),
    "aiogen_budget": ("INSERT", "UPDATE"),
    "aiogen_learned": ("INSERT", "UPDATE"),
}
"""What nobody may do there.  What has been kept for long enough may still be removed."""


class Stage(StrEnum):
    """How far a move has come."""

    COPYING = "copying"
    """It may be given up: the other ledger cannot be opened as long as this stands here."""
    HANDED_OVER = "handed over"
    """Everything was copied, and the other ledger may be open."""
    MOVED = "moved"
    """The other one is open."""


@attrs.frozen
class Move:
    """What a closed file says of itself."""

    id: str
    """Of one try; the other ledger keeps it."""
    to: str
    """Where to, without a password."""
    stage: Stage
    schema: int
    """The version of its tables."""
    at: float
    """When it was closed: seconds since the epoch."""

    def to_text(self) -> str:
        return json.dumps(attrs.asdict(self))

    @classmethod
    def of(cls, text: str) -> Move:
        values: dict[str, Any] = json.loads(text)
        values["stage"] = Stage(values["stage"])
        return cls(**values)


def read(c: sqlite3.Connection) -> Move | None:
    """None if it is not closed."""
    number = c.execute("SELECT v FROM aiogen_meta WHERE k = 'schema'").fetchone()
    found = c.execute("SELECT v FROM aiogen_file WHERE k = ?", (_MOVE,)).fetchone()
    return Move.of(found[0]) if found is not None and number == (str(CLOSED),) else None


def refusal(c: sqlite3.Connection, path: Path) -> StoreError:
    """The message for a program that opens it, and what helps."""
    move = read(c)
    if move is None:
        return StoreError(f"The ledger {str(path)!r} is closed, and does not say why.")
    if move.stage is Stage.MOVED:
        text = f"was moved to {move.to}: use that url as the store (AIOGEN_STORE). This file may be deleted."
    else:
        again = shlex.join(["aiogen", "db", "copy", f"sqlite:{path}"])
        text = f"is being moved to {move.to}, and is closed. Bring that to its end: {again} postgresql://…"
        if move.stage is Stage.COPYING:
            text += f", or give it up: {shlex.join(['aiogen', 'db', 'reopen', '--store', str(path)])}"
    return StoreError(f"The ledger {str(path)!r} {text}")


# --- within a transaction


def close(c: sqlite3.Connection, path: Path, move_id: str, to: str, schema: int) -> int:
    """Nobody uses it from here on; what was being submitted is unknown.  How many jobs that are.

    Raises:
        StoreError: somebody uses it, or it seems to be a copy of another one; nothing was changed.
    """
    now = clock.now(c)
    _refuse_use(c, path, now)
    if (held := copies.held(c, path)) is not None:
        raise StoreError(f"{held} Then move it.")
    unknown = c.execute("UPDATE aiogen_job SET state = 'unknown', owner = NULL WHERE state = 'submitting'").rowcount
    copies.namespace(c)
    for table, verbs in _REFUSED.items():
        for verb in verbs:
            c.execute(
                f"CREATE TRIGGER {_trigger(table, verb)} BEFORE {verb} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'it is closed: it was moved to another place'); END"
            )
    _put(c, Move(id=move_id, to=to, stage=Stage.COPYING, schema=schema, at=now))
    c.execute("UPDATE aiogen_meta SET v = ? WHERE k = 'schema'", (str(CLOSED),))
    return unknown


def _refuse_use(c: sqlite3.Connection, path: Path, now: float) -> None:
    moments.correct(c, now)
    workers.end(c, workers.dead(c))
    c.execute("DELETE FROM aiogen_worker WHERE lease_until <= ?", (now,))
    living = c.execute("SELECT id, lease_until FROM aiogen_worker ORDER BY lease_until DESC").fetchall()
    if not living:
        return
    name, until = living[0]
    more = f" and {len(living) - 1} more" if len(living) > 1 else ""
    raise StoreError(
        f"The ledger {str(path)!r} is in use by {name}{more}, and stays open: end the programs that use it and move it "
        f"then. The lease of one that was killed runs out in {until - now:.0f} s.",
        action=Action.WAIT,
        retryable=True,
    )


def begin_again(c: sqlite3.Connection, path: Path, before: Move, move_id: str, to: str) -> None:
    """Another try: the one before cannot come to its end any more.

    Raises:
        StoreError: somebody else goes on with it.
    """
    _expect(c, path, before)
    _put(c, attrs.evolve(before, id=move_id, to=to, stage=Stage.COPYING))


def advance(c: sqlite3.Connection, path: Path, move_id: str, stage: Stage) -> None:
    """The same try has come further.

    Raises:
        StoreError: it was given up, or begun again, by somebody else.
    """
    move = read(c)
    if move is None or move.id != move_id:
        raise _taken(path)
    _put(c, attrs.evolve(move, stage=stage))


def reopen(c: sqlite3.Connection, path: Path) -> str:
    """Give the move up: the file may be used again.  Where it would have gone.

    Raises:
        StoreError: it is not closed, or it was handed over.
    """
    move = read(c)
    if move is None:
        raise StoreError(f"The ledger {str(path)!r} is open.")
    if move.stage is not Stage.COPYING:
        raise StoreError(
            f"The ledger {str(path)!r} was handed over to {move.to}, where its jobs may be sent already: it cannot be "
            "opened again.",
        )
    for table, verbs in _REFUSED.items():
        for verb in verbs:
            c.execute(f"DROP TRIGGER IF EXISTS {_trigger(table, verb)}")
    c.execute("DELETE FROM aiogen_file WHERE k = ?", (_MOVE,))
    c.execute("UPDATE aiogen_meta SET v = ? WHERE k = 'schema'", (str(move.schema),))
    return move.to


def _trigger(table: str, verb: str) -> str:
    return f"{table}_closed_{verb.lower()}"


def _expect(c: sqlite3.Connection, path: Path, move: Move) -> None:
    if read(c) != move:
        raise _taken(path)


def _taken(path: Path) -> StoreError:
    return StoreError(
        f"Another process moves the ledger {str(path)!r}, or has opened it again; the other ledger was not opened.",
    )


def _put(c: sqlite3.Connection, move: Move) -> None:
    copies.put(c, _MOVE, move.to_text())
