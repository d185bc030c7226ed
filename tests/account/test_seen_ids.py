"""`aiogen._account.seen_ids`: an id that a vendor gives twice."""

from __future__ import annotations

from aiogen._account.seen_ids import SeenIds


def test_an_id_that_is_given_twice_names_the_first_job() -> None:
    """To each of the later ones; the first may ask again."""
    seen = SeenIds()
    assert seen.first("g-1", "a") is None
    assert seen.first("g-2", "b") is None
    assert seen.first("g-1", "c") == "a"
    assert seen.first("g-1", "d") == "a"
    assert seen.first("g-1", "a") is None


def test_it_is_reported_once() -> None:
    """However many jobs are given it; another id is another report."""
    seen = SeenIds()
    for job in ("a", "b", "c"):
        seen.first("g-1", job)
    assert [seen.report_once("g-1") for _ in range(3)] == [True, False, False]
    assert seen.report_once("g-2")


def test_of_ten_thousand_and_one_the_oldest_is_forgotten() -> None:
    """With its report; the other ten thousand are known."""
    seen = SeenIds()
    for i in range(10_000):
        seen.first(f"g-{i}", f"job {i}")
    assert seen.first("g-0", "late") == "job 0"
    assert seen.report_once("g-0")
    assert not seen.report_once("g-0")
    assert seen.first("g-10000", "job 10000") is None
    assert seen.first("g-1", "late") == "job 1"
    assert seen.first("g-9999", "late") == "job 9999"
    assert seen.first("g-0", "new") is None  # forgotten, so it is the first of its id again
    assert seen.report_once("g-0")
