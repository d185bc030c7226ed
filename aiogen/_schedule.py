"""When to ask about which job.  Pure: told the time, never asks for it.

One agenda holds the next moment of every job; an event costs O(log n), and nothing ever looks at all jobs.  A job
that is being asked about is not on the agenda, so it has one stream of questions whoever waits for it.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

import attrs

from aiogen._agenda import Agenda
from aiogen._durations import Durations

K = TypeVar("K", bound=Hashable)

_FIRST_LOOKS = (1.0, 2.5)
"""Ages at which every job is asked about: two cheap requests, for the model that is quicker than anyone believed."""


@attrs.define
class _Question:
    durations: Durations
    started_at: float
    floor: float
    ceiling: float


class Schedule(Generic[K]):
    """The questions of one account."""

    def __init__(self, *, poll_cost: float) -> None:
        """`poll_cost`: seconds of waiting that one request is worth; must be above 0."""
        self.poll_cost = poll_cost
        self.pressure = 1.0
        """How many jobs a second of lag delays: 1 for the job itself, more when others wait for its place."""
        self._questions: dict[K, _Question] = {}
        self._agenda: Agenda[K] = Agenda()

    def __len__(self) -> int:
        return len(self._questions)

    def __contains__(self, key: K) -> bool:
        return key in self._questions

    def track(
        self, key: K, now: float, *, durations: Durations, started_at: float, floor: float, ceiling: float
    ) -> None:
        """Begin to ask about a job that was accepted at `started_at`.

        `floor` and `ceiling` bound the seconds between two questions about it.
        """
        question = self._questions[key] = _Question(durations, started_at, floor, ceiling)
        self._plan(key, question, now, asked=started_at)

    def wake_at(self) -> float | None:
        """The moment of the next question, or None if there is none."""
        return self._agenda.wake_at()

    def take(self, now: float) -> K | None:
        """The job to ask about now, or None if none is due.  It is due again only after `answered` or `failed`."""
        return self._agenda.pop(now)

    def answered(self, key: K, now: float) -> None:
        """It was asked about, and is still running."""
        question = self._questions.get(key)
        if question is not None:
            self._plan(key, question, now, asked=now)

    def failed(self, key: K, now: float, delay: float) -> None:
        """The question could not be answered: ask again after `delay` seconds, but not sooner than `floor`."""
        question = self._questions.get(key)
        if question is not None:
            self._agenda.put(key, now + max(delay, question.floor))

    def ask_now(self, key: K, now: float) -> None:
        """Somebody knows more (a webhook, a user): ask at once, unless it is being asked already."""
        if key in self._agenda:
            self._agenda.put(key, now)

    def slow_down(self, key: K, floor: float) -> None:
        """Nobody waits for it any more: from the next question on, keep at least `floor` seconds between two."""
        question = self._questions.get(key)
        if question is not None:
            question.floor = max(question.floor, floor)
            question.ceiling = max(question.ceiling, floor)

    def hasten(self, key: K, floor: float, ceiling: float, now: float) -> None:
        """Somebody waits for it again: back to these bounds, beginning with a question now."""
        question = self._questions.get(key)
        if question is not None:
            question.floor, question.ceiling = floor, ceiling
            self.ask_now(key, now)

    def drop(self, key: K) -> None:
        """Never ask about it again."""
        self._questions.pop(key, None)
        self._agenda.drop(key)

    def _plan(self, key: K, question: _Question, now: float, asked: float) -> None:
        age = question.durations.next_age(
            max(0.0, asked - question.started_at), self.poll_cost / max(1.0, self.pressure)
        )
        early = next((look for look in _FIRST_LOOKS if look > asked - question.started_at), age)
        due = question.started_at + min(age, early)
        due = min(max(due, asked + question.floor), asked + question.ceiling)
        self._agenda.put(key, max(now, due))
