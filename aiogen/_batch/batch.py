"""A batch: requests that belong together under one name, run and run again, and paid for once."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from aiogen._batch.check import Check, Checking, refused
from aiogen._batch.progress import WAITING, Progress, Tally
from aiogen._batch.reading import each_row
from aiogen._batch.results import ResultsFile
from aiogen._batch.rows import BatchRow, Keys, check_batch_name, row_of
from aiogen._batch.run import Result, Run
from aiogen._batch.saving import check_folder
from aiogen._batch.spending import Spending
from aiogen._batch.standing import Standing, read_standing
from aiogen._batch.templates import Template
from aiogen._engine.hub import Hub
from aiogen._engine.job import Job
from aiogen._jobs.cancel import cancel_by_id
from aiogen._jobs.outputs import Outputs
from aiogen._jobs.registry import Registry
from aiogen._jobs.submitting import JobTerms, Prepared, Submitting
from aiogen._transfer.leftovers import sweep
from aiogen._wording import count
from aiogen.costs import Costs
from aiogen.errors import AiogenError
from aiogen.models import Cancellation, Cost, State
from aiogen.stores.base import ADOPTED, RecordQuery

logger = logging.getLogger("aiogen")

_LINES = 100
"""Rows that are written at once."""
_PATIENCE = 30.0
"""Seconds in which another process says what came of a cancel."""


@attrs.frozen(kw_only=True)
class BatchTerms:
    """What a caller says of a batch beside its rows; see `Session.batch`."""

    terms: JobTerms
    retry_failed: int = 0
    redo_changed: bool = False
    out: Path | None = None
    template: Template
    ahead: int = 1000
    stop_at_first_failure: bool = False
    pace: float | None = None
    """New jobs in a minute, at most."""


@attrs.frozen
class Workshop:
    """The parts of a session that a batch works with."""

    hub: Hub
    submitting: Submitting
    registry: Registry
    outputs: Outputs


class Batch:
    """The rows of a list under one name, see `Session.batch`; `async for` yields the result of each row, as it ends."""

    def __init__(
        self,
        name: str,
        requests: Iterable[Any],
        given: BatchTerms,
        spending: Spending,
        parts: Any,  # a Workshop: named here it would make all of the engine a part of what aiogen's types promise
    ) -> None:
        """Nothing is read or sent yet."""
        self.name: str = check_batch_name(name)
        """The name of its jobs in the ledger."""
        self._requests = requests
        self._given = given
        self._spending = spending
        self._parts: Workshop = parts
        self._tally = Tally()
        self._running: dict[Job, _Running] = {}
        self._standing: Standing | None = None
        self._checked: Check | None = None
        self._swept = {given.out}
        """Folders in which nothing of a killed program is left; the first of them is swept when it is checked."""
        self._next_at = 0.0
        """When the next new job may be made, where there is a pace."""

    def __repr__(self) -> str:
        return f"<Batch {self.name!r}>"

    def __len__(self) -> int:
        """The number of rows; known once it was checked.

        Raises:
            TypeError: it was not checked yet.
        """
        if self._checked is None:
            raise TypeError("How many rows a batch has is known once it was checked (Batch.check).")
        return self._checked.rows

    def __aiter__(self) -> AsyncIterator[Result[Any]]:
        return self.results()

    async def check(self) -> Check:
        """Read every row, and compare it with the ledger; nothing is sent.

        Raises:
            RowsError: rows are not valid: all of them, with their lines.
            InputError: the folder cannot be written, or is too full.
            StoreError: the ledger cannot be read.
        """
        given = self._given
        template = given.template if given.out is not None else None
        standing = await self._read_standing()
        checking = Checking(self.name, standing, self._prepare, template, retries=given.retry_failed > 0)
        async with aclosing(self._each()) as rows:  # a file is closed while there are threads for it
            self._checked = checked = await checking.run(rows)
        self._tally.expects(checked.connections)
        if given.out is not None:
            await self._parts.hub.transport.threads.run(check_folder, given.out, checked.new)
        return checked

    async def results(self) -> AsyncIterator[Result[Any]]:
        """The result of each row, as they end: those that had ended before come first.

        Rows that can be read again (a list, the rows of a file) are all checked before the first is sent; rows of a
        generator are checked one by one.

        Raises:
            RowsError: rows are not valid, or have changed since their job was made; nothing was sent.
            InputError: the folder cannot be written, or is too full.
            StoreError: the ledger cannot be read.
        """
        if self._checked is None and not isinstance(self._requests, Iterator):
            await self.check()
        if self._checked is not None and self._checked.changed and not self._given.redo_changed:
            raise refused(
                f"{count(len(self._checked.changed))} rows of the batch {self.name!r} have changed since their job was "
                "made; nothing was sent. Give them other ids, or say that they are to be made again "
                "(redo_changed=True):",
                self._checked.changed,
            )
        standing = await self._read_standing()
        self._spending.begin(await self._parts.hub.store.costs(self._query()))
        keys = Keys(self.name)

        async def submit(request: Any, index: int) -> tuple[str | None, Job | AiogenError]:
            return await self._submit(row_of(request, index), keys, standing)

        run = Run(
            submit=submit,
            save=self._save if self._given.out is not None else None,
            ahead=self._given.ahead,
            stop_at_first_failure=self._given.stop_at_first_failure,
        )
        async with self._writing() as write, aclosing(run.results(self._each())) as results:
            async for result in results:
                self._ended(result, standing)
                await write(result)
                yield result

    def progress(self) -> Progress:
        """How far it is now: by connection and state, with rate, ETA and cost; it asks neither ledger nor provider."""
        running: dict[str, Counter[State]] = {}
        for job, each in self._running.items():
            running.setdefault(each.connection, Counter())[job.state] += 1
        sent = (job for job in self._running if job.state not in WAITING)
        return self._tally.progress(running, Costs.of(job.generation.cost for job in sent))

    async def cancel(self) -> Mapping[Cancellation | None, int]:
        """Cancel all of its jobs that have not ended, whichever process follows them.

        Returns:
            The number of jobs by result.  None counts those that go on: their provider cannot cancel, or did not.  They
            may be charged, and are still followed.

        Raises:
            StoreError: the ledger cannot be read or written.
        """
        parts = self._parts
        await parts.hub.ledger.ready()
        records = await parts.hub.store.find(self._query(states=ADOPTED, limit=1_000_000))
        mine = {job.id: job for job in self._running}
        others = [record.id for record in records if record.id not in mine]
        results = await asyncio.gather(*map(_cancelled, mine.values()), *map(self._cancel_anothers, others))
        return Counter(results)

    async def _cancel_anothers(self, job_id: str) -> Cancellation | None:
        parts = self._parts
        try:
            return await cancel_by_id(parts.hub, parts.registry, job_id, _PATIENCE) or Cancellation.ENDED
        except AiogenError:
            return None

    # --- inside

    def _each(self) -> AsyncGenerator[Any, None]:
        return each_row(self._requests, self._parts.hub.transport.threads)

    def _query(self, **more: Any) -> RecordQuery:
        return RecordQuery(batch=self.name, scope=self._given.terms.scope, **more)

    async def _read_standing(self) -> Standing:
        if self._standing is None:
            hub = self._parts.hub
            await hub.ledger.ready()
            self._standing = await read_standing(hub.store, self.name, self._given.terms.scope)
        return self._standing

    async def _prepare(self, row: BatchRow) -> Prepared:
        return await self._parts.submitting.prepare_asked(row.asked, is_keyed=True)

    async def _submit(self, row: BatchRow, keys: Keys, standing: Standing) -> tuple[str, Job | AiogenError]:
        prepared = await self._prepare(row)
        connection, given = prepared.provider.name, self._given
        self._tally.reads(connection)
        key = keys.of(row.own_key, prepared.asked or "")
        known = standing.get(key)
        is_retried = known is not None and given.retry_failed > 0 and known.may_retry
        is_redone = known is not None and not known.has_asked(prepared.asked)
        taken = None
        try:
            if known is None or is_retried or is_redone:
                taken = self._spending.take(prepared.submission)
                await self._turn()
            terms = attrs.evolve(
                given.terms,
                key=keys.in_ledger(key),
                batch=self.name,
                metadata=dict(row.columns) or None,
                retry=is_retried,
                # The first of them is made at once where the last run has failed.
                retries=max(0, given.retry_failed - 1) if is_retried else given.retry_failed,
                is_redone=given.redo_changed,
            )
            job = await self._parts.submitting.take_in(prepared, terms)
        except AiogenError as error:
            self._tally.loses(connection)
            return key, error
        if job not in self._running:
            self._running[job] = _Running(connection, taken)
        return key, job

    async def _turn(self) -> None:
        """Wait until the pace allows one more."""
        if (pace := self._given.pace) is None:
            return
        now = self._parts.hub.clock.now()
        wait = self._next_at - now
        self._next_at = max(now, self._next_at) + 60.0 / pace
        if wait > 0.0:
            await asyncio.sleep(wait)

    async def _save(self, request: Any, index: int, key: str | None, job: Job) -> Iterable[Path]:
        given, row = self._given, row_of(request, index)
        assert given.out is not None
        fields = {"index": index + 1, "key": key, **row.columns}

        def stem_of(n: int) -> str:
            return given.template.stem_of(job.generation, n, **fields)

        folder = (given.out / stem_of(0)).parent
        if folder not in self._swept:
            self._swept.add(folder)
            await self._parts.hub.transport.threads.run(sweep, folder)
        paths, _ = await self._parts.outputs.download(
            job,
            given.out,
            # What an attempt before this one has left under the name is another picture.
            overwrite=job.attempt > 1,
            stem_of=stem_of,
        )
        return paths

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Callable[[Result[Any]], Awaitable[None]]]:
        """Writes `results.jsonl`, some rows at a time; what was not written when the run was left is written then."""
        out, threads = self._given.out, self._parts.hub.transport.threads
        lines = list[dict[str, Any]]()
        file = ResultsFile(out) if out is not None else None

        async def write(result: Result[Any]) -> None:
            if file is not None:
                lines.append(result.to_dict(out))
                if len(lines) >= _LINES:
                    some = lines.copy()
                    lines.clear()
                    await threads.run(file.add, some)

        try:
            yield write
        finally:
            if file is not None:
                error = await threads.run(_finish, file, lines)
                if error is not None:
                    logger.warning(
                        "%s was not written: %s. No picture is lost by that, and the next run of the batch writes it.",
                        file.path,
                        error.strerror or error,
                    )

    def _ended(self, result: Result[Any], standing: Standing) -> None:
        job = result.job
        running = self._running.pop(job, None) if job is not None else None
        if job is None or running is None:
            return  # not taken in; or the second of two rows with one key
        is_new = result.key is None or not standing.was_over(result.key, job.id)
        self._spending.ended(running.taken, job.generation)
        now = self._parts.hub.clock.now()
        self._tally.ends(running.connection, job.state, job.generation.cost, at=now, is_new=is_new)


@attrs.frozen
class _Running:
    connection: str
    taken: Cost | None
    """What it is taken to cost, if this run has made it."""


def _finish(file: ResultsFile, lines: list[dict[str, Any]]) -> OSError | None:
    if lines:
        file.add(lines)
    return file.done()


async def _cancelled(job: Job) -> Cancellation | None:
    try:
        return await job.cancel()
    except AiogenError:
        return None
