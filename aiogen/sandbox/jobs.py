"""The life of a job. Pure: every state is worked out from the time at which it is asked for, so a job that nobody
asks about costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

import attrs

from .faults import Fault, fault_at
from .script import Fate

State = Literal["queued", "processing", "completed", "failed"]

USUAL_REASONS = {
    # The first four are Luma's own words; the others are worded here, for Luma publishes none.
    "content_moderated": "Generation output was flagged by our content moderation system.",
    "generation_failed": "Generation failed",
    "budget_exhausted": "Insufficient credits to complete this generation.",
    "output_not_found": "Output artifacts not found",
    "image_too_large": "source: image exceeds 50 MB limit",
    "unsupported_format": "image_ref[0]: unsupported format",
    "corrupt_input": "source: image could not be decoded",
    "invalid_request": "Invalid request",
    "rate_limited": "Upstream rate limit",
}


@attrs.frozen
class View:
    """What one question about a job is to be told."""

    fault: Fault | None
    known: bool
    """False: as if there were no such job."""
    state: str
    """One of `State`, or the word that its fate puts in its place."""
    output: Literal["none", "full", "empty", "absent"]


@attrs.define(kw_only=True, eq=False)
class SandboxJob:
    """One accepted create. Times are loop seconds."""

    provider: Literal["luma", "leonardo"]
    id: str
    kind: str
    """Luma's type; for Leonardo "image" or "video"."""
    model: str
    body: dict[str, Any]
    """As it was received."""
    prompt: str
    """Without directives."""
    fate: Fate
    outputs: int
    size: tuple[int, int]
    """Asked for, in pixels."""
    format: Literal["png", "jpeg", "mp4"]
    seed: int
    weight: int = 1
    created_at: float
    started_at: float
    """When it leaves the queue."""
    ends_at: float
    polls: list[float] = attrs.field(factory=list)
    """When it was asked about individually."""
    seen_end_at: float | None = None
    """When a question about it was first told its end."""
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

    def over(self, now: float) -> bool:
        return now >= self.ends_at

    def asked(self, now: float) -> View:
        """What the question that comes now is told. Asking counts."""
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
            self._answered_since_end += self.over(now)
        told = view.known and (fault is None or fault.carried_out)
        if told and view.state in ("completed", "failed") and self.seen_end_at is None:
            self.seen_end_at = now
        return view

    def view(self, now: float) -> View:
        """What is to be said of it now, without counting as a question."""
        fate, state = self.fate, self.state(now)
        told: str = state
        if fate.unknown_state and not self.over(now):
            asked = self._answered - fate.not_found_polls
            if fate.unknown_polls is None or asked < fate.unknown_polls:
                told = fate.unknown_state
        output: Literal["none", "full", "empty", "absent"] = "none"
        if state == "completed":
            output = "full"
            if fate.missing_output and (fate.missing_polls is None or self._answered_since_end < fate.missing_polls):
                output = fate.missing_output
        return View(None, True, told, output)

    def delete_fault(self) -> Fault | None:
        """The fault for the delete that comes now."""
        fault = fault_at(self.fate.delete_faults, self._deletes)
        self._deletes += 1
        return fault

    def download_fault(self, index: int) -> Fault | None:
        """The fault for the download of output `index` that comes now."""
        count = self._downloads.get(index, 0)
        self._downloads[index] = count + 1
        return fault_at(self.fate.download_faults, count)

    @property
    def failure(self) -> tuple[str | None, str | None]:
        """Code and reason, as they are reported when it has failed."""
        code = self.fate.failure_code
        usual = USUAL_REASONS.get(code or "", "Generation failed")
        return None if code == "null" else code, self.fate.failure_reason or usual

    def flagged(self, index: int) -> bool:
        """Whether output `index` is not safe for work."""
        nsfw = self.fate.nsfw
        return nsfw == "all" or (isinstance(nsfw, int) and index < nsfw)


class Jobs:
    """All accepted jobs, in order of acceptance."""

    def __init__(self) -> None:
        self.all: list[SandboxJob] = []
        self._by_id: dict[str, dict[str, SandboxJob]] = {"luma": {}, "leonardo": {}}

    def add(self, job: SandboxJob) -> None:
        self.all.append(job)
        self._by_id[job.provider][job.id] = job

    def get(self, provider: str, job_id: str) -> SandboxJob | None:
        """None also for one that was deleted."""
        return self._by_id[provider].get(job_id)

    def delete(self, job: SandboxJob, now: float) -> None:
        job.deleted_at = now
        self._by_id[job.provider].pop(job.id, None)

    def page(self, provider: str, *, before: float, offset: int, limit: int) -> list[SandboxJob]:
        """Newest first, those created by the loop second `before`."""
        newest_first: Iterator[SandboxJob] = reversed(self._by_id[provider].values())
        visible = (job for job in newest_first if job.created_at <= before)
        return list(islice(visible, offset, offset + limit))
