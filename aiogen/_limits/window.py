"""What one account allows: creates per sliding window, active jobs by weight, requests per minute.  Pure.

Every method is given `now` (seconds on any steady clock); nothing here sleeps.  "When" answers are moments on that
clock; `math.inf` means "not before something else happens", such as the end of one of our own jobs.

A query changes nothing, and may be asked about any moment from the last event on.  What time alone changes, `advance`
does: creates leave the sliding window, and after a while one more active job is tried than fitted the last time.

A create counts in the window from the moment it is sent until one period after its *answer* came: the vendor stamped
it somewhere in between, so a slot is never used again before the vendor has freed it, and no 429 is earned by latency.

After a refusal the account slows down (halved once per cut, however many requests were in flight) and recovers by
one step per success.  `Retry-After` is obeyed to the full.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from aiogen._limits.rate import Rate, request_rate
from aiogen._limits.weights import LearnedWeights
from aiogen._wording import count, duration
from aiogen.errors import Throttle

_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 120.0
# A limit learned from a concurrency refusal is probed again after this long, doubling with each failed probe.
_FIRST_PROBE = 120.0
_LONGEST_PROBE = 3600.0


def _earliest(low: float, high: float) -> float:
    return low


class Window:
    """The window of one account, shared by all of its jobs."""

    def __init__(
        self,
        *,
        creates_per_minute: float,
        max_active: int,
        requests_per_minute: float,
        period: float = 60.0,
        draw: Callable[[float, float], float] = _earliest,
    ) -> None:
        """`draw(low, high)` is the chance used to spread what waits for the same moment; never below `low`."""
        self._limit = creates_per_minute
        self._period = period
        self._creates = Rate(per_minute=creates_per_minute, burst=1.0)
        self._recent: deque[tuple[float, int]] = deque()  # (when it leaves the window, weight), oldest first
        self._recent_weight = 0
        self._unanswered = 0  # weight of creates in flight
        self.max_active = max_active
        self._active = 0
        self._cap = max_active  # learned from refusals, at most max_active
        self._probe_at = math.inf
        self._probe_after = _FIRST_PROBE
        self._refused_for_capacity = False  # until one of our own jobs ends
        self._capacity_retry_at = -math.inf
        self._refused_at = -math.inf
        self._others_fill = False
        self._crowded_until = -math.inf
        self._requests = request_rate(requests_per_minute)
        self._creates_held_until = -math.inf
        self._all_held_until = -math.inf
        self._cut_at = -math.inf
        self._streak = 0  # refusals in a row; those that met the same limit together are one
        self._draw = draw
        self._weights = LearnedWeights()

    # --- requests of any kind

    def request_at(self, now: float) -> float:
        """When the next request of any kind may be sent."""
        return max(self._requests.at(now), self._all_held_until)

    @property
    def requests_per_second(self) -> float:
        """As it is allowed now."""
        return self._requests.current / 60.0

    def request_sent(self, now: float) -> None:
        """A request of any kind is sent now."""
        self._requests.spend(now)

    def request_served(self) -> None:
        """A request was answered with something else than a refusal."""
        self._streak = 0
        self._requests.grow(self._requests.per_minute / 200.0)

    # --- creates

    def advance(self, now: float) -> None:
        """A create waits, and it is `now`: do what time alone does.

        `create_at` says the same about `now` before and after.  It is for moments at which there is something to send:
        whenever the time for that has come one more active job is allowed, and an account that nobody uses shows
        nothing about that.
        """
        while self._recent and self._recent[0][0] <= now:
            self._recent_weight -= self._recent.popleft()[1]
        if not self._awaits_end:
            self._cap, self._probe_at = self._cap_at(now)

    def create_at(self, now: float, weight: int) -> float:
        """When a create of this weight may be sent; `math.inf` until a job ends or an answer comes."""
        if self._awaits_end:
            return math.inf
        cap, probe_at = self._cap_at(now)
        if self.active and self.active + weight > cap:
            return probe_at
        # With nothing of ours running, no end of ours will come: others fill the account, and only time helps.
        free = self._capacity_retry_at if self._refused_for_capacity else now
        return max(
            free, self._crowded_until, self._slot_at(now, weight), self._creates_held_until, self.request_at(now)
        )

    @property
    def _awaits_end(self) -> bool:
        return self._refused_for_capacity and self.active > 0

    def _cap_at(self, now: float) -> tuple[int, float]:
        """How many units fit, as far as is known, and when one more is tried."""
        if now < self._probe_at:
            return self._cap, self._probe_at
        cap = min(self._cap + 1, self.max_active)
        return cap, self._next_probe(cap, now)

    def _next_probe(self, cap: int, now: float) -> float:
        return now + self._probe_after if cap < self.max_active else math.inf

    def _in_window(self, now: float) -> float:
        """Units that the vendor may count in its window: those of the last period, and those in flight."""
        left = 0
        for leaves_at, weight in self._recent:
            if leaves_at > now:
                break
            left += weight
        return self._recent_weight - left + self._unanswered

    def _slot_at(self, now: float, weight: int) -> float:
        # When slowed down, creates also keep their distance; at full rate a burst is what the vendor allows.
        is_slowed = self._creates.current < self._limit
        when = self._creates.at(now) if is_slowed else now
        over = self._recent_weight + self._unanswered + min(weight, self._limit) - self._limit
        if over <= 0:
            return when
        for leaves_at, freed in self._recent:  # oldest first; some may have left already
            over -= freed
            if over <= 0:
                return max(when, leaves_at)
        return math.inf  # all of it is in flight: the answers will show

    def create_sent(self, now: float, weight: int) -> None:
        """A create is sent now."""
        self._refused_for_capacity = False
        self._unanswered += weight
        self._creates.spend(now)
        self.request_sent(now)

    def create_withheld(self, weight: int) -> None:
        """Give back the place of a create that was not sent after all."""
        self._unanswered -= weight
        self._creates.unspend()
        self._requests.unspend()

    def create_accepted(self, now: float, weight: int) -> None:
        """The vendor took a create; it is active until `ended`."""
        self._answered(now, weight)
        self._active += weight
        if self._active > self._cap or self._others_fill:
            self._set_cap(max(self._active, self._cap + self._others_fill), now)
        self._streak = 0
        self._creates.grow(1.0)

    def create_lost(self, now: float, weight: int) -> None:
        """No answer came.  It may be active; a caller that counts it as such calls `ended` later."""
        self._answered(now, weight)
        self._active += weight

    def create_refused(self, now: float, weight: int, *, counted: bool) -> None:
        """Refused.  `counted` unless the vendor surely did not count it in its window of creates."""
        if counted:
            self._answered(now, weight)
        else:
            self._unanswered -= weight

    def _answered(self, now: float, weight: int) -> None:
        self._unanswered -= weight
        self._recent.append((now + self._period, weight))
        self._recent_weight += weight

    # --- active jobs

    def follow(self, weight: int) -> None:
        """A job that was accepted by another process, or before, takes part of the account."""
        self._active += weight

    def ended(self, weight: int) -> None:
        """A job of this weight is over."""
        self._active -= weight
        self._refused_for_capacity = False
        self._crowded_until = -math.inf

    # --- what the vendor reports

    def throttled(
        self, now: float, throttle: Throttle, retry_after: float | None, *, sent_at: float, read: bool = False
    ) -> None:
        """A 429 (or its like) came for a request that was sent at `sent_at`."""
        if throttle is Throttle.CONCURRENCY and not read:
            self._at_capacity(now, retry_after, sent_at)
            return
        if sent_at >= self._cut_at:
            self._streak += 1
        pause = self._pause(retry_after)
        until = now + pause + self._draw(0.0, min(1.0, 0.1 * pause))
        if throttle is Throttle.CREATES and not read:
            self._creates_held_until = max(self._creates_held_until, until)
        else:
            self._all_held_until = max(self._all_held_until, until)
        if sent_at >= self._cut_at:
            # One cut for all that was in flight together: they all met the same limit.
            self._cut_at = now
            self._creates.cut(now)
            if throttle is Throttle.ACCOUNT or read:
                self._requests.cut(now)

    def _pause(self, retry_after: float | None) -> float:
        if retry_after is not None:
            return retry_after
        return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** max(0, min(self._streak - 1, 10)))

    def _at_capacity(self, now: float, retry_after: float | None, sent_at: float) -> None:
        if sent_at >= self._refused_at:
            self._refused_at = now
            self._streak += 1
            failed_probe = self._cap < self.max_active
            self._probe_after = min(_LONGEST_PROBE, self._probe_after * 2.0) if failed_probe else _FIRST_PROBE
        # With nothing of ours running others fill the account, which teaches nothing: begin with one, grow with each.
        self._others_fill = not self.active
        self._set_cap(min(self._cap, self.active), now)
        self._refused_for_capacity = True
        self._capacity_retry_at = now + max(1.0, self._pause(retry_after))

    def _set_cap(self, cap: int, now: float) -> None:
        """This number of units fits, as far as is known; below what is configured, one more is tried after a while."""
        self._cap = max(1, min(cap, self.max_active))
        self._probe_at = self._next_probe(self._cap, now)

    def crowded(self, now: float, pause: float) -> None:
        """Other processes use the account up: no create is sent for a while, or until a job of ours ends."""
        self._crowded_until = now + pause

    def unreachable(self, now: float, pause: float) -> None:
        """The provider cannot be reached: no create is sent for a while."""
        self._creates_held_until = max(self._creates_held_until, now + pause)

    def slowed(self, now: float, retry_after: float | None, *, sent_at: float) -> None:
        """The vendor is overloaded (503): half as fast, and nothing before it says so."""
        if retry_after is not None:
            self._all_held_until = max(self._all_held_until, now + retry_after)
        if sent_at >= self._cut_at:
            self._cut_at = now
            self._requests.cut(now)

    def learn_limit(self, creates_per_minute: int, *, ceiling: float) -> None:
        """The vendor's own figure for creates per window; `ceiling` is what the user allows."""
        limit = min(creates_per_minute, ceiling)
        if limit <= 0 or limit == self._limit:
            return
        # At full speed it stays at full speed; while slowed down it goes on growing to the new limit.
        was_full = self._creates.current >= self._limit
        self._limit = self._creates.per_minute = limit
        self._creates.current = limit if was_full else min(self._creates.current, limit)

    def learn_remaining(self, remaining: int, kind: str, *, alone: bool) -> None:
        """How much of the window an accepted create of this kind left; `alone` if no other was under way meanwhile."""
        self._weights.learn(remaining, kind, limit=self._limit, alone=alone)

    def weight(self, kind: str, documented: int) -> int:
        """Units that a create of this kind takes: as learned, else as the provider file says."""
        return self._weights.of(kind, documented)

    @property
    def held_until(self) -> tuple[float, float]:
        """When creates, and when requests of any kind, may be sent again after a refusal."""
        return self._creates_held_until, self._all_held_until

    @property
    def waits_for_place(self) -> bool:
        """True after a concurrency refusal, until one of our own jobs ends or another create is tried."""
        return self._refused_for_capacity

    def holds_creates(self, now: float) -> bool:
        """True if a refusal forbids what was allowed a moment ago."""
        return self._refused_for_capacity or max(self.held_until) > now

    # --- for forecasts and for people

    @property
    def free_places(self) -> int:
        """Units that could begin now."""
        return self._cap - self.active

    @property
    def places(self) -> int:
        """Units that may run at once, as far as is known."""
        return self._cap

    @property
    def limit(self) -> float:
        """Units that may be created within one period."""
        return self._limit

    def changes_at(self) -> float:
        """When the oldest of the creates that are answered leaves the window; `math.inf` if there is none."""
        return self._recent[0][0] if self._recent else math.inf

    @property
    def creates_per_minute(self) -> float:
        """As it is allowed now."""
        return self._creates.current

    def creates_left(self, now: float, *, without: int = 0) -> float:
        """Units of the window that are not used; `without` those of some creates in flight."""
        return max(0.0, self._limit - self._in_window(now) + without)

    def turn_at(self, now: float, ahead: int) -> float:
        """When a create may be sent that has `ahead` others before it, as far as the sliding window goes."""
        limit = max(1, int(self._limit))
        # Each place in the window is free from some moment on, and again a period after it was taken.
        place, free_now = ahead % limit, limit - self._recent_weight - self._unanswered
        free_at = now if place < free_now else max(now, self._leaves_at(place - free_now, now))
        return free_at + ahead // limit * self._period

    def _leaves_at(self, behind: int, now: float) -> float:
        """When the unit leaves the window that has so many of those in it before it; the oldest go first."""
        for leaves_at, weight in self._recent:
            if behind < weight:
                return leaves_at
            behind -= weight
        return now + self._period

    @property
    def active(self) -> int:
        """Units that run now, creates in flight included."""
        return self._active + self._unanswered

    def summary(self, now: float) -> str:
        """The window in a few words."""
        f = self.figures(now)
        held = f", paused for {duration(f['held_seconds'])}" if f["held_seconds"] else ""
        return (
            f"{count(f['active'])}/{count(f['max_active'])} active, "
            f"{count(f['creates_used'])}/{count(f['creates_per_minute'])} creates, "
            f"{count(f['requests_per_minute'])} requests/min{held}"
        )

    def figures(self, now: float) -> dict[str, float]:
        """The window as plain numbers."""
        return {
            "creates_used": self._in_window(now),
            "creates_per_minute": self._limit,
            "active": self.active,
            "max_active": self._cap,
            "requests_per_minute": round(self._requests.current, 1),
            "held_seconds": round(max(0.0, max(self._creates_held_until, self._all_held_until) - now), 1),
        }
