"""The JSON object of one generation: the same keys in every command.

Its keys are a promise to programs; docs/cli.md lists them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs

from aiogen._schema import as_json, moment
from aiogen.cli.advice import what_happened
from aiogen.errors import AiogenError, GenerationTimeout, NotFound, SubmissionUnknown
from aiogen.models import Generation, State, UnknownJob
from aiogen.stores.base import Record

_INDEX = re.compile(r"-(\d+)$")
_ASSUMED = (State.QUEUED, State.PROCESSING)


@attrs.frozen(kw_only=True)
class Kept:
    """What the ledger knows beside the generation."""

    batch: str | None = None
    fingerprint: str | None = None
    added_at: datetime | None = None
    submitted_at: datetime | None = None


NOTHING_KEPT = Kept()


def as_record(
    generation: Generation | None,
    *,
    connection: str,
    provider_id: str | None,
    kept: Kept = NOTHING_KEPT,
    error: AiogenError | None = None,
    files: Sequence[Path] = (),
) -> dict[str, Any]:
    """The JSON object.  `generation` is None for an id that could not be read."""
    known = generation if generation is not None else _nothing(connection, provider_id)
    was_seen = generation is not None and is_seen(generation, error)
    record = known.to_dict(data=False)
    warnings = record.pop("warnings")
    if not was_seen:
        record["state"] = record["kind"] = None
    record["provider_id"] = known.provider_id or provider_id
    paths = _paths(known, files)
    record["outputs"] = [output | {"path": path} for output, path in zip(record["outputs"], paths, strict=True)]
    record["failure_code"] = as_json(failure_code(generation, error))
    record["failure_reason"] = failure_reason(generation, error)
    record["action"] = as_json(known.action if known.action is not None else getattr(error, "action", None))
    record |= {
        "batch": kept.batch,
        "fingerprint": kept.fingerprint,
        "added_at": moment(kept.added_at),
        "submitted_at": moment(kept.submitted_at),
        "files": [str(path) for path in files],
        "warnings": _warnings(known, warnings),
        "error": error_as_json(error),
    }
    return record


def error_as_json(error: AiogenError | None) -> dict[str, Any] | None:
    """What prevented a command from doing what it was asked for."""
    if error is None:
        return None
    return {
        "type": type(error).__name__,
        "message": what_happened(error),
        "code": as_json(error.code),
        "action": as_json(error.action),
        "retryable": error.retryable,
        "request_id": error.request_id,
    }


def of_record(record: Record) -> dict[str, Any]:
    """What the ledger knows of a job, in the same keys, with its names and its place among the others."""
    kept = Kept(
        batch=record.batch,
        fingerprint=record.fingerprint,
        added_at=record.created_at,
        submitted_at=record.submitted_at,
    )
    known = as_record(generation_of(record), connection=record.connection, provider_id=record.provider_id, kept=kept)
    return known | {"key": record.key, "scope": record.scope, "metadata": record.metadata, "cursor": record.cursor}


def generation_of(record: Record) -> Generation:
    """A job in the ledger as a generation, as far as it is known."""
    known = record.generation or Generation(
        id=record.id,
        provider_id=record.provider_id,
        provider=record.provider,
        connection=record.connection,
        model=record.model,
        kind=record.kind,
        state=record.state,
        prompt=record.prompt,
    )
    return attrs.evolve(
        known,
        state=record.state,
        provider_id=known.provider_id or record.provider_id,
        accepted_at=known.accepted_at or record.accepted_at,
        finished_at=known.finished_at or record.finished_at,
    )


def of_unknown(job: UnknownJob, advice: str) -> dict[str, Any]:
    """A job whose create was never answered, with what it could have become."""
    known = Generation(
        id=job.job_id,
        provider_id=None,
        provider=job.connection,
        connection=job.connection,
        model=job.model,
        state=State.UNKNOWN,
        prompt=job.prompt,
    )
    kept = Kept(batch=job.batch, fingerprint=job.fingerprint, submitted_at=job.submitted_at)
    candidates = [
        as_record(c.generation, connection=job.connection, provider_id=c.generation.provider_id)
        | {"seconds": c.seconds}
        for c in job.candidates
    ]
    return as_record(known, connection=job.connection, provider_id=None, kept=kept) | {
        "searched": job.searched,
        "explanation": job.explanation,
        "advice": advice,
        "candidates": candidates,
    }


def is_seen(generation: Generation, error: AiogenError | None = None) -> bool:
    """False if its state is only assumed: an id was named, and the provider has said nothing about it."""
    is_assumed = generation.state in _ASSUMED or isinstance(error, NotFound)
    return not is_assumed or generation.accepted_at is not None or bool(generation.raw)


def failure_code(generation: Generation | None, error: AiogenError | None) -> str | None:
    """Why it failed; None while it may still complete."""
    if generation is not None and generation.failure_code is not None:
        return generation.failure_code
    # These two say "unknown" of what may yet end well: that is no failure.
    if error is None or isinstance(error, GenerationTimeout | SubmissionUnknown):
        return None
    return error.code


def failure_reason(generation: Generation | None, error: AiogenError | None) -> str | None:
    """The vendor's words, else ours."""
    said = generation.failure_reason if generation is not None else None
    return said or (what_happened(error) if error is not None else None)


def _nothing(connection: str, provider_id: str | None) -> Generation:
    return Generation(
        id=None,
        provider_id=provider_id,
        provider=connection,
        connection=connection,
        model=None,
        state=State.QUEUED,
    )


def _paths(generation: Generation, files: Sequence[Path]) -> list[str | None]:
    """Where each output was saved."""
    if len(files) == len(generation.outputs):
        return [str(path) for path in files]
    # By the index in the name: not every output has become a file.
    found = {int(match[1]): str(path) for path in files if (match := _INDEX.search(path.stem))}
    return [found.get(i) for i in range(len(generation.outputs))]


def _warnings(generation: Generation, warnings: Sequence[str]) -> list[str]:
    fewer = ("fewer outputs came than were asked for",) if generation.partial else ()
    return list(dict.fromkeys((*fewer, *warnings)))
