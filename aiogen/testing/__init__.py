"""What every provider and every store has to pass, as tests that pytest collects.  Needs the extra `testing`.

    class TestMyProvider(aiogen.testing.ProviderBattery):
        provider = MyProvider(api_key="mine-0123456789")
        ...

    class TestMyStore(aiogen.testing.StoreBattery):
        def make_store(self, context):
            return MyStore(context.folder / "ledger", lease=context.lease, time=context.time)

See docs/adding-a-provider.md and docs/testing.md.  A name is loaded when it is first used: a battery of providers needs
pytest alone, and `drive` needs nothing.
"""

import importlib
import sys
import typing

if typing.TYPE_CHECKING:
    from aiogen.testing.providers.battery import ProviderBattery
    from aiogen.testing.providers.driving import Driven, answer, drive, first_request
    from aiogen.testing.stores.battery import StoreBattery
    from aiogen.testing.stores.machine import StoreMachine
    from aiogen.testing.stores.setup import StoreContext, StoreSetup

_PLACES = {
    "Driven": "providers.driving",
    "ProviderBattery": "providers.battery",
    "StoreBattery": "stores.battery",
    "StoreContext": "stores.setup",
    "StoreMachine": "stores.machine",
    "StoreSetup": "stores.setup",
    "answer": "providers.driving",
    "drive": "providers.driving",
    "first_request": "providers.driving",
}

__all__ = [
    "Driven",
    "ProviderBattery",
    "StoreBattery",
    "StoreContext",
    "StoreMachine",
    "StoreSetup",
    "answer",
    "drive",
    "first_request",
]


def __getattr__(name: str) -> typing.Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room, _, module = _PLACES[name].partition(".")
    pytest = sys.modules.get("pytest")
    if pytest is not None and f"{__name__}.{room}" not in sys.modules:
        pytest.register_assert_rewrite(f"{__name__}.{room}")  # a failed assert then shows its values
    try:
        found = getattr(importlib.import_module(f"{__name__}.{room}.{module}"), name)
    except ModuleNotFoundError as missing:
        if missing.name not in ("hypothesis", "pytest"):
            raise
        raise ImportError(
            f'aiogen.testing needs {missing.name}: pip install "aiogen-sdk[testing]"', name=missing.name
        ) from missing
    globals()[name] = found
    return found
