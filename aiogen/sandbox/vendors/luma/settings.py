"""What the Luma Agents API allows, how long it works, and which of its known variants it uses. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs
from attrs.validators import ge, gt, in_, le

from ...settings import KeyKind, LogNormal, keys_of_known_kinds

LUMA_KEY = "luma-api-sandbox-0000"


@attrs.frozen(kw_only=True)
class LumaSettings:
    """The Luma Agents API."""

    api_keys: Mapping[str, KeyKind] = attrs.field(factory=lambda: {LUMA_KEY: "valid"}, validator=keys_of_known_kinds)
    creates_per_window: int = attrs.field(default=30, validator=ge(1))
    window_seconds: float = attrs.field(default=60.0, validator=gt(0))
    """Length of the sliding window. Not shortened by `speed`."""
    max_active: int = attrs.field(default=10, validator=ge(1))
    """Units of weight that may be queued or processing at once; one more is refused, not queued."""
    weights: Mapping[tuple[str, str], int] = attrs.field(factory=lambda: {("uni-1-max", "image_edit"): 3})
    """(model, type) to units of both limits; 1 where not named. The 3 was observed, not documented."""
    release: Literal["end", "poll"] = attrs.field(default="end", validator=in_(("end", "poll")))
    """A slot becomes free when the job ends, or when a poll has reported that end. The documents say both."""
    prune_after: float = attrs.field(default=3600.0, validator=gt(0))
    """Seconds after the create at which a slot is freed in any case. Shortened by `speed`."""
    url_lifetime: float = attrs.field(default=3600.0, validator=gt(0))
    """Seconds for which an output's URL works. Shortened by `speed`."""
    durations: Mapping[str, LogNormal] = attrs.field(
        # uni-1: 15-60 s are documented as typical. uni-1-max: "a minute or two", says one reseller.
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
    ("thousands"), so by default there is no ceiling."""
    lenient: bool = False
    """Accepts any parameters, any bearer and any id, and never limits: for the vendor's own test suite."""
    latency: float = attrs.field(default=0.0, validator=ge(0))
    """Seconds before each answer leaves. Not shortened by `speed`."""
    reference_latency: float = attrs.field(default=0.0, validator=ge(0))
    """Seconds that a create takes longer for each reference given as URL (the vendor fetches it before it answers, for
    18 s at most). Not shortened by `speed`."""
