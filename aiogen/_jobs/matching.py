"""Which of the generations that a vendor lists could be the one whose create was never answered.  Pure.

It only leaves out what surely is not; nothing here decides that one is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from aiogen._answers import snapshots
from aiogen.exchange import Snapshot
from aiogen.models import Candidate
from aiogen.providers.base import Provider
from aiogen.stores.base import Record

BEFORE = timedelta(seconds=120)
"""The vendor's clock and the ledger's may differ by so much."""
AFTER = timedelta(seconds=600)
"""A create was carried out so long after it was sent, at most: the longest wait for an answer, and the clocks."""


def since(record: Record) -> datetime:
    """The earliest moment at which its create can have been carried out, by the vendor's clock."""
    return sent_at(record) - BEFORE


def sent_at(record: Record) -> datetime:
    """When its create was sent, last."""
    return record.submitted_at or record.created_at


def candidates(
    record: Record, provider: Provider, listed: Iterable[Snapshot], taken: Collection[str], at: datetime
) -> tuple[Candidate, ...]:
    """Those of the listed ones that it could be, the nearest in time first.

    `taken`: ids that the ledger has for other jobs.
    """
    found = []
    for snapshot in listed:
        created = snapshot.created_at
        if snapshot.provider_id in taken or (created is not None and not _fits(created, record)):
            continue
        if record.submission is not None and not provider.resembles(record.submission, snapshot):
            continue
        seconds = None if created is None else (created - sent_at(record)).total_seconds()
        found.append(Candidate(generation=snapshots.looked_up(provider, snapshot, at=at), seconds=seconds))
    return tuple(sorted(found, key=lambda each: float("inf") if each.seconds is None else abs(each.seconds)))


def _fits(created: datetime, record: Record) -> bool:
    return since(record) <= created <= sent_at(record) + AFTER


def is_past(page: Iterable[Snapshot], earliest: datetime) -> bool:
    """True for a page that is older than all that is looked for: newest first, nothing more can come.

    The order is not documented.  If it is another one, candidates may be missing, and the message says how far it was
    looked; nothing is decided by it.
    """
    times = [snapshot.created_at for snapshot in page]
    return bool(times) and all(time is not None and time < earliest for time in times)
