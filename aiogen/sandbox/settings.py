"""What the settings of all vendors have in common. Pure.

Defaults are what a vendor documents. Where it documents nothing, the default is what was observed, and the field says
so. All seconds are the vendor's: `Sandbox(speed=...)` shortens those of which the field says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

KeyKind = Literal["valid", "revoked", "expired", "suspended", "deactivated"]
KEY_KINDS = ("valid", "revoked", "expired", "suspended", "deactivated")

LogNormal = tuple[float, float]
"""Median in seconds, and sigma: the standard deviation of the logarithm. 95 % lie within median * exp(±2 sigma)."""


def keys_of_known_kinds(
    instance: object, attribute: attrs.Attribute[Mapping[str, KeyKind]], value: Mapping[str, KeyKind]
) -> None:
    """A validator for attrs. Raises ValueError."""
    for kind in value.values():
        if kind not in KEY_KINDS:
            raise ValueError(f"a key is one of {', '.join(KEY_KINDS)}, not {kind!r}")


def valid_key(keys: Mapping[str, KeyKind], default: str) -> str:
    """The first key that is valid; `default` if none is."""
    return next((key for key, kind in keys.items() if kind == "valid"), default)
