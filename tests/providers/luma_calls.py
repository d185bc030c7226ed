"""Luma's calls with prepared answers: what is sent, and what is read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from providers.drive import answer, drive, sample_body

from aiogen.errors import (
    APIError,
    ProtocolError,
)
from aiogen.exchange import Response, Snapshot, Submission, Ticket
from aiogen.providers import (
    Luma,
    LumaImage,
    LumaRequest,
)

KEY = "luma-api-0123456789"
LUMA = Luma(api_key=KEY, name="luma-eu")
ID = "d290f1ee-6c54-4b01-90e6-d701748f0851"
TICKET = Ticket(provider_id=ID)
AUTHORISED = {"Authorization": f"Bearer {KEY}", "Accept": "application/json"}
NOON = datetime(2026, 4, 8, 12, 0, 41, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n"


def encoded(request: LumaRequest) -> Submission:
    return LUMA.encode(request)


def body_of(**fields: Any) -> Any:
    """The body of the create for keywords."""
    fields.setdefault("prompt", "a boat")
    prompt, model = fields.pop("prompt"), fields.pop("model", "uni-1")
    return dict(encoded(LUMA.prepare(model, prompt, fields)).body)


def created(response: Response) -> Any:
    return drive(LUMA.create(encoded(LumaImage(prompt="a boat"))), response).result


def reading(response: Response) -> Snapshot:
    return drive(LUMA.get(TICKET), response).result  # type: ignore[no-any-return]


def reading_of(**changes: Any) -> Snapshot:
    """A reading of a completed generation of which some fields are different."""
    return reading(answer({**sample_body("luma/completed_image"), **changes}))


def complaint(response: Response, verb: str = "create") -> Any:
    """The error that an answer becomes."""
    exchanges = {
        "create": lambda: LUMA.create(encoded(LumaImage(prompt="a boat"))),
        "retrieve": lambda: LUMA.get(TICKET),
        "account": LUMA.read_account,
    }
    with pytest.raises((APIError, ProtocolError)) as caught:
        drive(exchanges[verb](), response)
    return caught.value
