"""Where text goes: results to stdout, everything else to stderr; no key in either."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

import attrs
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from aiogen.cli import streams
from aiogen.cli.program import command
from aiogen.cli.tables import Row, draw
from aiogen.providers import registry

_SHORTEST_SECRET = 8
"""A shorter value cannot be a key, and hiding it would spoil ordinary words."""
_IN_URLS = (
    re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/@:\"']*:)[^\s/@\"']+(?=@)", re.IGNORECASE),
    re.compile(r"(\bpostgres(?:ql)?(?:\+\w+)?://[^\s/@:\"']*:)[^\s\"']+(?=@)", re.IGNORECASE),
    re.compile(r"([?&](?:ssl)?password=)[^\s&\"']+", re.IGNORECASE),
)
"""Passwords in addresses, wherever one is quoted; in that of a database also one with a slash, which is refused."""
_ABOUT_LEDGER = ("jobs", "resume", "retry", "reconcile", "forget", "report")
_PIPE_WIDTH = 110
"""Of what is laid out in columns, where there is no terminal to say how wide it is."""


class Terminal:
    """The two streams of one run.  A stream that is no terminal gets plain lines: no colours, no live display."""

    def __init__(self, *, as_json: bool = False, where: Sequence[str] = ()) -> None:
        """`where`: the options by which a command finds the same ledger."""
        self.as_json = as_json
        self.where: Sequence[str] = where
        self.out: Console = _console(streams.results())
        self.err: Console = _console(streams.messages())

    @property
    def is_live(self) -> bool:
        """Whether something may be drawn again and again on stderr.

        Not when JSON lines come out on the same terminal meanwhile: they would be drawn over.
        """
        return self.err.is_terminal and not self.err.is_dumb_terminal and not (self.as_json and self.out.is_terminal)

    def command(self, *words: str) -> str:
        """A command of this program as it is typed, about the ledger that this one is about."""
        return command(*words, *(self.where if words[0] in _ABOUT_LEDGER else ()))

    def say(self, text: str, style: str = "") -> None:
        """A message: one line on stderr."""
        self.err.print(Text(self.clean(text), style), soft_wrap=True)

    def complain(self, text: str) -> None:
        """What went wrong: one sentence on stderr."""
        line = Text.assemble(("aiogen: ", "bold red"), self.clean(text))
        self.err.print(line, soft_wrap=True)

    def trace(self, text: str) -> None:
        """Several lines on stderr, such as a traceback."""
        for line in text.rstrip().split("\n"):
            self.say(line)

    def ask(self, question: str) -> bool:
        """A question with yes or no for an answer; no, unless it is yes."""
        print(f"{self.clean(question)} [y/N] ", end="", file=self.err.file, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def confirms(self, what: str, question: str, otherwise: str) -> bool:
        """Whether the user says yes to a question; else, or without a terminal, a message and False.

        `what`: what would be done, for the message without a terminal; `otherwise`: what to say after a no.
        """
        if not self.can_ask_to(what):
            return False
        if self.ask(question):
            return True
        self.say(otherwise)
        return False

    def can_ask_to(self, what: str) -> bool:
        """Whether there is a terminal for a question; if not, says how to do this without one."""
        if not streams.can_ask():
            self.complain(f"To {what} without a terminal for the question, pass --yes.")
            return False
        return True

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
            print(self.clean(text), file=self.out.file)  # rich would pad and measure

    def columns(self, cells: Sequence[str]) -> None:
        """One line of a result for a pipe: the cells with tabs between them, and none inside."""
        print("\t".join(map(self.clean, cells)), file=self.out.file)

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]], *, whole: Sequence[str] = ()) -> None:
        """Results on stdout: a table on a terminal, else lines with tabs, without headings.

        Columns named in `whole` are never shortened on a terminal; in lines nothing is.
        """
        if not self.out.is_terminal:
            for row in rows:
                self.columns(row)
            return
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for heading in headings:
            # To rich, a column that may not wrap may not be narrowed either; cells of the others are cut, not wrapped.
            table.add_column(heading, no_wrap=heading in whole)
        for row in rows:
            table.add_row(*(Text(self.clean(cell), no_wrap=True, overflow="ellipsis") for cell in row))
        self.out.print(table)

    def listing(self, rows: Sequence[Row], *, short: str | None = None) -> None:
        """Generations on a terminal, as `aiogen.cli.tables` lays them out."""
        cleaned = [
            attrs.evolve(
                row,
                cells={name: self.clean(cell) for name, cell in row.cells.items()},
                ids={name: self.clean(identifier) for name, identifier in row.ids.items()},
            )
            for row in rows
        ]
        for line in draw(cleaned, self.out.width, short=short):
            self.out.print(line, soft_wrap=True)

    def flush(self) -> None:
        """Write everything that is buffered.

        Raises:
            OutputLost: it could not be written to stdout.
        """
        self.err.file.flush()
        self.out.file.flush()

    def report(self, renderable: RenderableType) -> None:
        """Something that is laid out already: on stdout, or on stderr if stdout is for JSON."""
        (self.err if self.as_json else self.out).print(renderable)

    def clean(self, text: str) -> str:
        """The text as it may be shown: on one line, and without a key.

        Users' and vendors' text may contain line ends and tabs, which would forge a line or a column, and characters
        that control a terminal or change the direction of writing; an error may quote a key.
        """
        return self._without_secrets("".join(map(_shown, text)))

    def _without_secrets(self, text: str) -> str:
        for pattern in _IN_URLS:
            text = pattern.sub(r"\1…", text)
        for secret in _secrets():
            for form in (secret, json.dumps(secret)[1:-1]):
                text = text.replace(form, masked(secret))
        return text


def _secrets() -> list[str]:
    """The keys in the environment; looked up each time, for another package's provider is loaded when it is named."""
    variables = (cls.facts.key_variable for cls in registry.loaded())
    values = (os.environ.get(name, "") for name in variables if name is not None)
    return [value for value in values if len(value) >= _SHORTEST_SECRET]


class Notes(logging.Handler):
    """Shows the package's warnings as messages; written directly, such lines would break a live display."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        """Show it."""
        self._show(record.getMessage())


@contextmanager
def without_job_log() -> Iterator[None]:
    """Hide the log's lines about jobs: the command itself says what became of them, with the command that helps."""

    def is_about_none(record: logging.LogRecord) -> bool:
        return not hasattr(record, "aiogen_event")

    logger = logging.getLogger("aiogen")
    logger.addFilter(is_about_none)
    try:
        yield
    finally:
        logger.removeFilter(is_about_none)


def masked(key: str) -> str:
    """The end of a key, by which its owner recognises it: the last four characters, fewer of a short one."""
    shown = min(4, len(key) // 4)
    return "…" + key[len(key) - shown :]


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"


def _console(stream: TextIO) -> Console:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")  # the drawing of a bar must not end a paid job
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PIPE_WIDTH
    return console
