"""What really travels: headers, redirects, connections, retries of reads."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web
from serving import ID, KEY, Vendor, done, luma, serving

import aiogen


async def test_headers_of_a_request() -> None:
    """The key as a bearer, a fresh request id each time, and who we are."""
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        await session.generate("luma/uni-1", "a boat")
        await session.get("luma", ID)
    ids = [headers["X-Request-Id"] for headers in vendor.headers]
    assert len(set(ids)) == len(ids) == 3
    assert all(headers["Authorization"] == f"Bearer {KEY}" for headers in vendor.headers)
    assert all(headers["User-Agent"].startswith("aiogen-sdk") for headers in vendor.headers)


async def test_a_redirect_is_not_followed_with_a_key() -> None:
    """Wherever it leads."""
    visited = []

    async def elsewhere(request: web.Request) -> web.Response:
        visited.append(request)
        return web.json_response(done())

    async with serving(elsewhere) as other:
        vendor = Vendor(reads=[(307, "", {"Location": f"{other}/v1/generations/{ID}"})])
        async with serving(vendor) as url, aiogen.Session([luma(url)], read_attempts=1) as session:
            with pytest.raises(aiogen.ProtocolError, match="redirect"):
                await session.get("luma", ID)
    assert not visited


async def test_reads_are_tried_five_times() -> None:
    """Exponentially later each time; then the last error is raised."""
    vendor = Vendor(reads=[(503, {"detail": "down"})])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.ProviderError, match="API error 503: down"):
            await session.get("luma", ID)
    assert vendor.reads == 5


async def test_a_read_that_succeeds_at_last() -> None:
    """Failures of the network, too, are tried again."""
    vendor = Vendor(reads=["cut", (500, ""), (200, "<html>"), (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        assert (await session.get("luma", ID)).url is not None
    assert vendor.reads == 4


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
async def test_a_plain_no_is_not_repeated(status: int) -> None:
    """It would be the same no."""
    vendor = Vendor(reads=[(status, {"detail": "no"})])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.APIError) as caught:
            await session.get("luma", ID)
    assert str(caught.value) == f"Failed to retrieve generation. API error {status}: no"
    assert vendor.reads == 1


@pytest.mark.parametrize("kind", ["seconds", "date"])
async def test_reads_obey_retry_after(kind: str) -> None:
    """Seconds or a date; never a moment earlier."""
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=21), usegmt=True)
    refusal = (429, {"detail": "slow down"}, {"Retry-After": "20" if kind == "seconds" else when})
    vendor = Vendor(reads=[refusal, (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        await session.get("luma", ID)
    first, second = vendor.times("GET")
    assert second - first >= 19.9


async def test_a_call_does_not_wait_for_ever() -> None:
    """A `Retry-After` beyond `call_timeout` is not waited for, and the account stays held for the next call."""
    loop = asyncio.get_running_loop()
    vendor = Vendor(reads=[(429, {"detail": "slow down"}, {"Retry-After": "99999"})])
    async with serving(vendor) as url, aiogen.Session([luma(url)], call_timeout=50.0) as session:
        with pytest.raises(aiogen.RateLimited) as caught:
            await session.get("luma", ID)
        assert loop.time() < 1.0
        assert caught.value.retry_after == 99999.0
        with pytest.raises(aiogen.NetworkError, match="has to wait"):
            await session.get("luma", ID)
    assert vendor.reads == 1
    assert loop.time() == pytest.approx(51.0, abs=1.0)


async def test_a_server_that_accepts_and_never_answers() -> None:
    """Bounded by `read_timeout` per attempt."""
    vendor = Vendor(reads=["hang"])
    loop = asyncio.get_running_loop()
    async with serving(vendor) as url, aiogen.Session([luma(url)], read_timeout=10.0, read_attempts=2) as session:
        with pytest.raises(aiogen.NetworkError, match="did not answer within 10 s") as caught:
            await session.get("luma", ID)
        assert caught.value.sent
        assert 20.0 <= loop.time() < 22.0


async def test_a_body_without_end_is_not_read() -> None:
    """200 MB of body cost no more memory than the limit."""
    written = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(3200):
            await response.write(bytes(65536))
            written += 65536
        return response

    async with serving(flood) as url, aiogen.Session([luma(url)], read_attempts=1) as session:
        with pytest.raises(aiogen.ProtocolError, match="larger than 16,777,216 bytes") as caught:
            await session.get("luma", ID)
    assert (caught.value.provider, caught.value.status, caught.value.path) == ("luma", 200, "$")
    assert written < 40_000_000


async def test_creates_are_not_sent_over_kept_connections() -> None:
    """A connection that died while idle would make the outcome of a paid create unknown."""
    peers: dict[str, set[Any]] = {"POST": set(), "GET": set()}

    vendor = Vendor(reads=[(200, done())])

    async def note(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        peers[request.method].add(request.transport.get_extra_info("peername"))
        return await vendor(request)

    async with serving(note) as url, aiogen.Session([luma(url)]) as session:
        for i in range(4):
            await session.generate("luma/uni-1", f"p{i}")
    assert len(peers["POST"]) == 4
    assert len(peers["GET"]) == 1


async def test_the_log_shows_no_key(caplog: pytest.LogCaptureFixture) -> None:
    """Not even at DEBUG, and not in a traceback."""
    caplog.set_level(logging.DEBUG)
    vendor = Vendor(creates=["cut"], reads=[(401, {"detail": "Invalid API key"})])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.SubmissionUnknown) as unknown:
            await session.generate("luma/uni-1", "a boat")
        with pytest.raises(aiogen.AuthenticationError) as refused:
            await session.get("luma", ID)
    assert "GET" in caplog.text
    assert KEY not in caplog.text + repr(unknown.value) + str(refused.value) + repr(vars(refused.value))


async def test_an_unforeseen_shape_is_an_answer_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gap in a provider file must not leave a waiter waiting, nor end in a bare KeyError."""
    monkeypatch.setattr("aiogen.providers.luma._outputs", lambda *_: {}["gap"])
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url)], read_attempts=1) as session:
        with pytest.raises(aiogen.ProtocolError, match="KeyError"):
            await session.get("luma", ID)
        with pytest.raises(aiogen.SubmissionUnknown):
            await session.generate("luma/uni-1", "a boat")


async def test_a_large_create_does_not_hold_up_the_loop() -> None:
    """Megabytes of references are encoded in a thread, and arrive."""
    vendor = Vendor()

    async def big(request: web.Request) -> web.StreamResponse:
        request._client_max_size = 10**8
        return await vendor(request)

    picture = b"\x89PNG\r\n\x1a\n" + bytes(3_000_000)
    async with serving(big) as url, aiogen.Session([luma(url)]) as session:
        await session.generate("luma/uni-1", "warmer", image_ref=[picture, picture])
    assert [len(ref["data"]) for ref in vendor.bodies[0]["image_ref"]] == [4_000_012, 4_000_012]


async def test_single_calls_are_bounded_too() -> None:
    """Sixty reads at once take turns, `max_in_flight` at a time, and waiting for one is no failure of the network."""
    running = most = 0

    async def slow(request: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(5.0)
        running -= 1
        return web.json_response(done())

    async with serving(slow) as url, aiogen.Session([luma(url)], max_in_flight=4, call_timeout=60.0) as session:
        results = await asyncio.gather(*(session.get("luma", ID) for _ in range(60)))
    assert len(results) == 60
    assert most == 4
