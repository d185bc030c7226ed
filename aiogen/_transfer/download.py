"""Image bytes into files: whole or not at all, with a fresh url where the old one died, resumed where it broke."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import attrs
from yarl import URL

from aiogen._content.entity import COMPRESSIONS, MAY_APPEAR, Entity, Mismatch, Verdict, verdict
from aiogen._content.media import Unfit, ending_for, recognise
from aiogen._limits.retry import delay
from aiogen._safety.address import FilePolicy, Refused
from aiogen._transfer.guard import holding_to
from aiogen._transfer.saving import PartFile, TooLarge, file_stem, find_saved, make_folder
from aiogen._transfer.transport import USER_AGENT, Transport
from aiogen._wording import duration
from aiogen.errors import AiogenError, DownloadError, InputError
from aiogen.exchange import Response
from aiogen.models import Action, Generation, Output, State
from aiogen.providers.reading import retry_after

logger = logging.getLogger("aiogen")

_BLOCK = 256 * 1024
_STALL = 60.0
_MAX_REDIRECTS = 5
_APPEARS_WITHIN = 30.0
"""Seconds for which a file that the storage does not know is asked for again."""
_IS_RECENT = 600.0
"""Seconds after its completion in which a generation's files may still be on their way to the storage."""

Refresh = Callable[[Generation], Awaitable[Generation]]
Turn = Callable[[], Awaitable[None]]


class _Expired(Exception):
    """The storage refuses the url: its time may be over, or the file not be there yet."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class _Broken(Exception):
    """The bytes stopped coming, or are not the whole file; trying again may help."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after or 0.0
        """Seconds that the storage asks to wait."""


class Downloader:
    """Saves outputs for one session.  No key ever goes to the host that keeps the files."""

    def __init__(self, transport: Transport, *, attempts: int, max_bytes: int, at_once: int, timeout: float) -> None:
        self._transport = transport
        self._threads = transport.threads
        self._attempts = attempts
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._places = asyncio.Semaphore(at_once)
        self._rare: set[str] = set()
        """The endings of rare kinds that were reported."""

    async def save(
        self,
        generation: Generation,
        directory: Path,
        *,
        overwrite: bool,
        refresh: Refresh,
        turn: Turn | None = None,
        base_url: str | None = None,
        allow_insecure: bool = False,
    ) -> list[Path]:
        """Save every output; see `Session.download`.

        `base_url` and `allow_insecure` are those of the generation's connection; its files may be where it is itself.
        """
        if generation.state is not State.COMPLETED or not generation.outputs:
            raise InputError(
                f"Generation {generation.provider_id} is {generation.state} and has no outputs to save; "
                "download it when it is completed."
            )
        source = _Source(generation, refresh, turn, FilePolicy.of(base_url, insecure=allow_insecure))
        with _typed(f"The folder {str(directory)!r}", "made", source):
            is_folder = await self._threads.run(make_folder, directory)
        if not is_folder:
            raise InputError(f"{str(directory)!r} is, or lies below, a file; a download needs a folder.")
        saved = [self._save_one(source, index, directory, overwrite) for index in range(len(generation.outputs))]
        results = await asyncio.gather(*saved, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [path for path in results if isinstance(path, Path)]

    async def _save_one(self, source: _Source, index: int, directory: Path, overwrite: bool) -> Path:
        stem = file_stem(source.generation, index)
        with _typed(stem, f"written to {str(directory)!r}", source):
            async with self._places:
                if not overwrite:
                    found = await self._threads.run(find_saved, directory, stem)
                    if found is not None:
                        return found
                try:
                    async with asyncio.timeout(self._timeout):
                        return await self._fetch(source, index, directory, stem, overwrite)
                except TimeoutError as error:
                    raise DownloadError(
                        f"{stem} could not be downloaded within {duration(self._timeout)}.",
                        retryable=True,
                        **source.context(),
                    ) from error

    async def _fetch(self, source: _Source, index: int, directory: Path, stem: str, overwrite: bool) -> Path:
        part = await self._open(directory, stem)
        try:
            entity = await self._fill(part, source, index)
            extension = self._ending(part, entity, source.output(index), source, stem)
            return await self._threads.run(part.keep_as, directory / f"{stem}.{extension}", overwrite=overwrite)
        except GeneratorExit:  # nobody is left to be held up, nor to wait
            part.discard()
            raise
        except BaseException:
            await asyncio.shield(self._threads.run(part.discard))
            raise

    async def _open(self, directory: Path, stem: str) -> PartFile:
        """A temporary file.  A caller that is cancelled meanwhile leaves none behind."""
        opening = self._threads.start(PartFile, directory, stem, self._max_bytes)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(self._drop)
            raise

    def _drop(self, opened: asyncio.Future[PartFile]) -> None:
        if not opened.cancelled() and opened.exception() is None:
            self._threads.start(opened.result().discard)

    async def _fill(self, part: PartFile, source: _Source, index: int) -> Entity:
        """Get all the bytes, over as many attempts as it takes and is allowed."""
        entity = Entity()
        failures = 0
        is_fresh = False
        appearing = _Appearing(self._transport.clock.now)
        while True:
            output, before = source.output(index), entity.received
            try:
                await self._stream(part, entity, output.url, source)
                return entity
            except _Expired as error:
                if not is_fresh and error.status != 409:
                    is_fresh = True
                    await source.refresh(output)
                    continue
                wait = appearing.wait() if self._may_appear(error.status, source.generation) else None
                if wait is None:
                    raise DownloadError(
                        f"The storage of {source.generation.connection} answers HTTP {error.status} for output {index} "
                        f"of generation {source.generation.provider_id}"
                        + (", and refuses a fresh url as well." if is_fresh else "."),
                        status=error.status,
                        **source.context(),
                    ) from error
                await asyncio.sleep(wait)
            except _Broken as error:
                failures += 1
                if failures >= self._attempts or error.retry_after > self._timeout:
                    raise DownloadError(
                        f"Output {index} of generation {source.generation.provider_id} could not be downloaded "
                        f"in {failures} attempts: {error}.",
                        retryable=True,
                        **source.context(),
                    ) from error
                if entity.received > before:  # the url has worked, so that it may expire again
                    is_fresh = False
                await asyncio.sleep(error.retry_after + delay(failures, draw=random.uniform))

    def _may_appear(self, status: int, generation: Generation) -> bool:
        """Whether the file may only not be there yet."""
        ended = generation.finished_at
        age = self._transport.clock.wall() - ended.timestamp() if ended is not None else 0.0
        return status in MAY_APPEAR and age < _IS_RECENT

    async def _stream(self, part: PartFile, entity: Entity, address: str, source: _Source) -> None:
        """One attempt: follow the address to its bytes, and write them."""
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **entity.request_headers()}
        timeout = aiohttp.ClientTimeout(total=None, connect=30.0, sock_read=_STALL)
        try:
            url = source.policy.url(address)
            if source.turn is not None:
                await source.turn()
            for _ in range(_MAX_REDIRECTS + 1):
                with holding_to(source.policy, url):
                    async with self._transport.storage.get(
                        url,
                        headers=headers,
                        timeout=timeout,
                        allow_redirects=False,  # each hop is judged, and asked for in the bytes that were signed
                        auto_decompress=False,  # what is counted is what travels
                        raise_for_status=False,
                    ) as answer:
                        if verdict(answer.status) is not Verdict.MOVED:
                            await self._receive(part, entity, answer, source)
                            return
                        url = _next_hop(answer, url, source)
        except AiogenError:
            raise
        except Refused as error:
            raise _refused("The provider gave an output url", error, source) from error
        except (aiohttp.ClientError, OSError, RuntimeError, ValueError) as error:
            # aiohttp raises some of its own errors bare, such as RuntimeError for chunks that are none.
            raise _Broken(f"the connection broke after {entity.size:,} bytes ({type(error).__name__})") from error
        raise DownloadError("The storage redirects without end.", **source.context())

    async def _receive(self, part: PartFile, entity: Entity, answer: aiohttp.ClientResponse, source: _Source) -> None:
        """Take the bytes of an answer, which complete the file."""
        self._look_at_status(entity, answer, source)
        try:
            if not entity.begin(answer.status, answer.headers):
                part.begin(packed=entity.is_gzip)
            if (entity.total or 0) > self._max_bytes:
                raise TooLarge
            async for block in answer.content.iter_chunked(_BLOCK):
                entity.add(len(block))
                with self._on_disk(source):
                    await self._threads.run(part.write, block)
            if entity.is_short:
                raise _Broken(f"the storage sent {entity.size:,} of {entity.total:,} bytes")
            await self._threads.run(part.finish)
            walk = part.walk
            entity.check_end(ended=walk.ended)
            if walk.ends and not walk.ended:
                raise Mismatch(f"the picture is not whole: {walk.broken or 'its end is missing'}")
        except Mismatch as error:
            entity.forget()
            raise _Broken(str(error)) from error
        except TooLarge as error:
            answer.close()
            raise DownloadError(
                f"An output is larger than {self._max_bytes:,} bytes; it was not saved. "
                "Allow more with Session(max_download_bytes=…).",
                action=Action.GIVE_UP,
                **source.context(),
            ) from error

    def _look_at_status(self, entity: Entity, answer: aiohttp.ClientResponse, source: _Source) -> None:
        status = answer.status
        match verdict(status):
            case Verdict.EXPIRED:
                raise _Expired(status)
            case Verdict.CHANGED:
                entity.forget()
                raise _Broken("the file has changed meanwhile")
            case Verdict.BUSY:
                told = Response(
                    status=status, headers=answer.headers, body=b"", received_at=self._transport.clock.wall()
                )
                raise _Broken(f"the storage answered HTTP {status}", retry_after(told))
            case Verdict.REFUSED:
                raise DownloadError(
                    f"The storage answered HTTP {status} for an output of generation {source.generation.provider_id}.",
                    status=status,
                    **source.context(),
                )

    @contextmanager
    def _on_disk(self, source: _Source) -> Iterator[None]:
        """What the disk refuses is no trouble of the connection: another attempt does not help."""
        try:
            yield
        except OSError as error:
            raise DownloadError(
                f"An output of generation {source.generation.provider_id} cannot be written: "
                f"{error.strerror or error}.",
                **source.context(),
            ) from error

    def _ending(self, part: PartFile, entity: Entity, output: Output, source: _Source, stem: str) -> str:
        """The extension for what came, if it is what was promised."""
        said = entity.content_type
        if part.size == 0:
            raise DownloadError(f"The storage sent an empty file for {stem}.", **source.context())
        try:
            if entity.encoding in COMPRESSIONS and recognise(part.head) is None:
                raise Unfit(f"it is compressed ({entity.encoding}), though that was not asked for")
            ending, is_usual = ending_for(part.head, said, output.kind)
        except Unfit as error:
            raise DownloadError(
                f"What came for {stem} ({part.size:,} bytes) was not saved: {error}.", **source.context()
            ) from error
        if not is_usual and ending not in self._rare:
            self._rare.add(ending)
            logger.warning("%s is of a rare kind and was saved as .%s, unchecked (%s)", stem, ending, said or "no type")
        return ending


def _next_hop(answer: aiohttp.ClientResponse, url: URL, source: _Source) -> URL:
    """Where the storage redirects to, if that may be fetched."""
    location = answer.headers.get("Location")
    if location is None:
        raise DownloadError(
            f"The storage redirects (HTTP {answer.status}) and does not say where to.",
            status=answer.status,
            **source.context(),
        )
    try:
        return source.policy.url(location, url)
    except Refused as error:
        raise _refused(f"The storage redirects (HTTP {answer.status}) to an address", error, source) from error


def _refused(what: str, error: Refused, source: _Source) -> DownloadError:
    return DownloadError(f"{what} that {error}; it was not fetched.", action=Action.GIVE_UP, **source.context())


@contextmanager
def _typed(what: str, done: str, source: _Source) -> Iterator[None]:
    """Whatever happens in here is told as an error of ours."""
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
class _Appearing:
    """How long to wait for a file that the storage does not know yet."""

    _now: Callable[[], float]
    _since: float | None = None
    _times: int = 0

    def wait(self) -> float | None:
        """Seconds until it is asked for again; None if that has been long enough."""
        self._since = self._now() if self._since is None else self._since
        self._times += 1
        wait = min(0.5 * 1.5**self._times, 5.0)
        return wait if self._now() + wait - self._since <= _APPEARS_WITHIN else None


class _Source:
    """The outputs of one generation; expired urls are asked for anew once, for all of its outputs together."""

    def __init__(self, generation: Generation, refresh: Refresh, turn: Turn | None, policy: FilePolicy) -> None:
        self.generation = generation
        self.policy = policy
        self.turn = turn
        """Waits for room in the account's budget: vendors do not say whether their storage counts, so it does."""
        self._refresh = refresh
        self._lock = asyncio.Lock()

    def output(self, index: int) -> Output:
        return self.generation.outputs[index]

    def context(self) -> dict[str, str | None]:
        g = self.generation
        return {"provider": g.provider, "connection": g.connection, "job_id": g.id, "provider_id": g.provider_id}

    async def refresh(self, expired: Output) -> None:
        """Ask for fresh urls, unless that was done since `expired` was read."""
        async with self._lock:
            if all(output is not expired for output in self.generation.outputs):
                return
            try:
                fresh = await self._refresh(self.generation)
            except AiogenError as error:
                raise DownloadError(
                    f"The url of an output has expired, and no fresh one could be had: {error}", **self.context()
                ) from error
            if len(fresh.outputs) != len(self.generation.outputs):
                raise DownloadError(
                    f"The url of an output has expired, and generation {self.generation.provider_id} now has "
                    f"{len(fresh.outputs)} outputs instead of {len(self.generation.outputs)}.",
                    **self.context(),
                )
            self.generation = attrs.evolve(self.generation, outputs=fresh.outputs)
