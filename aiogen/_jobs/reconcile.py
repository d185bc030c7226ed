"""Creates without an answer: what could have become of them, and what the user decides about them.

Nothing is ever decided here.  A job that is adopted by mistake hides another one; a create that is sent again may be
paid for twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING

from aiogen._engine.hub import Hub
from aiogen._engine.job import Job
from aiogen._jobs import matching
from aiogen.errors import AiogenError, ConfigurationError, InputError, NotFound
from aiogen.exchange import Snapshot
from aiogen.models import Candidate, State, UnknownJob
from aiogen.providers.base import Provider
from aiogen.stores.base import Record

if TYPE_CHECKING:
    from aiogen._jobs.calls import Calls
    from aiogen._jobs.registry import Registry


class Reconciler:
    """Looks for them at the providers that can list, and carries out the user's word."""

    def __init__(self, hub: Hub, calls: Calls, registry: Registry) -> None:
        self._hub = hub
        self._calls = calls
        self._registry = registry

    async def look(self, records: Sequence[Record], look_through: int) -> list[UnknownJob]:
        """Each of these unknown jobs with what it could be; one list per account answers for all of them."""
        groups: dict[str, list[Record]] = {}
        for record in records:
            groups.setdefault(record.account, []).append(record)
        found: dict[str, UnknownJob] = {}
        for group in groups.values():
            for each in await self._look_at(self._registry.provider_of(group[0]), group, look_through):
                found[each.job_id] = each
        return [found[record.id] for record in records]

    async def _look_at(self, provider: Provider | None, group: list[Record], look_through: int) -> list[UnknownJob]:
        if provider is None:
            return [_described(record, f"This session has no key for {record.connection}.") for record in group]
        own, group = _parted(group)
        asked = [await self._ask_about(provider, record) for record in own]
        return asked + (await self._compare(provider, group, look_through) if group else [])

    async def _ask_about(self, provider: Provider, record: Record) -> UnknownJob:
        """Its create chose its id: the provider says whether it knows that."""
        provider_id = record.submission.provider_id if record.submission is not None else None
        try:
            generation = await self._calls.get(provider, provider_id or "")
        except NotFound:
            return _described(record, f"{provider.facts.vendor} does not know its id {provider_id}.", whole=True)
        except AiogenError as error:
            return _described(record, f"{provider.facts.vendor} could not be asked about it: {error.message}")
        candidate = Candidate(generation=generation, seconds=None)
        return _described(record, f"{provider.facts.vendor} knows its id.", [candidate], whole=True)

    async def _compare(self, provider: Provider, group: list[Record], look_through: int) -> list[UnknownJob]:
        if not provider.capabilities.list:
            text = f"{provider.facts.vendor} cannot list generations, so nothing more can be found out from here."
            return [_described(record, text) for record in group]
        try:
            listed, is_whole = await self._listed(provider, min(map(matching.since, group)), look_through)
        except AiogenError as error:
            return [
                _described(record, f"The list of {provider.facts.vendor} could not be read: {error.message}")
                for record in group
            ]
        known = await self._hub.known(provider, [s.provider_id for s in listed])
        taken, at = {each.provider_id or "" for each in known}, self._hub.clock.datetime()
        looked = f"Searched {len(listed)} generations of the list" + ("" if is_whole else ", not all of it")
        found = []
        for record in group:
            await asyncio.sleep(0)  # each is compared with the whole list
            candidates = matching.candidates(record, provider, listed, taken, at)
            is_early = record.ago(matching.sent_at(record)) < matching.AFTER.total_seconds()
            found.append(_described(record, f"{looked}.", candidates, whole=is_whole, is_early=is_early))
        return found

    async def _listed(self, provider: Provider, earliest: datetime, look_through: int) -> tuple[list[Snapshot], bool]:
        listed: list[Snapshot] = []
        async with aclosing(self._calls.pages(provider, None)) as pages:
            async for page in pages:
                listed += page
                if matching.is_past(page, earliest):
                    return listed, True
                if len(listed) >= look_through:
                    return listed, False
        return listed, True

    async def adopt(self, job_id: str, provider_id: str) -> Job:
        """See `Session.adopt`."""
        record, provider = await self._unknown(job_id)
        for other in await self._hub.known(provider, [provider_id]):
            raise InputError(
                f"Generation {provider_id} already belongs to job {other.id} in the ledger; a generation belongs "
                "to one job only."
            )
        await self._calls.get(provider, provider_id)  # before anything is changed: it may be mistyped
        return await self._reopened(record, provider_id)

    async def resend(self, job_id: str) -> Job:
        """See `Session.resend`."""
        record, _ = await self._unknown(job_id)
        if record.submission is None or not record.submission.body:
            raise InputError(
                f"Job {job_id} cannot be sent again: its request was not kept (keep_requests=False). Submit it again."
            )
        return await self._reopened(record, None)

    async def _unknown(self, job_id: str) -> tuple[Record, Provider]:
        record = await self._hub.store.get(job_id)
        if record is None:
            raise InputError(f"There is no job {job_id} in the ledger.")
        if record.state is not State.UNKNOWN:
            raise InputError(f"Job {job_id} is {record.state}, not unknown: there is nothing to decide about it.")
        provider = self._registry.provider_of(record)
        if provider is None:
            raise ConfigurationError(
                f"Job {job_id} was submitted at {record.connection!r} with a key that this session does not have."
            )
        return record, provider

    async def _reopened(self, record: Record, provider_id: str | None) -> Job:
        reopened = await self._hub.store.reopen(record.id, provider_id)
        job = self._registry.go_on(reopened) if reopened is not None else None
        if job is None:
            raise InputError(f"Job {record.id} is no longer unknown: another program has decided about it.")
        return job


def _parted(group: list[Record]) -> tuple[list[Record], list[Record]]:
    """Those whose creates chose their ids, and the others."""
    own = [record for record in group if record.submission is not None and record.submission.provider_id is not None]
    return own, [record for record in group if record not in own]


def _described(
    record: Record,
    looked: str,
    candidates: Sequence[Candidate] = (),
    *,
    whole: bool | None = None,
    is_early: bool = False,
) -> UnknownJob:
    """What the user needs to decide.

    `whole`: whether the list was looked through as far as it matters; None if it was not at all.
    `is_early`: it may still appear there.
    """
    submission = record.submission
    sent_at = matching.sent_at(record)
    return UnknownJob(
        job_id=record.id,
        connection=record.connection,
        model=submission.model if submission is not None else None,
        prompt=submission.prompt if submission is not None else None,
        batch=record.batch,
        fingerprint=record.fingerprint,
        submitted_at=sent_at,
        candidates=tuple(candidates),
        searched=whole is not None,
        explanation=(
            f"Its create request was sent at {sent_at.isoformat(timespec='seconds')} and never answered: it may "
            f"be running and charged. {looked}"
        ),
        advice="If it is one of these, session.adopt(job_id, provider_id) follows it."
        if candidates
        else _advice_without_candidates(whole, is_early),
    )


def _advice_without_candidates(whole: bool | None, is_early: bool) -> str:
    if whole is None:
        return "Check at the provider; then call session.adopt(job_id, provider_id) or session.resend(job_id)."
    if not whole:
        return "None of these matches, but it may be further down in the list: search again with a larger look_through."
    if is_early:
        minutes = matching.AFTER.total_seconds() / 60.0
        return f"None of these matches yet. It may appear until {minutes:.0f} min after it was sent: search again then."
    return "None of them matches, so it was probably not accepted; session.resend(job_id) sends it again."
