"""Where the database is: what a url says, and how it is shown, which is without its password.  Pure."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit, urlunsplit

import attrs

from aiogen._safety.secret import Secret
from aiogen.errors import ConfigurationError

_SCHEME = re.compile(r"postgres(?:ql)?(?:\+(?:asyncpg|psycopg|psycopg2|psycopg_async))?://", re.IGNORECASE)
_SCHEMA = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


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

    @classmethod
    def of(cls, url: str, name: str = "url") -> Address:
        """What SQLAlchemy and others put behind the scheme (`+asyncpg`, `+psycopg`) is left out.

        Raises:
            ConfigurationError: it is no url of PostgreSQL; the message does not show it.
        """
        text = url.strip() if isinstance(url, str) else ""
        if not is_url(text):
            raise ConfigurationError(f"{name}= takes postgresql://user@host/database; this is not one.")
        rest = _SCHEME.sub("", text, count=1)
        try:
            parts = urlsplit(f"postgresql://{rest}")
        except ValueError:
            raise ConfigurationError(
                f"{name}= takes postgresql://user@host/database; this one cannot be read. "
                "Special characters in its password have to be written as %XX."
            ) from None
        login, _, where = parts.netloc.rpartition("@")
        user = unquote(login.partition(":")[0])
        query, size = _without_size(parts.query, name)
        return cls(
            Secret(urlunsplit(parts._replace(query=query))),
            f"postgresql://{f'{user}@' if user else ''}{where}{parts.path}",
            size,
        )

    @property
    def url(self) -> str:
        """With the password: for the driver alone."""
        return self._url.text

    def __repr__(self) -> str:
        return f"<Address {self.shown}>"


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
            raise ConfigurationError(f"{name}=: {key} takes a number, such as 0.")
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
