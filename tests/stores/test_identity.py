"""Which ledger a file is: known by where it lies, what it counts, and its first bytes."""

from __future__ import annotations

import pytest

from aiogen.stores.sqlite.identity import (
    HEADER,
    Counter,
    Place,
    counter_of,
    header_of,
    is_copy,
    is_the_same,
    places_of,
    places_text,
    same_file,
    stamp,
)

HERE = Place("/data/aiogen.db", 7, "this")
INSIDE = Counter("0badcafe00000000", 10)
OTHER = Counter("feedbeef00000000", 10)


@pytest.mark.parametrize(
    ("known", "beside", "says"),
    [
        ([], None, None),
        ([HERE], INSIDE, None),
        ([HERE], Counter(INSIDE.ledger, 9), None),
        ([Place("/old", 7, "this"), HERE], INSIDE, None),
        ([Place(HERE.path, 7)], INSIDE, None),
        ([Place("/data/old.db", 7, "this")], INSIDE, "as '/data/old.db'"),
        ([Place(HERE.path, 8, "this")], INSIDE, "another file is in its place"),
        ([Place(HERE.path, 7, "that")], INSIDE, "on another machine"),
        ([HERE], Counter(INSIDE.ledger, 11), "an older state"),
        ([HERE], OTHER, "another ledger"),
        ([HERE], None, "is gone"),
    ],
)
def test_a_copy_is_known_by_what_differs(known: list[Place], beside: Counter | None, says: str | None) -> None:
    """New ledgers, and those that count more than the file beside them after a power failure, are none."""
    found = is_copy(known, HERE, INSIDE, beside, was_beside=True)
    assert (found is None) if says is None else (found is not None and says in found)


def test_without_a_file_beside_it_nobody_misses_one() -> None:
    """It could not be written."""
    assert is_copy([HERE], HERE, INSIDE, None, was_beside=False) is None


def test_the_same_file_under_another_name() -> None:
    """Moved, or seen from within a container; without a number nobody knows."""
    assert same_file(HERE, Place("/mnt/aiogen.db", 7))
    assert not same_file(HERE, Place("/mnt/aiogen.db", 8, "this"))
    assert not same_file(HERE, Place("/mnt/aiogen.db", 7, "that"))
    assert not same_file(Place("/a", 0), Place("/b", 0))


def test_places_are_read_back() -> None:
    """The latest few; what cannot be understood is none."""
    many = [Place(f"/{i}", i, "m") for i in range(20)]
    assert places_of(places_text(many)) == many[-8:]
    for text in (None, "", "{", "[1]", '[["a", "b", "c"]]', "7"):
        assert places_of(text) == []


def test_a_counter_is_read_back() -> None:
    """Always as long as it was, so that it is written over itself."""
    assert counter_of(INSIDE.to_text()) == INSIDE
    assert len(INSIDE.to_text()) == len(Counter(INSIDE.ledger, 10**12).to_text())
    for text in ("", "abc", "abc x", "abc ²", " 7", "abc " + "9" * 30):
        assert counter_of(text) is None


def test_the_first_bytes_say_which_ledger_it_is() -> None:
    """And how far it had counted; anything else is none."""
    header = bytearray(b"SQLite format 3\0" + bytes(HEADER - 16))
    header[60:64] = stamp(INSIDE.ledger, 77).to_bytes(4, "big")
    assert header_of(bytes(header)) == stamp(INSIDE.ledger, 77)
    assert header_of(bytes(header[:50])) is None
    assert header_of(b"x" * HEADER) is None


def test_what_lies_on_the_disk_may_lie_behind_and_never_go_back() -> None:
    """The count begins again at zero when it is full."""

    def at(count: int, counter: Counter = INSIDE) -> int:
        return stamp(counter.ledger, count)

    full = (1 << 20) - 1
    assert is_the_same(at(5), at(9), None)
    assert is_the_same(at(5), at(9), at(5))
    assert is_the_same(at(1), at(2), at(full))
    assert is_the_same(at(5), at(5), at(9, OTHER))  # it has become a ledger of its own
    assert not is_the_same(at(4), at(9), at(5))
    assert not is_the_same(at(5, OTHER), at(9), at(5))
    assert not is_the_same(at(9), at(5), at(5))
