"""The command doctor: which connections are configured, and whether they and the ledger work."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import attrs

import aiogen
from aiogen import Session
from aiogen.cli import ledgers
from aiogen.cli.exits import Exit, exit_of, explain, gravest
from aiogen.cli.options import Connected, no_connection
from aiogen.cli.terminal import Terminal, masked
from aiogen.errors import (
    AiogenError,
    APIError,
    AuthenticationError,
    ConfigurationError,
    InputError,
    NetworkError,
    NotFound,
    ProtocolError,
    RateLimited,
)
from aiogen.providers import Provider, registry
from aiogen.stores.base import RecordQuery
from aiogen.stores.postgres.address import is_url
from aiogen.stores.sqlite.store import SqliteStore

_LEDGER_ANSWERS_WITHIN = 5.0
"""Seconds: someone is waiting for it."""
_PACKAGES = ("aiohttp", "attrs", "cattrs", "backoff", "cyclopts", "rich", "pillow", "asyncpg")


@attrs.frozen(kw_only=True)
class _Finding:
    """What is known of one provider's connection."""

    connection: str
    vendor: str
    key: str | None = None
    key_variable: str | None = None
    base_url: str = "-"
    works: bool | None = None
    """None: it was not tried, for want of a key or of a call to try it with; or nothing is there and nobody said so."""
    seconds: float | None = None
    why: str | None = None
    """Why it fails, or was not tried, in a few words."""
    error: str | None = None
    """Why it fails, and what helps."""
    exit: Exit = Exit.OK

    def row(self) -> tuple[str, str, str, str]:
        if self.works is None:
            return self.connection, self.key or "-", self.base_url, self.why or "not tried"
        answer = f"works ({self.seconds:.1f} s)" if self.works else f"fails: {self.why}"
        return self.connection, self.key or "-", self.base_url, answer


async def doctor(terminal: Terminal, common: Connected) -> Exit:
    """Which connections there are, and whether they and the ledger work."""
    versions = {"aiogen": aiogen.__version__, "python": platform.python_version()}
    versions |= await asyncio.to_thread(_versions)
    findings = await asyncio.gather(*map(_examine, await asyncio.to_thread(registry.names)))
    kept = await _examine_ledger(common)
    if terminal.as_json:
        terminal.record({"versions": versions, "ledger": attrs.asdict(kept)})
        for finding in findings:
            terminal.record(attrs.asdict(finding, filter=lambda field, _: field.name != "exit"))
    else:
        terminal.line("  ".join(f"{name} {number}" for name, number in versions.items()))
        rows = [*(finding.row() for finding in findings), ("ledger", "-", kept.path or "-", kept.answer)]
        terminal.table(("connection", "key", "address", "answer"), rows, whole=("answer",))
    for words in await asyncio.to_thread(registry.shadowed):
        terminal.complain(words)
    for finding in findings:
        if finding.error is not None:
            terminal.complain(f"{finding.connection}: {finding.error}")
    if kept.error is not None:
        terminal.complain(f"ledger: {kept.error}")
    if all(finding.works is None for finding in findings):
        terminal.complain(no_connection())
        return Exit.CONFIGURATION
    return gravest([*(finding.exit for finding in findings), Exit.OK if kept.works else Exit.CONFIGURATION])


async def _examine(name: str) -> _Finding:
    """Whether one provider can be used."""
    try:
        cls = await asyncio.to_thread(registry.find, name)
    except ConfigurationError as error:
        why = "its package cannot be used"
        return _Finding(connection=name, vendor=name, works=False, why=why, error=explain(error), exit=exit_of(error))
    assert cls is not None
    facts = cls.facts
    key = os.environ.get(facts.key_variable, "") if facts.key_variable is not None else ""
    finding = _Finding(
        connection=name,
        vendor=facts.vendor,
        key=masked(key) if key.strip() else None,
        key_variable=facts.key_variable,
        base_url=_address(os.environ.get(facts.url_variable) or facts.url),
    )
    if facts.key_variable is not None and finding.key is None and facts.public_key is None:
        return attrs.evolve(finding, why=f"not configured: set {facts.key_variable}")
    return await _tried(cls, finding)


async def _tried(cls: type[Provider], finding: _Finding) -> _Finding:
    """One cheap read, with short timeouts: someone is waiting for it."""
    variable = cls.facts.url_variable
    is_elsewhere = bool(os.environ.get(variable))
    began = asyncio.get_running_loop().time()
    try:
        provider = cls()
        if not provider.capabilities.account:
            return attrs.evolve(finding, why="configured; the provider has no call to try it with")
        async with Session(providers=[provider], read_attempts=2, connect_timeout=5.0, read_timeout=10.0) as session:
            await session.account(cls.facts.name)
    except AiogenError as error:
        if isinstance(error, NetworkError) and cls.facts.key_variable is None and not is_elsewhere:
            return attrs.evolve(finding, why=f"nothing answers there: start it, or set {variable}")
        # Another address is the first suspect, unless it was understood there that the key is wrong.
        is_suspect = is_elsewhere and not isinstance(error, ConfigurationError | AuthenticationError)
        hint = f" Is {variable} right?" if is_suspect and variable not in error.message else ""
        return attrs.evolve(
            finding, works=False, why=_in_short(error), error=explain(error) + hint, exit=exit_of(error)
        )
    return attrs.evolve(finding, works=True, seconds=round(asyncio.get_running_loop().time() - began, 3))


# The first that matches: narrower kinds come before wider ones.
_IN_SHORT: tuple[tuple[type[AiogenError], str], ...] = (
    (ConfigurationError, "key or address is not valid"),
    (AuthenticationError, "the key was refused"),
    (NotFound, "not found there"),
    (RateLimited, "too many requests"),
    (NetworkError, "cannot be reached"),
    (ProtocolError, "unreadable answer"),
    (APIError, "refused"),
)


def _in_short(error: AiogenError) -> str:
    words = next((words for kind, words in _IN_SHORT if isinstance(error, kind)), "error")
    return f"{words} ({error.status})" if isinstance(error, APIError) and error.status else words


@attrs.frozen(kw_only=True)
class _Kept:
    """What is known of the ledger."""

    path: str | None
    works: bool
    answer: str
    error: str | None = None


async def _examine_ledger(common: Connected) -> _Kept:
    """Whether jobs can be kept; no file is created for this."""
    path, began = _shown(common.store), time.monotonic()
    try:
        store = await asyncio.to_thread(common.ledger, _LEDGER_ANSWERS_WITHIN)
        path, folder = ledgers.place(store), store.path.parent if isinstance(store, SqliteStore) else None
        if not await ledgers.is_there(store) and (folder is None or await asyncio.to_thread(_can_write, folder)):
            return _Kept(path=path, works=True, answer="not created yet")
        async with ledgers.writing(store):  # for jobs cannot be kept where one may only read
            newest = await store.find(RecordQuery(limit=1))
    except InputError as error:
        # None was asked for, which is not an error; or what was asked for cannot be a ledger.
        is_none = not isinstance(error, ConfigurationError)
        why = "cannot be used" if is_url(common.store) else "not a ledger"
        return _Kept(
            path=path,
            works=is_none,
            answer="none is kept" if is_none else f"fails: {why}",
            error=None if is_none else explain(error),
        )
    except AiogenError as error:
        return _Kept(path=path, works=False, answer="fails: cannot be used", error=explain(error))
    took = "" if folder is not None else f" ({time.monotonic() - began:.1f} s)"
    return _Kept(path=path, works=True, answer=f"works{took}" if newest else f"works{took}, empty")


def _shown(named: str | None) -> str | None:
    """As it was named, without what may be a password in a url that cannot be used."""
    return named if named is None or "://" not in named else f"{named.partition('://')[0]}://…"


def _can_write(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _address(url: str) -> str:
    """A base url without a user name and a password, which should not be in it."""
    scheme, _, rest = url.rpartition("://")
    return f"{scheme}://…@{rest.rpartition('@')[2]}" if "@" in rest else url


def _versions() -> dict[str, str]:
    """Versions of the installed packages; each is looked up in several files."""
    return {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
