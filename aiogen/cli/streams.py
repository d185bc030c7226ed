"""The standard streams, guarded: a full disk, a closed pipe or a terminal that has gone is not a bug.

What is lost on stdout raises `OutputLost`, because the results are needed.  What is lost on stderr is dropped:
progress and messages are never worth a paid generation.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, TextIO, cast


class OutputLost(Exception):
    """Something could not be written to stdout; the cause says why."""


class _Guarded:
    """A text stream whose errors go to `_lost`; everything else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """As the stream's own."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError) as error:  # ValueError: it is closed
            self._lost(error)
            return len(text)

    def flush(self) -> None:
        """As the stream's own."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._lost(error)

    def _lost(self, error: Exception) -> None:
        raise NotImplementedError


class _Results(_Guarded):
    def _lost(self, error: Exception) -> None:
        raise OutputLost(str(error)) from error


class _Messages(_Guarded):
    def _lost(self, error: Exception) -> None:
        discard(self._stream)


class _Nowhere:
    """In place of a stream that was closed before the program began."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        """Nothing."""
        return len(text)

    def flush(self) -> None:
        """Nothing."""

    def isatty(self) -> bool:
        """No."""
        return False


def results() -> TextIO:
    """Stdout.

    Raises:
        OutputLost: from `write` and `flush`.
    """
    return cast(TextIO, _Nowhere() if sys.stdout is None else _Results(sys.stdout))


def messages() -> TextIO:
    """Stderr; what it does not take is dropped."""
    return cast(TextIO, _Nowhere() if sys.stderr is None else _Messages(sys.stderr))


def discard(stream: TextIO | None) -> None:
    """Send what is written there nowhere from now on: what is still buffered must not raise again at exit."""
    with suppress(OSError, ValueError, AttributeError), open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), cast(TextIO, stream).fileno())


def hold_numbers() -> None:
    """Open those of 0 to 2 that are closed: else the next file gets such a number, and with it what goes to stderr."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)


def can_ask() -> bool:
    """Whether stdin is a terminal, so that a question can be answered."""
    try:
        return sys.stdin is not None and sys.stdin.isatty()
    except ValueError:  # closed
        return False
