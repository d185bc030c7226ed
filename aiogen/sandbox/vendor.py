"""What the sandbox needs to know of a vendor: each folder of `vendors/` offers one `Imitation`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import attrs
from aiohttp import web

from .answering import ErrorFormat
from .clock import Clock
from .context import RequestContext
from .jobs import Jobs
from .script.director import Director
from .storage.signing import Signer
from .webhooks import WebhookSender


class Api(Protocol):
    """What the answers of one provider have in common, whichever request they answer."""

    @property
    def latency(self) -> float:
        """Seconds before each answer leaves."""
        ...

    def headers(self, context: RequestContext) -> Mapping[str, str]:
        """Headers of every answer."""
        ...

    def refusal(self, context: RequestContext) -> web.Response | None:
        """The answer to a request that its key or a limit does not allow; None if the request is allowed."""
        ...

    def error_format(self, context: RequestContext) -> ErrorFormat:
        """How errors are worded in answers to this request."""
        ...

    def unknown(self, context: RequestContext) -> web.Response:
        """The answer to a request that no route handles."""
        ...


A = TypeVar("A", bound=Api)


@attrs.frozen
class Route(Generic[A]):
    """Which requests one handler of an API answers."""

    method: str
    path: str
    """A pattern of aiohttp's. Its first part is the provider: the vendor, or "storage"."""
    action: str
    """One of `script.ACTIONS`, or "unknown"."""
    handler: Callable[[A, RequestContext], Awaitable[web.StreamResponse]]

    @property
    def provider(self) -> str:
        return self.path.split("/")[1]


@attrs.frozen(kw_only=True)
class Services:
    """What all APIs share. A reset of the sandbox makes new ones."""

    url: str
    """The sandbox's."""
    seed: int
    clock: Clock
    director: Director
    jobs: Jobs
    signer: Signer
    webhooks: WebhookSender


@attrs.frozen(kw_only=True)
class Vendor(Generic[A]):
    """One vendor, with its settings."""

    name: str
    """One of `vendors.NAMES`."""
    title: str
    """For people to read."""
    base_path: str
    """Where its API is below the sandbox's URL."""
    environment: Callable[[str], Mapping[str, str]]
    """Given the URL of its API, the variables by which clients find it and are let in."""
    routes: Sequence[Route[A]]
    api: Callable[[Services], A]
    """Makes the API, with nothing remembered."""
    restart: Callable[[A], None] | None = None
    """What a restart of the vendor's server does; None: clients could not tell."""


AnyVendor = Vendor[Any]
S = TypeVar("S")


@attrs.frozen(kw_only=True)
class Imitation(Generic[S]):
    """What a folder of `vendors/` offers, as `IMITATION`."""

    name: str
    """That of the folder."""
    settings: type[S]
    """`Sandbox` takes one of these under the vendor's name; without arguments it has the defaults."""
    vendor: Callable[[S], AnyVendor]
    """The vendor with these settings."""
    exports: Mapping[str, object]
    """What `aiogen.sandbox` offers to import, by name."""


AnyImitation = Imitation[Any]
