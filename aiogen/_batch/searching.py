"""What of a vendor's list a clean-up is about: the list read to its end, and what the ledger says of it."""

from __future__ import annotations

import logging
from contextlib import aclosing
from datetime import datetime, timedelta

import attrs

from aiogen._answers import snapshots
from aiogen._batch.choice import Where, could_be_ours, oldest_first
from aiogen._batch.marks import marks_of
from aiogen._batch.moving import Place
from aiogen.errors import InputError
from aiogen.models import Generation, State
from aiogen.stores.base import RecordQuery

logger = logging.getLogger("aiogen")

_MARGIN = timedelta(minutes=5)
"""By so much the vendor's clock may be behind the ledger's."""
_AT_ONCE = 500
_MOST = 100_000
_LOOKED_AT = 1000
"""Records of the connection among which one has to be of the account."""


async def matching(place: Place, where: Where) -> tuple[list[Generation], int]:
    """The generations of a connection that match, the oldest first and without `raw`; and how many there are in all.

    Raises:
        InputError: the ledger would have to know the account, and does not.
        StoreError: the ledger cannot be read.
        ProtocolError: what the list holds cannot be known.
    """
    provider, clock = place.provider, place.hub.clock
    if where.marked or where.not_in_ledger:
        await place.hub.ledger.ready()
    if where.not_in_ledger:
        await _check_ledger(place)
    marks = await marks_of(place.hub.store, provider.accounts) if where.marked else ()
    found, listed, now = list[Generation](), 0, clock.datetime()
    async with aclosing(place.calls.pages(provider, None, reader=provider.with_every_output())) as pages:
        async for page in pages:
            listed += len(page)
            for snapshot in page:
                generation = snapshots.looked_up(provider, snapshot, at=now)
                beside = provider.kept_beside(generation)
                if where.matches(generation, now, is_marked=snapshot.provider_id in marks, beside=beside):
                    found.append(attrs.evolve(generation, raw={}))  # half of a long list would be that
    if where.not_in_ledger:
        found = await _not_in_ledger(place, found)
    return oldest_first(found), listed


async def _check_ledger(place: Place) -> None:
    """A ledger that has never heard of the account would call everything its own user has made unknown."""
    query = RecordQuery(connection=place.provider.name, limit=_LOOKED_AT)
    accounts = set(place.provider.accounts)
    if not any(record.account in accounts for record in await place.hub.store.find(query)):
        raise InputError(
            f"The ledger knows no job of this account at {place.provider.name}, so that everything there would count "
            "as not in it. Use the ledger of the programs that make generations there."
        )


async def _not_in_ledger(place: Place, found: list[Generation]) -> list[Generation]:
    # In this order: a create that is answered meanwhile is in one of the two.
    since = await _unanswered_since(place)
    ids, known = [g.provider_id or "" for g in found], set[str]()
    for i in range(0, len(ids), _AT_ONCE):
        records = await place.hub.known(place.provider, ids[i : i + _AT_ONCE])
        known |= {record.provider_id.lower() for record in records if record.provider_id is not None}
    others = [g for g in found if (g.provider_id or "").lower() not in known]
    surely = [g for g in others if not could_be_ours(g, since)]
    if len(surely) < len(others):
        logger.warning(
            "%s generations of %s are not deleted: each could be a job in the ledger whose create was never answered.",
            len(others) - len(surely),
            place.provider.name,
        )
    return surely


async def _unanswered_since(place: Place) -> datetime | None:
    """When the first create without an answer may have arrived, by the vendor's clock; None if there is none."""
    query = RecordQuery(states=[State.SUBMITTING, State.UNKNOWN], limit=_MOST)
    accounts, now = set(place.provider.accounts), place.hub.clock.datetime()
    moments = [
        record.by(now, record.submitted_at or record.created_at)
        for record in await place.hub.store.find(query)
        if record.account in accounts
    ]
    return min(moments) - _MARGIN if moments else None


__all__ = ["matching"]
