"""What is downloaded: the outputs of one generation, whose urls expire, and how its errors are put."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager

import attrs

from aiogen._answers.outcomes import ids_of
from aiogen._content.measure import Measured
from aiogen._safety.address import FilePolicy
from aiogen.errors import AiogenError, DownloadError, InputError, NotFound, OutputExpired
from aiogen.models import Action, Generation, Output

APPEARS_WITHIN = 30.0
"""Seconds for which a file that the storage does not know is asked for again."""

Refresh = Callable[[Generation], Awaitable[Generation]]
Turn = Callable[[], Awaitable[None]]
HeadersFor = Callable[[str], Mapping[str, str]]


class Expired(Exception):
    """The storage refuses the url: its time may be over, or the file not be there yet."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class Broken(Exception):
    """The bytes stopped coming, or are not the whole file; trying again may help."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after or 0.0
        """Seconds that the storage asks to wait."""


class Source:
    """The outputs of one generation; expired urls are asked for again once, for all of its outputs together."""

    def __init__(
        self,
        generation: Generation,
        refresh: Refresh,
        turn: Turn | None,
        policy: FilePolicy,
        headers_for: HeadersFor = lambda url: {},
    ) -> None:
        self.generation = generation
        self.policy = policy
        self.headers_for = headers_for
        """What a proxy of the user's asks for, for addresses behind it."""
        self.turn = turn
        """Waits for its turn in the account's budget: vendors do not say whether their storage counts, so it does."""
        self.measured: dict[int, Measured] = {}
        """What the files that were seen say of themselves, by the index of the output."""
        self._refresh = refresh
        self._lock = asyncio.Lock()

    def output(self, index: int) -> Output:
        return self.generation.outputs[index]

    def known(self, before: Generation) -> Generation:
        """An earlier snapshot of it with what is known now: addresses that work, and what the files themselves say."""
        if len(before.outputs) != len(self.generation.outputs):
            return before
        outputs = list(self.generation.outputs)
        for i, earlier in enumerate(before.outputs):
            # Another call may have seen a file that this one has not.
            found = self.measured.get(i) or Measured(earlier.media_type, earlier.width, earlier.height)
            said = outputs[i]
            outputs[i] = attrs.evolve(
                said,
                media_type=found.media_type or said.media_type,
                width=found.width or said.width,
                height=found.height or said.height,
            )
        return attrs.evolve(before, outputs=tuple(outputs))

    def context(self) -> dict[str, str | None]:
        """What names the generation in errors."""
        return ids_of(self.generation)

    async def refresh(self, expired: Output) -> None:
        """Ask for fresh urls, unless that was done since `expired` was read."""
        async with self._lock:
            if all(output is not expired for output in self.generation.outputs):
                return
            try:
                fresh = await self._refresh(self.generation)
            except AiogenError as error:
                raise self._without_fresh(error) from error
            if len(fresh.outputs) != len(self.generation.outputs):
                raise DownloadError(
                    f"The url of an output has expired, and generation {self.generation.provider_id} now has "
                    f"{len(fresh.outputs)} outputs instead of {len(self.generation.outputs)}.",
                    **self.context(),
                )
            self.generation = attrs.evolve(self.generation, outputs=fresh.outputs)

    def _without_fresh(self, error: AiogenError) -> DownloadError:
        """What it means that no fresh urls could be had: waiting helps where it helps with the question."""
        text = f"The url of an output has expired, and no fresh one could be fetched: {error.message}"
        if isinstance(error, InputError | NotFound):
            return OutputExpired(text, **self.context())
        action = Action.WAIT if error.action in (Action.RETRY, None) else error.action
        return DownloadError(text, action=action, code=error.code, retry_after=error.retry_after, **self.context())


@contextmanager
def typed(what: str, done: str, source: Source) -> Iterator[None]:
    """Whatever happens in here becomes an error of ours."""
    try:
        yield
    except AiogenError:
        raise
    except OSError as error:
        raise DownloadError(f"{what} cannot be {done}: {error.strerror or error}.", **source.context()) from error
    except Exception as error:
        raise DownloadError(
            f"{what} could not be {done}: {type(error).__name__}: {error}.", **source.context()
        ) from error


@attrs.define
class Appearing:
    """How long to wait for a file that the storage does not know yet."""

    _now: Callable[[], float]
    _since: float | None = None
    _times: int = 0

    def wait(self) -> float | None:
        """Seconds until it is asked for again; None if that has been long enough."""
        self._since = self._now() if self._since is None else self._since
        self._times += 1
        wait = min(0.5 * 1.5**self._times, 5.0)
        return wait if self._now() + wait - self._since <= APPEARS_WITHIN else None
