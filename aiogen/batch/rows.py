"""Requests that stand in a file, one in a row: text, CSV with a header, or JSON lines.

Rows are read as they are needed, and any number of times; what is wrong with a row is said with its line.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

import attrs

from aiogen._schema import json_or_text
from aiogen._wording import count, plain
from aiogen.errors import InputError, RowProblem, RowsError

Format = Literal["txt", "csv", "jsonl"]

_ENDINGS: Mapping[str, Format] = {
    ".txt": "txt", ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"
}  # fmt: skip
_ENCODINGS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"),
              (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))  # fmt: skip
"""A byte order mark says which one it is; without one it is UTF-8."""
_LONGEST_ROW = 64 * 1024 * 1024
"""Characters: a reference in base64 fits."""
_SPOOLED = 8 * 1024 * 1024
"""Bytes from a pipe that are kept in memory; more go to a temporary file."""
_SHOWN = 20
"""Problems that a message names."""

_ID = ("id", "custom_id", "key")
"""What a row may call its own name."""


@attrs.frozen(kw_only=True)
class Row:
    """One request of a list."""

    line: int
    """Where it begins in the file, from 1."""
    id: str | None = None
    """Its own name, if it has one."""
    request: Mapping[str, Any]
    """`model`, `prompt`, `connection` and the parameters, as `Session.submit` takes them."""
    columns: Mapping[str, Any] = attrs.field(factory=dict)
    """What stands in it for people and for the names of files (`_title`): nothing of this is sent."""


class Rows:
    """The rows of one file; go through them as often as you like."""

    def __init__(
        self,
        path: str | Path,
        *,
        kind: Format | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        """Nothing is read yet.

        Args:
            path: the file; `-` is standard input, which is kept until this is closed.
            kind: "txt" (a prompt in each line; empty lines, and such as begin with "# ", are left out), "csv" (with a
                header) or "jsonl" (an object in each line, also OpenAI's with `custom_id` and `body`).  By default by
                the file's ending, and of standard input by its first character.
            encoding: by default UTF-8, or what a byte order mark says.
            delimiter: between the columns of a CSV: by default a comma, a semicolon or a tab, whichever the header has.
            defaults: what rows have that say nothing else, such as the model.
        """
        self.source: str = "standard input" if str(path) == "-" else repr(str(path))
        """What messages call it."""
        self._path = Path(path)
        self._spool: IO[bytes] | None = _spooled() if str(path) == "-" else None
        self._encoding = encoding
        self._delimiter = delimiter
        self._defaults = dict(defaults or {})
        self._kind: Format = kind or self._guessed()

    @property
    def kind(self) -> Format:
        """What kind of file it is."""
        return self._kind

    def close(self) -> None:
        """Let go of what was kept of standard input."""
        if self._spool is not None:
            self._spool.close()

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Row]:
        """Each row.

        Raises:
            RowsError: one cannot be read.
        """
        for item in self.read():
            if isinstance(item, RowProblem):
                raise _refused(self.source, [item])
            yield item

    def read(self) -> Iterator[Row | RowProblem]:
        """Each row, or what is wrong with it.

        Raises:
            InputError: the file cannot be opened.
        """
        with self._open() as file:
            text = _Lines(file, self._encoding or _encoding_of(file))
            yield from {"txt": self._texts, "csv": self._table, "jsonl": self._objects}[self._kind](text)

    def check(self) -> int:
        """Read all rows once; how many there are.

        Raises:
            RowsError: some cannot be read, or two have the same id.
        """
        problems, lines, number = list[RowProblem](), dict[str, int](), 0
        for item in self.read():
            if isinstance(item, RowProblem):
                problems.append(item)
                continue
            number += 1
            if item.id is not None and (first := lines.setdefault(item.id, item.line)) != item.line:
                shown = plain(item.id, 60)
                problems.append(RowProblem(item.line, f"the id {shown!r} stands in line {count(first)} already"))
        if problems:
            raise _refused(self.source, problems)
        if not number:
            raise InputError(f"There is no row in {self.source}.")
        return number

    # --- the three kinds

    def _texts(self, lines: _Lines) -> Iterator[Row | RowProblem]:
        for line in lines:
            if isinstance(line, RowProblem):
                yield line
            elif (prompt := line.strip()) and not prompt.startswith("# "):
                yield self._row(lines.number, {"prompt": prompt})

    def _objects(self, lines: _Lines) -> Iterator[Row | RowProblem]:
        for line in lines:
            if isinstance(line, RowProblem):
                yield line
                continue
            if not line.strip():
                continue
            try:
                found = json.loads(line, parse_constant=_no_number)
            except (ValueError, RecursionError) as error:
                where = f" (column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
                yield RowProblem(lines.number, f"this is no JSON{where}")
                continue
            if not isinstance(found, dict):
                yield RowProblem(lines.number, "this is no JSON object, such as " + '{"id": "a", "prompt": "a boat"}')
                continue
            yield self._row(lines.number, found)

    def _table(self, lines: _Lines) -> Iterator[Row | RowProblem]:
        reader: Any = None
        names: list[str] = []
        text = _Whole(lines)
        try:
            header = next(text, "")
            delimiter = self._delimiter or max(",;\t", key=header.count)
            names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
            if problem := _wrong_header(names):
                yield RowProblem(1, problem)
                return
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            while True:
                begins = lines.number + 1
                try:
                    cells = next(reader)
                except csv.Error as error:
                    yield RowProblem(begins, f"this is no CSV: {error}")
                    return  # where the next row begins nobody knows
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) > len(names):
                    yield RowProblem(
                        begins, f"it has {len(cells)} cells, and the header names {len(names)}: is a cell not quoted?"
                    )
                    continue
                given = {name: cell for name, cell in zip(names, cells, strict=False) if cell.strip() and name}
                yield self._row(begins, {name: _value(name, cell) for name, cell in given.items()})
        except StopIteration:
            pass
        if text.problem is not None:
            yield text.problem

    def _row(self, line: int, found: Mapping[str, Any]) -> Row | RowProblem:
        fields = dict(found)
        body = fields.pop("body", None)
        if isinstance(body, Mapping):
            for name in ("method", "url"):  # of OpenAI's batches; what is asked for stands in the body
                fields.pop(name, None)
            fields = {**body, **fields}
        elif body is not None:
            return RowProblem(line, "its body is no JSON object")
        own = [(name, fields.pop(name)) for name in _ID if name in fields]
        if len(own) > 1:
            return RowProblem(line, f"it has {' and '.join(name for name, _ in own)}, which mean the same")
        name = str(own[0][1]).strip() if own and own[0][1] is not None else ""
        if own and (not name or len(name) > 200 or not name.isprintable()):
            return RowProblem(line, f"its {own[0][0]} has to be 1 to 200 printable characters")
        columns = {name: fields.pop(name) for name in list(fields) if name.startswith("_")}
        request = {**self._defaults, **{name: value for name, value in fields.items() if value is not None}}
        if not request.get("model"):
            return RowProblem(line, "it names no model, such as luma/uni-1")
        return Row(line=line, id=name or None, request=request, columns=columns)

    # --- the file

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        if self._spool is not None:
            self._spool.seek(0)
            yield self._spool
            return
        try:
            file = self._path.open("rb")
        except OSError as error:
            raise InputError(f"The list {self.source} cannot be read: {error.strerror or error}.") from None
        with file:
            yield file

    def _guessed(self) -> Format:
        if (known := _ENDINGS.get(self._path.suffix.lower())) is not None:
            return known
        if self._spool is None and self._path.suffix:
            raise InputError(
                f"The list {self.source} has an ending of no known format: use .txt, .csv or .jsonl, or name it."
            )
        with self._open() as file:
            first = file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
        return "jsonl" if first.startswith(b"{") else "txt"


class _Lines:
    """Decoded lines with their numbers; one that cannot be decoded is a problem, and the next is read."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self.number = 0
        """Of the line that was read last, from 1."""
        self._encoding = encoding
        try:
            # A line of UTF-16 does not end at a byte 10; the others are split first, so that one bad line stays one.
            is_wide = encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32"))
            self._text = io.TextIOWrapper(file, encoding, newline="") if is_wide else None
        except LookupError:
            raise InputError(f"There is no encoding {encoding!r}; the usual one is utf-8.") from None
        self._file = file

    def __iter__(self) -> Iterator[str | RowProblem]:
        try:
            source: Any = self._text or self._file
            while line := source.readline(_LONGEST_ROW):
                self.number += 1
                if len(line) >= _LONGEST_ROW:
                    yield RowProblem(self.number, "the line is longer than 64 million characters")
                    return
                yield line if isinstance(line, str) else self._decoded(line)
        except UnicodeError as error:
            yield RowProblem(self.number + 1, f"this is not {self._encoding}: {error}")
        finally:
            if self._text is not None:
                self._text.detach()  # the file is closed by the one who opened it

    def _decoded(self, line: bytes) -> str | RowProblem:
        encoding = self._encoding if self.number == 1 else self._encoding.replace("-sig", "")
        try:
            return line.decode(encoding)
        except LookupError:
            raise InputError(f"There is no encoding {encoding!r}; the usual one is utf-8.") from None
        except UnicodeDecodeError as error:
            return RowProblem(
                self.number,
                f"byte {error.start + 1} (0x{line[error.start]:02x}) is not {encoding}: save the file as UTF-8, or say "
                "which encoding it has",
            )


class _Whole:
    """Lines for the CSV reader, which ends at the first that cannot be decoded."""

    def __init__(self, lines: _Lines) -> None:
        self._lines = iter(lines)
        self.problem: RowProblem | None = None

    def __iter__(self) -> _Whole:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        if isinstance(line, RowProblem):
            self.problem = line
            raise StopIteration
        return line


def _refused(source: str, problems: list[RowProblem]) -> RowsError:
    shown = "".join(f"\n  {problem}" for problem in problems[:_SHOWN])
    more = f"\n  and {count(len(problems) - _SHOWN)} more" if len(problems) > _SHOWN else ""
    rows, are = ("row", "is") if len(problems) == 1 else ("rows", "are")
    return RowsError(
        f"{count(len(problems))} {rows} of {source} {are} not valid; nothing was sent:{shown}{more}",
        problems=tuple(problems),
    )


def _spooled() -> IO[bytes]:
    spool = tempfile.SpooledTemporaryFile(max_size=_SPOOLED)  # noqa: SIM115  - closed by `Rows.close`
    shutil.copyfileobj(sys.stdin.buffer, spool)
    return spool


def _encoding_of(file: IO[bytes]) -> str:
    start = file.read(4)
    file.seek(0)
    return next((name for mark, name in _ENCODINGS if start.startswith(mark)), "utf-8")


def _wrong_header(names: list[str]) -> str | None:
    if "prompt" not in names and "model" not in names:
        return "the header has to name the columns, and one of them has to be prompt or model"
    twice = sorted({name for name in names if name and names.count(name) > 1})
    return f"the header names {', '.join(map(repr, twice))} twice" if twice else None


def _value(name: str, cell: str) -> Any:
    """A cell: numbers, lists and true or false as such in a parameter; a prompt, a model and an id are text."""
    text = cell.strip()
    if name in ("prompt", "model", "connection", "negative_prompt", *_ID) or name.startswith("_"):
        return text
    return json_or_text(text)


def _no_number(word: str) -> Any:
    raise ValueError(word)  # NaN and Infinity are words, not JSON


__all__ = ["Format", "Row", "Rows"]
