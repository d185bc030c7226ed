"""How numbers, ids, addresses and other people's text are written for people to read.  Pure.

For messages, logs and reprs; nothing here is read back by a program.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from urllib.parse import urlsplit

_UNITS = ((86_400, "day", "days"), (3600, "hour", "hours"), (60, "min", "min"), (1, "s", "s"))
_IN_SECONDS = 300.0
"""Below this, durations are written in seconds: 90 s, 120 s; above it, 10 min and 30 days."""
_LONGEST_URL = 80


def count(number: float) -> str:
    """A number as people write it: 1,000,000 and 0.001, never 1e+06."""
    exact = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    if not exact.is_finite():
        return str(number)
    text = f"{exact:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration(seconds: float) -> str:
    """A duration as people write it: 1.5 s, 90 s, 10 min, 2 hours 30 min, 30 days.  At most two units, rounded."""
    if seconds < _IN_SECONDS:
        return f"{count(float(f'{seconds:.3g}'))} s"
    left = round(seconds)
    smallest = _UNITS[min(_largest(left) + 1, len(_UNITS) - 1)][0]
    left = round(left / smallest) * smallest  # 1 hour 59 min 59 s are 2 hours
    first = _largest(left)
    parts = []
    for size, one, many in _UNITS[first : first + 2]:
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number:,} {one if number == 1 else many}")
    return " ".join(parts)


def _largest(seconds: int) -> int:
    return next(i for i, (size, _, _) in enumerate(_UNITS) if seconds >= size)


def plain(text: object, limit: int) -> str:
    """Other people's text on one line, at most `limit` characters, with everything escaped that is not printable."""
    words = " ".join(str(text).split())
    words = words if len(words) <= limit else words[: limit - 1].rstrip() + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)


def quoted(text: str, limit: int) -> str:
    """Text on one line in quotation marks, at most `limit` characters inside, as a repr shows a prompt."""
    words = " ".join(text.split())
    return repr(words if len(words) <= limit else words[: limit - 1].rstrip() + "…")


def short_id(value: str) -> str:
    """The beginning of an id, enough to distinguish a few."""
    return plain(value, 64) if len(value) <= 8 else f"{plain(value[:4], 16)}…"


def short_url(url: str) -> str:
    """An address without what may be secret (user name, query, fragment), at most 80 characters and a mark."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(no url)"
    host = parts.netloc.rpartition("@")[2]
    hidden = "?…" if parts.query or parts.fragment else ""
    return plain(f"{parts.scheme}://{host}{parts.path}" if parts.scheme else parts.path, _LONGEST_URL) + hidden


def lines(title: str, rows: Iterable[tuple[str, object]]) -> str:
    """A heading, and below it what is known, one fact per line; what is None or empty is left out."""
    known = [(name, value) for name, value in rows if value is not None and value != ""]
    wide = max((len(name) for name, _ in known), default=0)
    return "\n".join([title, *(f"  {name:<{wide}}  {_value(value)}" for name, value in known)])


def _value(value: object) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))


def shorten(text: str, limit: int) -> str:
    """The text on one line, at most `limit` characters long."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
