"""What every store has to pass, as tests that pytest collects.  Comes with the extra `testing`.

    class TestMyStore(aiogen.testing.StoreBattery):
        def make_store(self, context):
            return MyStore(context.folder / "ledger", lease=context.lease, time=context.time)

See docs/testing.md.
"""

try:
    import hypothesis
    import pytest
except ModuleNotFoundError as _missing:
    if _missing.name not in ("hypothesis", "pytest"):
        raise
    raise ImportError(
        f'aiogen.testing needs {_missing.name}: pip install "aiogen-sdk[testing]"', name=_missing.name
    ) from _missing

pytest.register_assert_rewrite("aiogen.testing.stores")  # before it is imported: a failed assert then shows its values

from aiogen.testing.stores.battery import StoreBattery  # noqa: E402
from aiogen.testing.stores.machine import StoreMachine  # noqa: E402
from aiogen.testing.stores.setup import StoreContext, StoreSetup  # noqa: E402

del hypothesis, pytest

__all__ = ["StoreBattery", "StoreContext", "StoreMachine", "StoreSetup"]
