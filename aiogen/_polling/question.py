"""What the schedule keeps for each job: when to ask about it next, and what was seen of it.  Pure."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Generic, TypeVar

import attrs

from aiogen._polling.evidence import Sight
from aiogen._polling.groups import Group
from aiogen._polling.observation import Interval, Observation, middle
from aiogen._polling.phases import PhaseModel

K = TypeVar("K", bound=Hashable)

_FIRST_LOOKS = (1.0, 2.5)
"""Ages at which the first jobs of a model of which no end was seen are asked about, whatever is expected of it."""
_TOO_EARLY = 0.3
"""No job of which the beginning is guessed ends within this part of the usual duration."""
_NEARLY = 0.06
"""A question in company of others may come early by this part of the time from it to the one after."""
DEARER = 1.15
"""A moment that was planned at a price lower than the present one by more than this factor comes too early."""
_TELLS_WITHIN, _TELLS_WITHIN_PART = 1.0, 0.1
"""Seconds after an end, or part of the age, within which a vendor announces it whose hints come before our
questions."""
FIXED, STALE = -1, -2
"""Instead of a duration model's version: the moment does not come from a model; it has to be planned again."""


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
        """True if its vendor announced its end before the question that was sent at `sent_at` and found it."""
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
