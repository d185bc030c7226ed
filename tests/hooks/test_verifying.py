"""Secrets and signatures: known answers, and everything that is nearly one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiogen._hooks.verdicts import Refused
from aiogen._hooks.verifying import (
    AnyOf,
    Bearer,
    SignedLines,
    StandardWebhooks,
    Unsigned,
    Verified,
    any_of,
    ed25519,
    lowered,
)
from aiogen.errors import ConfigurationError

pytestmark = pytest.mark.looptime(False)

# The known answer of the signing test of standard-webhooks/standard-webhooks.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SENT_AT = 1614265330
SIGNED = {"webhook-id": ID, "webhook-timestamp": str(SENT_AT), "webhook-signature": V1}

# Made by the same rules with the key of seed 0102…1f20.
PUBLIC = "whpk_ebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ="
V1A = "v1a,OVJuLC0iOuaBuQulpz9A/zDgvqV8z8miLUJk2j15ZMONwDNhOvPJ3rO4owAHFyjFq80+pUUjrNfTHAZs1RQnDw=="

LINES_BODY = (
    b'{"request_id":"764cabcf-b745-4b3e-ae38-1200304cf45b","gateway_request_id":"764cabcf-b745-4b3e-ae38-1200304cf45b",'
    b'"status":"OK","payload":{"images":[{"url":"https://v3.fal.media/files/rabbit/abc123.png",'
    b'"content_type":"image/png","width":1024,"height":768}],"seed":42}}'
)
LINES_AT = 1767225600
LINES = {
    "X-Fal-Webhook-Request-Id": "764cabcf-b745-4b3e-ae38-1200304cf45b",
    "X-Fal-Webhook-User-Id": "user_2test0001",
    "X-Fal-Webhook-Timestamp": str(LINES_AT),
    "X-Fal-Webhook-Signature": "85a4e9742c7d213a9f37a40098daa0adfda76ee01bbbd4266fc11d6e562de5f2"
    "af73c9d4db4543e9982b32ea9011befc053471355100c793366f4bbf0875e007",
}
KEY = base64.b64decode(PUBLIC.removeprefix("whpk_"))


def known(key: bytes, signature: bytes, signed: bytes) -> bool:
    """In place of a library: true for the two signatures above over what they were made for; else it raises."""
    values = (
        LINES["X-Fal-Webhook-Request-Id"],
        "user_2test0001",
        str(LINES_AT),
        hashlib.sha256(LINES_BODY).hexdigest(),
    )
    lines = "\n".join(values).encode()
    right = {
        base64.b64decode(V1A.removeprefix("v1a,")): f"{ID}.{SENT_AT}.".encode() + BODY,
        bytes.fromhex(LINES["X-Fal-Webhook-Signature"]): lines,
    }
    if key != KEY or right.get(signature) != signed:
        raise ValueError("that does not fit")
    return True


CHECKS = [known, ed25519()] if find_spec("cryptography") else [known]


# --- a bearer


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Bearer the secret", Verified()),
        ("bearer the secret", Verified()),
        ("BEARER  the secret ", Verified()),
        ("Bearer the secrets", Refused.FORGED),
        ("Bearer the secre", Refused.FORGED),
        ("Bearer", Refused.FORGED),
        ("Basic the secret", Refused.FORGED),
        ("the secret", Refused.FORGED),
        ("Bearer gehéim\udcff", Refused.FORGED),
        ("", Refused.MISSING),
        (None, Refused.MISSING),
    ],
)
def test_a_bearer_is_the_secret_and_nothing_near_it(header: str | None, expected: object) -> None:
    headers = {} if header is None else {"authorization": header}
    assert Bearer("the secret").verify(b"", headers, 0.0) == expected


def test_the_secret_is_not_shown() -> None:
    assert "the secret" not in repr(Bearer("the secret"))
    assert SECRET[6:] not in repr(StandardWebhooks.from_secret(SECRET))


def test_a_header_that_came_twice_fits_no_secret() -> None:
    """Which of them a proxy has looked at is not known."""

    class Twice(dict[str, str]):
        def items(self) -> Any:
            return [("Authorization", "Bearer the secret"), ("authorization", "Bearer another")]

    assert Bearer("the secret").verify(b"", lowered(Twice()), 0.0) is Refused.FORGED


def test_without_a_secret_everybody_is_believed_and_nothing_proved() -> None:
    assert Unsigned().verify(b"", {}, 0.0) == Verified(is_proved=False)


def test_while_a_secret_is_replaced_either_is_good() -> None:
    both = AnyOf([Bearer("old"), Bearer("new")])
    for secret, expected in (("old", Verified()), ("new", Verified()), ("other", Refused.FORGED)):
        assert both.verify(b"", {"authorization": f"Bearer {secret}"}, 0.0) == expected


# --- Standard Webhooks


def test_the_known_answer_of_the_standard() -> None:
    found = StandardWebhooks.from_secret(SECRET).verify(BODY, SIGNED, SENT_AT + 5.0)
    assert found == Verified(event_id=ID)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"webhook-signature": "v1"}, Refused.FORGED),
        ({"webhook-signature": "v1,a,b"}, Refused.FORGED),
        ({"webhook-signature": "v1,abcde"}, Refused.FORGED),
        ({"webhook-signature": f"v1 {V1}"}, Verified(event_id=ID)),
        ({"webhook-signature": f"v2,AAAA {V1} "}, Verified(event_id=ID)),
        ({"webhook-signature": V1.replace("v1,", "v1a,")}, Refused.FORGED),
        ({"webhook-signature": "v1,é\udcff"}, Refused.FORGED),
        ({"webhook-timestamp": f"{SENT_AT}.9"}, Refused.FORGED),
        ({"webhook-timestamp": "nan"}, Refused.FORGED),
        ({"webhook-timestamp": f"+{SENT_AT}"}, Refused.FORGED),
        ({"webhook-timestamp": "1614265330".translate({ord("1"): "١"})}, Refused.FORGED),
        ({"webhook-timestamp": str(SENT_AT + 1)}, Refused.FORGED),
        ({"webhook-id": "msg_another"}, Refused.FORGED),
        ({"webhook-id": ""}, Refused.MISSING),
        ({"webhook-signature": ""}, Refused.MISSING),
        ({"webhook-timestamp": ""}, Refused.MISSING),
    ],
)
def test_what_is_nearly_signed(changed: dict[str, str], expected: object) -> None:
    assert StandardWebhooks.from_secret(SECRET).verify(BODY, SIGNED | changed, SENT_AT + 5.0) == expected


@pytest.mark.parametrize("body", [BODY + b" ", b"\xff\xfe", b""])
def test_another_body_is_not_signed(body: bytes) -> None:
    assert StandardWebhooks.from_secret(SECRET).verify(body, SIGNED, SENT_AT + 5.0) is Refused.FORGED


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (SENT_AT + 300.0, Verified(event_id=ID)),
        (SENT_AT + 301.0, Refused.STALE),
        (SENT_AT - 300.0, Verified(event_id=ID)),
        (SENT_AT - 301.0, Refused.FUTURE),
    ],
)
def test_the_time_is_told(now: float, expected: object) -> None:
    assert StandardWebhooks.from_secret(SECRET).verify(BODY, SIGNED, now) == expected


@pytest.mark.parametrize("sent_at", ["nan", "inf", "1e9", " 1614265330", "1" * 5000, "-1", "\u0661"])
def test_a_time_that_is_no_whole_number_is_refused_though_it_is_signed(sent_at: str) -> None:
    """Nobody but the vendor can do that, and it is no reason to raise either."""
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    value = hmac.digest(key, f"{ID}.{sent_at}.".encode() + BODY, "sha256")
    headers = SIGNED | {"webhook-timestamp": sent_at, "webhook-signature": f"v1,{base64.b64encode(value).decode()}"}
    assert StandardWebhooks.from_secret(SECRET).verify(BODY, headers, SENT_AT) is Refused.FORGED


def test_the_older_names_of_the_headers() -> None:
    older = {name.replace("webhook-", "svix-"): value for name, value in SIGNED.items()}
    assert StandardWebhooks.from_secret(SECRET).verify(BODY, older, SENT_AT) == Verified(event_id=ID)


def test_a_vendor_whose_key_is_the_text() -> None:
    """Some sign with the secret's letters; that is for their provider files to say."""
    assert StandardWebhooks(key=SECRET.encode()).verify(BODY, SIGNED, SENT_AT) is Refused.FORGED
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    assert StandardWebhooks(key=key).verify(BODY, SIGNED, SENT_AT) == Verified(event_id=ID)


@pytest.mark.parametrize("check", CHECKS)
def test_a_public_key_and_several_signatures(check: Any) -> None:
    """A version for which there is no key here is passed over."""
    public = StandardWebhooks(public_key=KEY, check=check)
    both = SIGNED | {"webhook-signature": f"{V1} {V1A}"}
    assert public.verify(BODY, both, SENT_AT) == Verified(event_id=ID)
    assert StandardWebhooks.from_secret(SECRET).verify(BODY, both, SENT_AT) == Verified(event_id=ID)
    assert public.verify(BODY, SIGNED, SENT_AT) is Refused.FORGED
    for wrong in (V1A[:-8] + "AAAAAA==", "v1a,", "v1a,*", "v1a,AAAA"):
        assert public.verify(BODY, SIGNED | {"webhook-signature": wrong}, SENT_AT) is Refused.FORGED


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_***", "whsk_AAAA", "abc"])
def test_a_secret_that_is_none_is_said_at_once(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="whsec_") as caught:
        StandardWebhooks.from_secret(secret)
    assert secret == "" or secret == "whsec_" or secret not in str(caught.value)


# --- lines


@pytest.mark.parametrize("check", CHECKS)
def test_signed_lines(check: Any) -> None:
    lines = SignedLines(public_keys=[b"\0" * 32, KEY], check=check)
    good = lowered(LINES)
    assert lines.verify(LINES_BODY, good, LINES_AT + 10.0) == Verified(event_id=LINES["X-Fal-Webhook-Request-Id"])
    assert lines.verify(LINES_BODY + b" ", good, LINES_AT) is Refused.FORGED
    assert lines.verify(LINES_BODY, good, LINES_AT + 301.0) is Refused.STALE
    assert lines.verify(LINES_BODY, good, LINES_AT - 301.0) is Refused.FUTURE
    for name in good:
        assert isinstance(lines.verify(LINES_BODY, good | {name: "other"}, LINES_AT), Refused)
        assert isinstance(lines.verify(LINES_BODY, {n: v for n, v in good.items() if n != name}, LINES_AT), Refused)


def test_without_the_package_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    with pytest.raises(ConfigurationError, match="pass a check of your own"):
        StandardWebhooks.from_secret(PUBLIC)


def test_with_the_package_its_key_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the package's own form: a key is made of bytes, and raises where a signature does not fit."""

    class Key:
        def __init__(self, key: bytes) -> None:
            self._key = key

        @classmethod
        def from_public_bytes(cls, key: bytes) -> Key:
            return cls(key)

        def verify(self, signature: bytes, signed: bytes) -> None:
            known(self._key, signature, signed)

    module = ModuleType("ed25519")
    module.Ed25519PublicKey = Key  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", module)
    signed = {**SIGNED, "webhook-signature": V1A}
    verification = StandardWebhooks.from_secret(PUBLIC)
    assert verification.verify(BODY, signed, SENT_AT) == Verified(event_id=ID)
    assert verification.verify(BODY + b" ", signed, SENT_AT) is Refused.FORGED


# --- several at once, and headers


def test_one_of_several_is_enough_and_one_alone_is_itself() -> None:
    """A second one is there while a secret is being replaced by another."""
    old, new = Bearer("old"), Bearer("new")
    assert any_of([old]) is old
    both = any_of(iter([old, new]))
    for secret in ("old", "new"):
        assert both.verify(b"", {"authorization": f"Bearer {secret}"}, 0.0) == Verified()
    assert both.verify(b"", {"authorization": "Bearer other"}, 0.0) is Refused.FORGED
    assert any_of([]).verify(b"", {"authorization": "Bearer old"}, 0.0) is Refused.MISSING


def test_headers_are_read_by_lower_case_names_and_only_text() -> None:
    given: Any = {"Authorization": "Bearer a", "authorization": "b", b"X": "c", "Y": b"d", "Z": "e"}
    assert lowered(given) == {"authorization": "Bearer a, b", "z": "e"}


# --- whatever a stranger sends

NAMES = ["authorization", *SIGNED, *map(str.lower, LINES)]
TEXT = st.text(st.characters(exclude_categories=()), max_size=60) | st.sampled_from([*SIGNED.values(), *LINES.values()])


@given(st.binary(max_size=100), st.dictionaries(st.sampled_from(NAMES), TEXT), st.floats(0, 2e9))
def test_nothing_raises_and_nothing_passes(body: bytes, headers: dict[str, str], now: float) -> None:
    for verification in (
        Bearer("the secret"),
        StandardWebhooks.from_secret(SECRET),
        StandardWebhooks(public_key=KEY, check=known),
        SignedLines(public_keys=[KEY], check=CHECKS[-1]),
    ):
        assert isinstance(verification.verify(body, lowered(headers), now), Refused)
