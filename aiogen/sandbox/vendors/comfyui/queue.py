"""The one worker, the prompts that wait for it, and what is remembered of those that have ended. Pure.

When each prompt starts and ends is known as soon as it is queued, so nothing needs a timer. Whatever changes the queue
plans the rest of it again.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

import attrs

from ...jobs import SandboxJob
from .graph import Graph

INTERRUPTED = "execution_interrupted"
"""As a failure code: a client has stopped the prompt while it ran."""
REMOVED = "removed"
"""As a failure code, for the sandbox's own list of jobs: taken out of the queue, or lost by a restart."""

CACHED_SECONDS = 0.0005
"""Seconds for a prompt of which every node has run before (recorded: less than a millisecond)."""


@attrs.define(kw_only=True, eq=False)
class Entry:
    """One prompt in the queue or in the history."""

    number: float
    """The smaller, the earlier."""
    job: SandboxJob
    graph: Graph
    extra_data: dict[str, Any]
    outputs: list[str]
    """The nodes that save."""
    nodes: list[str]
    """Those that run, in their order."""
    signatures: dict[str, str]
    not_before: float
    """Loop second before which it may not start."""
    seconds: float
    """Of the loop, that it runs unless all of it is remembered."""
    arrival: int = 0
    """Counted by the queue."""
    failing_node: str | None = None
    """At which it ends, if it fails."""
    cached: list[str] = attrs.field(factory=list)
    """Nodes that are not run again."""
    files: dict[str, list[dict[str, str]]] = attrs.field(factory=dict)
    """Node to what it has saved."""

    @property
    def order(self) -> tuple[float, str]:
        return self.number, self.job.id

    def executed(self) -> list[str]:
        """The nodes that ran: all of them, or those before the one that failed."""
        ran = self.nodes
        if self.failing_node in ran:
            ran = ran[: ran.index(self.failing_node)]
        return [node for node in ran if node not in self.cached]


class Queue:
    """The queue of one worker.

    `save` makes the files of an ended entry; `memory` says which of its nodes the next ones need not run again.
    """

    def __init__(self, save: Callable[[Entry], None], *, memory: str, max_history: int) -> None:
        self.history: dict[str, Entry] = {}
        """By id, in the order of their ends; a second one of the same id replaces the first."""
        self._save = save
        self._memory = memory
        self._max_history = max_history
        self._line: list[Entry] = []
        """In the order in which they run; the first one may run already."""
        self._arrived = 0
        self._ran: dict[str, list[dict[str, str]]] = {}
        """Signatures of nodes that need not run again, to what they have saved."""
        self._planned: set[str] = set()
        """The same signatures once everything in the queue will have run."""

    # --- what can be read ---

    def running(self, now: float) -> Entry | None:
        self.settle(now)
        return self._line[0] if self._line and self._line[0].job.started_at <= now else None

    def pending(self, now: float) -> list[Entry]:
        """In the order in which they will run."""
        return self._line[1:] if self.running(now) else [*self._line]

    def pending_as_kept(self, now: float) -> list[Entry]:
        """In the order in which the server keeps them: that of a heap."""
        heap: list[tuple[float, str, int, Entry]] = []
        for entry in sorted(self.pending(now), key=lambda one: one.arrival):
            heapq.heappush(heap, (*entry.order, entry.arrival, entry))
        return [entry for *_, entry in heap]

    def find(self, job_id: str, now: float) -> Entry | None:
        """In the history, else in the queue."""
        self.settle(now)
        return self.history.get(job_id) or next((one for one in self._line if one.job.id == job_id), None)

    # --- what changes it ---

    def put(self, entry: Entry, now: float) -> None:
        self._arrived += 1
        entry.arrival = self._arrived
        first = 1 if self.running(now) else 0
        place = len(self._line)
        while place > first and entry.order < self._line[place - 1].order:
            place -= 1
        self._line.insert(place, entry)
        self._plan(now, only_last=place == len(self._line) - 1)

    def remove(self, job_id: str, now: float) -> bool:
        """Removes one that waits."""
        for entry in self.pending(now):
            if entry.job.id == job_id:
                self._line.remove(entry)
                _end(entry, REMOVED, now)
                self._plan(now)
                return True
        return False

    def clear(self, now: float) -> None:
        """Removes all that wait."""
        for entry in self.pending(now):
            self._line.remove(entry)
            _end(entry, REMOVED, now)
        self._plan(now)

    def interrupt(self, now: float, job_id: str | None = None) -> bool:
        """Ends the one that runs, if it is that one. (The server goes on to the end of the node that runs; here the
        prompt ends at once.)"""
        entry = self.running(now)
        if entry is None or job_id not in (None, entry.job.id):
            return False
        if entry.failing_node is None:
            entry.failing_node = entry.nodes[-1]
        _end(entry, INTERRUPTED, now)
        self.settle(now)
        self._plan(now)
        return True

    def restart(self, now: float) -> None:
        """Forgets everything, and frees the worker."""
        self.settle(now)
        for entry in self._line:
            _end(entry, REMOVED, now)
        self._line.clear()
        self.history.clear()
        self._ran.clear()
        self._planned.clear()

    def settle(self, now: float) -> None:
        """Moves what has ended into the history."""
        while self._line and self._line[0].job.ends_at <= now:
            entry = self._line.pop(0)
            for node in entry.outputs:
                if node in entry.cached:
                    entry.files[node] = self._ran.get(entry.signatures[node], [])
            self._save(entry)
            self._remember(entry)
            self.history[entry.job.id] = entry
            if len(self.history) > self._max_history:
                del self.history[next(iter(self.history))]

    # --- the plan ---

    def _remember(self, entry: Entry) -> None:
        kept = {**self._ran} if self._memory == "all" else {}
        for node in (*entry.cached, *entry.executed()) if self._memory != "none" else ():
            kept[entry.signatures[node]] = entry.files.get(node, [])
        self._ran = kept

    def _plan(self, now: float, *, only_last: bool = False) -> None:
        """Sets the times of what has not started yet; of the last entry only if the others are as they were."""
        first = len(self._line) - 1 if only_last else 0
        if not only_last:
            self._planned = set(self._ran)
        for i in range(first, len(self._line)):
            entry, job = self._line[i], self._line[i].job
            if job.started_at > now:
                entry.cached = [node for node in entry.nodes if entry.signatures[node] in self._planned]
                free_at = self._line[i - 1].job.ends_at if i else now
                seconds = entry.seconds
                if len(entry.cached) == len(entry.nodes):
                    seconds = min(seconds, CACHED_SECONDS)
                job.started_at = max(free_at, entry.not_before)
                job.ends_at = job.started_at + seconds
            self._foresee(entry)

    def _foresee(self, entry: Entry) -> None:
        if self._memory == "last":
            self._planned.clear()
        if self._memory != "none":
            self._planned.update(entry.signatures[node] for node in (*entry.cached, *entry.executed()))


def _end(entry: Entry, code: str, now: float) -> None:
    job = entry.job
    job.fate = attrs.evolve(job.fate, failure_code=code)
    job.started_at, job.ends_at = min(job.started_at, now), now
    if code == REMOVED:
        job.deleted_at = now
