"""What came of a generation, as one can hold it: files, bytes, pictures, and addresses that work."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from aiogen._answers import snapshots
from aiogen._answers.outcomes import ids_of
from aiogen._engine.hub import Hub
from aiogen._engine.job import Job
from aiogen._jobs.calls import Calls
from aiogen._jobs.pictures import Undecodable, check_pillow, decode
from aiogen._safety.address import FilePolicy
from aiogen._wording import shorten
from aiogen.errors import DownloadError, InputError
from aiogen.models import Action, Generation, State

if TYPE_CHECKING:
    from PIL import Image

    from aiogen._transfer.download import Downloader
    from aiogen._transfer.source import Refresh, Source
    from aiogen._transfer.spooling import OutputFile
    from aiogen.providers.connections import Connections


class Outputs:
    """The outputs of one session's jobs, and of generations that it is given.

    A job is awaited first; what is learned on the way, such as fresh addresses and the size of a picture, is in its
    snapshot then.
    """

    def __init__(self, hub: Hub, calls: Calls, downloader: Downloader, connections: Connections) -> None:
        self._hub = hub
        self._calls = calls
        self._downloader = downloader
        self._connections = connections
        self._asking: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def download(
        self,
        of: Generation | Job,
        directory: Path,
        *,
        overwrite: bool,
        stem_of: Callable[[int], str] | None = None,
    ) -> tuple[list[Path], Generation]:
        """The files, and the generation as it is known then; see `Session.download`."""
        generation = await _ended(of)
        source = self._source(generation, "save")
        indexes = range(len(generation.outputs))
        saving = self._downloader.save(source, indexes, directory, overwrite=overwrite, stem_of=stem_of)
        paths = await self._calls.until_closed(saving)
        return paths, _noted(of, source)

    async def secure(self, generation: Generation, directory: Path) -> list[Path]:
        """Every output that this reading has, also of one that has failed, on the disk for good; its files.

        They have what the storage sends now.

        Raises:
            DownloadError: that does not hold for all of them.
        """
        if not generation.outputs:
            return []
        provider = self._connections.find(generation.connection)

        async def again(generation: Generation) -> Generation:
            return await self._calls.whole(provider, generation.provider_id or "")

        source = self._source_of(generation, again)
        return await self._calls.until_closed(self._downloader.secure(source, directory))

    async def save(
        self, of: Generation | Job, path: str | os.PathLike[str], *, index: int | None, overwrite: bool
    ) -> tuple[list[Path], Generation]:
        """The files, and the generation as it is known then; see `Session.save`."""
        name = os.fsdecode(path)
        generation = await _ended(of)
        source = self._source(generation, "save")
        indexes: Sequence[int] = range(len(generation.outputs))
        if index is not None:
            indexes = [_checked(generation, index)]
        paths = await self._calls.until_closed(self._save(source, indexes, name, overwrite=overwrite))
        return paths, _noted(of, source)

    async def _save(self, source: Source, indexes: Sequence[int], name: str, *, overwrite: bool) -> list[Path]:
        from aiogen._transfer.saving import means_folder

        is_folder = await self._hub.transport.threads.run(means_folder, name)
        save = self._downloader.save if is_folder else self._downloader.save_as
        return await save(source, indexes, Path(name), overwrite=overwrite)

    async def read(self, of: Generation | Job, index: int) -> bytes:
        """See `Session.read`."""
        generation = await _ended(of)
        source = self._source(generation, "read")
        data = await self._calls.until_closed(self._downloader.read(source, _checked(generation, index)))
        _noted(of, source)
        return data

    async def open(self, of: Generation | Job, index: int, max_bytes: int | None) -> OutputFile:
        """See `Session.open_output`."""
        from aiogen._transfer.spooling import discard

        generation = await _ended(of)
        source = self._source(generation, "read")
        checked = _checked(generation, index)
        part = self._downloader.spooled(max_bytes)
        try:
            found = await self._calls.until_closed(self._downloader.spool(source, checked, part))
        except GeneratorExit:  # nobody is left to be held up, nor to wait
            part.discard()
            raise
        except BaseException:
            await discard(part, self._hub.transport.threads)
            raise
        _noted(of, source)
        return found

    async def image(self, of: Generation | Job, index: int) -> Image.Image:
        """See `Session.image`."""
        threads = self._hub.transport.threads
        await self._calls.until_closed(threads.run(check_pillow))  # its import would hold up the loop
        data = await self.read(of, index)
        try:
            return await self._calls.until_closed(threads.run(decode, data))
        except Undecodable as error:
            generation = await _ended(of)
            raise DownloadError(
                f"Output {index} of generation {generation.provider_id} cannot be decoded: {error}.",
                action=Action.GIVE_UP,
                **ids_of(generation),
            ) from error

    async def urls(self, of: Generation | Job) -> list[str]:
        """See `Session.urls`."""
        generation = await _ended(of)
        # Of all who need fresh ones of a job at once, one asks.
        async with self._asking.setdefault((generation.connection, generation.provider_id or ""), asyncio.Lock()):
            source = self._source(await _ended(of), "give the address of")
            if not snapshots.still_holds(source.generation, self._hub.clock.datetime()):
                await source.refresh(source.generation.outputs[0])
                _noted(of, source)
            return [output.url for output in source.generation.outputs]

    def _source(self, generation: Generation, verb: str) -> Source:
        if generation.state is not State.COMPLETED or not generation.outputs:
            raise InputError(
                f"Generation {generation.provider_id} is {generation.state} and has no outputs to {verb}; download "
                "it once it has completed.",
                **ids_of(generation),
            )
        return self._source_of(generation, self._refreshed)

    def _source_of(self, generation: Generation, refresh: Refresh) -> Source:
        from aiogen._transfer.source import Source

        provider, hub = self._connections.get(generation.connection), self._hub
        return Source(
            generation,
            refresh,
            partial(hub.turn, hub.account(provider)) if provider is not None else None,
            FilePolicy.of(
                provider.base_url if provider is not None else None,
                insecure=provider is not None and provider.allow_insecure,
            ),
            provider.headers_for if provider is not None else lambda url: {},
        )

    async def _refreshed(self, generation: Generation) -> Generation:
        return await self._calls.get(self._connections.find(generation.connection), generation.provider_id or "")


async def _ended(of: Generation | Job) -> Generation:
    return await of if isinstance(of, Job) else of


def _checked(generation: Generation, index: int) -> int:
    count = len(generation.outputs)
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
        raise InputError(
            f"Generation {generation.provider_id} has {count} output{'s' * (count > 1)}; index has to be "
            f"a whole number from 0 to {count - 1}, not {shorten(repr(index), 40)}.",
            **ids_of(generation),
        )
    return index


def _noted(of: Generation | Job, source: Source) -> Generation:
    """The generation with what has been learned; a job has it from now on."""
    if not isinstance(of, Job):
        return source.known(of)
    of.generation = source.known(of.generation)
    return of.generation
