"""Requests without a name in common: each a job, and what came of it."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from aiogen._batch.batch import Workshop
from aiogen._batch.rows import row_of
from aiogen._batch.run import Result, Run
from aiogen._batch.templates import Template
from aiogen._engine.job import Job
from aiogen._jobs.submitting import JobTerms


class LooseRun:
    """One run through some requests; see `Session.run`."""

    def __init__(
        self,
        parts: Workshop,
        terms: JobTerms,
        out: Path | None,
        template: Template,
        *,
        ahead: int,
        stop_at_first_failure: bool,
    ) -> None:
        self._parts = parts
        self._terms = terms
        self._out = out
        self._template = template
        self._ahead = ahead
        self._stops = stop_at_first_failure

    async def results(self, requests: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Result[Any]]:
        """What came of each, as they end."""
        save = self._save if self._out is not None else None
        run = Run(submit=self._submit, save=save, ahead=self._ahead, stop_at_first_failure=self._stops)
        async for result in run.results(requests):
            yield result

    async def _submit(self, request: Any, index: int) -> tuple[str | None, Job]:
        row, parts = row_of(request, index), self._parts
        prepared = await parts.submitting.prepare_asked(row.asked, is_keyed=row.own_key is not None)
        terms = attrs.evolve(self._terms, key=row.own_key, metadata=dict(row.columns) or None)
        return row.own_key, await parts.submitting.take_in(prepared, terms)

    async def _save(self, request: Any, index: int, key: str | None, job: Job) -> Iterable[Path]:
        assert self._out is not None
        fields = {"index": index + 1, "key": key, **row_of(request, index).columns}
        stem_of = partial(self._template.stem_of, job.generation, **fields)
        paths, _ = await self._parts.outputs.download(job, self._out, overwrite=False, stem_of=stem_of)
        return paths
