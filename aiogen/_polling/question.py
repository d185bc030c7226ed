"""What the schedule keeps for each job, and for the jobs of one model together.  Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

import attrs

from aiogen._polling.announcements import Announcements
from aiogen._polling.durations import DurationModel
from aiogen._polling.evidence import Sight
from aiogen._polling.observation import Interval, Observation, middle
from aiogen._polling.phases import PhaseModel
from aiogen._polling.timers import TimerQueue

K = TypeVar("K", bound=Hashable)

MANY = 10
"""With this number of jobs of a model that is not known some are asked about early, for the others to learn from."""
_HUNDREDS = 100
"""From this number on they are looked at also later, whenever a while goes by without any question."""
KNOWN = 6
"""A model is known when this number of its jobs have ended."""
_PROBES = 2
"""Of a model that is not known this number of jobs are asked about at once: the others learn from the answers."""
_FIRST_PROBE = 0.5
"""The age of the first early look."""
_PROBE_STEP = 3.5
"""From one early look to the next: so many times the root of price and age (Keller's rule for a hazard that falls with
the age), for one job."""
_PROBE_POWER = 0.6
"""And for n jobs it is divided by n to this power: between the root, for durations that are all alike, and none."""
_BURST = 0.4
"""With the first ends so many times the root of n are looked at without a pause: are they the first, or many?"""
_PROBE_WAIT = 1.0
"""But the others wait no longer than this for it (seconds)."""
_FIRST_LOOKS = (1.0, 2.5)
"""Ages at which the first jobs of a model of which no end was seen are asked about, whatever is expected of it."""
_EARLIER = 0.05
"""If questions come earlier than before by this part of the age, all jobs are worth planning again."""
_PREVIEW = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""Ages at which two plans are compared."""
_TOO_EARLY = 0.3
"""No job of which the beginning is guessed ends within this part of the usual duration."""
_NEARLY = 0.06
"""A question in company of others may come early by this part of the time from it to the one after."""
DEARER = 1.15
"""A moment that was planned at a price lower than the present one by more than this factor comes too early."""
_TELLS_WITHIN, _TELLS_WITHIN_PART = 1.0, 0.1
"""Seconds after an end, or part of the age, within which a vendor tells of it whose hints come before our questions."""
FIXED, STALE = -1, -2
"""Instead of a duration model's version: the moment does not come from a model; it has to be planned again."""


@attrs.define(eq=False)
class Group(Generic[K]):
    """The jobs that are planned by one duration model."""

    durations: DurationModel
    learns: bool
    """Their ends teach; there is another group for those whose ends do not."""
    timers: TimerQueue[K] = attrs.field(factory=TimerQueue)
    """Of those that are not being asked about."""
    asking: int = 0
    """The number of questions under way."""
    size: int = 0
    """The number of its jobs."""
    cold: deque[K] = attrs.field(factory=deque)
    """Of a model that is not known: the jobs that may be asked about early, one after the other."""
    probing: K | None = None
    """The one whose next question is an early look."""
    probed_to: float = 0.0
    """The highest age of an early look, or of any other question."""
    burst: int = 0
    """The number of early looks that still follow at once, for an end was seen."""
    probes: int = _PROBES
    """The number of its jobs that may still be marked as probes."""
    version: int = 0
    """Of the duration model when the preview was made."""
    price: float = 0.15
    """Of the latest of its jobs."""
    to_replan: list[K] = attrs.field(factory=list)
    """Those that are still to be planned again, as the model has turned out to be quicker."""
    announcements: Announcements[K] = attrs.field(factory=Announcements)
    """Which ends of its model hints have announced; one for all groups of a model."""
    falls: int = 0
    """Of these, as it was when its jobs were all planned again."""
    preview: tuple[float, ...] = ()
    """The next age after each of some ages, to see later whether the plan has changed; empty before the first plan."""

    def next_probe(self) -> float:
        """The age of the next early look: the more jobs learn from it, the closer they follow each other."""
        if self.burst:
            return self.probed_to
        step = _PROBE_STEP * math.sqrt(self.price * self.probed_to) / math.pow(max(1, self.many), _PROBE_POWER)
        return max(_FIRST_PROBE, self.probed_to + step)

    def has_ended(self) -> None:
        """One of its jobs: what has become of the others?"""
        if not self.is_known and not self.burst and self.many >= MANY:
            self.burst = round(_BURST * math.sqrt(self.many))

    @property
    def is_cheaper(self) -> bool:
        """True if its questions have become noticeably cheaper: what was planned before comes too late."""
        return self.falls != self.announcements.falls

    @property
    def wants_probes(self) -> bool:
        """True if early looks are worth what they cost."""
        return self.many >= (_HUNDREDS if self.is_known else MANY)

    @property
    def many(self) -> int:
        """The number of jobs that learn from an early look."""
        return min(self.size, len(self.cold) + (self.probing is not None))

    @property
    def is_known(self) -> bool:
        """True if enough ends were seen to rely on the duration model."""
        return self.durations.seen >= KNOWN

    def wake_at(self) -> float | None:
        """When to look for its next question, or None if there is none."""
        when = self.timers.wake_at()
        if when is None or self.asking < max(_PROBES, self.size // 25) or not self.learns or self.is_known:
            return when
        return when + _PROBE_WAIT

    def renew_preview(self, price: float) -> bool:
        """Make the preview again; True if questions come noticeably earlier than by the one before."""
        plan = self.durations.plan(price)
        before, self.preview = self.preview, tuple(plan.next_age(age) for age in _PREVIEW)
        self.version = self.durations.version
        return any(new < (1.0 - _EARLIER) * old for old, new in zip(before, self.preview, strict=False))


@attrs.define(eq=False)
class Question(Generic[K]):
    """The one stream of questions about one job."""

    group: Group[K]
    phases: PhaseModel
    started_at: float
    """When the time began by which its group's duration model counts."""
    accepted_at: float
    learned_from: float
    """When its whole duration began: accepted, or begun behind others."""
    asked_at: float
    """The last moment at which it is known to have run."""
    floor: float
    ceiling: float
    price: float
    held: bool
    """Behind others at the vendor: it does not run yet."""
    share: float = 1.0
    """Its part of a question that answers for several jobs."""
    due: float = 0.0
    ready_at: float = 0.0
    """When it could be asked: due, and known to be."""
    not_before: float = -math.inf
    """The vendor, or the last failure, asks to wait until then."""
    version: int = FIXED
    """Of the duration model that it was planned with."""
    probe: bool = False
    """To be looked at early: no job of its model was seen to end."""
    planned_at: float = 0.0
    """The price at which its moment was planned."""
    asking: bool = False
    """A question about it is under way."""
    urgent: bool = False
    """The question under way is about this job and no other."""
    hinted_at: float = -math.inf
    """When somebody heard last that there is news, if no question sent since then was answered."""
    told_at: float = -math.inf
    """When its vendor said last, and proved it, that there is news, if no answer to a later question says it runs."""
    woken_at: float = -math.inf
    """When the last question was sent whose answer a hint has waited for."""
    untrue: int = 0
    """The number of times that its vendor said so, and it ran all the same."""
    processed: Interval | None = None
    """When its processing began."""
    begun: bool = False
    """It was held, and its beginning is a guess."""
    queued_sight: Sight | None = None
    """By which the duration models know it, if it teaches."""
    processing_sight: Sight | None = None

    # --- when to ask

    def ask(self) -> None:
        """A question is sent that answers for it."""
        self.asking = True
        self.group.asking += 1

    def done(self) -> None:
        """No question about it is under way, or that one no longer counts."""
        self.group.asking -= self.asking
        self.asking = self.urgent = False

    def is_announced(self, sent_at: float) -> bool:
        """True if its vendor told of its end before the question that was sent at `sent_at` and found it."""
        return -math.inf < self.told_at <= sent_at

    def heeded(self, sent_at: float) -> None:
        """It runs, as a question has found that was sent at this moment: hints before that have been looked into."""
        if -math.inf < self.hinted_at <= sent_at:
            self.woken_at, self.hinted_at = sent_at, -math.inf
        if -math.inf < self.told_at <= sent_at:
            self.woken_at, self.told_at = sent_at, -math.inf
            self.untrue += 1

    def is_current(self, price: float) -> bool:
        """True if its moment is not earlier than what would be planned now, at this price."""
        if self.version == FIXED:
            return True
        return self.version == self.group.durations.version and price <= DEARER * self.planned_at

    def is_nearly_due(self, now: float, price: float) -> bool:
        """True if its moment was planned, at about this price, and comes so soon that it might as well be now."""
        if self.version == FIXED or now < max(self.asked_at + self.floor, self.not_before):
            return False
        return self.is_current(price) and self.due - now <= _NEARLY * self.pace(price)

    def planned(self, price: float) -> float:
        """The moment of the next question, at this price in seconds of waiting."""
        asked = self.asked_at
        if self.held:
            return max(asked + self.ceiling, self.not_before)
        self.planned_at = price
        age = self.group.durations.plan(price).next_age(max(0.0, asked - self.started_at))
        due = min(max(self.started_at + age, asked + self.floor), asked + self.ceiling)
        return max(due, self.not_before)

    def early_look(self) -> float | None:
        """The moment of the next early look at a probe; None after the last, and once an end of its model was seen."""
        if self.group.durations.seen:
            return None
        look = next((age for age in _FIRST_LOOKS if self.started_at + age > self.asked_at), None)
        return None if look is None else self.started_at + look

    def pace(self, price: float) -> float:
        """Seconds that are planned from its next question to the one after; at least 0.1."""
        age = max(0.0, self.due - self.started_at)
        return max(0.1, self.floor, self.group.durations.plan(price).next_age(age) - age)

    # --- what is known of it

    def begin(self, started_at: float) -> None:
        """It runs, not behind others, since `started_at`."""
        self.held = False
        self.started_at = self.learned_from = started_at
        self.sees()

    def runs(self, at: float) -> None:
        """It ran at this moment, which may teach something; moments only grow."""
        self.asked_at = at
        if self.queued_sight is not None:
            self.phases.queued.runs(self.queued_sight, at - self.learned_from)
        if self.processing_sight is not None and self.processed is not None:
            self.phases.processing.runs(self.processing_sight, at - middle(self.processed))

    def ended_about(self, told_at: float) -> None:
        """It is over, and its vendor said so at `told_at`: it ran until some time before.

        Else little would be learned where hints come instead of questions: only that it has ended somewhere between its
        beginning and now, which any duration explains.
        """
        ran_at = told_at - max(_TELLS_WITHIN, _TELLS_WITHIN_PART * (told_at - self.started_at))
        if ran_at > self.asked_at and not self.held:
            self.runs(ran_at)

    def sees(self) -> None:
        """It runs from now on, and teaches how long that takes."""
        if self.group.learns and not self.held and self.queued_sight is None:
            self.queued_sight = self.phases.queued.begin()

    def is_processed(self, interval: Interval) -> None:
        """Its processing began within this interval."""
        self.processed = interval
        self.processing_sight = self.phases.processing.begin()

    def observation(self) -> Observation | None:
        """What its end teaches; None if that is nothing."""
        if self.held or not self.group.learns:
            return None
        durations = self.group.durations
        return Observation(
            phases=self.phases,
            began_at=self.learned_from,
            asked_at=self.asked_at,
            processed=self.processed,
            queued=self.queued_sight,
            processing=self.processing_sight,
            durations=durations,
            price=self.price * self.share,
            earliest_end=self.started_at + _TOO_EARLY * durations.quantile(0.5) if self.begun else -math.inf,
        )

    # --- what may be expected of it

    def gain(self, now: float) -> float:
        """The probability that it has ended since it was last asked about."""
        if self.held:
            return 0.0
        left = self.group.durations.left
        before = left(max(0.0, self.asked_at - self.started_at))
        return 1.0 - left(max(0.0, now - self.started_at)) / before if before > 0.0 else 1.0

    def hazard(self, now: float) -> float:
        """How likely it is to end within the next second, if it still runs; a rate, at least 0."""
        if self.held:
            return 0.0
        age = max(0.0, now - self.started_at)
        step = max(0.5, 0.05 * age)
        left = self.group.durations.left
        return math.log(max(1e-9, left(age)) / max(1e-9, left(age + step))) / step

    def remaining(self, now: float, shares: tuple[float, ...]) -> tuple[float, ...] | None:
        """Seconds until that share of such jobs has ended, for each of `shares`; None if it has not begun."""
        if self.held:
            return None
        age = max(0.0, now - self.started_at)
        durations = self.group.durations
        left = durations.left(age)
        return tuple(max(0.0, durations.quantile(left * (1.0 - share)) - age) for share in shares)
