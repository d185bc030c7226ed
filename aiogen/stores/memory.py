"""The ledger in a dict: for tests, and for those who want no file.  Gone with the process."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, OrderedDict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import attrs

from aiogen._binding import Binding, bound
from aiogen.costs import Costs
from aiogen.errors import StoreError
from aiogen.models import Cost, Generation, State
from aiogen.stores.base import (
    ADOPTED,
    MOST_FOUND,
    UNLIMITED,
    AtMost,
    Follows,
    Forgotten,
    Headroom,
    Peers,
    Record,
    RecordQuery,
    RequestKind,
    Wish,
)
from aiogen.stores.budget import Budget
from aiogen.stores.charges import costs_of
from aiogen.stores.selecting import is_of_all, matches, order
from aiogen.stores.spent import Spent, counts, sum_of

_ME = "memory"


@bound
class MemoryStore:
    """The ledger in memory: for one process, and gone with it.

    It keeps every unfinished job, each one whose end a handler still waits for, and those with a key or of a named
    batch until they are forgotten.

    Args:
        keep_finished: how many other jobs that have ended are kept, the latest, 0 or more.
    """

    def __init__(self, keep_finished: int = 1_000) -> None:
        self._binding = Binding("store")
        self._records: dict[str, Record] = {}
        self._finished: OrderedDict[str, None] = OrderedDict()
        self._keep_finished = keep_finished
        self._namespace = uuid4()
        self._follows = Follows.ALL
        self._keys: dict[tuple[str, str], str] = {}
        """Our id of the last attempt, by scope and key."""
        self._ids: dict[tuple[str, str], str] = {}
        """Our id by account and the vendor's id."""
        self._learned: dict[str, tuple[Mapping[str, Any], int]] = {}
        self._epoch: float | None = None
        """What the time was when the loop's was 0."""
        self._due: dict[tuple[str, str], tuple[float, int]] = {}
        """When the end of a job is due for a handler, and how often it was tried."""
        self._wishes: dict[str, Wish] = {}
        """Requests to the worker that follows a job, by our id."""
        self._granted: dict[str, Mapping[str, Any]] = {}
        self._spent = Spent()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    @property
    def lease(self) -> float | None:
        """See `Store.lease`."""
        return None

    @property
    def worker(self) -> str:
        """See `Store.worker`."""
        return _ME

    @property
    def can_be_cut_off(self) -> bool:
        """See `Store.can_be_cut_off`."""
        return False

    async def open(self, follows: Follows = Follows.ALL) -> None:
        """See `Store.open`."""
        self._follows = follows

    async def heartbeat(self) -> bool:
        """See `Store.heartbeat`."""
        return True

    async def adopt(self, accounts: Collection[str], only: Collection[str] | None = None) -> list[Record]:
        """See `Store.adopt`; there is something to adopt if a second session is given the same store."""
        adopted, now = [], self._now()
        if self._follows is Follows.NOTHING:
            return []
        for record in sorted(self._records.values(), key=lambda record: record.created_at):
            if record.owner is not None or record.state not in ADOPTED or record.account not in accounts:
                continue
            if only is not None and record.id not in only:
                continue
            lost = record.state is State.SUBMITTING
            changes = {"state": State.UNKNOWN, "owner": None} if lost else {"owner": _ME}
            adopted.append(self._change(record.id, **changes))
        return [attrs.evolve(record, read_at=now) for record in adopted if record is not None]

    @property
    def namespace(self) -> UUID:
        """See `Store.namespace`."""
        return self._namespace

    async def add(self, record: Record, at_most: AtMost | None = None) -> Record | None:
        """See `Store.add`."""
        same = self._ids.get((record.account, record.provider_id or ""), "")
        standing = self._records.get(record.id) or self._records.get(same)
        if standing is not None:
            return self._read(standing)
        if at_most is not None:
            unfinished = [each.scope for each in self._records.values() if not each.state.is_terminal]
            at_most.check(record.scope, unfinished.count(record.scope), len(unfinished))
        now = self._now()
        self._records[record.id] = attrs.evolve(
            record,
            owner=self._owner,
            created_at=record.by(now, record.created_at),
            submitted_at=None if record.submitted_at is None else record.by(now, record.submitted_at),
            accepted_at=None if record.accepted_at is None else record.by(now, record.accepted_at),
        )
        if record.provider_id is not None:
            self._ids[record.account, record.provider_id] = record.id
        if record.key is not None:
            last = self._records.get(self._keys.get((record.scope, record.key), ""))
            if last is None or last.attempt < record.attempt:
                self._keys[record.scope, record.key] = record.id
        return None

    async def latest(self, scope: str, key: str) -> Record | None:
        """See `Store.latest`."""
        return self._read(self._records.get(self._keys.get((scope, key), "")))

    async def intend(self, job_id: str, headroom: Headroom = UNLIMITED, budget: Budget | None = None) -> float:
        """See `Store.intend`; there are no others."""
        if not self._is(job_id, State.PENDING):
            raise StoreError(f"Job {job_id} must not be sent any more: it was withdrawn, or removed from the ledger.")
        account = (*headroom.accounts, self._records[job_id].account)[0]
        if budget is not None:
            self._spent.check(budget, self._records[job_id].charge, self._records.values(), self._now())
        self._change(job_id, state=State.SUBMITTING, submitted_at=self._now(), owner=_ME, account=account)
        return 0.0

    async def confirm(
        self,
        job_id: str,
        provider_id: str,
        state: State,
        ago: float = 0.0,
        reference: Mapping[str, Any] | None = None,
        cost: Cost | None = None,
    ) -> bool:
        """See `Store.confirm`."""
        if not self._is(job_id, *ADOPTED, State.UNKNOWN):
            return job_id not in self._records
        accepted_at = self._now() - timedelta(seconds=max(0.0, ago))
        if self._is(job_id, State.PROCESSING):
            state = State.PROCESSING  # known since then, if this is said for the second time
        self._change(
            job_id,
            state=state,
            provider_id=provider_id,
            accepted_at=accepted_at,
            reference=reference,
            charge=self._records[job_id].charge.quoted(cost),
            owner=_ME,
        )
        self._ids[self._records[job_id].account, provider_id] = job_id
        return True

    async def release(self, job_id: str) -> None:
        """See `Store.release`."""
        if self._is(job_id, State.SUBMITTING, State.UNKNOWN):
            self._change(job_id, state=State.PENDING, submitted_at=None, owner=_ME)

    async def mark_unknown(self, job_id: str) -> None:
        """See `Store.mark_unknown`."""
        if self._is(job_id, State.SUBMITTING):
            self._change(job_id, state=State.UNKNOWN, owner=None)

    async def progressed(self, job_ids: Collection[str]) -> None:
        """See `Store.progressed`."""
        for job_id in job_ids:
            if self._is(job_id, State.QUEUED) and self._records[job_id].owner == _ME:
                self._change(job_id, state=State.PROCESSING)

    async def reopen(self, job_id: str, provider_id: str | None = None) -> Record | None:
        """See `Store.reopen`."""
        record = self._records.get(job_id)
        if record is None or record.state is not State.UNKNOWN:
            return None
        if provider_id is None:
            self._spent.keep(record)  # it may have been charged, and so is the next one
            return self._read(self._change(job_id, state=State.PENDING, submitted_at=None, owner=self._owner))
        self._ids[record.account, provider_id] = job_id
        changes = {"state": State.QUEUED, "provider_id": provider_id, "accepted_at": self._now(), "owner": self._owner}
        return self._read(self._change(job_id, **changes))

    async def settle(self, ended: Sequence[Generation]) -> None:
        """See `Store.settle`."""
        for generation in ended:
            record = self._records.get(generation.id or "")
            if record is None or record.state.is_terminal:
                continue
            # What was sent may hold megabytes of references; it is needed only to try again.
            submission = None if generation.state is State.COMPLETED else record.submission
            provider_id = record.provider_id or generation.provider_id
            if provider_id is not None:
                self._ids[record.account, provider_id] = record.id
            self._change(
                record.id,
                state=generation.state,
                generation=generation,
                submission=submission,
                owner=None,
                provider_id=provider_id,
                charge=record.charge.after(generation),
                finished_at=self._now(),
            )
            for handler in record.handlers:
                self._due[record.id, handler] = (0.0, 0)
            self._purge(record)

    async def withdraw(self, ended: Generation) -> bool:
        """See `Store.withdraw`."""
        if not self._is(ended.id or "", State.PENDING):
            return False
        await self.settle([ended])
        return True

    async def wish(self, job_id: str) -> bool:
        """See `Store.wish`."""
        if not self._is(job_id, State.SUBMITTING, State.QUEUED, State.PROCESSING):
            return False
        self._granted.pop(job_id, None)
        self._want(job_id, cancel=True)
        return True

    async def wake(self, account: str, provider_ids: Collection[str], *, proved: bool = False) -> int:
        """See `Store.wake`."""
        found = [record.id for record in await self.by_provider_id(account, provider_ids)]
        running = [job_id for job_id in found if not self._records[job_id].state.is_terminal]
        for job_id in running:
            self._want(job_id, wake=True, proved=proved)
        return len(running)

    async def wishes(self) -> list[Wish]:
        """See `Store.wishes`."""
        found = [attrs.evolve(w, provider_id=self._records[i].provider_id) for i, w in self._wishes.items()]
        found = [wish for wish in found if self._records[wish.job_id].owner == _ME]
        for wish in found:
            if wish.cancel:
                self._want(wish.job_id, wake=False)
            else:
                del self._wishes[wish.job_id]
        return found

    async def grant(self, job_id: str, answer: Mapping[str, Any]) -> None:
        """See `Store.grant`."""
        wish = self._wishes.get(job_id)
        if wish is not None and wish.cancel:
            self._granted[job_id] = answer
            self._want(job_id, cancel=False)

    async def granted(self, job_id: str) -> Mapping[str, Any] | None:
        """See `Store.granted`."""
        return self._granted.get(job_id)

    async def get(self, job_id: str) -> Record | None:
        """See `Store.get`."""
        return self._read(self._records.get(job_id))

    async def find(self, query: RecordQuery) -> list[Record]:
        """See `Store.find`."""
        now = self._now()
        found = [attrs.evolve(record, read_at=now) for record in self._found(query, MOST_FOUND)]
        return found if query.with_request else [attrs.evolve(record, submission=None) for record in found]

    async def count(self, query: RecordQuery) -> Mapping[State, int]:
        """See `Store.count`."""
        counts = Counter(record.state for record in self._found(query))
        return {state: counts[state] for state in State if state in counts}

    async def costs(self, query: RecordQuery) -> Costs:
        """See `Store.costs`."""
        found = [record for record in self._found(query, len(self._records)) if counts(record)]
        removed = self._spent.sums(query, self._now()) if is_of_all(query) else []
        return costs_of([*map(sum_of, found), *removed])

    async def by_provider_id(self, account: str, provider_ids: Collection[str]) -> list[Record]:
        """See `Store.by_provider_id`."""
        ids = [self._ids.get((account, provider_id), "") for provider_id in provider_ids]
        now = self._now()
        return [attrs.evolve(self._records[i], read_at=now) for i in ids if i in self._records]

    async def wait_for_news(self, timeout: float) -> bool:
        """See `Store.wait_for_news`; there are no others."""
        await asyncio.sleep(timeout)
        return False

    async def news(self, job_ids: Collection[str]) -> Mapping[str, Record | None]:
        """See `Store.news`."""
        return {job_id: self._read(self._records.get(job_id)) for job_id in job_ids}

    async def claim(self, handlers: Collection[str], limit: int) -> list[tuple[str, Generation, int]]:
        """See `Store.claim`."""
        now = asyncio.get_running_loop().time()
        found: list[tuple[str, Generation, int]] = []
        for (job_id, handler), (when, attempts) in list(self._due.items()):
            record = self._records.get(job_id)
            if record is None or record.generation is None:
                del self._due[job_id, handler]
            elif when <= now and handler in handlers and len(found) < limit:
                self._due[job_id, handler] = (math.inf, attempts + 1)
                found.append((handler, record.generation, attempts + 1))
        return found

    async def ack(self, job_id: str, handler: str, again: float | None) -> None:
        """See `Store.ack`."""
        if again is None:
            if self._due.pop((job_id, handler), None) is not None and job_id in self._records:
                self._purge(self._records[job_id])
        elif (job_id, handler) in self._due:
            attempts = self._due[job_id, handler][1]
            self._due[job_id, handler] = (asyncio.get_running_loop().time() + again, attempts)

    async def forget(self, which: RecordQuery | Collection[str]) -> Forgotten:
        """See `Store.forget`."""
        ids = [record.id for record in self._found(which)] if isinstance(which, RecordQuery) else dict.fromkeys(which)
        removed = running = 0
        for job_id in ids:
            record = self._records.get(job_id)
            if record is not None and (record.state.is_terminal or record.state is State.UNKNOWN):
                self._remove(job_id)
                self._finished.pop(job_id, None)
                removed += 1
            elif record is not None:
                running += 1
        return Forgotten(removed, running)

    async def peers(self) -> int:
        """See `Store.peers`."""
        return Peers(0)

    async def acquire(self, account: str, count: int, per_second: float) -> float:
        """See `Store.acquire`."""
        return 0.0

    async def hold(self, account: str, kind: RequestKind, seconds: float) -> None:
        """See `Store.hold`."""

    async def put_learned(self, name: str, value: Mapping[str, Any], version: int) -> int:
        """See `Store.put_learned`."""
        if self._learned.get(name, (None, 0))[1] != version:
            return 0
        self._learned[name] = value, version + 1
        return version + 1

    async def get_learned(self, name: str, known: int = 0) -> tuple[Mapping[str, Any] | None, int]:
        """See `Store.get_learned`."""
        value, version = self._learned.get(name, (None, 0))
        return (value if version != known else None), version

    async def close(self) -> None:
        """See `Store.close`: the next session with this store takes up what is unfinished."""
        for record in list(self._records.values()):
            self._change(record.id, owner=None)
        # What was claimed is due again.
        self._due = {k: (0.0 if when == math.inf else when, count) for k, (when, count) in self._due.items()}

    @property
    def _owner(self) -> str | None:
        """Whose it is that is taken in."""
        return None if self._follows is Follows.NOTHING else _ME

    def _found(self, query: RecordQuery, at_most: int | None = None) -> list[Record]:
        """The newest first; `at_most`: where the query has no limit."""
        now = self._now()
        found = sorted((record for record in self._records.values() if matches(record, query, now)), key=order)
        return found[: at_most if query.limit is None else query.limit]

    def _purge(self, record: Record) -> None:
        """It is over; the oldest go, but none with a name, and none before all its handlers have heard of its end."""
        if record.key is not None or record.batch is not None:
            return
        if any((record.id, handler) in self._due for handler in record.handlers):
            return
        self._finished[record.id] = None
        if len(self._finished) > self._keep_finished:
            self._remove(self._finished.popitem(last=False)[0])

    def _now(self) -> datetime:
        """The time of day by the loop's clock, so that a virtual loop moves it, too."""
        seconds = asyncio.get_running_loop().time()
        if self._epoch is None:
            self._epoch = time.time() - seconds
        return datetime.fromtimestamp(self._epoch + seconds, UTC)

    def _read(self, record: Record | None) -> Record | None:
        return None if record is None else attrs.evolve(record, read_at=self._now())

    def _want(self, job_id: str, *, cancel: bool | None = None, wake: bool | None = None, proved: bool = False) -> None:
        """What is None stays as it is."""
        before = self._wishes.get(job_id)
        self._wishes[job_id] = Wish(
            job_id=job_id,
            account=self._records[job_id].account,
            provider_id=None,
            cancel=(before is not None and before.cancel) if cancel is None else cancel,
            wake=(before is not None and before.wake) if wake is None else wake,
            proved=proved or (wake is not False and before is not None and before.proved),
        )

    def _is(self, job_id: str, *states: State) -> bool:
        record = self._records.get(job_id)
        return record is not None and record.state in states

    def _remove(self, job_id: str) -> None:
        record = self._records.pop(job_id, None)
        if record is not None:
            self._spent.keep(record)
        self._wishes.pop(job_id, None)
        self._granted.pop(job_id, None)
        for handler in record.handlers if record is not None else ():
            self._due.pop((job_id, handler), None)
        if record is not None and record.provider_id is not None:
            self._ids.pop((record.account, record.provider_id), None)
        if record is not None and record.key is not None and self._keys.get((record.scope, record.key)) == job_id:
            del self._keys[record.scope, record.key]
            others = [r for r in self._records.values() if (r.scope, r.key) == (record.scope, record.key)]
            if others:
                self._keys[record.scope, record.key] = max(others, key=lambda other: other.attempt).id

    def _change(self, job_id: str, **changes: object) -> Record | None:
        record = self._records.get(job_id)
        if record is not None:
            record = self._records[job_id] = attrs.evolve(record, **changes)  # type: ignore[arg-type]
        return record
