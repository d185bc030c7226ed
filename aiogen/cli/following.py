"""Follows jobs to their ends and files, and takes leave of them properly when it is cut short."""

from __future__ import annotations

import asyncio
import logging
import shlex
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import attrs

from aiogen import Generation, Job, Session
from aiogen._wire import shorten
from aiogen.cli.board import Board
from aiogen.cli.options import store_words
from aiogen.cli.results import STYLES, Ending, show
from aiogen.cli.terminal import Notes, Terminal, telling_of_jobs
from aiogen.errors import AiogenError, SessionClosed
from aiogen.models import Event, State

logger: logging.Logger = logging.getLogger("aiogen")


@attrs.define
class Batch:
    """The jobs of one command, and how those ended that have ended."""

    jobs: list[Job] = attrs.field(factory=list)
    endings: list[Ending] = attrs.field(factory=list)
    """As they came."""
    out: Path | None = None
    """Where their images go."""

    def in_order(self) -> list[Ending]:
        """The endings in the order of the jobs."""
        place = {job.id: i for i, job in enumerate(self.jobs)}
        return sorted(self.endings, key=lambda ending: place[ending.generation.id or ""] if ending.generation else -1)

    def unfinished(self) -> list[Job]:
        """Those that completed, but whose images were not yet saved."""
        told = {ending.generation.id for ending in self.endings if ending.generation is not None}
        return [job for job in self.jobs if job.state is State.COMPLETED and job.id not in told]


async def follow(
    session: Session,
    batch: Batch,
    board: Board,
    *,
    out: Path | None = None,
    ended: Callable[[Ending], None] = lambda ending: None,
) -> None:
    """Follow all of a batch to their endings; `ended` is called with each as it comes.

    Outputs are saved to `out`, if there is one, as soon as they are there.
    """
    batch.out = out
    tasks = [asyncio.create_task(_end(session, job, board, out)) for job in batch.jobs]
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


async def _end(session: Session, job: Job, board: Board, out: Path | None) -> Ending:
    async for event in job.events():
        _tell(board, job, event)
    try:
        generation = await job
    except AiogenError as error:
        return Ending(connection=job.connection, provider_id=job.provider_id, generation=job.generation, error=error)
    return await saved(session, generation, out) if out is not None else _completed(generation)


async def saved(session: Session, generation: Generation, out: Path, *, overwrite: bool = False) -> Ending:
    """A completed generation with its files, or with what kept them away."""
    try:
        files = await session.download(generation, out, overwrite=overwrite)
    except AiogenError as error:
        return _completed(generation, error=error)
    return _completed(generation, files=tuple(files))


def _completed(generation: Generation, *, error: AiogenError | None = None, files: tuple[Path, ...] = ()) -> Ending:
    return Ending(
        connection=generation.connection,
        provider_id=generation.provider_id,
        generation=generation,
        error=error,
        files=files,
    )


def _tell(board: Board, job: Job, event: Event) -> None:
    if event.previous is None:
        return  # where it stood when the watching began: nothing happened
    known = job.generation
    words = [f"{event.state:<10}", f"{job.connection}/{job.model or '?'}"]
    if event.state is State.FAILED:
        words.append(f"{known.failure_code}")
    if event.state is State.PENDING:
        words.append("not accepted just now, it waits for another turn")
    words += [shorten(known.prompt or "", 60), job.provider_id or ""]
    minor = not event.state.is_terminal and event.state is not State.UNKNOWN
    board.note("  ".join(filter(None, words)), STYLES.get(event.state, ""), minor=minor)


@contextmanager
def notes_to(board: Board) -> Iterator[None]:
    """What the package warns of becomes an event on the board."""
    handler = Notes(lambda text: board.note(text, "magenta"))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@asynccontextmanager
async def open_until_left(terminal: Terminal, session: Session) -> AsyncIterator[Batch]:
    """The session, open, and a batch for its jobs.

    Whatever cuts it short: creates in flight are waited for, what has ended is shown, and every job that goes on
    without us is named, with the command that takes it up again.
    """
    batch = Batch()
    try:
        with telling_of_jobs():
            async with session:
                try:
                    yield batch
                except asyncio.CancelledError:
                    in_flight = sum(job.state is State.SUBMITTING for job in batch.jobs)
                    if in_flight:
                        terminal.say(
                            f"Interrupted. Waiting for {in_flight} submission{'s' * (in_flight > 1)} in flight to be "
                            "answered, so that nothing paid is lost; Ctrl-C again does not wait."
                        )
                    raise
    except BaseException:
        try:
            if not terminal.as_json:
                show(terminal, batch.in_order())
        finally:
            for line in farewell(batch, kept=session.store.lease is not None, where=store_words(session.store)):
                terminal.say(line)
        raise


def farewell(batch: Batch, *, kept: bool = False, where: Sequence[str] = ()) -> Iterator[str]:
    """What goes on without us, what was not finished, and how to take both up again; `kept`: they are in a ledger.

    `where`: what a command has to be told of that ledger.
    """
    left = [job for job in batch.jobs if isinstance(job.error, SessionClosed)]
    # A create that was not waited for may have arrived, whatever its job was told in the hurry.
    unknown = [job for job in batch.jobs if job.state in (State.SUBMITTING, State.UNKNOWN)]
    running = [job for job in left if job.provider_id is not None]
    unsent = [job for job in left if job.provider_id is None and job not in unknown]
    unfinished = batch.unfinished()
    out = ["--out", str(batch.out)] if batch.out is not None and batch.out != Path() else []
    if running:
        yield "Still running at the provider:"
        for job in running:
            yield f"  {job.connection}  {job.provider_id}  {job.state}"
        yield "Take them up again with:"
        yield from _commands("wait", running)
    if unfinished:
        yield "Completed, but not yet saved; save them with:"
        yield from _commands("download", unfinished, *out)
    for job in unknown:
        yield (
            f"Whether {job.connection} accepted job {job.id} cannot be known: it may be running and charged. "
            "Look at the provider before you submit it anew."
        )
    if unsent:
        yield f"Not sent, and not charged: {len(unsent)}."
    if kept and (unsent or running):
        yield "What still runs and what was not sent is in the ledger. Go on with both, and save the images, with:"
        yield "  " + shlex.join(["aiogen", "resume", *out, *where])


def _commands(verb: str, jobs: Sequence[Job], *more: str) -> Iterator[str]:
    for connection in dict.fromkeys(job.connection for job in jobs):
        ids = [job.provider_id or "" for job in jobs if job.connection == connection]
        yield "  " + shlex.join(["aiogen", verb, connection, *ids, *more])
