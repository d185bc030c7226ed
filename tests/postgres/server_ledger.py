"""A ledger in PostgreSQL for the battery: told the time by its context."""

from __future__ import annotations

from unittest import mock

from aiogen.stores.base import Store
from aiogen.stores.postgres.store import PostgresStore
from aiogen.testing import StoreContext


def server_store(context: StoreContext, url: str, **more: object) -> PostgresStore:
    """In a namespace of the context's own, and by its clock."""
    if "clock" not in context.kept:

        def now() -> str:
            return f"{context.time()!r}::float8"

        clock = mock.patch("aiogen.stores.postgres.sql.now", now)
        context.kept["clock"] = context.enter(clock)
        # Time goes by: nobody sets the clock.
        context.enter(mock.patch("aiogen.stores.postgres.opened.steady", context.time))
    keep = min(context.keep_finished, 365 * 86_400.0)
    return PostgresStore(url, schema=context.name, lease=context.lease, keep_finished=keep, **more)  # type: ignore[arg-type]


async def kill(store: Store) -> None:
    """What it holds is let go of, and its lease runs on."""
    assert isinstance(store, PostgresStore)
    parts, store._parts = store._parts, None
    assert parts is not None
    await parts.stop()
    await parts.writer.close()
    await parts.listener.close()
    await parts.database.close()
