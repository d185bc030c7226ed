"""What several processes learn of one model, put together: what stands in the store, and what is new here.  Pure.

What is known is sums of weights of ends, so what others have learned since is a difference, and what was learned here
is added to what stands there.  Nothing is counted twice: what was read or written before is taken out first, with as
much less weight as it has by now.  What stands in the store fades for every job, wherever it began.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

import attrs

from aiogen._polling.evidence import ADDED_AT_ONCE, Counts, place_of, reading, rows_of

_LONGEST = 50.0
"""What has faded by so much (the logarithm) counts for nothing."""
_TRACE = 1e-4
"""A difference that is less is one of rounding."""
_RESCALED = 5.0
"""Ends that are not in the store yet are brought to the weights of now when so much has faded (the logarithm)."""


@attrs.frozen(eq=False)
class Stored:
    """The durations of one model as they stand in the store."""

    counts: Counts = attrs.field(factory=Counts)
    seen: int = 0
    """The number of ends in all."""
    faded: float = 0.0
    """How much has faded in all (the logarithm), by whomever: what stood there before has so much less weight now."""
    changes: int = 0
    """How often what stood there was forgotten, because the model had changed."""


@attrs.frozen(eq=False)
class News:
    """What others have learned."""

    counts: Counts
    seen: int
    fading: float
    """How much what stood there before counts less, for the jobs that began in other processes since (the
    logarithm)."""
    is_all: bool = False
    """They have forgotten what stood there before, so that it is all they know, and some of that may be from here."""


class Share:
    """Of one model: what stood in the store when that was last read or written, and what is not there yet."""

    def __init__(self) -> None:
        self._stood = Stored()
        self._kept = self._stood.counts
        """What stood there, without what was forgotten here since."""
        self._has_forgotten = False
        self.unwritten = 0
        """The ends seen here that are not in the store yet."""
        self.seen_here = 0
        """The ends seen here at all."""
        self._fresh, self._fresh_at = Counts(), 0.0
        """Their weights as of when this much had faded here."""
        self._written_at = 0.0
        """How much had faded here when the store was last written."""
        self._sent: tuple[Stored, Counts, float, float, int] | None = None
        """What is being written: all of it; and of that what is new, as of when, at which fading, how many ends."""

    def ended(self, since: float, until: float, began_at: float) -> None:
        """An end between two ages, of a job that began when this much had faded here."""
        if began_at - self._fresh_at > _RESCALED:
            self._fresh.scale(math.exp(self._fresh_at - began_at))
            self._fresh_at = began_at
        self._fresh.end(place_of(since), place_of(until), math.exp(began_at - self._fresh_at))
        self.unwritten += 1
        self.seen_here += 1

    def forget(self, remembered: Counts, faded: float) -> None:
        """The model has changed: of all that was known only this is remembered, with the weights of now."""
        self._fresh, self._fresh_at = Counts(), faded
        self._fresh.add(remembered)
        self._kept, self._has_forgotten = Counts(), True

    def begin(self, stored: Stored) -> None:
        """Begin with what was read from the store, before anything was seen here."""
        self._stood, self._kept = stored, stored.counts

    def begin_again(self, remembered: Counts, seen: int, faded: float) -> None:
        """What stood in the store is lost, or nobody can read it: all that is known here is news to it."""
        self.forget(remembered, faded)
        self._stood, self._has_forgotten = Stored(), False
        self.unwritten, self._sent = seen, None

    # --- from the store

    def merging(self, stored: Stored) -> Generator[None, None, News]:
        """Others have written meanwhile: what is news in it, in steps.  It is taken for read from the last step on."""
        before, fading = self._stood, stored.faded - self._stood.faded
        goes_on = fading >= 0.0 and stored.seen >= before.seen
        fading = min(max(fading, 0.0), _LONGEST)
        if goes_on and stored.changes == before.changes:
            news = yield from _difference(stored.counts, before.counts, math.exp(-fading))
            is_in = True
        else:  # they have forgotten what was known before
            news, is_in = stored.counts, False
            fading = _LONGEST if goes_on else 0.0
        if is_in and self._has_forgotten:
            kept = Counts()
            kept.add(self._kept, math.exp(-fading))
            kept.add(news)
            self._kept = kept
        else:
            self._kept = stored.counts
        self._stood = stored
        return News(news, stored.seen - (before.seen if goes_on else 0), fading, is_all=not is_in)

    def without(self, known: Counts, news: Counts, faded: float) -> Counts:
        """What is news in it to one who knows this of jobs that began here; both with the weights of now."""
        left = math.exp(self._fresh_at - faded)
        found = Counts()
        for pair, weight in news.ended.items():
            written = known.ended.get(pair, 0.0) - left * self._fresh.ended.get(pair, 0.0)
            if (more := weight - max(0.0, written)) > _TRACE:
                found.ended[pair] = more
        return found

    # --- to the store

    def storing(self, faded: float) -> Generator[None, None, dict[str, Any]]:
        """What is to stand in the store, in steps; then comes `stored`.  `faded`: how much has, here, by now."""
        fading = max(0.0, faded - self._written_at)
        counts, fresh, fresh_at, seen, kept = Counts(), self._fresh, self._fresh_at, self.unwritten, self._kept
        written = Stored(
            counts,
            self._stood.seen + seen,
            round(self._stood.faded + fading, 9),
            self._stood.changes + self._has_forgotten,
        )
        self._sent = written, fresh, fresh_at, faded, seen
        self._fresh, self._fresh_at, self.unwritten, self._has_forgotten = Counts(), faded, 0, False
        counts.add(kept, math.exp(-fading))
        yield
        counts.add(fresh, math.exp(fresh_at - faded))
        yield
        counts.scale(1.0)  # without traces
        yield
        rows = yield from rows_of(counts)
        return {"evidence": {"ended": rows}, "seen": written.seen, "faded": written.faded, "changes": written.changes}

    def stored(self, is_written: bool) -> None:
        """Whether it stands in the store now; if not, what is new in it is so still."""
        if self._sent is None:
            return
        (stored, fresh, fresh_at, faded, seen), self._sent = self._sent, None
        if is_written:
            self._stood, self._written_at = stored, faded
            if not self._has_forgotten:
                self._kept = stored.counts
            return
        self.unwritten += seen
        if self._has_forgotten:  # since: then all that is remembered is new
            return
        self._has_forgotten = stored.changes > self._stood.changes
        self._fresh.add(fresh, math.exp(fresh_at - self._fresh_at))


def stored_in(data: Any) -> Generator[None, None, Stored | None]:
    """What stands in the store, in steps; None if it cannot be read."""
    if not isinstance(data, dict) or not isinstance(data.get("seen"), int):
        return None
    counts = yield from reading(data.get("evidence"))
    if counts is None:
        return None
    faded, changes = data.get("faded"), data.get("changes")
    return Stored(
        counts,
        max(0, data["seen"]),
        float(faded) if isinstance(faded, int | float) and 0.0 <= faded < 1e300 else 0.0,
        changes if isinstance(changes, int) else 0,
    )


def _difference(after: Counts, before: Counts, factor: float) -> Generator[None, None, Counts]:
    found = Counts()
    for i, (pair, weight) in enumerate(after.ended.items(), 1):
        more = weight - factor * before.ended.get(pair, 0.0)
        if more > _TRACE:
            found.ended[pair] = more
        if i % ADDED_AT_ONCE == 0:
            yield
    return found
