"""When to ask about which job.  Pure: it is given the time, and never asks for it.

Every model has a timer queue with the next moment of each of its jobs; an event costs O(log n), and nothing looks at
all jobs at each tick.  A job that is being asked about is in no timer queue, so it has one stream of questions however
many wait for it.

A moment is planned with the duration model as it is then.  If the model has changed meanwhile, the moment is planned
again when it comes, and the job is asked about only if that is still now.  Only when generations turn out to be quicker
than planned are all jobs of their model planned again at once.

What is kept for each job is in `question`, and for the jobs of one model together in `groups`; early questions about a
model that nobody knows are in `probes`, what an end teaches is in `observation`, what happens where the budget allows
fewer questions in `backpressure`, where none could be asked for a while in `breaks`, and where hints come instead of
them in `announcements`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Generic, TypeVar

from aiogen._polling.announcements import Announcements
from aiogen._polling.backpressure import Backpressure
from aiogen._polling.breaks import MANY, Break
from aiogen._polling.durations import DurationModel
from aiogen._polling.groups import Group, Groups
from aiogen._polling.observation import Observation, middle
from aiogen._polling.phases import PhaseModel
from aiogen._polling.question import DEARER, FIXED, STALE, Question
from aiogen._polling.timers import TimerQueue

__all__ = ["Observation", "Schedule"]

K = TypeVar("K", bound=Hashable)

_LEAST_PRICE = 0.04
"""Where others wait, a question is no cheaper than this: it would not be asked earlier, for the provider's floor."""
_PLANNED_AT_ONCE = 4
"""Questions that are found not to be due yet in one call."""
_REPLANNED_AT_ONCE = 40
"""Jobs of a model that are planned again in one call."""


class Schedule(Generic[K]):
    """The questions of one account."""

    def __init__(self) -> None:
        self.lag_weight = 1.0
        """How many jobs a second of lag delays: 1 for the job itself, more when others wait for its place."""
        self.backpressure = Backpressure()
        self._questions: dict[K, Question[K]] = {}
        self._groups: Groups[K] = Groups()
        self._urgent: TimerQueue[K] = TimerQueue()
        """Of those that are to be asked about whatever is planned."""
        self._break: Break | None = None
        """The last one."""

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
            key: the name of the job.
            now: seconds on any steady clock, as everywhere here.
            phases: the phase model of its model.
            started_at: when it was accepted.
            floor: fewest seconds between two questions about it.
            ceiling: most seconds between two questions about it.
            price: seconds of waiting that one request is worth.
            learns: whether its end teaches; not if it is unknown how far it was when it was tracked.
            held: it waits behind others at the vendor, until `begins`.
            share: its part of the price, if one question answers for several jobs.
        """
        group = self._groups.of(phases, phases.queued, learns)
        group.announcements.decide(now)
        question = self._questions[key] = Question(
            group, phases, started_at, started_at, started_at, started_at, floor, ceiling, price, held, share
        )
        question.sees()
        if learns and not held and not group.durations.seen:
            question.probe = group.probes.mark()
        group.size += 1
        group.price = price * share
        self._plan(key, question, now)
        if learns and not held and not group.is_known:
            group.probes.add(key)
            self._probe(group, now)

    def _probe(self, group: Group[K], now: float) -> None:
        """Have one more job of a model that is not known be asked about early."""
        if group.probes.key is not None or not group.wants_probes:
            return
        for key in group.probes.candidates():
            question = self._questions.get(key)
            if question is None or question.group is not group or question.held:
                continue
            if not (question.asking or key in self._urgent or question.probe):
                earliest = max(now, question.asked_at + question.floor, question.not_before)
                due = max(question.started_at + group.next_probe(), earliest)
                if due < question.due:
                    question.due, question.version = due, FIXED
                    group.probes.choose(key, due - question.started_at)
                    self._put(key, question, now)
                    return
            group.probes.add(key)  # it is asked about before that

    def _probed(self, key: K, group: Group[K], now: float) -> None:
        if group.probes.drop(key):
            group.probes.add(key)
        self._probe(group, now)

    def found_over(self, key: K, sent_at: float) -> None:
        """The question that was sent at `sent_at` has found its end: did a hint announce that?

        Where hints announce nearly all ends, questions are worth less; and when they stop, they are worth at once what
        they were.
        """
        question = self._questions.get(key)
        if question is None:
            return
        announcements = question.group.announcements
        if question.is_announced(sent_at):
            announcements.announced(question.untrue)
            question.ended_about(question.told_at)
        else:
            announcements.found(key, question.untrue, sent_at, question.told_at)

    def announcements(self, phases: PhaseModel) -> Announcements[K]:
        """What is known of the ends of one model that the vendor announces."""
        return self._groups.announcements(phases)

    def announced_late(self, key: K, now: float) -> None:
        """The vendor announces the end of one that is not followed, perhaps not any more."""
        self._groups.announced_late(key, now)

    def drop(self, key: K) -> Observation | None:
        """Never ask about it again.  That teaches nothing by itself: if it has ended, `learn` takes what is returned.

        None if its end would teach nothing.
        """
        question = self._questions.pop(key, None)
        if question is None:
            return None
        self._urgent.drop(key)
        question.group.timers.drop(key)
        question.done()
        question.group.size -= 1
        question.group.probes.drop(key)
        return question.observation()

    def slow_down(self, key: K, floor: float) -> None:
        """Nobody waits for it any more: from the next question on, keep at least `floor` seconds between two."""
        question = self._questions.get(key)
        if question is not None:
            question.floor = max(question.floor, floor)
            question.ceiling = max(question.ceiling, floor)

    def lower_price(self, key: K, floor: float, ceiling: float, price: float, now: float) -> None:
        """Somebody else waits for it: by these bounds and this price from now on, beginning with a question now."""
        question = self._questions.get(key)
        if question is not None:
            question.floor, question.ceiling, question.price = floor, ceiling, price
            question.version = STALE
            self.ask_now(key, now)

    # --- which question

    def wake_at(self) -> float | None:
        """The moment at which to look for the next question, or None if there is none."""
        urgent, planned = self._urgent.wake_at(), self._groups.wake_at()
        return planned if urgent is None else urgent if planned is None else min(urgent, planned)

    @property
    def plans_made(self) -> int:
        """Grows with each plan that had to be made, for a price that was new, or a model that has changed.

        That takes as long as dozens of questions: a caller that had one made goes on in the next turn of the loop.
        """
        return self._groups.plans_made

    def take(self, now: float) -> K | None:
        """Take out the job to ask about now; None if none is due.

        It is due again only after `answered`, `failed` or `put_back`.  Also None if the first few that were due turn
        out not to be, or one for which a plan had to be made: then `wake_at` may be not later than `now`.
        """
        made = self.plans_made
        for _ in range(_PLANNED_AT_ONCE):
            if self.plans_made > made:
                return None
            key = self._urgent.pop(now)
            if key is not None:
                question = self._questions[key]
                question.ask()
                question.urgent = True
                return key
            group = self._groups.first(now)
            key = group.timers.pop(now) if group is not None else None
            if group is None or key is None:
                return None
            question = self._questions[key]
            if not question.is_current(self._price(question)):
                ready_at = question.ready_at
                self._plan(key, question, now)
                if question.due > now:
                    self._probe(group, now)
                    continue
                question.group.timers.drop(key)
                question.ready_at = ready_at
            if self._break is not None and self._break.has_kept(question.ready_at):
                question.due, question.version = self._break.moment(question.ready_at, self._pace(question)), FIXED
                self._put(key, question, self._break.until)
                continue
            question.group.probes.reached(now - question.started_at)
            if question.group.is_known:
                pace = question.pace(self._price(question))
                self.backpressure.asked(now, ready_at=question.ready_at, pace=pace)
            question.ask()
            if question.group.probes.followed_at_once(key):
                self._probed(key, question.group, now)
            return key
        return None

    def take_early(self, now: float) -> K | None:
        """Take out one more job to ask about in company, as questions are sent at this moment: one that is nearly due.

        Each time that a program wakes costs it more than a request does, and a question that comes early by a small
        part of its interval is worth as much.  None if there is none.
        """
        for group in self._groups:
            key = group.timers.first()
            if key is None or not group.is_known:
                continue
            question = self._questions[key]
            price = self._price(question)
            if not question.is_nearly_due(now, price) or key in self._urgent:
                continue
            group.timers.drop(key)
            self.backpressure.asked(now, ready_at=now, pace=question.pace(price))
            question.ask()
            return key
        return None

    def take_also(self, key: K) -> bool:
        """The same question answers for this job; False if it is being asked about already."""
        question = self._questions.get(key)
        if question is None or question.asking:
            return False
        self._urgent.drop(key)
        question.group.timers.drop(key)
        question.ask()
        return True

    def ask_now(self, key: K, now: float) -> None:
        """Somebody knows more (a webhook, a user): ask at once, unless it is being asked already."""
        question = self._questions.get(key)
        if question is not None and not question.asking:
            question.group.timers.drop(key)
            self._urgent.put(key, now)

    def hint(self, key: K, now: float, *, proved: bool = False) -> None:
        """Somebody has heard that there is news of it: its next question comes as soon as the floor allows.

        So of any number of hints one question comes per floor.  If one is under way, which may be older than the news,
        it is the one after that.

        `proved`: it is the vendor who says so.  Then the floor counts from the last question that came of a hint, and
        not from the last one, which polling may have asked a moment ago.
        """
        question = self._questions.get(key)
        if question is None:
            return
        question.hinted_at = now
        if proved:
            question.told_at = now
        if not question.asking:
            self._bring_forward(key, question, now)

    def _bring_forward(self, key: K, question: Question[K], now: float) -> None:
        floor_from = question.woken_at if question.told_at > -math.inf else question.asked_at
        soon = max(now, floor_from + question.floor, question.not_before)
        if (urgent := self._urgent.moment(key)) is not None and urgent <= soon:
            return
        if urgent is None and question.due <= soon and question.is_current(self._price(question)):
            question.version = FIXED  # it comes sooner already, and stays so
            return
        question.group.timers.drop(key)
        self._urgent.put(key, soon)

    def in_turn(self, key: K, now: float, part: float) -> None:
        """One of many that are taken up together, and nobody knows when they were asked about last.

        If it is due, it is asked about after this part, 0 to 1, of the time from one question about it to the next.
        """
        question = self._questions.get(key)
        if question is not None and not question.held and question.due <= now:
            question.due, question.version = now, FIXED
            question.due += part * self._pace(question)
            self._put(key, question, now)

    def rested(self, since: float, until: float) -> None:
        """Nothing could be asked between these moments: what fell due meanwhile does not come all at once."""
        if len(self._questions) >= MANY:
            self._break = Break(since, until)

    # --- what came of it

    def answered(self, key: K, now: float, *, sent_at: float | None = None, share: float = 1.0) -> None:
        """The question that was sent at `sent_at` says that it runs."""
        question = self._questions.get(key)
        if question is not None:
            question.done()
            # A vendor that takes long to answer is not asked again at once.
            took = 0.0 if sent_at is None else now - sent_at
            self._runs(key, question, now, sent_at, share, now + min(question.floor, took))

    def known_to_run(self, key: K, now: float, *, sent_at: float | None = None, share: float = 1.0) -> None:
        """It ran at `sent_at`, by any reading.  If our own question is under way, it goes on."""
        question = self._questions.get(key)
        if question is not None:
            self._runs(key, question, now, sent_at, share, now)

    def put_back(self, key: K, now: float) -> None:
        """The question said nothing about it after all: its moment is what it was."""
        question = self._questions.get(key)
        if question is not None and question.asking:
            question.done()
            if question.version == STALE:
                self._plan(key, question, now)
            else:
                self._put(key, question, now)
            self._heed(key, question, now)

    def failed(self, key: K, now: float, delay: float) -> None:
        """The question could not be answered: ask again after `delay` seconds, but not sooner than `floor`."""
        question = self._questions.get(key)
        if question is not None:
            question.done()
            self._urgent.drop(key)
            question.due = question.not_before = now + max(delay, question.floor)
            question.hinted_at = -math.inf
            question.version = FIXED
            self._put(key, question, now)
            self._probed(key, question.group, now)

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
        if question.held:  # whatever was thought of the vendor's queue, the vendor runs it
            question.begin(middle(interval))
        if question.processed is not None or not question.group.learns:
            return
        if question.phases.is_vague(interval[1] - interval[0]):
            return
        question.is_processed(interval)
        if question.phases.by_beginning:
            asking, before = question.asking, question.group
            question.done()
            before.timers.drop(key)
            question.group = self._groups.of(question.phases, question.phases.processing, learns=True)
            before.size -= 1
            question.group.size += 1
            question.started_at = middle(interval)
            if asking:
                question.ask()
            self._probed(key, before, sent_at)

    def begins(self, key: K, now: float, at: float) -> None:
        """It was behind others, and runs since about `at`."""
        question = self._questions.get(key)
        if question is None or not question.held:
            return
        question.begin(at)
        question.begun = True
        question.asked_at = max(at, question.asked_at)
        question.version = STALE
        if not question.asking:
            self._plan(key, question, now)

    def learn(self, observation: Observation, now: float) -> None:
        """A job that was dropped has ended, somewhere between the last answer and `now`."""
        observation.teach(now)
        self._groups.note(observation.phases)
        group = self._groups.of(observation.phases, observation.durations, learns=True)
        group.has_ended()
        self._probe(group, now)

    def outdated(self) -> list[DurationModel]:
        """The models that enough was learned of since their last fit; each once."""
        return self._groups.outdated()

    @property
    def has_news(self) -> bool:
        """True if `outdated` or `refresh` have something to do."""
        return self._groups.has_news

    def refresh(self, now: float) -> bool:
        """Has a model turned out to be quicker than planned, or have hints stopped?  Then its jobs are due earlier.

        Some are planned again with each call, or one plan is made; True if others are left.
        """
        made = self.plans_made
        for group in self._groups:
            group.announcements.decide(now)
            if group.is_cheaper:
                group.to_replan = group.timers.all()
                group.falls = group.announcements.falls
            if group.version != group.durations.version:
                if group.preview and group.renew_preview(self._price_factor(group, 0) * group.price):
                    group.to_replan = group.timers.all()
                group.version = group.durations.version
            if self.plans_made == made:
                self._replan_some(group, now)
            if group.to_replan or self.plans_made > made:
                return True
        return False

    def decides_at(self) -> float:
        """When `refresh` has something to do by itself; `math.inf` if that is not known."""
        return self._groups.decides_at()

    def _replan_some(self, group: Group[K], now: float) -> None:
        made = self.plans_made
        for _ in range(min(_REPLANNED_AT_ONCE, len(group.to_replan))):
            if self.plans_made > made:
                return
            key = group.to_replan.pop()
            waiting = self._questions.get(key)
            if waiting is None or waiting.group is not group or waiting.asking or waiting.due <= now:
                continue
            if waiting.version != FIXED and self._is_earlier(waiting):
                self._plan(key, waiting, now)

    def _is_earlier(self, question: Question[K]) -> bool:
        price, is_known = self._price(question), question.version == question.group.durations.version
        if is_known and DEARER * price >= question.planned_at:
            return False
        return question.planned(price) < question.due

    def ran_all_along(self, now: float) -> None:
        """The vendor runs more at once than was thought: what was thought to begin late began when it was accepted."""
        for key, question in self._questions.items():
            if question.begun:
                question.begun = False
                question.begin(question.accepted_at)
                question.version = STALE
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
        return self._questions[key].gain(now)

    def hazard(self, key: K, now: float) -> float:
        """How likely it is to end within the next second, if it still runs; a rate, at least 0."""
        return self._questions[key].hazard(now)

    def phases(self, key: K) -> PhaseModel:
        """The phase model of its model."""
        return self._questions[key].phases

    def remaining(self, key: K, now: float, shares: tuple[float, ...]) -> tuple[float, ...] | None:
        """Seconds until that share of such jobs has ended, for each of `shares`; None if it has not begun."""
        question = self._questions.get(key)
        return None if question is None else question.remaining(now, shares)

    # --- inside

    def _plan(self, key: K, question: Question[K], now: float) -> None:
        group, price = question.group, self._price(question)
        if not question.held and not group.preview:  # what a change of the model will be compared with
            group.renew_preview(price)
        question.due = question.planned(price)
        question.version = FIXED if question.held else group.durations.version
        if question.probe and (early := question.early_look()) is not None and early < question.due:
            question.due = max(early, question.asked_at + question.floor, question.not_before)
            question.version = FIXED
        self._put(key, question, now)

    def _runs(
        self, key: K, question: Question[K], now: float, sent_at: float | None, share: float, not_before: float
    ) -> None:
        question.runs(now if sent_at is None else max(sent_at, question.asked_at))
        question.share = share
        if not question.asking:
            self._urgent.drop(key)
            question.not_before = not_before
            question.heeded(now if sent_at is None else sent_at)
            self._plan(key, question, now)
            self._heed(key, question, now)
        self._groups.note(question.phases)
        self._probed(key, question.group, now)

    def _heed(self, key: K, question: Question[K], now: float) -> None:
        """A hint that came after the reading was asked for that is known now."""
        if question.hinted_at > -math.inf:
            self._bring_forward(key, question, now)

    def _put(self, key: K, question: Question[K], now: float) -> None:
        question.ready_at = max(now, question.due)
        if key in self._urgent:
            return  # it is asked about before that
        question.group.timers.put(key, question.ready_at)

    def _price(self, question: Question[K]) -> float:
        # Those whose ends are announced gain nothing by a page, so the others do not share its price with them.
        share = 1.0 - (1.0 - question.share) / question.group.announcements.price_factor(question.untrue)
        price = question.price * share
        return max(min(price, _LEAST_PRICE), price * self._price_factor(question.group, question.untrue))

    def _pace(self, question: Question[K]) -> float:
        """Seconds from its next question to the one after."""
        return min(question.pace(self._price(question)), question.ceiling)

    def _price_factor(self, group: Group[K], untrue: int) -> float:
        """How much dearer a question is now than it is worth.

        The budget may bind, lag may delay others, too, and the vendor may announce ends by itself.
        """
        return group.announcements.price_factor(untrue) * self.backpressure.value**2 / max(1.0, self.lag_weight)
