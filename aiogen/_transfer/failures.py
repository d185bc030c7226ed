"""What became of a request that has no answer: whether it surely was not sent, and what helps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import aiohttp

from aiogen._safety.redact import redacted_message
from aiogen._safety.secret import Secret
from aiogen._wording import duration
from aiogen.errors import AiogenError, ConfigurationError, NetworkError
from aiogen.exchange import Request

_NEVER_CONNECTED = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
)


class SendWatch:
    """Whether a request has begun to leave this machine."""

    __slots__ = ("begun",)

    def __init__(self) -> None:
        self.begun = False


_watch: ContextVar[SendWatch | None] = ContextVar("aiogen_send_watch", default=None)


@contextmanager
def watching_send() -> Iterator[SendWatch]:
    """Watch the one request that is sent in here, by a session with `send_trace` among its trace configs."""
    watch = SendWatch()
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)


def send_trace() -> aiohttp.TraceConfig:
    """Notes the last moment at which nothing of a request was written yet.

    aiohttp calls it just before it hands the headers over, so what fails before that surely was not sent; what fails
    at that very moment counts as sent.
    """

    async def begins(_: aiohttp.ClientSession, __: SimpleNamespace, ___: aiohttp.TraceRequestHeadersSentParams) -> None:
        if (watch := _watch.get()) is not None:
            watch.begun = True

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(begins)
    return config


def failure(
    error: Exception,
    request: Request,
    secrets: Sequence[Secret],
    *,
    watch: SendWatch | None,
    seconds: float,
    context: dict[str, Any],
) -> AiogenError:
    """The error to raise for one of aiohttp's, or of whatever it uses.

    `watch`: of a create; a read may be repeated in any case, and is not watched.
    `seconds`: that the request was given.
    """
    unsent = isinstance(error, _NEVER_CONNECTED) or (watch is not None and not watch.begun)
    text, hint, is_configuration = _explained(error, request, unsent, seconds)
    message = f"{text} (while trying to {request.verb}).{hint}"
    for secret in secrets:
        message = redacted_message(secret, message)
    broken: AiogenError
    if is_configuration:
        broken = ConfigurationError(message, code=None, action=None, **context)
    else:
        broken = NetworkError(message, sent=not unsent, **context)
    broken.__cause__ = _bare(error, secrets)
    return broken


def _explained(error: Exception, request: Request, unsent: bool, seconds: float) -> tuple[str, str, bool]:
    """What happened, what helps, and whether repeating it would be in vain."""
    host = request.url.split("/")[2]
    what = str(error) or type(error).__name__
    match error:
        case aiohttp.InvalidURL():
            return f"The address {request.url!r} cannot be requested: {what}", "", True
        case aiohttp.ClientProxyConnectionError():
            return f"The proxy for {host} cannot be reached: {what}", _PROXY, False
        case aiohttp.ClientHttpProxyError(status=407):
            return f"The proxy for {host} asks for a user name and a password (HTTP 407)", _CREDENTIALS, True
        case aiohttp.ClientHttpProxyError():
            return f"The proxy refuses to connect to {host} (HTTP {error.status})", _PROXY, False
        case aiohttp.ClientConnectorCertificateError():
            return f"{host} cannot be reached: {what}", _CERTIFICATE, False
        case TimeoutError() if not unsent:
            return f"{host} did not answer within {duration(seconds)}", "", False
        case aiohttp.ClientError() | OSError() if unsent:
            return f"{host} cannot be reached: {what}", "", False
        case aiohttp.ClientError() | OSError():
            return f"The connection to {host} was lost before the answer was complete: {what}", "", False
        case _ if unsent:
            return f"The request to {host} cannot be sent: {type(error).__name__}: {what}", " Nothing was sent.", True
        case _:
            return f"The request to {host} broke off: {type(error).__name__}: {what}", "", False


_PROXY = " Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY, or the proxy of the session you passed. Nothing was sent."
_CREDENTIALS = (
    " Write them into the address of the proxy, as in HTTPS_PROXY=http://name:password@proxy:3128. Nothing was sent."
)
_CERTIFICATE = (
    " If your company's CA signs this connection, name its file in SSL_CERT_FILE, or pass a client_session= "
    "whose connector trusts it."
)


def _bare(error: Exception, secrets: Sequence[Secret]) -> BaseException | None:
    """The error as a cause: without its frames, whose locals are the request; None if its own words hold the key."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and all(link is not other for other in chain):
        link.__traceback__ = None
        chain.append(link)
        link = link.__cause__ or link.__context__
    words = " ".join(f"{link} {link!r}" for link in chain)
    return error if all(redacted_message(secret, words) == words for secret in secrets) else None
