"""Requests run together: results come as the jobs end, and no failure of one ends the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs

from aiogen._engine.job import Job
from aiogen.errors import AiogenError, GenerationError
from aiogen.models import Generation

R = TypeVar("R")


@attrs.frozen(kw_only=True)
class Result(Generic[R]):
    """What came of one request."""

    index: int
    """Where the request stood, from 0."""
    request: R
    """As it was given."""
    key: str | None = None
    """The user's name for its job, if it has one."""
    job: Job | None = None
    """None if it could not even be submitted; `error` says why."""
    files: tuple[Path, ...] = ()
    """What was saved, in the order of the outputs."""
    error: AiogenError | None = None
    """Why there is no picture, or no file of it."""

    @property
    def ok(self) -> bool:
        """True if it has completed, and everything that was to be saved is saved."""
        return self.error is None

    @property
    def generation(self) -> Generation | None:
        """The last snapshot; None if it could not be submitted."""
        return self.job.generation if self.job is not None else None

    def to_dict(self, folder: Path | None = None) -> dict[str, Any]:
        """As JSON has it: the generation's own keys (`Generation.to_dict`), and `index`, `key`, `ok`, `files`, `error`.

        `folder`: files in it are named from there.
        """
        generation = self.generation
        found = generation.to_dict(data=False) if generation is not None else {}
        error = self.error
        failure = None
        if error is not None:
            failure = {
                "type": type(error).__name__,
                "message": error.message,
                "action": error.action,
                "code": error.code,
            }
        return {
            "index": self.index,
            "key": self.key,
            "ok": self.ok,
            "files": [str(_below(path, folder)) for path in self.files],
            "error": failure,
            **found,
        }

    def __repr__(self) -> str:
        name = self.key or self.index
        return f"<Result {name} {'ok' if self.ok else f'{type(self.error).__name__}: {self.error}'}>"


Submit = Callable[[R, int], Awaitable[tuple[str | None, Job | AiogenError]]]
"""Submits a request; gives its key and its job, or the error."""
Save = Callable[[R, int, str | None, Job], Awaitable[Iterable[Path]]]
"""Saves what has come of one."""


class Run(Generic[R]):
    """One run through some requests.  Requests are read as there is room for them."""

    def __init__(self, *, submit: Submit[R], save: Save[R] | None, ahead: int, stop_at_first_failure: bool) -> None:
        """What it works with.

        Args:
            submit: takes one in.
            save: saves what has come of one; None if nothing is to be saved.
            ahead: how many may be on their way at once, taken in here and not yet given back.
            stop_at_first_failure: after a failure nothing more is sent; what runs is waited for.
        """
        self._submit = submit
        self._save = save
        self._places = asyncio.Semaphore(ahead)
        self._stops = stop_at_first_failure
        self._results: asyncio.Queue[Result[R] | None] = asyncio.Queue()
        self._waiting: dict[Job, list[Callable[[Job], None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._left = 0
        """Results that have yet to come; and one for the reading of the requests."""
        self._has_stopped = False

    async def results(self, requests: Iterable[R] | AsyncIterable[R]) -> AsyncGenerator[Result[R], None]:
        """What came of each, as they end."""
        self._left = 1
        reading = self._start(self._read(requests))
        try:
            while self._left:
                result = await self._results.get()
                self._left -= 1
                if result is None:
                    continue
                self._places.release()
                if self._stops and not result.ok and not self._has_stopped:
                    self._has_stopped = True
                    reading.cancel()
                    await self._withdraw()
                yield result
            if not reading.cancelled():
                reading.result()  # what the requests themselves have raised
        finally:
            for job, callbacks in self._waiting.items():
                for callback in callbacks:
                    job._forget(callback)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self, requests: Iterable[R] | AsyncIterable[R]) -> None:
        try:
            index = 0
            async with aclosing(_each(requests)) as each:
                async for request in each:
                    await self._places.acquire()
                    self._left += 1
                    await self._one(request, index)
                    index += 1
        finally:
            self._results.put_nowait(None)

    async def _one(self, request: R, index: int) -> None:
        job: Job | AiogenError
        try:
            key, job = await self._submit(request, index)
        except AiogenError as error:
            key, job = None, error
        except BaseException:
            self._left -= 1
            raise
        if isinstance(job, AiogenError):
            self._results.put_nowait(Result(index=index, request=request, key=key, error=job))
        else:
            self._await(Result(index=index, request=request, key=key, job=job), job)

    def _await(self, result: Result[R], job: Job) -> None:
        """No task waits for a job: it calls when it has ended."""

        def ended(job: Job) -> None:
            callbacks = self._waiting[job]
            callbacks.remove(ended)
            if not callbacks:
                del self._waiting[job]
            if job.error is not None:
                self._results.put_nowait(attrs.evolve(result, error=job.error))
            elif self._save is None:
                self._results.put_nowait(result)
            else:
                self._start(self._saved(result, job))

        # Two requests may stand for one job: the same key twice.
        self._waiting.setdefault(job, []).append(ended)
        job._when_done(ended)

    async def _saved(self, result: Result[R], job: Job) -> None:
        assert self._save is not None
        try:
            files = tuple(await self._save(result.request, result.index, result.key, job))
        except AiogenError as error:
            self._results.put_nowait(attrs.evolve(result, error=error))
        else:
            self._results.put_nowait(attrs.evolve(result, files=files))

    async def _withdraw(self) -> None:
        """What was not sent yet is not sent any more."""
        for job in list(self._waiting):
            with suppress(AiogenError, GenerationError):
                await job.withdraw()

    def _start(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _below(path: Path, folder: Path | None) -> Path:
    return path.relative_to(folder) if folder is not None and path.is_relative_to(folder) else path


async def _each(requests: Iterable[R] | AsyncIterable[R]) -> AsyncGenerator[R, None]:
    if isinstance(requests, AsyncIterable):
        try:
            async for request in requests:
                yield request
        finally:
            if isinstance(requests, AsyncGenerator):
                await requests.aclose()
        return
    for request in requests:
        yield request
