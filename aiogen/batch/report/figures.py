"""What the ledger's records of one batch come to, as numbers.  Pure.

Moments are seconds since 1970 by the ledger's clock.  What a program saw by a clock of its own is counted from the
acceptance, which both know.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

import attrs

from aiogen.costs import Costs
from aiogen.models import ACTIONS, Cost, FailureCode, State
from aiogen.stores.base import Record
from aiogen.stores.spent import counts

LONGEST = 300
"""Characters of a prompt or a reason that are shown."""
SHOWN_REASONS = 5
"""Different words on one kind of failure that are shown."""
_JOINERS = "\u200c\u200d"
"""Not printable by themselves, and part of many scripts' words and of emoji."""
_IDLE = 600.0
"""Seconds in which no job is under way: what comes after them is another run."""
_MOST_RUNS = 8


@attrs.frozen(kw_only=True)
class Line:
    """One job, as far as the report needs it: a hundred thousand of these fit into memory."""

    id: str
    name: str
    """Its key, with the number of the attempt if it is not the first; else the beginning of its id."""
    known_by: tuple[str, str] | None
    """What the attempts of one job have in common: its scope and its key; None without a key."""
    prompt: str
    connection: str
    model: str
    """With its connection."""
    asked_model: str
    """As it was asked for."""
    kind: str
    provider_id: str | None
    state: State
    code: str | None
    """Of its failure."""
    reason: str
    helps: str
    vendor_code: str
    is_charged: bool
    """It was sent, and surely not for nothing."""
    cost: Cost | None
    """None if nobody knows it."""
    outputs: int
    added: float
    accepted: float | None
    began: float | None
    ended: float | None
    asked: tuple[float, ...]

    @property
    def seconds(self) -> float | None:
        """From acceptance to the end; None if there was no such time."""
        return None if self.accepted is None or self.ended is None else max(0.0, self.ended - self.accepted)


@attrs.frozen(kw_only=True)
class Failures:
    """All jobs that ended in one way, and against which the same helps."""

    code: str
    helps: str
    lines: tuple[Line, ...]
    reasons: tuple[tuple[str, int], ...]
    """The most frequent words of the vendor, and how often they came."""
    others: int
    """Jobs with other words than these."""
    again: tuple[Line, ...]
    """Those of which no attempt has completed since, or is under way."""


@attrs.frozen(kw_only=True)
class Durations:
    """How long the completed jobs of one model took, from acceptance to the end."""

    model: str
    sorted: tuple[float, ...]
    """Seconds, the shortest first; one or more."""

    def quantile(self, share: float) -> float:
        """The shortest time in which this share of them (above 0, to 1) had completed."""
        return self.sorted[max(0, math.ceil(share * len(self.sorted)) - 1)]


@attrs.frozen(kw_only=True)
class Figures:
    """A batch as numbers."""

    lines: tuple[Line, ...]
    """In the order in which they were added."""
    read_at: float
    """When the ledger was read."""

    @classmethod
    def of(cls, lines: Iterable[Line], read_at: float) -> Figures:
        """Of these jobs, in whatever order."""
        return cls(lines=tuple(sorted(lines, key=lambda line: (line.added, line.id))), read_at=read_at)

    def states(self, lines: Iterable[Line] | None = None) -> dict[State, int]:
        """How many are in which state, in the order of a job's life; states that none is in are left out."""
        found = Counter(line.state for line in (self.lines if lines is None else lines))
        return {state: found[state] for state in State if found[state]}

    def cost(self, lines: Iterable[Line] | None = None) -> Costs:
        """What those cost that were sent, and surely not for nothing; the same as `Store.costs` says."""
        return Costs.of(line.cost for line in (self.lines if lines is None else lines) if line.is_charged)

    @property
    def questions(self) -> int:
        """Questions that are known of; a page of a list counts for each job on it."""
        return sum(len(line.asked) for line in self.lines)

    @property
    def span(self) -> float:
        """Seconds from the first addition to the last end, or until now if some have not ended."""
        return max((self.end_of(line) for line in self.lines), default=0.0) - min(
            (line.added for line in self.lines), default=0.0
        )

    def end_of(self, line: Line) -> float:
        """When it ended; now, if it has not."""
        return max(line.added, self.read_at if line.ended is None else line.ended)

    def by_model(self) -> list[tuple[str, tuple[Line, ...]]]:
        """The jobs of each model, the model with the most first."""
        found: dict[str, list[Line]] = {}
        for line in self.lines:
            found.setdefault(line.model, []).append(line)
        return sorted(((name, tuple(lines)) for name, lines in found.items()), key=lambda each: (-len(each[1]), each))

    def durations(self) -> list[Durations]:
        """Of each model with completed jobs, the one with the most jobs first."""
        found = []
        for model, lines in self.by_model():
            took = [s for line in lines if line.state is State.COMPLETED and (s := line.seconds) is not None]
            if took:
                found.append(Durations(model=model, sorted=tuple(sorted(took))))
        return found

    def failures(self) -> list[Failures]:
        """What went wrong, the most frequent first."""
        found: dict[tuple[str, str], list[Line]] = {}
        for line in self.lines:
            if line.code is not None:
                found.setdefault((line.code, line.helps), []).append(line)
        groups = []
        good = {line.known_by for line in self.lines if line.code is None and line.known_by is not None}
        for (code, helps), lines in found.items():
            said = Counter(line.reason for line in lines if line.reason).most_common()
            groups.append(
                Failures(
                    code=code,
                    helps=helps,
                    lines=tuple(lines),
                    reasons=tuple(said[:SHOWN_REASONS]),
                    others=sum(number for _, number in said[SHOWN_REASONS:]),
                    again=tuple(line for line in lines if line.known_by not in good),
                )
            )
        return sorted(groups, key=lambda group: (-len(group.lines), group.code))

    def runs(self) -> list[tuple[Line, ...]]:
        """The jobs by the runs that they belong to: ten minutes in which none is under way are between two.

        One run with all of them, if there would be too many to show.
        """
        found: list[list[Line]] = []
        busy_until = -math.inf
        for line in self.lines:
            if line.added > busy_until + _IDLE:
                found.append([])
            found[-1].append(line)
            busy_until = max(busy_until, self.end_of(line))
        return [tuple(run) for run in found] if len(found) <= _MOST_RUNS else [self.lines]


def line_of(record: Record) -> Line:
    """What the report needs of a job."""
    known = record.generation
    accepted = _seconds(record.accepted_at)
    seen_at = known.accepted_at if known is not None else None  # by the clock of who saw it
    began = None
    if known is not None and known.began_at is not None and seen_at is not None and accepted is not None:
        began = accepted + max(0.0, (known.began_at - seen_at).total_seconds())
    ended = _seconds(record.finished_at) if record.state.is_terminal else None
    if began is not None and ended is not None:
        began = min(began, ended)
    code, helps = _failure(record)
    connection = clean(record.connection, 64)
    asked_model = (known.model if known is not None else None) or record.model or ""
    model = clean(asked_model, 120)
    return Line(
        id=record.id,
        name=_name(record),
        known_by=None if record.key is None else (record.scope, record.key),
        prompt=clean((known.prompt if known is not None else None) or record.prompt or "", LONGEST),
        connection=record.connection,
        model=f"{connection}/{model}" if model else connection,
        asked_model=asked_model,
        kind=record.kind,
        provider_id=record.provider_id,
        state=record.state,
        code=code,
        reason=clean((known.failure_reason if known is not None else None) or "", LONGEST),
        helps=helps,
        vendor_code=clean((known.vendor_code if known is not None else None) or "", 64),
        is_charged=counts(record),
        cost=record.charge.cost,
        outputs=len(known.outputs) if known is not None else 0,
        added=record.created_at.timestamp(),
        accepted=accepted,
        began=began,
        ended=ended,
        asked=tuple(accepted + after for after in known.asked_after) if known is not None and accepted else (),
    )


def _name(record: Record) -> str:
    if record.key is None:
        return clean(record.id[:8], 8)
    attempt = f" (attempt {record.attempt})" if record.attempt > 1 else ""
    own = record.key.removeprefix(f"{record.batch}/")  # as the rows of a list are known
    return clean(own or record.key, 120) + attempt


def clean(text: str, limit: int) -> str:
    """Other people's text on one line, at most `limit` characters, without characters that control what is shown."""
    words = " ".join(text[: 8 * limit + 64].split())
    words = words if len(words) <= limit else words[: limit - 1].rstrip() + "…"
    return "".join(c if c.isprintable() or c in _JOINERS else "\N{REPLACEMENT CHARACTER}" for c in words)


def quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that this share (above 0, to 1) of them does not exceed; None of none."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else None


def _failure(record: Record) -> tuple[str | None, str]:
    """The code and what helps; None and nothing where it did not fail."""
    known = record.generation
    if record.state is State.FAILED:
        code = (known.failure_code if known is not None else None) or FailureCode.UNKNOWN
        action = (known.action if known is not None else None) or ACTIONS[code]
        return code.value, action.help_text
    if record.state is State.CANCELLED:
        return "cancelled", "It was withdrawn before it was sent, or stopped at the provider."
    if record.state is State.UNKNOWN:
        return (
            "no answer",
            "The create was sent and never answered: it may be running, and may be charged. It is never sent again "
            "by itself.",
        )
    return None, ""


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
