"""The ledger in PostgreSQL passes what every store has to pass."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import Phase
from postgres.server import Server
from postgres.server_ledger import kill, server_store

from aiogen.stores.base import Store
from aiogen.testing import StoreBattery, StoreContext

pytestmark = pytest.mark.postgres


@pytest.mark.timeout(300)
class TestPostgres(StoreBattery):
    max_examples = 20

    @pytest.fixture(autouse=True)
    def _on(self, server: Server) -> None:
        self.url = server.url

    def make_store(self, context: StoreContext) -> Store:
        return server_store(context, self.url)

    async def kill(self, store: Store) -> None:
        await kill(store)

    def hypothesis_settings(self) -> hypothesis.settings:
        return hypothesis.settings(super().hypothesis_settings(), derandomize=True, phases=set(Phase) - {Phase.explain})
