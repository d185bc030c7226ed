"""What a store is: the ledger of jobs.  Pure.

A store keeps facts; it decides nothing.  Each call is one whole transaction: when it returns, the
fact is as durable as the store makes anything.  The order of calls is the life of a job: `add`, `intend` (before the
create is sent), then `confirm`, `release` or `mark_unknown`, and at last `settle`.

Time is the store's.  What it stamps, and what counts from that (leases, pauses, windows), goes by its own clock, which
is one for all who share it; what a caller knows of the past it says as an age.  Records come back with the moment at
which they were read, so that a reader need not compare them with a clock of its own: see `Record.ago`.

Several processes may share a store.  Each is a worker with a lease that it renews by `heartbeat`; it owns the jobs
that it added or adopted.  A worker whose lease has run out owns nothing any more, and others `adopt` its jobs.
One that follows nothing owns nothing: what it adds is for those who follow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from aiogen.costs import Costs
from aiogen.models import Cost, Generation, State
from aiogen.stores.budget import Budget
from aiogen.stores.peers import Follows as Follows
from aiogen.stores.peers import Peers as Peers
from aiogen.stores.query import MOST_FOUND as MOST_FOUND
from aiogen.stores.query import Forgotten as Forgotten
from aiogen.stores.query import RecordQuery as RecordQuery
from aiogen.stores.record import ADOPTED as ADOPTED
from aiogen.stores.record import UNLIMITED as UNLIMITED
from aiogen.stores.record import AtMost as AtMost
from aiogen.stores.record import Headroom as Headroom
from aiogen.stores.record import Page as Page
from aiogen.stores.record import Record as Record
from aiogen.stores.record import RequestKind as RequestKind
from aiogen.stores.record import TakenOver as TakenOver
from aiogen.stores.record import Wish as Wish
from aiogen.stores.shares import ScopeWait as ScopeWait


class Store(Protocol):
    """The ledger.

    Raises:
        StoreError: the fact could not be written, or the ledger not be read; from any method.
    """

    @property
    def lease(self) -> float | None:
        """Seconds that a worker's lease lasts; None if no other process can see this ledger."""
        ...

    @property
    def worker(self) -> str:
        """Who we are in it: the owner of what is ours."""
        ...

    @property
    def can_be_cut_off(self) -> bool:
        """True if others may go on with the ledger while we cannot reach it, as over a network.

        Then only a lease that was renewed counts: from four fifths of it on nothing is asked or created, for others may
        own our jobs.  If all are cut off, all pause, and go on when the ledger is back.  False where a ledger that does
        not answer answers nobody, as a file on this machine: then what runs is followed all the same.
        """
        ...

    async def open(self, follows: Follows = Follows.ALL) -> None:
        """Begin as a new worker: before the first job, and again after the lease was lost.

        `follows` is the same each time, and not given where it is `ALL`.  What a worker that follows `NOTHING` adds or
        reopens has no owner; `adopt` gives it nothing, and it never calls `intend`.
        """

    async def heartbeat(self) -> bool:
        """Renew the lease, and end those of the dead; False if ours was ended meanwhile."""
        ...

    async def adopt(self, accounts: Collection[str], only: Collection[str] | None = None) -> list[Record]:
        """Take over unfinished jobs of these accounts that nobody owns, the oldest first; `only`: these ids alone.

        Of many that is a portion, so that all workers share them: a worker that looks again gets the next portion.
        One that was being submitted becomes unknown, once: nobody can tell whether the create arrived.  Unknown ones
        are not adopted, for there is nothing to do about them but what the user decides.
        """
        ...

    @property
    def namespace(self) -> UUID:
        """From which the ids of keyed jobs are made: random, and the same for the whole life of a ledger.

        Raises:
            StoreError: it is not open.
        """
        ...

    async def add(self, record: Record, at_most: AtMost | None = None) -> Record | None:
        """Add a new job of ours, pending or (attached) already running; None if it was added.

        It was added, and accepted if it was at all, so long before now as its moments lie before its `read_at`: without
        one, now.  If there is one with this id, or of this generation (account and the vendor's id), that one stands,
        unchanged, and is returned.  Else the unfinished jobs are counted in the same transaction: several processes
        that add at once do not get beyond the bound together.

        Raises:
            TooManyJobs: there are as many unfinished jobs as `at_most` allows; nothing was added.
            StoreError: it could not be written; `retryable`, if our lease was lost and `open` begins a new one.
        """

    async def latest(self, scope: str, key: str) -> Record | None:
        """The record of the last attempt under a key, or None."""

    async def intend(self, job_id: str, headroom: Headroom = UNLIMITED, budget: Budget | None = None) -> float:
        """Note that its create is about to be sent: 0.0; or the seconds to wait, if others have used the account up.

        What waits stays pending.  So the ledger is the semaphore of an account, and a crash leaks no place.  Intents
        of one worker are decided in the order in which they were asked: the headroom of each counts those before it.

        Where there is not room for all, what other living workers have waiting of a higher priority goes before; after
        seven such creates, one of the lowest that waits.  A place that nobody takes is kept for some seconds only.

        Where another scope has something unfinished at the account, or had within the last minute, a scope that has its
        equal share of `Headroom.places`, or of `Headroom.limit`, is given none of the last of them, see
        `stores.shares`.  The number is a `ScopeWait` then: creates of other scopes need not wait for it.

        With a budget, what was sent within its period is added up in the same transaction, of all scopes, connections
        and processes, what was forgotten since then included: several processes do not get beyond it together.

        Raises:
            BudgetReached: the budget does not allow it; the job stays pending.
            TakenOver: the job is no longer ours.
            StoreError: it could not be written.
        """
        ...

    async def confirm(
        self,
        job_id: str,
        provider_id: str,
        state: State,
        ago: float = 0.0,
        reference: Mapping[str, Any] | None = None,
        cost: Cost | None = None,
    ) -> bool:
        """Note that the vendor accepted it; False if it is not ours to follow, because our lease was lost meanwhile.

        `ago`: the number of seconds since then, 0 or more.  `reference` is JSON, and kept with the id.  `cost`: what
        the vendor quoted, which counts from now on; None if it quoted nothing.

        Like the two below this is about the last create, from the worker that sent that one, however late: for an
        earlier create, or a job that is over, it changes nothing.  If the lease was lost since that create, the job is
        nobody's then, and taken up by `adopt`.
        """
        ...

    async def release(self, job_id: str) -> None:
        """Note that the create surely was not carried out: the job is pending again."""

    async def mark_unknown(self, job_id: str) -> None:
        """Note that the create's answer never came: the job is unknown."""

    async def progressed(self, job_ids: Collection[str]) -> None:
        """Note that those of them that are ours and queued are being processed; it changes no others."""

    async def reopen(self, job_id: str, provider_id: str | None = None) -> Record | None:
        """Note the user's decision about an unknown job: it runs under this id; or, without one, it is to be sent
        again.

        It is ours then.  None if it is not unknown (any more).
        """
        ...

    async def settle(self, ended: Sequence[Generation]) -> None:
        """Note that these jobs are over as of now.  Settling one twice changes nothing: the first end counts, whichever
        worker saw it.

        An end without a `provider_id` says that a job was not sent, or was refused.  It counts only from the job's
        owner, from the worker that sent its last create, or if the job is pending and nobody's.

        What it cost is what the generation says, and nothing if it was not sent, was refused or is refunded; see
        `Charge.after`.
        """

    async def withdraw(self, ended: Generation) -> bool:
        """End a job that was not sent, whichever worker owns it; False if it is not pending (any more).

        So of this and an `intend` one wins: who owns it gets `TakenOver` there.
        """
        ...

    async def wish(self, job_id: str) -> bool:
        """Ask the worker that follows this job, now or later, to cancel it; False if it is neither being sent nor
        running.

        The request stays until it is answered by `grant`, or the job is over; an earlier answer is forgotten.
        """
        ...

    async def wake(self, account: str, provider_ids: Collection[str], *, proved: bool = False) -> int:
        """Have the workers that follow these ask about them soon; returns how many of them are unfinished jobs.

        What is not, or is to be asked about already, writes nothing, unless that is `proved` now and was not before.
        """
        ...

    async def wishes(self) -> list[Wish]:
        """What others want of jobs that are ours: each wake once, each cancel until it is granted.

        It costs as much as there are wishes, not as there are jobs.
        """
        ...

    async def grant(self, job_id: str, answer: Mapping[str, Any]) -> None:
        """Note what came of our try to cancel it, as JSON, for those who asked for it: they read it by `granted`.

        If nobody waits for that any more, it changes nothing.
        """

    async def granted(self, job_id: str) -> Mapping[str, Any] | None:
        """What came of the last request to cancel it; None while it is not answered, and if there was none."""
        ...

    async def get(self, job_id: str) -> Record | None:
        """The record of a job, or None."""

    async def find(self, query: RecordQuery) -> list[Record]:
        """The records that a query asks for, the newest first."""
        ...

    async def count(self, query: RecordQuery) -> Mapping[State, int]:
        """How many there are that a query asks for, by state; a state that none is in is left out."""
        ...

    async def costs(self, query: RecordQuery) -> Costs:
        """What those of the jobs that a query asks for cost together that were sent, and surely not for nothing.

        One that was removed from the ledger counts as well, by the minute, if the query asks for nothing but a
        connection and a time of sending: that is all that is kept of it.
        """
        ...

    async def by_provider_id(self, account: str, provider_ids: Collection[str]) -> list[Record]:
        """The records of an account with these ids of the vendor's."""
        ...

    async def wait_for_news(self, timeout: float) -> bool:
        """Wait until another process has written since this was last asked; False if `timeout` seconds pass first.

        It may also be True without that.  Writes within a tenth of a second may be reported together, and have to be
        where they come all the time: the caller reads the ledger after each True.  It has to be cheap, for a session
        waits all the time; a wait that is cancelled misses nothing.  A job that was added by a worker which follows
        nothing is such news, too.
        """
        ...

    async def news(self, job_ids: Collection[str]) -> Mapping[str, Record | None]:
        """Those of these jobs that changed since the last call, each without what was sent; None for one removed.

        It costs as much as has changed, not as much as is asked about.  It may also give some that have not changed.
        """
        ...

    async def claim(self, handlers: Collection[str], limit: int) -> list[tuple[str, Generation, int]]:
        """Ends that are due for one of these handlers: its name, the end, and which attempt it is.

        They are ours until `ack`, or until our lease ends; nothing, if it has ended.
        """
        ...

    async def ack(self, job_id: str, handler: str, again: float | None) -> None:
        """The handler was called; or, if `again`, it is to be called once more after this number of seconds."""

    async def forget(self, which: RecordQuery | Collection[str]) -> Forgotten:
        """Remove these jobs (our ids, or what a query asks for), if they are over or unknown; how many were.

        Nothing of them stays: neither prompt, metadata, request and result, nor key and vendor id, nor which
        handlers were called for their ends.  A named batch is removed by nothing else.  Only what they have cost stays,
        added up by minute, connection and unit: else a budget could be spent twice.
        """
        ...

    async def peers(self) -> int:
        """How many other workers use this ledger now: a `Peers`, which also says how many of them follow.

        A plain number says that all of them do.
        """
        ...

    async def acquire(self, account: str, count: int, per_second: float) -> float:
        """Take `count` requests out of the budget that all workers share; the seconds until they may be sent."""
        ...

    async def hold(self, account: str, kind: RequestKind, seconds: float) -> None:
        """The vendor refused: no worker sends such requests for this number of seconds."""

    async def put_learned(self, name: str, value: Mapping[str, Any], version: int) -> int:
        """Keep something that was learned, as JSON, in place of what was read with this version; 0 for nothing.

        The version that it has now, 1 or more; 0, and nothing is written, if another value stands there by now.  No
        version is given twice under a name.  A value that cannot be read may be overwritten.
        """
        ...

    async def get_learned(self, name: str, known: int = 0) -> tuple[Mapping[str, Any] | None, int]:
        """What is kept under a name, and its version; None and 0 if nothing is.

        None in place of a value whose version is the `known` one.
        """
        ...

    async def close(self) -> None:
        """Give up the lease, so that others can take over at once; let go of files and threads."""
