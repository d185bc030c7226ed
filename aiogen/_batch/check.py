"""Every row of a batch, checked before the first is sent: what is wrong, what is new, and what that will cost."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Any

import attrs

from aiogen._batch.rows import BatchRow, Keys, row_of
from aiogen._batch.standing import Known, Standing
from aiogen._batch.templates import Template
from aiogen._jobs.submitting import Prepared
from aiogen._wording import count, plain
from aiogen.costs import Costs
from aiogen.errors import ConfigurationError, InputError, RowProblem, RowsError
from aiogen.models import State

_MOST_SHOWN = 20
_TURN = 10
"""Rows between two turns of the others."""


@attrs.frozen(kw_only=True)
class Check:
    """What a batch would do, as far as the ledger and the rows tell; nothing was sent for it."""

    rows: int
    """How many there are."""
    new: int
    """Jobs that would be made, further attempts among them."""
    standing: dict[State, int]
    """Rows that have a job already, by its state."""
    retried: int
    """Those among them that have failed and would be tried again."""
    changed: tuple[RowProblem, ...]
    """Rows whose content has changed since their job was made."""
    unknown: tuple[RowProblem, ...]
    """Rows whose job may run and be charged, and which are never repeated: decide about them first."""
    costs: Costs
    """What the jobs to be made would cost."""
    connections: dict[str, int]
    """Rows by connection."""


def refused(what: str, problems: Iterable[RowProblem]) -> RowsError:
    """One error for all of them, which names the first."""
    every = tuple(problems)
    listed = "".join(f"\n  {problem}" for problem in every[:_MOST_SHOWN])
    more = f"\n  and {count(len(every) - _MOST_SHOWN)} more" if len(every) > _MOST_SHOWN else ""
    return RowsError(f"{what}{listed}{more}", problems=every)


class Checking:
    """One run through all rows."""

    def __init__(
        self,
        name: str,
        standing: Standing,
        prepare: Callable[[BatchRow], Awaitable[Prepared]],
        template: Template | None,
        *,
        retries: bool,
    ) -> None:
        """`template`: of the files' names, if there will be files; `retries`: what has failed is tried again."""
        self._name = name
        self._standing = standing
        self._prepare = prepare
        self._template = template
        self._retries = retries
        self._keys = Keys(name)
        self._problems: list[RowProblem] = []
        self._changed: list[RowProblem] = []
        self._unknown: list[RowProblem] = []
        self._connections: Counter[str] = Counter()
        self._states: Counter[State] = Counter()
        self._lines: dict[str, int] = {}
        self._stems: dict[bytes, int] = {}
        self._new = self._retried = self._rows = 0
        self._costs = Costs()

    async def run(self, requests: AsyncIterable[Any]) -> Check:
        """Go through them.

        Raises:
            RowsError: rows are not valid.
        """
        index = 0
        async for request in requests:
            if isinstance(request, RowProblem):
                self._problems.append(request)  # the rows behind it can be read
                continue
            await self._one(request, index)
            index += 1
            if index % _TURN == 0:
                await asyncio.sleep(0)
        self._rows = index
        if self._problems:
            number = len(self._problems)
            rows, are = ("row", "is") if number == 1 else ("rows", "are")
            raise refused(f"{count(number)} {rows} of the batch {self._name!r} {are} not valid; nothing was sent:",
                          sorted(self._problems, key=lambda problem: problem.line))  # fmt: skip
        if not self._rows:
            raise InputError(f"There is no row in the batch {self._name!r}.")
        return Check(
            rows=self._rows,
            new=self._new,
            standing=dict(self._states),
            retried=self._retried,
            changed=tuple(self._changed),
            unknown=tuple(self._unknown),
            costs=self._costs,
            connections=dict(self._connections),
        )

    async def _one(self, request: object, index: int) -> None:
        line = index + 1
        try:
            row = row_of(request, index)
            line = row.line
            prepared = await self._prepare(row)
        except ConfigurationError:
            raise  # it is about all rows of the connection, and says what is missing
        except InputError as error:
            self._problems.append(RowProblem(line, error.message))
            return
        self._connections[prepared.provider.name] += 1
        key = self._keys.of(row.own_key, prepared.asked or "")
        if row.own_key is not None and (first := self._lines.setdefault(key, line)) != line:
            self._problems.append(RowProblem(line, f"its name {plain(key, 60)!r} is that of line {count(first)}"))
            return
        self._check_name(row, key, index, line)
        known = self._standing.get(key)
        if known is None:
            self._makes(prepared)
        else:
            self._compare(known, prepared, key, line)

    def _compare(self, known: Known, prepared: Prepared, key: str, line: int) -> None:
        self._states[known.state] += 1
        if known.state is State.UNKNOWN:
            self._unknown.append(RowProblem(line, f"job {known.job_id} ({plain(key, 60)}) may run and be charged"))
        elif known.asked is not None and not known.has_asked(prepared.asked):
            self._changed.append(RowProblem(line, f"{plain(key, 60)!r} was another request in job {known.job_id}"))
        elif self._retries and known.may_retry:
            self._retried += 1
            self._makes(prepared)

    def _makes(self, prepared: Prepared) -> None:
        self._new += 1
        self._costs = self._costs.plus(prepared.submission.estimate)

    def _check_name(self, row: BatchRow, key: str, index: int, line: int) -> None:
        """Two rows may not write the same file; file systems differ in whether they tell capitals apart."""
        if self._template is None or self._template.names_ids:
            return
        fields = {"index": index + 1, "key": key, "n": 0, **row.columns}
        stem = self._template.stem(fields).casefold()
        digest = hashlib.sha256(stem.encode(errors="surrogatepass")).digest()[:12]
        if (first := self._stems.setdefault(digest, line)) != line:
            self._problems.append(
                RowProblem(line, f"its files would have the names of those of line {count(first)} ({plain(stem, 60)})")
            )
