"""A permit is asked right before anything of a request is written, over our own connections and a caller's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from serving import Vendor, luma, serving

import aiogen
from aiogen._clock import Clock
from aiogen._options import RequestOptions
from aiogen._transfer.permits import Withheld
from aiogen._transfer.transport import Transport
from aiogen.exchange import Exchange, Request


@asynccontextmanager
async def transport(*, given: bool) -> AsyncIterator[Transport]:
    async with aiohttp.ClientSession() as theirs:
        options = RequestOptions(
            connect_timeout=10.0, read_timeout=30.0, submit_timeout=30.0, max_answer_bytes=1 << 20, read_attempts=5
        )
        made = Transport(Clock(), options, client_session=theirs if given else None)
        try:
            yield made
        finally:
            await made.close()


def asks(url: str, method: str) -> Callable[[], Exchange[int]]:
    def exchange() -> Exchange[int]:
        is_create = method == "POST"
        verb, body = ("create", {"prompt": "a boat"}) if is_create else ("retrieve", None)
        return (yield Request(method=method, url=f"{url}/v1/generations", verb=verb, body=body)).status

    return exchange


@pytest.mark.parametrize("given", [False, True], ids=["ours", "theirs"])
@pytest.mark.parametrize(("method", "after"), [("GET", 0), ("GET", 1), ("POST", 0), ("POST", 1), ("POST", 2)])
async def test_nothing_is_written_once_a_permit_has_ended(method: str, after: int, given: bool) -> None:
    """At the decision, when there is a connection, and where a body is written a turn of the loop later."""
    vendor = Vendor()
    async with serving(vendor) as url, transport(given=given) as sending:
        connection, ask = luma(url), asks(url, method)
        left = after

        def permit() -> bool:
            nonlocal left
            left -= 1
            return left >= 0

        with pytest.raises(Withheld, match="was not sent: before its turn") as caught:
            await sending.perform(connection, ask(), permit=permit)
        assert (caught.value.sent, caught.value.provider, caught.value.retryable) == (False, "luma", True)
        assert (left, sending.sent, vendor.seen) == (-1, 0, [])
        assert await sending.perform(connection, ask()) in (200, 201)
        assert (sending.sent, len(vendor.seen)) == (1, 1)


async def test_what_is_asked_by_turns_is_decided_at_each_turn() -> None:
    """A call is repeated when its next turn has come, and nobody hears that it was not sent at once."""
    vendor = Vendor()
    async with serving(vendor) as url, transport(given=False) as sending:
        turns = 0

        async def turn() -> None:
            nonlocal turns
            turns += 1

        sending.permits = lambda: lambda number=turns: number > 1  # type: ignore[misc]
        answer = await sending.repeat(luma(url), asks(url, "GET"), timeout=60.0, before_each=turn)
        assert (answer, turns, len(vendor.seen)) == (200, 2, 1)


def test_it_is_an_error_of_the_network_for_everybody_else() -> None:
    assert issubclass(Withheld, aiogen.NetworkError)
