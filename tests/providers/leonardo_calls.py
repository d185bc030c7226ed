"""Leonardo's calls with prepared answers: what is sent, and what is read."""

from __future__ import annotations

from typing import Any

import pytest
from providers.drive import answer, drive, sample_body

from aiogen.errors import (
    APIError,
    ProtocolError,
)
from aiogen.exchange import Response, Snapshot, Submission, Ticket
from aiogen.providers import Leonardo, LeonardoImage

KEY = "11111111-2222-4333-8444-aaaaaaaaaaaa"
LEONARDO = Leonardo(api_key=KEY, name="leo")
ID = "5a1e2f3c-7b6d-4c8e-9f10-2a3b4c5d6e7f"
V6 = "1f0bba44-923a-69b0-b519-62a6710d46a9"
USER = "11111111-2222-4333-8444-555555555555"
PHOENIX = "de7d3faf-762f-48e0-b3b7-9d0ac3a3fcf3"
TICKET = Ticket(provider_id=ID)
AUTHORISED = {"Authorization": f"Bearer {KEY}", "Accept": "application/json"}
BASE = "https://cloud.leonardo.ai/api/rest"


def encoded(request: LeonardoImage) -> Submission:
    return LEONARDO.encode(request)


def body_of(model: str, **options: Any) -> Any:
    """The body of the create for keywords."""
    return encoded(LEONARDO.prepare(model, "a boat", options)).body


def created(response: Response, model: str = "gemini-image-2") -> Snapshot:
    accepted = drive(LEONARDO.create(encoded(LeonardoImage(prompt="a boat", model=model))), response).result
    assert accepted.quota is None
    return accepted.snapshot  # type: ignore[no-any-return]


def reading(response: Response, ticket: Ticket = TICKET, **options: Any) -> Snapshot:
    return drive(Leonardo(api_key=KEY, **options).get(ticket), response).result  # type: ignore[no-any-return]


def row(name: str = "complete_image", **changes: Any) -> dict[str, Any]:
    """A recorded generation of which some fields are different."""
    return {**sample_body(f"leonardo/{name}")["generations_by_pk"], **changes}


def reading_of(name: str = "complete_image", ticket: Ticket = TICKET, nsfw: Any = "keep", **changes: Any) -> Snapshot:
    return reading(answer({"generations_by_pk": row(name, **changes)}), ticket, nsfw=nsfw)


def image(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {"id": f"i{number}", "url": f"https://cdn.leonardo.ai/{number}.jpg", "nsfw": False, **changes}


EXCHANGES = {
    "create": lambda: LEONARDO.create(encoded(LeonardoImage(prompt="a boat", model="gemini-image-2"))),
    "retrieve": lambda: LEONARDO.get(TICKET),
    "list": lambda: LEONARDO.list(USER, 0, 10),
    "delete": lambda: LEONARDO.delete(ID),
    "account": LEONARDO.read_account,
}


def complaint(response: Response, call: str = "create") -> Any:
    """The error that an answer becomes."""
    with pytest.raises((APIError, ProtocolError)) as caught:
        drive(EXCHANGES[call](), response)
    return caught.value
