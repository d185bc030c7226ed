"""Moments in the ledger that mean something though a clock was wrong when they were written.

A lease, a hold, a pause: each is kept with its length, and cannot end later than so long from now.  What has happened
cannot have happened later than now.  Put right when a ledger is opened, and when the clock was set back.
"""

from __future__ import annotations

import sqlite3

from aiogen.stores.sqlite import spending

_LONGEST_LEASE = 3600.0
"""Seconds; of workers of a version that did not keep how long theirs is."""
LONGEST_HOLD = 7 * 86_400.0
"""Seconds; of holds of a version that did not keep how long they are.  A longer wait is taken for a mistake."""
_ROWS = 500


def correct(c: sqlite3.Connection, now: float) -> None:
    """Nothing in the ledger lies further ahead than it can have meant."""
    values = {"now": now, "lease": _LONGEST_LEASE, "hold": LONGEST_HOLD}
    c.execute(
        "UPDATE aiogen_worker SET lease_until = :now + coalesce(lease, :lease) "
        "WHERE lease_until > :now + coalesce(lease, :lease)",
        values,
    )
    c.execute(
        "UPDATE aiogen_budget SET held_until = :now + coalesce(held_for, :hold) "
        "WHERE held_until > :now + coalesce(held_for, :hold)",
        values,
    )
    c.execute(
        "UPDATE aiogen_delivery SET next_at = :now + coalesce(pause, 0) "
        "WHERE next_at > :now AND next_at > :now + coalesce(pause, 0)",
        values,
    )
    c.execute(
        "UPDATE aiogen_job SET submitted_at = min(submitted_at, :now), accepted_at = min(accepted_at, :now) "
        "WHERE finished_at IS NULL AND (submitted_at > :now OR accepted_at > :now)",
        values,
    )
    account = c.execute("SELECT min(account) FROM aiogen_job WHERE submitted_at IS NOT NULL").fetchone()[0]
    while account is not None:
        c.execute(
            "UPDATE aiogen_job SET submitted_at = :now, accepted_at = min(accepted_at, :now) "
            "WHERE account = :account AND submitted_at > :now",
            {"now": now, "account": account},
        )
        account = c.execute(
            "SELECT min(account) FROM aiogen_job WHERE submitted_at IS NOT NULL AND account > ?", (account,)
        ).fetchone()[0]
    _correct_ends(c, now)
    spending.correct(c, now)


def _correct_ends(c: sqlite3.Connection, now: float) -> None:
    """What is over is kept for as long as was meant.  The latest to go are looked at, as long as some are wrong."""
    while True:
        ahead = c.execute(
            "SELECT id FROM (SELECT id, finished_at FROM aiogen_job WHERE expires_at IS NOT NULL "
            "ORDER BY expires_at DESC LIMIT ?) WHERE finished_at > ?",
            (_ROWS, now),
        ).fetchall()
        c.executemany(
            "UPDATE aiogen_job SET expires_at = :now + (expires_at - finished_at), finished_at = :now WHERE id = :id",
            [{"now": now, "id": job_id} for (job_id,) in ahead],
        )
        if not ahead:
            return
