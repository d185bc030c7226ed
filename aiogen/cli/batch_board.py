"""The progress of a batch of any size: it counts, and holds no jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from aiogen._batch.batch import Batch
from aiogen.cli.board import DONE, FAILED, LOST, PROCESSING, QUEUED, WAITING, Board, Stage, brief
from aiogen.cli.terminal import Terminal
from aiogen.models import State


class BatchBoard(Board):
    """One row per connection, and below it the rate, the time left, and the cost so far."""

    def __init__(self, terminal: Terminal, batch: Batch, *, title: str) -> None:
        super().__init__(terminal, (), title=title, summaries=True)
        self._batch = batch

    def _by_connection(self) -> Iterator[tuple[str, Counter[Stage]]]:
        for name, each in self._batch.progress().connections.items():
            states = each.states
            yield name, Counter({
                DONE: states.get(State.COMPLETED, 0),
                FAILED: states.get(State.FAILED, 0) + states.get(State.CANCELLED, 0) + each.lost,
                LOST: states.get(State.UNKNOWN, 0),
                PROCESSING: states.get(State.PROCESSING, 0),
                QUEUED: states.get(State.QUEUED, 0),
                WAITING: each.waiting,
            })  # fmt: skip

    def _time_left(self) -> str:
        progress = self._batch.progress()
        # A connection that has done all of its rows says nothing of how fast the others are.
        rate = sum(each.per_minute or 0.0 for each in progress.connections.values() if each.ended < each.total)
        said = [f"{rate:,.0f} a minute"] if rate >= 1.0 else []
        if progress.eta:
            said.append(f"about {brief(progress.eta)} left")
        if progress.costs.amounts:
            said.append(f"{progress.costs} so far")
        return ", ".join(said)
