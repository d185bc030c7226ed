"""The latest ids that an account's creates were answered with, to see one that is given twice.  Pure."""

from __future__ import annotations

_MOST = 10_000
"""Ids that are remembered per account."""


class SeenIds:
    """By the vendor's id, the first of our jobs that was given it."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._reported: set[str] = set()

    def first(self, provider_id: str, job_id: str) -> str | None:
        """This job's create was answered with this id; the job that was given it before, if there is one."""
        first = self._first.setdefault(provider_id, job_id)
        if len(self._first) > _MOST:
            oldest = next(iter(self._first))
            del self._first[oldest]
            self._reported.discard(oldest)
        return first if first != job_id else None

    def report_once(self, provider_id: str) -> bool:
        """True the first time: one id is reported once, however often it is given."""
        if provider_id in self._reported:
            return False
        self._reported.add(provider_id)
        return True
