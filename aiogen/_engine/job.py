"""The live handle of one generation."""

from __future__ import annotations

import asyncio
import copy
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from aiogen._account.create_queue import NORMAL
from aiogen._answers.states import may_follow
from aiogen._binding import Binding
from aiogen._checks import check_seconds
from aiogen._wording import duration, lines, short_id
from aiogen.errors import AiogenError
from aiogen.exchange import Submission
from aiogen.models import Cancellation, Eta, Event, Generation, State
from aiogen.providers.base import Provider

if TYPE_CHECKING:
    from PIL import Image


class Outputs(Protocol):
    """What hands out the outputs of jobs; `aiogen._jobs.outputs` does."""

    async def save(
        self, of: Job, path: str | os.PathLike[str], *, index: int | None, overwrite: bool
    ) -> tuple[list[Path], Generation]: ...

    async def read(self, of: Job, index: int) -> bytes: ...

    async def image(self, of: Job, index: int) -> Image.Image: ...


class Attempts(Protocol):
    """What makes further attempts of one job; `aiogen._jobs.attempts` does."""

    ended: list[Generation]
    latest: Job | None

    def goes_on(self, job: Job, error: AiogenError | None) -> bool: ...

    def leave(self) -> None: ...

    def stop(self) -> bool: ...


class Listener(Protocol):
    """What hears of each change of a job's state, and None when there will be no more; a queue is one."""

    def put_nowait(self, event: Event | None, /) -> None: ...


L = TypeVar("L", bound=Listener)


class Job:
    """One generation that a session follows.  Await it to get the finished `Generation`.

    Any number of tasks may await the same job; cancelling one of them, or letting it time out, takes nothing with it.
    Jobs are made by `Session.submit` and `Session.attach`.
    """

    __slots__ = (
        "__weakref__",
        "_accepted",
        "_attempts",
        "_binding",
        "_callbacks",
        "_cancel",
        "_done",
        "_error",
        "_forecast",
        "_handle",
        "_listeners",
        "_not_taken",
        "_outputs",
        "_provider",
        "_withdraw",
        "attempt",
        "batch",
        "connection",
        "generation",
        "id",
        "poll_cost",
        "priority",
        "provider",
        "scope",
        "submission",
        "timeout",
    )

    def __init__(
        self,
        generation: Generation,
        provider: Provider,
        *,
        submission: Submission | None,
        timeout: float,
        poll_cost: float,
        binding: Binding,
        forecast: Callable[[Job], Eta | None],
        withdraw: Callable[[Job], Awaitable[bool]],
        cancel: Callable[[Job, float], Awaitable[Cancellation]],
        outputs: Outputs,
        batch: str | None = None,
        priority: int = NORMAL,
        scope: str = "",
        attempt: int = 1,
    ) -> None:
        self.id: str = generation.id or ""
        """Ours: a UUID made before anything is sent."""
        self.connection: str = generation.connection
        self.provider: str = generation.provider
        self.generation: Generation = generation
        """The latest snapshot."""
        self.submission: Submission | None = submission
        self.timeout: float = timeout
        """Seconds from acceptance to the deadline."""
        self.poll_cost: float = poll_cost
        """Seconds of waiting that one request is worth."""
        self.batch: str | None = batch
        """The user's word for jobs that belong together."""
        self.priority: int = priority
        """0 to 9: which of the jobs that wait here is sent first."""
        self.scope: str = scope
        """Whose it is, by the user's word; scopes take turns."""
        self.attempt: int = attempt
        """Which try this was when it was made, from 1; see `attempts`."""
        self._provider = provider
        self._not_taken = 0
        """How often the vendor has said that it does not take it just now."""
        self._forecast = forecast
        self._withdraw = withdraw
        self._cancel = cancel
        self._outputs = outputs
        self._error: AiogenError | None = None
        self._binding = binding
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # The rest is made only when somebody asks: most jobs are only awaited.
        self._attempts: Attempts | None = None
        self._handle: Job | None = None
        """The job whose later attempt this is, where somebody holds that one."""
        self._accepted: asyncio.Future[None] | None = None
        self._listeners: list[Listener] | None = None
        self._callbacks: list[Callable[[Job], None]] | None = None

    # --- what users read

    @property
    def provider_id(self) -> str | None:
        """The vendor's id; None until the vendor accepted the job."""
        return self.generation.provider_id

    @property
    def state(self) -> State:
        """Where the job stands, as far as is known."""
        return self.generation.state

    @property
    def model(self) -> str | None:
        """The model as it was asked for."""
        return self.generation.model

    @property
    def done(self) -> bool:
        """True once awaiting it returns or raises at once."""
        return self._done.done()

    @property
    def error(self) -> AiogenError | None:
        """What awaiting it raises; None while it runs and when it completed."""
        return self._error

    @property
    def attempts(self) -> tuple[Generation, ...]:
        """Each attempt of it that was made here, the latest last; more than one only with `retries=`.

        Each is a job of its own in the ledger, by its `id`, and charged for by itself.
        """
        return (*(self._attempts.ended if self._attempts is not None else ()), self.generation)

    def __await__(self) -> Generator[Any, None, Generation]:
        return self.result().__await__()

    async def result(self) -> Generation:
        """Wait for the end; the same as awaiting the job.  With `retries=` that is the end of the last attempt.

        Raises:
            GenerationFailed: it failed at the provider, or was refused (`GenerationRefused`).
            GenerationTimeout: its deadline passed; it may still finish.
            SubmissionUnknown: it is not known whether it runs.
            SessionClosed: the session was closed first.
            AuthenticationError, InsufficientFunds: the account cannot create or read.
            NotFound: the provider does not know it (any more).
            InputError: it still runs, in another event loop or process than this one.
        """
        if not self._done.done():
            self._binding.check()
            await asyncio.shield(self._done)
        self._raise()
        return self.generation

    def eta(self) -> Eta | None:
        """How long it may still take, in seconds from now, learned from earlier generations of its model.

        The time that it waits here, or behind others at the vendor, is included.  None if it has ended, or if that
        cannot be estimated, as for a job whose create was never answered.
        """
        return None if self._done.done() else self._forecast(self._latest)

    async def withdraw(self) -> bool:
        """Take it back if it was not sent yet: nothing is charged, and callers that await it get `GenerationFailed`.

        Returns:
            False if it is too late: its create is in flight, it runs, or it has ended.  `cancel` also stops a running
            job, where the provider can.

        Raises:
            InputError: the session belongs to another event loop or process than this one.
            StoreError: the ledger cannot be written.
        """
        if self._done.done():
            return False
        self._binding.check()
        if self._attempts is not None and self._attempts.stop():
            return True  # it has failed, and is not tried again
        return await self._withdraw(self._latest)

    async def cancel(self, *, timeout: float = 30.0) -> Cancellation:
        """Stop it: withdrawn if it was not sent yet, else cancelled at the provider; says which of these it was.

        Callers that await it get `GenerationFailed`; `generation.state` is `cancelled`.  If another process follows it,
        that one is asked by way of the ledger, and reports the result there.

        Args:
            timeout: seconds to wait for another process, 0.001 to 30 days.

        Raises:
            CancelTimeout: another process follows it, and did not report in time whether it could cancel it; the
                request stays in the ledger.
            Unsupported: it was sent, and the provider has no call that cancels (Luma, Leonardo): it goes on, may be
                charged, and is still followed.
            SubmissionUnknown: it is not known whether it runs.
            APIError, NetworkError: the cancel could not be delivered; the job goes on.
        """
        if self._done.done():
            if self.state is State.UNKNOWN:
                self._raise()
            if self.state.is_terminal:
                return Cancellation.ENDED
        self._binding.check()
        check_seconds(timeout, "timeout")
        if self._attempts is not None and self._attempts.stop():
            return Cancellation.ENDED
        return await self._cancel(self._latest, timeout)

    async def save(
        self, path: str | os.PathLike[str], *, index: int | None = None, overwrite: bool = False
    ) -> list[Path]:
        """Wait for the end, then save its outputs; see `Session.save`.

        `generation` then has the media type and the size of what was saved.

        Args:
            path: of the file, or of a folder.
            index: only this output, from 0.
            overwrite: replace files that are there.

        Raises:
            InputError: it has no such output, or something is there already.
            DownloadError: the bytes could not be fetched, or are not what they should be.
            AiogenError: what awaiting it raises; see `result`.
        """
        self._binding.check()
        paths, _ = await self._outputs.save(self, path, index=index, overwrite=overwrite)
        return paths

    async def read(self, index: int = 0) -> bytes:
        """Wait for the end, then fetch the bytes of one output; see `Session.read`.

        `generation` then has its media type and its size.

        Args:
            index: of the output, from 0.

        Raises:
            InputError: it has no such output.
            DownloadError: the bytes could not be fetched, or are not what they should be.
            AiogenError: what awaiting it raises; see `result`.
        """
        self._binding.check()
        return await self._outputs.read(self, index)

    async def image(self, index: int = 0) -> Image.Image:
        """Wait for the end, then fetch one output and decode it with Pillow; see `Session.image`.

        Args:
            index: of the output, from 0.

        Raises:
            ImportError: Pillow is not installed; nothing was fetched.
            InputError: it has no such output.
            DownloadError: the bytes could not be fetched, or are not a picture that Pillow reads.
            AiogenError: what awaiting it raises; see `result`.
        """
        self._binding.check()
        return await self._outputs.image(self, index)

    async def accepted(self) -> str:
        """Wait until the provider has accepted the job; returns the provider's id.

        Raises:
            AiogenError: what awaiting it raises, if it ends before it is accepted; see `result`.
        """
        while self.provider_id is None:
            if self._done.done():
                self._raise()
                break
            self._binding.check()
            if self._accepted is None:
                self._accepted = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._accepted)
        return self.provider_id or ""

    async def events(self) -> AsyncIterator[Event]:
        """Each change of state, beginning with the present one; ends with the job, or when it is no longer followed.

        Nothing is raised for a job that fails: its last event says so, and awaiting the job raises.

        Raises:
            InputError: the session belongs to another event loop or process than this one.
        """
        if not self._done.done():
            self._binding.check()
        yield Event(self.id, self.state, None, datetime.now().astimezone(), self.eta())
        if self._done.done():
            return
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        with self._listening(queue):
            while (event := await queue.get()) is not None:
                yield event

    @contextmanager
    def _listening(self, listener: L) -> Iterator[L]:
        """Inside, it hears of each change of state, and None when the job is over or no longer followed."""
        listeners = self._listeners = self._listeners or []
        listeners.append(listener)
        try:
            yield listener
        finally:
            listeners.remove(listener)

    def __repr__(self) -> str:
        known = repr(self.generation).removeprefix("<Generation ").removesuffix(">")
        ended = f" {type(self._error).__name__}" if self._error is not None else ""
        return f"<Job {short_id(self.id)} {known}{ended}>"

    def describe(self) -> str:
        """All that is known of it, one fact a line, for people."""
        eta = self.eta()
        rows = {
            "batch": self.batch,
            "attempts": str(len(self.attempts)) if self._attempts is not None else None,
            "deadline": f"{duration(self.timeout)} after acceptance",
            "still to go": f"about {eta}" if eta is not None else None,
        }
        ended = f"\n{self._error.describe()}" if self._error is not None else ""
        return f"{lines(f'Job: {self.id}', rows.items())}\n{self.generation.describe()}{ended}"

    # --- what the coordinator does

    @property
    def _latest(self) -> Job:
        """The attempt under way."""
        return (self._attempts.latest if self._attempts is not None else None) or self

    def _follow(self, latest: Job) -> None:
        """Another attempt is under way: show how it stands."""
        latest._handle = self
        self._show(latest.generation, datetime.now().astimezone())

    def _raise(self) -> None:
        if self._error is None:
            return
        # Each waiter gets its own copy: tracebacks of different tasks do not pile up on one object.
        error = copy.copy(self._error)
        error.__cause__ = self._error.__cause__
        raise error

    def _update(self, generation: Generation, at: datetime, *, skips: bool = False) -> None:
        """A newer snapshot.  States that lead backwards were filtered before; this is the last line.

        `skips`: it is read in the ledger, so nobody here saw what came between; what is over stays so.
        """
        previous = self.generation.state
        allowed = not previous.is_terminal if skips else may_follow(previous, generation.state)
        if generation.state is not previous and not allowed:
            return
        self._show(generation, at)
        if self._handle is not None:
            self._handle._show(generation, at)

    def _show(self, generation: Generation, at: datetime) -> None:
        previous, self.generation = self.generation.state, generation
        if generation.provider_id is not None and self._accepted is not None:
            _wake(self._accepted)
            self._accepted = None
        if generation.state is not previous and self._listeners:
            eta = None if generation.state.is_terminal else self.eta()
            event = Event(self.id, generation.state, previous, at, eta)
            for listener in self._listeners:
                listener.put_nowait(event)

    def _finish(self, error: AiogenError | None) -> None:
        """Resolve every waiter, once."""
        if self._done.done():
            return
        if error is not None:
            error.generation = error.generation or self.generation
        if self._attempts is not None and self._attempts.goes_on(self, error):
            return
        self._error = error
        self._done.set_result(None)
        if self._accepted is not None:
            _wake(self._accepted)
        for listener in self._listeners or ():
            listener.put_nowait(None)
        callbacks, self._callbacks = self._callbacks, None
        for callback in callbacks or ():
            callback(self)

    def _when_done(self, callback: Callable[[Job], None]) -> None:
        if self._done.done():
            callback(self)
        else:
            self._binding.check()
            self._callbacks = [*(self._callbacks or ()), callback]

    def _forget(self, callback: Callable[[Job], None]) -> None:
        if self._callbacks:
            self._callbacks = [c for c in self._callbacks if c is not callback]


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
