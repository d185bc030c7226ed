"""Image bytes into files or memory: whole or not at all, with a fresh url where the old one died, resumed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from aiogen._content.entity import COMPRESSIONS, MAY_APPEAR, Entity
from aiogen._content.media import Unfit, ending_for, recognise, type_of_name
from aiogen._limits.retry import delay
from aiogen._options import DownloadOptions
from aiogen._transfer.parts import Part, PartBytes
from aiogen._transfer.receiving import Receiver
from aiogen._transfer.saving import PartFile, file_stem, find_saved, in_the_way, make_folder, measure_file, names_of
from aiogen._transfer.securing import Roots, place
from aiogen._transfer.source import Appearing, Broken, Expired, Source, typed
from aiogen._transfer.spooling import OutputFile, PartSpool, begun, opened
from aiogen._transfer.transport import Transport
from aiogen._wording import duration
from aiogen.errors import DownloadError, InputError
from aiogen.models import Generation, Output

T = TypeVar("T")
logger = logging.getLogger("aiogen")

_IS_RECENT = 600.0
"""Seconds after its completion in which a generation's files may still be on their way to the storage."""


class Downloader:
    """Saves outputs for one session.  No key ever goes to the host that keeps the files."""

    def __init__(self, transport: Transport, options: DownloadOptions, *, attempts: int) -> None:
        """`attempts`: how often an output is tried in all."""
        self._clock = transport.clock
        self._threads = transport.threads
        self._receiver = Receiver(transport)
        self._attempts = attempts
        self._max_bytes = options.max_download_bytes
        self._timeout = options.download_timeout
        self._places = asyncio.Semaphore(options.max_downloads)
        self._roots = Roots()
        self._rare: set[str] = set()
        """The endings of rare kinds that were reported."""

    async def save(
        self,
        source: Source,
        indexes: Sequence[int],
        directory: Path,
        *,
        overwrite: bool,
        stem_of: Callable[[int], str] | None = None,
    ) -> list[Path]:
        """Save these outputs under names of ours; see `Session.download`.

        `stem_of`: the name of an output by its index, without its ending, below the folder.
        """
        places = list[tuple[int, Path, str]]()
        for index in indexes:
            path = directory / (stem_of(index) if stem_of is not None else file_stem(source.generation, index))
            places.append((index, path.parent, path.name))
        for folder in dict.fromkeys((directory, *(folder for _, folder, _ in places))):
            await self._make(folder, source)
        return await _all([self._save_one(source, index, folder, stem, overwrite) for index, folder, stem in places])

    async def secure(self, source: Source, directory: Path) -> list[Path]:
        """Every output in a file that has what the storage sends now, and that is on the disk for good.

        A file that was there before counts if it has the same bytes, whichever output's name it has: a connection that
        drops outputs numbers the others otherwise.  None is written over.
        """
        await self._make(directory, source)
        with typed(f"The folder {str(directory)!r}", "synced", source):
            await self._threads.run(self._roots.sync, directory)
        return await _all([self._secure_one(source, i, directory) for i in range(len(source.generation.outputs))])

    async def _secure_one(self, source: Source, index: int, directory: Path) -> Path:
        stem, count = file_stem(source.generation, index), len(source.generation.outputs)
        stems = [file_stem(source.generation, i) for i in (index, *range(2 * count))]
        with typed(stem, f"secured in {str(directory)!r}", source):
            async with self._places, self._in_time(stem, source):
                part = await self._begin(directory, stem)
                try:
                    extension = await self._whole(part, source, index, stem)
                    spare = file_stem(source.generation, count + index)
                    return await self._threads.run(place, part, directory, stems, (stem, spare), extension)
                except GeneratorExit:  # nobody is left to be held up, nor to wait
                    part.discard()
                    raise
                except BaseException:
                    await asyncio.shield(self._threads.run(part.discard))
                    raise

    async def save_as(self, source: Source, indexes: Sequence[int], path: Path, *, overwrite: bool) -> list[Path]:
        """Save these outputs, all or none of them, under the name that somebody chose; see `Session.save`."""
        names = names_of(path, len(indexes))
        for name in names:
            with typed(repr(str(name)), "saved", source):
                why = await self._threads.run(in_the_way, name, overwrite=overwrite)
            if why is not None:
                raise InputError(
                    f"Nothing can be saved as {str(name)!r}: {why}. Choose another name, or overwrite a file.",
                    **source.context(),
                )
        await self._make(path.parent, source)
        parts: dict[Path, PartFile] = {}
        try:
            await _all([self._part(source, i, name, parts) for i, name in zip(indexes, names, strict=True)])
            for name, part in parts.items():
                with typed(repr(str(name)), "saved", source):
                    await self._threads.run(part.keep_named, name, overwrite=overwrite)
        except GeneratorExit:  # nobody is left to be held up, nor to wait
            for part in parts.values():
                part.discard()
            raise
        except BaseException:
            for part in parts.values():
                await asyncio.shield(self._threads.run(part.discard))
            raise
        return names

    async def read(self, source: Source, index: int) -> bytes:
        """The bytes of one output, whole, and no file anywhere; see `Session.read`."""
        stem = file_stem(source.generation, index)
        with typed(stem, "read", source):
            async with self._places, self._in_time(stem, source):
                part = PartBytes(self._max_bytes)
                await self._whole(part, source, index, stem)
                return await self._threads.run(part.joined)

    def spooled(self, max_bytes: int | None) -> PartSpool:
        """Where `spool` puts an output; the caller discards it."""
        return PartSpool(self._max_bytes if max_bytes is None else min(max_bytes, self._max_bytes))

    async def spool(self, source: Source, index: int, part: PartSpool) -> OutputFile:
        """One output, whole, to be read in pieces; see `Session.open_output`."""
        stem = file_stem(source.generation, index)
        with typed(stem, "read", source):
            async with self._places, self._in_time(stem, source):
                await self._whole(part, source, index, stem)
                await self._threads.run(part.rewind)
        return opened(part, self._threads)

    async def _make(self, directory: Path, source: Source) -> None:
        with typed(f"The folder {str(directory)!r}", "made", source):
            is_folder = await self._threads.run(make_folder, directory)
        if not is_folder:
            raise InputError(f"{str(directory)!r} is a file, or is inside one; a download needs a folder.")

    async def _save_one(self, source: Source, index: int, directory: Path, stem: str, overwrite: bool) -> Path:
        with typed(stem, f"written to {str(directory)!r}", source):
            async with self._places:
                if not overwrite:
                    found = await self._threads.run(find_saved, directory, stem)
                    if found is not None:
                        source.measured[index] = await self._threads.run(measure_file, found)
                        return found
                async with self._in_time(stem, source):
                    return await self._fetch(source, index, directory, stem, overwrite)

    async def _part(self, source: Source, index: int, name: Path, parts: dict[Path, PartFile]) -> None:
        """One output in a file that only needs its name; it is put among `parts` as soon as it is there."""
        with typed(repr(str(name)), "saved", source):
            async with self._places, self._in_time(repr(str(name)), source):
                # Its own name may be as long as the file system allows.
                part = parts[name] = await self._begin(name.parent, "aiogen")
                await self._whole(part, source, index, name.name)
        is_now, promised = source.measured[index].media_type, type_of_name(name.name)
        if promised is not None and is_now != promised:
            logger.warning(
                "%s is a file of another kind than its name says (%s); it keeps the name",
                name.name,
                is_now or "unknown",
            )

    @asynccontextmanager
    async def _in_time(self, what: str, source: Source) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except TimeoutError as error:
            raise DownloadError(
                f"{what} could not be downloaded within {duration(self._timeout)}.",
                retryable=True,
                **source.context(),
            ) from error

    async def _fetch(self, source: Source, index: int, directory: Path, stem: str, overwrite: bool) -> Path:
        part = await self._begin(directory, stem)
        try:
            extension = await self._whole(part, source, index, stem)
            return await self._threads.run(part.keep_as, directory / f"{stem}.{extension}", overwrite=overwrite)
        except GeneratorExit:  # nobody is left to be held up, nor to wait
            part.discard()
            raise
        except BaseException:
            await asyncio.shield(self._threads.run(part.discard))
            raise

    async def _whole(self, part: Part, source: Source, index: int, name: str) -> str:
        """Have all the bytes, and know that they are what was promised; the extension for them."""
        entity = await self._fill(part, source, index)
        extension = self._ending(part, entity, source.output(index), source, name)
        source.measured[index] = part.measured()
        return extension

    async def _begin(self, directory: Path, stem: str) -> PartFile:
        """A temporary file."""
        return await begun(self._threads, partial(PartFile, directory, stem, self._max_bytes))

    async def _fill(self, part: Part, source: Source, index: int) -> Entity:
        """Get all the bytes, over as many attempts as it takes and is allowed."""
        entity = Entity()
        failures = 0
        is_fresh = False
        appearing = Appearing(self._clock.now)
        while True:
            output, before = source.output(index), entity.received
            if output.data is not None:
                await self._receiver.write(part, output.data, source)
                return entity
            try:
                await self._receiver.receive(part, entity, output.url, source)
                return entity
            except Expired as error:
                if not is_fresh and error.status != 409:
                    is_fresh = True
                    await source.refresh(output)
                    continue
                wait = appearing.wait() if self._may_appear(error.status, source.generation) else None
                if wait is None:
                    raise DownloadError(
                        f"The storage of {source.generation.connection} answered HTTP {error.status} for output "
                        f"{index} of generation {source.generation.provider_id}"
                        + (", and refused a fresh url as well." if is_fresh else "."),
                        status=error.status,
                        **source.context(),
                    ) from error
                await asyncio.sleep(wait)
            except Broken as error:
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
        age = self._clock.wall() - ended.timestamp() if ended is not None else 0.0
        return status in MAY_APPEAR and age < _IS_RECENT

    def _ending(self, part: Part, entity: Entity, output: Output, source: Source, stem: str) -> str:
        """The extension for what came, if it is what was promised."""
        said = entity.content_type
        if part.size == 0:
            raise DownloadError(f"The storage sent an empty file for {stem}.", **source.context())
        try:
            if entity.encoding in COMPRESSIONS and recognise(part.head) is None:
                raise Unfit(f"it is compressed ({entity.encoding}), although that was not requested")
            ending, is_usual = ending_for(part.head, said, output.kind)
        except Unfit as error:
            raise DownloadError(
                f"The file for {stem} ({part.size:,} bytes) was not saved: {error}.", **source.context()
            ) from error
        if not is_usual and ending not in self._rare:
            self._rare.add(ending)
            logger.warning(
                "%s is a file of a rare kind and was saved as .%s, unchecked (%s)", stem, ending, said or "no type"
            )
        return ending


async def _all(saving: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """What all of them give, or the error of the first that failed, once all are done."""
    results = await asyncio.gather(*saving, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return cast(list[T], results)
