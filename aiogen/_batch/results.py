"""What came of each row, as lines of JSON beside the pictures: one line per row, and the file is replaced whole.

May block; it runs in a session's own threads.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, TextIO
from uuid import uuid4

from aiogen._transfer.leftovers import hold

NAME = "results.jsonl"
"""The file's name in the folder of the pictures."""


class ResultsFile:
    """On its way; it gets its name when it is `done`.  A disk that does not take it is no reason to stop a batch."""

    def __init__(self, folder: Path) -> None:
        """Nothing is opened yet."""
        self.path: Path = folder / NAME
        self._part = folder / f".results-{uuid4().hex[:12]}.part"
        self._file: TextIO | None = None
        self._keys: set[str] = set()
        self._error: OSError | None = None
        self._in_use = Lock()  # a run that is interrupted leaves a thread that may still write

    def add(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """More rows have ended."""
        with self._in_use:
            if self._error is None:
                try:
                    self._add(lines)
                except OSError as error:
                    self._error = error
                    self._discard()

    def done(self) -> OSError | None:
        """Give the file its name; returns why it has none, or None.  Rows that this run did not reach keep their
        lines."""
        with self._in_use:
            if self._file is not None:
                try:
                    self._finish(self._file)
                except OSError as error:
                    self._error = error
                finally:
                    self._discard()
            return self._error

    def _add(self, lines: Iterable[Mapping[str, Any]]) -> None:
        if self._file is None:
            self._file = self._part.open("x", encoding="utf-8")
            hold(self._file.fileno())
        for line in lines:
            self._keys.add(str(line["key"]))
            self._file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")

    def _finish(self, file: TextIO) -> None:
        with suppress(FileNotFoundError):
            for line in _left(self.path, self._keys):
                file.write(line)
        file.flush()
        os.fsync(file.fileno())
        if os.name == "nt":  # on other systems it is held until it has its name
            file.close()
        os.replace(self._part, self.path)

    def _discard(self) -> None:
        """Leave nothing behind."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
            with suppress(OSError):
                self._part.unlink()


def _left(path: Path, keys: set[str]) -> Iterator[str]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            try:
                key = json.loads(line)["key"]
            except (ValueError, KeyError, TypeError):
                continue  # nobody can say which row that was
            if key is not None and str(key) not in keys:
                yield line if line.endswith("\n") else line + "\n"
