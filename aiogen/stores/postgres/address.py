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

_SIZES = ("statement_cache_size", "prepared_statement_cache_size")
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_AS_IT_IS = {
    "channel_binding": ("disable", "prefer"),
    "client_encoding": ("auto", "utf8", "utf-8", "unicode"),
    "fallback_application_name": None,
    "gssencmode": ("disable", "prefer", "allow"),
    "load_balance_hosts": ("disable",),
    "sslcertmode": ("allow",),
    "sslcompression": ("0",),
    "sslsni": ("1",),
}
"""Parameters of libpq's that the driver does not have, with the values (None: any) that ask for what it does anyway."""
_LOSSES = "Lost connections are noticed without it: every statement has its time, and who listens is asked."
_NOT_HERE = {
    **dict.fromkeys(("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"), _LOSSES),
    "tcp_user_timeout": _LOSSES,
    "hostaddr": "Write the address in place of the host.",
    **dict.fromkeys(
        (
            "gssdelegation", "max_protocol_version", "min_protocol_version", "oauth_client_id", "oauth_client_secret",
            "oauth_issuer", "oauth_scope", "replication", "require_auth", "requirepeer", "requiressl",
            "scram_client_key", "scram_server_key", "servicefile", "sslcrldir", "sslkeylogfile",
        ),
        "",
    ),
}  # fmt: skip
"""Others of libpq's, and what there is instead of each."""


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
    connect_timeout: float | None = None
    """Seconds to connect, as libpq's `connect_timeout` says in it; None if nothing, or no limit."""
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
        query, numbers = _for_the_driver(parts.query, name)
        size, seconds = numbers.get("statement_cache_size"), numbers.get("connect_timeout")
        paths = parse_qs(query).get("search_path", [""])
        return cls(
            Secret(_joined(parts.netloc, parts.path, query)),
            f"postgresql://{f'{unquote(user)}@' if user else ''}{where}{parts.path}",
            size,
            # libpq waits for two seconds at least, and without an end for 0.
            float(max(2, seconds)) if seconds else None,
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


def _for_the_driver(query: str, name: str) -> tuple[str, dict[str, int]]:
    """What it takes, and passes on to the server; beside it the numbers that are meant for us.

    Raises:
        ConfigurationError: libpq has such a parameter and the driver has not, or a value cannot be right; neither is
            shown.
    """
    kept, numbers = list[str](), dict[str, int]()
    for pair in filter(None, query.split("&")):
        key, _, value = pair.partition("=")
        key, value = unquote(key), unquote(value)
        if key in (*_SIZES, "connect_timeout"):
            if not (value.isascii() and value.isdecimal() and len(value) < 6):
                raise ConfigurationError(f"{name}: {key} takes a number, such as {0 if key in _SIZES else 10}.")
            numbers["statement_cache_size" if key in _SIZES else key] = int(value)
        elif key == "ssl":  # of SQLAlchemy's, and JDBC's
            mode = "require" if value == "true" else value
            if mode not in _SSL_MODES:
                raise ConfigurationError(f"{name}: ssl takes {', '.join(_SSL_MODES)}. Or say sslmode=, as libpq does.")
            kept.append(f"sslmode={mode}")
        elif key in _AS_IT_IS:
            asked = _AS_IT_IS[key]
            if asked is not None and value.lower() not in asked:
                raise ConfigurationError(
                    f"{name}: {key} is a parameter of libpq, of which the driver here (asyncpg) can only do "
                    f"{' or '.join(asked)}. Say that, or leave it out."
                )
        elif (instead := _NOT_HERE.get(key)) is not None:
            raise ConfigurationError(
                f"{name}: {key} is a parameter of libpq, and the driver here (asyncpg) does not have it. "
                f"Leave it out. {instead}".rstrip()
            )
        else:
            kept.append(pair)
    return "&".join(kept), numbers


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
