"""Where the database is: what a url says, and how it is shown, which is without its password.  Pure."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import attrs

from aiogen._safety.secret import Secret
from aiogen.errors import ConfigurationError

_SCHEME = re.compile(r"postgres(?:ql)?(?:\+(?:asyncpg|psycopg|psycopg2|psycopg_async))?://", re.IGNORECASE)
_SCHEMA = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_PASSWORD = re.compile(r"((?:^|&)(?:ssl)?password=)[^&]*", re.IGNORECASE)
_HOST = re.compile(r"(?:\[[^\[\]]*\]|[^:\[\]]*)(?::\d{0,5})?")


def is_url(store: object) -> bool:
    """A text that names a database of PostgreSQL."""
    return isinstance(store, str) and _SCHEME.match(store.strip()) is not None


@attrs.frozen
class Address:
    """A url of a database."""

    _url: Secret
    shown: str
    """Without password and parameters."""
    statement_cache_size: int | None = None
    """What `statement_cache_size` says in it, which is no parameter of the server's; None if nothing."""
    schema: str | None = None
    """The namespace that `search_path` names in it, if it is one plain name."""
    by_hand: str = ""
    """As one types it, with … in place of a password."""

    @classmethod
    def of(cls, url: str, name: str = "url") -> Address:
        """What SQLAlchemy and others put behind the scheme (`+asyncpg`, `+psycopg`) is left out.

        Raises:
            ConfigurationError: it is no url of PostgreSQL; the message does not show it.
        """
        name = f"{name}=" if name.isidentifier() else name
        text = url.strip() if isinstance(url, str) else ""
        if not is_url(text):
            raise ConfigurationError(f"{name} takes postgresql://user@host/database; this is not one.")
        rest = _SCHEME.sub("", text, count=1)
        try:
            parts = urlsplit(f"postgresql://{rest}")
        except ValueError:
            parts = None
        if parts is None or not _is_whole(parts):
            raise ConfigurationError(
                f"{name} takes postgresql://user@host/database; this one cannot be read. "
                "Special characters in its password have to be written as %XX."
            )
        login, _, where = parts.netloc.rpartition("@")
        user, colon, _ = login.partition(":")
        query, size = _without_size(parts.query, name)
        paths = parse_qs(query).get("search_path", [""])
        return cls(
            Secret(_joined(parts.netloc, parts.path, query)),
            f"postgresql://{f'{unquote(user)}@' if user else ''}{where}{parts.path}",
            size,
            paths[-1] if _SCHEMA.fullmatch(paths[-1]) else None,
            _joined(
                f"{user}{':…' if colon else ''}@{where}" if login else where,
                parts.path,
                _PASSWORD.sub(r"\1…", parts.query),
            ),
        )

    @property
    def url(self) -> str:
        """With the password: for the driver alone."""
        return self._url.text

    def __repr__(self) -> str:
        return f"<Address {self.shown}>"


def _joined(netloc: str, path: str, query: str) -> str:
    return f"postgresql://{netloc}{path}{'?' if query else ''}{query}"


def _is_whole(parts: SplitResult) -> bool:
    """No part of a password lies where it would be taken for a port, a database or a parameter, and be shown."""
    hosts = parts.netloc.rpartition("@")[2].split(",")
    pairs = filter(None, parts.query.split("&"))
    is_clear = "@" not in parts.path and not parts.fragment and all("=" in pair for pair in pairs)
    return is_clear and all(_HOST.fullmatch(host) for host in hosts)


def _without_size(query: str, name: str) -> tuple[str, int | None]:
    """The parameters of the server, and how many statements the driver may keep prepared."""
    kept, size = list[str](), None
    for pair in filter(None, query.split("&")):
        key, _, value = pair.partition("=")
        if key not in ("statement_cache_size", "prepared_statement_cache_size"):
            kept.append(pair)
        elif value.isascii() and value.isdecimal() and len(value) < 6:
            size = int(value)
        else:
            raise ConfigurationError(f"{name}: {key} takes a number, such as 0.")
    return "&".join(kept), size


def schema_name(name: str | None, option: str = "schema=") -> str | None:
    """A namespace of the database.

    Raises:
        ConfigurationError: it is no plain name.
    """
    if name is not None and (not isinstance(name, str) or not _SCHEMA.fullmatch(name)):
        raise ConfigurationError(
            f"{option} takes a name of letters, digits and underscores, at most 63 of them, not {str(name)[:70]!r}."
        )
    return name
