"""A file by which the program that starts and stops workers sees that this one works."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from aiogen.errors import InputError

logger: logging.Logger = logging.getLogger("aiogen")


class HealthFile:
    """Touched while all is well, so that its age says since when it is not; gone at the end."""

    def __init__(self, path: Path | None) -> None:
        """Without a path nothing is written."""
        self._path = path
        self._is_ours = self._is_lost = False

    async def begin(self) -> None:
        """What one before this has left behind says nothing.

        Raises:
            InputError: it cannot be written.
        """
        try:
            await self._do(_remove)
            await self._do(_touch)
            self._is_ours = True
        except OSError as error:
            raise InputError(
                f"The health file {str(self._path)!r} cannot be written: {error.strerror or error}."
            ) from None

    async def touch(self) -> None:
        """All is well; where that cannot be written it is said once, and who looks at the file sees that it is old."""
        try:
            await self._do(_touch)
            self._is_lost = False
        except OSError as error:
            if not self._is_lost:
                self._is_lost = True
                logger.warning("The health file %s cannot be written: %s", self._path, error.strerror or error)

    async def end(self) -> None:
        """It is no worker any more."""
        try:
            if self._is_ours:
                await self._do(_remove)
        except OSError as error:
            logger.warning("The health file %s cannot be removed: %s", self._path, error.strerror or error)

    async def _do(self, what: Callable[[Path], None]) -> None:
        if self._path is not None:
            await asyncio.to_thread(what, self._path)


def _touch(path: Path) -> None:
    path.touch()


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
