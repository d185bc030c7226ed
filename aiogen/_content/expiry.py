"""When a presigned url stops working, as far as the url itself says.  Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

_EARLIEST = 1_000_000_000
"""Seconds since 1970 (September 2001); less is no moment but a duration, or nonsense."""


def url_expiry(url: str, received_at: float | None = None) -> datetime | None:
    """The moment that the url names as its end, or None if it names none.

    Read are AWS Signature Version 4 (`X-Amz-Date`, `X-Amz-Expires`), Google's V4 (`X-Goog-…`), the `Expires` of AWS
    Signature Version 2, CloudFront and Google's V2 (seconds since 1970), and the `se` of an Azure SAS (ISO 8601).

    Args:
        url: of an output.
        received_at: when it came, seconds since 1970.  A duration counts from then if the url does not say since when;
            without it such a url names no moment.
    """
    query = url.partition("#")[0].partition("?")[2]
    said = {name.lower(): value for name, value in parse_qsl(query, errors="replace")}
    try:
        for vendor in ("x-amz", "x-goog"):
            seconds = _whole_number(said.get(f"{vendor}-expires"), 1, 604_800)  # both end at seven days
            signed = _moment(said.get(f"{vendor}-date"))
            if signed is None and received_at is not None:
                signed = datetime.fromtimestamp(received_at, UTC)
            if seconds is not None and signed is not None:
                return signed + timedelta(seconds=seconds)
        seconds = _whole_number(said.get("expires"), _EARLIEST, 100 * _EARLIEST)
        if seconds is not None:
            return datetime.fromtimestamp(seconds, UTC)
        ends = _moment(said.get("se")) if "sig" in said else None
        return ends if ends is not None and in_every_zone(ends) else None
    except OverflowError:
        return None


def _whole_number(text: str | None, low: int, high: int) -> int | None:
    if text is None or re.fullmatch(r"[0-9]{1,12}", text) is None:
        return None
    return number if low <= (number := int(text)) <= high else None


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def in_every_zone(when: datetime) -> bool:
    """False for the first and last years of the calendar: in some time zone they cannot be expressed."""
    return 1970 <= when.year < 9999
