"""Drives an exchange with prepared answers: no loop, no network.  Pure.

went = drive(provider.get(Ticket(provider_id="id")), answer({"id": "id", "state": "queued"}))
assert went.request.method == "GET"
assert went.result.state == "queued"
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import attrs

from aiogen.exchange import Exchange, Request, Response

T = TypeVar("T")


@attrs.frozen
class Driven(Generic[T]):
    """What came out of an exchange: the requests in order, and the result."""

    requests: list[Request]
    """In the order in which they came."""
    result: T
    """What the exchange returned."""

    @property
    def request(self) -> Request:
        """The only request."""
        (request,) = self.requests
        return request


def drive(exchange: Exchange[T], *answers: Response) -> Driven[T]:
    """Answer each request with the next answer; every answer must be asked for, and no more.

    Raises:
        AssertionError: an answer was not asked for, or none is prepared for a request.
        AiogenError: what the exchange raises.
    """
    requests = []
    waiting = list(answers)
    try:
        requests.append(next(exchange))
        while waiting:
            requests.append(exchange.send(waiting.pop(0)))
    except StopIteration as end:
        assert not waiting, f"{len(waiting)} answers were not asked for"
        return Driven(requests, end.value)
    raise AssertionError(f"no answer is prepared for {requests[-1]}")


def first_request(exchange: Exchange[Any]) -> Request:
    """What the exchange would send first."""
    return next(exchange)


def answer(
    body: Any = None, *, status: int = 200, headers: Mapping[str, str] | None = None, received_at: float = 0.0
) -> Response:
    """An answer: bytes are taken as they are, text is encoded, anything else becomes JSON.

    Args:
        body: what it says.
        status: the HTTP status.
        headers: by names in upper or lower case; `X-Request-Id` becomes the answer's request id.
        received_at: seconds since the epoch.
    """
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes):
        body = json.dumps(body).encode()
    names = {name.lower(): value for name, value in (headers or {}).items()}
    return Response(
        status=status, headers=names, body=body, received_at=received_at, request_id=names.get("x-request-id")
    )
