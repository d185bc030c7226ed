"""Several creates that were answered with one id: a vendor, or something on the way, mixes its answers up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import attrs

from aiogen._account import AccountDesk
from aiogen._job import Job
from aiogen._wire import Submission
from aiogen.errors import StoreError

if TYPE_CHECKING:
    from aiogen._coordinator import Coordinator

logger = logging.getLogger("aiogen")


async def may_share(
    hub: Coordinator, desk: AccountDesk, job: Job, submission: Submission, provider_id: str, first: str
) -> bool:
    """True if this job is confirmed with the id that job `first` was given before; it is then marked, as that one is.

    False if that cannot be: the first one still runs, and asked for something else.  This create then made something
    under another id, or nothing; nobody can know, and nobody gets a picture that was made for somebody else.
    """
    track = desk.tracks.get(provider_id)
    running = next((other for other in track.jobs if other.id == first), None) if track is not None else None
    is_shared = running is None or await _asked_for(hub, first) == submission.fingerprint()
    if desk.named.says_so(provider_id):
        logger.error(
            "%s answered several creates with one id: job %s and job %s are both generation %s. Each may have been "
            "charged, and %s. Ask the provider.",
            job.connection,
            first,
            job.id,
            provider_id,
            "both get its outputs" if is_shared else "what became of the second is unknown",
        )
    if is_shared:
        words = f"generation {provider_id} is also that of job {{}}: the provider answered two creates with one id"
        _warn(hub, job, words.format(first))
        if running is not None:
            _warn(hub, running, words.format(job.id))
    return is_shared


async def _asked_for(hub: Coordinator, job_id: str) -> str | None:
    try:
        record = await hub.store.get(job_id)
    except StoreError:
        return None
    if record is None or record.fingerprint is not None:
        return None if record is None else record.fingerprint
    return record.submission.fingerprint() if record.submission is not None else None


def _warn(hub: Coordinator, job: Job, words: str) -> None:
    job._update(attrs.evolve(job.generation, warnings=(*job.generation.warnings, words)), hub.clock.datetime())
