"""A create without an answer that chose its own id: the vendor is asked whether it knows that id."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from contextlib import suppress
from enum import StrEnum

import attrs

from aiogen._engine.hub import Account, Hub
from aiogen._engine.poll import about_it
from aiogen._limits.retry import delay, is_missing, missing_pause
from aiogen.errors import AiogenError, NotFound
from aiogen.exchange import Snapshot, Submission, Ticket
from aiogen.providers.base import Provider
from aiogen.stores.base import RequestKind

logger = logging.getLogger("aiogen")


class Fate(StrEnum):
    """What became of the create."""

    CARRIED_OUT = "carried out"
    ABSENT = "absent"
    """The vendor has said for long enough that it does not know the id."""
    UNCERTAIN = "uncertain"
    """Nothing was heard in time."""


@attrs.frozen
class Found:
    """What the vendor said about the id."""

    fate: Fate
    snapshot: Snapshot | None = None


async def look_up(hub: Hub, account: Account, provider: Provider, submission: Submission, *, within: float) -> Found:
    """Ask until the vendor knows it, surely does not, or `within` seconds have passed."""
    ticket = Ticket(
        provider_id=submission.provider_id or "",
        model=submission.model,
        kind=submission.kind,
        outputs=submission.outputs,
    )
    began = sent_at = hub.clock.now()
    absences, failures, missing_since = 0, 0, math.inf

    async def turn() -> None:
        nonlocal sent_at
        await hub.turn(account)
        sent_at = hub.clock.now()

    while hub.clock.now() - began < within and not hub.closed:
        try:
            question = about_it(provider.get(ticket), ticket.provider_id)
            snapshot = await hub.transport.perform(provider, question, before_each=turn)
        except AiogenError as error:
            hub.refused(account, error, RequestKind.REQUESTS, sent_at=sent_at)
            logger.debug("generation %s of %s: %s", ticket.provider_id, provider.name, error)
            if isinstance(error, NotFound) and error.from_api:
                absences, missing_since = absences + 1, min(missing_since, sent_at)
                grace = provider.facts.not_found_grace
                if is_missing(absences, missing_since, sent_at, grace):
                    return Found(Fate.ABSENT)
                pause = missing_pause(absences, provider.facts.poll_floor, grace)
            else:
                absences, failures, missing_since = 0, failures + 1, math.inf
                pause = max(error.retry_after or 0.0, delay(failures, draw=random.uniform), provider.facts.poll_floor)
        else:
            account.served()
            return Found(Fate.CARRIED_OUT, snapshot)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await hub.leaving.wait()
    return Found(Fate.UNCERTAIN)
