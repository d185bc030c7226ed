"""How one generation ended, for people, for programs, and for the exit code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs

from aiogen.cli.exits import Exit, exit_of, explain, gravest
from aiogen.cli.records import Kept, as_record, failure_code, failure_reason, is_seen
from aiogen.cli.terminal import Terminal
from aiogen.errors import AiogenError, GenerationTimeout, SubmissionUnknown
from aiogen.models import Generation, State

STYLES = {
    State.COMPLETED: "green",
    State.FAILED: "red",
    State.CANCELLED: "red",
    State.UNKNOWN: "bold red",
    State.PROCESSING: "yellow",
    State.QUEUED: "cyan",
}


@attrs.frozen(kw_only=True)
class Ending:
    """What became of one generation; `generation` is None for an id that could not be read."""

    connection: str
    provider_id: str | None
    generation: Generation | None = None
    error: AiogenError | None = None
    files: tuple[Path, ...] = ()
    batch: str | None = None

    @property
    def state(self) -> State | None:
        """Its state; None if it was never seen."""
        was_seen = self.generation is not None and is_seen(self.generation, self.error)
        return self.generation.state if self.generation is not None and was_seen else None

    @property
    def exit(self) -> Exit:
        """The exit code if this were the only one."""
        if self.error is not None:
            return exit_of(self.error)
        return Exit.FAILED if self.state in (State.FAILED, State.CANCELLED) else Exit.OK

    @property
    def failure_code(self) -> str | None:
        """Why it failed; None while it may still complete."""
        return failure_code(self.generation, self.error)

    def record(self) -> dict[str, Any]:
        """The JSON object."""
        return as_record(
            self.generation,
            connection=self.connection,
            provider_id=self.provider_id,
            kept=Kept(batch=self.batch),
            error=self.error,
            files=self.files,
        )

    def details(self) -> list[str]:
        """What to show below its name: files, else in a word why there are none, else addresses.

        The sentence about an error is written by `conclude`, once.
        """
        if self.files:
            return [str(path) for path in self.files]
        code = self.failure_code
        if code is not None:
            reason = failure_reason(self.generation, None) if self.error is None else None
            return [f"{code}: {reason}" if reason else code]
        if isinstance(self.error, GenerationTimeout):
            return ["not finished in time"]
        if isinstance(self.error, SubmissionUnknown):
            return ["possibly charged"]
        return [output.url for output in self.generation.outputs] if self.generation is not None else []


def looked_up(generation: Generation) -> Ending:
    """A generation in its present state."""
    return Ending(connection=generation.connection, provider_id=generation.provider_id, generation=generation)


def show(terminal: Terminal, endings: Sequence[Ending]) -> None:
    """Endings for people: a block each on a terminal, a line each on a pipe."""
    for ending in endings:
        model = ending.generation.model if ending.generation is not None else None
        name = ending.connection if model is None else f"{ending.connection}/{model}"
        state = str(ending.state or "unreadable")
        if not terminal.out.is_terminal:
            terminal.columns([state, name, ending.provider_id or "-", " ".join(ending.details())])
            continue
        head = f"{state:<10}  {name}"
        below = [detail for detail in ending.details() if detail]
        if ending.provider_id is not None:
            if len(head) + 2 + len(ending.provider_id) <= terminal.out.width:
                head += f"  {ending.provider_id}"
            else:
                below.insert(0, ending.provider_id)  # a terminal would break the line
        terminal.line(head, STYLES.get(ending.state or State.UNKNOWN, ""))
        for detail in below:
            terminal.line(f"            {detail}")


def possibly_charged(count: int, look: str | None) -> str:
    """What every report says of jobs whose create was never answered; `look` is the command that shows more."""
    they, it = ("it", "it") if count == 1 else ("they", "them")
    see = "" if look is None else f" See: {look}"
    return (
        f"{count} possibly charged: it is not known whether the provider accepted {it}; {they} may be running, and "
        f"aiogen does not send {it} again on its own.{see}"
    )


def named(terminal: Terminal, provider_id: str | None, error: AiogenError) -> str:
    """The explanation, with the id that it is about."""
    text = explain(error, terminal.command)
    return text if provider_id is None or provider_id in text else f"{provider_id}: {text}"


def conclude(terminal: Terminal, endings: Iterable[Ending]) -> Exit:
    """Write every error, and return the most serious exit code."""
    endings = list(endings)
    for ending in endings:
        if ending.error is not None:
            terminal.complain(named(terminal, ending.provider_id, ending.error))
    unknown = sum(isinstance(ending.error, SubmissionUnknown) for ending in endings)
    if unknown:
        terminal.say(possibly_charged(unknown, terminal.command("reconcile")))
    return gravest(ending.exit for ending in endings)
