"""Drives an exchange with prepared answers: no loop, no network.

went = drive(Luma(api_key="key").get(Ticket(provider_id="id")), sample("luma/queued"))
went.request.url, went.result.state
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs

from aiogen.exchange import Exchange, Request, Response

SAMPLES = Path(__file__).with_name("samples")


@attrs.frozen
class Went:
    """What came out of an exchange: the requests in order, and the result."""

    requests: list[Request]
    result: Any

    @property
    def request(self) -> Request:
        """The only request."""
        (request,) = self.requests
        return request


def drive(exchange: Exchange[Any], *answers: Response) -> Went:
    """Answer each request with the next answer; every answer must be asked for, and no more."""
    requests = []
    waiting = list(answers)
    try:
        requests.append(next(exchange))
        while waiting:
            requests.append(exchange.send(waiting.pop(0)))
    except StopIteration as end:
        assert not waiting, f"{len(waiting)} answers were not asked for"
        return Went(requests, end.value)
    raise AssertionError(f"no answer is prepared for {requests[-1]}")


def first_request(exchange: Exchange[Any]) -> Request:
    """What the exchange would send first."""
    return next(exchange)


def answer(
    body: Any = None, *, status: int = 200, headers: dict[str, str] | None = None, received_at: float = 0.0
) -> Response:
    """An answer: bytes are taken as they are, text is encoded, anything else becomes JSON."""
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes):
        body = json.dumps(body).encode()
    names = {name.lower(): value for name, value in (headers or {}).items()}
    return Response(
        status=status, headers=names, body=body, received_at=received_at, request_id=names.get("x-request-id")
    )


def sample(name: str, *, status: int | None = None, received_at: float = 0.0) -> Response:
    """A recorded answer by name, such as "luma/queued"."""
    recorded = _recorded(name)
    return answer(
        recorded["text"] if "text" in recorded else recorded["body"],
        status=status or recorded["status"],
        headers=recorded["headers"],
        received_at=received_at,
    )


def sample_body(name: str) -> Any:
    """The JSON of a recorded answer or request."""
    return _recorded(name)["body"]


def names_of(folder: str, prefix: str = "") -> list[str]:
    """The recorded answers of one provider whose names begin so."""
    return sorted(f"{folder}/{path.stem}" for path in (SAMPLES / folder).glob(f"{prefix}*.json"))


def _recorded(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
