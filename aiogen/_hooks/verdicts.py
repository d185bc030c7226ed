"""What can be made of one call of a vendor's: a hint, nothing, or a refusal.  Pure."""

from __future__ import annotations

from enum import StrEnum

import attrs


@attrs.frozen
class Hint:
    """There may be news of one generation.  Nothing else in a call is believed, and nothing else of it is kept."""

    provider_id: str
    """The vendor's id of it."""
    event: str = ""
    """What the vendor says has happened, in its own words, at most 100 letters; only to know a double by."""
    is_proved: bool = False
    """Its secret or signature was checked, and is right; this is set by what verifies the call, not by what reads
    it."""


class Ignored(StrEnum):
    """Why a call has no effect, though it may be genuine: it is answered like one that has."""

    TOO_LARGE = "too large"
    """Larger than what is read; whether it is genuine is not known."""
    UNREADABLE = "unreadable"
    """No JSON object in UTF-8, nested too deeply, or of too many parts."""
    OTHER = "about something else"
    """It names no generation, or a kind of event that is not known."""
    DOUBLE = "double"
    """The same event came before: sent twice, or replayed."""
    BUSY = "busy"
    """Too many hints wait already: it is left to the next question, which comes without a hint as well."""
    CLOSED = "closed"
    """The session is closed, or about to be, or has no such connection any more."""


class Refused(StrEnum):
    """Why a call is not believed to be the vendor's."""

    NO_SUCH_CONNECTION = "no such connection"
    """No secret was given for a connection of this name."""
    MISSING = "missing"
    """It has no secret or signature."""
    FORGED = "forged"
    """Its secret or signature is wrong."""
    STALE = "stale"
    """Rightly signed, but too long ago: replayed, or the clocks differ."""
    FUTURE = "future"
    """Rightly signed, for a time to come: the clocks differ."""


Verdict = Hint | Ignored | Refused
