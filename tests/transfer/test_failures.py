"""What became of a create without an answer: money may be gone only where something of it was sent."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict, CIMultiDictProxy
from serving import KEY, Vendor, luma, serving
from yarl import URL

import aiogen
from aiogen._safety.secret import Masked, Secret
from aiogen._transfer.failures import SendWatch, failure, send_trace, watching_send
from aiogen.exchange import Request

REQUEST = Request(verb="create", method="POST", url="https://api.example/v1/generations")
ROUTE = ConnectionKey("api.example", 443, True, True, None, None, None)
BROKEN = OSError(errno.ECONNREFUSED, "refused")
HEADERS = CIMultiDictProxy(CIMultiDict({"Authorization": Masked(f"Bearer {KEY}")}))
ASKED = aiohttp.RequestInfo(URL(REQUEST.url), "POST", HEADERS, URL(REQUEST.url))


def failure_of(error: Exception, begun: bool | None) -> Any:
    watch = None if begun is None else SendWatch()
    if watch is not None:
        watch.begun = bool(begun)
    return failure(error, REQUEST, [Secret(KEY)], watch=watch, seconds=12.0, context={"provider": "luma"})


NEVER_SENT = [
    (aiohttp.ClientConnectorError(ROUTE, BROKEN), "api.example cannot be reached"),
    (aiohttp.ClientConnectorDNSError(ROUTE, socket.gaierror(-2, "unknown")), "api.example cannot be reached"),
    (aiohttp.ClientConnectorError(ROUTE, OSError(errno.EMFILE, "Too many open files")), "Too many open files"),
    (aiohttp.ConnectionTimeoutError("too slow"), "api.example cannot be reached: too slow"),
    (aiohttp.ServerFingerprintMismatch(b"a", b"b", "h", 1), "api.example cannot be reached"),
    (aiohttp.ClientProxyConnectionError(ROUTE, BROKEN), "The proxy for api.example cannot be reached"),
    (aiohttp.ClientHttpProxyError(ASKED, (), status=403), r"refuses to connect to api.example \(HTTP 403\)"),
    (aiohttp.ClientConnectorCertificateError(ROUTE, ssl.SSLCertVerificationError("no")), "SSL_CERT_FILE"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("error", "text"), NEVER_SENT)
@pytest.mark.parametrize("begun", [None, False, True])
def test_who_was_never_connected_sent_nothing(error: Exception, text: str, begun: bool | None) -> None:
    """By what aiohttp says alone; it may pass, so it is tried again."""
    network = failure_of(error, begun)
    assert isinstance(network, aiogen.NetworkError)
    assert not network.sent
    assert network.provider == "luma"
    with pytest.raises(aiogen.NetworkError, match=text):
        raise network


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.ServerDisconnectedError(), aiohttp.ClientOSError(errno.EPIPE, "pipe"), TimeoutError(),
        aiohttp.ClientPayloadError("half"), ConnectionResetError("reset"), aiohttp.ServerTimeoutError("slow"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("begun", [None, False, True])
def test_a_connection_that_is_lost(error: Exception, begun: bool | None) -> None:
    """Before the request's first byte: not sent.  Else, or where nobody watched, it may have arrived."""
    network = failure_of(error, begun)
    assert isinstance(network, aiogen.NetworkError)
    assert network.sent is (begun is not False)
    if begun is False:
        assert "api.example cannot be reached" in network.message
    elif isinstance(error, TimeoutError):
        assert "did not answer within 12 s" in network.message
    else:
        assert "was lost before the answer was complete" in network.message


@pytest.mark.parametrize(
    "error", [RuntimeError("Session is closed"), ValueError("auth"), UnicodeError("label"), KeyError("x")]
)
@pytest.mark.parametrize("begun", [None, False, True])
def test_what_nobody_foresaw(error: Exception, begun: bool | None) -> None:
    """Not sent: it will not get better by itself.  Else it may have arrived."""
    found = failure_of(error, begun)
    if begun is False:
        assert isinstance(found, aiogen.ConfigurationError)
        assert found.action is None
        assert "cannot be sent" in found.message
        assert "Nothing was sent." in found.message
    else:
        assert isinstance(found, aiogen.NetworkError)
        assert found.sent
        assert f"broke off: {type(error).__name__}" in found.message


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (aiohttp.InvalidURL("https://x"), "cannot be requested"),
        (aiohttp.ClientHttpProxyError(ASKED, (), status=407), "HTTPS_PROXY=http://name:password@proxy"),
    ],
)
def test_what_has_to_be_changed(error: Exception, text: str) -> None:
    """Trying it again would be in vain."""
    found = failure_of(error, False)
    assert isinstance(found, aiogen.ConfigurationError)
    assert text in found.message


def test_the_cause_brings_no_locals_along() -> None:
    """What aiohttp was doing is said in its words, not by its frames, which hold the request."""
    try:
        try:
            raise ConnectionResetError("inner")
        except ConnectionResetError as inner:
            raise aiohttp.ClientOSError(1, "outer") from inner
    except aiohttp.ClientOSError as error:
        cause = failure_of(error, True).__cause__
    assert isinstance(cause, aiohttp.ClientOSError)
    assert isinstance(cause.__cause__, ConnectionResetError)
    assert cause.__traceback__ is cause.__cause__.__traceback__ is None


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.ClientPayloadError(f"Invalid header token: b'Bearer {KEY}'"),
        aiohttp.ClientPayloadError(f"Got more than 8190 bytes when reading: b'Bearer {KEY[:20]}"),
        aiohttp.ClientResponseError(ASKED, (), status=400, message="bad", headers=CIMultiDict({"Echo": KEY})),
    ],
)
def test_a_cause_that_quotes_the_key_is_left_out(error: Exception) -> None:
    """Also if only its beginning is in there, or only its repr shows it."""
    found = failure_of(error, True)
    assert found.__cause__ is None
    assert KEY[:14] not in f"{found} {found!r} {vars(found)}"


def test_errors_that_refer_to_each_other() -> None:
    """A circle has no end to look for."""
    first, second = ConnectionError("a"), ConnectionError("b")
    first.__context__, second.__context__ = second, first
    assert failure_of(first, True).__cause__ is first


# --- over the wire


def breaking(where: str, error: Exception) -> aiohttp.TraceConfig:
    """Raises at one step of a request."""

    async def breaks(*_: Any) -> None:
        raise error

    traces = aiohttp.TraceConfig()
    getattr(traces, where).append(breaks)
    return traces


@pytest.mark.parametrize(
    ("where", "sent"),
    [("on_request_start", False), ("on_connection_create_start", False), ("on_connection_create_end", False),
     ("on_request_headers_sent", False), ("on_request_end", True)],
)  # fmt: skip
@pytest.mark.parametrize("error", [RuntimeError("a bug"), ConnectionResetError("reset"), TimeoutError("slow")])
async def test_a_create_that_breaks_at_any_step(where: str, sent: bool, error: Exception) -> None:
    """What comes before the first byte is a plain error; from there on nobody can know."""
    vendor = Vendor()
    async with serving(vendor) as url, aiohttp.ClientSession(trace_configs=[breaking(where, error)]) as mine:
        async with aiogen.Session([luma(url)], client_session=mine, unreachable_timeout=1.0) as session:
            with pytest.raises(aiogen.AiogenError) as caught:
                await session.generate("luma/uni-1", "a boat")
    assert isinstance(caught.value, aiogen.SubmissionUnknown) is sent
    assert vendor.creates == (1 if where == "on_request_end" else 0)
    if not sent:
        assert isinstance(caught.value, aiogen.NetworkError | aiogen.ConfigurationError)


async def test_a_connection_that_takes_too_long() -> None:
    """The whole time of a create may pass before there is one."""

    async def waits(*_: Any) -> None:
        await asyncio.sleep(1e6)

    traces = aiohttp.TraceConfig()
    traces.on_connection_create_start.append(waits)
    async with serving(Vendor()) as url, aiohttp.ClientSession(trace_configs=[traces]) as mine:
        options: dict[str, Any] = {"client_session": mine, "unreachable_timeout": 1.0}
        async with aiogen.Session([luma(url)], connect_timeout=500.0, submit_timeout=20.0, **options) as session:
            with pytest.raises(aiogen.NetworkError, match="cannot be reached") as caught:
                await session.generate("luma/uni-1", "a boat")
    assert not caught.value.sent


async def test_only_the_request_that_is_watched_leaves_a_mark() -> None:
    """A request that nobody watches leaves no mark, and each one its own."""
    async with serving(Vendor()) as url, aiohttp.ClientSession(trace_configs=[send_trace()]) as client:
        async with client.get(url):
            pass
        with watching_send() as first:
            async with client.get(url):
                pass
        with watching_send() as second:
            pass
    assert (first.begun, second.begun) == (True, False)
