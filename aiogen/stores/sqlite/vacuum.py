"""Free pages of the file: given back to the disk, in steps that hold nobody up."""

from __future__ import annotations

import sqlite3

from aiogen.stores.sqlite.copies import number, put

_STEP = 500
"""Pages in one transaction; a page has 4,096 bytes."""
_SPARE = 256
"""Free pages that are worth no work."""
_MOST_TO_COPY = 25_000
"""Pages in use that are copied in one go, about a second's work."""


def give_back(c: sqlite3.Connection) -> bool:
    """One step of a file that can be made smaller bit by bit; True if there is more to do."""
    if _mode(c) != 2 or not is_worth_it(c):
        return False
    # Other processes see the file become smaller, and have to know that it is no accident.
    found = c.execute("SELECT v FROM aiogen_file WHERE k = 'shrunk'").fetchone()
    put(c, "shrunk", str(number(found[0] if found is not None else None) + 1))
    for _ in range(_STEP):  # sqlite3 carries out one page of it at a time, however many are asked for
        c.execute("PRAGMA incremental_vacuum(1)")
    return is_worth_it(c)


def make_small(c: sqlite3.Connection) -> None:
    """Outside of a transaction: the rest, which only happens to a file of an older version, once.

    And what was given back leaves the file itself.
    """
    if _mode(c) != 2 and is_worth_it(c):
        c.execute("PRAGMA auto_vacuum = INCREMENTAL")
        c.execute("VACUUM")
    c.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def empty_log(c: sqlite3.Connection) -> None:
    """Outside of a transaction: what was removed leaves the write-ahead log as well.

    While another program reads just now it stays there, until the next time or until it is written over.
    """
    c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def is_worth_it(c: sqlite3.Connection) -> bool:
    """True if so much is free that it should be given back."""
    free, pages = _free(c), _pages(c)
    if _mode(c) == 2:
        return free > _SPARE and 10 * free > pages
    return free > _SPARE and 2 * free > pages and pages - free < _MOST_TO_COPY


def _mode(c: sqlite3.Connection) -> int:
    return int(c.execute("PRAGMA auto_vacuum").fetchone()[0])


def _free(c: sqlite3.Connection) -> int:
    return int(c.execute("PRAGMA freelist_count").fetchone()[0])


def _pages(c: sqlite3.Connection) -> int:
    return int(c.execute("PRAGMA page_count").fetchone()[0])
