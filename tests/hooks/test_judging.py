"""From bytes and headers to a verdict: Leonardo's calls, and a stranger's."""

from __future__ import annotations

import gc
import json
import re
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aiogen._hooks.judging import Judge, WebhookFormat
from aiogen._hooks.reading import MAX_BYTES, MAX_DEPTH, MAX_TOKENS, read_object
from aiogen._hooks.verdicts import Hint, Ignored, Refused, Verdict
from aiogen._hooks.verifying import (
    Bearer,
    Headers,
    StandardWebhooks,
    Unsigned,
    Verification,
    Verified,
    any_of,
)
from aiogen.providers.leonardo_webhooks import WEBHOOKS

pytestmark = pytest.mark.looptime(False)

SAMPLES = Path(__file__).parent / "samples"
COMPLETE = (SAMPLES / "leonardo_complete.json").read_bytes()
SECRET, KEY = "the-callback-secret", "11111111-aaaa-4bbb-8ccc-222222222222"
HEADERS = {"Authorization": f"Bearer {SECRET}", "User-Agent": "axios/1.4.0", "Content-Type": "application/json"}
ID = "00000000-0000-4000-8000-000000000001"


def leonardo(**options: Any) -> Judge:
    return Judge(WEBHOOKS, Bearer(SECRET), **options)


def changed(**row: Any) -> bytes:
    event = json.loads(COMPLETE)
    event["data"]["object"] |= row
    return json.dumps(event).encode()


def judged(body: bytes, judge: Judge | None = None) -> Verdict:
    return (judge or leonardo()).judge(body, HEADERS, 0.0)


def test_the_documented_call_is_a_hint() -> None:
    assert judged(COMPLETE) == Hint(ID, "image_generation.complete COMPLETE", is_proved=True)


def test_a_failure_is_a_hint_too() -> None:
    """The name of the event says nothing about how it ended; the hint says that there is news, no more."""
    assert judged(changed(status="FAILED")) == Hint(ID, "image_generation.complete FAILED", is_proved=True)


def test_an_id_in_upper_case_is_the_same_one() -> None:
    assert judged(changed(id="ABCDEF00-0000-4000-8000-00000000000A")) == Hint(
        "abcdef00-0000-4000-8000-00000000000a", "image_generation.complete COMPLETE", is_proved=True
    )


def test_another_secret_in_the_body_decides_nothing() -> None:
    body = changed(apiKey={"webhookCallbackApiKey": "another"})
    assert isinstance(judged(body), Hint)
    assert leonardo().judge(body, {"authorization": "Bearer another"}, 0.0) is Refused.FORGED


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}])
def test_without_the_secret_it_is_refused(headers: dict[str, str]) -> None:
    assert leonardo().judge(COMPLETE, headers, 0.0) is Refused.MISSING


def test_what_was_told_before_is_a_double() -> None:
    """By id, name and status; for ten minutes, and for one connection."""
    judge = leonardo()
    assert isinstance(judge.judge(COMPLETE, HEADERS, 0.0), Hint)
    assert judge.judge(COMPLETE, HEADERS, 1.0) is Ignored.DOUBLE
    assert isinstance(judge.judge(changed(status="FAILED"), HEADERS, 1.0), Hint)
    assert judge.judge(COMPLETE, HEADERS, 600.0) is Ignored.DOUBLE
    assert isinstance(judge.judge(COMPLETE, HEADERS, 601.0), Hint)
    assert isinstance(judged(COMPLETE), Hint)


def test_what_nobody_has_proved_takes_nobodys_place() -> None:
    """A stranger who knows an id cannot make the genuine call a double."""
    judge = Judge(WEBHOOKS, Unsigned())
    assert isinstance(judge.judge(COMPLETE, {}, 0.0), Hint)
    assert isinstance(judge.judge(COMPLETE, {}, 0.1), Hint)


def test_a_forged_one_takes_nobodys_place_either() -> None:
    judge = leonardo()
    assert judge.judge(COMPLETE, {"authorization": "Bearer no"}, 0.0) is Refused.FORGED
    assert isinstance(judge.judge(COMPLETE, HEADERS, 0.1), Hint)


def test_what_is_remembered_is_bounded() -> None:
    judge = leonardo()
    for i in range(10_050):
        judge.judge(json.dumps(_event(f"00000000-0000-4000-8000-{i:012}")).encode(), HEADERS, 0.0)
    assert len(judge._seen) == len(judge._of) == 10_000


def _event(provider_id: object) -> dict[str, Any]:
    return {"object": "generation", "data": {"object": {"id": provider_id}}}


def test_a_signed_event_is_known_by_its_id() -> None:
    """A replay within the time for which the signature is good is a double, and after that it is stale."""
    import base64
    import hashlib
    import hmac

    body, key = json.dumps(_event(ID)).encode(), b"k" * 24

    def signed(at: int, name: str = "msg_1") -> dict[str, str]:
        value = hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
        signature = f"v1,{base64.b64encode(value).decode()}"
        return {"webhook-id": name, "webhook-timestamp": str(at), "webhook-signature": signature}

    judge = Judge(WEBHOOKS, StandardWebhooks(key=key))
    assert isinstance(judge.judge(body, signed(1000), 1000.0), Hint)
    assert judge.judge(body, signed(1000), 1300.0) is Ignored.DOUBLE
    assert judge.judge(body, signed(1000), 1301.0) is Refused.STALE
    assert isinstance(judge.judge(body, signed(1301, "msg_2"), 1301.0), Hint)


@pytest.mark.parametrize(
    "body",
    [
        (SAMPLES / "leonardo_post_processing.json").read_bytes(),  # a variation has ids of its own
        changed(id=None),
        changed(id="not an id"),
        changed(id="\ud800"),
        changed(id=["x"]),
        b"{}",
        b'{"data": []}',
        b'{"object": "generation", "data": {"object": "x"}}',
        json.dumps(_event(ID) | {"object": "model"}).encode(),
    ],
)
def test_what_tells_of_no_generation(body: bytes) -> None:
    assert judged(body) is Ignored.OTHER


def test_an_event_whose_name_is_not_known_is_a_hint_of_its_generation() -> None:
    """How events of videos are called is not documented."""
    assert isinstance(judged(json.dumps(_event(ID) | {"type": "video_generation.complete"}).encode()), Hint)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b'{"a": ' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
        b"[" * 30_000,
        b"}" * 30_000,
        b'{"a": [' + b"1," * (MAX_TOKENS + 1) + b"{}]}",
        b'{"' + b'\\"' * 4000,
    ],
)
def test_what_cannot_be_read(body: bytes) -> None:
    assert judged(body) is Ignored.UNREADABLE


def test_brackets_in_a_text_are_text() -> None:
    """A prompt may be full of them."""
    assert isinstance(judged(changed(prompt="[{" * 3000)), Hint)


def test_a_very_long_number_costs_no_time() -> None:
    """As an int it would take the square of its digits."""
    assert read_object(b'{"a": ' + b"1" * 50_000 + b"}") == {"a": float("inf")}


def test_depth_that_is_allowed_is_read() -> None:
    deep = b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH
    assert read_object(deep) is not None
    assert read_object(b'{"a":' + deep + b"}") is None


def test_what_is_too_large_is_not_read() -> None:
    assert leonardo().judge(b" " * (MAX_BYTES + 1), HEADERS, 0.0) is Ignored.TOO_LARGE
    assert leonardo(max_bytes=1024).judge(COMPLETE, HEADERS, 0.0) is Ignored.TOO_LARGE
    assert Judge(WEBHOOKS, Unsigned()).judge(b" " * (MAX_BYTES + 1), {}, 0.0) is Ignored.TOO_LARGE


@attrs.frozen
class ByHeader:
    """A verification of somebody else's."""

    reads_body: bool

    def verify(self, body: bytes, headers: Headers, now: float) -> Verified | Refused:
        """Whether the header is there, and right."""
        return Verified() if headers.get("x-secret") == "right" else Refused.FORGED


@pytest.mark.parametrize(
    ("verification", "headers", "verdict"),
    [
        (Bearer(SECRET), {}, Refused.MISSING),
        (Bearer(SECRET), {"authorization": "Bearer no"}, Refused.FORGED),
        (any_of([Bearer(SECRET), Bearer("the one before")]), {"authorization": "Bearer no"}, Refused.FORGED),
        (any_of([Bearer(SECRET), Bearer("the one before")]), HEADERS, Ignored.TOO_LARGE),
        (StandardWebhooks(key=b"k" * 24), {}, Refused.MISSING),
        (
            StandardWebhooks(key=b"k" * 24),
            {"webhook-id": "a", "webhook-timestamp": "0", "webhook-signature": "v1,no"},
            Ignored.TOO_LARGE,
        ),
        (any_of([Bearer(SECRET), ByHeader(reads_body=True)]), {"authorization": "Bearer no"}, Ignored.TOO_LARGE),
        (ByHeader(reads_body=True), {}, Ignored.TOO_LARGE),
        (ByHeader(reads_body=False), {}, Refused.FORGED),
        (ByHeader(reads_body=False), {"x-secret": "right"}, Ignored.TOO_LARGE),
    ],
)
def test_of_a_large_one_the_secret_is_looked_at_where_the_headers_hold_it(
    verification: Verification, headers: dict[str, str], verdict: Verdict
) -> None:
    """Its body was not read, so a signature cannot be checked; that there is none can be seen."""
    assert Judge(WEBHOOKS, verification).judge(b" " * (MAX_BYTES + 1), headers, 0.0) is verdict


def test_what_was_lost_here_is_new_when_it_is_said_again() -> None:
    """Every event of that generation, and of no other."""
    judge = leonardo()
    others = json.dumps(_event(ID.replace("1", "2"))).encode()
    for body in (COMPLETE, changed(status="FAILED"), others):
        assert isinstance(judge.judge(body, HEADERS, 0.0), Hint)
    judge.forget(ID)
    judge.forget("unheard of")
    assert isinstance(judge.judge(COMPLETE, HEADERS, 1.0), Hint)
    assert isinstance(judge.judge(changed(status="FAILED"), HEADERS, 1.0), Hint)
    assert judge.judge(others, HEADERS, 1.0) is Ignored.DOUBLE


def test_the_key_and_the_secret_are_dropped_before_it_is_read() -> None:
    """Also where nobody expects them; what reads the call has never seen them, and no object left behind has."""
    seen: list[object] = []

    def read(said: Any) -> Hint | None:
        seen.append(said)
        return WEBHOOKS.read(said)

    judge = Judge(WebhookFormat(verification=Bearer, read=read, secrets=WEBHOOKS.secrets), Bearer(SECRET))
    event = json.loads(COMPLETE)
    event["also"] = [{"apiKey": {"key": KEY}}]
    assert isinstance(judge.judge(json.dumps(event).encode(), HEADERS, 0.0), Hint)
    assert KEY not in repr(seen)
    assert SECRET not in repr(seen)
    assert "prompt" in repr(seen)
    seen.clear()
    del event
    judge.judge(changed(status="X"), HEADERS, 0.0)
    gc.collect()
    assert KEY not in repr(vars(judge))


def test_a_format_that_stumbles_is_no_error() -> None:
    """A provider file of somebody's own that expects what was not sent."""
    read = lambda said: Hint(said["id"], is_proved=True)  # noqa: E731  # which is not for it to say
    judge = Judge(WebhookFormat(verification=Bearer, read=read), Unsigned())
    assert judge.judge(b"{}", {}, 0.0) is Ignored.OTHER
    assert judge.judge(b'{"id": "x"}', {}, 0.0) == Hint("x")
    assert judge.judge(b'{"id": "\\ud800"}', {}, 0.0) is Ignored.OTHER


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(exclude_categories=())),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "data", "object", "type", "status", "apiKey"]) | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b'{"data": {"object": {"id": 1}}, "object": "generation"}')
def test_whatever_a_stranger_sends(body: bytes) -> None:
    """It is ignored; nothing raises, with the right secret as little as without one."""
    assert isinstance(judged(body), Ignored)
    assert isinstance(Judge(WEBHOOKS, Unsigned()).judge(body, {}, 0.0), Ignored)


@given(st.data())
def test_the_documented_call_with_anything_in_it(data: st.DataObject) -> None:
    event = json.loads(COMPLETE)
    target = data.draw(st.sampled_from([event, event["data"], event["data"]["object"]]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(JSON)
    assert isinstance(judged(json.dumps(event).encode()), Hint | Ignored)


PIECES = st.sampled_from(
    [b"[", b"]", b"{", b"}", b'"', b",", b":", b"\\", b'{"a":', b"1,", b"9", b"\xff", b" ", b'"\\""', b"[],", b"{},"]
) | st.binary(max_size=4)


@given(st.lists(st.tuples(PIECES, st.integers(1, 30_000)), max_size=6))
@example([(b"[", 60_000)])
@example([(b'{"a":', MAX_DEPTH + 1)])
@example([(b'{"a":', 12_000)])
@example([(b"1,", 30_000)])
@example([(b'"', 60_000)])
def test_what_is_parsed_is_small_whatever_is_sent(parts: list[tuple[bytes, int]]) -> None:
    """So no call holds the loop for long: by bytes, by parts and by depth, which are counted before it is parsed."""
    body = b"".join(piece * times for piece, times in parts)
    parsed = list[str]()

    def loads(text: str, **how: Any) -> Any:
        parsed.append(text)
        return json.loads(text, **how)

    with mock.patch("aiogen._hooks.reading.json", SimpleNamespace(loads=loads)):
        assert isinstance(judged(body), Ignored)
    for text in parsed:
        assert len(body) <= MAX_BYTES
        assert sum(map(text.count, '[]{},"')) <= MAX_TOKENS
        outside = re.sub(r'"(?:[^"\\]++|\\.)*+"?', "", text, flags=re.DOTALL)
        depths = accumulate((each in "[{") - (each in "]}") for each in outside)
        assert max(depths, default=0) <= MAX_DEPTH
