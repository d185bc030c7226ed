"""Generations at a vendor, chosen and deleted: a list that is read to its end first, then one after the other."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import aclosing, suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

import attrs

from aiogen._batch import marks
from aiogen._batch.audit import Audit
from aiogen._batch.choice import Where
from aiogen._batch.moving import Place, secured
from aiogen._batch.saving import check_folder
from aiogen._batch.searching import matching
from aiogen._checks import check_number
from aiogen._wording import count, quoted
from aiogen.errors import AiogenError, AuthenticationError, InputError, NotFound, SessionClosed
from aiogen.models import Generation

_UNMARKED_AT_ONCE = 100


class CleanupOutcome(StrEnum):
    """What became of one generation in a clean-up."""

    FOUND = "found"
    """It matches, and nothing was done: a dry run."""
    DELETED = "deleted"
    """It is deleted."""
    GONE = "gone"
    """It was not there any more: somebody has deleted it, or an attempt of ours whose answer was lost."""
    FAILED = "failed"
    """It is not deleted, or nobody knows; `error` says why."""


@attrs.frozen(kw_only=True)
class Cleaned:
    """One generation of a clean-up."""

    generation: Generation
    """As it was listed, without `raw`."""
    outcome: CleanupOutcome
    files: tuple[Path, ...] = ()
    """What was saved of it first, in the order of its outputs."""
    error: AiogenError | None = None

    @property
    def ok(self) -> bool:
        """True if it is not there any more, or only a dry run has found it."""
        return self.outcome is not CleanupOutcome.FAILED

    def __str__(self) -> str:
        g = self.generation
        created = f"{g.created_at:%Y-%m-%d}" if g.created_at is not None else "-"
        prompt = f" {quoted(g.prompt, 60)}" if g.prompt else ""
        return f"{self.outcome} {g.provider_id} {g.state} {created}{prompt}" + (f": {self.error}" if self.error else "")


@attrs.frozen(kw_only=True)
class Bounds:
    """How a clean-up goes about it; see `Session.cleanup`.

    Raises:
        InputError: a number is out of its range.
    """

    dry_run: bool = True
    limit: int | None = None
    max_delete: int = 100
    stop_at_first_failure: bool = False
    audit: str | os.PathLike[str] | None = None
    save_first: str | os.PathLike[str] | None = None
    pace: float | None = None

    def __attrs_post_init__(self) -> None:
        for name in ("limit", "max_delete"):
            value = getattr(self, name)
            if value is not None:
                check_number(value, name, 1, 1_000_000)
                if not isinstance(value, int):
                    raise InputError(f"{name} has to be a whole number, not {value}.")
        if self.pace is not None:
            check_number(self.pace, "pace", 0.01, 100_000)


class Cleanup:
    """One clean-up.  Nothing is asked before it is awaited, gone through, or asked what it would `find`.

    `async for` gives each generation as it is dealt with; `await` deals with all, and gives the clean-up itself.  What
    is interrupted goes on with either, and so does another clean-up with the same arguments.
    """

    def __init__(self, where: Where, bounds: Bounds, enter: Callable[[], Awaitable[Place]]) -> None:
        """`enter`: the connection and what works on it, once it is known that this connection can be cleaned up.

        Raises:
            InputError: `where` is no `Where`.
        """
        if not isinstance(where, Where):
            raise InputError(f"What to clean up is given as a Where, not as {type(where).__name__}.")
        self._where = where
        self._bounds = bounds
        self._enter = enter
        self._place: Place | None = None
        self._audit: Audit | None = None
        self._left: list[Generation] | None = None
        """What is to be dealt with, the next one last; None as long as nothing was listed."""
        self._finding = asyncio.Lock()
        self._next_at = 0.0
        self.matching: int = 0
        """How many generations match, once they were listed; also those beyond the limit."""
        self.listed: int = 0
        """How many generations were listed."""
        self.results: Counter[CleanupOutcome] = Counter()
        """How many ended how, so far."""

    @property
    def deleted(self) -> int:
        """How many are deleted so far."""
        return self.results[CleanupOutcome.DELETED]

    @property
    def gone(self) -> int:
        """How many were not there any more."""
        return self.results[CleanupOutcome.GONE]

    @property
    def failed(self) -> int:
        """How many could not be deleted so far."""
        return self.results[CleanupOutcome.FAILED]

    def __repr__(self) -> str:
        return f"<Cleanup {self}>"

    def __str__(self) -> str:
        if self._left is None:
            return "nothing listed yet"
        said = [f"{count(number)} {outcome}" for outcome, number in self.results.items()]
        return ", ".join([f"{count(self.matching)} of {count(self.listed)} match", *said])

    async def find(self) -> Sequence[Generation]:
        """What is to be deleted, the oldest first, and is not dealt with yet: listed once, to the end.

        Raises: as `Session.cleanup`, but for `max_delete`.
        """
        async with self._finding:
            if self._place is None:
                place = await self._enter()
                if not self._bounds.dry_run:
                    await self._prepare(place)
                if self._left is None:
                    found, self.listed = await matching(place, self._where)
                    self.matching = len(found)
                    self._left = found[: self._bounds.limit][::-1]
                self._place = place
        assert self._left is not None
        return self._left[::-1]

    def take_over(self, earlier: Cleanup) -> None:
        """Deal with exactly what an earlier clean-up has found and left, such as one that somebody was shown.

        It may be another session's.  Nothing is listed once more.

        Raises:
            InputError: that one has not listed anything yet, or this one has.
        """
        if earlier._left is None or self._left is not None:
            raise InputError(
                "Only a clean-up that has listed its generations can be taken over, by one that has listed none yet."
            )
        self._left = earlier._left[-self._bounds.limit :] if self._bounds.limit is not None else [*earlier._left]
        self.matching, self.listed = earlier.matching, earlier.listed

    async def _prepare(self, place: Place) -> None:
        """What would fail at the first deletion fails before anything is asked."""
        threads = place.hub.transport.threads
        if self._bounds.save_first is not None:
            await threads.run(check_folder, Path(self._bounds.save_first), 0)
        if self._bounds.audit is not None:
            audit = Audit(Path(self._bounds.audit), threads)
            await audit.open()
            await audit.close()

    def __await__(self) -> Generator[Any, None, Cleanup]:
        return self._all().__await__()

    async def _all(self) -> Cleanup:
        async for _ in self:
            pass
        return self

    async def __aiter__(self) -> AsyncIterator[Cleaned]:
        await self.find()
        assert self._left is not None
        assert self._place is not None
        if self._bounds.dry_run:
            while self._left:
                yield self._counted(Cleaned(generation=self._left.pop(), outcome=CleanupOutcome.FOUND))
            return
        if len(self._left) > self._bounds.max_delete:
            raise InputError(
                f"{count(len(self._left))} generations match, and at most {count(self._bounds.max_delete)} may be "
                "deleted at once: nothing was deleted. Allow more (max_delete), or choose fewer (limit)."
            )
        async with aclosing(self._deleting(self._place, self._left)) as results:
            async for result in results:
                yield self._counted(result)

    async def _deleting(self, place: Place, left: list[Generation]) -> AsyncGenerator[Cleaned, None]:
        unmarked = list[str]()
        try:
            if self._bounds.audit is not None:
                self._audit = Audit(Path(self._bounds.audit), place.hub.transport.threads)
                await self._audit.open()
            while left:
                await self._turn()
                if not left:
                    break  # another loop over the same clean-up was quicker
                generation = left.pop()
                try:
                    result = await self._clean(place, generation)
                except BaseException:
                    left.append(generation)  # the next run begins with it
                    raise
                if result.ok:
                    unmarked.append(result.generation.provider_id or "")
                if len(unmarked) >= _UNMARKED_AT_ONCE or not left:
                    await self._unmark(place, unmarked)
                yield result
                if isinstance(result.error, AuthenticationError):
                    raise result.error  # it is the same for all the others
                if not result.ok and self._bounds.stop_at_first_failure:
                    return
        finally:
            if self._audit is not None:
                await self._audit.close()

    async def _turn(self) -> None:
        """Wait until the next deletion may begin."""
        if self._bounds.pace is None:
            return
        now = asyncio.get_running_loop().time()
        if (wait := self._next_at - now) > 0:
            await asyncio.sleep(wait)
        self._next_at = max(now, self._next_at) + 60.0 / self._bounds.pace

    async def _clean(self, place: Place, generation: Generation) -> Cleaned:
        files: tuple[Path, ...] = ()
        provider_id = generation.provider_id or ""
        try:
            if self._bounds.save_first is not None:
                files = tuple(await secured(place, provider_id, Path(self._bounds.save_first)))
        except NotFound:
            return Cleaned(generation=generation, outcome=CleanupOutcome.GONE)
        except SessionClosed:
            raise
        except AiogenError as error:
            return Cleaned(generation=generation, outcome=CleanupOutcome.FAILED, error=error)
        await self._note(place, generation, "deleting", files=files)
        try:
            was_there = await place.calls.delete(place.provider, provider_id, missing_ok=True)
        except AiogenError as error:
            await self._note(place, generation, CleanupOutcome.FAILED, error=error)
            if isinstance(error, SessionClosed):
                raise
            return Cleaned(generation=generation, outcome=CleanupOutcome.FAILED, files=files, error=error)
        except asyncio.CancelledError:  # it may be deleted, or not
            with suppress(AiogenError):
                await self._note(place, generation, "interrupted")
            raise
        outcome = CleanupOutcome.DELETED if was_there else CleanupOutcome.GONE
        await self._note(place, generation, outcome)
        return Cleaned(generation=generation, outcome=outcome, files=files)

    async def _note(
        self,
        place: Place,
        generation: Generation,
        event: str,
        *,
        files: Sequence[Path] = (),
        error: AiogenError | None = None,
    ) -> None:
        if self._audit is None:
            return
        line = _line(place, generation, event)
        if event == "deleting":
            line |= {"files": [str(path) for path in files]}
        if error is not None:
            line |= {"error": f"{type(error).__name__}: {error.message}"}
        await self._audit.add(line, synced=event == "deleting")

    async def _unmark(self, place: Place, ids: list[str]) -> None:
        if self._where.marked:
            for account in place.provider.accounts:
                await marks.change(place.hub.store, account, ids, marked=False)
        ids.clear()

    def _counted(self, result: Cleaned) -> Cleaned:
        self.results[result.outcome] += 1
        return result


def _line(place: Place, generation: Generation, event: str) -> dict[str, Any]:
    created = generation.created_at.isoformat() if generation.created_at is not None else None
    return {
        "at": place.hub.clock.datetime().isoformat(),
        "event": str(event),
        "connection": place.provider.name,
        "provider_id": generation.provider_id,
        "state": str(generation.state),
        "created_at": created,
        "prompt": generation.prompt,
    }


__all__ = ["Bounds", "Cleaned", "Cleanup", "CleanupOutcome"]
