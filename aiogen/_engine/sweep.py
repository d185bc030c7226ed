"""One page of the vendor's list, as one question about all the jobs that stand on it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import attrs

from aiogen._account.track import Track
from aiogen._checkpoint import Turn
from aiogen._engine.hub import Account, Hub
from aiogen._engine.job import Job
from aiogen._engine.poll import observe
from aiogen._transfer.permits import Withheld
from aiogen.errors import AiogenError
from aiogen.exchange import Page, Snapshot
from aiogen.models import State
from aiogen.providers.base import Provider
from aiogen.stores.base import RequestKind

logger = logging.getLogger("aiogen")


async def sweep(hub: Hub, account: Account, provider: Provider, offset: int, keys: list[str]) -> None:
    """Read one page; the schedule has already taken out the questions about the jobs that should be on it.

    `keys` are these, and grows by those that are on it all the same.
    """
    sent_at, permit = hub.clock.now(), hub.ledger.permit()
    try:
        if account.user_id is None:
            looking_up = hub.looking_up(account)
            has_waited = looking_up.locked()
            async with looking_up:
                if account.user_id is None:
                    if has_waited:  # the one before found nothing, and by now the account may have to wait
                        await hub.turn(account)
                    info = await hub.transport.perform(provider, provider.read_account(), permit=permit)
                    account.identified(info, hub.clock.now())
            await hub.turn(account)  # by now the account may have to wait
            sent_at = hub.clock.now()
        limit = provider.capabilities.list_page
        page = await hub.transport.perform(provider, provider.list(account.user_id, offset, limit), permit=permit)
    except Withheld:  # this process stood still since it was decided: others may own these jobs by now
        put_back(hub, account, keys)
    except AiogenError as error:
        now = hub.clock.now()
        logger.debug("the list of %s: %s", provider.name, error)
        if hub.refused(account, error, RequestKind.REQUESTS, sent_at=sent_at):
            account.listing.throttled(now)
        else:
            account.listing.refused(now)
        put_back(hub, account, keys)
    else:
        account.served()
        await _read(hub, account, page, offset, keys, sent_at)


def put_back(hub: Hub, account: Account, keys: Sequence[str]) -> None:
    """Put the questions about these jobs back: the page said nothing about them."""
    now = hub.clock.now()
    for key in keys:
        account.schedule.put_back(key, now)


async def _read(hub: Hub, account: Account, page: Page, offset: int, keys: list[str], sent_at: float) -> None:
    now, listing, schedule = hub.clock.now(), account.listing, account.schedule
    rows = [row for row in page.rows if row is not None]
    is_behind = any(listing.is_behind(row.provider_id) and not row.state.is_terminal for row in rows)
    places = [name if row is None else row.provider_id for row, name in zip(page.rows, page.names, strict=True)]
    missing = listing.read(now, offset, places, [key for key in keys if key in account.tracks])
    readings = _readings(account, page, offset, keys)
    for track, _ in readings:
        track.note_asked(sent_at)
    running = [(track, snapshot) for track, snapshot in readings if not snapshot.state.is_terminal]
    hazards = {track.key: schedule.hazard(track.key, now) for track, _ in running}
    total = sum(hazards.values())
    turn = Turn()
    for track, snapshot in running:
        share = hazards[track.key] / total if total > 0.0 else 1.0
        if account.tracks.get(track.key) is track:  # else it was over, or lost, in a turn between these
            await observe(hub, account, track, snapshot, sent_at=sent_at, share=max(share, 1.0 / len(running)))
        await turn.step()
    taken = set(keys)
    for track, snapshot in readings:
        if snapshot.state.is_terminal:
            await _end(hub, account, track, snapshot, sent_at if track.key in taken else None)
    for key in missing:
        schedule.put_back(key, now)
    if is_behind:
        logger.debug("The list of %s lags behind the generations themselves; it is not used for a while.", account.name)
        listing.refused(now)
    elif hazards and listing.wants_check():
        schedule.ask_now(max(hazards, key=hazards.__getitem__), now)


def _readings(account: Account, page: Page, offset: int, keys: list[str]) -> list[tuple[Track[Job], Snapshot]]:
    """What the page says of generations that are followed; `keys` grows by those that need no question of their own."""
    taken, found = set(keys), []
    on_page = {row.provider_id: (i, row) for i, row in enumerate(page.rows) if row is not None}  # each once
    for key, (i, row) in on_page.items():
        track = account.tracks.get(key)
        if track is None:
            continue
        account.listing.seen(key, offset, i)
        if row.state.is_terminal:
            row = attrs.evolve(row, partial=len(row.outputs) < (track.ticket.outputs or 0))
        if key not in taken and account.schedule.take_also(key):
            taken.add(key)
            keys.append(key)
        if key in taken or _is_whole(row):  # else another question about it is on its way, and says more
            found.append((track, row))
    return found


def _is_whole(snapshot: Snapshot) -> bool:
    return snapshot.state is State.COMPLETED and not snapshot.partial and not snapshot.missing_outputs


async def _end(hub: Hub, account: Account, track: Track[Job], snapshot: Snapshot, sent_at: float | None) -> None:
    if _is_whole(snapshot):
        await observe(hub, account, track, snapshot, sent_at=sent_at)
        return
    # A list may say less than the generation itself.  What costs somebody a failure is asked for singly.
    key = track.key
    now = hub.clock.now()
    account.schedule.put_back(key, now)
    account.schedule.ask_now(key, now)
