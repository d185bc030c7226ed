"""Options that several commands share, and how they are read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter
from platformdirs import user_data_path

from aiogen import Session
from aiogen._checks import check_number
from aiogen._schema import json_or_text
from aiogen.cli import ledgers
from aiogen.cli.program import command
from aiogen.cli.terminal import Terminal
from aiogen.errors import AiogenError, ConfigurationError, InputError, StoreError
from aiogen.providers import registry
from aiogen.providers.base import Provider
from aiogen.stores.choosing import is_memory, postgres_store
from aiogen.stores.postgres.address import is_url
from aiogen.stores.sqlite.file import path_of
from aiogen.stores.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from aiogen.cli.ledgers import Ledger

_BUSY_TIMEOUT = 1.0
"""Seconds to wait for a ledger that others write to, where what it says is only helpful."""
_WAITED_FOR = 10.0
"""Seconds that a command waits for a server that it needs.  No command begins to wait twice for one that says nothing:
the first step that needs it ends with what is wrong."""
_ANSWERS_WITHIN = 3.0
"""The same for a server, which may be far away."""
_SHARED = Group("Options of every command", sort_key=9)
_TAKEN = {
    "model": "MODEL", "prompt": "PROMPT", "connection": "MODEL", "timeout": "--timeout", "poll_cost": "--poll-cost",
    "batch": "--batch", "key": "--key", "scope": "--scope", "retry": "--retry", "priority": "--priority",
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
            env_var=ledgers.VARIABLE,
            group=_SHARED,
            help="The ledger of jobs: a file, by default in the user's data folder; a database, as "
            'postgresql://user@host/database; or ":memory:" for none.',
        ),
    ] = None

    def terminal(self) -> Terminal:
        """The two streams, as asked for."""
        return Terminal(as_json=self.json, where=ledgers.words(self.store))

    def session(self, *, kept: bool = False, take_up: bool = False, **more: Any) -> Session:
        """A session over the connections in the environment.

        `kept`: its jobs go to the ledger.  `take_up`: it continues what others have left unfinished.  `more`: whatever
        else `Session` takes.
        """
        return Session(store=self.ledger() if kept and not is_memory(self.store) else None, take_up=take_up, **more)

    def ledger(self, timeout: float | None = None) -> Ledger:
        """The ledger of jobs; `timeout`: seconds that connecting to a database, or one statement, may take.

        Raises:
            InputError: none was asked for.
            ConfigurationError: a url is none, or what a database needs is not installed.
            StoreError: the user has no folder to keep it in.
        """
        if is_memory(self.store):
            raise InputError("With :memory: there is no ledger to read; name a file with --store, or a database.")
        if self.store and is_url(self.store):
            ledgers.checked(self.store)  # whose message names the option
            return postgres_store()(self.store, timeout=_WAITED_FOR if timeout is None else timeout)
        if self.store:
            return SqliteStore(self.store)
        path = _own_place()
        if path is None:
            raise StoreError("There is no home folder to keep the ledger of jobs in (HOME is not set).")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The folder {str(path.parent)!r} for the ledger of jobs cannot be created: {error.strerror or error}."
            ) from None
        return SqliteStore(path)

    def ledger_if_there(self) -> Ledger | None:
        """The same, if the file exists; a command that only reads needs no ledger, and creates none."""
        if is_url(self.store):
            try:
                return self.ledger(_ANSWERS_WITHIN)
            except AiogenError:
                return None
        try:
            if is_memory(self.store):
                return None
            path = path_of(self.store) if self.store else _own_place()
            return SqliteStore(path, busy_timeout=_BUSY_TIMEOUT) if path is not None and path.is_file() else None
        except (OSError, AiogenError):
            return None


def _own_place() -> Path | None:
    """Where the ledger is by default; None without a home folder."""
    try:
        path = user_data_path("aiogen", appauthor=False) / "jobs.db"
    except RuntimeError:
        return None  # HOME is not set, or empty, and the user has no entry in the system, as in many containers
    return path if path.is_absolute() else None  # what older versions of platformdirs return then


def connected(session: Session, name: str) -> Provider:
    """The connection of that name.

    Raises:
        ConfigurationError: there is none; the message says which variable to set, or what works without any key.
    """
    try:
        return session.connections.find(name)
    except ConfigurationError as error:
        cls = registry.find(name)
        if cls is None:
            known = ", ".join(registry.names())
            raise ConfigurationError(f"There is no connection {name!r}; aiogen knows {known}.") from None
        if os.environ.get(cls.facts.key_variable or ""):
            raise error
        without = "" if len(session.connections) else f" {without_key()}"
        raise ConfigurationError(
            f"There is no connection {name!r}: set the environment variable {cls.facts.key_variable} to your "
            f"{cls.facts.vendor} API key.{without}"
        ) from None


def no_connection() -> str:
    """What to do where no connection is configured at all."""
    variables = " or ".join(name for cls in registry.loaded() if (name := cls.facts.key_variable) is not None)
    return f"No connection is configured. Set {variables} in the environment. {without_key()}"


def without_key() -> str:
    """What can be tried without a key."""
    return (
        f"Without a key, {command('demo')} shows everything at work, and {command('sandbox')} imitates the providers "
        "for your own commands."
    )


def checked_waiting(timeout: float | None, poll_cost: float | None) -> None:
    """Check the waiting options, with messages that name them as typed.

    Raises:
        InputError: one is out of its range.
    """
    if timeout is not None:
        check_number(timeout, "--timeout", 0.001, 30 * 86_400.0)
    if poll_cost is not None:
        check_number(poll_cost, "--poll-cost", 0.001, 60.0)


def parse_params(pairs: Sequence[str], extra: Sequence[str] = ()) -> dict[str, Any]:
    """`--param name=value` as keywords: a value that is JSON is taken as such, any other is text.

    `extra` are the pairs of `--extra`, which become the keyword of that name: they are sent unchecked.

    Raises:
        InputError: one has no name or no `=`, is given twice, or has an argument of its own on the command line.
    """
    params = _parsed("--param", pairs, "width=1024")
    for name in params:
        if name in _TAKEN:
            raise InputError(f"--param {name}=… has an argument of its own on the command line: {_TAKEN[name]}.")
    if more := _parsed("--extra", extra, "new_option=5"):
        if "extra" in params:
            raise InputError("--param extra=… and --extra mean the same; give only one of them.")
        params["extra"] = more
    return params


def _parsed(option: str, pairs: Sequence[str], example: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise InputError(f"{option} {pair!r} cannot be read; write name=value, such as {option} {example}.")
        if name in found:
            raise InputError(f"{option} {name}=… is given twice.")
        found[name] = json_or_text(text)
    return found
