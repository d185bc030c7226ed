"""The commands about the ledger as they are typed: jobs, costs, resume, retry, cancel, reconcile, forget."""

from __future__ import annotations

from typing import Annotated

from aiogen._checks import check_number
from aiogen.cli import cancelling, costing, ledger
from aiogen.cli.arguments import with_stdin
from aiogen.cli.choosing import Choice, parse_age
from aiogen.cli.commands.shared import NO_STORE, Flag, Ids, nothing_to_do
from aiogen.cli.exits import Exit
from aiogen.cli.options import Connected, checked_waiting
from aiogen.cli.places import checked_out
from aiogen.cli.program import command
from aiogen.cli.running import run
from aiogen.errors import InputError
from aiogen.stores.base import RecordQuery


def jobs(
    *,
    state: Annotated[list[str] | None, Flag] = None,
    batch: str | None = None,
    scope: str | None = None,
    key: str | None = None,
    prompt_contains: str | None = None,
    newer: str | None = None,
    older: str | None = None,
    limit: int = ledger.DEFAULT_LIMIT,
    after: str | None = None,
    common: Connected = NO_STORE,
) -> Exit:
    """Show what the ledger knows of jobs, the newest first.  No provider is asked.

    Parameters
    ----------
    state
        Only those that are pending, submitting, unknown, queued, processing, completed, failed or cancelled.
    batch
        Only those of this batch.
    scope
        Only those of this scope, such as a user or a tenant.
    key
        Only those with this key.
    prompt_contains
        Only those whose prompt contains this, in upper or lower case.
    newer
        Only those that were submitted in the last 90s, 15m, 24h or 7d.
    older
        Only those that were submitted before that.
    limit
        The most jobs to show.
    after
        Only those behind this one: the cursor that the page before ended with.
    """
    check_number(limit, "--limit", 1, 1_000_000)
    choice = Choice(
        state=tuple(state or ()),
        batch=batch,
        scope=scope,
        key=key,
        prompt_contains=prompt_contains,
        newer=newer,
        older=older,
    )
    return run(ledger.jobs(common.terminal(), common.ledger(), choice, limit=limit, after=after))


def costs(
    *,
    since: str | None = None,
    scope: str | None = None,
    batch: str | None = None,
    connection: str | None = None,
    common: Connected = NO_STORE,
) -> Exit:
    """Show what was spent, as far as the ledger knows.  No provider is asked.

    Dollars and credits are not added up.  What was refused, and what the provider documents as refunded, costs nothing;
    of what is unknown it is not known whether it was charged, so it counts.

    Parameters
    ----------
    since
        Only what was sent in the last 24h or 30d, or since a day or a moment, such as 2026-11-01.
    scope
        Only for this scope, such as a user or a tenant.
    batch
        Only for this batch.
    connection
        Only over this connection.
    """
    query = RecordQuery(scope=scope, batch=batch, connection=connection)
    return run(costing.costs(common.terminal(), common.ledger(), query, since))


def resume(
    ids: Ids | None = None,
    /,
    *,
    out: str = ".",
    no_download: Annotated[bool, Flag] = False,
    common: Connected = NO_STORE,
) -> Exit:
    """Continue what a program left unfinished: send what waited, follow what runs, save the images.

    Parameters
    ----------
    ids
        Completed jobs whose images to save, too; the whole ids that `aiogen jobs` shows.
    out
        The folder for the images, or the name of the file if there is only one generation.
    no_download
        Only show the addresses; nothing is saved.
    """
    place = None if no_download else checked_out(out, 1)
    store, session = common.ledger(), common.session(kept=True, take_up=True)
    return run(ledger.resume(common.terminal(), session, store, with_stdin(ids or []), out=place))


def retry(
    ids: Ids,
    /,
    *,
    out: str = ".",
    no_download: Annotated[bool, Flag] = False,
    common: Connected = NO_STORE,
) -> Exit:
    """Try jobs again that have failed, were withdrawn or cancelled; each attempt is charged for by itself.

    Parameters
    ----------
    ids
        The jobs, by the whole ids that `aiogen jobs` shows.
    out
        The folder for the images, or the name of the file if there is only one generation.
    no_download
        Only show the addresses; nothing is saved.
    """
    terminal, store = common.terminal(), common.ledger()
    if not (ids := with_stdin(ids)):
        return nothing_to_do(terminal)
    place = None if no_download else checked_out(out, len(ids))
    code = run(ledger.check_whole(store, ids, "retry"))
    if code is not Exit.OK:
        return code
    return run(ledger.retry(terminal, common.session(kept=True), ids, out=place))


def cancel(
    ids: Ids | None = None,
    /,
    *,
    batch: str | None = None,
    scope: str = "",
    timeout: float = 30.0,
    common: Connected = NO_STORE,
) -> Exit:
    """Stop jobs: withdraw what was not sent, else cancel it at the provider, where it can (ComfyUI).

    A job that another program follows is cancelled by that one, which is asked by the ledger.

    Parameters
    ----------
    ids
        The jobs, by the whole ids that `aiogen jobs` shows.
    batch
        All jobs of this batch that are not over.
    scope
        In which the batch is.
    timeout
        Seconds to wait for the program that follows a job.
    """
    checked_waiting(timeout, None)
    terminal, store = common.terminal(), common.ledger()
    if batch is not None:
        if ids:
            raise InputError("Name jobs, or a batch, and not both.")
        return run(cancelling.cancel_batch(terminal, common.session(kept=True), batch, scope))
    if not (ids := with_stdin(ids or [])):
        return nothing_to_do(terminal)
    code = run(ledger.check_whole(store, ids, "cancel"))
    if code is not Exit.OK:
        return code
    return run(cancelling.cancel(terminal, common.session(kept=True), ids, timeout=timeout))


def reconcile(
    ids: Ids | None = None,
    /,
    *,
    batch: str | None = None,
    adopt: str | None = None,
    resend: Annotated[bool, Flag] = False,
    yes: Annotated[bool, Flag] = False,
    out: str = ".",
    no_download: Annotated[bool, Flag] = False,
    common: Connected = NO_STORE,
) -> Exit:
    """Show what jobs whose submission was never answered could have become, or decide about them.

    They may be running and charged, and aiogen never sends them again on its own.

    Parameters
    ----------
    ids
        The jobs, by the whole ids that `aiogen jobs` shows; by default all that are unknown.
    batch
        Only those of this batch.
    adopt
        The provider's id of the generation that the job has become: follow it.
    resend
        Send the jobs again.  If the first submission did arrive, both are charged.
    yes
        Send again without asking.
    out
        The folder for the images, or the name of the file if there is only one generation.
    no_download
        Only show the addresses; nothing is saved.
    """
    words, terminal = ids or [], common.terminal()
    store = common.ledger()
    ids = with_stdin(words)
    if words and not ids:
        return nothing_to_do(terminal)
    code = run(ledger.check_whole(store, ids))
    if code is not Exit.OK:
        return code
    if adopt is None and not resend:
        return run(ledger.reconcile(terminal, common.session(kept=True), ids, batch=batch))
    if (adopt is not None) == resend or not ids or (adopt is not None and len(ids) > 1):
        raise InputError("Name one job with --adopt, or any number of jobs with --resend.")
    if resend and not yes and not ledger.confirmed(terminal, len(ids)):
        return Exit.USAGE
    place = None if no_download else checked_out(out, len(set(ids)))
    return run(ledger.decide(terminal, common.session(kept=True), ids, adopt=adopt, out=place))


def forget(
    ids: Ids | None = None,
    /,
    *,
    state: Annotated[list[str] | None, Flag] = None,
    batch: str | None = None,
    scope: str | None = None,
    older: str | None = None,
    yes: Annotated[bool, Flag] = False,
    common: Connected = NO_STORE,
) -> Exit:
    """Remove jobs that are over, or unknown, from the ledger; nothing changes at the providers.

    Nothing of them stays there but what they have cost in sum.  A key that is forgotten stands for a new job the next
    time, which is paid for.

    Parameters
    ----------
    ids
        The jobs, by the whole ids that `aiogen jobs` shows.
    state
        All jobs in this state: completed, failed, cancelled or unknown.  Asks first.
    batch
        All jobs of this batch.  Asks first.
    scope
        All jobs of this scope, such as a user or a tenant.  Asks first.
    older
        All jobs that are over and were submitted before the last 24h or 7d; with a state, batch or scope, only those
        of it.
    yes
        Remove without asking.
    """
    choice = Choice(state=tuple(state or ()), batch=batch, scope=scope, older=older)
    if not choice.is_by_age_alone:
        if ids:
            raise InputError("Name the jobs to remove, or their state, batch or scope: not both.")
        return run(ledger.forget_chosen(common.terminal(), common.ledger(), choice, yes=yes))
    age = parse_age(older) if older else None
    if not ids and age is None:
        raise InputError(
            f"Name the jobs to remove, or say which with --scope, --batch, --state or an age: "
            f"{command('forget', '--older', '7d')}"
        )
    words = with_stdin(ids or [])
    if not words and age is None:
        return nothing_to_do(common.terminal())
    return run(ledger.forget(common.terminal(), common.ledger(), words, age))
