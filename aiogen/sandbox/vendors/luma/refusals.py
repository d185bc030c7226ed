"""A create that Luma's Agents API does not take. Pure."""

from __future__ import annotations


class Refusal(Exception):
    """The vendor refuses a create, with an HTTP status and a text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
