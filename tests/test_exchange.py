"""`aiogen.exchange`: requests, answers, and how single values in them are read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from providers.drive import answer

from aiogen._wording import shorten
from aiogen.errors import ProtocolError
from aiogen.exchange import Request, Response, Snapshot, Submission
from aiogen.models import State, Typical
from aiogen.providers.reading import (
    parse_amount,
    parse_json,
    parse_object,
    parse_time,
    retry_after,
    unreadable,
    whole_number,
)

quick = settings(deadline=None, derandomize=True)

NOON = datetime(2026, 10, 21, 12, 0, 0, tzinfo=UTC).timestamp()


def submission(**changes: object) -> Submission:
    known = {
        "model": "uni-1",
        "kind": "image",
        "endpoint": "generations",
        "body": {"prompt": "a private matter", "model": "uni-1"},
        "timeout": 120.0,
        "typical": Typical(median=30.0),
    }
    return Submission(**{**known, **changes})  # type: ignore[arg-type]


def asks_to_wait(value: str) -> float | None:
    """What an answer with this `Retry-After`, received at noon, asks for."""
    return retry_after({"retry-after": value}, NOON)


# --- what must not be shown


def test_a_request_shows_neither_key_nor_body() -> None:
    """The repr of a request names what it does, and hides the headers that hold the key and the body."""
    request = Request(
        verb="create",
        method="POST",
        url="https://h/v1",
        headers={"Authorization": "Bearer secret"},
        body={"prompt": "private"},
    )
    assert "POST" in repr(request)
    assert not [word for word in ("secret", "private") if word in repr(request)]


def test_an_answer_and_a_submission_show_no_content() -> None:
    """Neither what was answered nor what will be sent is in a repr."""
    shown = repr(answer({"k": "private"})) + repr(submission(prompt="a private matter"))
    assert "private" not in shown


def test_what_is_usual_need_not_be_said() -> None:
    """A submission weighs one unit, and a reading is neither partial nor without outputs, unless it says so."""
    snapshot = Snapshot(provider_id="p1", state=State.QUEUED)
    assert submission().weight == 1
    assert (snapshot.partial, snapshot.missing_outputs, snapshot.unknown_state, snapshot.outputs) == (
        False,
        False,
        None,
        (),
    )
    assert "private" not in repr(Snapshot(provider_id="p1", state=State.QUEUED, raw={"k": "private"}))


# --- fingerprints


def test_equal_submissions_have_equal_fingerprints() -> None:
    """The order of fields changes nothing, and neither does what is not sent."""
    other = submission(body={"model": "uni-1", "prompt": "a private matter"}, timeout=9.0, weight=3, prompt="x")
    assert other.fingerprint() == submission().fingerprint()


@pytest.mark.parametrize(
    "changes", [{"endpoint": "v2"}, {"body": {"prompt": "another", "model": "uni-1"}}, {"body": {}}]
)
def test_different_submissions_have_different_fingerprints(changes: dict[str, object]) -> None:
    """Whatever is sent differently makes another fingerprint."""
    assert submission(**changes).fingerprint() != submission().fingerprint()


def test_a_fingerprint_tells_nothing() -> None:
    """A fingerprint is a SHA-256, whatever was in the body, even what JSON has no word for."""
    fingerprint = submission(body={"when": datetime(2026, 1, 1, tzinfo=UTC)}).fingerprint()
    assert len(bytes.fromhex(fingerprint)) == 32


# --- JSON


def test_json_is_read() -> None:
    """A JSON body is its value, a byte order mark or not."""
    assert parse_json(answer({"a": [1, None]}), "retrieve") == {"a": [1, None]}
    assert parse_json(answer(b"\xef\xbb\xbf[]"), "retrieve") == []


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "an empty body instead of JSON"),
        (b" \r\n\t", "an empty body instead of JSON"),
        (b"<html><body>502 Bad Gateway</body></html>", "HTML that is not JSON"),
        (b"\n  <!DOCTYPE html>", "HTML that is not JSON"),
        (b'{"id": "d290f1', "text that is not JSON"),
        (b"upstream connect error", "text that is not JSON"),
        (b"\xff\xfe\xfd\x80", "text that is not JSON"),
        (b"[" * 200_000, "text that is not JSON"),
    ],
    ids=["empty", "blank", "html", "doctype", "half", "words", "bytes", "deep"],
)
def test_what_is_no_json_is_said(body: bytes, what: str) -> None:
    """A body that is no JSON is an error that says what came instead, with which status, and where."""
    with pytest.raises(ProtocolError) as caught:
        parse_json(answer(body, status=206, headers={"X-Request-Id": "r1"}), "retrieve")
    assert f"Cannot read the answer to 'retrieve': HTTP 206 with {what}" in str(caught.value)
    assert (caught.value.status, caught.value.path, caught.value.request_id) == (206, "$", "r1")


@pytest.mark.parametrize(
    ("body", "kind"), [([], "list"), ("text", "str"), (5, "int"), (None, "NoneType"), (True, "bool")]
)
def test_only_an_object_is_an_object(body: object, kind: str) -> None:
    """Any other JSON instead of an object is an error that names what came."""
    with pytest.raises(ProtocolError, match=f"HTTP 200 with a {kind} instead of an object at \\$;"):
        parse_object(answer(json.dumps(body)), "list")


def test_an_object_is_given_back() -> None:
    """An object is read as it is."""
    assert parse_object(answer({"a": 1}), "list") == {"a": 1}


def test_an_unreadable_answer_is_quoted_shortly() -> None:
    """The error quotes how the answer begins, on one line and not at length."""
    text = str(unreadable(answer(b"\xff one\n two" + b"x" * 10_000, status=502), "delete", "nonsense", "$.id"))
    assert text.startswith(
        "Cannot read the answer to 'delete': HTTP 502 with nonsense at $.id; it begins with '\ufffd one two"
    )
    assert len(text) < 250


# --- Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("12", 12.0),
        (" 12 ", 12.0),
        ("0", 0.0),
        ("0.5", 0.5),
        ("-5", 0.0),
        ("Wed, 21 Oct 2026 12:00:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 14:00:30 +0200", 30.0),
        ("Wed, 21 Oct 2026 12:00:30 -0000", 30.0),
        ("Wed, 21 Oct 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("  ", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("-inf", 0.0),
        ("1e999", None),
        ("Wed, 99 Oct 2026 12:00:30 GMT", None),
        ("Wed, 21 Oct 99999999999 12:00:30 GMT", None),
        ("Wed, 21 Oct 2026 12:00:30 +99999999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    """A number, or a date counted from when the answer came; never negative; None if it is neither."""
    assert asks_to_wait(value) == seconds


def test_no_header_asks_for_nothing() -> None:
    """Without the header nobody asked to wait."""
    assert retry_after({}, NOON) is None


@given(
    value=st.one_of(
        st.text(max_size=40),
        st.floats().map(str),
        st.builds(
            "{}, {} Oct {} 12:00:{} {}".format,
            st.sampled_from(["Wed", "x"]),
            st.integers(0, 40),
            st.integers(0, 10**12),
            st.integers(0, 70),
            st.one_of(st.just("GMT"), st.integers(-(10**15), 10**15).map("{:+d}".format)),
        ),
    )
)
@quick
def test_no_header_can_break_us(value: str) -> None:
    """Whatever the header says, the answer is None or a wait that ends."""
    seconds = asks_to_wait(value)
    assert seconds is None or 0.0 <= seconds < float("inf")


# --- numbers, times, amounts


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (b'"caf\xe9"', "caf\ufffd"),
        (b'"half \xf0\x9f\x98"', "half \ufffd"),
        (b'"a\n\tb\x00"', "a\n\tb\0"),
        (b"9" * 5_000, "9" * 5_000),
        (b"[" + b"9" * 5_000 + b', 5, "\xff"]', ["9" * 5_000, 5, "\ufffd"]),
    ],
    ids=["latin", "half a character", "control characters", "digits", "all"],
)
def test_a_field_in_a_strange_spelling_hides_no_other(said: bytes, read: object) -> None:
    """Nearly JSON is read as what it must mean: the answer may name a job that is paid for."""
    for mark in (b"", b"\xef\xbb\xbf"):
        body = mark + b'{"id": "abc", "prompt": ' + said + b"}"
        assert parse_json(answer(body, status=201), "create") == {"id": "abc", "prompt": read}
        with pytest.raises(ProtocolError, match="text that is not JSON"):  # what says no says it in good JSON
            parse_json(answer(body, status=502), "create")


@pytest.mark.parametrize(
    ("value", "number"), [("30", 30), (" 28 ", 28), ("0", 0), ("-1", -1), ("2.5", None), ("", None), (None, None)]
)
def test_a_header_is_a_whole_number_or_none(value: str | None, number: int | None) -> None:
    """A header's number is read, and anything else is None."""
    assert whole_number(value) == number


@pytest.mark.parametrize(
    ("value", "when"),
    [
        ("2026-04-08T12:00:00Z", datetime(2026, 4, 8, 12, tzinfo=UTC)),
        ("2024-07-23T16:56:21.208", datetime(2024, 7, 23, 16, 56, 21, 208_000, tzinfo=UTC)),
        ("2024-12-02T15:34:40.388000+02:00", datetime(2024, 12, 2, 13, 34, 40, 388_000, tzinfo=UTC)),
        ("yesterday", None),
        ("0001-01-01T00:00:00+23:59", None),  # neither can be expressed in every zone
        ("9999-12-31T23:59:59-23:59", None),
        ("", None),
        (1712592060, None),
        (None, None),
    ],
)
def test_a_time_has_a_zone(value: object, when: datetime | None) -> None:
    """A vendor's time is read with its zone, or as UTC; what cannot be read is None."""
    assert parse_time(value) == when


def test_the_vendors_zone_is_kept() -> None:
    """A zone that the vendor wrote is not turned into another."""
    when = parse_time("2024-12-02T15:34:40+02:00")
    assert when is not None
    assert when.tzinfo == timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("0.0147", Decimal("0.0147")),
        (0.1, Decimal("0.1")),
        (9, Decimal(9)),
        ("0", Decimal(0)),
        (None, None),
        (True, None),
        ("free", None),
        ("", None),
        ("NaN", None),
        ("sNaN", None),
        ("Infinity", None),
        (float("nan"), None),
        ({"amount": 1}, None),
        ([1], None),
    ],
)
def test_an_amount_is_exact(value: object, amount: Decimal | None) -> None:
    """An amount is a Decimal with the vendor's own digits; what is no amount is None."""
    assert parse_amount(value) == amount


@given(value=st.one_of(st.text(), st.decimals(), st.floats(), st.integers(), st.none(), st.booleans()))
@quick
def test_any_amount_is_finite_or_none(value: object) -> None:
    """Whatever comes as an amount, what is read can be added up."""
    amount = parse_amount(str(value) if isinstance(value, Decimal) else value)
    assert amount is None or amount.is_finite()


# --- shortening


@given(text=st.text(), limit=st.integers(1, 60))
@quick
def test_shortened_text_fits_on_a_line(text: str, limit: int) -> None:
    """The result is one line, never longer than the limit, and the text itself where that fits."""
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short.split() == short.split(" ") or not short.split()
    assert short == " ".join(text.split()) or short.endswith("…")


def test_what_is_cut_ends_in_dots() -> None:
    """A text that is cut uses all its room, and shows that it was cut."""
    assert shorten("one  two\nthree", 13) == "one two three"
    assert shorten("one two three", 12) == "one two thr…"


def test_what_travels_never_changes() -> None:
    """Requests and answers are frozen."""
    response = Response(status=200)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        response.status = 500  # type: ignore[misc]


def test_a_date_counts_from_the_clock_that_wrote_it() -> None:
    """With the answer's own `Date`, a vendor whose clock is late is not undercut."""
    headers = {"date": "Wed, 21 Oct 2026 12:00:00 GMT", "retry-after": "Wed, 21 Oct 2026 12:00:06 GMT"}
    assert retry_after(headers, 4e9) == 6.0
