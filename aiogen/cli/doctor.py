"""The command doctor: which connections are configured, and whether they and the ledger work."""

from __future__ import annotations

import asyncio
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import attrs

import aiogen
from aiogen import Session
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
from aiogen.providers import PROVIDERS, Provider
from aiogen.stores.base import RecordQuery

_PACKAGES = ("aiohttp", "attrs", "cattrs", "backoff", "cyclopts", "rich", "pillow")


@attrs.frozen(kw_only=True)
class _Finding:
    """What is known of one provider's connection."""

    connection: str
    vendor: str
    key: str | None
    key_variable: str
    base_url: str
    works: bool | None = None
    """None: no key, so it was not tried."""
    seconds: float | None = None
    why: str | None = None
    """Why it fails, in a few words."""
    error: str | None = None
    """Why it fails, and what helps."""
    exit: Exit = Exit.OK

    def row(self) -> tuple[str, str, str, str]:
        if self.works is None:
            return self.connection, "-", self.base_url, f"not configured: set {self.key_variable}"
        answer = f"works ({self.seconds:.1f} s)" if self.works else f"fails: {self.why}"
        return self.connection, self.key or "-", self.base_url, answer


async def doctor(terminal: Terminal, common: Connected) -> Exit:
    """Which connections there are, and whether they and the ledger work."""
    versions = {"aiogen": aiogen.__version__, "python": platform.python_version()}
    versions |= await asyncio.to_thread(_versions)
    findings = await asyncio.gather(*(_examine(cls) for cls in PROVIDERS))
    kept = await _examine_ledger(common)
    if terminal.as_json:
        terminal.record({"versions": versions, "ledger": attrs.asdict(kept)})
        for finding in findings:
            terminal.record(attrs.asdict(finding, filter=lambda field, _: field.name != "exit"))
    else:
        terminal.line("  ".join(f"{name} {number}" for name, number in versions.items()))
        rows = [*(finding.row() for finding in findings), ("ledger", "-", kept.path or "-", kept.answer)]
        terminal.table(("connection", "key", "address", "answer"), rows, whole=("answer",))
    for finding in findings:
        if finding.error is not None:
            terminal.complain(f"{finding.connection}: {finding.error}")
    if kept.error is not None:
        terminal.complain(f"ledger: {kept.error}")
    if all(finding.works is None for finding in findings):
        terminal.complain(no_connection())
        return Exit.CONFIGURATION
    return gravest([*(finding.exit for finding in findings), Exit.OK if kept.works else Exit.CONFIGURATION])


async def _examine(cls: type[Provider]) -> _Finding:
    """One cheap read, with short timeouts: someone is waiting for it."""
    key = os.environ.get(cls.key_variable, "")
    finding = _Finding(
        connection=cls.default_name,
        vendor=cls.vendor,
        key=masked(key) if key.strip() else None,
        key_variable=cls.key_variable,
        base_url=_address(os.environ.get(cls.url_variable) or cls.default_url),
    )
    if finding.key is None:
        return finding
    began = asyncio.get_running_loop().time()
    try:
        session = Session(providers=[cls()], read_attempts=2, connect_timeout=5.0, read_timeout=10.0)
        async with session:
            await session.account(cls.default_name)
    except AiogenError as error:
        # Another address is the first suspect, unless it was understood there that the key is wrong.
        is_suspect = os.environ.get(cls.url_variable) and not isinstance(
            error, ConfigurationError | AuthenticationError
        )
        hint = f" Is {cls.url_variable} right?" if is_suspect and cls.url_variable not in error.message else ""
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
    path: str | None = common.store
    try:
        store = await asyncio.to_thread(common.ledger)
        path = str(store.path)
        if not await asyncio.to_thread(store.path.exists) and await asyncio.to_thread(_can_write, store.path.parent):
            return _Kept(path=path, works=True, answer="not created yet")
        await store.open()
        try:
            newest = await store.find(RecordQuery(limit=1))
        finally:
            await store.close()
    except InputError as error:
        # None was asked for, which is not an error; or what was asked for cannot be a ledger.
        is_none = not isinstance(error, ConfigurationError)
        return _Kept(
            path=path,
            works=is_none,
            answer="none is kept" if is_none else "fails: not a ledger",
            error=None if is_none else explain(error),
        )
    except AiogenError as error:
        return _Kept(path=path, works=False, answer="fails: cannot be used", error=explain(error))
    return _Kept(path=path, works=True, answer="works" if newest else "works, empty")


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
