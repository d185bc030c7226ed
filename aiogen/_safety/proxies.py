"""Through which proxy a request goes, by HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in upper or lower case.  Pure.

aiohttp's own way (`trust_env`) would also read netrc, and put what stands there beside our key.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Self
from urllib.parse import unquote, urlsplit

import attrs

from aiogen._checks import can_be_host, is_this_machine
from aiogen._safety.secret import Masked
from aiogen.errors import ConfigurationError


@attrs.frozen
class Proxy:
    """A proxy's address, and what lets us through."""

    url: str
    """Without a user's name and password."""
    authorization: Masked | None = attrs.field(default=None, repr=False)
    """The value of `Proxy-Authorization`."""


@attrs.frozen
class Proxies:
    """What the environment says of proxies; requests to loopback never go through one."""

    http: str = attrs.field(default="", repr=False)
    https: str = attrs.field(default="", repr=False)
    exceptions: tuple[str, ...] = ()
    """NO_PROXY: hosts, with what is below them; `host:port`, networks such as 10.0.0.0/8, or `*` for all."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Read from the environment; lower case takes precedence over upper case, even if it is empty, as is usual."""

        def value(name: str) -> str:
            upper = environment.get(name.upper(), "")
            if name == "http_proxy" and "REQUEST_METHOD" in environment:
                upper = ""  # in a CGI script that is a header of the client's
            return environment.get(name, upper).strip()

        exceptions = value("no_proxy").replace(",", " ").lower().split()
        return cls(Masked(value("http_proxy")), Masked(value("https_proxy")), tuple(exceptions))

    def __bool__(self) -> bool:
        return bool(self.http or self.https)

    def proxy_for(self, scheme: str, host: str, port: int | None) -> Proxy | None:
        """The proxy for requests to this host; None if they go straight to it.

        Raises:
            ConfigurationError: the variable does not contain a usable address.
        """
        address = self.https if scheme == "https" else self.http
        if not address or is_this_machine(host) or self._is_excepted(host.lower().rstrip("."), port):
            return None
        return proxy_at(address, f"{scheme.upper()}_PROXY")

    def _is_excepted(self, host: str, port: int | None) -> bool:
        for exception in self.exceptions:
            if exception == "*" or _names(exception, host):
                return True
            name, colon, number = exception.rpartition(":")
            if colon and number == str(port) and _names(name, host):
                return True
        return False


def proxy_at(address: str, source: str) -> Proxy:
    """The proxy of an address, which may hold a user's name and password; "host:port" means http.

    Raises:
        ConfigurationError: it is not the address of an http or https proxy; the message names its `source`.
    """
    address = Masked(address if "://" in address else f"http://{address}")
    scheme, host, port, authorization = _parts(address)
    if scheme not in ("http", "https") or not can_be_host(host):
        raise ConfigurationError(
            f"{source} does not name a usable proxy ({scheme}://{host}): it must be the address of an http or https "
            "proxy, such as http://proxy:3128.",
            code=None,
            action=None,
        )
    where = f"[{host}]" if ":" in host else host
    url = f"{scheme}://{where}" if port is None else f"{scheme}://{where}:{port}"
    return Proxy(url, authorization)


def _parts(address: str) -> tuple[str, str, int | None, Masked | None]:
    """Scheme, host, port and credentials; all empty if it is no url at all."""
    try:
        parts = urlsplit(str(address))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "", "", None, None
    if parts.username is None and parts.password is None:
        return parts.scheme, host, port, None
    return parts.scheme, host, port, basic(unquote(parts.username or ""), unquote(parts.password or ""))


def basic(user: str, password: str, encoding: str = "utf-8") -> Masked:
    """The value of a header for a user's name and password (RFC 7617)."""
    return Masked("Basic " + base64.b64encode(f"{user}:{password}".encode(encoding)).decode())


def _names(exception: str, host: str) -> bool:
    """True if an entry of NO_PROXY means this host: itself, what is below it, or its network."""
    name = exception.removeprefix("*").lstrip(".").rstrip(".").strip("[]")
    if name and (host == name or host.endswith(f".{name}")):
        return True
    try:
        return ip_address(host) in ip_network(name, strict=False)
    except ValueError:
        return False
