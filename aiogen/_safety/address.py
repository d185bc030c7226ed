"""Where a file may be fetched from: judged by the address as it is written, and by the IP address it leads to.  Pure.

The address comes from a provider, or from a redirect.  It must not make this machine send requests to
its own services or into its own network, unless the provider itself is there.
"""

from __future__ import annotations

import re
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Self
from urllib.parse import quote

import attrs
from yarl import URL

_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))
"""RFC 1918, the shared addresses of RFC 6598 (also of VPNs), and RFC 4193."""
_GLOBAL_IPV6 = ip_network("2000::/3")
"""All that IANA has given out as global unicast."""
_NAT64 = ip_network("64:ff9b::/96")
"""RFC 6052: an IPv4 address in its last 32 bits."""

_PRIVATE_NAMES = ("localhost", "local", "internal", "home.arpa")
"""Names that are never public: RFC 6761, RFC 6762, ICANN's resolution of 2024-07-29, RFC 8375."""
_HOST_NAME = re.compile(r"[0-9A-Za-z_-]{1,63}(\.[0-9A-Za-z_-]{1,63})*\.?")
_UNSENDABLE = re.compile(r"[^!-~]")
_LEGACY_IPV4 = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)\.?", re.IGNORECASE)
"""Such as 2130706433, 127.1 and 0x7f.1: what a system call would still read as an IPv4 address."""


class Reach(Enum):
    """What an address leads to."""

    PUBLIC = "public"
    PRIVATE = "private"
    """This machine, or a network of its owner."""
    SPECIAL = "special"
    """Link-local (where clouds keep their metadata), multicast, unspecified, reserved: files are never there."""


class Refused(Exception):
    """An address that is not fetched; the message says why, without the signature."""


def reach_of(address: str) -> Reach:
    """What an IP address leads to; one that has an IPv4 address in it is judged by that.

    Raises:
        ValueError: it is no IP address.
    """
    ip = ip_address(address)
    if isinstance(ip, IPv6Address) and (inner := _embedded(ip)) is not None:
        ip = inner
    if ip.is_loopback or any(ip in network for network in _PRIVATE):
        return Reach.PRIVATE
    if not ip.is_global or ip.is_multicast or (ip.version == 6 and ip not in _GLOBAL_IPV6):
        return Reach.SPECIAL
    return Reach.PUBLIC


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


def reach_of_host(host: str) -> Reach | None:
    """What the host of an address leads to, as far as its text says; None for a name that may lead anywhere.

    >>> reach_of_host("192.168.0.7"), reach_of_host("printer.local"), reach_of_host("example.com")
    (<Reach.PRIVATE: 'private'>, <Reach.PRIVATE: 'private'>, None)
    """
    try:
        return reach_of(host)
    except ValueError:
        pass
    if _LEGACY_IPV4.fullmatch(host):
        return Reach.SPECIAL
    name = host.rstrip(".").lower()
    # A name without a dot is found only in a network of one's own: a container's, a company's.
    is_private = "." not in name or name.endswith(tuple(f".{suffix}" for suffix in _PRIVATE_NAMES))
    return Reach.PRIVATE if is_private else None


@attrs.frozen
class FilePolicy:
    """Which addresses the files of one connection may have."""

    home: str | None = None
    """The host of the connection's own base url; its files may always be there."""
    private: bool = False
    """That host is on this machine or in a private network, so the files may be, too."""
    insecure: bool = False
    """Plain http is allowed to public hosts."""

    @classmethod
    def of(cls, base_url: str | None, *, insecure: bool = False) -> Self:
        """The policy of a connection; without a base url only public https."""
        try:
            home = URL(base_url).host if base_url else None
        except ValueError:
            home = None
        return cls(home, home is not None and reach_of_host(home) is Reach.PRIVATE, insecure)

    def url(self, text: str, base: URL | None = None) -> URL:
        """The address to ask for, with path and query in the very bytes that were given, for they may be signed.

        Only what cannot be sent (blanks, control characters, what is not ASCII) is quoted.

        Args:
            text: as the provider, or a `Location` header, gives it.
            base: the address that redirected; `text` may then be relative.

        Raises:
            Refused: it may not be fetched, or is no address.
        """
        url = _exact(text, base)
        host, shown = url.host or "", f"{url.scheme}://{url.host_port_subcomponent}"
        if url.raw_user is not None or url.raw_password is not None:
            raise Refused(f"contains a user name ({shown})")
        reach = reach_of_host(host)
        if url.scheme == "http" and not self.insecure and not (self.private and reach is Reach.PRIVATE):
            raise Refused(f"is not https ({shown})")
        if host != self.home and not self._admits(reach):
            raise Refused(_where(reach, shown))
        return url

    def check(self, url: URL, address: str) -> None:
        """Whether that url may be reached at that IP address.

        Args:
            url: as `url()` gave it.
            address: where its host leads to.

        Raises:
            Refused: it may not.
        """
        reach, shown = reach_of(address), f"{url.scheme}://{url.host_port_subcomponent} at {address}"
        if url.host == self.home:
            return
        if url.scheme == "http" and not self.insecure and reach is not Reach.PRIVATE:
            raise Refused(f"is not https ({shown})")  # the name looked private, but its address is not
        if not self._admits(reach):
            raise Refused(_where(reach, shown))

    def _admits(self, reach: Reach | None) -> bool:
        return reach in (None, Reach.PUBLIC) or (reach is Reach.PRIVATE and self.private)


def _where(reach: Reach | None, shown: str) -> str:
    if reach is Reach.PRIVATE:
        return f"leads into a private network, but the provider itself is not in one ({shown})"
    return f"leads to a special-purpose address, where no file can be ({shown})"


def _exact(text: str, base: URL | None) -> URL:
    try:
        given = URL(text, encoded=True)
        if base is not None and not given.scheme:
            given = base.join(given)
        scheme, path = given.scheme, _UNSENDABLE.sub(_quoted, given.raw_path_qs)
        if scheme not in ("http", "https"):
            raise Refused(f"is not https ({scheme or 'no scheme'})")
        origin = URL.build(scheme=scheme, authority=given.raw_authority)
        if not _is_host(origin.raw_host or ""):
            raise Refused("has no valid host")
        return URL(f"{origin}{path}", encoded=True)
    except (ValueError, TypeError):
        pass
    # Raised outside: among the locals of yarl's frames is half a URL, which breaks error reporters that print them.
    raise Refused("cannot be requested")


def _is_host(host: str) -> bool:
    return ":" in host or (_HOST_NAME.fullmatch(host) is not None and len(host) <= 253)


def _quoted(found: re.Match[str]) -> str:
    # A header's bytes that are no UTF-8 arrive as half surrogates, and leave as the same bytes.
    return quote(found[0], safe="", errors="surrogateescape")
