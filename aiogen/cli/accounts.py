"""The commands about connections: account, and doctor, which looks at everything that must be right first."""

from __future__ import annotations

import asyncio
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import attrs

import aiogen
from aiogen import Account, Session
from aiogen._wording import count
from aiogen.cli.exits import Exit, exit_of, explain, gravest
from aiogen.cli.terminal import Terminal, masked
from aiogen.errors import AiogenError, AuthenticationError, ConfigurationError
from aiogen.providers import PROVIDERS, Provider

_PACKAGES = ("aiohttp", "attrs", "cattrs", "backoff", "cyclopts", "rich", "pillow")


async def account(terminal: Terminal, session: Session, connection: str | None) -> Exit:
    """Who the keys belong to."""
    names = list(session.connections) if connection is None else [session.connections.find(connection).name]
    if not names:
        raise ConfigurationError(f"No connection is configured. Set {_variables()} in the environment.")
    async with session:
        found = await asyncio.gather(*(_account(session, name) for name in names))
    for result in found:
        if isinstance(result, AiogenError):
            terminal.complain(explain(result))
        elif terminal.as_json:
            terminal.record(attrs.asdict(result, filter=lambda field, _: field.name != "raw"))
        else:
            _show(terminal, result)
    return gravest(exit_of(result) for result in found if isinstance(result, AiogenError))


async def _account(session: Session, name: str) -> Account | AiogenError:
    try:
        return await session.account(name)
    except AiogenError as error:
        return error


def _show(terminal: Terminal, found: Account) -> None:
    facts: dict[str, Any] = {"user": found.username, "user id": found.user_id, **found.balances}
    facts["jobs at once"] = found.concurrency_slots
    facts["this session's limits"] = (
        f"{found.window['creates_per_minute']} creates a minute, {found.window['max_active']} jobs at once, "
        f"{count(found.window['requests_per_minute'])} requests a minute"
    )
    terminal.table(
        ("connection", "fact", "value"),
        [(found.connection, name, str(value)) for name, value in facts.items() if value is not None],
    )


# --- doctor


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
    error: str | None = None
    exit: Exit = Exit.OK

    def row(self) -> tuple[str, str, str, str]:
        if self.works is None:
            return self.connection, "-", self.base_url, f"not configured: set {self.key_variable}"
        return self.connection, self.key or "-", self.base_url, f"works ({self.seconds:.1f} s)" if self.works else "no"


async def doctor(terminal: Terminal) -> Exit:
    """Which connections there are, and whether they work."""
    versions = {"aiogen": aiogen.__version__, "python": platform.python_version()}
    versions |= await asyncio.to_thread(_versions)
    findings = await asyncio.gather(*(_examine(cls) for cls in PROVIDERS))
    if terminal.as_json:
        terminal.record({"versions": versions})
        for finding in findings:
            terminal.record(attrs.asdict(finding, filter=lambda field, _: field.name != "exit"))
    else:
        terminal.line("  ".join(f"{name} {number}" for name, number in versions.items()))
        terminal.table(("connection", "key", "address", "answer"), [finding.row() for finding in findings])
    for finding in findings:
        if finding.error is not None:
            terminal.complain(f"{finding.connection}: {finding.error}")
    if all(finding.works is None for finding in findings):
        terminal.complain(f"No connection is configured. Set {_variables()} in the environment.")
        return Exit.CONFIGURATION
    return gravest(finding.exit for finding in findings)


async def _examine(cls: type[Provider]) -> _Finding:
    """One cheap read, with little patience: somebody sits and waits."""
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
        return attrs.evolve(finding, works=False, error=explain(error) + hint, exit=exit_of(error))
    return attrs.evolve(finding, works=True, seconds=round(asyncio.get_running_loop().time() - began, 3))


def _address(url: str) -> str:
    """A base url without what must not be in it, a user name and a password."""
    scheme, _, rest = url.rpartition("://")
    return f"{scheme}://…@{rest.rpartition('@')[2]}" if "@" in rest else url


def _versions() -> dict[str, str]:
    """Of what is installed; each is looked up in several files."""
    return {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _variables() -> str:
    return " or ".join(cls.key_variable for cls in PROVIDERS)
