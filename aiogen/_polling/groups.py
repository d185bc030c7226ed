"""What the schedule keeps for the jobs of one model together, and the models of one account.  Pure."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

import attrs

from aiogen._polling.announcements import Announcements
from aiogen._polling.durations import DurationModel
from aiogen._polling.phases import PhaseModel
from aiogen._polling.probes import FIRST_JOBS, HUNDREDS, MANY, WAIT, Probes
from aiogen._polling.timers import TimerQueue

K = TypeVar("K", bound=Hashable)

KNOWN = 6
"""A model is known when this number of its jobs have ended."""
_EARLIER = 0.05
"""If questions come earlier than before by this part of the age, all jobs are worth planning again."""
_PREVIEW = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""Ages at which two plans are compared."""


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
    probes: Probes[K] = attrs.field(factory=lambda: Probes())
    """The early looks at them, while the model is not known."""
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
        """The age of the next early look."""
        return self.probes.next_age(self.price, self.many)

    def has_ended(self) -> None:
        """One of its jobs: what has become of the others?"""
        if not self.is_known:
            self.probes.has_ended(self.many)

    @property
    def is_cheaper(self) -> bool:
        """True if its questions have become noticeably cheaper: what was planned before comes too late."""
        return self.falls != self.announcements.falls

    @property
    def wants_probes(self) -> bool:
        """True if early looks are worth what they cost."""
        return self.many >= (HUNDREDS if self.is_known else MANY)

    @property
    def many(self) -> int:
        """The number of jobs that learn from an early look."""
        return min(self.size, self.probes.count)

    @property
    def is_known(self) -> bool:
        """True if enough ends were seen to rely on the duration model."""
        return self.durations.seen >= KNOWN

    def wake_at(self) -> float | None:
        """When to look for its next question, or None if there is none."""
        when = self.timers.wake_at()
        if when is None or self.asking < max(FIRST_JOBS, self.size // 25) or not self.learns or self.is_known:
            return when
        return when + WAIT

    def renew_preview(self, price: float) -> bool:
        """Make the preview again; True if questions come noticeably earlier than by the one before."""
        plan = self.durations.plan(price)
        before, self.preview = self.preview, tuple(plan.next_age(age) for age in _PREVIEW)
        self.version = self.durations.version
        return any(new < (1.0 - _EARLIER) * old for old, new in zip(before, self.preview, strict=False))


class Groups(Generic[K]):
    """All groups of one account, and what was learned of their models that no fit has seen yet."""

    def __init__(self) -> None:
        self._groups: dict[tuple[int, bool], Group[K]] = {}
        self._announcements: dict[int, tuple[PhaseModel, Announcements[K]]] = {}
        self._outdated: dict[int, DurationModel] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[Group[K]]:
        return iter(self._groups.values())

    def of(self, phases: PhaseModel, durations: DurationModel, learns: bool) -> Group[K]:
        """The jobs planned by these durations of a model, whose ends teach or not; made at the first."""
        group = self._groups.get((id(durations), learns))
        if group is None:
            group = self._groups[(id(durations), learns)] = Group(durations, learns)
            # A vendor may announce the ends of pictures, and not those of films.
            group.announcements = self.announcements(phases)
        return group

    def announcements(self, phases: PhaseModel) -> Announcements[K]:
        """What is known of the ends of one model that the vendor announces; made at the first."""
        return self._announcements.setdefault(id(phases), (phases, Announcements()))[1]

    @property
    def plans_made(self) -> int:
        """Grows with each plan that one of them needed, and that had to be made."""
        # Jobs whose ends teach and those whose ends do not share the plans of their model.
        models = {id(group.durations): group.durations for group in self}
        return sum(durations.plans_made for durations in models.values())

    # --- whose question is next

    def wake_at(self) -> float | None:
        """When to look for the next question of any; None if there is none."""
        earliest = None
        for group in self._groups.values():
            moment = group.wake_at()
            if moment is not None and (earliest is None or moment < earliest):
                earliest = moment
        return earliest

    def first(self, now: float) -> Group[K] | None:
        """The one whose question is due first; None if none is due."""
        first, earliest = None, math.inf
        for group in self._groups.values():
            when = group.wake_at()
            if when is not None and when <= now and when < earliest:
                first, earliest = group, when
        return first

    # --- what was learned

    def note(self, phases: PhaseModel) -> None:
        """Something was learned of a model: is it enough to fit again?"""
        for durations in (phases.queued, phases.processing):
            if durations.is_outdated:
                self._outdated[id(durations)] = durations

    def outdated(self) -> list[DurationModel]:
        """The models that enough was learned of since their last fit; each once."""
        found = [durations for durations in self._outdated.values() if durations.is_outdated]
        self._outdated.clear()
        return found

    @property
    def has_news(self) -> bool:
        """True if `outdated` has something to say, or jobs of a group may have to be planned again."""
        if self._outdated:
            return True
        return any(group.to_replan or group.version != group.durations.version or group.is_cheaper for group in self)

    def announced_late(self, key: K, now: float) -> None:
        """The vendor announces the end of a job that is not followed, perhaps not any more."""
        for _, announcements in self._announcements.values():
            announcements.hinted(key, now)

    def decides_at(self) -> float:
        """When hints that stay away change what a question is worth; `math.inf` if that is not known."""
        return min((known.decides_at() for _, known in self._announcements.values()), default=math.inf)
