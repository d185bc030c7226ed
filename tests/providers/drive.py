"""Recorded answers by name, and what drives an exchange with them.

went = drive(Luma(api_key="key").get(Ticket(provider_id="id")), sample("luma/queued"))
went.request.url, went.result.state
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aiogen.exchange import Response
from aiogen.testing import answer, drive, first_request

SAMPLES = Path(__file__).with_name("samples")


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


__all__ = ["answer", "drive", "first_request", "names_of", "sample", "sample_body"]
