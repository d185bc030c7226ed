"""Which ledger a file is, and whether it is the one that was last seen in this place.  Pure.

A file can be copied, and a copy holds the same waiting jobs.  So a ledger knows where it was last opened, and counts;
the count also stands in a small file beside it, which shows when an older state was put in its place.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import attrs

APPLICATION_ID = 0x61696F67  # "aiog"; stands in the header of each ledger
_PLACES = 8
_TAG_BITS, _COUNT_BITS = 11, 20
_MAGIC = b"SQLite format 3\x00"
HEADER = 100
"""Bytes at the beginning of an SQLite file."""


@attrs.frozen
class Place:
    """Where a file lies.  Not the device's number: that may be another one after each start of the machine."""

    path: str
    """Absolute, without symbolic links."""
    inode: int
    """0 where there is none."""
    machine: str = ""
    """What this machine calls itself, if it does."""


@attrs.frozen
class Counter:
    """The content of the file beside the ledger."""

    ledger: str
    count: int

    def to_text(self) -> str:
        """Always as long as it is now, so that it can be written over itself."""
        return f"{self.ledger} {self.count:020d}\n"


def counter_of(text: str) -> Counter | None:
    """None if it says nothing that can be understood."""
    ledger, _, number = text.strip().partition(" ")
    if not ledger or not (number.isascii() and number.isdecimal()) or len(number) > 20:
        return None
    return Counter(ledger, int(number))


def places_of(text: str | None) -> list[Place]:
    """Where it was opened before; none if that cannot be understood."""
    try:
        return [Place(str(path), int(inode), str(machine)) for path, inode, machine in json.loads(text or "[]")]
    except (ValueError, TypeError):
        return []


def places_text(places: Sequence[Place]) -> str:
    """The latest of them."""
    return json.dumps([attrs.astuple(place) for place in places[-_PLACES:]])


def same_file(one: Place, other: Place) -> bool:
    """It may lie there under another name: moved, or seen from within a container."""
    return one.inode == other.inode != 0 and _same_machine(one, other)


def _same_machine(one: Place, other: Place) -> bool:
    return one.machine == other.machine or not one.machine or not other.machine


def _is_there(place: Place, here: Place) -> bool:
    return place.path == here.path and place.inode == here.inode and _same_machine(place, here)


def is_copy(
    known: Sequence[Place], here: Place, inside: Counter, beside: Counter | None, *, was_beside: bool
) -> str | None:
    """Why this may be a copy of a ledger that goes on somewhere else; None if it is the one that was here before.

    `inside` is what the ledger itself says, `beside` what the file beside it says; `was_beside`: there was one.
    """
    if not known:
        return None  # new, or from before a ledger knew its place
    if not any(_is_there(place, here) for place in known):
        last = known[-1]
        if not _same_machine(last, here):
            return f"it was last opened on another machine, as {last.path!r}"
        if last.path != here.path:
            return f"it was last opened as {last.path!r}"
        return "another file is in its place since it was last opened"
    if beside is None:
        return "its counter file (-epoch) is gone" if was_beside else None
    if beside.ledger != inside.ledger or beside.count > inside.count:
        return "an older state of it, or another ledger, is in its place"
    return None


def stamp(ledger: str, count: int) -> int:
    """What stands in the file's first bytes (`PRAGMA user_version`): which ledger it is, and how far it has counted."""
    tag = int(ledger[:8], 16) % (1 << _TAG_BITS)
    return tag << _COUNT_BITS | count % (1 << _COUNT_BITS)


def header_of(header: bytes) -> int | None:
    """The stamp in the first bytes of a file; None if they are no ledger's."""
    return int.from_bytes(header[60:64], "big") if len(header) == HEADER and header.startswith(_MAGIC) else None


def is_the_same(on_disk: int, inside: int, before: int | None) -> bool:
    """True if the first bytes on the disk are of the ledger that is in use.

    `inside` is what SQLite says, which has everything that is not in the main file yet; `before` what the disk said at
    the last look.  Neither may lie behind what it came from.
    """
    if not _is_later(inside, on_disk):
        return False
    return before is None or _tag(before) != _tag(on_disk) or _is_later(on_disk, before)


def _is_later(stamped: int, before: int) -> bool:
    """The same ledger can have become this from that; its count begins again at zero when it is full."""
    return _tag(stamped) == _tag(before) and (stamped - before) % (1 << _COUNT_BITS) < 1 << (_COUNT_BITS - 1)


def _tag(stamped: int) -> int:
    return stamped >> _COUNT_BITS
