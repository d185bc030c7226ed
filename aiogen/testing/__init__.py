"""What every provider has to pass, as tests that pytest collects.  Comes with the extra `testing`.

    class TestMine(aiogen.testing.ProviderBattery):
        provider = Mine(api_key="mine-0123456789")
        ...

See docs/adding-a-provider.md.  A name is loaded when it is first used: each battery needs only what it uses itself.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiogen.testing.providers.battery import ProviderBattery
    from aiogen.testing.providers.driving import Driven, answer, drive, first_request

_PLACES = {
    "Driven": "aiogen.testing.providers.driving",
    "ProviderBattery": "aiogen.testing.providers.battery",
    "answer": "aiogen.testing.providers.driving",
    "drive": "aiogen.testing.providers.driving",
    "first_request": "aiogen.testing.providers.driving",
}
_EXTRA = ("hypothesis", "pytest")

__all__ = ["Driven", "ProviderBattery", "answer", "drive", "first_request"]


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        room = place.rpartition(".")[0]
        pytest = sys.modules.get("pytest")
        if pytest is not None and room not in sys.modules:
            pytest.register_assert_rewrite(room)  # a failed assert then shows its values
        found = getattr(import_module(place), name)
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise ImportError(
            f'aiogen.testing needs {error.name}: pip install "aiogen-sdk[testing]"', name=error.name
        ) from error
    globals()[name] = found
    return found
