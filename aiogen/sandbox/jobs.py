"""The life of a job. Pure.

Every state follows from the time for which it is requested, so a job that is not polled costs nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

import attrs

from .script import Fate, Fault
from .script.faults import fault_at

State = Literal["queued", "processing", "completed", "failed"]


@attrs.frozen
class View:
    """What the answer to one poll reports of a job."""

    fault: Fault | None
    known: bool
    """False: as if there were no such job."""
    state: str
    """One of `State`, or the fate's word in place of it."""
    output: Literal["none", "full", "empty", "absent"]


@attrs.define(kw_only=True, eq=False)
class SandboxJob:
    """One accepted create. Times are loop seconds."""

    provider: str
    """The vendor's name."""
    id: str
    kind: str
    """image, video or another of the vendor's types."""
    model: str
    body: dict[str, Any]
    """As received."""
    prompt: str
    """Without directives."""
    fate: Fate
    outputs: int
    size: tuple[int, int]
    """Width and height as requested, in pixels."""
    format: Literal["png", "jpeg", "mp4"]
    seed: int
    weight: int = 1
    created_at: float
    started_at: float
    """When it leaves the queue."""
    ends_at: float
    polls: list[float] = attrs.field(factory=list)
    """When it was polled by its id."""
    seen_end_at: float | None = None
    """When a poll first reported its end."""
    deleted_at: float | None = None
    _answered: int = 0
    _answered_since_end: int = 0
    _deletes: int = 0
    _downloads: dict[int, int] = attrs.field(factory=dict)

    def state(self, now: float) -> State:
        if now < self.started_at:
            return "queued"
        if now < self.ends_at:
            return "processing"
        return "completed" if self.fate.failure_code is None else "failed"

    def has_ended(self, now: float) -> bool:
        return now >= self.ends_at

    def poll(self, now: float) -> View:
        """What the answer to a poll at this moment reports; each call counts as one poll."""
        fault = fault_at(self.fate.poll_faults, len(self.polls))
        self.polls.append(now)
        if fault is not None:
            view = attrs.evolve(self.view(now), fault=fault)
        elif self._answered < self.fate.not_found_polls:
            view = attrs.evolve(self.view(now), known=False)
            self._answered += 1
        else:
            view = self.view(now)
            self._answered += 1
            self._answered_since_end += self.has_ended(now)
        is_reported = view.known and (fault is None or fault.carried_out)
        if is_reported and view.state in ("completed", "failed") and self.seen_end_at is None:
            self.seen_end_at = now
        return view

    def view(self, now: float) -> View:
        """What an answer reports of it now; reading this does not count as a poll."""
        fate, state = self.fate, self.state(now)
        reported: str = state
        if fate.unknown_state and not self.has_ended(now):
            polls = self._answered - fate.not_found_polls
            if fate.unknown_polls is None or polls < fate.unknown_polls:
                reported = fate.unknown_state
        output: Literal["none", "full", "empty", "absent"] = "none"
        if state == "completed":
            output = "full"
            if fate.missing_output and (fate.missing_polls is None or self._answered_since_end < fate.missing_polls):
                output = fate.missing_output
        return View(None, True, reported, output)

    def delete_fault(self) -> Fault | None:
        """The fault for the next delete."""
        fault = fault_at(self.fate.delete_faults, self._deletes)
        self._deletes += 1
        return fault

    def download_fault(self, index: int) -> Fault | None:
        """The fault for the next download of output `index`."""
        count = self._downloads.get(index, 0)
        self._downloads[index] = count + 1
        return fault_at(self.fate.download_faults, count)

    def flagged(self, index: int) -> bool:
        """Whether output `index` is not safe for work."""
        nsfw = self.fate.nsfw
        return nsfw == "all" or (isinstance(nsfw, int) and index < nsfw)


class Jobs:
    """All accepted jobs, in order of acceptance."""

    def __init__(self) -> None:
        self.all: list[SandboxJob] = []
        self._by_id: defaultdict[str, dict[str, SandboxJob]] = defaultdict(dict)

    def add(self, job: SandboxJob) -> None:
        self.all.append(job)
        self._by_id[job.provider][job.id] = job

    def get(self, provider: str, job_id: str) -> SandboxJob | None:
        """None if there is none, or it was deleted."""
        return self._by_id[provider].get(job_id)

    def delete(self, job: SandboxJob, now: float) -> None:
        job.deleted_at = now
        self._by_id[job.provider].pop(job.id, None)

    def page(self, provider: str, *, before: float, offset: int, limit: int) -> list[SandboxJob]:
        """The newest first; only those created at or before the loop second `before`."""
        newest_first: Iterator[SandboxJob] = reversed(self._by_id[provider].values())
        visible = (job for job in newest_first if job.created_at <= before)
        return list(islice(visible, offset, offset + limit))
