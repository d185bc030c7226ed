"""Many requests at once: run, run again, and cleaned up."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from aiogen._batch import marks
from aiogen._batch.batch import Batch, BatchTerms, Workshop
from aiogen._batch.choice import Where
from aiogen._batch.cleanup import Bounds, Cleanup
from aiogen._batch.loose import LooseRun
from aiogen._batch.run import Result
from aiogen._batch.spending import Spending, cost_of
from aiogen._batch.templates import DEFAULT as DEFAULT_TEMPLATE
from aiogen._batch.templates import Template
from aiogen._checks import check_number
from aiogen._jobs.naming import check_names, rank_of
from aiogen._jobs.submitting import JobTerms
from aiogen._lifetime import Parts
from aiogen._options import JobOptions
from aiogen._session.base import SessionBase
from aiogen.errors import InputError
from aiogen.models import Cost


class BatchCalls(SessionBase):
    """Many requests at once: run, run again, and cleaned up."""

    def run(
        self,
        requests: Iterable[Any] | AsyncIterable[Any],
        *,
        out: str | os.PathLike[str] | None = None,
        template: str = DEFAULT_TEMPLATE,
        ahead: int = 1000,
        stop_at_first_failure: bool = False,
        retries: int = 0,
        batch: str | None = None,
        scope: str = "",
        timeout: float | None = None,
        poll_cost: float | None = None,
        priority: Literal["interactive", "batch"] | int | None = None,
    ) -> AsyncIterator[Result[Any]]:
        """The result of each request, as the jobs end: `async for result in session.run(requests)`.

        A failed request raises nothing: `result.ok` says whether there is a picture, `result.error` why not.  Requests
        are read as there is room for them, so there may be any number.  Leaving the loop stops nothing that was sent.

        Args:
            requests: typed requests, `("luma/uni-1", "a boat")`, optionally with a mapping of parameters as third, or
                `{"model": "luma/uni-1", "prompt": "a boat", …}`; one with an `id` has that as key (see `submit`).
            out: a folder, in which every output is saved before its result is yielded: `result.files`.
            template: the names of the files: `{index}` (from 1), `{key}`, `{id}` (the vendor's), `{n}` (of the output,
                from 0), `{model}`, `{connection}`, ending with `.{ext}`; a slash makes folders.
            ahead: the most unfinished requests at once, 1 to 100,000; each account sends as its limits allow.
            stop_at_first_failure: after a failure send nothing more, and withdraw what waits; what runs is still
                yielded.
            retries: as `submit` takes it, for each.
            batch: as `submit` takes it; see also `batch`, which can be run again.
            scope: as `submit` takes it.
            timeout: as `submit` takes it.
            poll_cost: as `submit` takes it.
            priority: as `submit` takes it.

        Raises:
            InputError: an option is not valid.
        """
        terms = self._terms(
            timeout=timeout, poll_cost=poll_cost, batch=batch, scope=scope, retries=retries, priority=priority
        )
        names = Template.of(template)
        check_number(ahead, "ahead", 1, 100_000)
        return self._run(requests, terms, Path(out) if out is not None else None, names, ahead, stop_at_first_failure)

    async def _run(
        self,
        requests: Iterable[Any] | AsyncIterable[Any],
        terms: JobTerms,
        out: Path | None,
        template: Template,
        ahead: int,
        stops: bool,
    ) -> AsyncIterator[Result[Any]]:
        parts = self._open()
        loose = LooseRun(self._workshop(parts), terms, out, template, ahead=ahead, stop_at_first_failure=stops)
        async for result in loose.results(requests):
            yield result

    def batch(
        self,
        name: str,
        requests: Iterable[Any],
        *,
        out: str | os.PathLike[str] | None = None,
        template: str = DEFAULT_TEMPLATE,
        retry_failed: int = 0,
        redo_changed: bool = False,
        max_cost: Cost | Decimal | float | str | None = None,
        assume_cost: Cost | Decimal | float | str | None = None,
        pace: float | None = None,
        ahead: int = 1000,
        stop_at_first_failure: bool = False,
        scope: str = "",
        timeout: float | None = None,
        poll_cost: float | None = None,
        priority: Literal["interactive", "batch"] | int | None = "batch",
    ) -> Batch:
        """Requests that belong together under one name: `async for result in session.batch("night1", rows)`.

        Run it again, longer, in another order or after a crash, and it pays only for what is new: each row has a key,
        its own `id`, else its content and the number of equal rows before it.  Rows that have completed or run stay;
        failed ones stay unless `retry_failed`; unknown ones are never repeated.  Results are those of `run`, and with
        `out` there is a line for each row in `results.jsonl` beside the pictures.

        Args:
            name: the name in the ledger, 1 to 55 characters.
            requests: as `run` takes them, or the rows of a file (`aiogen.batch.Rows`).  Rows that can be read again are
                all checked before anything is sent.
            out: as `run` takes it.
            template: as `run` takes it; it may also name the columns of the rows that begin with `_`.
            retry_failed: how often a row that has failed is tried again, 0 to 5; each time is charged for by itself.
            redo_changed: make another job for a row whose content has changed under its `id`; else that is an error.
            max_cost: dollars, or a `Cost`: nothing more is sent once the sum would pass it: quoted prices, estimates of
                jobs that run, and unknown jobs.  Jobs that run then go on, and may pass it.
            assume_cost: dollars, or a `Cost`, to count for a job whose price is not known beforehand (most models of
                Leonardo).
            pace: the most new jobs a minute, 0.01 to 100,000; by default as the limits allow.
            ahead: as `run` takes it.
            stop_at_first_failure: as `run` takes it.
            scope: as `submit` takes it.
            timeout: as `submit` takes it.
            poll_cost: as `submit` takes it.
            priority: as `submit` takes it; by default "batch", which gives way to interactive jobs.

        Raises:
            InputError: an option is not valid, or the ledger is in memory by default, where a batch could not be run
                again; with `Session(store=":memory:")` it is allowed.
        """
        if self._is_memory_by_default:
            raise InputError(
                'A batch needs a ledger to be run again without paying twice: Session(store="aiogen.db"). If it need '
                'not survive this process, say so: Session(store=":memory:").'
            )
        if type(retry_failed) is not int or not 0 <= retry_failed <= 5:
            raise InputError(f"retry_failed has to be a whole number from 0 to 5, not {retry_failed!r}.")
        check_number(ahead, "ahead", 1, 100_000)
        terms = self._terms(timeout=timeout, poll_cost=poll_cost, batch=name, scope=scope, priority=priority)
        given = BatchTerms(
            terms=terms,
            retry_failed=retry_failed,
            redo_changed=redo_changed,
            out=Path(out) if out is not None else None,
            template=Template.of(template),
            ahead=ahead,
            stop_at_first_failure=stop_at_first_failure,
            pace=check_number(pace, "pace", 0.01, 100_000) if pace is not None else None,
        )
        spending = Spending(cost_of(max_cost, "max_cost"), cost_of(assume_cost, "assume_cost"))
        return Batch(name, requests, given, spending, self._workshop(self._open()))

    def cleanup(
        self,
        connection: str,
        where: Where,
        *,
        dry_run: bool = True,
        limit: int | None = None,
        max_delete: int = 100,
        stop_at_first_failure: bool = False,
        audit: str | os.PathLike[str] | None = None,
        save_first: str | os.PathLike[str] | None = None,
        pace: float | None = None,
    ) -> Cleanup:
        """Delete the generations at a provider that match, one after the other, the oldest first.

        No request is sent before the returned object is used: `async for` yields a `Cleaned` for each generation,
        `await` deletes all of them, and `find` returns those that match.  The list is read to its end before anything
        is deleted.  Running generations are never deleted.  One that is gone already is a success, so a clean-up that
        was interrupted is simply run again.

        Args:
            connection: one whose provider can list and delete (Leonardo and ComfyUI; Luma can do neither).
            where: the filters; all of them have to hold.
            dry_run: only report what matches; to delete, pass False.
            limit: delete at most this number, 1 to 1,000,000; the others stay.
            max_delete: if more than this number would be deleted, none is; 1 to 1,000,000.  It protects against a
                filter that matches more than expected.
            stop_at_first_failure: end with the first that cannot be deleted; by default the others are deleted all the
                same, unless the key does not work.
            audit: a file that gets a line of JSON before and after each deletion; the one before is on the disk before
                anything is sent.
            save_first: a folder; each is deleted only once everything that the provider has of it is on the disk there,
                as with `download(…, then_delete=True)`.
            pace: the most deletions a minute, 0.01 to 100,000; by default as the account's limits allow.

        Raises:
            InputError: a number is out of its range.  When it is used: more than `max_delete` match, the ledger does
                not know the account (`not_in_ledger`), or nothing can be written to `audit` or `save_first`.
            Unsupported: when it is used: the provider cannot list or delete.
            AuthenticationError: when it is used: the key does not work.
            StoreError: when it is used: the ledger cannot be read (`marked`, `not_in_ledger`).
        """
        bounds = Bounds(
            dry_run=dry_run,
            limit=limit,
            max_delete=max_delete,
            stop_at_first_failure=stop_at_first_failure,
            audit=audit,
            save_first=save_first,
            pace=pace,
        )
        return Cleanup(where, bounds, partial(self._place, connection, lists=True))

    async def mark(self, *ids: str | UUID, connection: str | None = None, marked: bool = True) -> int:
        """Mark generations for deletion by `cleanup` with `Where(marked=True)`; returns how many marks have changed.

        The ledger keeps the marks by the provider's ids until the generations are deleted, also of those that it does
        not know, and of jobs that it has forgotten.

        Args:
            ids: ours or the provider's, in full; all are checked before the first is marked.
            connection: the connection of ids that the ledger does not know.
            marked: False removes the marks.

        Raises:
            InputError: the ledger does not know an id and no connection is named, the job has no id at the provider
                yet, or the id is at several.
            Unsupported: the provider deletes nothing (Luma).
            ConfigurationError: there is no such connection.
            StoreError: the ledger cannot be read or written.
        """
        provider = await self._find(connection) if connection is not None else None
        hub = self._open().hub
        await hub.ledger.ready()
        found = await marks.find(self._store, self.connections, [str(i) for i in ids], provider)
        changed = [await marks.change(self._store, account, each, marked=marked) for account, each in found.items()]
        return sum(changed)

    def _workshop(self, parts: Parts) -> Workshop:
        return Workshop(parts.hub, parts.submitting, parts.registry, parts.outputs)

    def _terms(self, *, scope: str, priority: Any, **more: Any) -> JobTerms:
        check_names({}, None, scope, None, retry=False)
        JobOptions(timeout=more["timeout"], poll_cost=more["poll_cost"], retries=more.get("retries", 0))
        return JobTerms(scope=scope, rank=rank_of(priority), **more)
