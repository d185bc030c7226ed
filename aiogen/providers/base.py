"""What every provider is, and what all of them share: the checks of a configuration and the table of statuses.  Pure.

A provider file says how one vendor is asked and how its answers are read, as exchanges.  It never sends.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from functools import lru_cache, wraps
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

import attrs

from aiogen._checks import can_be_host, check_name, check_number, is_this_machine
from aiogen._safety.secret import Masked, Secret, to_secret
from aiogen._wording import short_url
from aiogen.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    InputError,
    InsufficientFunds,
    InvalidRequest,
    NotFound,
    ProviderError,
    RateLimited,
    Unsupported,
)
from aiogen.exchange import Accepted, Deleted, Exchange, Page, Request, Response, Snapshot, Submission, Ticket
from aiogen.models import AccountInfo, Action, FailureCode, Typical
from aiogen.providers.reading import retry_after


@attrs.frozen(kw_only=True)
class Capabilities:
    """What a provider can do beyond creating and reading one generation."""

    list: bool = False
    """It can list generations."""
    delete: bool = False
    """It can delete a generation."""
    account: bool = False
    """It has a call by which a key can be checked."""
    list_page: int = 0
    """Most generations per page of a list; 0 if it cannot list."""


@attrs.frozen(kw_only=True)
class Provider:
    """A vendor's API with a key, a base url and limits: a connection.

    Raises:
        ConfigurationError: the key is missing or not valid; the base url is not valid, or plain http to another
            machine.
        InputError: a limit is not a whole number from 1 to 1,000,000; a duration is not from 0.01 to 86,400 s.
    """

    vendor: ClassVar[str]
    """The vendor's name as people write it."""
    default_name: ClassVar[str]
    """The provider's own name, with which model strings begin by default."""
    key_variable: ClassVar[str]
    """The environment variable of the key."""
    url_variable: ClassVar[str]
    """The environment variable of the base url."""
    default_url: ClassVar[str]
    """The vendor's own base url."""
    request_type: ClassVar[type]
    """The class of this provider's typed requests."""
    capabilities: ClassVar[Capabilities]
    """What it can do beyond creating and reading."""
    max_reference_bytes: ClassVar[int] = 50 * 1024 * 1024
    """Bytes of the largest local file that a request may refer to."""
    resend_statuses: ClassVar[frozenset[int]] = frozenset()
    """5xx statuses of which the vendor documents that the create was not carried out."""
    sends_request_id: ClassVar[bool] = False
    """Whether the vendor documents `X-Request-Id` on requests."""
    poll_floor: ClassVar[float] = 1.0
    """Fewest seconds between two status requests about one generation."""
    poll_ceiling: ClassVar[float] = 30.0
    """Most seconds between two status requests about one generation."""
    not_found_grace: ClassVar[float] = 10.0
    """Seconds for which the vendor must keep answering "not found" about a generation that is followed."""

    _api_key: Secret = attrs.field(default=Secret(""), alias="api_key", converter=to_secret, repr=False)
    """`api_key=`, by default from the environment variable `key_variable`."""
    base_url: str = ""
    """An https address; by default from the environment variable `url_variable`, else the vendor's own."""
    name: str = ""
    """What model strings begin with, 1 to 64 letters, digits, "-", "_" or "."; by default the provider's own name."""
    max_active: int = 10
    """Units of work that may run at once, 1 or more; further ones wait here."""
    creates_per_minute: int = 30
    """Creates in any 60 seconds, 1 or more."""
    requests_per_minute: int = 600
    """Requests of any kind per minute, 1 or more."""
    allow_insecure: bool = False
    """Allow plain http to another machine: the key then travels unencrypted."""
    typical_seconds: Mapping[str, float] = attrs.field(factory=dict)
    """Model to the seconds that it usually takes, 0.01 to 86,400, where you know better than the provider file."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if (made := cls.__dict__.get("__init__")) is None:
            return

        @wraps(made)
        def with_hidden_key(self: Provider, *args: Any, **options: Any) -> None:
            # The key is not among the arguments, for error reporters print the locals of what is raised below.
            key = to_secret(options.pop("api_key", ""))
            misplaced = [name for name, value in options.items() if key.stands_in(value)]
            try:
                if misplaced:
                    raise ConfigurationError(f"{misplaced[0]}= contains the API key, which belongs in api_key= alone.")
                made(self, *args, api_key=key, **options)
            finally:
                del self, options  # half made, and with what the caller gave

        type.__setattr__(cls, "__init__", with_hidden_key)

    def __attrs_post_init__(self) -> None:
        cls = type(self)
        fill = object.__setattr__  # frozen for users; the environment is read once, here
        fill(self, "name", check_name(self.name or cls.default_name))
        fill(self, "_api_key", check_key(self._api_key or Secret(os.environ.get(cls.key_variable, "")), cls))
        url = self.base_url or os.environ.get(cls.url_variable, "") or cls.default_url
        if self._api_key.stands_in(url):
            del url
            raise ConfigurationError(f"The base url contains the API key; {_right(cls)}.")
        fill(self, "base_url", _whole(check_url(url, self.allow_insecure, cls), cls))
        for limit in ("max_active", "creates_per_minute", "requests_per_minute"):
            if not isinstance(getattr(self, limit), int):
                raise InputError(f"{limit} has to be a whole number, not {getattr(self, limit)!r}.")
            check_number(getattr(self, limit), limit, 1, 1_000_000)
        for model, seconds in self.typical_seconds.items():
            check_number(seconds, f"typical_seconds[{model!r}]", 0.01, 86_400.0)

    @classmethod
    def from_environment(cls, *, allow_insecure: bool = False) -> Self | None:
        """The provider with its key from the environment, or None if there is none."""
        if not os.environ.get(cls.key_variable, "").strip():
            return None
        return cls(allow_insecure=allow_insecure)

    @property
    def account(self) -> str:
        """Identifies the account whose limits the vendor counts: a keyed hash that does not reveal the key."""
        return _account(self._api_key, cls_name(self))

    @property
    def api_key(self) -> str:
        """The key; `repr` shows a mask."""
        return self._api_key.text

    @property
    def secret(self) -> Secret:
        """The key, wrapped, for code that only passes it on."""
        return self._api_key

    @property
    def slots(self) -> int | None:
        """How many accepted generations the vendor runs at once while the others wait in its queue; None if all run."""
        return None

    @property
    def is_at_home(self) -> bool:
        """True if requests go to the vendor's own address, which cannot have been mistyped."""
        return self.base_url == type(self).default_url

    def headers(self) -> dict[str, str]:
        """The headers of every request; they contain the key."""
        return {"Authorization": Masked(f"Bearer {self.api_key}"), "Accept": "application/json"}

    def request(self, verb: str, method: str, path: str, **more: Any) -> Request:
        """A request to this provider's API."""
        return Request(verb=verb, method=method, url=self.base_url + path, headers=self.headers(), **more)

    # --- what each provider file writes

    def prepare(self, model: str, prompt: str | None, options: Mapping[str, Any]) -> Any:
        """The typed request for keywords: checked, not yet encoded."""
        raise NotImplementedError

    def encode(self, request: Any) -> Submission:
        """What a create will send.  May be slow if it contains image bytes."""
        raise NotImplementedError

    def create(self, submission: Submission) -> Exchange[Accepted]:
        """Submit one job."""
        raise NotImplementedError

    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        """Read one generation."""
        raise NotImplementedError

    def list(self, user_id: str | None, offset: int, limit: int) -> Exchange[Page]:
        """One page of the user's generations."""
        raise Unsupported(f"{self.vendor} has no API call that lists generations.", provider=self.default_name)

    def resembles(self, submission: Submission, snapshot: Snapshot) -> bool:
        """False if a listed generation is certainly not what this create asked for; what is unknown matches."""
        asked, listed = submission.prompt, snapshot.prompt
        return asked is None or listed is None or asked.split() == listed.split()

    def delete(self, provider_id: str) -> Exchange[Deleted]:
        """Delete one generation."""
        raise Unsupported(f"{self.vendor} has no API call that deletes a generation.", provider=self.default_name)

    def read_account(self) -> Exchange[AccountInfo]:
        """Whom this key belongs to; also the cheapest way to check that it works."""
        raise Unsupported(f"{self.vendor} has no API call that describes the account.", provider=self.default_name)

    # --- what they share

    def typical(self, model: str, fallback: Typical) -> Typical:
        """How long this model usually takes: the user's figure, or the provider file's."""
        seconds = self.typical_seconds.get(model)
        return fallback if seconds is None else Typical(median=seconds, spread=0.4)

    def refusal(
        self,
        response: Response,
        verb: str,
        details: str,
        *,
        status: int | None = None,
        code: FailureCode | None = None,
        from_api: bool = True,
        **context: Any,
    ) -> APIError:
        """The error for a refusal: by `code` where the vendor's words give one, else by status.

        `from_api`: the answer has the API's own shape.  Any other came from something in between, which knows
        nothing about the key or the balance.
        """
        status = response.status if status is None else status
        if not from_api and status in (401, 402, 403):
            code = FailureCode.PROVIDER_ERROR
        cls = _BY_CODE.get(code) if code is not None else None
        if cls is None:
            cls = _by_status(status)
        if code is not None:
            context["code"] = code
        plural = "generations" if verb == "list" else "generation"
        # A page where the API should be: more often a wrong address than anything else.
        hint = self._address_hint() if status == 404 and not from_api and not self.is_at_home else ""
        whose = "" if from_api else f" (the answer is not {self.vendor}'s own: something in between sent it)"
        error = cls(
            f"Failed to {verb} {plural}. API error {status}: {details}{hint or whose}",
            status=status,
            details=details,
            provider=self.default_name,
            connection=self.name,
            request_id=response.request_id,
            retry_after=retry_after(response.headers, response.received_at),
            from_api=from_api,
            **context,
        )
        if not hint:  # the hint already says what helps
            error.add_note((error.action or Action.GIVE_UP).help_text)
        return error

    def _address_hint(self) -> str:
        cls = type(self)
        return (
            f". Is the base url {short_url(self.base_url)} right (base_url=, or {cls.url_variable})? "
            f"{self.vendor}'s own is {cls.default_url}"
        )


_BY_CODE: Mapping[FailureCode, type[APIError]] = {
    FailureCode.AUTH: AuthenticationError,
    FailureCode.BUDGET_EXHAUSTED: InsufficientFunds,
    FailureCode.CONTENT_MODERATED: InvalidRequest,
    FailureCode.INVALID_REQUEST: InvalidRequest,
    FailureCode.IMAGE_TOO_LARGE: InvalidRequest,
    FailureCode.NOT_FOUND: NotFound,
    FailureCode.RATE_LIMITED: RateLimited,
    FailureCode.PROVIDER_ERROR: ProviderError,
}


def _by_status(status: int) -> type[APIError]:
    if status in (401, 403):
        return AuthenticationError
    if status == 402:
        return InsufficientFunds
    if status == 404:
        return NotFound
    if status == 429:
        return RateLimited
    if status >= 500 or status < 400 or status == 408:
        return ProviderError  # below 400 only what no vendor sends; it says nothing about the request
    return InvalidRequest


def cls_name(provider: Provider) -> str:
    """The provider's own name, whatever the connection is called."""
    return type(provider).default_name


def check_key(key: Secret, cls: type[Provider]) -> Secret:
    """The key, not stripped: one with spaces or line breaks around it was copied wrongly.

    Raises:
        ConfigurationError: it is empty, or contains characters that are not allowed in a header.
    """
    if not key.text.strip():
        error = ConfigurationError(
            f"API Key cannot be empty. Please provide your {cls.vendor} API key in the credentials.",
            provider=cls.default_name,
        )
        error.add_note(f"Set the environment variable {cls.key_variable}, or pass {cls.__name__}(api_key=…).")
        raise error
    if any(not "!" <= c <= "~" for c in key.text):
        raise ConfigurationError(
            f"The {cls.vendor} API key contains a line break, a space or a character outside ASCII; "
            f"copy it again, without anything around it (from {cls.key_variable} or api_key=).",
            provider=cls.default_name,
        )
    return key


def check_url(url: str, allow_insecure: bool, cls: type[Provider]) -> str:
    """A base url without its trailing slash.

    Raises:
        ConfigurationError: it is not an http(s) url, its host is not valid, it contains a user name or a query, or it
            is plain http to another machine.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except (ValueError, AttributeError):
        raise ConfigurationError(f"The base url {url!r} is not a url; {_right(cls)}.") from None
    if parts.scheme not in ("http", "https") or not host or any(c.isspace() for c in url):
        raise ConfigurationError(f"The base url {url!r} cannot be used: {_right(cls)}.")
    if any(c in url for c in "?#@"):
        raise ConfigurationError("The base url must not contain a query, a fragment or a user name.")
    if not can_be_host(host):
        raise ConfigurationError(
            f"The base url {url!r} cannot be used, because {host!r} is not a valid host: {_right(cls)}."
        )
    if parts.scheme == "http" and not allow_insecure and not is_this_machine(host):
        raise ConfigurationError(
            f"The base url {url!r} is plain http to another machine, so anyone in between could read the key: "
            "use https, or pass allow_insecure=True if you accept that."
        )
    return url.rstrip("/")


def _right(cls: type[Provider]) -> str:
    where = f"from {cls.url_variable} or base_url="
    return f"it must begin with https:// and name a host, as in {cls.default_url} ({where})"


def _whole(url: str, cls: type[Provider]) -> str:
    """The vendor's own host without a path means its API; on any other host the API may be at the root."""
    given, usual = urlsplit(url), urlsplit(cls.default_url)
    return cls.default_url if (given.scheme, given.netloc, given.path) == (usual.scheme, usual.netloc, "") else url


@lru_cache(maxsize=64)
def _account(key: Secret, name: str) -> str:
    # Once per key: it is needed for each of thousands of jobs when a session resumes them.
    return hmac.new(key.text.encode(), name.encode(), "sha256").hexdigest()[:24]
