"""From the bytes and headers of one call to a verdict: a hint, ignored, or refused.  Pure: the time is an argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from aiogen._hooks.reading import MAX_BYTES, read_object
from aiogen._hooks.verdicts import Hint, Ignored, Refused, Verdict
from aiogen._hooks.verifying import Verification, lowered, without_body

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
        self._seen: dict[object, tuple[float, str]] = {}
        """When each event was seen, and which generation it is about."""
        self._of: dict[str, set[object]] = {}
        """The events of each generation."""

    def judge(self, body: bytes, headers: Mapping[str, str], now: float) -> Verdict:
        """What this call means; it never raises.

        Args:
            body: as it came.
            headers: by their names in any case.
            now: seconds since the epoch.
        """
        if len(body) > self._max_bytes:
            return without_body(self._verification, lowered(headers), now) or Ignored.TOO_LARGE
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
        event = verified.event_id or (hint.provider_id, hint.event)
        if verified.is_proved and self._is_double(event, hint.provider_id, now):
            return Ignored.DOUBLE
        return attrs.evolve(hint, is_proved=verified.is_proved)

    def _read(self, said: Mapping[str, Any]) -> Hint | None:
        try:
            return self._form.read(said)
        except Exception:  # a provider file that expects what a stranger has not sent
            return None

    def forget(self, provider_id: str) -> None:
        """A hint about this generation was lost here: if the vendor repeats it, it counts as new."""
        for event in self._of.pop(provider_id, ()):
            self._seen.pop(event, None)

    def _is_double(self, event: object, provider_id: str, now: float) -> bool:
        seen = self._seen.get(event)
        if seen is not None and now - seen[0] <= _REMEMBERED:
            return True
        self._drop(event)  # so that it stands at the end
        self._seen[event] = (now, provider_id)
        self._of.setdefault(provider_id, set()).add(event)
        if len(self._seen) > _MOST:
            self._drop(next(iter(self._seen)))
        return False

    def _drop(self, event: object) -> None:
        if event not in self._seen:
            return
        _, provider_id = self._seen.pop(event)
        events = self._of[provider_id]
        events.discard(event)
        if not events:
            del self._of[provider_id]
