"""Requests between processes: to cancel jobs that are followed here, and to ask about jobs that others follow."""

from __future__ import annotations

import logging
from functools import partial

from aiogen._answers.granted import encoded
from aiogen._engine.hub import Hub
from aiogen._jobs.calls import Calls
from aiogen._jobs.cancel import of_ours
from aiogen._jobs.registry import Registry
from aiogen.errors import AiogenError, SessionClosed
from aiogen.models import Cancellation
from aiogen.providers.base import Provider

logger = logging.getLogger("aiogen")


class Wishes:
    """One per session."""

    def __init__(self, hub: Hub, calls: Calls, registry: Registry) -> None:
        self._hub = hub
        self._calls = calls
        self._registry = registry
        self._granting: set[str] = set()
        hub.on_cancel = self.cancel

    def cancel(self, job_id: str) -> None:
        """Somebody else wants a job of ours to be cancelled; also said again while that is under way."""
        if job_id not in self._granting and not self._hub.closed:
            self._granting.add(job_id)
            self._hub.look_up(self._grant(job_id))

    async def _grant(self, job_id: str) -> None:
        hub = self._hub
        try:
            job = await self._registry.find(job_id)
            if job is None or job in hub.remote:
                return  # it is somebody else's by now, and so is the wish
            answer: Cancellation | AiogenError
            try:
                answer = await of_ours(hub, self._calls, job)
            except SessionClosed:
                return  # the next one finds the wish
            except AiogenError as error:
                answer = error
            await hub.ledger.note(partial(hub.store.grant, job_id, encoded(answer)), job_id)
        except AiogenError as error:
            logger.warning("Another process wants job %s to be cancelled, which has to wait: %s", job_id, error)
        finally:
            self._granting.discard(job_id)

    async def wake(self, provider: Provider, provider_id: str, *, proved: bool = False) -> bool:
        """See `Session.wake`, and for `proved`, that the vendor says so, `Schedule.hint`."""
        hub = self._hub
        if hub.woken(provider.account, provider_id, proved=proved):
            return True
        await hub.ledger.ready()
        if hub.woken(provider.account, provider_id, proved=proved):  # taken up just now
            return True
        # Whatever key its account had when the job was made.
        found = [await hub.store.wake(account, [provider_id], proved=proved) for account in provider.accounts]
        return sum(found) > 0
