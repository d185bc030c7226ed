"""The audit file of a clean-up: one JSON object a line, before and after each deletion.

A line before is on the disk before the deletion is sent, so whatever was deleted stands there, however the program
ended.  Each is added at the end in one piece; earlier ones are never touched.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from aiogen._transfer.threads import Threads
from aiogen.errors import InputError

_MODE = 0o600
"""Of a new file: prompts are in it."""


class Audit:
    """One audit file, open for adding."""

    def __init__(self, path: Path, threads: Threads) -> None:
        """Nothing is opened yet."""
        self._path = path
        self._threads = threads
        self._file: int | None = None
        self._writing: asyncio.Future[None] | None = None
        self._in_use = Lock()  # a caller that is interrupted leaves a thread that may still write

    async def open(self) -> None:
        """Make it, if it is not there.

        Raises:
            InputError: nothing can be added to it.
        """
        try:
            self._file = await self._threads.run(_opened, self._path)
        except OSError as error:
            raise self._failed(error) from None

    async def add(self, line: Mapping[str, Any], *, synced: bool) -> None:
        """One more line; `synced`: and it is on the disk, whatever happens next.

        Raises:
            InputError: it could not be written.
        """
        try:
            self._writing = self._threads.start(self._add, line, synced)
            await asyncio.shield(self._writing)
        except OSError as error:
            raise self._failed(error) from None

    async def close(self) -> None:
        """Let go of the file, once the last line is in it."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
        await self._threads.run(self._close)

    def _add(self, line: Mapping[str, Any], synced: bool) -> None:
        data = json.dumps(line).encode() + b"\n"
        with self._in_use:
            if self._file is None:
                return  # the caller was interrupted
            while data:
                data = data[os.write(self._file, data) :]
            if synced:
                os.fsync(self._file)

    def _close(self) -> None:
        with self._in_use:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _failed(self, error: OSError) -> InputError:
        return InputError(
            f"Nothing can be written to the audit file {str(self._path)!r}: {error.strerror or error}. No generation "
            "is deleted without its line."
        )


def _opened(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    file = os.open(path, flags, _MODE)
    try:
        found = os.fstat(file)
        if stat.S_ISREG(found.st_mode) and found.st_size:
            os.lseek(file, -1, os.SEEK_END)
            if os.read(file, 1) != b"\n":  # a program was ended in the middle of a line
                os.write(file, b"\n")
    except BaseException:
        os.close(file)
        raise
    return file


__all__ = ["Audit"]
