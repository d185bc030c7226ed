"""`aiogen._polling.listing`: which page of a vendor's list answers for the most of our generations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiogen._polling.listing import Listing

quick = settings(deadline=None, derandomize=True, max_examples=50)

OURS = [f"g{n:02}" for n in range(40)]


def alike(_: str) -> float:
    """Every answer promises the same."""
    return 0.1


def listing_of(keys: Sequence[str], page: int = 10) -> Listing:
    """As it is after these were made, one after the other, and nothing else."""
    listing = Listing(page)
    for key in keys:
        listing.made(key)
    return listing


def page_of(vendor: Sequence[str], offset: int, page: int) -> list[str]:
    """What a vendor answers whose newest is the last of these."""
    return list(reversed(vendor))[offset : offset + page]


def look(listing: Listing, vendor: Sequence[str], key: str, page: int = 10, now: float = 0.0) -> set[str] | None:
    """Ask about one job as the session does; who was missed, or None if it is to be asked about singly."""
    found = listing.page_for(key, alike)
    if found is None:
        return None
    offset, names = found
    ids = page_of(vendor, offset, page)
    missing = listing.read(now, offset, ids, names)
    for i, name in enumerate(ids):
        if name in OURS:
            listing.seen(name, offset, i)
    return missing


# --- which page


@pytest.mark.parametrize(
    ("key", "page", "offset", "names"),
    [
        pytest.param("g05", 10, 0, OURS[:6], id="all on one page, ours at its beginning"),
        pytest.param("g00", 6, 0, OURS[:6], id="exactly one page"),
        pytest.param("g00", 4, 2, OURS[:4], id="the oldest"),
        pytest.param("g05", 4, 0, OURS[2:6], id="the newest"),
        pytest.param("g02", 3, 3, OURS[:3], id="the oldest page of equals"),
    ],
)
def test_the_page_with_the_most_of_ours(key: str, page: int, offset: int, names: list[str]) -> None:
    """Counted from the newest; the older page of two that promise the same."""
    assert listing_of(OURS[:6], page).page_for(key, alike) == (offset, names)


def test_the_page_that_promises_most() -> None:
    """Not the number counts but what the answers promise; the job in question is always on the page."""
    listing = listing_of(OURS[:9], 3)
    gains = dict.fromkeys(OURS, 0.01) | {"g04": 0.1, "g06": 0.9, "g02": 0.5, "g08": 1.0}
    assert listing.page_for("g04", gains.__getitem__) == (2, ["g04", "g05", "g06"])
    gains["g03"] = 0.9
    assert listing.page_for("g04", gains.__getitem__) == (4, ["g02", "g03", "g04"])


@pytest.mark.parametrize(
    ("other", "is_worth_it"), [(0.0, False), (0.019, False), (0.021, True), (0.1, True)], ids=lambda x: str(x)
)
def test_a_page_has_to_promise_more_than_the_single_question(other: float, is_worth_it: bool) -> None:
    """A fifth more than the job alone, for a single answer says more."""
    listing = listing_of(["a", "b"])
    gains = {"a": 0.1, "b": other}
    assert (listing.page_for("a", gains.__getitem__) is not None) is is_worth_it


def test_what_promises_nothing_is_asked_singly() -> None:
    """Where nothing can have ended no page is better than none."""
    assert listing_of(OURS[:5]).page_for("g02", lambda _: 0.0) is None


def test_the_job_in_question_is_always_on_the_page() -> None:
    """Even if it promises nothing itself, as one that has only just been asked about."""
    gains = dict.fromkeys(OURS, 0.0) | {"g03": 0.5}
    assert listing_of(OURS[:9], 5).page_for("g04", gains.__getitem__) == (4, OURS[:5])
    gains = dict.fromkeys(OURS, 0.0) | {"g05": 0.5}
    found = listing_of(OURS[:9], 5).page_for("g04", gains.__getitem__)
    assert found is not None
    assert {"g04", "g05"} <= set(found[1])


def test_who_stands_alone_is_asked_singly() -> None:
    """Also a job whose place nobody knows, and one whose neighbours are on other pages."""
    listing = listing_of(["a"])
    assert listing.page_for("a", alike) is None
    assert listing.page_for("unknown", alike) is None
    for n in range(9):
        listing.made(f"other {n}")
        listing.gone(f"other {n}")
    listing.made("b")
    assert listing.page_for("b", alike) is None  # ten places on, and a page has ten


def test_neighbours_at_the_two_ends_of_a_page() -> None:
    """Nine places apart are just on one page of ten."""
    listing = listing_of(["a", *(f"other {n}" for n in range(8)), "b"])
    for n in range(8):
        listing.gone(f"other {n}")
    assert listing.page_for("a", alike) == listing.page_for("b", alike) == (0, ["a", "b"])


def test_half_of_what_is_left_of_the_page_lies_before_ours() -> None:
    """Others may have pushed ours along, or some may have been deleted: the page leaves room on both sides."""
    listing = listing_of(OURS[:30])
    for key in [*OURS[:8], *OURS[12:]]:
        listing.gone(key)
    assert listing.page_for("g10", alike) == (18 - 3, OURS[8:12])


def test_a_list_of_single_generations_is_of_no_use() -> None:
    """With one to a page a page never says more."""
    assert listing_of(OURS[:5], page=1).page_for("g02", alike) is None


@given(
    ours=st.lists(st.integers(0, 40), min_size=1, max_size=12, unique=True).map(sorted),
    page=st.integers(2, 12),
    gains=st.lists(st.just(0.0) | st.floats(0.001, 1.0), min_size=41, max_size=41),
    data=st.data(),
)
@quick
def test_no_page_would_promise_more(ours: list[int], page: int, gains: list[float], data: st.DataObject) -> None:
    """Of all pages with the job on it the best is chosen, and it holds every job that is expected there."""
    listing = Listing(page)
    for n in range(41):
        listing.made(str(n))
        if n not in ours:
            listing.gone(str(n))
    key = data.draw(st.sampled_from(ours))
    found = listing.page_for(str(key), lambda name: gains[int(name)])
    best = max(
        sum(gains[n] for n in ours if first <= n < first + page) for first in range(max(0, key - page + 1), key + 1)
    )
    if found is None:
        assert best <= 1.2 * gains[key] * (1.0 + 1e-9)
        return
    offset, names = found
    assert sum(gains[int(name)] for name in names) == pytest.approx(best)
    assert str(key) in names
    assert set(names) <= set(page_of([str(n) for n in range(41)], offset, page))


# --- what a page shows


def test_a_page_as_expected() -> None:
    """Each stands where it was thought to, and still does."""
    listing = listing_of(OURS[:6])
    assert look(listing, OURS[:6], "g02") == set()
    assert listing.page_for("g02", alike) == (0, OURS[:6])


@pytest.mark.parametrize("others", [1, 2, 5, 30])
def test_others_push_ours_along(others: int) -> None:
    """However many came from other programs, after one page with one of ours the next one is right."""
    vendor = [*OURS[:12], *(f"x{n}" for n in range(others))]
    listing = listing_of(OURS[:12], 8)
    offset = max(0, others - 4)
    listing.read(0.0, offset, page_of(vendor, offset, 8), [])
    assert listing.page_for("g00", alike) == (4 + others, OURS[:8])
    assert look(listing, vendor, "g00", page=8) == set()


def test_the_middle_of_all_drifts_counts() -> None:
    """One that stands in another place, for any reason, does not move the others."""
    listing = listing_of(OURS[:9])
    listing.read(0.0, 0, ["x0", "x1", *reversed(OURS[3:9]), "g00"], OURS[3:9])
    assert listing.page_for("g08", alike) == (2, OURS[:9])


def test_deleted_ones_pull_ours_back() -> None:
    """If some that stood before ours are gone from the list, ours are nearer to its beginning."""
    listing = listing_of(OURS[:20], 8)
    for key in OURS[8:]:
        listing.gone(key)
    left = [*OURS[:8], *OURS[14:20]]
    offset = 6
    listing.read(0.0, offset, page_of(left, offset, 8), [])
    assert listing.page_for("g04", alike) == (6, OURS[:8])


def test_who_is_missing_is_asked_about_singly() -> None:
    """One that should be on the page and is not has no place until it is seen again; the others keep theirs."""
    listing = listing_of(OURS[:6])
    vendor = [key for key in OURS[:6] if key != "g02"]
    assert look(listing, vendor, "g01") == {"g02"}
    assert ["g01" in listing, "g02" in listing] == [True, False]
    assert listing.page_for("g02", alike) is None
    found = listing.page_for("g01", alike)
    assert found is not None
    assert "g02" not in found[1]
    listing.seen("g02", 0, 3)
    assert "g02" in listing
    found = listing.page_for("g02", alike)
    assert found is not None
    assert "g02" in found[1]


def test_who_was_not_expected_cannot_be_missing() -> None:
    """Ours that stand on other pages keep their places."""
    listing = listing_of(OURS[:20])
    assert listing.read(0.0, 0, page_of(OURS[:20], 0, 10), OURS[15:20]) == set()
    assert all(key in listing for key in OURS[:20])


def test_many_at_once_lose_nobody() -> None:
    """Where many came at once the missing were pushed off this page: they keep their places, and the next has them."""
    listing = listing_of(OURS[:20], 20)
    vendor = [*OURS[:20], *(f"x{n}" for n in range(9))]
    assert look(listing, vendor, "g00", page=20) == set(OURS[:9])
    assert all(key in listing for key in OURS[:20])
    assert look(listing, vendor, "g00", page=20) == set()


@pytest.mark.parametrize(("others", "is_kept"), [(4, False), (5, True)])
def test_many_are_a_quarter_of_a_page(others: int, is_kept: bool) -> None:
    """Fewer than a quarter of a page do not explain why one is missing."""
    listing = listing_of(OURS[:20], 20)
    vendor = [*OURS[:20], *(f"x{n}" for n in range(others))]
    listing.read(0.0, 0, page_of(vendor, 0, 20), OURS[:20])
    assert ("g00" in listing) is is_kept
    assert "g19" in listing


@pytest.mark.parametrize("page", [2, 3])
def test_also_on_a_small_page_who_is_missing_is_asked_about_singly(page: int) -> None:
    """One that should be on the page and is not has no place until it is seen again."""
    listing = listing_of(["a", "b"], page)
    assert listing.read(0.0, 0, ["b"], ["a", "b"]) == {"a"}
    assert "a" not in listing


@given(jobs=st.lists(st.booleans(), min_size=1, max_size=40), page=st.integers(2, 12), data=st.data())
@quick
def test_one_page_corrects_every_place(jobs: list[bool], page: int, data: st.DataObject) -> None:
    """Ours and others' in any order: after a page with one of ours, those on it are exactly where they are."""
    vendor = [f"{'o' if ours else 'x'}{n}" for n, ours in enumerate(jobs)]
    listing = Listing(page)
    for name in vendor:
        if name.startswith("o"):
            listing.made(name)
    offset = data.draw(st.integers(0, len(jobs) - 1))
    ids = page_of(vendor, offset, page)
    missing = listing.read(0.0, offset, ids, [])
    assert missing == set()
    ours = [name for name in ids if name.startswith("o")]
    for name in ours:
        listing.seen(name, offset, ids.index(name))
    for name in ours:
        found = listing.page_for(name, lambda other: 0.1 if other in ours else 0.0)
        if found is None:
            assert len(ours) == 1
        else:
            assert set(ours) & set(found[1]) <= set(page_of(vendor, found[0], page))
            assert set(found[1]) >= set(ours)


# --- who is over


def test_who_is_over_is_on_no_page() -> None:
    """It has no place any more, and is not expected anywhere; going twice, or unknown, is no harm."""
    listing = listing_of(OURS[:6])
    for key in ("g02", "g02", "never there"):
        listing.gone(key)
    assert "g02" not in listing
    assert listing.page_for("g03", alike) == (0, ["g00", "g01", "g03", "g04", "g05"])


def test_a_list_that_is_behind_is_found_out() -> None:
    """Of one that is over, and of no other, a page that says "running" is behind."""
    listing = listing_of(["a", "b"])
    assert [listing.is_behind("a"), listing.is_behind("b")] == [False, False]
    listing.gone("a")
    assert [listing.is_behind("a"), listing.is_behind("b"), listing.is_behind("c")] == [True, False, False]


def test_the_latest_ends_are_remembered() -> None:
    """Of those that are over the last four pages; who is over again counts as the latest."""
    listing = listing_of(OURS[:10], 2)
    for key in OURS[:8]:
        listing.gone(key)
    assert all(listing.is_behind(key) for key in OURS[:8])
    listing.gone("g00")
    listing.gone("g08")
    assert [listing.is_behind(key) for key in OURS[:10]] == [True, False, *[True] * 7, False]


def test_without_a_list_nobody_is_remembered() -> None:
    """A vendor without a list costs no memory."""
    listing = listing_of(OURS, 0)
    for key in OURS:
        listing.gone(key)
    assert not any(listing.is_behind(key) for key in OURS)


def test_who_lost_its_place_is_not_over() -> None:
    """Nobody knows where it stands, but a page may say that it runs."""
    listing = listing_of(["a", "b"])
    listing.unplace("a")
    assert ["a" in listing, "b" in listing, listing.is_behind("a")] == [False, True, False]


# --- when the list is used


def test_a_vendor_without_a_list() -> None:
    """It is never usable, and nobody is asked about by the page."""
    listing = listing_of(OURS[:5], 0)
    assert [listing.usable(now) for now in (0.0, 1e9)] == [False, False]
    assert listing.page_for("g02", alike) is None


def test_a_list_is_usable_from_the_beginning() -> None:
    """Whatever the clock says."""
    assert [Listing(10).usable(now) for now in (-1e9, 0.0, 1e9)] == [True] * 3


def rests(listing: Listing, refusals: int) -> list[float]:
    """How long it is not used after each of some refusals, one at the end of the rest before."""
    found, now = [], 100.0
    for _ in range(refusals):
        listing.refused(now)
        low = high = now
        while not listing.usable(high):
            low, high = high, high + 30.0
        assert not listing.usable(math.nextafter(high, low))
        found.append(high - now)
        now = high
    return found


def test_refusals_rest_longer_each_time() -> None:
    """A minute, two, four … and at most an hour."""
    assert rests(Listing(10), 9) == [60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3600.0, 3600.0, 3600.0]


def test_an_account_that_is_throttled_again_and_again_may_be_so_by_the_list() -> None:
    """One refusal for speed says nothing about the list; two with no page between them do, and then it rests."""
    listing = listing_of(OURS[:4])
    listing.throttled(0.0)
    assert look(listing, OURS[:4], "g00") == set()  # a page came: it was not the list
    listing.throttled(0.0)
    assert listing.usable(0.0)
    listing.throttled(0.0)
    assert not listing.usable(0.0)
    assert listing.usable(1e6)


@pytest.mark.parametrize(
    ("pages", "then"), [(0, 480.0), (1, 432.0), (5, 480.0 * 0.9**5), (19, 480.0 * 0.9**19), (20, 60.0), (99, 60.0)]
)
def test_pages_that_are_right_bring_back_trust(pages: int, then: float) -> None:
    """After some refusals every page without a gap shortens the next rest, down to the first again."""
    listing = listing_of(["a"])
    rests(listing, 3)
    for _ in range(pages):
        listing.read(1_000.0, 0, ["a"], ["a"])
    listing.refused(1_000.0)
    assert not listing.usable(math.nextafter(1_000.0 + then, 0.0) - 1e-6)
    assert listing.usable(1_000.0 + then + 1e-6)


@pytest.mark.parametrize(
    ("ids", "expected", "usable"),
    [
        pytest.param(["b", "a"], ["a", "b"], True, id="all there"),
        pytest.param(["b"], ["a", "b"], True, id="one there"),
        pytest.param(["x", "y"], ["a", "b"], False, id="nobody there"),
        pytest.param([], ["a"], False, id="an empty page"),
        pytest.param([], [], True, id="nobody expected"),
    ],
)
def test_a_list_in_another_order_is_not_used(ids: list[str], expected: list[str], usable: bool) -> None:
    """A page on which none of ours is, though some should be, is counted otherwise than we count."""
    listing = listing_of(["a", "b"])
    assert listing.read(10.0, 0, ids, expected) == set(expected) - set(ids)
    assert [listing.usable(10.0), listing.usable(69.0)] == [usable, usable]
    assert listing.usable(70.0)
    assert [key in listing for key in "ab"] == [key in ids or key not in expected for key in "ab"]


def test_a_gap_does_not_bring_back_trust() -> None:
    """After a page on which one was missing the next rest is as long as it was."""
    listing = listing_of(["a", "b", "c"])
    listing.refused(0.0)
    listing.read(60.0, 0, ["c", "b"], ["a", "b", "c"])
    listing.refused(100.0)
    assert [listing.usable(219.0), listing.usable(220.0)] == [False, True]


def test_now_and_then_one_is_asked_singly_too() -> None:
    """At every fourth page, to see that the list is not behind."""
    listing = listing_of(["a"])
    wanted = []
    for n in range(1, 25):
        listing.read(0.0, 0, ["a"], ["a"])
        if listing.wants_check():
            wanted.append(n)
    assert wanted == [4, 8, 12, 16, 20, 24]


# --- all together


class ListingMachine(RuleBasedStateMachine):
    """A vendor whose list is right, used by us and by others; jobs are asked about as the session does."""

    @initialize(page=st.sampled_from([4, 5, 8, 20]), alone=st.booleans())
    def begin(self, page: int, alone: bool) -> None:
        self.page, self.alone, self.count = page, alone, 0
        self.listing = Listing(page)
        self.vendor: list[str] = []
        self.followed: dict[str, int] = {}
        self.now = 0.0

    def name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count:03}"

    @rule(times=st.integers(1, 5))
    def made(self, times: int) -> None:
        for _ in range(times):
            key = self.name("o")
            self.vendor.append(key)
            self.followed[key] = 0
            self.listing.made(key)

    @precondition(lambda self: not self.alone)
    @rule(times=st.sampled_from([1, 2, 7, 30]))
    def others(self, times: int) -> None:
        self.vendor += [self.name("x") for _ in range(times)]

    @precondition(lambda self: not self.alone and self.vendor)
    @rule(data=st.data())
    def deleted(self, data: st.DataObject) -> None:
        self.vendor.remove(data.draw(st.sampled_from(self.vendor)))

    @precondition(lambda self: self.followed)
    @rule(data=st.data())
    def over(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.followed)))
        del self.followed[key]
        self.listing.gone(key)
        assert self.listing.is_behind(key)

    @precondition(lambda self: self.followed)
    @rule(data=st.data())
    def asked(self, data: st.DataObject) -> None:
        self.ask(data.draw(st.sampled_from(sorted(self.followed))))

    def ask(self, key: str) -> bool:
        """True if it was answered."""
        self.now += 1.0
        found = self.listing.page_for(key, alike) if self.listing.usable(self.now) else None
        if found is None:
            return True  # the single question always is
        offset, names = found
        assert key in names
        assert set(names) <= set(self.followed), "somebody who is over is expected"
        assert offset >= 0
        ids = page_of(self.vendor, offset, self.page)
        missing = self.listing.read(self.now, offset, ids, names)
        assert missing == set(names) - set(ids)
        assert not (self.alone and missing), "nothing but ours came, and yet one was not where it should be"
        for i, name in enumerate(ids):
            if name in self.followed:
                self.listing.seen(name, offset, i)
        return key not in missing

    @invariant()
    def agrees(self) -> None:
        listing = self.listing
        assert listing._order == sorted((place, key) for key, place in listing._places.items())
        assert set(listing._places) <= set(self.followed)
        assert len(listing._over) <= 4 * self.page
        if self.alone:
            assert set(listing._places) == set(self.followed)

    def teardown(self) -> None:
        if not hasattr(self, "listing"):
            return
        for key in sorted(self.followed):
            tries = 0
            while not self.ask(key):
                tries += 1
                assert tries <= 3, "nobody found out, again and again"
            del self.followed[key]
            self.listing.gone(key)
        assert (self.listing._places, self.listing._order) == ({}, [])


TestListing = ListingMachine.TestCase
TestListing.settings = settings(
    deadline=None, derandomize=True, max_examples=40, stateful_step_count=30, report_multiple_bugs=False
)
