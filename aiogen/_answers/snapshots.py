"""What the vendor's answer says of a generation, joined to what is known of it.  Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import attrs

from aiogen._content.measure import measure
from aiogen.exchange import Failure, Snapshot, Submission
from aiogen.models import ACTIONS, Generation, Output, State
from aiogen.providers.base import Provider

_FRESH = timedelta(minutes=1)
"""A url that works for less than this is not given out again."""


def looked_up(provider: Provider, snapshot: Snapshot, *, job_id: str | None = None, at: datetime) -> Generation:
    """A generation as the vendor describes it, with nothing of ours but perhaps the id."""
    bare = Generation(
        id=job_id,
        provider_id=snapshot.provider_id,
        provider=provider.facts.name,
        connection=provider.name,
        model=snapshot.model,
        state=snapshot.state,
    )
    return advanced(bare, snapshot, snapshot.state, at)


def asked_for(job_id: str, provider: Provider, submission: Submission | None, state: State, **known: Any) -> Generation:
    """A generation as a create asks for it; what was asked for is None where nobody knows it any more."""
    if submission is not None:
        known |= {
            "kind": submission.kind,
            "prompt": submission.prompt,
            "cost": submission.estimate,
            "warnings": submission.warnings,
        }
    return Generation(
        id=job_id,
        provider_id=known.pop("provider_id", None),
        provider=provider.facts.name,
        connection=provider.name,
        model=submission.model if submission is not None else None,
        state=state,
        **known,
    )


def advanced(known: Generation, snapshot: Snapshot, state: State, at: datetime) -> Generation:
    """What is known, brought up to date by a snapshot; `state` has been checked to lead forward."""
    begins = state is State.PROCESSING and known.state is not State.PROCESSING
    failure = snapshot.failure if state is State.FAILED else None
    return attrs.evolve(
        known,
        provider_id=known.provider_id or snapshot.provider_id,
        model=known.model or snapshot.model,
        kind=snapshot.kind or known.kind,
        prompt=known.prompt or snapshot.prompt,
        state=state,
        outputs=tuple(map(_described, snapshot.outputs)),
        partial=snapshot.partial,
        cost=snapshot.cost or known.cost,
        warnings=tuple(dict.fromkeys((*known.warnings, *snapshot.warnings))),
        created_at=snapshot.created_at or known.created_at,
        finished_at=at if state.is_terminal else None,
        began_at=at if begins else known.began_at,
        raw=snapshot.raw,
        **_failure_fields(failure),
    )


def failed(known: Generation, failure: Failure, at: datetime) -> Generation:
    """The generation as it is known, ended by a failure that the vendor has not reported."""
    return attrs.evolve(known, state=State.FAILED, finished_at=at, **_failure_fields(failure))


def _described(output: Output) -> Output:
    """Bytes that the vendor sent say themselves what they are."""
    if output.data is None:
        return output
    found = measure(output.data)
    return attrs.evolve(
        output,
        media_type=found.media_type or output.media_type,
        width=found.width or output.width,
        height=found.height or output.height,
    )


def _failure_fields(failure: Failure | None) -> dict[str, Any]:
    if failure is None:
        return {}
    return {
        "failure_code": failure.code,
        "failure_reason": failure.reason,
        "vendor_code": failure.vendor_code,
        "action": failure.action or ACTIONS[failure.code],
        "refunded": failure.refunded,
    }


def still_holds(generation: Generation, at: datetime) -> bool:
    """True if nothing newer can be read of a generation that is over: its urls, if it has any, still work."""
    soon = at + _FRESH
    return generation.state.is_terminal and all(o.expires_at is None or o.expires_at > soon for o in generation.outputs)
