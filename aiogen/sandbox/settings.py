"""What an imitated vendor allows, how long its work takes, and in which of its known ways it speaks.

The defaults are what the vendors document. Where they document nothing, the default is what was observed, and the
field says so. All seconds are the vendor's: `Sandbox(speed=...)` shortens those that it is said to shorten.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs
from attrs.validators import ge, gt, in_, le

LUMA_KEY = "luma-api-sandbox-0000"
LEONARDO_KEY = "1e07a2d0-0000-4000-8000-5a4db0c50000"

KeyKind = Literal["valid", "revoked", "expired", "suspended", "deactivated"]
KEY_KINDS = ("valid", "revoked", "expired", "suspended", "deactivated")

LogNormal = tuple[float, float]
"""Median in seconds, and sigma: the standard deviation of the logarithm. 95 % lie within median * exp(±2 sigma)."""


def _keys_of_known_kinds(
    instance: object, attribute: attrs.Attribute[Mapping[str, KeyKind]], value: Mapping[str, KeyKind]
) -> None:
    for kind in value.values():
        if kind not in KEY_KINDS:
            raise ValueError(f"a key is one of {', '.join(KEY_KINDS)}, not {kind!r}")


@attrs.frozen(kw_only=True)
class LumaSettings:
    """The Luma Agents API."""

    api_keys: Mapping[str, KeyKind] = attrs.field(factory=lambda: {LUMA_KEY: "valid"}, validator=_keys_of_known_kinds)
    creates_per_window: int = attrs.field(default=30, validator=ge(1))
    window_seconds: float = attrs.field(default=60.0, validator=gt(0))
    """Length of the sliding window. Not shortened by `speed`."""
    max_active: int = attrs.field(default=10, validator=ge(1))
    """Units of weight that may be queued or processing at once; one more is refused, not queued."""
    weights: Mapping[tuple[str, str], int] = attrs.field(factory=lambda: {("uni-1-max", "image_edit"): 3})
    """(model, type) to units of both limits; 1 where not named. The 3 was observed, not documented."""
    release: Literal["end", "poll"] = attrs.field(default="end", validator=in_(("end", "poll")))
    """A slot becomes free when the job ends, or when a poll has seen that end. The documents say both."""
    prune_after: float = attrs.field(default=3600.0, validator=gt(0))
    """A slot is forgotten so long after the create, whatever happened. Shortened by `speed`."""
    url_lifetime: float = attrs.field(default=3600.0, validator=gt(0))
    """Seconds for which an output's URL works. Shortened by `speed`."""
    durations: Mapping[str, LogNormal] = attrs.field(
        # uni-1: 15-60 s are documented as typical. uni-1-max: "a minute or two", as one reseller says.
        # ray-3.2: 5 s of 720p in well under two minutes.
        factory=lambda: {"uni-1": (30.0, 0.33), "uni-1-max": (80.0, 0.25), "ray-3.2": (75.0, 0.2)}
    )
    """Model to time from create to end. Shortened by `speed`."""
    queued_share: float = attrs.field(default=0.1, validator=[ge(0.0), le(1.0)])
    """The part of the duration that is spent in `queued`."""
    rate_headers: bool = True
    """False: the limiter "fails open", and a 201 comes without X-RateLimit-*."""
    concurrency_text: Literal["documented", "observed", "variant"] = attrs.field(
        default="documented", validator=in_(("documented", "observed", "variant"))
    )
    get_ceiling_per_minute: int | None = None
    """Requests of any kind per window before the abuse ceiling answers 429. The vendor's number is not known
    ("thousands"), so there is none unless given."""
    lenient: bool = False
    """Takes nonsense for parameters, any bearer, any id, and never limits: for the vendor's own test suite."""
    latency: float = attrs.field(default=0.0, validator=ge(0))
    """Seconds before each answer leaves. Not shortened by `speed`."""
    reference_latency: float = attrs.field(default=0.0, validator=ge(0))
    """Seconds that a create takes longer per reference given as URL (the vendor fetches it meanwhile, for
    18 s at most). Not shortened by `speed`."""


@attrs.frozen(kw_only=True)
class LeonardoSettings:
    """The Leonardo.Ai Production API."""

    api_keys: Mapping[str, KeyKind] = attrs.field(
        factory=lambda: {LEONARDO_KEY: "valid"}, validator=_keys_of_known_kinds
    )
    """Any kind but "valid" is answered as a wrong key: no other text is known."""
    creates_per_window: int = attrs.field(default=100, validator=ge(1))
    """For each create endpoint by itself."""
    requests_per_window: int = attrs.field(default=2000, validator=ge(1))
    window_seconds: float = attrs.field(default=60.0, validator=gt(0))
    """Not shortened by `speed`."""
    max_running: int = attrs.field(default=10, validator=ge(1))
    """Further jobs wait, PENDING like the running ones, and start in the order in which they came."""
    max_pending: int = attrs.field(default=200, validator=ge(0))
    """Jobs that may wait; how the vendor refuses one more is not known (here: like any other 429)."""
    durations: Mapping[str, LogNormal] = attrs.field(
        # "A few seconds", and a documented sample of 4 s; the vendor's recipes wait 20-30 s, for video 180-300 s.
        factory=lambda: {"image": (8.0, 0.4), "video": (120.0, 0.35)}
    )
    """Kind to running time. Shortened by `speed`."""
    create_shape: Literal["generate", "flat", "sdGenerationJob", "array"] = attrs.field(
        default="generate", validator=in_(("generate", "flat", "sdGenerationJob", "array"))
    )
    """The v2 create's answer: `generate` is what is observed, `flat` what is published."""
    cost_mode: Literal["dollars", "credits", "zero", "none"] = attrs.field(
        default="dollars", validator=in_(("dollars", "credits", "zero", "none"))
    )
    not_found: Literal["null", "404", "empty"] = attrs.field(default="null", validator=in_(("null", "404", "empty")))
    """An unknown id: null inside a 200 (inferred from the schema), a 404 (reported), or a bare `[]`."""
    retry_after_on_429: bool = False
    """The vendor promises no Retry-After."""
    list_max: int = attrs.field(default=50, validator=ge(1))
    """A larger `limit` is capped (reported by two clients; not documented)."""
    list_lag: float = attrs.field(default=0.0, validator=ge(0))
    """Seconds by which the list is behind. Not shortened by `speed`."""
    status_lag: float = attrs.field(default=0.0, validator=ge(0))
    """Seconds after a create during which reading it gives null. Not shortened by `speed`."""
    error_shape: Literal["array200", "errors200", "array", "errors", "object"] = attrs.field(
        default="array200", validator=in_(("array200", "errors200", "array", "errors", "object"))
    )
    """How v2 reports an error: a GraphQL array or an {"errors": [...]}, with HTTP 200 or the true status; or the
    object that v1 has."""
    out_of_tokens: bool = False
    """Creates are refused for want of tokens: by v1 with a 400 and a text, by v2 with its 402."""
    banned_words: tuple[str, ...] = ()
    """A prompt with one of them is refused by name; the vendor's list is not known."""
    user_id: str = "11111111-2222-4333-8444-555555555555"
    username: str = "sandbox"
    api_concurrency_slots: int = 10
    api_paid_tokens: int = 5000
    api_subscription_tokens: int = 10000
    latency: float = attrs.field(default=0.0, validator=ge(0))
    """Seconds before each answer leaves. Not shortened by `speed`."""
