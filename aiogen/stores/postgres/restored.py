"""A database that was put back from a backup: what waited in it may have been sent since, so nothing of that is sent.

The server cannot tell by itself: a snapshot of its disk looks like a crash.
"""

from __future__ import annotations

from aiogen.errors import StoreError
from aiogen.models import Action
from aiogen.stores.postgres import taking_in, upgrade
from aiogen.stores.postgres.database import Tx


async def hold(url: str, *, schema: str | None = None) -> tuple[str, int]:
    """What waits, or was being submitted, is unknown from here on; where that is, and how many jobs.

    Raises:
        ConfigurationError: the url is not valid.
        StoreError: there is no ledger, or somebody uses it; nothing was changed.
    """
    async with taking_in.opened(url, schema) as target:
        if not await upgrade.steps_taken(target.tx(), target.place):
            raise StoreError(f"There is no ledger in {target.place}.")
        async with target.alone():
            count = await _hold(target.tx(), target.place)
            await target.commit()
    return target.place, count


async def _hold(tx: Tx, place: str) -> int:
    await tx.script("DELETE FROM aiogen_worker WHERE lease_until <= aiogen_now()")
    user = await tx.value("SELECT id FROM aiogen_worker LIMIT 1")
    if user is not None:
        raise StoreError(
            f"The ledger {place} is in use by {user}, or was when the backup was made: end the programs that use it; "
            "the lease of one that is gone runs out by itself.",
            action=Action.WAIT,
            retryable=True,
        )
    found = await tx.rows(
        "UPDATE aiogen_job SET state = 'unknown', owner = NULL "
        "WHERE finished_at IS NULL AND state IN ('pending', 'submitting') RETURNING 1"
    )
    return len(found)
