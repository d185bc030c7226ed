"""Follows jobs to their ends and files, and says what is left when it is interrupted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import attrs

from aiogen import Generation, Job, Session
from aiogen._wording import shorten
from aiogen.cli.board import Board
from aiogen.cli.places import Place
from aiogen.cli.program import command
from aiogen.cli.results import STYLES, Ending, show
from aiogen.cli.streams import OutputLost
from aiogen.cli.terminal import Notes, Terminal, without_job_log
from aiogen.errors import AiogenError, SessionClosed
from aiogen.models import Event, State

logger: logging.Logger = logging.getLogger("aiogen")

_NAMED = 10
"""Running generations that are listed one by one, when they are left."""


@attrs.define
class Batch:
    """The jobs of one command, and the endings of those that have ended."""

    jobs: list[Job] = attrs.field(factory=list)
    endings: list[Ending] = attrs.field(factory=list)
    """In the order in which they came."""
    out: Place | None = None
    """Where their images go; None to save none."""

    def in_order(self) -> list[Ending]:
        """The endings in the order of the jobs."""
        place = {job.id: i for i, job in enumerate(self.jobs)}
        return sorted(self.endings, key=lambda ending: place[ending.generation.id or ""] if ending.generation else -1)

    def unfinished(self) -> list[Job]:
        """Those that completed, but whose images were not yet saved."""
        over = {ending.generation.id for ending in self.endings if ending.generation is not None}
        return [job for job in self.jobs if job.state is State.COMPLETED and job.id not in over]


async def follow(
    session: Session,
    batch: Batch,
    board: Board,
    *,
    ended: Callable[[Ending], None] = lambda ending: None,
) -> None:
    """Follow all of a batch to their endings; `ended` is called with each as it comes.

    Outputs are saved to the batch's folder, if it has one, as soon as they are there.
    """
    tasks = [asyncio.create_task(_end(session, job, board, batch.out)) for job in batch.jobs]
    try:
        with notes_to(board):
            async with board:
                for task in asyncio.as_completed(tasks):
                    ending = await task
                    batch.endings.append(ending)
                    ended(ending)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _end(session: Session, job: Job, board: Board, out: Place | None) -> Ending:
    async for event in job.events():
        _note(board, job, event)
    try:
        await job
    except AiogenError as error:
        return _ending(job.generation, error=error, batch=job.batch)
    return await saved(session, job, out, batch=job.batch)


async def saved(
    session: Session,
    what: Generation | Job,
    out: Place | None,
    *,
    overwrite: bool = False,
    batch: str | None = None,
) -> Ending:
    """A completed generation with its files, or with what prevented them; without `out` nothing is fetched."""
    generation = what.generation if isinstance(what, Job) else what
    outputs, files = session._open().outputs, list[Path]()
    try:
        if out is not None and out.is_file:
            files, generation = await outputs.save(what, out.path, index=None, overwrite=overwrite)
        elif out is not None:
            files, generation = await outputs.download(what, out.path, overwrite=overwrite)
    except AiogenError as error:
        return _ending(generation, error=error, batch=batch)
    return _ending(generation, files=tuple(files), batch=batch)


def _ending(
    generation: Generation,
    *,
    error: AiogenError | None = None,
    files: tuple[Path, ...] = (),
    batch: str | None = None,
) -> Ending:
    return Ending(
        connection=generation.connection,
        provider_id=generation.provider_id,
        generation=generation,
        error=error,
        files=files,
        batch=batch,
    )


def _note(board: Board, job: Job, event: Event) -> None:
    if event.previous is None:
        return  # its state when the watching began: nothing happened
    known = job.generation
    words = [f"{event.state:<10}", f"{job.connection}/{job.model or '?'}", board.id_of(job)]
    if event.state is State.FAILED:
        words.append(f"{known.failure_code}")
    if event.state is State.PENDING:
        words.append("not accepted this time; it waits for another turn")
    words.append(shorten(known.prompt or "", 60))
    minor = not event.state.is_terminal and event.state is not State.UNKNOWN
    board.note("  ".join(filter(None, words)), STYLES.get(event.state, ""), minor=minor)


@contextmanager
def notes_to(board: Board) -> Iterator[None]:
    """Warnings of the package become events on the board, and nothing else."""
    before = [handler for handler in logger.handlers if isinstance(handler, Notes)]
    handler = Notes(lambda text: board.note(text, "magenta"))
    logger.addHandler(handler)
    for other in before:
        logger.removeHandler(other)
    try:
        yield
    finally:
        for other in before:
            logger.addHandler(other)
        logger.removeHandler(handler)


@asynccontextmanager
async def open_until_left(terminal: Terminal, session: Session, *, out: Place | None) -> AsyncIterator[Batch]:
    """The session, open, and a batch for its jobs, whose images go to `out`.

    Whatever interrupts it, creates in flight are waited for, what has ended is shown, and what continues without us is
    named, with the command that continues it.
    """
    batch = Batch(out=out)
    try:
        with without_job_log():
            async with session:
                try:
                    yield batch
                except asyncio.CancelledError:
                    in_flight = sum(job.state is State.SUBMITTING for job in batch.jobs)
                    if in_flight:
                        terminal.say(
                            f"Interrupted. Waiting for {in_flight} submission{'s' * (in_flight > 1)} in flight to be "
                            "answered, so that nothing paid is lost; press Ctrl-C again to stop without waiting."
                        )
                    raise
    except BaseException:
        if not terminal.as_json:
            with suppress(OutputLost):  # a closed stdout may be why we leave
                show(terminal, batch.in_order())
        for line in farewell(batch, kept=session.store.lease is not None, where=terminal.where):
            terminal.say(line)
        raise


def farewell(batch: Batch, *, kept: bool = False, where: Sequence[str] = ()) -> Iterator[str]:
    """What continues without us, what was not finished, and the one command that continues all of it.

    `kept`: the jobs are in a ledger.  `where`: the options by which a command finds that ledger.
    """
    left = [job for job in batch.jobs if isinstance(job.error, SessionClosed)]
    # A create that was not waited for may have arrived, whatever its job's error says.
    unknown = [job for job in batch.jobs if job.state in (State.SUBMITTING, State.UNKNOWN)]
    running = [job for job in left if job.provider_id is not None]
    unsent = [job for job in left if job.provider_id is None and job not in unknown]
    unfinished = batch.unfinished()
    if running:
        yield "Still running at the provider:"
        for job in running[:_NAMED]:
            yield f"  {job.connection}  {job.provider_id}  {job.state}"
        if len(running) > _NAMED:
            yield f"  and {len(running) - _NAMED} more"
    if unfinished:
        yield f"Completed but not saved yet: {len(unfinished)}."
    if unsent:
        yield f"Not sent and not charged: {len(unsent)}."
    for job in unknown:
        yield (
            f"It is not known whether {job.connection} accepted job {job.id}: it may be running and charged. "
            "Check at the provider before you submit it again."
        )
    step = _next_step(running, unfinished, unsent, unknown, batch.out, kept=kept, where=where)
    if step is not None:
        yield "Continue with:"
        yield f"  {step}"


def _next_step(
    running: Sequence[Job],
    unfinished: Sequence[Job],
    unsent: Sequence[Job],
    unknown: Sequence[Job],
    out: Place | None,
    *,
    kept: bool,
    where: Sequence[str],
) -> str | None:
    """One command for everything; None if there is nothing left to do."""
    if out is not None and len([*running, *unfinished, *unsent]) > 1:
        out = out.folder
    if kept and (running or unsent or unfinished):
        # It finds in the ledger what still runs and what was not sent; completed jobs have to be named.
        ids = [job.id for job in unfinished]
        folder = ["--no-download"] if out is None else _out(out) if out != Place(Path()) else []
        return command("resume", *ids, *folder, *where)
    if kept and unknown:
        return command("reconcile", *(job.id for job in unknown), *where)
    # Without a ledger, ids are all there is; a command that names ids is about one connection.
    connections = dict.fromkeys(job.connection for job in (*running, *unfinished))
    commands = []
    for connection in connections:
        ids = [job.provider_id or "" for job in (*running, *unfinished) if job.connection == connection]
        commands.append(command("wait", connection, *ids, *([] if out is None else _out(out))))
    return "; ".join(commands) or None


def _out(place: Place) -> list[str]:
    return ["--out", str(place.path)]
