"""Several creates that were answered with one id: a vendor, or something on the way, mixes its answers up."""

from __future__ import annotations

import asyncio
import logging

import attrs

from aiogen._engine.hub import Account, Hub
from aiogen._engine.job import Job
from aiogen.exchange import Submission

logger = logging.getLogger("aiogen")

_LOOKUP_TIMEOUT = 1.0
"""Seconds for asking the ledger whether an id is known, before it is written down."""


async def named_before(hub: Hub, account: Account, job: Job, provider_id: str) -> str | None:
    """The other job that has this id already, if there is one: of this session, or by the ledger of one before or
    beside it.
    """
    first = account.seen_ids.first(provider_id, job.id)
    if first is not None or hub.ledger.is_behind:
        return first
    try:
        async with asyncio.timeout(_LOOKUP_TIMEOUT):
            known = await hub.known(account.provider, [provider_id])
    except (Exception, asyncio.CancelledError):
        # The id is not written down yet: neither a ledger that fails nor the end of the session may cost a paid job.
        return None
    return next((record.id for record in known if record.id != job.id), None)


async def may_share(hub: Hub, account: Account, job: Job, submission: Submission, provider_id: str, first: str) -> bool:
    """True if this job is confirmed with the id that job `first` was given before; it is then marked, as that one is.

    False if that cannot be: the first one still runs, and asked for something else.  This create then made something
    under another id, or nothing; nobody can know, and nobody gets a picture that was made for somebody else.
    """
    track = account.tracks.get(provider_id)
    running = next((other for other in track.jobs if other.id == first), None) if track is not None else None
    is_shared = await _may_be_one(hub, first, submission, runs=running is not None)
    if account.seen_ids.report_once(provider_id):
        logger.error(
            "%s answered several creates with one id: job %s and job %s are both generation %s. Each may have "
            "been charged, and %s. Ask the provider's support.",
            job.connection,
            first,
            job.id,
            provider_id,
            "both get its outputs" if is_shared else "it is not known what became of the second",
        )
    if is_shared:
        words = f"generation {provider_id} also belongs to job {{}}: the provider answered two creates with one id"
        _warn(hub, job, words.format(first))
        if running is not None:
            _warn(hub, running, words.format(job.id))
    return is_shared


async def _may_be_one(hub: Hub, first: str, submission: Submission, *, runs: bool) -> bool:
    """`runs`: the first one is known to run here; it may run in another process."""
    try:
        record = await hub.store.get(first)
    except Exception:
        return not runs
    if record is None:
        return not runs
    if not runs and record.state.is_terminal:
        return True
    asked = record.fingerprint
    if asked is None and record.submission is not None:
        asked = record.submission.fingerprint()
    return asked is None or asked == submission.fingerprint()  # what was attached, nobody here asked for


def _warn(hub: Hub, job: Job, words: str) -> None:
    job._update(attrs.evolve(job.generation, warnings=(*job.generation.warnings, words)), hub.clock.datetime())
