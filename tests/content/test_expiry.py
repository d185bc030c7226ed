"""`aiogen._content.expiry`: when a url stops working, as far as it says so itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiogen._content.expiry import url_expiry

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
RECEIVED = NEW_YEAR.timestamp()


@pytest.mark.parametrize(
    ("query", "minutes"),
    [
        ("X-Amz-Date=20260101T000000Z&X-Amz-Expires=360&X-Amz-Signature=ab", 6),
        ("x-amz-expires=3600&x-amz-date=20260101T000000Z", 60),
        ("X-Amz-Date=20251231T235000Z&X-Amz-Expires=3600", 50),
        ("X-Amz-Expires=600&X-Amz-Signature=ab", 10),  # since when is not said: since it came
        ("X-Amz-Date=yesterday&X-Amz-Expires=600", 10),
        ("X-Goog-Date=20260101T000000Z&X-Goog-Expires=900&X-Goog-Signature=ab", 15),
        (f"Expires={int(RECEIVED) + 60}&Signature=a%2Bb&Key-Pair-Id=K", 1),
        (f"GoogleAccessId=a%40b&expires={int(RECEIVED) + 120}", 2),
        ("se=2026-01-01T00%3A10%3A00Z&sp=r&sig=ab%3D", 10),
        ("se=2026-01-01T01:10:00%2B01:00&sig=ab", 10),
        ("se=2026-01-02&sig=ab", 1440),
        ("se=2026-01-01T00%3A10%3A00Z", None),  # not signed: some other "se"
        ("X-Amz-Date=20260101T000000Z", None),
        ("X-Amz-Expires=0", None),
        ("X-Amz-Expires=604801", None),
        ("X-Amz-Expires=-5", None),
        ("X-Amz-Date=99991231T235959Z&X-Amz-Expires=604800", None),
        ("Expires=3600", None),  # a duration, or nonsense, but no moment
        ("Expires=never", None),
        ("Expires=999999999999", None),
        ("se=0001-01-01T00:00%2B23:59&sig=x", None),
        ("se=soon&sig=x", None),
        ("", None),
    ],
)
def test_what_a_url_says(query: str, minutes: int | None) -> None:
    """Amazon, Google, CloudFront and Azure each in their own words."""
    found = url_expiry(f"https://s.example/a.png?{query}#X-Amz-Expires=1", RECEIVED)
    assert (found and (found - NEW_YEAR).total_seconds() / 60) == minutes
    assert found is None or found.tzinfo is UTC


def test_since_when_has_to_be_known() -> None:
    """A duration alone is no moment."""
    assert url_expiry("https://s.example/a?X-Amz-Expires=600") is None


@given(st.text(max_size=80))
@settings(deadline=None, derandomize=True)
def test_any_text_says_something_or_nothing(text: str) -> None:
    """But raises nothing: an odd url makes no picture unreadable."""
    for query in (text, f"X-Amz-Expires={text}&se={text}&sig=1", f"Expires={text}"):
        url_expiry(f"https://s.example/a?{query}", RECEIVED)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_moment_that_no_clock_shows_is_none(moment: str) -> None:
    """It could not be expressed in every time zone."""
    assert url_expiry(f"https://s.example/a?se={moment}&sig=1", RECEIVED) is None
