"""What stores are given, and give back: jobs as records, bounds, and what others want of a job.  Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import attrs

from aiogen._options import whole
from aiogen.errors import StoreError, TooManyJobs
from aiogen.exchange import Submission
from aiogen.models import Generation, State
from aiogen.stores.charges import UNKNOWN, Charge
from aiogen.stores.paging import cursor_of

ADOPTED = (State.PENDING, State.SUBMITTING, State.QUEUED, State.PROCESSING)
"""The states in which somebody has to look after a job."""


@attrs.frozen(kw_only=True)
class Record:
    """One job in the ledger.  It never holds a key: `account` is a keyed hash."""

    id: str
    """Our id of the job, a UUID."""
    connection: str
    """The name of the connection."""
    provider: str
    """The provider's own name, such as "luma"."""
    account: str
    """The keyed hash of the account (`Provider.account`)."""
    state: State
    submission: Submission | None = None
    """What was or will be sent; None for an attached job, once it has completed, and where it was not asked
    for (`RecordQuery.with_request`)."""
    provider_id: str | None = None
    """The vendor's id; None until the vendor has accepted the job."""
    reference: Mapping[str, Any] | None = None
    """What else the provider needs to ask about it, see `exchange.Accepted.reference`."""
    timeout: float | None = None
    """Seconds from acceptance to the deadline."""
    batch: str | None = None
    """The user's word for jobs that belong together."""
    key: str | None = None
    """The user's name for the job: in one scope of one ledger it stands for one request."""
    scope: str = ""
    """The scope of the key: one of the program's users, or a tenant."""
    attempt: int = 1
    """The number of the attempt under its key, from 1."""
    asked: str | None = None
    """SHA-256 of what the caller asked for under the key, in hexadecimal."""
    priority: int = 5
    """0 to 9: which of the jobs that wait is sent first."""
    metadata: Mapping[str, Any] | None = None
    """The user's own JSON, kept beside the job."""
    prompt: str | None = None
    """As it was sent; None where requests are not kept."""
    handlers: tuple[str, ...] = ()
    """The handlers that wait for its end; not read back."""
    fingerprint: str | None = None
    """SHA-256 of what was or will be sent, in hexadecimal; equal for equal submissions."""
    weight: int = 1
    """Units of the account's window that it takes."""
    owner: str | None = None
    """The worker that sends and follows it; None if nobody does."""
    created_at: datetime
    """When it was added.  This and the other moments are by the store's clock."""
    submitted_at: datetime | None = None
    """When the create was about to be sent, last."""
    accepted_at: datetime | None = None
    """When the vendor accepted it; None before."""
    finished_at: datetime | None = None
    """When its end was written; None before."""
    generation: Generation | None = None
    """The result, once settled.  Its times are by the clock of the process that saw the end."""
    read_at: datetime | None = attrs.field(default=None, eq=False)
    """The time by the store's clock when it was read.  Of a record to be added: by the clock of its own moments."""

    model: str | None = None
    """The provider's model; None for an attached job."""
    kind: str = "image"
    """"image", "video", or the vendor's word for something else."""
    charge: Charge = UNKNOWN
    """What it costs: by published prices when it is added, then as the vendor quotes it; 0 once it surely was not
    charged."""

    def ago(self, moment: datetime) -> float:
        """Seconds from a moment of this record to when it was read, 0.0 or more; 0.0 for one that was never read."""
        return 0.0 if self.read_at is None else max(0.0, (self.read_at - moment).total_seconds())

    def by(self, now: datetime, moment: datetime) -> datetime:
        """A time of this record by another clock, which shows `now` when it is read."""
        return now - timedelta(seconds=self.ago(moment))

    @property
    def cursor(self) -> str:
        """Its position, the newest first: `RecordQuery(after=record.cursor)` finds those after it."""
        return cursor_of(self.created_at, self.id)


def _bound() -> Any:
    return attrs.field(default=None, validator=attrs.validators.optional(whole(1, 1_000_000)))


@attrs.frozen(kw_only=True)
class AtMost:
    """How many jobs of a ledger may be unfinished at once, over all processes; None is no limit.

    Jobs that wait, are being submitted or run are unfinished, and so are unknown ones: they may run, until the user has
    decided.

    Raises:
        InputError: a limit is not a whole number from 1 to 1,000,000.
    """

    scope: int | None = _bound()
    """In the scope of the job that is submitted; 1 to 1,000,000."""
    total: int | None = _bound()
    """In all scopes and connections together; 1 to 1,000,000."""

    def check(self, scope: str, of_scope: int, in_all: int) -> None:
        """Whether there is room for one more.

        Raises:
            TooManyJobs: there is no room.
        """
        for whose, limit, unfinished in ((scope, self.scope, of_scope), (None, self.total, in_all)):
            if limit is not None and unfinished >= limit:
                raise TooManyJobs.of(whose, limit, unfinished)


@attrs.frozen(kw_only=True)
class Headroom:
    """What an account's limits leave to other workers, if one create of ours is sent now."""

    creates: float = math.inf
    """Units that they may have created within the last `period`."""
    active: float = math.inf
    """Units that they may have running."""
    places: float = math.inf
    """Units that may run at once in all: the last of them may be kept for other scopes, see `Store.intend`."""
    limit: float = math.inf
    """Units that may be created within the period in all: the same."""
    period: float = 60.0
    """Seconds."""
    accounts: tuple[str, ...] = ()
    """The names of the account in the ledger, if it has several because its key was changed: jobs under each of them
    count, and what is sent belongs to the first from then on."""


UNLIMITED = Headroom()


class RequestKind(StrEnum):
    """What a refusal holds back."""

    CREATES = "creates"
    """Creates alone."""
    REQUESTS = "requests"
    """Requests of any kind, creates included."""


@attrs.frozen(kw_only=True)
class Page:
    """Records, the newest first, and where the next page begins."""

    records: tuple[Record, ...]
    next: str | None
    """Passed as `after`, it returns the next page; None on the last page."""


@attrs.frozen(kw_only=True)
class Wish:
    """What another process wants of the worker that follows a job."""

    job_id: str
    """Our id of the job."""
    account: str
    """The keyed hash of its account."""
    provider_id: str | None
    """The vendor's id; None until the vendor has accepted the job."""
    cancel: bool
    """Cancel it, and report the result: see `Store.grant`."""
    wake: bool
    """Poll it soon: there is news of it, by a webhook or a user."""
    proved: bool = False
    """The news is the vendor's own: its call was verified."""


class TakenOver(StoreError):
    """Another process owns the job by now, or it has ended: we must not send it."""
