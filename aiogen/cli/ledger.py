"""The commands about the ledger: jobs, resume, reconcile, forget."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs

from aiogen import Session
from aiogen._wording import shorten
from aiogen.cli.board import Board
from aiogen.cli.choosing import Choice
from aiogen.cli.exits import Exit
from aiogen.cli.figures import age, money
from aiogen.cli.finding import whole_only
from aiogen.cli.following import follow, open_until_left
from aiogen.cli.generations import record_writer, shown
from aiogen.cli.ledgers import is_there, place, reading, writing
from aiogen.cli.places import Place
from aiogen.cli.program import command
from aiogen.cli.records import generation_of, of_record, of_unknown
from aiogen.cli.results import STYLES, possibly_charged
from aiogen.cli.tables import Row
from aiogen.cli.terminal import Terminal
from aiogen.errors import ConfigurationError, InputError
from aiogen.models import State, UnknownJob
from aiogen.stores.base import Record, RecordQuery

if TYPE_CHECKING:
    from aiogen.cli.ledgers import Ledger

_UNFINISHED = (State.PENDING, State.SUBMITTING, State.QUEUED, State.PROCESSING)
_MOST = 1_000_000
_NEWEST = 500
DEFAULT_LIMIT = 50
"""Jobs that are shown at once."""


async def jobs(
    terminal: Terminal, store: Ledger, choice: Choice, *, limit: int = DEFAULT_LIMIT, after: str | None = None
) -> Exit:
    """What the ledger says, one page of it; no request is made."""
    unknown, shown_so_far, rows = 0, 0, list[Row]()
    # One more than is shown, to know whether there is another page.
    wanted = attrs.evolve(choice.query(), limit=min(limit + 1, _MOST), after=after)
    last: Record | None = None
    has_more = False
    async with reading(store) as is_made:
        if not is_made:
            terminal.say(f"There is no ledger in {place(store)} so far.")
            return Exit.OK
        async for records in store.scan(wanted):  # only a few hundred of them are in memory at a time
            has_more = shown_so_far + len(records) > limit
            records = records[: limit - shown_so_far]
            shown_so_far += len(records)
            last = records[-1] if records else last
            unknown += sum(record.state is State.UNKNOWN for record in records)
            if terminal.as_json:
                for record in records:
                    terminal.record(of_record(record))
            elif terminal.out.is_terminal:
                rows += [_row(record) for record in records]  # the columns are as wide as their widest cell
            else:
                for record in records:
                    terminal.columns(_line(record))
    if rows:
        terminal.listing(rows, short="job")
    if last is None and not terminal.as_json:
        terminal.say(f"There is no such job in {place(store)}.")
    _say_unreadable(terminal, store)
    if unknown:
        terminal.say(possibly_charged(unknown, terminal.command("reconcile")))
    if has_more and last is not None:
        size = () if limit == DEFAULT_LIMIT else ("--limit", str(limit))
        terminal.say(f"More: {terminal.command('jobs', *choice.words(), *size, '--after', last.cursor)}")
    return Exit.OK


def _say_unreadable(terminal: Terminal, store: Ledger) -> None:
    if store.unreadable:
        count = len(store.unreadable)
        which, are = ("1 job", "is") if count == 1 else (f"{count} jobs", "are")
        terminal.complain(f"{which} in {place(store)} cannot be read, and {are} not shown.")


async def resume(terminal: Terminal, session: Session, store: Ledger, ids: Sequence[str], *, out: Place | None) -> Exit:
    """Continue what was left unfinished, and follow it to its end; `ids`: completed jobs whose images to save, too.

    `store` is the session's ledger, to look into before.

    Raises:
        InputError: an id is not in the ledger.
    """
    await _connect(session, store)
    async with open_until_left(terminal, session, out=out) as batch:
        batch.jobs.extend(await session.resume())
        for job_id in dict.fromkeys(ids):
            job = await session.job(job_id)
            if job is None:
                raise InputError(f"There is no job {job_id} in the ledger. See: {terminal.command('jobs')}")
            if job not in batch.jobs:
                batch.jobs.append(job)
        if out is not None:
            out.check_for(len(batch.jobs))
        if not batch.jobs:
            terminal.say("Nothing was left unfinished.")
            await _say_what_others_have(terminal, session)
        await follow(session, batch, Board(terminal, batch.jobs), ended=record_writer(terminal))
    return shown(terminal, batch.in_order())


async def _say_what_others_have(terminal: Terminal, session: Session) -> None:
    """A program that was killed on another machine has its jobs until its lease has run out."""
    found = await session.records(states=_UNFINISHED, limit=_NEWEST)
    owned = sum(record.owner is not None for record in found)
    if owned and session.store.lease is not None:
        are = "is" if owned == 1 else "are"
        terminal.say(
            f"{_jobs(owned)} {are} with other programs. What one leaves that is killed on another machine can be "
            f"continued {session.store.lease:.0f} s later. See: {terminal.command('jobs')}"
        )


async def _connect(session: Session, store: Ledger) -> None:
    """The connections of what was left unfinished: some are there only once they are named."""
    if not await is_there(store):
        return
    wanted = RecordQuery(states=_UNFINISHED, limit=_MOST)
    async with writing(store):
        await store.heartbeat()  # what those have left whose lease has run out is nobody's from here on, and taken up
        names = {record.connection async for records in store.scan(wanted) for record in records}
    for name in sorted(names - set(session.connections)):
        with suppress(ConfigurationError):  # its key is not here, and its jobs wait for somebody who has it
            await asyncio.to_thread(session.connections.find, name)


async def reconcile(terminal: Terminal, session: Session, ids: Sequence[str], *, batch: str | None) -> Exit:
    """Show for each unknown job what it could have become; nothing is changed."""
    async with session:
        found = await session.reconcile(*ids, batch=batch)
    for job in found:
        if terminal.as_json:
            terminal.record(of_unknown(job, _advice(terminal, job)))
        else:
            _show(terminal, job, terminal.where)
    if not found:
        terminal.say("There are no unknown jobs.")
    else:
        terminal.say(possibly_charged(len(found), None))
    missing = set(ids) - {job.job_id for job in found}
    for job_id in sorted(missing):
        terminal.complain(f"Job {job_id} is not in the ledger, or is not unknown.")
    return Exit.USAGE if missing else Exit.OK


def confirmed(terminal: Terminal, count: int) -> bool:
    """Ask on the terminal whether to send again; False without a terminal."""
    what = f"{count} jobs" if count > 1 else "1 job"
    question = f"Send {what} again? Whatever arrived the first time is charged as well."
    return terminal.confirms(f"send {what} again", question, "Nothing was sent.")


async def decide(
    terminal: Terminal, session: Session, ids: Sequence[str], *, adopt: str | None, out: Place | None
) -> Exit:
    """Carry out the user's decision about unknown jobs, and follow them to their ends."""
    async with open_until_left(terminal, session, out=out) as batch:
        for job_id in dict.fromkeys(ids):
            job = session.adopt(job_id, adopt) if adopt is not None else session.resend(job_id)
            batch.jobs.append(await job)
        await follow(session, batch, Board(terminal, batch.jobs), ended=record_writer(terminal))
    return shown(terminal, batch.in_order())


async def retry(terminal: Terminal, session: Session, ids: Sequence[str], *, out: Place | None) -> Exit:
    """Another attempt of each, followed to its end."""
    async with open_until_left(terminal, session, out=out) as batch:
        for job_id in dict.fromkeys(ids):
            batch.jobs.append(await session.retry(job_id))
        await follow(session, batch, Board(terminal, batch.jobs), ended=record_writer(terminal))
    return shown(terminal, batch.in_order())


async def check_whole(store: Ledger, ids: Sequence[str], verb: str = "reconcile") -> Exit:
    """Check the ids before anything is done to their jobs.

    Raises:
        InputError: an id is only the beginning of one.
        StoreError: the ledger cannot be read.
    """
    await whole_only(store, ids, verb, is_needed=True)
    return Exit.OK


async def forget(terminal: Terminal, store: Ledger, ids: Sequence[str], older: timedelta | None) -> Exit:
    """Remove what is over, or unknown, from the ledger; at the providers nothing changes.

    Raises:
        InputError: an id is only the beginning of one.
        StoreError: the ledger cannot be read.
    """
    await whole_only(store, ids, "forget", is_needed=True)
    async with writing(store):
        count = int(await store.forget(ids))
        if older is not None:
            over = [State.COMPLETED, State.FAILED, State.CANCELLED]
            count += await store.forget(RecordQuery(states=over, older=older.total_seconds()))
    terminal.say(f"{_jobs(count)} removed from the ledger.")
    missing = len(set(ids)) - count if older is None else 0
    if missing > 0:
        terminal.complain(
            f"{missing} of {len(set(ids))} not removed: not in the ledger, or not over yet. "
            f"See: {terminal.command('jobs')}"
        )
        return Exit.FAILED
    return Exit.OK


async def forget_chosen(terminal: Terminal, store: Ledger, choice: Choice, *, yes: bool) -> Exit:
    """The same for all of a scope, a batch or a state; `yes`: without asking."""
    wanted = choice.query()
    async with reading(store) as is_made:
        if not is_made:
            terminal.say(f"There is no ledger in {place(store)} so far.")
            return Exit.OK
        counts = await store.count(wanted)
    count = sum(number for state, number in counts.items() if state.is_terminal or state is State.UNKNOWN)
    if count and not yes and not _may_forget(terminal, count):
        return Exit.USAGE
    async with writing(store):
        forgotten = await store.forget(wanted)
    terminal.say(f"{_jobs(forgotten)} removed from the ledger.")
    if not forgotten.running:
        return Exit.OK
    are = "is" if forgotten.running == 1 else "are"
    terminal.complain(
        f"{_jobs(forgotten.running)} of these {are} not over yet, and not removed. Cancel or wait, then forget once "
        f"more. See: {terminal.command('jobs', *choice.words())}"
    )
    return Exit.FAILED


def _may_forget(terminal: Terminal, count: int) -> bool:
    """Ask on the terminal whether to forget; False without a terminal."""
    question = f"Remove {_jobs(count)} from the ledger, with their prompts, keys and addresses?"
    return terminal.confirms(f"forget {_jobs(count)}", question, "Nothing was removed.")


def _jobs(count: int) -> str:
    return f"{count} {'job' if count == 1 else 'jobs'}"


def _show(terminal: Terminal, job: UnknownJob, where: Sequence[str]) -> None:
    """One unknown job, for people: what it was, what it could be, and the command for each choice.

    `where`: the options by which the commands find the ledger.
    """

    def step(*words: str) -> str:
        return command(*words, *where)

    terminal.line(f"unknown     {job.connection}/{job.model or '?'}  {job.job_id}", "magenta")
    if job.prompt:
        terminal.line(f"            {shorten(job.prompt, 90)}")
    terminal.line(f"            {job.explanation}")
    for candidate in job.candidates:
        known = candidate.generation
        terminal.line(f"            could be {known.provider_id}, {known.state}{_when(candidate.seconds)}")
        terminal.line(f"                {step('reconcile', job.job_id, '--adopt', known.provider_id or '')}")
    again = step("reconcile", job.job_id, "--resend")
    terminal.line(f"            to send it again, at the risk of a second charge: {again}")
    terminal.line(f"            to remove it from the ledger: {step('forget', job.job_id)}")


def _when(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f", made {abs(seconds):.0f} s {'before' if seconds < -0.5 else 'after'} it was sent"


def _advice(terminal: Terminal, job: UnknownJob) -> str:
    """What can be done about it."""
    again = terminal.command("reconcile", job.job_id, "--resend")
    if job.candidates:
        adopt = terminal.command("reconcile", job.job_id, "--adopt")
        return f"If it is one of the candidates: {adopt} ID. Otherwise, at the risk of a second charge: {again}"
    return f"Check at the provider. To send it again, at the risk of a second charge: {again}"


def _row(record: Record) -> Row:
    known = generation_of(record)
    return Row(
        cells={
            "state": known.state,
            "age": age(timedelta(seconds=record.ago(record.created_at))),
            "cost": money(known.cost),
            "prompt": known.prompt or "",
            "at": record.connection,
        },
        ids={"job": record.id, "provider's id": record.provider_id or "-"},
        style=STYLES.get(known.state, ""),
    )


def _line(record: Record) -> list[str]:
    """For a pipe: these columns in this order are a promise; new ones are added at the end."""
    known = generation_of(record)
    return [
        known.state,
        record.id,
        record.connection,
        record.provider_id or "-",
        f"{age(timedelta(seconds=record.ago(record.created_at)))} ago",
        known.prompt or "",
        money(known.cost),
    ]
