"""The progress of many jobs: a row per connection that is drawn again and again, or plain lines without a terminal."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

import attrs
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from aiogen import Job
from aiogen.cli.tables import handle
from aiogen.cli.terminal import Terminal
from aiogen.errors import SubmissionUnknown
from aiogen.models import State

_FRAME = 0.125
_SUMMARY = 1.0
_FORECAST = 1.0
_EVENTS = 8
_SHORTEST_BAR = 8
_FREE = 4


@attrs.frozen
class Stage:
    """One group of states in a bar: its word, its colour, and its sign where there are no colours."""

    word: str
    style: str
    sign: str


DONE = Stage("done", "green", "#")
FAILED = Stage("failed", "red", "x")
LOST = Stage("unknown", "bold magenta", "?")
LEFT = Stage("not followed", "magenta", "/")
PROCESSING = Stage("processing", "yellow", "=")
QUEUED = Stage("queued", "cyan", "-")
WAITING = Stage("waiting", "bright_black", ".")
_STAGES = (DONE, FAILED, LOST, LEFT, PROCESSING, QUEUED, WAITING)
_ALWAYS = (WAITING, QUEUED, PROCESSING, DONE, FAILED)
_BY_STATE = {State.PROCESSING: PROCESSING, State.QUEUED: QUEUED}


def stage(job: Job) -> Stage:
    """The stage of a job, in the words of the board."""
    if not job.done:
        return _BY_STATE.get(job.state, WAITING)
    if job.error is None:
        return DONE
    if isinstance(job.error, SubmissionUnknown):
        return LOST
    return FAILED if job.state.is_terminal else LEFT


class Board:
    """Shows jobs while they run; use it with `async with`.

    On a terminal the rows and the last events are drawn in place and vanish at the end.  Without one each event is a
    line, and with `summaries` a line with the counts comes every second.
    """

    def __init__(
        self,
        terminal: Terminal,
        jobs: Sequence[Job],
        *,
        title: str = "",
        summaries: bool = False,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """`look` is called before each drawing: a place to notice what no job reports."""
        self._terminal = terminal
        self._jobs = jobs
        self._title = title
        self._summaries = summaries
        self._look = look
        self._began = time.monotonic()
        self._events: deque[tuple[float, Text]] = deque(maxlen=_EVENTS)
        self._live: Live | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._left: str = ""
        self._left_at = -_FORECAST

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.monotonic() - self._began

    def note(self, text: str, style: str = "", *, minor: bool = False) -> None:
        """Show that something happened; what is `minor` gets no line of its own where summaries count it."""
        if minor and self._summaries:
            return
        self._events.append((self.seconds, Text(self._terminal.clean(text), style)))
        if self._live is None:
            self._terminal.say(f"{self.seconds:6.1f} s  {text}")

    def id_of(self, job: Job) -> str:
        """The id of a job's generation as far as there is room: the whole id, or its beginning where lines are cut."""
        return handle(job.provider_id or "") if self._live is not None else job.provider_id or ""

    async def __aenter__(self) -> Self:
        if self._terminal.is_live:
            # Drawn by a task of ours, not by rich's thread: nothing changes while it is read.
            self._live = Live(
                get_renderable=self.draw,
                console=self._terminal.err,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        assert self._ticker is not None
        self._ticker.cancel()
        # A board that could not be drawn is no reason to lose the jobs.
        await asyncio.gather(self._ticker, return_exceptions=True)
        self._look()
        if self._live is not None:
            self._live.stop()
            self._live = None

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_FRAME if self._live is not None else _SUMMARY)
            self._look()
            if self._live is not None:
                self._live.refresh()
            elif self._summaries:
                self._terminal.say(f"{self.seconds:6.1f} s  {'; '.join(self._lines())}")

    # --- what it looks like

    def draw(self) -> RenderableType:
        """The whole board."""
        connections = list(self._by_connection()) or [("", Counter())]
        rare = [s for s in (LOST, LEFT) if any(stages[s] for _, stages in connections)]
        columns = (*_ALWAYS, *rare)
        # The rest of the line goes to the bar: the counts are worth more than its length.
        taken = 20 + max(len(name) for name, _ in connections) + sum(2 + len(s.word) for s in columns)
        length = min(48, self._terminal.err.width - taken)
        # On a narrow terminal there is no bar, and columns without a count are left out.
        is_narrow = length < _SHORTEST_BAR
        if is_narrow:
            columns = tuple(s for s in columns if any(stages[s] for _, stages in connections))
        gap = 1 if is_narrow else 2
        rows = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bright_black")
        for heading in (*([""] if is_narrow else ["", ""]), "", *(s.word for s in columns)):
            rows.add_column(heading, justify="right" if heading else "left", no_wrap=True)
        for name, stages in connections:
            over = sum(stages[s] for s in (DONE, FAILED, LOST, LEFT))
            counts = (Text(str(stages[s]), s.style if stages[s] else "bright_black") for s in columns)
            bar = [] if is_narrow else [self._bar(stages, length)]
            rows.add_row(Text(name, "bold"), *bar, f"{over} of {stages.total()}", *counts)
        parts: list[RenderableType] = []
        if self._title:
            parts += [Text.assemble((self._title, "bold"), (f"   {self.seconds:.1f} s", "bright_black")), Text()]
        parts += [rows, *([Text(left, "bright_black")] if (left := self._time_left()) else []), Text()]
        parts += [self._event(at, text) for at, text in self._events]
        return Group(*parts)

    def _time_left(self) -> str:
        """Until the last is probably over; updated once a second, because each estimate counts the jobs before it."""
        if self.seconds - self._left_at >= _FORECAST:
            # Of each connection the one that ends last: one that still waits here, else the one submitted last.
            last: dict[str, Job] = {}
            for job in sorted((job for job in self._jobs if not job.done), key=lambda job: stage(job) is WAITING):
                last[job.connection] = job
            etas = [eta.seconds for job in last.values() if (eta := job.eta()) is not None]
            self._left = f"about {brief(max(etas))} left" if etas else ""
            self._left_at = self.seconds
        return self._left

    def _event(self, at: float, text: Text) -> Text:
        line = Text.assemble((f"{at:6.1f} s  ", "bright_black"), text)
        # Some columns stay free: a "^C" that the terminal writes there must not begin a new line.
        line.truncate(max(1, self._terminal.err.width - _FREE), overflow="ellipsis")
        line.no_wrap = True
        return line

    def _by_connection(self) -> Iterator[tuple[str, Counter[Stage]]]:
        for name in dict.fromkeys(job.connection for job in self._jobs):
            yield name, Counter(stage(job) for job in self._jobs if job.connection == name)

    def _bar(self, stages: Counter[Stage], length: int) -> Text:
        console = self._terminal.err
        is_plain = console.no_color or console.options.ascii_only
        bar, total, drawn, past = Text(), max(1, stages.total()), 0, 0
        for s in _STAGES:
            # Rounded at the running total, so that the parts always add up to the whole length.
            past += stages[s]
            end = round(length * past / total)
            bar.append((s.sign if is_plain else "━") * (end - drawn), s.style)
            drawn = end
        return bar

    def _lines(self) -> Iterator[str]:
        for name, stages in self._by_connection():
            counts = ", ".join(f"{stages[s]} {s.word}" for s in _STAGES if stages[s])
            yield f"{name} {counts}"


def brief(seconds: float) -> str:
    return f"{max(1.0, seconds):.0f} s" if seconds < 90.0 else f"{seconds / 60.0:.0f} min"
