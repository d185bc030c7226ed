"""The command cancel: jobs of the ledger, withdrawn or stopped."""

from __future__ import annotations

from collections.abc import Sequence

from aiogen import Session
from aiogen.cli.exits import Exit, exit_of, gravest
from aiogen.cli.records import error_as_json
from aiogen.cli.results import named
from aiogen.cli.terminal import Terminal
from aiogen.errors import AiogenError
from aiogen.models import Cancellation

_SAID = {
    Cancellation.WITHDRAWN: "withdrawn",
    Cancellation.STOPPED: "stopped",
    Cancellation.ENDED: "had ended",
}


async def cancel(terminal: Terminal, session: Session, ids: Sequence[str], *, timeout: float) -> Exit:
    """Stop each: withdrawn if it was not sent, else stopped at its provider; an error of one does not affect others."""
    exits = []
    async with session:
        for job_id in dict.fromkeys(ids):
            failure: AiogenError | None = None
            what: Cancellation | None = None
            try:
                what = await session.cancel(job_id, timeout=timeout)
            except AiogenError as error:
                failure = error
                terminal.complain(named(terminal, job_id, error))
            exits.append(Exit.OK if failure is None else exit_of(failure))
            if terminal.as_json:
                terminal.record({"job_id": job_id, "cancellation": what, "error": error_as_json(failure)})
            elif what is not None:
                terminal.columns([_SAID[what], job_id])
    return gravest(exits)


async def cancel_batch(terminal: Terminal, session: Session, name: str, scope: str) -> Exit:
    """Stop all of a batch that is not over, whichever program has it."""
    async with session:
        counts = await session.batch(name, (), scope=scope).cancel()
    goes_on = counts.get(None, 0)
    if terminal.as_json:
        stopped = {str(what): number for what, number in counts.items() if what is not None}
        terminal.record({"batch": name, **stopped, "goes_on": goes_on})
    else:
        for what, word in _SAID.items():
            if number := counts.get(what, 0):
                terminal.columns([word, str(number)])
    if goes_on:
        terminal.say(f"{goes_on} go on: their provider cannot cancel, or did not. They may be charged.")
    if not counts:
        terminal.say(f"The batch {name!r} has no unfinished job.")
    return Exit.FAILED if goes_on else Exit.OK
