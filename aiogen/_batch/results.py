"""What came of each row, as lines of JSON beside the pictures: one line per row, and the file is replaced whole.

May block; it runs in a session's own threads.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiogen._transfer.leftovers import hold

NAME = "results.jsonl"
"""The file's name in the folder of the pictures."""


class ResultsFile:
    """On its way; it gets its name when it is `done`."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError if the folder cannot be written."""
        self.path: Path = folder / NAME
        self._part = folder / f".results-{uuid4().hex[:12]}.part"
        self._file = self._part.open("x", encoding="utf-8")
        hold(self._file.fileno())
        self._keys: set[str] = set()

    def add(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """More rows have ended."""
        for line in lines:
            self._keys.add(str(line["key"]))
            self._file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")

    def done(self) -> None:
        """Give it its name.  Rows that this run did not come to keep the lines that they had."""
        with suppress(FileNotFoundError):
            for line in _left(self.path, self._keys):
                self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._part, self.path)

    def discard(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError):
            self._file.close()
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
