"""When to ask about which job.  Pure: told the time, never asks for it.

Every model has an agenda with the next moment of each of its jobs; an event costs O(log n), and nothing looks at all
jobs at each tick.  A job that is being asked about is on no agenda, so it has one stream of questions whoever waits.

A moment is planned with what was believed then.  If the belief has changed meanwhile, the job is planned anew when its
moment comes, and asked only if that is still now.  Only when a model turns out to be quicker than planned are all of
its jobs planned anew at once.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Generic, TypeVar

import attrs

from aiogen._polling.durations import DurationModel
from aiogen._polling.phases import PhaseModel
from aiogen._polling.timers import TimerQueue

K = TypeVar("K", bound=Hashable)

_PROBED = 6
"""So many ends make a model known."""
_PROBES = 2
"""Of a model that is not known so many jobs are asked about at once: the others learn from the answer."""
_FIRST_LOOKS = (1.0, 2.5)
"""Ages at which the first jobs of a model that nobody has seen end are asked about, whatever is believed of it."""
_PROBE_WAIT = 1.0
"""But they wait no longer than this for it (seconds)."""
_EARLIER = 0.05
"""A plan that leads so much of the age earlier than before is worth planning all jobs anew."""
_PREVIEW = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""Ages at which two plans are compared."""
_TOO_EARLY = 0.3
"""No job of which the beginning is guessed ends within this part of the usual duration."""
_FIXED, _STALE = -1, -2
"""Instead of a belief's version: the moment does not come from a belief; it has to be planned anew."""
_BACKPRESSURE_MAX = 100.0
_BUSY = 0.05
"""So late (seconds) a question may be because the program was busy for a moment: that is no shortage."""
_GAIN = 0.5
"""How fast the common price follows, in the time that is planned from this question to the next about the same job."""
_LATE = 0.1
"""Questions that come so late, as a part of that time, are too many."""
_RELAX = 0.25
"""As if so early, where they do not."""


@attrs.define(eq=False)
class _Group(Generic[K]):
    """The jobs of one belief."""

    durations: DurationModel
    learns: bool
    timers: TimerQueue[K] = attrs.field(factory=TimerQueue)
    asking: int = 0
    probes: int = _PROBES
    """So many more of its jobs may be looked at early."""
    version: int = 0
    preview: tuple[float, ...] = ()

    def wake_at(self) -> float | None:
        when = self.timers.wake_at()
        is_new = self.learns and self.durations.seen < _PROBED
        return when + _PROBE_WAIT if when is not None and is_new and self.asking >= _PROBES else when


@attrs.define(eq=False)
class _Question(Generic[K]):
    group: _Group[K]
    phases: PhaseModel
    started_at: float
    """When the clock began that its belief counts by."""
    accepted_at: float
    learned_from: float
    """When the clock began that its whole duration counts by: accepted, or begun behind others."""
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
    """Somebody said to wait so long."""
    version: int = _FIXED
    """Of the belief it was planned with."""
    probe: bool = False
    """To be looked at early: nobody has seen one of its model end."""
    asking: bool = False
    urgent: bool = False
    """The question under way is about this job and no other."""
    turned: tuple[float, float] | None = None
    """When it began: after the first, before the second."""
    begun: bool = False
    """It was held, and its beginning is a guess."""

    def is_too_early(self, now: float) -> bool:
        """True if it ended so soon that it must have begun before it was thought to."""
        return self.begun and now - self.started_at < _TOO_EARLY * self.group.durations.quantile(0.5)


Observation = _Question
"""What a job's end teaches."""


class Schedule(Generic[K]):
    """The questions of one account."""

    def __init__(self) -> None:
        self.lag_weight = 1.0
        """How many jobs a second of lag delays: 1 for the job itself, more when others wait for its place."""
        self.backpressure = 1.0
        """How much further apart than planned the budget puts two questions; the price goes with its square."""
        self._questions: dict[K, _Question[K]] = {}
        self._groups: dict[tuple[int, bool], _Group[K]] = {}
        self._urgent: TimerQueue[K] = TimerQueue()
        self._taken_at = -math.inf

    def __len__(self) -> int:
        return len(self._questions)

    def __contains__(self, key: K) -> bool:
        return key in self._questions

    # --- which jobs

    def track(
        self,
        key: K,
        now: float,
        *,
        phases: PhaseModel,
        started_at: float,
        floor: float,
        ceiling: float,
        price: float,
        learns: bool = True,
        held: bool = False,
        share: float = 1.0,
    ) -> None:
        """Begin to ask about a job that was accepted at `started_at`.

        Args:
            key: whatever names the job.
            now: seconds on any steady clock, as everywhere here.
            phases: what is believed of its model.
            started_at: when it was accepted.
            floor: fewest seconds between two questions about it.
            ceiling: most seconds between two questions about it.
            price: seconds of waiting that one request is worth.
            learns: whether its end teaches; not if nobody knows how far it was at the beginning.
            held: it waits behind others at the vendor, until `begins`.
            share: its part of the price, if one question answers for several jobs.
        """
        group = self._group(phases.queued, learns)
        question = self._questions[key] = _Question(
            group, phases, started_at, started_at, started_at, started_at, floor, ceiling, price, held, share
        )
        if learns and not held and not group.durations.seen and group.probes:
            group.probes -= 1
            question.probe = True
        self._plan(key, question, now)

    def drop(self, key: K) -> Observation[K] | None:
        """Never ask about it again.  If it has ended, `learn` takes what is returned."""
        question = self._questions.pop(key, None)
        if question is None:
            return None
        self._urgent.drop(key)
        question.group.timers.drop(key)
        self._done(question)
        return question if question.group.learns and not question.held else None

    def slow_down(self, key: K, floor: float) -> None:
        """Nobody waits for it any more: from the next question on, keep at least `floor` seconds between two."""
        question = self._questions.get(key)
        if question is not None:
            question.floor = max(question.floor, floor)
            question.ceiling = max(question.ceiling, floor)

    def lower_price(self, key: K, floor: float, ceiling: float, price: float, now: float) -> None:
        """Somebody waits for it again: to these bounds, beginning with a question now."""
        question = self._questions.get(key)
        if question is not None:
            question.floor, question.ceiling, question.price = floor, ceiling, price
            question.version = _STALE
            self.ask_now(key, now)

    # --- which question

    def wake_at(self) -> float | None:
        """The moment at which to look for the next question, or None if there is none."""
        moments = [self._urgent.wake_at(), *(group.wake_at() for group in self._groups.values())]
        return min((moment for moment in moments if moment is not None), default=None)

    def take(self, now: float) -> K | None:
        """The job to ask about now, or None if none is due.

        It is due again only after `answered`, `failed` or `put_back`.
        """
        while True:
            key = self._urgent.pop(now)
            if key is not None:
                self._ask(self._questions[key])
                self._questions[key].urgent = True
                return key
            group = self._first(now)
            key = group.timers.pop(now) if group is not None else None
            if key is None:
                return None
            question = self._questions[key]
            if question.version not in (_FIXED, question.group.durations.version):
                ready_at = question.ready_at
                self._plan(key, question, now)
                if question.due > now:
                    continue
                question.group.timers.drop(key)
                question.ready_at = ready_at
            if question.group.durations.seen >= _PROBED:
                self._set_backpressure(question, now)
            self._ask(question)
            return key

    def take_also(self, key: K) -> bool:
        """The same question answers for this job; False if it is being asked about already."""
        question = self._questions.get(key)
        if question is None or question.asking:
            return False
        self._urgent.drop(key)
        question.group.timers.drop(key)
        self._ask(question)
        return True

    def ask_now(self, key: K, now: float) -> None:
        """Somebody knows more (a webhook, a user): ask at once, unless it is being asked already."""
        question = self._questions.get(key)
        if question is not None and not question.asking:
            question.group.timers.drop(key)
            self._urgent.put(key, now)

    # --- what came of it

    def answered(self, key: K, now: float, *, sent_at: float | None = None, share: float = 1.0) -> None:
        """The question that was sent at `sent_at` says that it runs."""
        question = self._questions.get(key)
        if question is not None:
            self._done(question)
            # A vendor that takes long to answer is not asked again at once.
            took = 0.0 if sent_at is None else now - sent_at
            self._runs(key, question, now, sent_at, share, now + min(question.floor, took))

    def known_to_run(self, key: K, now: float, *, sent_at: float | None = None, share: float = 1.0) -> None:
        """It ran at `sent_at`, whoever asked.  If our own question is under way, it goes on."""
        question = self._questions.get(key)
        if question is not None:
            self._runs(key, question, now, sent_at, share, now)

    def put_back(self, key: K, now: float) -> None:
        """The question did not tell about it after all: its moment is what it was."""
        question = self._questions.get(key)
        if question is not None and question.asking:
            self._done(question)
            if question.version == _STALE:
                self._plan(key, question, now)
            else:
                self._put(key, question, now)

    def failed(self, key: K, now: float, delay: float) -> None:
        """The question could not be answered: ask again after `delay` seconds, but not sooner than `floor`."""
        question = self._questions.get(key)
        if question is not None:
            self._done(question)
            self._urgent.drop(key)
            question.due = question.not_before = now + max(delay, question.floor)
            question.version = _FIXED
            self._put(key, question, now)

    def postpone(self, key: K, now: float, delay: float) -> None:
        """The same by somebody else's reading: a question of our own that is under way goes on."""
        if key in self._questions and self.is_free(key):
            self.failed(key, now, delay)

    def turned(self, key: K, sent_at: float) -> None:
        """It was asked about at `sent_at`, and has begun to be processed since the question before."""
        question = self._questions.get(key)
        if question is None:
            return
        interval = (question.asked_at, max(question.asked_at, sent_at))
        if question.held:  # whatever was thought of the line, the vendor runs it
            question.held = False
            question.started_at = question.learned_from = _middle(interval)
        if question.turned is not None or not question.group.learns:
            return
        if question.phases.is_vague(interval[1] - interval[0]):
            return
        question.turned = interval
        if question.phases.by_beginning:
            asking = question.asking
            self._done(question)
            question.group.timers.drop(key)
            question.group = self._group(question.phases.processing, learns=True)
            question.started_at = _middle(interval)
            if asking:
                self._ask(question)

    def begins(self, key: K, now: float, at: float) -> None:
        """It was behind others, and runs since about `at`."""
        question = self._questions.get(key)
        if question is None or not question.held:
            return
        question.held, question.begun = False, True
        question.started_at = question.learned_from = at
        question.asked_at = max(at, question.asked_at)
        question.version = _STALE
        if not question.asking:
            self._plan(key, question, now)

    def learn(self, question: Observation[K], now: float) -> None:
        """A job that was dropped has ended, somewhere between the last answer and `now`."""
        since, begun = question.asked_at, question.learned_from
        phases = question.phases
        whole = (since - begun, max(since, now) - begun)
        if question.turned is not None:
            start = _middle(question.turned)
            part = (max(0.0, since - start), max(since, now) - start)
            known = max(0.0, question.turned[1] - start)
            phases.compare((question.turned[1] - begun, *whole), (known, *part))
            phases.processing.ended(*part)
        phases.queued.ended(*whole)
        self._refresh(question, now)

    def ran_all_along(self, now: float) -> None:
        """The vendor runs more at once than was thought: what was believed to begin late began when it was accepted."""
        for key, question in self._questions.items():
            if question.begun:
                question.begun = False
                question.started_at = question.learned_from = question.accepted_at
                question.version = _STALE
                if not question.asking:
                    self._plan(key, question, now)

    # --- what may be expected

    def is_free(self, key: K) -> bool:
        """True if no question about it is under way."""
        return not self._questions[key].asking

    def is_urgent(self, key: K) -> bool:
        """True if the question under way came from `ask_now`: somebody wants to know of this very job."""
        return self._questions[key].urgent

    def gain(self, key: K, now: float) -> float:
        """The probability that it has ended since it was last asked about."""
        question = self._questions[key]
        if question.held:
            return 0.0
        left = question.group.durations.left
        before = left(max(0.0, question.asked_at - question.started_at))
        return 1.0 - left(max(0.0, now - question.started_at)) / before if before > 0.0 else 1.0

    def hazard(self, key: K, now: float) -> float:
        """How likely it is to end within the next second, if it still runs."""
        question = self._questions[key]
        if question.held:
            return 0.0
        age = max(0.0, now - question.started_at)
        step = max(0.5, 0.05 * age)
        left = question.group.durations.left
        return math.log(max(1e-9, left(age)) / max(1e-9, left(age + step))) / step

    def phases(self, key: K) -> PhaseModel:
        """What is believed of its model."""
        return self._questions[key].phases

    def remaining(self, key: K, now: float, shares: tuple[float, ...]) -> tuple[float, ...] | None:
        """Seconds until that share of such jobs has ended, for each of `shares`; None if it has not begun."""
        question = self._questions.get(key)
        if question is None or question.held:
            return None
        age = max(0.0, now - question.started_at)
        durations = question.group.durations
        left = durations.left(age)
        return tuple(max(0.0, durations.quantile(left * (1.0 - share)) - age) for share in shares)

    # --- inside

    def _group(self, durations: DurationModel, learns: bool) -> _Group[K]:
        group = self._groups.get((id(durations), learns))
        if group is None:
            group = self._groups[(id(durations), learns)] = _Group(durations, learns)
        return group

    def _first(self, now: float) -> _Group[K] | None:
        due = [(when, i) for i, group in enumerate(self._groups.values()) if (when := group.wake_at()) is not None]
        when, i = min(due, default=(math.inf, -1))
        return list(self._groups.values())[i] if when <= now else None

    def _ask(self, question: _Question[K]) -> None:
        question.asking = True
        question.group.asking += 1

    def _done(self, question: _Question[K]) -> None:
        question.group.asking -= question.asking
        question.asking = question.urgent = False

    def _plan(self, key: K, question: _Question[K], now: float) -> None:
        question.due = self._due(question)
        question.version = _FIXED if question.held else question.group.durations.version
        self._look_early(question)
        self._put(key, question, now)

    def _runs(
        self, key: K, question: _Question[K], now: float, sent_at: float | None, share: float, not_before: float
    ) -> None:
        asked = now if sent_at is None else max(sent_at, question.asked_at)
        if question.group.learns and not question.held:
            self._teach_running(question, asked)
        question.asked_at, question.share = asked, share
        if not question.asking:
            self._urgent.drop(key)
            question.not_before = not_before
            self._plan(key, question, now)
        self._refresh(question, now)

    def _put(self, key: K, question: _Question[K], now: float) -> None:
        question.ready_at = max(now, question.due)
        if key in self._urgent:
            return  # asked about before that anyway
        question.group.timers.put(key, question.ready_at)

    def _due(self, question: _Question[K]) -> float:
        asked = question.asked_at
        if question.held:
            return max(asked + question.ceiling, question.not_before)
        group = question.group
        if not group.preview:  # what a change of the belief will be compared with
            group.preview, group.version = self._preview(question), group.durations.version
        plan = group.durations.plan(self._price(question))
        age = plan.next_age(max(0.0, asked - question.started_at))
        due = min(max(question.started_at + age, asked + question.floor), asked + question.ceiling)
        return max(due, question.not_before)

    def _look_early(self, question: _Question[K]) -> None:
        if not question.probe or question.group.durations.seen:
            return
        early = next((look for look in _FIRST_LOOKS if question.started_at + look > question.asked_at), None)
        if early is not None and question.started_at + early < question.due:
            question.due = max(question.started_at + early, question.asked_at + question.floor, question.not_before)
            question.version = _FIXED

    def _price(self, question: _Question[K]) -> float:
        return question.price * question.share * self.backpressure**2 / max(1.0, self.lag_weight)

    def _set_backpressure(self, question: _Question[K], now: float) -> None:
        """The common price: it rises while questions come late, and falls back when they do not."""
        elapsed, self._taken_at = now - self._taken_at, now
        age = max(0.0, question.due - question.started_at)
        pace = max(0.1, question.floor, question.group.durations.plan(self._price(question)).next_age(age) - age)
        late = (now - question.ready_at - _BUSY) / pace
        step = min(late, 1.0) if late > _LATE else -_RELAX
        self.backpressure = min(
            _BACKPRESSURE_MAX, max(1.0, self.backpressure * math.exp(_GAIN * min(1.0, elapsed / pace) * step))
        )

    def _teach_running(self, question: _Question[K], asked: float) -> None:
        begun = question.learned_from
        question.phases.queued.running(max(0.0, question.asked_at - begun), asked - begun)
        if question.turned is not None:
            start = _middle(question.turned)
            question.phases.processing.running(max(0.0, question.asked_at - start), asked - start)

    def _refresh(self, question: _Question[K], now: float) -> None:
        """Has the model turned out to be quicker than planned?  Then its jobs are due earlier."""
        group = question.group
        if group.version == group.durations.version:
            return
        before, group.preview = group.preview, self._preview(question)
        group.version = group.durations.version
        if any(new < (1.0 - _EARLIER) * old for old, new in zip(before, group.preview, strict=False)):
            for key in group.timers.all():
                waiting = self._questions[key]
                if waiting.version != _FIXED and waiting.due > now and self._due(waiting) < waiting.due:
                    self._plan(key, waiting, now)

    def _preview(self, question: _Question[K]) -> tuple[float, ...]:
        plan = question.group.durations.plan(self._price(question))
        return tuple(plan.next_age(age) for age in _PREVIEW)


def _middle(interval: tuple[float, float]) -> float:
    return (interval[0] + interval[1]) / 2.0
