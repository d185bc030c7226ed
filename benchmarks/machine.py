"""One account's machine, driven by arithmetic: no loop, no sockets, nothing waits.

What drives it stands in for the engine: jobs are handed in, `decide` says what to do, each create and each
question is answered after a latency, and the answers go back through the same calls, in the same order, as in
`aiogen._engine` (`create.send`, `poll.ask`, `sweep.sweep`, `ends.settle`).  So what is measured is the machine alone:
when it asks, what it learns, and what CPU that takes.
"""

from __future__ import annotations

import gc
import heapq
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from random import Random
from typing import Any

from aiogen._account.account import AccountState
from aiogen._account.actions import Action, AskOne, AskPage, Fit, SendCreate
from aiogen._account.deciding import decide
from aiogen._account.track import Track
from aiogen._clock import TICK
from aiogen._polling.phases import PhaseModel
from aiogen.exchange import Submission, Ticket
from aiogen.models import AccountInfo, State, Typical
from aiogen.providers.base import Provider
from benchmarks.job import Job, Meter

SAVED_EVERY = 25
"""Ends after which what was learned is written, as in `aiogen._ledger.learned`."""


class Simulation:
    """One session at one account: what it has learned, and when it is.  Batches run one after the other."""

    def __init__(
        self,
        provider: Provider,
        models: Sequence[PhaseModel],
        *,
        latency: float = 0.0,
        max_in_flight: int = 48,
        creates: bool = False,
        tells_phases: bool = False,
        slots: int | None = None,
        on_end: Callable[[Job], None] = lambda _: None,
        seed: int = 0,
    ) -> None:
        """What runs at what.

        Args:
            provider: with its limits, lifted or not.
            models: what is believed of each model's durations; `Job.model` counts in them.
            latency: seconds from sending a request to its answer; the vendor looks at the end of it.
            max_in_flight: see `Session`.
            creates: whether jobs wait for the account to send them, within its limits; else each is accepted at the
                moment at which it is handed in, as if its create had taken no time.
            tells_phases: whether the vendor says of a job that it is still queued; else it says "processing" at once.
            slots: how many jobs the vendor runs at once, the others behind them in the order of acceptance.
            on_end: is told of each job when its end is known and learned.
            seed: of the chance that spreads pauses.
        """
        self.now = 0.0
        self.models = list(models)
        self.meters: dict[str, Meter] = {}
        self.requests: Counter[str] = Counter()
        self.account: AccountState[Job] = AccountState(provider, max_in_flight=max_in_flight, draw=Random(seed).uniform)
        self.account.shared_budget.is_shared = False
        self._provider = provider
        self._latency = latency
        self._creates = creates
        self._tells_phases = tells_phases
        self._slots = slots
        self.on_end = on_end
        self._free_at = [-math.inf] * (slots or 0)
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = count()
        self._look_at = math.inf
        self._numbers = count(1)
        self._open = 0
        self._saved = [model.seen for model in models]
        self._jobs: dict[str, Job] = {}
        self._listed: list[str] = []
        self._wishes = [_wish(number, model.typical) for number, model in enumerate(models)]

    # --- time

    def run(self, jobs: Sequence[Job]) -> None:
        """From now until the end of the last of these is known; their `handed_in_at` counts from now."""
        begun = self.now
        for job in jobs:
            job.handed_in_at += begun
            self._at(job.handed_in_at, self._hand_in, job)
        self._open += len(jobs)
        with _without_collector():
            while self._open:
                self._step()

    def _step(self) -> None:
        when = self._events[0][0] if self._events else math.inf
        if min(when, self._look_at) == math.inf:
            raise RuntimeError(f"{self._open} jobs are followed, and nobody will ever look again.")
        if when <= self._look_at:
            self.now, _, happen, what = heapq.heappop(self._events)
            happen(*what)
        else:
            self.now = self._look_at
        self._tick()

    def _at(self, when: float, happen: Callable[..., None], *what: Any) -> None:
        heapq.heappush(self._events, (when, next(self._order), happen, what))

    def _timed(self, name: str, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        began = time.thread_time()
        found = call(*args, **options)
        self.meters.setdefault(name, Meter()).add(time.thread_time() - began)
        return found

    # --- the coordinator's part

    def _tick(self) -> None:
        actions: list[Action[Job]]
        actions, when = self._timed("next", decide, self.account, self.now, creates=True, shares=False)
        for action in actions:
            self._do(action)
        self._look_at = max(self.now, when) + TICK

    def _do(self, action: Action[Job]) -> None:
        answered_at = self.now + self._latency
        match action:
            case SendCreate():
                self.requests["creates"] += 1
                self._at(answered_at, self._accepted, action)
            case AskOne():
                self.requests["questions"] += 1
                self._at(answered_at, self._answered, action.track, self.now)
            case AskPage():
                self.requests["pages"] += 1
                self._at(answered_at, self._listed_page, action, self.now)
            case Fit():
                action.durations.fit()
            case _:
                raise RuntimeError(f"unexpected action {action!r}")

    def _hand_in(self, job: Job) -> None:
        number = next(self._numbers)
        job.id = f"job-{number}"
        job.submission = self._wishes[job.model]
        if self._creates:
            self.account.queue.put(number, job)
        else:
            self.account.window.create_sent(self.now, 1)
            self._accept(job, weight=1, alone=True)

    def _accepted(self, action: SendCreate[Job]) -> None:
        self._accept(action.job, action.weight, alone=action.was_alone)
        self.account.create_finished()

    def _accept(self, job: Job, weight: int, *, alone: bool) -> None:
        account, now = self.account, self.now
        account.accepted(now, weight, quota=None, weight_class="", alone=alone)
        job.accepted_at, key = now, f"at-the-vendor-{job.id}"
        starts_at = heapq.heappop(self._free_at) if self._slots is not None else now
        job.begun_at = max(now, starts_at) + job.queued
        job.ended_at = job.begun_at + job.seconds
        if self._slots is not None:
            heapq.heappush(self._free_at, job.ended_at)
        self._jobs[key] = job
        self._listed.append(key)
        ticket = Ticket(provider_id=key, model=str(job.model))
        phases = self.models[job.model]
        track = self._timed(
            "follow", account.follow, now, job, ticket, self._provider, phases, weight=weight, is_ours=True
        )
        track.state = self._state(job, now)
        if job.timeout < math.inf:
            early = min(2.0, max(0.5, 0.1 * job.timeout), job.timeout / 2.0)  # see `aiogen._engine.deadlines`
            self._at(now + job.timeout - early, self._last_look, track)
            self._at(now + job.timeout, self._expire, track)

    def _state(self, job: Job, now: float) -> State:
        """As the vendor tells it, while it runs."""
        if self._slots is not None or (self._tells_phases and now < job.begun_at):
            return State.QUEUED
        return State.PROCESSING

    def _last_look(self, track: Track[Job]) -> None:
        if self.account.tracks.get(track.key) is track:
            self.account.schedule.ask_now(track.key, self.now)

    def _expire(self, track: Track[Job]) -> None:
        if self.account.tracks.get(track.key) is track:
            track.jobs[0].done = True
            self.account.slow_down(track)

    # --- what became of a question

    def _answered(self, track: Track[Job], sent_at: float) -> None:
        account = self.account
        account.served()
        if account.tracks.get(track.key) is track:
            self._jobs[track.key].questions += 1.0
            self._observe(track, sent_at, 1.0)
        account.read_finished()

    def _observe(self, track: Track[Job], sent_at: float | None, share: float) -> None:
        account, schedule, now, job = self.account, self.account.schedule, self.now, self._jobs[track.key]
        if now >= job.ended_at:
            self._settle(track, job)
            return
        state = self._state(job, now)
        if state is State.PROCESSING and track.state is State.QUEUED:
            self._timed("answered", schedule.turned, track.key, now if sent_at is None else sent_at)
        track.state = state
        if account.drained(track, now):
            return
        if sent_at is None:
            self._timed("answered", schedule.known_to_run, track.key, now)
        else:
            self._timed("answered", schedule.answered, track.key, now, sent_at=sent_at, share=share)

    def _settle(self, track: Track[Job], job: Job) -> None:
        observation = self._timed("leave", self.account.leave, track, self.now, over=True)
        job.done, job.found_at = True, self.now
        self._open -= 1
        if observation is not None:
            self._timed("learn", self.account.schedule.learn, observation, self.now)
            phases = self.models[job.model]
            if phases.seen >= self._saved[job.model] + SAVED_EVERY:
                self._saved[job.model] = phases.seen
                self._timed("save", phases.to_json)
        self.on_end(job)

    def _listed_page(self, action: AskPage[Job], sent_at: float) -> None:
        """As `aiogen._engine.sweep` reads a page, where every row is whole."""
        account, listing, schedule, now = self.account, self.account.listing, self.account.schedule, self.now
        if account.user_id is None:
            name, slots = self._provider.name, self._slots
            whose = AccountInfo(provider=name, connection=name, user_id="somebody", concurrency_slots=slots)
            account.identified(whose, now)
        account.served()
        limit, keys = self._provider.capabilities.list_page, action.keys
        last = len(self._listed) - action.offset
        names = self._listed[max(0, last - limit) : max(0, last)][::-1]
        missing = listing.read(now, action.offset, names, [key for key in keys if key in account.tracks])
        taken = set(keys)
        running: list[Track[Job]] = []
        ended: list[Track[Job]] = []
        for i, name in enumerate(names):
            track = account.tracks.get(name)
            if track is None:
                continue
            listing.seen(name, action.offset, i)
            is_over = now >= self._jobs[name].ended_at
            if name not in taken and schedule.take_also(name):
                taken.add(name)
                keys.append(name)
            if name in taken or is_over:
                (ended if is_over else running).append(track)
        hazards = {track.key: self._timed("answered", schedule.hazard, track.key, now) for track in running}
        total = sum(hazards.values())
        for name in taken:
            self._jobs[name].questions += 1.0 / len(taken)
        for track in running:
            share = hazards[track.key] / total if total > 0.0 else 1.0
            self._observe(track, sent_at, max(share, 1.0 / len(running)))
        for track in ended:
            self._observe(track, sent_at if track.key in taken else None, 1.0)
        for name in missing:
            schedule.put_back(name, now)
        if hazards and listing.wants_check():
            schedule.ask_now(max(hazards, key=hazards.__getitem__), now)
        account.read_finished()


def _wish(number: int, typical: Typical) -> Submission:
    return Submission(
        model=f"model-{number}", kind="image", endpoint="generations", body={}, timeout=600.0, typical=typical
    )


@contextmanager
def _without_collector() -> Iterator[None]:
    """The garbage collector does not run, so no call is charged with it."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
