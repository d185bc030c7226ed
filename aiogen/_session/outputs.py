"""What came of a generation, as one can hold it."""

from __future__ import annotations

import builtins
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from aiogen._batch.moving import move
from aiogen._batch.templates import Template
from aiogen._checks import check_number
from aiogen._engine.job import Job
from aiogen._session.base import SessionBase
from aiogen.errors import InputError
from aiogen.models import Generation

if TYPE_CHECKING:
    from PIL import Image

    from aiogen._transfer.spooling import OutputFile


class OutputCalls(SessionBase):
    """What came of a generation, as one can hold it."""

    async def download(
        self,
        generation: Generation | Job,
        directory: str | os.PathLike[str] = ".",
        *,
        overwrite: bool = False,
        then_delete: bool = False,
        template: str | None = None,
    ) -> builtins.list[Path]:
        """Save every output of a generation as a file; returns the paths, in the order of the outputs.

        Names are `<connection>-<provider id>-<index>.<extension>`; very long ids are shortened.  A file that is already
        there is kept, and nothing is fetched for it, unless `overwrite`; an empty one, or a link, is replaced.  New
        files have the permissions that the process's umask leaves.

        A file gets its name only when it is whole: all bytes that were announced, of one and the same file, and for
        PNG, JPEG, WebP and GIF up to the end of the picture.  An expired url is asked for again at the provider, and a
        file that its storage does not have yet (403, 404, 409) is waited for up to 30 seconds.

        Files are fetched over https from public addresses.  Those of a provider whose `base_url` is on this machine or
        in a private network may be there as well.

        With `then_delete` the generation is deleted at the provider once every output that the provider has, also what
        the connection drops, is in a file with the bytes that the storage sends now, and synced to the disk.  A file
        with other bytes that is there is kept, and the output gets another name.  If something cannot be saved, such as
        upscales, it is not deleted.

        Args:
            generation: or a job, which is awaited first.
            directory: the folder, which is made if it is missing; by default the current one.
            overwrite: replace files that are there.
            then_delete: delete the generation at the provider once everything is saved.
            template: other names, such as `"{connection}/{model}-{id}-{n}.{ext}"`; see `run`.  `{key}` is the vendor's
                id here, too.

        Raises:
            InputError: the generation is not completed, or a file is where the folder should be; `overwrite` and
                `then_delete` are both given.
            DownloadError: the bytes could not be had, or are not what they should be; `status` is the storage's.  With
                `then_delete`, nothing was deleted.
            Unsupported: `then_delete`, and the provider has no such call (Luma); nothing was saved either.
        """
        if then_delete:
            if overwrite:
                raise InputError("then_delete overwrites no file: give overwrite or then_delete, not both.")
            if template is not None:
                raise InputError("then_delete saves under the usual names of files: give no template.")
            place = await self._place(generation.connection, lists=False)
            return await move(place, await _ended(generation), Path(directory))
        names = Template.of(template) if template is not None else None
        done = await _ended(generation)
        stem_of = partial(names.stem_of, done) if names is not None else None
        paths, _ = await self._open().outputs.download(
            generation, Path(directory), overwrite=overwrite, stem_of=stem_of
        )
        return paths

    async def save(
        self,
        generation: Generation | Job,
        path: str | os.PathLike[str],
        *,
        index: int | None = None,
        overwrite: bool = False,
    ) -> builtins.list[Path]:
        """Save the outputs of a generation under a name of yours; returns the paths, in the order of the outputs.

        One output becomes exactly that file, with its folders.  Of several the first gets the name, the others a number
        before the ending (`boat.png`, `boat-1.png`, …): all of them or, if one cannot be had, none.  The bytes are kept
        as they came: if they are of another kind than the name says, the name stays, a warning is logged, and
        see the output's `media_type`.

        A folder, or a path string that ends with a slash, gets the files as from `download`.  Files are as whole as
        there, and come from where they do there.

        Args:
            generation: or a job, which is awaited first.
            path: of the file, or of the folder.
            index: only this output, from 0.
            overwrite: replace files that are there.  Without it a file that is there is an error, for it may be another
                picture (only a folder keeps it: names there have the id in them); empty files and links are replaced.

        Raises:
            InputError: the generation is not completed, has no such output, or something is there already.
            DownloadError: the bytes could not be had, or are not what they should be; `status` is the storage's.
        """
        paths, _ = await self._open().outputs.save(generation, path, index=index, overwrite=overwrite)
        return paths

    async def read(self, generation: Generation | Job, index: int = 0) -> bytes:
        """The bytes of one output, in memory and in no file; at most `max_download_bytes`.

        They are as whole as files from `download`, and come from where these do.

        Args:
            generation: or a job, which is awaited first.
            index: of the output, from 0.

        Raises:
            InputError: the generation is not completed, or has no such output.
            DownloadError: the bytes could not be had, or are not what they should be; `status` is the storage's.
        """
        return await self._open().outputs.read(generation, index)

    async def open_output(
        self, generation: Generation | Job, index: int = 0, *, max_bytes: int | None = None
    ) -> OutputFile:
        """One output to be handed on in pieces: `async with await session.open_output(job) as file`.

        It is whole before the first piece is read, as from `download`.  Up to 1 MiB of it lies in memory, else it is a
        file without a name in the folder for temporary files (`TMPDIR`), which is gone once it is closed.

        Args:
            generation: or a job, which is awaited first.
            index: of the output, from 0.
            max_bytes: a larger one is refused; 1 byte to 1 PiB, and never more than the session's
                `max_download_bytes`, which it is by default.

        Raises:
            InputError: the generation is not completed, or has no such output; or the number is out of its range.
            DownloadError: the bytes could not be had, or are not what they should be; `status` is the storage's.
        """
        if max_bytes is not None:
            max_bytes = int(check_number(max_bytes, "max_bytes", 1, 1 << 50))
        return await self._open().outputs.open(generation, index, max_bytes)

    async def image(self, generation: Generation | Job, index: int = 0) -> Image.Image:
        """One output as a picture of Pillow's, decoded in a thread; needs the extra `images`.

        Args:
            generation: or a job, which is awaited first.
            index: of the output, from 0.

        Raises:
            ImportError: Pillow is not installed; nothing was fetched.
            InputError: the generation is not completed, or has no such output.
            DownloadError: the bytes could not be had; or they are no picture that Pillow reads here, or one of more
                pixels than `PIL.Image.MAX_IMAGE_PIXELS` (89 million).
        """
        return await self._open().outputs.image(generation, index)

    async def urls(self, generation: Generation | Job) -> builtins.list[str]:
        """Addresses of the outputs that work, for a browser or another program to fetch.

        If one has expired, or will within a minute, the provider is asked once for fresh ones; a job has them in
        its `generation` then.  Where neither the address nor the provider says when it expires, it is taken to work.
        It is empty for an output whose bytes the provider sent itself; see `read`.

        Args:
            generation: or a job, which is awaited first.

        Raises:
            InputError: the generation is not completed.
            DownloadError: no fresh ones could be had.
        """
        return await self._open().outputs.urls(generation)


async def _ended(of: Generation | Job) -> Generation:
    return await of if isinstance(of, Job) else of
