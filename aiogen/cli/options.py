"""What several commands are told in the same way, and how it is read."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter
from platformdirs import user_data_path

from aiogen import Session
from aiogen.cli.terminal import Terminal
from aiogen.errors import InputError
from aiogen.stores.base import Store
from aiogen.stores.sqlite import SqliteStore

_SHARED = Group("Options of every command", sort_key=9)
_TAKEN = {
    "model": "MODEL", "prompt": "PROMPT", "connection": "MODEL", "timeout": "--timeout", "poll_cost": "--poll-cost",
    "batch": "--batch",
}  # fmt: skip


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """What every command takes."""

    json: Annotated[
        bool,
        Parameter(negative="", group=_SHARED, help="One JSON object per line on stdout; messages still go to stderr."),
    ] = False

    def terminal(self) -> Terminal:
        """The two streams, as asked for."""
        return Terminal(as_json=self.json)


@Parameter(name="*")
@dataclass(frozen=True)
class Connected(Common):
    """What every command takes that talks to providers."""

    store: Annotated[
        str | None,
        Parameter(
            env_var="AIOGEN_STORE",
            group=_SHARED,
            help='The ledger of jobs, a file; by default in the user\'s data folder, ":memory:" for none.',
        ),
    ] = None

    def session(self, *, kept: bool = False, take_up: bool = False) -> Session:
        """A session over the connections in the environment.

        `kept`: its jobs go to the ledger.  `take_up`: it goes on with what others have left behind.
        """
        store = self.ledger() if kept and self.store != ":memory:" else None
        return Session(store=store, take_up=take_up)

    def ledger(self) -> SqliteStore:
        """The ledger of jobs.

        Raises:
            InputError: none was asked for.
        """
        if self.store == ":memory:":
            raise InputError("There is no ledger in memory to look into; name a file with --store.")
        if self.store:
            return SqliteStore(self.store)
        path = _own_place()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return SqliteStore(path)


def _own_place() -> Path:
    return user_data_path("aiogen", appauthor=False) / "jobs.db"


def store_words(store: Store) -> list[str]:
    """What a command has to be told to use this ledger again: nothing for the one in its own place."""
    if not isinstance(store, SqliteStore) or store.path == _own_place():
        return []
    return ["--store", str(store.path)]


def shared_last(tokens: Sequence[str]) -> list[str]:
    """Options of every command that stand before the command, moved behind it: `aiogen --json get …`."""
    rest, moved = list(tokens), []
    while rest and (rest[0] == "--json" or rest[0].partition("=")[0] == "--store"):
        moved.append(rest.pop(0))
        if moved[-1] == "--store" and rest:
            moved.append(rest.pop(0))
    return [*rest[:1], *moved, *rest[1:]]


def parse_params(pairs: Sequence[str]) -> dict[str, Any]:
    """`--param name=value` as keywords: a value that is JSON is taken as such, any other is text.

    Raises:
        InputError: one has no name or no `=`, is given twice, or has a place of its own on the command line.
    """
    params: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise InputError(f"--param {pair!r} cannot be read; write name=value, such as --param width=1024.")
        if name in _TAKEN:
            raise InputError(f"--param {name}=… has its own place on the command line: {_TAKEN[name]}.")
        if name in params:
            raise InputError(f"--param {name}=… is given twice.")
        params[name] = _value(text)
    return params


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except ValueError:
        return text


def _no_number(word: str) -> Any:
    raise ValueError(word)  # NaN and Infinity are words, not JSON


def checked_folder(folder: Path) -> Path:
    """A folder that can be written to, made if need be: found out before anything is paid for.

    Raises:
        InputError: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {str(folder)!r} cannot be made: {error.strerror or error}.") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"The folder {str(folder)!r} cannot be written to.")
    return folder
