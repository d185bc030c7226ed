"""Which pictures of a batch lie in a folder: by `results.jsonl`, or by the names that downloads give."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from aiogen._content.media import EXTENSIONS, OTHER_EXTENSIONS
from aiogen._transfer.saving import file_stem
from aiogen.stores.base import Record

RESULTS = "results.jsonl"
_LONGEST_LINE = 1024 * 1024
"""Characters; no row of ours is as long."""
_ENDINGS = {*EXTENSIONS.values(), *OTHER_EXTENSIONS.values(), "bin"}


class Folder:
    """What lies in a folder, read once; to be used in a thread."""

    def __init__(self, path: Path) -> None:
        self.path: Path = path
        self.unreadable: int = 0
        """Lines of `results.jsonl` that cannot be read, or name files outside the folder."""
        self._by_stem: dict[str, str] = {}
        self._listed: dict[str, list[str]] = {}

    def read(self) -> None:
        """Look into it; a folder that is not there has nothing in it."""
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    stem, dot, ending = entry.name.rpartition(".")
                    if dot and ending.lower() in _ENDINGS and entry.is_file(follow_symlinks=False):
                        self._by_stem[stem] = entry.name
        except OSError:
            return
        self._read_results()

    def of(self, record: Record) -> list[Path | None]:
        """The file of each output of a job, in their order; None for one that is not there."""
        known = record.generation
        outputs = len(known.outputs) if known is not None else 0
        listed = self._listed.get(record.id)
        if listed is not None:
            paths = [self._inside(name) for name in listed]
            there = [path for path in paths if path is not None and path.is_file()]
            return [*there, *([None] * (outputs - len(there)))]
        if known is None:
            return []
        names = [self._by_stem.get(file_stem(known, index)) for index in range(outputs)]
        return [None if name is None else self.path / name for name in names]

    def of_all(self, records: Sequence[Record]) -> dict[str, list[Path | None]]:
        """The same of many, by our ids."""
        return {record.id: self.of(record) for record in records}

    def _read_results(self) -> None:
        try:
            with open(self.path / RESULTS, encoding="utf-8", errors="replace") as lines:
                while line := lines.readline(_LONGEST_LINE):
                    if line.strip():
                        self._take(line)
        except OSError:
            return

    def _take(self, line: str) -> None:
        try:
            row = json.loads(line)
            job_id, files = row["id"], row["files"]
        except (ValueError, TypeError, KeyError, RecursionError):
            self.unreadable += 1
            return
        if job_id is None or not files:
            return  # a row that has not been sent, or has nothing yet
        if not isinstance(job_id, str) or not isinstance(files, list) or not all(isinstance(f, str) for f in files):
            self.unreadable += 1
            return
        self._listed[job_id] = files

    def _inside(self, name: str) -> Path | None:
        """A file below the folder; whatever else a line may name is not shown."""
        path = self.path / name
        try:
            is_inside = path.resolve().is_relative_to(self.path.resolve())
        except (OSError, ValueError, RuntimeError):
            is_inside = False
        if not is_inside:
            self.unreadable += 1
            return None
        return path
