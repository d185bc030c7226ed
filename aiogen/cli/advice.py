"""What went wrong and what helps, in terms of the command line.  Pure.

The package's messages are for programs: they end in `session.attach(…)` or `Session(queue_timeout=…)`.  The most
important ones are written here again from the error's attributes, with the command that helps; from all others only
what names Python is removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from aiogen._wording import duration
from aiogen.errors import (
    AiogenError,
    APIError,
    GenerationTimeout,
    InputError,
    InvalidRequest,
    NotFound,
    ProtocolError,
    SessionClosed,
    StoreError,
    SubmissionUnknown,
    UnknownParameter,
)
from aiogen.models import Action

Command = Callable[..., str]
"""Writes a command of this program as one types it; see `aiogen.cli.program.command`."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_CALLS = re.compile(r"\b[Ss]ession(?:\.\w+)?\(")
_EXTRA = re.compile(r"To send it all the same, pass extra=\{.*\}\.$")
_ARGUMENTS = (
    re.compile(r" or \w+=(?=\))"),  # (from LUMA_BASE_URL or base_url=)
    re.compile(r" \(\w+=\w+\)"),  # its request was not kept (keep_requests=False)
    re.compile(r", or pass .*?(?=\.(?:\s|$))"),  # use https, or pass allow_insecure=True if you accept that.
)


def what_happened(error: AiogenError) -> str:
    """The message, without what is meant for Python programs."""
    if isinstance(error, GenerationTimeout):
        return _late(error)
    if isinstance(error, SubmissionUnknown) and error.submitted_at is not None:
        why = f": {error.__cause__}" if error.__cause__ is not None else "."
        return (
            f"It is not known whether {error.connection} accepted job {error.job_id}{why} It was sent at "
            f"{error.submitted_at.isoformat(timespec='seconds')} and may be running and charged; aiogen does not send "
            "it again on its own."
        )
    if isinstance(error, UnknownParameter):
        way_out = f"To send it all the same: --extra {error.parameter}=…"
        return without_python(_EXTRA.sub(lambda _: way_out, error.message))
    if isinstance(error, APIError | ProtocolError):
        return error.message  # the vendor's words, whatever they look like
    return without_python(error.message)


def without_python(text: str) -> str:
    """A message or a note of the package, without the calls that it suggests to programs."""
    for argument in _ARGUMENTS:
        text = argument.sub("", text)
    return " ".join(sentence for sentence in _SENTENCE_END.split(text) if not _CALLS.search(sentence))


def _late(error: GenerationTimeout) -> str:
    if error.provider_id is None:
        # Its turn did not come, here or in the process that has it: it is not always known which.
        return f"Job {error.job_id} was not sent to {error.connection} within {duration(error.timeout)}."
    within = duration(error.timeout)
    last = f" The last status request failed: {error.__cause__}" if error.__cause__ is not None else ""
    return (
        f"Generation {error.provider_id} at {error.connection} did not finish within {within}; it may still finish."
        f"{last}"
    )


def what_helps(error: AiogenError, command: Command) -> str:
    """What to do; empty where the message says it, or nothing is known to help."""
    if "Is the base url " in error.message:
        return ""
    if isinstance(error, NotFound | InvalidRequest) and error.provider_id is not None:
        return "Check the id, and that the key belongs to the account that made it."
    if isinstance(error, GenerationTimeout):
        # "Try again" would be understood as a second submission, which is a second bill.
        if error.provider_id is not None:
            return f"Follow it again with: {command('wait', error.connection or '', error.provider_id)}"
        if error.action is Action.RETRY:
            return "Nothing was charged; submit it again."
        return f"See what became of it with: {command('jobs')}"
    if isinstance(error, SubmissionUnknown):
        return f"See what it could have become with: {command('reconcile')}"
    if isinstance(error, StoreError):
        # One that is about a job is not about the file; nor is one about a database, or about a move to there.
        is_of_a_file = error.job_id is None and "postgresql://" not in error.message
        return "" if not is_of_a_file else "--store FILE names another ledger, --store :memory: keeps none."
    # The message of an input error says what would be right; a closed session prints its own summary.
    if error.action is None or isinstance(error, InputError | SessionClosed):
        return ""
    return error.action.help_text
