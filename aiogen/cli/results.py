"""How one generation ended, for people, for programs, and for the exit code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs

from aiogen.cli.exits import Exit, exit_of, explain, gravest
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

    @property
    def state(self) -> State | None:
        """Where it stands, as far as is known."""
        return self.generation.state if self.generation is not None else None

    @property
    def exit(self) -> Exit:
        """The exit code if this were the only one."""
        if self.error is not None:
            return exit_of(self.error)
        return Exit.FAILED if self.state in (State.FAILED, State.CANCELLED) else Exit.OK

    @property
    def failure_code(self) -> str | None:
        """Why it failed; None while it may still complete."""
        if self.generation is not None and self.generation.failure_code is not None:
            return self.generation.failure_code
        # These two say "unknown" of what may yet end well: that is no failure.
        if self.error is None or isinstance(self.error, GenerationTimeout | SubmissionUnknown):
            return None
        return self.error.code

    @property
    def failure_reason(self) -> str | None:
        """The vendor's words, else ours."""
        said = self.generation.failure_reason if self.generation is not None else None
        return said or (self.error.message if self.error is not None else None)

    def record(self) -> dict[str, Any]:
        """The JSON object; its keys are a promise."""
        known = self.generation
        action = known.action if known is not None and known.action is not None else getattr(self.error, "action", None)
        return {
            "id": known.id if known is not None else None,
            "provider_id": self.provider_id,
            "connection": self.connection,
            "model": known.model if known is not None else None,
            "state": self.state,
            "outputs": [{"url": o.url, "kind": o.kind} for o in known.outputs] if known is not None else [],
            "failure_code": self.failure_code,
            "failure_reason": self.failure_reason,
            "action": action,
            "files": [str(path) for path in self.files],
        }

    def details(self) -> list[str]:
        """What there is to show below its name: files, else addresses, else why there are none."""
        if self.files:
            return [str(path) for path in self.files]
        if self.failure_code is not None:
            return [f"{self.failure_code}: {self.failure_reason}" if self.failure_reason else self.failure_code]
        if self.generation is not None and self.generation.outputs:
            return [output.url for output in self.generation.outputs]
        return [self.failure_reason] if self.failure_reason else []


def looked_up(generation: Generation) -> Ending:
    """A generation as it stands now."""
    return Ending(connection=generation.connection, provider_id=generation.provider_id, generation=generation)


def show(terminal: Terminal, endings: Sequence[Ending]) -> None:
    """Endings for people: a block each on a terminal, a line each on a pipe."""
    for ending in endings:
        name = f"{ending.connection}/{ending.generation.model}" if ending.generation is not None else ending.connection
        state = ending.state or "unreadable"
        if not terminal.out.is_terminal:
            terminal.line("\t".join([str(state), name, ending.provider_id or "-", " ".join(ending.details())]))
            continue
        terminal.line(f"{state:<10}  {name}  {ending.provider_id or ''}", STYLES.get(ending.state or State.UNKNOWN, ""))
        for detail in ending.details():
            terminal.line(f"            {detail}")


def possibly_charged(count: int, *, reconciled: bool = False) -> str:
    """What every report says of jobs whose create was never answered."""
    they = "it may be running and charged, and is" if count == 1 else "they may be running and charged, and are"
    look = "" if reconciled else " See: aiogen reconcile"
    return f"{count} possibly charged: whether the provider accepted is unknown; {they} not sent again by itself.{look}"


def conclude(terminal: Terminal, endings: Iterable[Ending]) -> Exit:
    """Say every error, and return the gravest code."""
    endings = list(endings)
    for ending in endings:
        if ending.error is not None:
            terminal.complain(explain(ending.error))
    unknown = sum(isinstance(ending.error, SubmissionUnknown) for ending in endings)
    if unknown:
        terminal.say(possibly_charged(unknown))
    return gravest(ending.exit for ending in endings)
