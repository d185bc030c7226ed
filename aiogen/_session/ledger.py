"""What the ledger knows, and what its user decides about it."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Unpack
from uuid import UUID

import attrs

from aiogen._checks import check_given_id, check_number, own_id
from aiogen._engine.job import Job
from aiogen._jobs import records
from aiogen._jobs.records import Which
from aiogen._session.base import SessionBase
from aiogen.costs import Costs
from aiogen.errors import InputError
from aiogen.models import State, UnknownJob
from aiogen.stores.base import Forgotten, Page, Record, RecordQuery


class LedgerCalls(SessionBase):
    """What the ledger knows, and what its user decides about it."""

    async def records(
        self, *, limit: int = 1000, after: str | None = None, with_request: bool = False, **which: Unpack[Which]
    ) -> builtins.list[Record]:
        """What the ledger knows of jobs, the newest first: also of those that have ended, and of other processes.

        Args:
            limit: at most this number, 1 to 1,000,000.
            after: only those after this one, the `cursor` of a record.
            with_request: read what was sent, too, which may be megabytes for each; see `Record.submission`.
            which: all of these have to hold: `states` (one of these), `batch`, `connection`, `scope`, `key`, `prompt`
                (as it was sent; it contains this, in upper or lower case), `metadata` (it has each of these names, with
                this value), `created_after` and `created_before` (when it was submitted; with a time zone).

        Raises:
            InputError: a time has no time zone, the limit is out of its range, or another value is not valid.
            StoreError: the ledger cannot be read.
        """
        query = attrs.evolve(records.query_of(which), limit=limit, after=after, with_request=with_request)
        await self._open().hub.ledger.ready()
        return await self._store.find(query)

    async def page(self, *, limit: int = 50, after: str | None = None, **which: Unpack[Which]) -> Page:
        """The same, one page at a time: its `records`, and `next`, which as `after` returns the next page.

        Pages do not change while jobs are added: new ones are before the first page.

        Args:
            limit: records on a page, at most, 1 to 10,000.
            after: `next` of the page before.
            which: as `records` takes it, the same for each page.

        Raises:
            InputError: `after` is no cursor, or as for `records`.
            StoreError: the ledger cannot be read.
        """
        query = attrs.evolve(records.query_of(which), after=after)
        await self._open().hub.ledger.ready()
        return await records.page(self._store, query, limit)

    async def count(self, **which: Unpack[Which]) -> Mapping[State, int]:
        """How many jobs the ledger knows, by state; a state that none is in is left out.

        Args:
            which: as `records` takes it; by default all.

        Raises:
            InputError: as for `records`.
            StoreError: the ledger cannot be read.
        """
        query = records.query_of(which)
        await self._open().hub.ledger.ready()
        return await self._store.count(query)

    async def spent(
        self,
        since: datetime | timedelta | None = None,
        *,
        scope: str | None = None,
        batch: str | None = None,
        connection: str | None = None,
    ) -> Costs:
        """What was spent, as far as the ledger knows: by all processes, whether the jobs have ended or not.

        A job counts from when its create is sent: with its estimate, and then with what the vendor quotes.  Jobs that
        surely were not charged count nothing: those that were refused, and failures that the vendor documents as
        refunded (`Generation.refunded`).  An unknown job may have been charged, so it counts.

        Jobs that were removed from the ledger (`keep_finished`, `forget`) count if neither a scope nor a batch is
        given: only their cost is kept, by minute and connection.

        Args:
            since: only what was sent after this moment (with a time zone), or within this time up to now, by the
                ledger's clock.
            scope: only jobs of this scope.
            batch: only jobs of this batch.
            connection: only jobs of this connection.

        Raises:
            InputError: the moment has no time zone.
            StoreError: the ledger cannot be read.
        """
        query = records.spent_since(since, RecordQuery(scope=scope, batch=batch, connection=connection))
        await self._open().hub.ledger.ready()
        return await self._store.costs(query)

    async def reconcile(
        self,
        *job_ids: str | UUID,
        batch: str | None = None,
        connection: str | None = None,
        look_through: int = 1000,
    ) -> builtins.list[UnknownJob]:
        """The jobs whose create was never answered, each with what it may have become at the provider, and what helps.

        Nothing is changed.  Where the provider can list (Leonardo), it names generations that are not in the
        ledger and whose prompt, parameters and time fit.

        Args:
            job_ids: only these; by default all that are unknown.
            batch: only those of this batch.
            connection: only those of this connection.
            look_through: at most this number of generations of a list is read, 1 to 100,000.

        Raises:
            InputError: an id cannot be an id, or the number is out of its range.
            StoreError: the ledger cannot be read.
        """
        check_number(look_through, "look_through", 1, 100_000)
        parts = self._open()
        await parts.hub.ledger.ready()
        query = RecordQuery(
            states=[State.UNKNOWN],
            ids=[own_id(i) for i in job_ids] or None,
            batch=batch,
            connection=connection,
            limit=100_000,
            with_request=True,  # for what is compared with the provider's list
        )
        return await parts.reconciler.look(await self._store.find(query), look_through)

    async def adopt(self, job_id: str | UUID, provider_id: str | UUID) -> Job:
        """Your decision that an unknown job is this generation at the provider: from now on it is followed as that.

        Args:
            job_id: our id, in full.
            provider_id: the vendor's id; it is read once before anything is changed.

        Raises:
            InputError: the job is not unknown, or the ledger has that generation already.
            ConfigurationError: the session has no key for it.
            NotFound: the provider does not know that generation.
            StoreError: the ledger cannot be read or written.
        """
        parts = self._open()
        provider_id = check_given_id(provider_id)
        await parts.hub.ledger.ready()
        return await parts.reconciler.adopt(own_id(job_id), provider_id)

    async def resend(self, job_id: str | UUID) -> Job:
        """Your decision that an unknown job is sent again.  If the first create did arrive, both are charged.

        Args:
            job_id: our id, in full.

        Raises:
            InputError: the job is not unknown, or its request was not kept.
            ConfigurationError: the session has no key for it.
            StoreError: the ledger cannot be read or written; nothing was sent.
        """
        parts = self._open()
        await parts.hub.ledger.ready()
        return await parts.reconciler.resend(own_id(job_id))

    async def forget(self, *job_ids: str | UUID, **which: Unpack[Which]) -> Forgotten:
        """Remove jobs that have ended, or are unknown, from the ledger.  At the provider nothing changes.

        Only their cost is kept, added up (see `spent`), so a request with a forgotten key is a new job, which is paid
        for.

        Returns:
            The number of jobs that were removed; its `running` is the number of those that stayed because they have not
            ended: cancel them, or wait, and call it again.

        Args:
            job_ids: our ids, in full.
            which: instead of ids, as `records` takes it: `scope="ann"` is everything of ann's.  Without any, nothing is
                removed.

        Raises:
            InputError: both ids and something else are given, or as for `records`.
            StoreError: the ledger cannot be written.
        """
        query, ids = records.query_of(which), [own_id(i) for i in job_ids]
        if ids and records.chooses(which):
            raise InputError("Jobs to forget are named by their ids, or by what they have in common: not by both.")
        await self._open().hub.ledger.ready()
        return await self._store.forget(query if records.chooses(which) else ids)
