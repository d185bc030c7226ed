"""What the vendor documents is the default, and impossible values are refused."""

from __future__ import annotations

from typing import Any

import pytest

from aiogen.sandbox import LUMA_KEY, LumaSettings


def test_defaults() -> None:
    luma = LumaSettings()
    assert (luma.creates_per_window, luma.window_seconds, luma.max_active) == (30, 60, 10)
    assert luma.weights == {("uni-1-max", "image_edit"): 3}
    assert luma.api_keys == {LUMA_KEY: "valid"}


@pytest.mark.parametrize(
    "fields",
    [
        {"api_keys": {"k": "borrowed"}},
        {"max_active": 0},
        {"release": "never"},
        {"queued_share": 2},
        {"concurrency_text": "my own"},
    ],
)
def test_impossible_values_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        LumaSettings(**fields)
