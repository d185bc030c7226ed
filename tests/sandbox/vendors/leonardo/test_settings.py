"""What the vendor documents is the default, and impossible values are refused."""

from __future__ import annotations

from typing import Any

import pytest

from aiogen.sandbox import LEONARDO_KEY, LeonardoSettings


def test_defaults() -> None:
    leonardo = LeonardoSettings()
    assert (leonardo.creates_per_window, leonardo.requests_per_window) == (100, 2000)
    assert (leonardo.max_running, leonardo.max_pending, leonardo.list_max) == (10, 200, 50)
    assert leonardo.api_keys == {LEONARDO_KEY: "valid"}


@pytest.mark.parametrize(
    "fields",
    [
        {"create_shape": "round"},
        {"error_shape": "xml"},
        {"window_seconds": 0},
    ],
)
def test_impossible_values_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        LeonardoSettings(**fields)
