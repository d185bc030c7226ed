"""The commands that clean up at providers as they are typed: cleanup, mark."""

from __future__ import annotations

from typing import Annotated

from aiogen import Where
from aiogen._batch.moving import check_can
from aiogen._checks import check_number
from aiogen.cli import cleaning
from aiogen.cli.arguments import with_stdin
from aiogen.cli.choosing import parse_age
from aiogen.cli.commands.shared import NO_STORE, Flag, Ids, nothing_to_do
from aiogen.cli.exits import Exit
from aiogen.cli.options import Connected, connected
from aiogen.cli.running import run
from aiogen.errors import InputError


def cleanup(
    connection: str,
    /,
    *,
    failed: Annotated[bool, Flag] = False,
    older_than: str | None = None,
    prompt_contains: str | None = None,
    marked: Annotated[bool, Flag] = False,
    not_in_ledger: Annotated[bool, Flag] = False,
    limit: int | None = None,
    max_delete: int = 100,
    dry_run: Annotated[bool, Flag] = False,
    yes: Annotated[bool, Flag] = False,
    save_first: str | None = None,
    audit: str | None = None,
    pace: float | None = None,
    stop_at_first_failure: Annotated[bool, Flag] = False,
    common: Connected = NO_STORE,
) -> Exit:
    """Delete generations at a provider by what they are, where it can list and delete (Leonardo).  Asks first.

    All of the filters that are given have to hold.  What runs is never deleted, and what is not known never matches.

    Parameters
    ----------
    connection
        Such as leonardo.
    failed
        Only those that failed at the provider, and of which nothing has come.
    older_than
        Only those that were created before the last 90s, 15m, 24h or 30d.
    prompt_contains
        Only those whose prompt contains this, in upper or lower case.
    marked
        Only those that `aiogen mark` has marked.
    not_in_ledger
        Only those that the ledger does not know; it has to know the account.
    limit
        Delete at most this number, the oldest; the others stay.
    max_delete
        If more than this number would be deleted, delete none.
    dry_run
        Only show what matches.
    yes
        Delete without asking.
    save_first
        A folder: each is deleted only once every output that the provider has of it is there, compared and synced.
    audit
        A file that gets a line of JSON before and after each deletion.
    pace
        The most deletions a minute.
    stop_at_first_failure
        End with the first that cannot be deleted.
    """
    where = _where(failed, older_than, prompt_contains, marked, not_in_ledger)
    for name, value in (("--limit", limit), ("--max-delete", max_delete)):
        if value is not None:
            check_number(value, name, 1, 1_000_000)
    if pace is not None:
        check_number(pace, "--pace", 0.01, 100_000)
    kept = marked or not_in_ledger
    terminal, session = common.terminal(), common.session(kept=kept)
    if kept:
        common.ledger()  # none at all is said as what it is
    check_can(connected(session, connection), lists=True)
    plan = cleaning.Plan(account=connection)
    code = run(cleaning.look(terminal, session, connection, where, plan, limit=limit))
    if code is not Exit.OK or dry_run or not plan.left:
        cleaning.show(terminal, plan, connection)
        return code
    if not cleaning.allowed(terminal, plan, max_delete):
        return Exit.USAGE
    if not yes and not cleaning.confirmed(terminal, plan, connection, save_first):
        return Exit.USAGE
    return run(
        cleaning.clean(
            terminal,
            common.session(kept=kept),
            connection,
            where,
            plan,
            max_delete=max_delete,
            stop_at_first_failure=stop_at_first_failure,
            audit=audit,
            save_first=save_first,
            pace=pace,
        )
    )


def _where(
    failed: bool, older_than: str | None, prompt_contains: str | None, marked: bool, not_in_ledger: bool
) -> Where:
    if not any((failed, older_than, prompt_contains, marked, not_in_ledger)):
        raise InputError(
            "Say which generations: --failed, --older-than 30d, --prompt-contains TEXT, --marked or --not-in-ledger. "
            "All that you say have to hold."
        )
    return Where(
        failed=failed,
        older_than=parse_age(older_than) if older_than is not None else None,
        prompt_contains=prompt_contains,
        marked=marked,
        not_in_ledger=not_in_ledger,
    )


def mark(
    ids: Ids,
    /,
    *,
    connection: str | None = None,
    undo: Annotated[bool, Flag] = False,
    common: Connected = NO_STORE,
) -> Exit:
    """Mark generations for deletion; `aiogen cleanup CONNECTION --marked` deletes them.

    The ledger keeps the marks until then.  Nothing changes at the provider.

    Parameters
    ----------
    ids
        Our ids or the provider's; whole ids only.
    connection
        Whose ids those are that the ledger does not know, such as leonardo.
    undo
        Take the marks away.
    """
    terminal = common.terminal()
    common.ledger()
    session = common.session(kept=True)
    if connection is not None:
        connected(session, connection)
    if not (ids := with_stdin(ids)):
        return nothing_to_do(terminal)
    known = common.ledger_if_there()
    return run(cleaning.mark(terminal, session, ids, connection=connection, marked=not undo, known=known))
