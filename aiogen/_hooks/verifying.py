"""Whether a call is the vendor's: by a secret that it repeats, or by a signature.  Pure: the time is an argument.

Every comparison with a secret takes the same time wherever they differ, and no input makes any of this raise.
Sources: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (the package
`standardwebhooks` 1.1.0 raises on malformed signatures, takes a timestamp with a fraction, and reads the clock itself),
https://docs.fal.ai/model-endpoints/webhooks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import ClassVar, Protocol

import attrs

from aiogen._hooks.verdicts import Refused
from aiogen._safety.secret import Secret, to_secret
from aiogen.errors import ConfigurationError

Headers = Mapping[str, str]
"""By their names in lower case."""
Ed25519Check = Callable[[bytes, bytes, bytes], bool]
"""Given the public key (32 bytes), the signature (64 bytes) and what was signed: whether it fits."""

TOLERANCE = 300.0
"""Seconds by which a signed time may differ from ours: what Standard Webhooks proposes and most vendors use."""
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_MOST_SIGNATURES = 16
"""In one call: a vendor that changes its key sends two; a stranger may not have us check thousands."""


@attrs.frozen
class Verified:
    """The call is the vendor's, as far as can be known."""

    is_proved: bool = True
    """False where nothing was there to check."""
    event_id: str | None = None
    """By which a repeated call can be known, where the vendor's signature covers one."""


class Verification(Protocol):
    """How calls of one vendor are checked, with the secret in it."""

    def verify(self, body: bytes, headers: Headers, now: float) -> Verified | Refused:
        """Whether this call is genuine; it never raises.

        Args:
            body: as it came, not one byte changed.
            headers: by their names in lower case.
            now: seconds since the epoch.
        """
        ...


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by their names in lower case; what was sent twice is joined, and so fits no secret and no signature."""
    found: dict[str, str] = {}
    for name, value in headers.items():
        if isinstance(name, str) and isinstance(value, str):
            name = name.lower()
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found


@attrs.frozen
class Unsigned:
    """Nothing is checked: for vendors that send no proof, and those who have set no secret."""

    def verify(self, body: bytes, headers: Headers, now: float) -> Verified | Refused:
        """See `Verification.verify`: every caller is believed."""
        return Verified(is_proved=False)


@attrs.frozen
class Bearer:
    """`Authorization: Bearer <secret>`: there is no signature, so anybody who has seen one call can make others."""

    reads_body: ClassVar[bool] = False

    _secret: Secret = attrs.field(converter=to_secret, repr=False)

    def verify(self, body: bytes, headers: Headers, now: float) -> Verified | Refused:
        """See `Verification.verify`; the scheme is compared without case."""
        scheme, _, given = headers.get("authorization", "").strip().partition(" ")
        if not scheme:
            return Refused.MISSING
        fits = hmac.compare_digest(_bytes(given.strip()), _bytes(self._secret.text))
        return Verified() if fits and scheme.lower() == "bearer" else Refused.FORGED


@attrs.frozen(kw_only=True)
class StandardWebhooks:
    """Standard Webhooks: `v1` (HMAC-SHA256) with `key`, and `v1a` (Ed25519) with `public_key`; any that fits is enough.

    Vendors differ in how the key is made of the text that they show: see `from_secret`, else pass its bytes.
    """

    key: bytes | None = attrs.field(default=None, repr=False)
    public_key: bytes | None = None
    check: Ed25519Check | None = None
    """By default `cryptography`'s, where that is installed."""
    tolerance: float = TOLERANCE
    prefixes: Sequence[str] = ("webhook-", "svix-")
    """Of the headers' names; the older ones are still sent by some."""

    def __attrs_post_init__(self) -> None:
        if self.public_key is not None and self.check is None:
            object.__setattr__(self, "check", ed25519())

    @classmethod
    def from_secret(cls, secret: str, *, tolerance: float = TOLERANCE) -> StandardWebhooks:
        """From the text of the standard: `whsec_` and the key in base64, or `whpk_` and the public key.

        Raises:
            ConfigurationError: it is neither, or a public key needs a check that is not installed.
        """
        kind, _, text = secret.strip().rpartition("_")
        key = _from_base64(text)
        if not key or kind not in ("whsec", "whpk", ""):
            raise ConfigurationError(
                "A Standard Webhooks secret is whsec_, or whpk_ for a public key, and base64; this one is not. "
                "Copy it again from the vendor's page.",
                action=None,
            )
        return cls(public_key=key, tolerance=tolerance) if kind == "whpk" else cls(key=key, tolerance=tolerance)

    def verify(self, body: bytes, headers: Headers, now: float) -> Verified | Refused:
        """See `Verification.verify`; versions for which there is no key here are skipped."""
        for prefix in self.prefixes:
            event_id, sent_at, signatures = (headers.get(prefix + each) for each in ("id", "timestamp", "signature"))
            if event_id and sent_at and signatures:
                break
        else:
            return Refused.MISSING
        if not _SECONDS.fullmatch(sent_at) or not self._fits(_bytes(f"{event_id}.{sent_at}.") + body, signatures):
            return Refused.FORGED
        return _in_time(int(sent_at), now, self.tolerance) or Verified(event_id=event_id)

    def _fits(self, signed: bytes, signatures: str) -> bool:
        right = b""
        if self.key is not None:
            right = base64.b64encode(hmac.digest(self.key, signed, "sha256"))
        for signature in signatures.split(" ")[:_MOST_SIGNATURES]:
            version, _, text = signature.partition(",")
            if version == "v1" and right and hmac.compare_digest(_bytes(text), right):
                return True
            if version == "v1a" and _checked(self.check, self.public_key, _from_base64(text), signed):
                return True
        return False


@attrs.frozen(kw_only=True)
class SignedLines:
    """Ed25519 over some headers and the body's SHA-256 in hex, one a line, signature in hex: fal's form.

    Where the public keys come from is the caller's affair: nothing is fetched here.
    """

    public_keys: Sequence[bytes]
    check: Ed25519Check = attrs.field(factory=lambda: ed25519())
    id_header: str = "x-fal-webhook-request-id"
    user_header: str = "x-fal-webhook-user-id"
    time_header: str = "x-fal-webhook-timestamp"
    signature_header: str = "x-fal-webhook-signature"
    tolerance: float = TOLERANCE

    def verify(self, body: bytes, headers: Headers, now: float) -> Verified | Refused:
        """See `Verification.verify`."""
        names = (self.id_header, self.user_header, self.time_header, self.signature_header)
        event_id, user, sent_at, signature = (headers.get(name, "") for name in names)
        if not (event_id and sent_at and signature):
            return Refused.MISSING
        signed = _bytes("\n".join((event_id, user, sent_at, hashlib.sha256(body).hexdigest())))
        given = _from_hex(signature)
        if not _SECONDS.fullmatch(sent_at) or not any(
            _checked(self.check, key, given, signed) for key in self.public_keys
        ):
            return Refused.FORGED
        return _in_time(int(sent_at), now, self.tolerance) or Verified(event_id=event_id)


@attrs.frozen
class AnyOf:
    """One of several secrets fits: for as long as a secret is being replaced by another."""

    _verifications: Sequence[Verification]

    def verify(self, body: bytes, headers: Headers, now: float) -> Verified | Refused:
        """See `Verification.verify`; the reason of a refusal is the last one's."""
        found: Verified | Refused = Refused.MISSING
        for each in self._verifications:
            found = each.verify(body, headers, now)
            if isinstance(found, Verified):
                break
        return found


def without_body(verification: Verification, headers: Headers, now: float) -> Refused | None:
    """Why a call is refused whatever its body is; None if that takes the body.

    A secret in the headers can be looked at; of a signature only that there is none.  A verification of somebody else's
    says by `reads_body = False` that it looks at the headers alone.
    """
    found = verification.verify(b"", headers, now)
    if found is Refused.MISSING or (isinstance(found, Refused) and not _reads_body(verification)):
        return found
    return None


def _reads_body(verification: Verification) -> bool:
    if isinstance(verification, AnyOf):
        return any(map(_reads_body, verification._verifications))
    return bool(getattr(verification, "reads_body", True))


def ed25519() -> Ed25519Check:
    """A check by the package `cryptography`.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        keys = import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    except ImportError:
        raise ConfigurationError(
            "Ed25519 signatures need the package cryptography: install it, or pass a check of your own.", action=None
        ) from None

    def check(public_key: bytes, signature: bytes, signed: bytes) -> bool:
        keys.Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
        return True

    return check


def any_of(verifications: Iterable[Verification]) -> Verification:
    """One of them, or all as one."""
    found = list(verifications)
    return found[0] if len(found) == 1 else AnyOf(found)


def _checked(check: Ed25519Check | None, key: bytes | None, signature: bytes | None, signed: bytes) -> bool:
    if check is None or key is None or not signature:
        return False
    try:
        return bool(check(key, signature, signed))
    except Exception:  # each implementation says in its own way that a signature does not fit
        return False


def _in_time(sent_at: int, now: float, tolerance: float) -> Refused | None:
    if now - sent_at > tolerance:
        return Refused.STALE
    return Refused.FUTURE if sent_at - now > tolerance else None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _from_base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def _from_hex(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None
