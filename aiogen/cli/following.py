"""Follows jobs to their ends and files, and takes leave of them properly when it is cut short."""

from __future__ import annotations

import asyncio
import logging
import shlex
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from aiogen import Generation, Job, Session
from aiogen._wire import shorten
from aiogen.cli.board import Board
from aiogen.cli.results import STYLES, Ending
from aiogen.cli.terminal import Notes, Terminal
from aiogen.errors import AiogenError, SessionClosed
from aiogen.models import Event, State

logger = logging.getLogger("aiogen")


async def follow(
    session: Session,
    jobs: Sequence[Job],
    board: Board,
    *,
    out: Path | None = None,
    ended: Callable[[Ending], None] = lambda ending: None,
) -> list[Ending]:
    """The endings, in the order of the jobs; `ended` is called with each as it comes.

    Outputs are saved to `out`, if there is one, as soon as they are there.
    """
    tasks = [asyncio.create_task(_end(session, job, board, out)) for job in jobs]
    try:
        with notes_to(board):
            async with board:
                for task in asyncio.as_completed(tasks):
                    ended(await task)
        return [task.result() for task in tasks]
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
async def open_until_left(terminal: Terminal, session: Session) -> AsyncIterator[list[Job]]:
    """The session, open, and a list for its jobs.

    Whatever cuts it short: creates in flight are waited for, and then every job that goes on without us is named,
    with the command that takes it up again.
    """
    jobs: list[Job] = []
    try:
        async with session:
            try:
                yield jobs
            except asyncio.CancelledError:
                in_flight = sum(job.state is State.SUBMITTING for job in jobs)
                if in_flight:
                    terminal.say(
                        f"Interrupted. Waiting for {in_flight} submission{'s' * (in_flight > 1)} in flight to be "
                        "answered, so that nothing paid is lost; Ctrl-C again does not wait."
                    )
                raise
    except BaseException:
        for line in farewell(jobs):
            terminal.say(line)
        raise


def farewell(jobs: Sequence[Job]) -> Iterator[str]:
    """What goes on without us, and how to take it up again."""
    left = [job for job in jobs if isinstance(job.error, SessionClosed)]
    # A create that was not waited for may have arrived, whatever its job was told in the hurry.
    unknown = [job for job in jobs if job.state in (State.SUBMITTING, State.UNKNOWN)]
    running = [job for job in left if job.provider_id is not None]
    unsent = [job for job in left if job.provider_id is None and job not in unknown]
    if running:
        yield "Still running at the provider:"
        for job in running:
            yield f"  {job.connection}  {job.provider_id}  {job.state}"
        yield "Take them up again with:"
        for connection in dict.fromkeys(job.connection for job in running):
            ids = [job.provider_id or "" for job in running if job.connection == connection]
            yield "  " + shlex.join(["aiogen", "wait", connection, *ids])
    for job in unknown:
        yield (
            f"Whether {job.connection} accepted job {job.id} cannot be known: it may be running and charged. "
            "Look at the provider before you submit it anew."
        )
    if unsent:
        yield f"Not sent, and not charged: {len(unsent)}."
