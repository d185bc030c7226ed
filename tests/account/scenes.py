"""An account with everything around it doubled: what happens to it is one call each, what it decides one line each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import attrs

import aiogen
from aiogen._account.account import AccountState
from aiogen._account.actions import (
    Action,
    AnnounceHold,
    AskOne,
    AskPage,
    Fit,
    GiveTurn,
    Refusal,
    SendCreate,
    TakeBudget,
)
from aiogen._account.deciding import decide
from aiogen._account.track import Track
from aiogen._polling.durations import DurationModel
from aiogen._polling.phases import PhaseModel
from aiogen._polling.schedule import Observation
from aiogen.errors import AiogenError, RateLimited, Throttle
from aiogen.exchange import Quota, Submission, Ticket
from aiogen.models import AccountInfo, Typical
from aiogen.providers.base import Provider
from aiogen.stores.base import RequestKind

T = TypeVar("T")

KEY = "k" * 20
MODELS = {"luma": "uni-1", "leonardo": "gemini-image-2"}


def lowest(low: float, high: float) -> float:
    """Chance that always falls on the least."""
    return low


def highest(low: float, high: float) -> float:
    """Chance that always falls on the most."""
    return high


def luma(**limits: int) -> aiogen.Luma:
    """Every accepted generation runs at once, and there is no list."""
    return aiogen.Luma(api_key=KEY, **limits)


def leonardo(**limits: int) -> aiogen.Leonardo:
    """Ten generations run at once, the others wait behind them; one page of the list shows fifty."""
    return aiogen.Leonardo(api_key=KEY, **limits)


def too_many(throttle: Throttle = Throttle.ACCOUNT, retry_after: float | None = None) -> RateLimited:
    """A 429."""
    return RateLimited("slow down", status=429, throttle=throttle, retry_after=retry_after)


@attrs.define(eq=False)
class FakeJob:
    """What an account knows of a job."""

    id: str
    submission: Submission | None = None
    poll_cost: float = 0.15
    done: bool = False
    priority: int = 5
    scope: str = ""


@attrs.define(eq=False)
class FakeTurn:
    """A single call that waits."""

    name: str
    is_cancelled: bool = False

    def done(self) -> bool:
        return self.is_cancelled

    def set_result(self, result: None, /) -> None:
        raise AssertionError("an account decides only; others do it")


class Scene:
    """One account at rest.  A generation has the name of its job."""

    def __init__(
        self,
        provider: Provider,
        *,
        max_in_flight: int = 100,
        is_shared: bool = False,
        draw: Callable[[float, float], float] = lowest,
        phases: PhaseModel | None = None,
    ) -> None:
        self.provider = provider
        self.account: AccountState[FakeJob] = AccountState(provider, max_in_flight=max_in_flight, draw=draw)
        self.account.shared_budget.is_shared = is_shared
        self.phases = phases or PhaseModel(Typical(median=30.0, spread=0.45))
        self.jobs: dict[str, FakeJob] = {}
        self.moment = math.nan
        """When the account wants to be looked at again."""
        self.creates: dict[str, SendCreate[FakeJob]] = {}
        """The creates in flight."""
        self.sent_at: dict[str, float] = {}
        """When the latest request about each was sent."""
        self.to_fit: list[DurationModel] = []
        """The duration models that it has just said are to be fitted, which says nothing to a vendor."""
        self._number = 0

    # --- what it decides

    def at(self, now: float, *, creates: bool = True, shares: bool = False) -> list[str]:
        """All that it decides at this moment, one line each."""
        actions, self.moment = decide(self.account, now, creates=creates, shares=shares)
        self.to_fit = [action.durations for action in actions if isinstance(action, Fit)]
        return [line for action in actions if (line := self._line(action, now)) is not None]

    def _line(self, action: Action[FakeJob], now: float) -> str | None:
        match action:
            case SendCreate():
                self.creates[action.job.id], self.sent_at[action.job.id] = action, now
                return f"create {action.job.id}"
            case AskOne():
                self.sent_at[action.track.key] = now
                return f"ask {action.track.key}"
            case AskPage():
                self.sent_at |= dict.fromkeys(action.keys, now)
                assert action.keys[0] == action.track.key
                return f"page {action.offset}: {' '.join(sorted(action.keys))}"
            case GiveTurn():
                assert isinstance(action.turn, FakeTurn)
                return f"turn {action.turn.name}"
            case TakeBudget():
                return f"take {action.count} at {action.per_second:g}/s"
            case Fit():
                return None
            case AnnounceHold():
                return f"announce {action.kind} {action.seconds:g}"

    def created(self, now: float) -> list[str]:
        """Whose creates it sends at this moment, whatever else it decides."""
        return [line.removeprefix("create ") for line in self.at(now) if line.startswith("create ")]

    # --- what users do

    def submit(self, *names: str) -> None:
        """Jobs that wait for their turn."""
        submission = self.submission()
        for name in names:
            self._number += 1
            self.jobs[name] = FakeJob(name, submission)
            self.account.queue.put(self._number, self.jobs[name])

    def submission(self) -> Submission:
        """The same picture for all."""
        return self.provider.encode(self.provider.prepare(MODELS[self.provider.facts.name], "a boat", {}))

    def call(self, now: float, *names: str) -> list[FakeTurn]:
        """Single calls that wait for their turn."""
        turns = [FakeTurn(name) for name in names]
        for turn in turns:
            self.account.calls.put(turn, now)
        return turns

    def attach(self, name: str, now: float, *, to: str | None = None, poll_cost: float = 0.15) -> Track[FakeJob]:
        """A job for a generation that was created elsewhere, or that is followed already."""
        job = self.jobs[name] = FakeJob(name, poll_cost=poll_cost)
        ticket = Ticket(provider_id=to or name)
        return self.account.follow(now, job, ticket, self.provider, self.phases, weight=1, is_ours=False)

    def resume(
        self, name: str, now: float, *, age: float, is_ours: bool = True, part: float | None = None
    ) -> Track[FakeJob]:
        """A session before this one had it created, or followed it, and left it; it was accepted `age` seconds ago.

        `part`: where it stands among many such.
        """
        job = self.jobs[name] = FakeJob(name, self.submission())
        ticket = Ticket(provider_id=name)
        return self.account.follow(
            now, job, ticket, self.provider, self.phases, weight=1, is_ours=is_ours, age=age, part=part
        )

    # --- what becomes of creates

    def accept(
        self,
        name: str,
        now: float,
        *,
        given: str | None = None,
        quota: Quota | None = None,
        alone: bool = False,
        poll_cost: float = 0.15,
    ) -> Track[FakeJob]:
        """A create is answered with an id, by default the job's own name, and followed."""
        job, create = self.jobs[name], self.creates[name]
        job.poll_cost = poll_cost
        self.accept_only(name, now, quota=quota, alone=alone)
        ticket = Ticket(provider_id=given or name)
        return self.account.follow(
            now, job, ticket, self.provider, self.phases, weight=create.weight, is_ours=True, is_counted=True
        )

    def accept_only(self, name: str, now: float, *, quota: Quota | None = None, alone: bool = False) -> None:
        """A create is answered; what is asked about it afterwards is left out, to look at creates alone."""
        create = self.creates.pop(name)
        weight_class = create.job.submission.weight_class if create.job.submission is not None else ""
        self.account.accepted(now, create.weight, quota=quota, weight_class=weight_class, alone=alone)
        self.account.create_finished(create)

    def run(self, now: float, *names: str, poll_cost: float = 0.15) -> None:
        """Jobs that are submitted, created and accepted at one moment."""
        self.submit(*names)
        sent = self.created(now)
        assert sent == list(names)
        for name in names:
            self.accept(name, now, poll_cost=poll_cost)

    def refuse(self, name: str, now: float, error: AiogenError) -> Refusal:
        """A create is refused for the account's sake: its job waits again."""
        refusal = self._not_carried_out(name, now, lambda sent_at: self._refused(error, now, sent_at))
        self.requeue(name)
        return refusal

    def _refused(self, error: AiogenError, now: float, sent_at: float) -> Refusal:
        return self.account.refused(error, RequestKind.CREATES, now, sent_at=sent_at)

    def _not_carried_out(self, name: str, now: float, then: Callable[[float], T]) -> T:
        self._last = self.creates.pop(name)
        self.account.window.create_refused(now, self._last.weight, counted=False)
        found = then(self.sent_at[name])
        self.account.create_finished(self._last)
        return found

    def requeue(self, name: str) -> None:
        """The job of the create that failed last waits again, in its old place."""
        assert self._last.job is self.jobs[name]
        self.account.queue.put(self._last.number, self._last.job)

    def find_nobody(self, name: str, now: float, *, timeout: float = 300.0, error: AiogenError | None = None) -> bool:
        """A create finds nobody: its job waits again, unless creates are given up; True if they are."""
        error = error or aiogen.NetworkError("nobody is there", sent=False)

        def failed(sent_at: float) -> bool:
            return self.account.unreachable(now, error, sent_at=sent_at, timeout=timeout)

        is_given_up = self._not_carried_out(name, now, failed)
        if not is_given_up:
            self.requeue(name)
        return is_given_up

    def not_taken(self, name: str, now: float, times: int, error: AiogenError) -> None:
        """The vendor says that it did not queue it: its job waits again."""
        self._not_carried_out(name, now, lambda _: self.account.not_taken(now, times, error))
        self.requeue(name)

    def withhold(self, name: str) -> None:
        """A create is not sent after all: its job waits again."""
        self._last = self.creates.pop(name)
        self.account.withheld(self._last)
        self.account.create_finished(self._last)
        self.requeue(name)

    # --- what becomes of questions

    def runs(self, name: str, now: float, *more: str) -> None:
        """A question, or a page, says that these run."""
        self.account.read_finished()
        self.account.served()
        for key in (name, *more):
            self.account.schedule.answered(key, now, sent_at=self.sent_at[key])

    def read_refused(self, name: str, now: float, error: AiogenError) -> Refusal:
        """A question is refused."""
        refusal = self.account.refused(error, RequestKind.REQUESTS, now, sent_at=self.sent_at[name])
        self.account.schedule.failed(name, now, 0.0)
        self.account.read_finished()
        return refusal

    def identify(self, now: float, *, slots: int | None = None) -> None:
        """The vendor says whose account it is."""
        info = AccountInfo(provider="leonardo", connection="leonardo", user_id="u-1", concurrency_slots=slots)
        self.account.identified(info, now)

    def end(self, name: str, now: float) -> Observation[str] | None:
        """A generation is over, and its jobs are done."""
        track = self.account.tracks[name]
        observation = self.account.leave(track, now, over=True)
        for job in track.jobs:
            job.done = True
        return observation

    def began_at(self, name: str, now: float, at: float) -> bool:
        """True if it is believed to run since `at`."""
        left = self.account.schedule.remaining(name, now, (0.5,))
        durations = self.phases.queued
        age = now - at
        return left is not None and abs(left[0] - (durations.quantile(durations.left(age) * 0.5) - age)) < 1e-6
