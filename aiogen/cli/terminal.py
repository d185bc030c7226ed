"""Where words go: results to stdout, everything else to stderr; no key in either."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from aiogen.providers import PROVIDERS

_SHORTEST_SECRET = 8
"""A shorter value cannot be a key, and hiding it would spoil ordinary words."""
_PIPE_WIDTH = 110
"""Of what is laid out in columns, where there is no terminal to say how wide it is."""


class Terminal:
    """The two streams of one run.  A stream that is no terminal gets plain lines: no colours, no live display."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.out: Console = _console(sys.stdout)
        self.err: Console = _console(sys.stderr)
        values = (os.environ.get(cls.key_variable, "") for cls in PROVIDERS)
        self._secrets = [value for value in values if len(value) >= _SHORTEST_SECRET]

    @property
    def is_live(self) -> bool:
        """Whether something may be drawn over and over on stderr.

        Not when JSON lines come out on the same terminal meanwhile: they would be drawn over.
        """
        return self.err.is_terminal and not self.err.is_dumb_terminal and not (self.as_json and self.out.is_terminal)

    def say(self, text: str, style: str = "") -> None:
        """A message: one line on stderr."""
        self.err.print(Text(self.clean(text), style), soft_wrap=True)

    def complain(self, text: str) -> None:
        """What went wrong: one sentence on stderr."""
        line = Text.assemble(("aiogen: ", "bold red"), self.clean(text))
        self.err.print(line, soft_wrap=True)

    def ask(self, question: str) -> bool:
        """A question with yes or no for an answer; no, unless it is yes."""
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def record(self, record: Mapping[str, Any]) -> None:
        """One JSON object on one line of stdout.

        In ASCII, which every pipe can carry.
        """
        print(self._without_secrets(json.dumps(record, default=str)), file=self.out.file, flush=True)

    def line(self, text: str, style: str = "") -> None:
        """One line of a result on stdout, never broken in two."""
        if self.out.is_terminal:
            self.out.print(Text(self.clean(text), style), soft_wrap=True)
        else:
            print(self.clean(text), file=self.out.file)  # rich would make blanks of the tabs

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]], *, whole: Sequence[str] = ()) -> None:
        """Results on stdout: a table on a terminal, else lines with tabs, without headings.

        Columns named in `whole` are never shortened on a terminal; in lines nothing is.
        """
        if not self.out.is_terminal:
            for row in rows:
                self.line("\t".join(row))
            return
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
        for heading in headings:
            # To rich, a column that may not wrap may not be narrowed either; cells of the others are cut, not wrapped.
            table.add_column(heading, no_wrap=heading in whole)
        for row in rows:
            table.add_row(*(Text(self.clean(cell), no_wrap=True, overflow="ellipsis") for cell in row))
        self.out.print(table)

    def report(self, renderable: RenderableType) -> None:
        """Something that is laid out already: on stdout, or on stderr if stdout is for JSON."""
        (self.err if self.as_json else self.out).print(renderable)

    def clean(self, text: str) -> str:
        """The text as it may be shown: vendors' words may hold control characters, and an error may quote a key."""
        return self._without_secrets(
            "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
        )

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            for form in (secret, json.dumps(secret)[1:-1]):
                text = text.replace(form, masked(secret))
        return text


class Notes(logging.Handler):
    """What the package logs as a warning, told as a message; without it such lines would tear a live display."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it."""
        self._tell(record.getMessage())


@contextmanager
def telling_of_jobs() -> Iterator[None]:
    """What becomes of jobs the command says itself, with the command that helps: the log does not say it again."""

    def is_about_none(record: logging.LogRecord) -> bool:
        return not hasattr(record, "aiogen_event")

    logger = logging.getLogger("aiogen")
    logger.addFilter(is_about_none)
    try:
        yield
    finally:
        logger.removeFilter(is_about_none)


def masked(key: str) -> str:
    """A key by which its owner can tell it from others: the last four characters, fewer of a short one."""
    shown = min(4, len(key) // 4)
    return "…" + key[len(key) - shown :]


def _console(stream: TextIO) -> Console:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")  # a picture of a bar must not end a paid job
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PIPE_WIDTH
    return console
