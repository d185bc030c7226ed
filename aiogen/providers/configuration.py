"""What a connection is made of: its key, its address, its headers, and which account that is.  Pure."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from urllib.parse import unquote, urlsplit

import attrs

from aiogen._checks import can_be_host, is_this_machine
from aiogen._safety.secret import Secret, to_secret
from aiogen.errors import ConfigurationError
from aiogen.providers.environment import said
from aiogen.providers.facts import Facts

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_OF_CONNECTIONS = frozenset({"name", "max_active", "creates_per_minute", "requests_per_minute"})
"""Facts that a connection has as attributes, too."""
_FACTS = frozenset(field.name for field in attrs.fields(Facts)) - _OF_CONNECTIONS
_VALUES = (str, int, float, frozenset, type)
"""What a fact may be; a method of the same name is the class's own affair."""
_OURS = frozenset({"host", "content-length", "content-type", "transfer-encoding", "connection"})


class Usual(int):
    """A limit that nobody gave: the provider file's.  Its value would not say so, for people may give the same."""


def usual_requests(facts: Facts, max_active: int, creates_per_minute: int) -> int:
    """Requests of any kind per minute where nobody says how many: as many more as the other limits are raised."""
    raised = max(1.0, max_active / facts.max_active, creates_per_minute / facts.creates_per_minute)
    return max(facts.requests_per_minute, min(facts.most_requests_per_minute, int(facts.requests_per_minute * raised)))


def facts_of(cls: type) -> Facts:
    """The facts of a provider class.

    Raises:
        ConfigurationError: it has none, or what belongs into them is an attribute of the class, which nothing reads.
    """
    facts = getattr(cls, "facts", None)
    if not isinstance(facts, Facts):
        raise ConfigurationError(
            f"The provider class {cls.__name__} has no facts: they are a class attribute, an aiogen.Facts.",
            action=None,
        )
    for owner in cls.__mro__:
        for name in _FACTS & vars(owner).keys():
            value = vars(owner)[name]
            if isinstance(value, _VALUES):
                raise ConfigurationError(
                    f"{owner.__name__}.{name} is read by nothing: it is one of the facts. Write facts = "
                    f"attrs.evolve({owner.__mro__[1].__name__}.facts, {name}={value!r}), or put it into its Facts(…).",
                    action=None,
                )
    return facts


def hidden_headers(headers: Mapping[str, str | Secret]) -> Mapping[str, Secret]:
    """Headers with their values wrapped, so that nothing shows them."""
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"extra_headers= takes {{'Name': 'value'}}, not {type(headers).__name__}.")
    return {name: to_secret(value) for name, value in headers.items()}


def hidden_keys(keys: Iterable[str | Secret]) -> tuple[Secret, ...]:
    """Keys wrapped, so that nothing shows them."""
    if isinstance(keys, str | bytes | Secret) or not isinstance(keys, Iterable):
        raise ConfigurationError("previous_keys= takes a list of the keys that this account had before.")
    return tuple(to_secret(key) for key in keys)


def check_previous_keys(keys: Sequence[Secret], facts: Facts) -> None:
    """Whether they can have been keys.

    Raises:
        ConfigurationError: one cannot, or this vendor takes none.
    """
    if keys and facts.key_variable is None:
        raise ConfigurationError(f"{facts.vendor} takes no API key, so previous_keys= has no meaning for it.")
    if not all(key.text and key.text.isascii() and key.text.isprintable() and " " not in key.text for key in keys):
        raise ConfigurationError(
            "previous_keys= has one that is empty, or contains a line break, a space or a character outside ASCII; "
            "write each as it was in api_key=."
        )


def check_extra_headers(headers: Mapping[str, Secret]) -> None:
    """Whether they can be sent.

    Raises:
        ConfigurationError: a name or a value cannot be a header's, or aiogen itself sets that header.
    """
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ConfigurationError(f"extra_headers= has a name that no header can have: {name!r}.")
        if name.lower() in _OURS:
            raise ConfigurationError(f"extra_headers= cannot set {name}, which aiogen sets itself.")
        if not value.text or any(not " " <= c <= "~" for c in value.text):
            raise ConfigurationError(
                f"The value of {name} in extra_headers= must be text in ASCII without line breaks, and not empty."
            )


def check_key(key: Secret, facts: Facts, class_name: str) -> Secret:
    """The key as it is given, else from the environment, else the vendor's public one.

    It is not stripped: one with spaces or line breaks around it was copied wrongly.

    Raises:
        ConfigurationError: it is empty, or contains characters that are not allowed in a header; or there is one
            where none is taken.
    """
    if facts.key_variable is None:
        if key:
            raise ConfigurationError(
                f"{facts.vendor} takes no API key; if a proxy in front of it asks for one, pass extra_headers=.",
                provider=facts.name,
            )
        return key
    key = key or Secret(said(facts.key_variable)) or Secret(facts.public_key or "")
    if not key.text.strip():
        error = ConfigurationError(
            f"API Key cannot be empty. Please provide your {facts.vendor} API key in the credentials.",
            provider=facts.name,
        )
        error.add_note(f"Set the environment variable {facts.key_variable}, or pass {class_name}(api_key=…).")
        raise error
    if any(not "!" <= c <= "~" for c in key.text):
        raise ConfigurationError(
            f"The {facts.vendor} API key contains a line break, a space or a character outside ASCII; "
            f"copy it again, without anything around it (from {facts.key_variable} or api_key=).",
            provider=facts.name,
        )
    return key


def check_url(url: str, facts: Facts, *, allow_insecure: bool) -> str:
    """A base url without its trailing slash.

    Raises:
        ConfigurationError: it is not an http(s) url, its host is not valid, it contains a user name or a query, or it
            is plain http to another machine.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except (ValueError, AttributeError):
        raise ConfigurationError(f"The base url {url!r} is not a url; {usual_url(facts)}.") from None
    if parts.scheme not in ("http", "https") or not host or any(c.isspace() for c in url):
        raise ConfigurationError(f"The base url {url!r} cannot be used: {usual_url(facts)}.")
    if any(c in url for c in "?#@"):
        raise ConfigurationError("The base url must not contain a query, a fragment or a user name.")
    if not can_be_host(host):
        raise ConfigurationError(
            f"The base url {url!r} cannot be used, because {host!r} is not a valid host: {usual_url(facts)}."
        )
    if parts.scheme == "http" and not allow_insecure and not is_this_machine(host):
        what = "the key" if facts.key_variable is not None else "prompts and pictures"
        raise ConfigurationError(
            f"The base url {url!r} is plain http to another machine, so anyone in between could read {what}: "
            "use https, or pass allow_insecure=True if you accept that."
        )
    return url.rstrip("/")


def usual_url(facts: Facts) -> str:
    """What a base url must look like, for messages."""
    where = f"from {facts.url_variable} or base_url="
    scheme = "https://" if facts.url.startswith("https://") else "http:// or https://"
    return f"it must begin with {scheme} and name a host, as in {facts.url} ({where})"


def with_usual_path(url: str, facts: Facts) -> str:
    """The vendor's own host without a path means its API; on any other host the API may be at the root."""
    given, usual = urlsplit(url), urlsplit(facts.url)
    return facts.url if (given.scheme, given.netloc, given.path) == (usual.scheme, usual.netloc, "") else url


def is_below(url: str, base: str) -> bool:
    """Whether an address is at the same host and port, and under the path of the base."""
    try:
        given, own = urlsplit(url), urlsplit(base)
        same = (given.scheme, given.hostname, given.port) == (own.scheme, own.hostname, own.port)
    except ValueError:
        return False
    parts = unquote(given.path).replace("\\", "/").split("/")
    return same and given.path.startswith(own.path.rstrip("/") + "/") and ".." not in parts


@lru_cache(maxsize=64)
def account_of(key: Secret, name: str) -> str:
    """A hash of the key that does not reveal it, and differs from provider to provider."""
    # Once per key: it is needed for each of thousands of jobs when a session resumes them.
    return hmac.new(key.text.encode(), name.encode(), "sha256").hexdigest()[:24]
