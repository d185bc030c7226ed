"""Image bytes into files: whole or not at all, with a fresh url where the old one died, resumed where it broke."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import random
import re
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import aiohttp
import attrs

from aiogen._media import EXTENSIONS, SNIFF_BYTES, sniff
from aiogen._retry import delay
from aiogen._transport import USER_AGENT, Transport
from aiogen._wire import Response, retry_after
from aiogen._wording import duration
from aiogen.errors import AiogenError, DownloadError, InputError
from aiogen.models import Action, Generation, Output, State
from aiogen.providers.base import is_this_machine

logger = logging.getLogger("aiogen")

_BLOCK = 256 * 1024
_STALL = 60.0
Refresh = Callable[[Generation], Awaitable[Generation]]
Turn = Callable[[], Awaitable[None]]


class _Expired(Exception):
    """Storage says 403: the url's time is over."""


class _Broken(Exception):
    """The bytes stopped coming, or storage failed; trying again may help."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after or 0.0
        """Seconds that the storage asks to wait."""


@attrs.define
class _Part:
    """A file on its way."""

    file: BinaryIO
    size: int = 0
    head: bytes = b""
    etag: str | None = None
    content_type: str = ""

    def restart(self) -> None:
        self.size, self.head = 0, b""

    def write(self, block: bytes) -> None:
        if self.size == 0:  # here, not in `restart`: this runs off the loop
            self.file.seek(0)
            self.file.truncate()
        if len(self.head) < SNIFF_BYTES:
            self.head = (self.head + block)[:SNIFF_BYTES]
        self.file.write(block)
        self.size += len(block)


class Downloader:
    """Saves outputs for one session.  No key ever goes to the host that keeps the files."""

    def __init__(self, transport: Transport, *, attempts: int, max_bytes: int, at_once: int, timeout: float) -> None:
        self._transport = transport
        self._attempts = attempts
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._places = asyncio.Semaphore(at_once)

    async def save(
        self,
        generation: Generation,
        directory: Path,
        *,
        overwrite: bool,
        refresh: Refresh,
        turn: Turn | None = None,
        allow_insecure: bool = False,
    ) -> list[Path]:
        """Save every output; see `Session.download`."""
        if generation.state is not State.COMPLETED or not generation.outputs:
            raise InputError(
                f"Generation {generation.provider_id} is {generation.state} and has no outputs to save; "
                "download it when it is completed."
            )
        source = _Source(generation, refresh, turn, allow_insecure)
        try:
            is_folder = await asyncio.to_thread(_is_folder, directory)
        except OSError as error:
            raise DownloadError(
                f"The folder {str(directory)!r} cannot be made: {error.strerror or error}.", **source.context()
            ) from error
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
        if not overwrite and (found := await asyncio.to_thread(_existing, directory, stem)) is not None:
            return found
        async with self._places:
            try:
                async with asyncio.timeout(self._timeout):
                    return await self._fetch(source, index, directory, stem)
            except TimeoutError as error:
                raise DownloadError(
                    f"{stem} could not be downloaded within {duration(self._timeout)}.",
                    retryable=True,
                    **source.context(),
                ) from error
            except OSError as error:
                raise DownloadError(
                    f"{stem} cannot be written to {str(directory)!r}: {error.strerror or error}.",
                    **source.context(),
                ) from error

    async def _fetch(self, source: _Source, index: int, directory: Path, stem: str) -> Path:
        file, name = await _open_part(directory, stem)
        part = _Part(file)
        try:
            await self._fill(part, source, index)
            extension = self._checked(part, source.output(index), source, stem)
            path = directory / f"{stem}.{extension}"
            await asyncio.to_thread(_commit, part.file, name, path)
            return path
        except GeneratorExit:  # nobody is left to be held up, nor to wait
            _discard(part.file, name)
            raise
        except BaseException:
            await asyncio.shield(asyncio.to_thread(_discard, part.file, name))
            raise

    async def _fill(self, part: _Part, source: _Source, index: int) -> None:
        """Get all the bytes, over as many attempts as it takes and is allowed."""
        failures = 0
        refreshed = False
        while True:
            output = source.output(index)
            try:
                await self._stream(part, output.url, source)
                return
            except _Expired as error:
                if refreshed:
                    raise DownloadError(
                        f"The storage of {source.generation.connection} refuses a fresh url as well (HTTP 403).",
                        status=403,
                        **source.context(),
                    ) from error
                refreshed = True
                part.restart()
                await source.refresh(output)
            except _Broken as error:
                failures += 1
                if failures >= self._attempts or error.retry_after > self._timeout:
                    raise DownloadError(
                        f"Output {index} of generation {source.generation.provider_id} could not be downloaded "
                        f"in {failures} attempts: {error}",
                        retryable=True,
                        **source.context(),
                    ) from error
                # Progress gives a new right to an expired url, too: an hour may have passed.
                refreshed = False
                await asyncio.sleep(error.retry_after + delay(failures, draw=random.uniform))

    async def _stream(self, part: _Part, url: str, source: _Source) -> None:
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        if part.size and part.etag:
            # Without an ETag nothing proves that the rest belongs to the same file.
            headers |= {"Range": f"bytes={part.size}-", "If-Range": part.etag}
        else:
            part.restart()
        self._refuse_strange(url, source)
        if source.turn is not None:
            await source.turn()
        timeout = aiohttp.ClientTimeout(total=None, connect=30.0, sock_read=_STALL)
        try:
            async with self._transport.storage.get(
                url, headers=headers, timeout=timeout, max_redirects=5, raise_for_status=False
            ) as answer:
                self._begin(part, answer, source)
                async for block in answer.content.iter_chunked(_BLOCK):
                    if part.size + len(block) > self._max_bytes:
                        answer.close()
                        raise DownloadError(
                            f"An output is larger than {self._max_bytes:,} bytes; it was not saved. "
                            "Allow more with Session(max_download_bytes=…).",
                            action=Action.GIVE_UP,
                            **source.context(),
                        )
                    await asyncio.to_thread(part.write, block)
        except aiohttp.InvalidURL as error:
            raise DownloadError("The provider gave an output url that is none.", **source.context()) from error
        except aiohttp.TooManyRedirects as error:
            raise DownloadError("The storage redirects without end.", **source.context()) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _Broken(f"the connection broke after {part.size:,} bytes ({type(error).__name__})") from error

    def _begin(self, part: _Part, answer: aiohttp.ClientResponse, source: _Source) -> None:
        """Look at the status before any byte is kept."""
        status = answer.status
        if status == 403:
            raise _Expired
        if status == 416:  # what we have is not the beginning of what is there
            part.etag = None
            raise _Broken("the file has changed meanwhile")
        if status in (408, 425, 429) or status >= 500:
            told = Response(status=status, headers=answer.headers, body=b"", received_at=self._transport.clock.wall())
            raise _Broken(f"the storage answered HTTP {status}", retry_after(told))
        if status not in (200, 206):
            raise DownloadError(
                f"The storage answered HTTP {status} for an output of generation {source.generation.provider_id}.",
                status=status,
                **source.context(),
            )
        if status == 206:
            begins = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
            if begins is None or int(begins[1]) != part.size:
                part.etag = None
                raise _Broken("the storage sent another part than the one asked for")
        else:
            part.restart()
        if (answer.content_length or 0) + part.size > self._max_bytes:
            raise DownloadError(
                f"An output has {answer.content_length:,} bytes, more than {self._max_bytes:,}; it was not saved. "
                "Allow more with Session(max_download_bytes=…).",
                action=Action.GIVE_UP,
                **source.context(),
            )
        etag = answer.headers.get("ETag")
        part.etag = etag if etag and not etag.startswith("W/") else None
        part.content_type = answer.content_type

    def _checked(self, part: _Part, output: Output, source: _Source, stem: str) -> str:
        """The extension for what came, if it is what was promised.

        An image has to begin like one; a kind that this version does not know is taken by its content type.
        """
        found = sniff(part.head)
        said = part.content_type
        family = output.kind if output.kind in ("image", "video") else None
        if family is not None:
            # An EXR may stand beside a film, so any picture or film will do; a page or an error text will not.
            if found is None:
                raise DownloadError(
                    f"What came for {stem} is no {family}: {part.size:,} bytes of {said or 'no content type'} "
                    f"that begin {part.head[:16]!r}.",
                    **source.context(),
                )
            if said and not said.startswith(("image/", "video/", "binary/", "application/octet-stream")):
                raise DownloadError(
                    f"The storage calls {stem} {said!r}, which is no {family}; it was not saved.", **source.context()
                )
        if part.size == 0:
            raise DownloadError(f"The storage sent an empty file for {stem}.", **source.context())
        return EXTENSIONS.get(found or said) or "bin"

    def _refuse_strange(self, url: str, source: _Source) -> None:
        scheme, _, rest = url.partition("://")
        host = rest.split("/")[0].rsplit("@")[-1].rsplit(":", 1)[0].strip("[]")
        if scheme == "https" or (scheme == "http" and is_this_machine(host)):
            return
        if scheme == "http" and source.allow_insecure:
            return
        raise DownloadError(
            f"The provider gave an output url that is not https ({scheme}://{host}); it was not fetched.",
            action=Action.GIVE_UP,
            **source.context(),
        )


class _Source:
    """The outputs of one generation; expired urls are asked for anew once, for all of its outputs together."""

    def __init__(self, generation: Generation, refresh: Refresh, turn: Turn | None, allow_insecure: bool) -> None:
        self.generation = generation
        self.allow_insecure = allow_insecure
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


def file_stem(generation: Generation, index: int) -> str:
    """The name of an output's file without its extension: connection, the vendor's id, index."""
    name = f"{generation.connection}-{generation.provider_id}"
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    # Two ids that differ only in what a file name cannot hold must not share a file.
    mark = "" if safe == name else "-" + hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{safe}{mark}-{index}"


async def _open_part(directory: Path, stem: str) -> tuple[BinaryIO, str]:
    """A temporary file beside the one it will become.  Whoever is cancelled meanwhile leaves none behind."""

    def make() -> tuple[BinaryIO, str]:
        descriptor, name = tempfile.mkstemp(".part", f".{stem}-", directory)
        return os.fdopen(descriptor, "w+b"), name

    def drop(made: asyncio.Future[tuple[BinaryIO, str]]) -> None:
        if not made.cancelled() and made.exception() is None:
            asyncio.get_running_loop().run_in_executor(None, _discard, *made.result())

    making = asyncio.ensure_future(asyncio.to_thread(make))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        making.add_done_callback(drop)
        raise


def _discard(file: BinaryIO, name: str) -> None:
    with suppress(OSError):  # a full disk does not take what was not written yet
        file.close()
    with suppress(OSError):
        os.unlink(name)


def _is_folder(directory: Path) -> bool:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return False
    return True


def _existing(directory: Path, stem: str) -> Path | None:
    for extension in (*EXTENSIONS.values(), "bin"):
        path = directory / f"{stem}.{extension}"
        if path.exists():
            return path
    return None


def _commit(file: BinaryIO, name: str, path: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()
    os.chmod(name, 0o644)  # mkstemp makes it private; a picture is an ordinary file
    os.replace(name, path)
