"""What Leonardo's answers say: the id of a new generation, how a generation is, its pictures, why it failed.  Pure.

Nearly every field may be null or absent (SDK issues 76, 80 and 86 report nulls that the schema forbids).  Why a
generation failed is in no documented field; what hints there are were recorded, or come from other layers of the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from aiogen._checks import check_id
from aiogen._content.expiry import url_expiry
from aiogen._wording import shorten
from aiogen.errors import InputError, ProtocolError
from aiogen.exchange import Failure, Response, Snapshot, Ticket
from aiogen.models import Action, Cost, FailureCode, Generation, Output, State
from aiogen.providers.leonardo_models import slug_of
from aiogen.providers.reading import (
    check_outputs,
    objects_in,
    parse_amount,
    parse_json,
    parse_time,
    read,
    read_part,
    unread_in,
    unreadable,
)

STATES = {
    "PENDING": State.QUEUED,  # queued and running are both PENDING; nothing distinguishes them
    "COMPLETE": State.COMPLETED,
    "COMPLETED": State.COMPLETED,  # the word of the blueprint calls
    "FAILED": State.FAILED,
}

NsfwPolicy = Literal["keep", "drop", "fail"]

# Where the new id stands, in order: v2 as recorded, v1, videos, v2 as published.
_CREATED = ("generate", "sdGenerationJob", "motionVideoGenerationJob", "motionSvdGenerationJob")

_MODERATED = "moderat"
"""In the type of a failure's reason: PROMPT_MODERATION_BLOCKED (blueprints), PROVIDER_MODERATION_ERROR (web app)."""


@attrs.frozen
class _Image:
    url: str | None = None
    id: str | None = None
    nsfw: Any = None
    motionMP4URL: str | None = None  # noqa: N815  - theirs


@attrs.frozen
class _Row:
    id: str
    status: str
    prompt: str | None = None
    modelId: str | None = None  # noqa: N815
    createdAt: str | None = None  # noqa: N815
    motion: bool | None = None


# --- a create


def accepted(response: Response) -> dict[str, Any] | None:
    """The job of an answer that has an id: whatever else is in it, that job runs and is paid for."""
    try:
        return created(parse_json(response, "create")) if response.status < 300 else None
    except ProtocolError:
        return None


def created(document: Any) -> dict[str, Any] | None:
    """The object that holds the new generation's id, wherever this version of the API puts it."""
    if isinstance(document, list):
        return created(document[0]) if len(document) == 1 else None
    if not isinstance(document, dict):
        return None
    for candidate in (*(document.get(name) for name in _CREATED), document):
        if isinstance(candidate, dict):
            try:
                return {**candidate, "generationId": check_id(candidate.get("generationId"))}
            except InputError:
                continue  # none, or one that cannot be asked about
    return None


def cost_of(job: Mapping[str, Any]) -> Cost | None:
    """What an accepted create says that it costs."""
    cost = job.get("cost")
    if isinstance(cost, Mapping):
        amount = parse_amount(cost.get("amount"))
        if amount is not None:
            return Cost(amount, str(cost.get("unit") or "DOLLARS"))
    credits_cost = parse_amount(job.get("apiCreditCost"))
    # Live video creates answered 0 and no cost; 0 alone does not mean free.
    return Cost(credits_cost, "CREDITS") if credits_cost else None


# --- a generation


def snapshot_of(
    item: Any, response: Response, verb: str, where: str, ticket: Ticket | None, nsfw: NsfwPolicy
) -> Snapshot:
    """One generation as it is read or listed."""
    row = read(_Row, item, response, verb, where)
    if not row.id.strip():
        raise unreadable(response, verb, "an empty id", where + ".id")
    state = STATES.get(row.status.upper())
    listed = item.get("generated_images")
    images = [(raw, read_part(_Image, raw)) for raw in objects_in(listed)]
    asked_kind = ticket.kind if ticket is not None else "image"
    found = [output for raw, image in images for output in _outputs(image, raw, asked_kind)]
    if state is State.COMPLETED:
        urls = ("url", "motionMP4URL")
        check_outputs(listed, len(found), urls, response, verb, where + ".generated_images")
    outputs = tuple(output for output in found if not (output.nsfw and nsfw == "drop"))
    asked = ticket.outputs if ticket is not None else None
    failure = _failure(state, item, any(flag_of(image.nsfw) for _, image in images), outputs, nsfw)
    is_film = any(image.motionMP4URL for _, image in images) or row.motion
    return Snapshot(
        provider_id=row.id,
        state=State.FAILED if failure else state or State.QUEUED,
        unknown_state=None if state else row.status,
        # A reading names the model by its UUID, whatever it was created with.
        model=(ticket.model if ticket is not None else None) or slug_of(row.modelId),
        kind="video" if is_film else None,
        prompt=row.prompt or None,  # models without a prompt
        outputs=outputs,
        partial=state is State.COMPLETED and asked is not None and len(outputs) < asked,
        failure=failure,
        warnings=unread_in(listed, len(found)) if state is State.COMPLETED else (),
        created_at=parse_time(row.createdAt),
        raw=item,
    )


def _outputs(image: _Image, raw: Mapping[str, Any], asked_kind: str) -> list[Output]:
    """For a video `motionMP4URL` is the film and `url` its poster.  Of sounds and solids nothing is documented."""
    url, kind = (image.motionMP4URL, "video") if image.motionMP4URL else (image.url, "image")
    if kind == "image" and asked_kind in ("audio", "3d"):
        kind = asked_kind
    if not url:
        return []
    # Leonardo's own do not expire; one that is signed says when it does.
    expires_at = url_expiry(url)
    return [Output(kind=kind, url=url, expires_at=expires_at, provider_id=image.id, nsfw=flag_of(image.nsfw), raw=raw)]


def flag_of(value: object) -> bool | None:
    """A flag in any of the forms that layers give it: a user who wants such pictures dropped must not get one."""
    word = str(value).lower() if isinstance(value, bool | int | float | str) else ""
    return {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}.get(word)


def beside_outputs(generation: Generation) -> str | None:
    """What is at the vendor with a generation beside its outputs, in words."""
    listed = generation.raw.get("generated_images")
    images = objects_in(listed)
    variations = [each for image in images for each in objects_in(image.get("generated_image_variation_generics"))]
    made = sum(bool(each.get("url")) for each in variations)
    found = [f"{made} variation{'s' * (made > 1)} (upscales and the like)"] if made else []
    return " and ".join([*unread_in(listed, len(generation.outputs)), *found]) or None


# --- a failure


def _failure(
    state: State | None, item: Mapping[str, Any], any_nsfw: bool, outputs: tuple[Output, ...], nsfw: NsfwPolicy
) -> Failure | None:
    """Why it failed.  There is no code in it; the one hint is `prompt_moderations` (recorded, undocumented)."""
    flagged = _classifications(item.get("prompt_moderations"))
    moderated = Failure(
        code=FailureCode.CONTENT_MODERATED,
        reason="moderated: " + ", ".join(flagged) if flagged else "all images were withheld as nsfw",
        vendor_code=",".join(flagged) or None,
    )
    reason, vendor_code = _reason(item)
    is_moderated = vendor_code is not None and _MODERATED in vendor_code.lower()
    code = FailureCode.CONTENT_MODERATED if is_moderated else FailureCode.GENERATION_FAILED
    if state is State.FAILED:
        return moderated if flagged else Failure(code=code, reason=reason, vendor_code=vendor_code)
    if state is not State.COMPLETED:
        return None
    if nsfw == "fail" and any_nsfw:
        return attrs.evolve(moderated, reason="images were flagged nsfw, and this connection has nsfw='fail'")
    if outputs:
        return None
    if is_moderated:
        return Failure(code=code, reason=reason, vendor_code=vendor_code)
    if flagged or any_nsfw:
        return moderated
    # Three independent clients saw this after moderation; nothing in the answer says so.
    return Failure(
        code=FailureCode.OUTPUT_NOT_FOUND,
        reason="completed without any image, probably because of moderation",
        action=Action.CHANGE_INPUT,
    )


def _classifications(moderations: Any) -> list[str]:
    """The words in `prompt_moderations`, which is a list, or in other layers one object."""
    items = moderations if isinstance(moderations, list) else [moderations]
    words = [item.get("moderationClassification") for item in items if isinstance(item, dict)]
    return [str(word) for found in words if isinstance(found, list) for word in found]


def _reason(item: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Words about a failure and their code, under the names seen in other layers of this API.

    The runs of blueprints have `failedReason` with `type` and `message`; the web app has `notes`, each with a
    `failureReason`.
    """
    for name in ("failedReason", "error", "message", "notes"):
        found = item.get(name)
        if not found:
            continue
        first = found[0] if name == "notes" and isinstance(found, list) else found
        if isinstance(first, dict) and isinstance(first.get("failureReason"), dict):
            first = first["failureReason"]
        words, code = (None, None)
        if isinstance(first, dict):
            words = _text(first.get("message")) or _text(first.get("errorMessage"))
            code = _text(first.get("type")) or _text(first.get("errorCode"))
        text = words or (found if isinstance(found, str) else str(found))
        return shorten(text, 300), shorten(code, 100) if code else None
    return None, None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


__all__ = ["STATES", "NsfwPolicy", "accepted", "beside_outputs", "cost_of", "created", "flag_of", "snapshot_of"]
