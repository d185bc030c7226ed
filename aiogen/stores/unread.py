"""Rows of a ledger that could not be read: each is named in the log once, and all the others are read.  Pure."""

from __future__ import annotations

import logging

from aiogen.stores.rows import Unreadable

logger: logging.Logger = logging.getLogger("aiogen")

NAMED = 20
"""Rows that are named in the log, at most."""


class UnreadRows:
    """Those of one ledger, as far as they have been met."""

    def __init__(self, place: object, store: str) -> None:
        """`place`: the ledger, for people and without a password; `store`: the class whose `unreadable` has them."""
        self._place = place
        self._store = store
        self.found: dict[str, str] = {}
        """Why each could not be read, by the job's id."""

    def clear(self) -> None:
        """The ledger is opened again."""
        self.found.clear()

    def skip(self, unread: Unreadable) -> None:
        """Leave out the row of a job, and say so once."""
        if unread.job_id in self.found:
            return
        self.found[unread.job_id] = repr(unread.cause)
        if len(self.found) <= NAMED:
            logger.error(
                "Job %s in %s cannot be read, and is neither sent nor followed: %r",
                unread.job_id,
                self._place,
                unread.cause,
            )
        elif len(self.found) == NAMED + 1:
            logger.error("More jobs in %s cannot be read; see %s.unreadable.", self._place, self._store)

    def skip_end(self, job_id: str, cause: Exception) -> None:
        """Leave out the end of a job, which its handlers would have been called with."""
        logger.error(
            "The end of job %s in %s cannot be read, so no handler is called for it: %r", job_id, self._place, cause
        )
