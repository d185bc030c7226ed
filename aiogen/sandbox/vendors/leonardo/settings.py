"""What the Leonardo.Ai Production API allows, how long it works, and which of its known variants it uses. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs
from attrs.validators import ge, gt, in_

from ...settings import KeyKind, LogNormal, keys_of_known_kinds

LEONARDO_KEY = "1e07a2d0-0000-4000-8000-5a4db0c50000"


@attrs.frozen(kw_only=True)
class LeonardoSettings:
    """The Leonardo.Ai Production API."""

    api_keys: Mapping[str, KeyKind] = attrs.field(
        factory=lambda: {LEONARDO_KEY: "valid"}, validator=keys_of_known_kinds
    )
    """Any kind except "valid" is answered like a wrong key: no other text is known."""
    creates_per_window: int = attrs.field(default=100, validator=ge(1))
    """For each create endpoint separately."""
    requests_per_window: int = attrs.field(default=2000, validator=ge(1))
    window_seconds: float = attrs.field(default=60.0, validator=gt(0))
    """Not shortened by `speed`."""
    max_running: int = attrs.field(default=10, validator=ge(1))
    """Further jobs wait, PENDING like the running ones, and start in the order of their creates."""
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
    """Seconds by which the list lags behind. Not shortened by `speed`."""
    status_lag: float = attrs.field(default=0.0, validator=ge(0))
    """Seconds after a create during which reading the job gives null. Not shortened by `speed`."""
    error_shape: Literal["array200", "errors200", "array", "errors", "object"] = attrs.field(
        default="array200", validator=in_(("array200", "errors200", "array", "errors", "object"))
    )
    """How v2 reports an error: a GraphQL array or an {"errors": [...]}, with HTTP 200 or the true status; or the
    object of v1."""
    out_of_tokens: bool = False
    """Creates are refused because no tokens are left: by v1 with a 400 and a text, by v2 with its 402."""
    banned_words: tuple[str, ...] = ()
    """A prompt with one of them is refused by name; the vendor's list is not known."""
    extra_models: tuple[str, ...] = ()
    """Slugs that v2 takes beside those of the table: the vendor's list changes every few weeks."""
    user_id: str = "11111111-2222-4333-8444-555555555555"
    username: str = "sandbox"
    api_concurrency_slots: int = 10
    api_paid_tokens: int = 5000
    api_subscription_tokens: int = 10000
    webhook_url: str | None = None
    """Where a call goes at the end of each generation; the vendor takes https only, and sets it with the key."""
    webhook_secret: str | None = None
    """Sent with each call as a bearer; None: without."""
    latency: float = attrs.field(default=0.0, validator=ge(0))
    """Seconds before each answer leaves. Not shortened by `speed`."""
