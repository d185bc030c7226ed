"""The commands about the ledger: jobs, resume, reconcile, forget."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiogen import Session
from aiogen._wire import shorten
from aiogen.cli.board import Board
from aiogen.cli.exits import Exit
from aiogen.cli.following import follow, open_until_left
from aiogen.cli.generations import shown, teller
from aiogen.cli.options import store_words
from aiogen.cli.results import possibly_charged
from aiogen.cli.terminal import Terminal
from aiogen.errors import InputError
from aiogen.models import State, UnknownJob
from aiogen.stores.base import Record, Wanted
from aiogen.stores.sqlite import SqliteStore

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def parse_states(words: Sequence[str]) -> list[State] | None:
    """The states by their names; none for all.

    Raises:
        InputError: there is no such state.
    """
    try:
        return [State(word) for word in words] or None
    except ValueError as error:
        raise InputError(f"{error}; the states are {', '.join(State)}.") from None


def parse_age(text: str) -> timedelta:
    """`90s`, `15m`, `24h`, `7d`.

    Raises:
        InputError: it is no age.
    """
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([smhd])", text.strip())
    if found is None:
        raise InputError(f"The age {text!r} cannot be read; write 90s, 15m, 24h or 7d.")
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]])


async def jobs(
    terminal: Terminal,
    store: SqliteStore,
    *,
    states: Sequence[State] | None,
    batch: str | None,
    newer: timedelta | None,
    older: timedelta | None,
    limit: int,
) -> Exit:
    """What the ledger says, without asking anybody."""
    now, unknown, rows = datetime.now(UTC), 0, list[tuple[str, ...]]()
    wanted = Wanted(
        states=states,
        batch=batch,
        created_after=None if newer is None else now - newer,
        created_before=None if older is None else now - older,
        limit=limit,
    )
    is_any = False
    async with _open(store):
        async for records in store.scan(wanted):  # of any number there are a few hundred in memory
            is_any = True
            unknown += sum(record.state is State.UNKNOWN for record in records)
            if terminal.as_json:
                for record in records:
                    terminal.record(_as_json(record))
            else:
                rows += [_row(record, now) for record in records]
                if not terminal.out.is_terminal:
                    _show(terminal, rows)
                    rows.clear()
    if rows:
        _show(terminal, rows)
    if not is_any and not terminal.as_json:
        terminal.say(f"No such job in {store.path}.")
    if store.unreadable:
        count = len(store.unreadable)
        terminal.complain(f"{count} {'job' if count == 1 else 'jobs'} in {store.path} cannot be read, and not shown.")
    if unknown:
        terminal.say(possibly_charged(unknown))
    return Exit.OK


def _show(terminal: Terminal, rows: Sequence[Sequence[str]]) -> None:
    headings = ("state", "job", "at", "provider's id", "submitted", "prompt")
    terminal.table(headings, rows, whole=("job", "provider's id"))


async def resume(terminal: Terminal, session: Session, *, out: Path | None) -> Exit:
    """Take up what was left behind, and follow it to its end."""
    async with open_until_left(terminal, session) as batch:
        batch.jobs.extend(await session.resume())
        if not batch.jobs:
            terminal.say("Nothing was left behind.")
        await follow(session, batch, Board(terminal, batch.jobs), out=out, ended=teller(terminal))
    return shown(terminal, batch.in_order())


async def reconcile(terminal: Terminal, session: Session, ids: Sequence[str], *, batch: str | None) -> Exit:
    """Tell of each unknown job what it could be; nothing is changed."""
    async with session:
        found = await session.reconcile(*ids, batch=batch)
    for job in found:
        if terminal.as_json:
            terminal.record(_unknown_as_json(job))
        else:
            _tell(terminal, job, store_words(session.store))
    if not found:
        terminal.say("Nothing is unknown.")
    else:
        terminal.say(possibly_charged(len(found), reconciled=True))
    missing = set(ids) - {job.job_id for job in found}
    for job_id in sorted(missing):
        terminal.complain(f"Job {job_id} is not in the ledger, or not unknown.")
    return Exit.USAGE if missing else Exit.OK


def confirmed(terminal: Terminal, count: int) -> bool:
    """Ask on the terminal whether to send again; without one there is nobody to ask."""
    what = f"{count} jobs" if count > 1 else "1 job"
    if not sys.stdin.isatty():
        terminal.complain(f"To send {what} again without a terminal to ask on, pass --yes.")
        return False
    if terminal.ask(f"Send {what} again, though what arrived the first time is charged, too?"):
        return True
    terminal.say("Nothing was sent.")
    return False


async def decide(
    terminal: Terminal, session: Session, ids: Sequence[str], *, adopt: str | None, out: Path | None
) -> Exit:
    """Carry out the user's word about unknown jobs, and follow them to their ends."""
    async with open_until_left(terminal, session) as batch:
        for job_id in dict.fromkeys(ids):
            job = session.adopt(job_id, adopt) if adopt is not None else session.resend(job_id)
            batch.jobs.append(await job)
        await follow(session, batch, Board(terminal, batch.jobs), out=out, ended=teller(terminal))
    return shown(terminal, batch.in_order())


async def forget(terminal: Terminal, store: SqliteStore, ids: Sequence[str], older: timedelta | None) -> Exit:
    """Remove what is over, or unknown, from the ledger; at the providers nothing changes."""
    async with _open(store):
        wanted = list(ids)
        if older is not None:
            ended = Wanted(
                states=[State.COMPLETED, State.FAILED, State.CANCELLED],
                created_before=datetime.now(UTC) - older,
                limit=1_000_000,
            )
            wanted += [record.id async for records in store.scan(ended) for record in records]
        count = await store.forget(wanted)
    terminal.say(f"{count} forgotten.")
    missing = len(set(ids)) - count if older is None else 0
    if missing > 0:
        terminal.complain(
            f"{missing} of {len(set(ids))} not forgotten: not in the ledger, or not over yet. See: aiogen jobs"
        )
        return Exit.FAILED
    return Exit.OK


def _tell(terminal: Terminal, job: UnknownJob, where: Sequence[str]) -> None:
    """One unknown job, for people: what it was, what it could be, and the command for each choice.

    `where`: what the commands have to be told of the ledger.
    """

    def command(*words: str) -> str:
        return shlex.join(["aiogen", *words, *where])

    terminal.line(f"unknown     {job.connection}/{job.model or '?'}  {job.job_id}", "magenta")
    if job.prompt:
        terminal.line(f"            {shorten(job.prompt, 90)}")
    terminal.line(f"            {job.explanation}")
    for candidate in job.candidates:
        known = candidate.generation
        terminal.line(f"            could be {known.provider_id}, {known.state}{_when(candidate.seconds)}")
        terminal.line(f"                {command('reconcile', job.job_id, '--adopt', known.provider_id or '')}")
    again = command("reconcile", job.job_id, "--resend")
    terminal.line(f"            to send it again, though it may be charged twice: {again}")
    terminal.line(f"            to give it up: {command('forget', job.job_id)}")


def _when(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f", made {abs(seconds):.0f} s {'before' if seconds < -0.5 else 'after'} it was sent"


def _unknown_as_json(job: UnknownJob) -> dict[str, object]:
    return {
        "id": job.job_id,
        "connection": job.connection,
        "model": job.model,
        "prompt": job.prompt,
        "batch": job.batch,
        "fingerprint": job.fingerprint,
        "submitted_at": job.submitted_at,
        "searched": job.searched,
        "explanation": job.explanation,
        "advice": job.advice,
        "candidates": [
            {"provider_id": c.generation.provider_id, "state": c.generation.state, "seconds": c.seconds}
            for c in job.candidates
        ],
    }


@asynccontextmanager
async def _open(store: SqliteStore) -> AsyncIterator[None]:
    await store.open()
    try:
        yield
    finally:
        await store.close()


def _prompt(record: Record) -> str | None:
    if record.submission is not None:
        return record.submission.prompt
    return record.generation.prompt if record.generation is not None else None


def _row(record: Record, now: datetime) -> tuple[str, ...]:
    return (
        str(record.state),
        record.id,
        record.connection,
        record.provider_id or "-",
        f"{_ago(now - record.created_at)} ago",
        shorten(_prompt(record) or "", 40),
    )


def _ago(age: timedelta) -> str:
    seconds = max(0.0, age.total_seconds())
    for unit in ("d", "h", "m"):
        if seconds >= _UNITS[unit]:
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    return f"{seconds:.0f}s"


def _as_json(record: Record) -> dict[str, object]:
    ended = record.generation
    return {
        "id": record.id,
        "provider_id": record.provider_id,
        "connection": record.connection,
        "state": record.state,
        "batch": record.batch,
        "prompt": _prompt(record),
        "fingerprint": record.fingerprint,
        "created_at": record.created_at,
        "submitted_at": record.submitted_at,
        "accepted_at": record.accepted_at,
        "finished_at": record.finished_at,
        "failure_code": ended.failure_code if ended is not None else None,
        "outputs": [{"url": o.url, "kind": o.kind} for o in ended.outputs] if ended is not None else [],
    }
