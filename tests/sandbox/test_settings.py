"""What the vendors document is the default, and nonsense is refused."""

from __future__ import annotations

from typing import Any

import pytest

from aiogen.sandbox import LEONARDO_KEY, LUMA_KEY, LeonardoSettings, LumaSettings


def test_defaults_of_luma() -> None:
    luma = LumaSettings()
    assert (luma.creates_per_window, luma.window_seconds, luma.max_active) == (30, 60, 10)
    assert luma.weights == {("uni-1-max", "image_edit"): 3}
    assert luma.api_keys == {LUMA_KEY: "valid"}


def test_defaults_of_leonardo() -> None:
    leonardo = LeonardoSettings()
    assert (leonardo.creates_per_window, leonardo.requests_per_window) == (100, 2000)
    assert (leonardo.max_running, leonardo.max_pending, leonardo.list_max) == (10, 200, 50)
    assert leonardo.api_keys == {LEONARDO_KEY: "valid"}


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        (LumaSettings, {"api_keys": {"k": "borrowed"}}),
        (LumaSettings, {"max_active": 0}),
        (LumaSettings, {"release": "never"}),
        (LumaSettings, {"queued_share": 2}),
        (LumaSettings, {"concurrency_text": "my own"}),
        (LeonardoSettings, {"create_shape": "round"}),
        (LeonardoSettings, {"error_shape": "xml"}),
        (LeonardoSettings, {"window_seconds": 0}),
    ],
)
def test_nonsense_is_refused(settings: type[Any], fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        settings(**fields)
