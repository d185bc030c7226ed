"""Duration models that are taught without a schedule, and generators that are run to their end."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TypeVar

from aiogen._polling.durations import DurationModel

T = TypeVar("T")


def at_once(steps: Generator[None, None, T]) -> T:
    """All steps together."""
    return counted(steps)[0]


def counted(steps: Generator[None, None, T]) -> tuple[T, int]:
    """What comes of them, and the number of steps."""
    number = 0
    while True:
        number += 1
        try:
            next(steps)
        except StopIteration as done:
            return done.value, number


def up_to_date(durations: DurationModel) -> None:
    """Fit again, if enough has been seen: what a session does in steps."""
    if durations.is_outdated:
        durations.fit()


def one_job(durations: DurationModel, ran: Iterable[float], until: float) -> None:
    """One job from its beginning to its end: it ran at these ages, and was over at `until`."""
    sight = durations.begin()
    for age in ran:
        durations.runs(sight, age)
    durations.ended(sight, until)
    up_to_date(durations)


def teach(durations: DurationModel, ends: Iterable[float], every: float | None = None) -> DurationModel:
    """Jobs one after another that ended at these ages, each known exactly, or asked about every `every` seconds."""
    for age in ends:
        since, until = (age, age) if every is None else (age // every * every, (age // every + 1.0) * every)
        one_job(durations, [since], until)
    return durations


def batch(durations: DurationModel, ends: Iterable[float], ages: Iterable[float]) -> None:
    """Jobs that begin together and are all asked about at these ages, in the order of the clock."""
    left = [(durations.begin(), end) for end in ends]
    for age in ages:
        for sight, end in left:
            if end > age:
                durations.runs(sight, age)
            else:
                durations.ended(sight, age)
        left = [(sight, end) for sight, end in left if end > age]
        up_to_date(durations)
