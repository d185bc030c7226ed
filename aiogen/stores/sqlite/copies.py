"""A ledger knows its place: one that was copied, moved or put back from a backup is noticed when it is opened.

Why it counts as a copy is decided by `identity`, which is pure; here is what the file itself keeps of it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shlex
import sqlite3
from pathlib import Path
from uuid import UUID, uuid4

import attrs

from aiogen.models import State
from aiogen.stores.sqlite import beside, identity


@attrs.frozen
class HeldCopy:
    """A ledger that seems to be a copy, and what in it is not sent because of that."""

    path: Path
    jobs: int
    """How many wait, as of when it was opened, until `SqliteStore.adopt_copy` or `aiogen db adopt`."""
    reason: str

    def __str__(self) -> str:
        jobs = "1 waiting job in it is" if self.jobs == 1 else f"{self.jobs} waiting jobs in it are"
        return (
            f"The ledger {str(self.path)!r} seems to be a copy: {self.reason}. {jobs} not sent from here, because "
            "the other ledger may send them, too. Running jobs are followed, and new jobs are sent. If no other "
            f"copy is in use: {shlex.join(['aiogen', 'db', 'adopt', '--store', str(self.path)])}"
        )


def held(c: sqlite3.Connection, path: Path) -> HeldCopy | None:
    """What is not sent because the file seems to be a copy; None if it does not, or nothing waits."""
    reason = c.execute("SELECT v FROM aiogen_file WHERE k = 'copied'").fetchone()
    if reason is None:
        return None
    jobs = c.execute(
        "SELECT count(*) FROM aiogen_job WHERE copied AND finished_at IS NULL AND state = ?", (str(State.PENDING),)
    ).fetchone()[0]
    return HeldCopy(path, jobs, reason[0]) if jobs else None


def adopt(c: sqlite3.Connection) -> int:
    """What came with a copy may be sent; how many jobs that are."""
    c.execute("DELETE FROM aiogen_file WHERE k = 'copied'")
    return c.execute("UPDATE aiogen_job SET copied = 0 WHERE copied AND finished_at IS NULL").rowcount


def take_place(c: sqlite3.Connection, real: Path, *, is_adopted: bool) -> identity.Counter:
    """The ledger lies here from now on, and counts on.

    What waits in a copy is marked, so that nobody takes it up before the user has said so.
    """
    kept: dict[str, str] = dict(c.execute("SELECT k, v FROM aiogen_file").fetchall())
    here, places = _place(real), identity.places_of(kept.get("places"))
    name, count = kept.get("ledger"), number(kept.get("count"))
    by_file = beside.read(real)
    reason = None
    if name is None:
        name, places = secrets.token_hex(8), [here]
    else:
        inside = identity.Counter(name, count)
        reason = identity.is_copy(places, here, inside, by_file, was_beside=kept.get("beside") == "1")
        if reason is not None and here not in places and any(identity.same_file(each, here) for each in places):
            places.append(here)
        elif reason is not None:
            name, places = secrets.token_hex(8), [here]  # from here on it is a ledger of its own
    if reason is not None and not is_adopted:
        c.execute("UPDATE aiogen_job SET copied = 1 WHERE state = 'pending' AND finished_at IS NULL")
        put(c, "copied", reason)
    if is_adopted:
        adopt(c)
    if by_file is None or by_file.ledger != name:
        put(c, "beside", str(int(beside.make(real, identity.Counter(name, count)))))
    put(c, "ledger", name)
    put(c, "places", identity.places_text(places))
    return count_on(c)


def count_on(c: sqlite3.Connection) -> identity.Counter:
    """One more; at each opening, and with each heartbeat."""
    kept: dict[str, str] = dict(c.execute("SELECT k, v FROM aiogen_file WHERE k IN ('ledger', 'count')").fetchall())
    counter = identity.Counter(kept["ledger"], number(kept.get("count")) + 1)
    put(c, "count", str(counter.count))
    c.execute(f"PRAGMA user_version = {identity.stamp(counter.ledger, counter.count)}")
    return counter


def namespace(c: sqlite3.Connection) -> UUID:
    """From which the ids of keyed jobs are made: random, and the same for the whole life of a ledger and its copies."""
    kept = c.execute("SELECT v FROM aiogen_file WHERE k = 'namespace'").fetchone()
    if kept is not None:
        return UUID(kept[0])
    new = uuid4()
    put(c, "namespace", str(new))
    return new


def put(c: sqlite3.Connection, key: str, value: str) -> None:
    """Keep something about the file itself."""
    c.execute("INSERT OR REPLACE INTO aiogen_file VALUES (?, ?)", (key, value))


def number(text: str | None) -> int:
    """A count; 0 if it is not a number."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 19 else 0


def _place(real: Path) -> identity.Place:
    return identity.Place(os.fsencode(real).decode("utf-8", "backslashreplace"), os.stat(real).st_ino, _machine())


def _machine() -> str:
    """A hash of this machine's id, or nothing: the id itself is nobody else's to know."""
    try:
        with open("/etc/machine-id", encoding="ascii", errors="replace") as file:
            text = file.read(64).strip()
    except OSError:
        return ""
    return hashlib.sha256(f"aiogen {text}".encode()).hexdigest()[:16] if text else ""
