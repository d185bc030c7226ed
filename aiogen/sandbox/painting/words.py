"""Which words of a prompt decide what is painted. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def first_mentioned(prompt: str, words: Sequence[tuple[str, T]]) -> T | None:
    """What belongs to the first of these words that is in the prompt, in lower case. Whole words only: "train" does not
    mention "rain"."""
    return next((what for word, what in words if re.search(rf"\b{word}(?:e?s|y|ing)?\b", prompt)), None)
