"""What an error means to the caller of the program: an exit code, and a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from aiogen.cli.advice import Command, what_happened, what_helps, without_python
from aiogen.cli.program import command
from aiogen.errors import (
    AiogenError,
    APIError,
    AuthenticationError,
    CancelTimeout,
    ConfigurationError,
    GenerationFailed,
    GenerationRefused,
    GenerationTimeout,
    InputError,
    InsufficientFunds,
    InvalidRequest,
    StoreError,
    SubmissionUnknown,
)


class Exit(IntEnum):
    """The exit codes; `MEANINGS` has a sentence for each."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIGURATION = 3
    DEADLINE = 4
    PROVIDER = 5
    UNKNOWN = 6
    BUG = 70
    INTERRUPTED = 130
    PIPE = 141


MEANINGS = {
    Exit.OK: "all completed",
    Exit.FAILED: "a generation failed, or was refused for its input or for lack of funds",
    Exit.USAGE: "the command is not valid; nothing was sent",
    Exit.CONFIGURATION: "a key, an address or the store is missing or wrong",
    Exit.DEADLINE: "the deadline passed; the generation may still finish",
    Exit.PROVIDER: "the provider or the network failed, or does not know the id",
    Exit.UNKNOWN: "it is not known whether a submission was accepted; it may be running and charged",
    Exit.BUG: "a bug in aiogen; AIOGEN_DEBUG=1 shows where",
    Exit.INTERRUPTED: "interrupted by Ctrl-C, SIGTERM or SIGHUP",
    Exit.PIPE: "the output could not be written: its reader has ended, or the disk is full",
}

# An unknown submission may cost money twice, so it outweighs everything that is certain.  What the user has to correct
# outweighs what may pass with time, and a failed generation is the most ordinary of all ends.
_BY_GRAVITY = (
    Exit.OK,
    Exit.FAILED,
    Exit.DEADLINE,
    Exit.PROVIDER,
    Exit.USAGE,
    Exit.CONFIGURATION,
    Exit.UNKNOWN,
    Exit.BUG,
    Exit.INTERRUPTED,
    Exit.PIPE,
)

# The first that matches: narrower kinds come before wider ones.
_BY_ERROR: tuple[tuple[type[AiogenError], Exit], ...] = (
    (SubmissionUnknown, Exit.UNKNOWN),
    (ConfigurationError, Exit.CONFIGURATION),
    (AuthenticationError, Exit.CONFIGURATION),
    (StoreError, Exit.CONFIGURATION),
    (InputError, Exit.USAGE),
    (GenerationTimeout, Exit.DEADLINE),
    (CancelTimeout, Exit.DEADLINE),
    (GenerationFailed, Exit.FAILED),
    (InsufficientFunds, Exit.FAILED),
    (InvalidRequest, Exit.FAILED),
)


def gravest(exits: Iterable[Exit]) -> Exit:
    """The one code for several ends."""
    return max(exits, key=_BY_GRAVITY.index, default=Exit.OK)


def exit_of(error: AiogenError) -> Exit:
    """The exit code for one error."""
    if isinstance(error, GenerationRefused) and isinstance(error.__cause__, APIError):
        # A refusal wraps the provider's answer; a 503 that never passed is not a fault of the input.
        return exit_of(error.__cause__)
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), Exit.PROVIDER)


def explain(error: AiogenError, command: Command = command) -> str:
    """What happened, and what helps, on one line."""
    text, helps = "", what_helps(error, command)
    # The general advice for a kind of failure is left out where there is advice for this one.
    general = error.action.help_text if error.action is not None and helps else ""
    notes = [without_python(note) for note in getattr(error, "__notes__", ()) if note == helps or note != general]
    for part in (what_happened(error), *notes, helps):
        part = " ".join(part.split())
        if part and part not in text:
            text += ("" if not text else " " if text.endswith((".", "!", "?")) else ". ") + part
    return text
