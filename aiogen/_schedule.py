"""When to ask about which job.  Pure: told the time, never asks for it.

One heap holds the next moment of every job; an event costs O(log n), and nothing ever looks at all jobs.  A job that
is being asked about is not in the heap, so it has one stream of questions whoever waits for it.
"""

from __future__ import annotations

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

import attrs

from aiogen._durations import Durations

K = TypeVar("K", bound=Hashable)


@attrs.define
class _Question:
    durations: Durations
    started_at: float
    floor: float
    ceiling: float
    due: float | None
    """None while the question is being asked."""
    version: int = 0


class Schedule(Generic[K]):
    """The questions of one account."""

    def __init__(self, *, poll_cost: float) -> None:
        """`poll_cost`: seconds of waiting that one request is worth; must be above 0."""
        self.poll_cost = poll_cost
        self.pressure = 1.0
        """How many jobs a second of lag delays: 1 for the job itself, more when others wait for its place."""
        self._questions: dict[K, _Question] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._version = 0

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
        question = _Question(durations, started_at, floor, ceiling, due=None)
        self._questions[key] = question
        self._plan(key, question, now, asked=started_at)

    def wake_at(self) -> float | None:
        """The moment of the next question, or None if there is none."""
        self._skip_stale()
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> K | None:
        """The job to ask about now, or None if none is due.  It is due again only after `answered`."""
        self._skip_stale()
        if not self._heap or self._heap[0][0] > now:
            return None
        key = heappop(self._heap)[2]
        self._questions[key].due = None
        return key

    def answered(self, key: K, now: float) -> None:
        """It was asked about, and is still running."""
        question = self._questions.get(key)
        if question is not None:
            self._plan(key, question, now, asked=now)

    def failed(self, key: K, now: float, delay: float) -> None:
        """The question could not be answered: ask again after `delay` seconds, but not sooner than `floor`."""
        question = self._questions.get(key)
        if question is not None:
            self._put(key, question, now + max(delay, question.floor))

    def ask_now(self, key: K, now: float) -> None:
        """Somebody knows more (a webhook, a user): ask at once, unless it is being asked already."""
        question = self._questions.get(key)
        if question is not None and question.due is not None:
            self._put(key, question, now)

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

    def _plan(self, key: K, question: _Question, now: float, asked: float) -> None:
        age = question.durations.next_age(
            max(0.0, asked - question.started_at), self.poll_cost / max(1.0, self.pressure)
        )
        due = min(max(question.started_at + age, asked + question.floor), asked + question.ceiling)
        self._put(key, question, max(now, due))

    def _put(self, key: K, question: _Question, due: float) -> None:
        self._version += 1
        question.due, question.version = due, self._version
        heappush(self._heap, (due, self._version, key))
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._questions):
            self._heap = [e for e in self._heap if self._is_current(e)]
            heapify(self._heap)

    def _is_current(self, entry: tuple[float, int, K]) -> bool:
        question = self._questions.get(entry[2])
        return question is not None and question.due is not None and question.version == entry[1]

    def _skip_stale(self) -> None:
        while self._heap and not self._is_current(self._heap[0]):
            heappop(self._heap)
