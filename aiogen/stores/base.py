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

    Arguments that each method takes alike: `job_id` is our id of a job, `provider_id` the vendor's, and `account` the
    keyed hash of an account (`Provider.account`).  "We" and "ours" mean the worker that this store is: from one `open`
    to the end of its lease.  An unknown `job_id` is no error, and changes nothing, unless the method says otherwise.

    Raises:
        StoreError: the fact could not be written, or the ledger could not be read; from any method.
    """

    @property
    def lease(self) -> float | None:
        """Seconds that a worker's lease lasts; None if no other process can see this ledger."""
        ...

    @property
    def worker(self) -> str:
        """The name of our worker in the ledger: `Record.owner` of our jobs."""
        ...

    @property
    def can_be_cut_off(self) -> bool:
        """True if other workers may use the ledger while we cannot reach it, as over a network.

        Then only a lease that was renewed counts: after four fifths of it nothing is polled or created, because others
        may own our jobs.  If all are cut off, all pause, and go on when the ledger is back.  False if a ledger that
        does not answer us answers no worker, as a file on this machine: then what runs is followed all the same.
        """
        ...

    async def open(self, follows: Follows = Follows.ALL) -> None:
        """Begin as a new worker: before the first job, and again after the lease was lost.

        Args:
            follows: the same each time, and not passed if it is `ALL`.  What a worker that follows `NOTHING` adds or
                reopens has no owner; `adopt` returns nothing to it, and it never calls `intend`.
        """

    async def heartbeat(self) -> bool:
        """Renew our lease, and end leases that have run out; False if ours was ended meanwhile."""
        ...

    async def adopt(self, accounts: Collection[str], only: Collection[str] | None = None) -> list[Record]:
        """Take over unfinished jobs that have no owner, the oldest first.

        Of many jobs this is a portion, so that all workers share them: the next call returns the next portion.  A job
        that was being submitted becomes unknown, once: it is not known whether the create arrived.  Unknown jobs are
        not adopted, because only the user can decide about them.

        Args:
            accounts: only jobs of these accounts.
            only: only these ids; then all of them, and no portion.
        """
        ...

    @property
    def namespace(self) -> UUID:
        """What the ids of keyed jobs are made from: random, and always the same for one ledger.

        Raises:
            StoreError: it is not open.
        """
        ...

    async def add(self, record: Record, at_most: AtMost | None = None) -> Record | None:
        """Add a new job of ours, pending or (attached) already running; None if it was added.

        If there is a job with this id, or of this generation (account and the vendor's id), it is returned unchanged.
        Else the unfinished jobs are counted in the same transaction: several processes that add at once do not exceed
        the limit together.

        Args:
            record: the job.  Its times count as ages: each is as long before now as it is before the record's
                `read_at`; without `read_at` the job is added, and accepted if it was at all, now.
            at_most: limits of the unfinished jobs, by scope and in all.

        Raises:
            TooManyJobs: there are as many unfinished jobs as `at_most` allows; nothing was added.
            StoreError: it could not be written; `retryable`, if our lease was lost and `open` begins a new one.
        """

    async def latest(self, scope: str, key: str) -> Record | None:
        """The record of the last attempt under a key, or None."""

    async def intend(self, job_id: str, headroom: Headroom = UNLIMITED, budget: Budget | None = None) -> float:
        """Note that its create is about to be sent: 0.0; or the seconds to wait, if others have used the account up.

        A job that has to wait stays pending.  So the ledger is the semaphore of an account, and a crash leaks no place.
        Intents of one worker are decided in the order of the calls: the headroom of each counts those before it.

        If there is not room for all, jobs of a higher priority that wait at other living workers go first; after seven
        such creates, one of the lowest priority that waits.  A place that no job takes is kept for some seconds only.

        Where another scope has something unfinished at the account, or had within the last minute, a scope that has its
        equal share of `Headroom.places`, or of `Headroom.limit`, is given none of the last of them, see
        `stores.shares`.  The number is a `ScopeWait` then: creates of other scopes need not wait for it.

        With a budget, what was sent within its period is added up in the same transaction, over all scopes, connections
        and processes, including what was forgotten since then: several processes do not exceed it together.

        Args:
            job_id: a pending job of ours.
            headroom: what the account's limits leave to other workers if this create is sent.
            budget: what may be spent; None for no budget.

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
        """Note that the vendor accepted it; False if we do not follow it, because our lease was lost meanwhile.

        Like the two below this reports on the last create, from the worker that sent it, however late: for an earlier
        create, or a job that has ended, it changes nothing.  If the lease was lost since that create, the job has no
        owner then, and is taken up by `adopt`.

        Args:
            job_id: the job.
            provider_id: the vendor's id.
            state: queued or processing.
            ago: seconds since it was accepted, 0 or more.
            reference: JSON that is kept with the id (`Accepted.reference`).
            cost: what the vendor quoted, which counts from now on; None if it quoted nothing.
        """
        ...

    async def release(self, job_id: str) -> None:
        """Note that the create surely was not carried out: the job is pending again."""

    async def mark_unknown(self, job_id: str) -> None:
        """Note that the create's answer never came: the job is unknown."""

    async def progressed(self, job_ids: Collection[str]) -> None:
        """Note that these jobs are being processed; it changes only those that are ours and queued."""

    async def reopen(self, job_id: str, provider_id: str | None = None) -> Record | None:
        """Note the user's decision about an unknown job; returns its record, which is ours then.

        Args:
            job_id: the job.
            provider_id: the vendor's id that it runs under; None to send it again.

        Returns:
            None if the job is not unknown (any more).
        """
        ...

    async def settle(self, ended: Sequence[Generation]) -> None:
        """Note that these jobs have ended now.  Settling one twice changes nothing: the first end counts, whichever
        worker saw it.

        An end without a `provider_id` means that a job was not sent, or was refused.  It counts only from the job's
        owner, from the worker that sent its last create, or if the job is pending and has no owner.

        Its cost is what the generation says, and nothing if it was not sent, was refused or is refunded; see
        `Charge.after`.

        Args:
            ended: the results, each with our id and a terminal state.
        """

    async def withdraw(self, ended: Generation) -> bool:
        """End a job that was not sent, whichever worker owns it; False if it is not pending (any more).

        So of this and an `intend` one wins: its owner gets `TakenOver` there.

        Args:
            ended: the result, with our id and the state cancelled.
        """
        ...

    async def wish(self, job_id: str) -> bool:
        """Ask the worker that follows this job, now or later, to cancel it; False if it is neither being sent nor
        running.

        The request stays until it is answered by `grant`, or the job has ended; an earlier answer is forgotten.
        """
        ...

    async def wake(self, account: str, provider_ids: Collection[str], *, proved: bool = False) -> int:
        """Have the workers that follow these generations poll them soon; returns how many of them are unfinished jobs.

        Nothing is written for others, nor for those that are to be polled already, unless the hint is `proved` and the
        one before was not.

        Args:
            account: the account that the ids belong to.
            provider_ids: the vendor's ids.
            proved: the hint is a call by the vendor that was verified.
        """
        ...

    async def wishes(self) -> list[Wish]:
        """What other workers want of our jobs: each wake once, each cancel until it is granted.

        Its cost has to depend on the number of wishes, not on the number of jobs.
        """
        ...

    async def grant(self, job_id: str, answer: Mapping[str, Any]) -> None:
        """Note the result of cancelling one of our jobs, for the workers that asked for it: they read it by `granted`.

        If no request is open any more, it changes nothing.

        Args:
            job_id: the job.
            answer: the result, as JSON.
        """

    async def granted(self, job_id: str) -> Mapping[str, Any] | None:
        """The answer to the last request to cancel it; None while it is not answered, and if there was none."""
        ...

    async def get(self, job_id: str) -> Record | None:
        """The record of a job, or None."""

    async def find(self, query: RecordQuery) -> list[Record]:
        """The records that a query selects, the newest first; at most `MOST_FOUND` if it has no limit."""
        ...

    async def count(self, query: RecordQuery) -> Mapping[State, int]:
        """How many records a query selects, by state; a state that none is in is left out."""
        ...

    async def costs(self, query: RecordQuery) -> Costs:
        """What the jobs that a query selects cost together: those that were sent and may have been charged.

        Removed jobs count as well, by the minute, if the query has no conditions but a connection and a time of
        sending: nothing else is kept of them.
        """
        ...

    async def by_provider_id(self, account: str, provider_ids: Collection[str]) -> list[Record]:
        """The records of an account with these ids of the vendor's, in any order; unknown ids are left out."""
        ...

    async def wait_for_news(self, timeout: float) -> bool:
        """Wait until another process has written since this was last asked; False if `timeout` seconds pass first.

        It may also be True without that.  Writes within a tenth of a second may be reported together, and have to be if
        they never stop: the caller reads the ledger after each True.  It has to be cheap, because a session waits all
        the time; a wait that is cancelled misses nothing.  A job that was added by a worker which follows nothing is
        such news, too.

        Args:
            timeout: seconds, 0 or more.
        """
        ...

    async def news(self, job_ids: Collection[str]) -> Mapping[str, Record | None]:
        """Those of these jobs that changed since the last call, each without its submission; None for a removed one.

        Its cost has to depend on the number of changes, not of ids.  It may also return some that have not changed.
        """
        ...

    async def claim(self, handlers: Collection[str], limit: int) -> list[tuple[str, Generation, int]]:
        """Ends that are due for one of these handlers: its name, the end, and the number of the attempt, from 1.

        They are ours until `ack`, or until our lease ends; the list is empty if it has ended.

        Args:
            handlers: the names of handlers that are registered here.
            limit: the most ends to return, 1 or more.
        """
        ...

    async def ack(self, job_id: str, handler: str, again: float | None) -> None:
        """Note that a handler has been called for the end of a job.

        It changes nothing if this worker's claim has ended and another one has claimed the end.

        Args:
            job_id: the job.
            handler: the name of the handler.
            again: None if it is done; else the seconds until it is to be called again.
        """

    async def forget(self, which: RecordQuery | Collection[str]) -> Forgotten:
        """Remove these jobs (our ids, or what a query selects), if they have ended or are unknown; how many were.

        Nothing of them stays: neither prompt, metadata, request and result, nor key and vendor id, nor which
        handlers were called for their ends.  Jobs of a named batch are removed only by this.  Only their cost stays,
        added up by minute, connection and unit: else a budget could be spent twice.
        """
        ...

    async def peers(self) -> int:
        """How many other workers use this ledger now: a `Peers`, which also says how many of them follow.

        A plain number says that all of them do.
        """
        ...

    async def acquire(self, account: str, count: int, per_second: float) -> float:
        """Take requests out of the budget that all workers share; the seconds until they may be sent, 0 or more.

        Args:
            account: the account whose budget it is.
            count: the number of requests, 1 or more.
            per_second: requests per second that the account allows.
        """
        ...

    async def hold(self, account: str, kind: RequestKind, seconds: float) -> None:
        """The vendor refused: no worker sends such requests for a while.

        Args:
            account: the account that was refused.
            kind: which requests are held back.
            seconds: for how long; a shorter pause does not end a longer one.
        """

    async def put_learned(self, name: str, value: Mapping[str, Any], version: int) -> int:
        """Keep something that was learned, in place of what was read before.

        Args:
            name: what it is kept under.
            value: JSON.
            version: of the value that it replaces; 0 if there was none.

        Returns:
            The new version, 1 or more; 0, and nothing is written, if there is another value by now.  No version is used
            twice under a name.  A value that cannot be read may be overwritten.
        """
        ...

    async def get_learned(self, name: str, known: int = 0) -> tuple[Mapping[str, Any] | None, int]:
        """What is kept under a name, and its version; None and 0 if nothing is.

        Args:
            name: what it is kept under.
            known: a version that the caller has already; then the value is None if it has this version.
        """
        ...

    async def close(self) -> None:
        """Give up the lease, so that others can take over at once; let go of files and threads."""
