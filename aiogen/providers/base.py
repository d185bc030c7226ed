"""What every provider is: a connection's fields, and what a provider file writes.  Pure.

A provider file says how one vendor is asked and how its answers are read, as exchanges.  It never sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import wraps
from typing import Any, ClassVar, Protocol, Self
from urllib.parse import unquote

import attrs

from aiogen._checks import check_name, check_number
from aiogen._hooks.judging import WebhookFormat
from aiogen._safety.secret import Masked, Secret, to_secret
from aiogen._wording import short_url
from aiogen.catalogue import ModelInfo
from aiogen.errors import APIError, ConfigurationError, InputError, Unsupported
from aiogen.exchange import (
    Accepted,
    Cancelled,
    Deleted,
    Exchange,
    Page,
    Request,
    Response,
    Snapshot,
    Submission,
    Ticket,
)
from aiogen.models import AccountInfo, Action, Cost, FailureCode, Generation, Typical
from aiogen.providers.configuration import (
    Usual,
    account_of,
    check_extra_headers,
    check_key,
    check_previous_keys,
    check_url,
    facts_of,
    hidden_headers,
    hidden_keys,
    is_below,
    usual_requests,
    usual_url,
    with_usual_path,
)
from aiogen.providers.environment import said
from aiogen.providers.facts import Facts
from aiogen.providers.reading import retry_after
from aiogen.providers.refusals import error_class
from aiogen.references import Reference

_NEEDED = ("prepare", "encode", "create", "get")
_OPTIONAL = ("list", "delete", "cancel", "models")


@attrs.frozen(kw_only=True)
class Capabilities:
    """What a provider can do beyond creating and reading one generation: the methods that its class defines."""

    list: bool = False
    """It can list generations."""
    delete: bool = False
    """It can delete a generation."""
    account: bool = False
    """It has a call by which a key can be checked."""
    cancel: bool = False
    """It can stop a generation that waits or runs."""
    models: bool = False
    """It can list its models."""
    list_page: int = 0
    """Most generations per page of a list; 0 if it cannot list."""


class TypedRequest(Protocol):
    """A request to one vendor, as an object of the provider's own class (`Facts.request_type`)."""

    @property
    def model(self) -> str:
        """The vendor's name of the model."""
        ...

    def references(self) -> Iterable[Reference]:
        """Every image it refers to.

        A class whose requests can refer to local files also has `with_files(files)`: the same request with each
        `Reference(path=…)` replaced by `files[path]`, which holds the bytes.
        """
        ...


def _limit(name: str) -> Any:
    """A limit of the connection: the provider file's, unless it is given."""
    return attrs.field(default=attrs.Factory(lambda self: Usual(getattr(facts_of(type(self)), name)), takes_self=True))


@attrs.frozen(kw_only=True)
class Provider:
    """A vendor's API with a key, a base url and limits: a connection.

    A provider is a subclass with `facts` and the four methods that ask and read: `prepare`, `encode`, `create`, `get`.
    What else it writes (`list`, `delete`, `cancel`, `read_account`), it can do.

    Raises:
        ConfigurationError: the key is missing or not valid; the base url is not valid, or plain http to another
            machine; the class has no `facts`, or lacks a method.
        InputError: a limit is not a whole number from 1 to 1,000,000; a duration is not from 0.01 to 86,400 s.
    """

    facts: ClassVar[Facts]
    """What all connections to this vendor have in common."""

    _api_key: Secret = attrs.field(default=Secret(""), alias="api_key", converter=to_secret, repr=False)
    """`api_key=`, by default from the environment variable `facts.key_variable`."""
    base_url: str = ""
    """An https address; by default from the environment variable `facts.url_variable`, else the vendor's own."""
    name: str = ""
    """What model strings begin with, 1 to 64 letters, digits, "-", "_" or "."; by default the provider's own name."""
    max_active: int = _limit("max_active")
    """Units of work that may run at once, 1 or more; further ones wait here."""
    creates_per_minute: int = _limit("creates_per_minute")
    """Creates in any 60 seconds, 1 or more."""
    requests_per_minute: int = _limit("requests_per_minute")
    """Requests of any kind per minute, 1 or more.  By default as many more as the other limits are raised, up to what
    the vendor documents (`Facts.most_requests_per_minute`): else it would hold back accounts with a larger plan."""
    allow_insecure: bool = False
    """Allow plain http to another machine: the key and all else then travel unencrypted."""
    _extra_headers: Mapping[str, Secret] = attrs.field(
        factory=dict, alias="extra_headers", converter=hidden_headers, repr=False
    )
    """`extra_headers=`, sent with every request to `base_url`, such as what a proxy in between asks for; their values
    are kept as secret as the key."""
    typical_seconds: Mapping[str, float] = attrs.field(factory=dict)
    """Model to the seconds that it usually takes, 0.01 to 86,400, where you know better than the provider file."""
    _previous_keys: tuple[Secret, ...] = attrs.field(
        default=(), alias="previous_keys", converter=hidden_keys, repr=False
    )
    """`previous_keys=`: keys that this account had before, which are never sent.  What the ledger has of them is
    followed with the present key where the vendor allows that, and counts in its limits.  As secret as the key."""
    secrets: tuple[Secret, ...] = attrs.field(init=False, default=(), repr=False, eq=False)
    """The key, the values of `extra_headers` and the keys before, wrapped: for code that keeps them out of what is
    shown."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        _hide_key(cls)

    def __attrs_post_init__(self) -> None:
        cls = type(self)
        facts = facts_of(cls)
        if missing := [name for name in _NEEDED if getattr(cls, name) is getattr(Provider, name)]:
            raise ConfigurationError(
                f"The provider class {cls.__name__} has no {' and no '.join(missing)}.", action=None
            )
        fill = object.__setattr__  # frozen for users; the environment is read once, here
        fill(self, "name", check_name(self.name or facts.name))
        fill(self, "_api_key", check_key(self._api_key, facts, cls.__name__))
        check_extra_headers(self._extra_headers)
        key = () if self._api_key.text in ("", facts.public_key) else (self._api_key,)
        check_previous_keys(self._previous_keys, facts)
        fill(self, "secrets", (*key, *self._extra_headers.values(), *self._previous_keys))
        url = self.base_url or said(facts.url_variable) or facts.url
        if any(secret.stands_in(url) for secret in self.secrets):
            del url
            raise ConfigurationError(f"The base url contains the API key; {usual_url(facts)}.")
        fill(self, "base_url", with_usual_path(check_url(url, facts, allow_insecure=self.allow_insecure), facts))
        for limit in ("max_active", "creates_per_minute", "requests_per_minute"):
            if not isinstance(getattr(self, limit), int):
                raise InputError(f"{limit} has to be a whole number, not {getattr(self, limit)!r}.")
            check_number(getattr(self, limit), limit, 1, 1_000_000)
        if not self.is_given("requests_per_minute"):
            requests = usual_requests(facts, self.max_active, self.creates_per_minute)
            fill(self, "requests_per_minute", Usual(requests))
        for model, seconds in self.typical_seconds.items():
            check_number(seconds, f"typical_seconds[{model!r}]", 0.01, 86_400.0)

    @classmethod
    def from_environment(cls, *, allow_insecure: bool = False) -> Self | None:
        """The provider as the environment describes it: by its key, or by its address where no key is needed.

        None if the environment says nothing about it.
        """
        facts = facts_of(cls)
        if not said(facts.key_variable or facts.url_variable).strip():
            return None
        return cls(allow_insecure=allow_insecure)

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beyond creating and reading: the methods that its class defines."""
        cls = type(self)
        can = {name: getattr(cls, name) is not getattr(Provider, name) for name in _OPTIONAL}
        has_account = cls.read_account is not Provider.read_account
        return Capabilities(**can, account=has_account, list_page=cls.facts.list_page)

    @property
    def account(self) -> str:
        """Identifies the account whose limits the vendor counts: a keyed hash that does not reveal the key.

        Where no key is needed, that is the server.
        """
        return account_of(self._api_key or Secret(self.base_url), self.facts.name)

    @property
    def accounts(self) -> tuple[str, ...]:
        """`account`, followed by its names in the ledger while it had other keys (`previous_keys=`)."""
        before = (account_of(key, self.facts.name) for key in self._previous_keys)
        return tuple(dict.fromkeys((self.account, *before)))

    @property
    def api_key(self) -> str:
        """The key, empty where none is needed; `repr` shows a mask."""
        return self._api_key.text

    def is_given(self, limit: str) -> bool:
        """Whether the caller gave this limit, also if it is equal to the default.

        Args:
            limit: the name of the field, such as "max_active".
        """
        return not isinstance(getattr(self, limit), Usual)

    @property
    def slots(self) -> int | None:
        """How many accepted generations the vendor runs at once while the others wait in its queue; None if all run."""
        return None

    @property
    def webhooks(self) -> WebhookFormat | None:
        """How the vendor's webhooks are verified and read; None if it has none."""
        return None

    @property
    def is_at_home(self) -> bool:
        """True if requests go to the vendor's own address, which cannot have been mistyped."""
        return self.base_url == self.facts.url

    def headers(self) -> dict[str, str]:
        """The headers of every request, but for `extra_headers`; they contain the key."""
        accept = {"Accept": "application/json"}
        return {"Authorization": Masked(f"Bearer {self.api_key}"), **accept} if self._api_key else accept

    def request(self, verb: str, method: str, path: str, **more: Any) -> Request:
        """A request to this provider's API.

        Args:
            verb: what it does, for messages: "create" for the one request that is paid for, else "retrieve", "list",
                "delete", "cancel" or "upload".
            method: the HTTP method.
            path: below `base_url`, beginning with a slash, quoted where needed (`checks.path_of`).
            more: further fields of `Request`, such as `body` and `query`.
        """
        headers = {name: self._hidden(value) for name, value in self.headers().items()}
        headers |= _texts(self._extra_headers)
        return Request(verb=verb, method=method, url=self.base_url + path, headers=headers, **more)

    def _hidden(self, value: str) -> str:
        """A header's value, masked wherever it is shown if a secret is in it: a subclass may write it in any way."""
        return Masked(value) if any(secret.stands_in(value) for secret in self.secrets) else value

    def path_below(self, url: object) -> str | None:
        """The path of a url from an answer, for a request below `base_url`; None if the url leads to another place.

        A request contains the key, so it goes only to the API: below `base_url`, or the vendor's own address
        (`facts.url`), which an answer may name instead.

        Args:
            url: as the answer has it, of any type.
        """
        if not isinstance(url, str) or not url.isprintable() or any(c in " #\\" for c in url):
            return None
        for base in (self.base_url, self.facts.url):
            path = url.removeprefix(base)
            if path != url and path.startswith("/"):
                return None if ".." in unquote(path.partition("?")[0]).split("/") else path
        return None

    def headers_for(self, url: str) -> dict[str, str]:
        """Headers for fetching a file: `extra_headers` if its url is below `base_url`, else none; never the key.

        Args:
            url: of the file.
        """
        return _texts(self._extra_headers) if is_below(url, self.base_url) else {}

    # --- what each provider file writes

    def prepare(self, model: str, prompt: str | None, options: Mapping[str, Any]) -> Any:
        """The typed request for keywords: checked, not yet encoded.

        A keyword that the vendor surely does not have is refused (`parameters.check_known`), with a proposal; `extra=`
        passes anything on.  The keywords of `parameters.COMMON` mean the same with every provider: they are translated,
        and those that cannot be honoured go into `Submission.warnings`.

        Args:
            model: the vendor's name of the model.
            prompt: None if the caller gave none.
            options: the caller's keywords.

        Raises:
            InputError: something is not valid.  `UnknownParameter`: there is no such parameter.
        """
        raise NotImplementedError

    def encode(self, request: Any) -> Submission:
        """Everything that a create will send, as plain JSON; of a typed request of `prepare` or of the user.

        It is called in a thread if the request has images, because these become base64.

        Args:
            request: of the class `facts.request_type`; local files in it have been replaced by their bytes.

        Raises:
            InputError: something is not valid.
        """
        raise NotImplementedError

    def create(self, submission: Submission) -> Exchange[Accepted]:
        """Submit one job: yields each request and is sent its response; at most one of them creates (`Request.verb`).

        Args:
            submission: what `encode` returned, now or before a restart.

        Raises:
            APIError, ProtocolError: the vendor refused it, or its answer cannot be read.
        """
        raise NotImplementedError

    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        """Read one generation, in as many requests as that takes.

        Args:
            ticket: the vendor's id, and what else a poll needs.

        Raises:
            APIError, ProtocolError: the vendor refused it, or its answer cannot be read.
        """
        raise NotImplementedError

    def list(self, user_id: str | None, offset: int, limit: int) -> Exchange[Page]:
        """One page of a user's generations, in the vendor's order.

        Args:
            user_id: the vendor's id of the user; None for the owner of the key.
            offset: how many generations to skip, 0 or more.
            limit: the most generations on the page, 1 or more.

        Raises:
            Unsupported: the vendor has no such call.
        """
        raise Unsupported(f"{self.facts.vendor} has no API call that lists generations.", provider=self.facts.name)

    def resembles(self, submission: Submission, snapshot: Snapshot) -> bool:
        """False if a listed generation is certainly not the result of this create; what is unknown matches.

        Args:
            submission: what the create sent.
            snapshot: the generation as the list has it.
        """
        asked, listed = submission.prompt, snapshot.prompt
        return asked is None or listed is None or asked.split() == listed.split()

    def delete(self, provider_id: str) -> Exchange[Deleted]:
        """Delete one generation; one that is not there (any more) is no error.

        Args:
            provider_id: the vendor's id.

        Raises:
            Unsupported: the vendor has no such call.
        """
        raise Unsupported(f"{self.facts.vendor} has no API call that deletes a generation.", provider=self.facts.name)

    def cancel(self, ticket: Ticket) -> Exchange[Cancelled]:
        """Stop one generation that waits or runs; one that has ended is no error.

        Args:
            ticket: the vendor's id, and what else the call needs.

        Raises:
            Unsupported: the vendor has no such call.
        """
        raise Unsupported(f"{self.facts.vendor} has no API call that cancels a generation.", provider=self.facts.name)

    def models(self) -> Exchange[tuple[ModelInfo, ...]]:
        """The models of this connection, and what is known of each; without any request if a table has everything.

        Raises:
            Unsupported: the provider file has no list of models.
        """
        raise Unsupported(f"{self.facts.vendor} has no list of models here.", provider=self.facts.name)

    def quote(self, submission: Submission) -> Exchange[Cost | None]:
        """What it would cost, without making it; by default `Submission.estimate`, without any request.

        None if the price is not known before it is accepted.

        Args:
            submission: what the create would send.
        """
        yield from ()
        return submission.estimate

    def read_account(self) -> Exchange[AccountInfo]:
        """The owner of the key; also the cheapest way to check that the key works.

        Raises:
            Unsupported: the vendor has no such call.
        """
        raise Unsupported(f"{self.facts.vendor} has no API call that describes the account.", provider=self.facts.name)

    def with_every_output(self) -> Self:
        """The same connection without settings that drop outputs, or call them failed; itself if it has none.

        What is to be deleted is read with it.
        """
        return self

    def kept_beside(self, generation: Generation) -> str | None:
        """What the vendor keeps with a generation beside its outputs, in words; None if there is nothing.

        Deleting the generation deletes it as well, and aiogen does not save it.

        Args:
            generation: as `with_every_output` read it.
        """
        return None

    # --- what they share

    def typical(self, model: str, fallback: Typical) -> Typical:
        """How long this model usually takes: the user's figure, or the provider file's.

        Args:
            model: the vendor's name of the model.
            fallback: the provider file's figure.
        """
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
        """The error for a refusal, with what the answer says of it.

        Args:
            response: the answer.
            verb: that of the request.
            details: the vendor's words.
            status: the status that the vendor means; by default that of the answer.
            code: the failure code, if the vendor's words give one; by default it follows from the status.
            from_api: whether the answer has the API's own shape.  Any other came from a proxy, which knows nothing
                about the key or the balance.
            context: further attributes of the error, such as `provider_id`.
        """
        status = response.status if status is None else status
        if not from_api and status in (401, 402, 403):
            code = FailureCode.PROVIDER_ERROR
        cls = error_class(status, code)
        if code is not None:
            context["code"] = code
        plural = "generations" if verb == "list" else "generation"
        # A page where the API should be: more often a wrong address than anything else.
        hint = self._address_hint() if status == 404 and not from_api and not self.is_at_home else ""
        whose = "" if from_api else f" (the answer is not {self.facts.vendor}'s own: something in between sent it)"
        error = cls(
            f"Failed to {verb} {plural}. API error {status}: {details}{hint or whose}",
            status=status,
            details=details,
            provider=self.facts.name,
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
        facts = self.facts
        return (
            f". Is the base url {short_url(self.base_url)} right (base_url=, or {facts.url_variable})? "
            f"{facts.vendor}'s own is {facts.url}"
        )


def _texts(headers: Mapping[str, Secret]) -> dict[str, str]:
    return {name: value.text for name, value in headers.items()}


def _hide_key(cls: type[Provider]) -> None:
    """The `__init__` that attrs makes gets the key wrapped: it is in no local of what an error reporter prints."""
    if (made := cls.__dict__.get("__init__")) is None:
        return

    @wraps(made)
    def with_hidden_key(self: Provider, *args: Any, **options: Any) -> None:
        # The key is not among the arguments, for error reporters print the locals of what is raised below.
        key = to_secret(options.pop("api_key", ""))
        options["previous_keys"] = hidden_keys(options.get("previous_keys") or ())
        options["extra_headers"] = hidden_headers(options.get("extra_headers") or {})
        keys = (key, *options["previous_keys"])
        misplaced = [name for name, value in options.items() if any(each.stands_in(value) for each in keys)]
        try:
            if misplaced:
                raise ConfigurationError(f"{misplaced[0]}= contains the API key, which belongs in api_key= alone.")
            made(self, *args, api_key=key, **options)
        finally:
            del self, options, keys  # half made, and with what the caller gave

    type.__setattr__(cls, "__init__", with_hidden_key)


_hide_key(Provider)
