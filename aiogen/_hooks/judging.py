"""From the bytes and headers of one call to a verdict: a hint, ignored, or refused.  Pure: the time is an argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from aiogen._hooks.reading import MAX_BYTES, read_object
from aiogen._hooks.verdicts import Hint, Ignored, Refused, Verdict
from aiogen._hooks.verifying import Verification, lowered

_REMEMBERED = 600.0
"""Seconds for which an event is known again: twice the time for which a signature is good, so no replay is left."""
_MOST = 10_000
"""Events that are remembered."""


@attrs.frozen(kw_only=True)
class WebhookFormat:
    """How one vendor's calls are checked and read: what its provider file says of them."""

    verification: Callable[[str], Verification]
    """From the secret that the user has set, or was shown."""
    read: Callable[[Mapping[str, Any]], Hint | None]
    """The hint in a call's JSON; None if it names no generation.  Whatever the JSON holds, this does not raise."""
    secrets: frozenset[str] = frozenset()
    """Members of the JSON that hold secrets: dropped before anything else is done with it."""


class Judge:
    """One connection's calls, one after the other; what it remembers is only to know doubles by."""

    def __init__(self, form: WebhookFormat, verification: Verification, *, max_bytes: int = MAX_BYTES) -> None:
        self._form = form
        self._verification = verification
        self._max_bytes = max_bytes
        self._seen: dict[object, float] = {}

    def judge(self, body: bytes, headers: Mapping[str, str], now: float) -> Verdict:
        """What this call means; it never raises.

        Args:
            body: as it came.
            headers: by their names in any case.
            now: seconds since the epoch.
        """
        if len(body) > self._max_bytes:
            return Ignored.TOO_LARGE
        verified = self._verification.verify(body, lowered(headers), now)
        if isinstance(verified, Refused):
            return verified
        said = read_object(body, secrets=self._form.secrets)
        if said is None:
            return Ignored.UNREADABLE
        hint = self._read(said)
        if hint is None or not hint.provider_id.isprintable():  # half a character, say, which no ledger can write
            return Ignored.OTHER
        # What nobody has proved must not take the place of the genuine one that comes after it.
        if verified.is_proved and self._is_double(verified.event_id or (hint.provider_id, hint.event), now):
            return Ignored.DOUBLE
        return attrs.evolve(hint, is_proved=verified.is_proved)

    def _read(self, said: Mapping[str, Any]) -> Hint | None:
        try:
            return self._form.read(said)
        except Exception:  # a provider file that expects what a stranger has not sent
            return None

    def _is_double(self, event: object, now: float) -> bool:
        seen_at = self._seen.get(event)
        if seen_at is not None and now - seen_at <= _REMEMBERED:
            return True
        self._seen.pop(event, None)  # so that it stands at the end
        self._seen[event] = now
        if len(self._seen) > _MOST:
            del self._seen[next(iter(self._seen))]
        return False
