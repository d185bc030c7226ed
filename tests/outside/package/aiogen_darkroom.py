"""A provider from outside the package, of a vendor that does not exist: asked for the status, then for the result.

Only public names of aiogen are imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

import aiogen
from aiogen.exchange import (
    Accepted,
    Cancelled,
    Exchange,
    Failure,
    Response,
    Snapshot,
    Submission,
    Ticket,
)
from aiogen.providers.checks import check_extra, check_id, check_prompt, path_of
from aiogen.providers.parameters import check_known, take_extra
from aiogen.providers.reading import objects_in, parse_json, parse_object, plain_details, read, read_part, unreadable

STATES = {
    "QUEUED": aiogen.State.QUEUED,
    "DEVELOPING": aiogen.State.PROCESSING,
    "READY": aiogen.State.COMPLETED,
}


@attrs.frozen(kw_only=True)
class DarkroomPrint:
    """What is asked of Darkroom."""

    model: str
    prompt: str = attrs.field(repr=False)
    extra: Mapping[str, Any] = attrs.field(factory=dict)
    """Further fields, as Darkroom names them."""

    def __attrs_post_init__(self) -> None:
        check_prompt(self.prompt)
        check_extra(self.extra)

    def references(self) -> tuple[aiogen.Reference, ...]:
        """It takes no images."""
        return ()


@attrs.frozen
class _Status:
    state: str


@attrs.frozen
class _Picture:
    href: str | None = None


@attrs.frozen(kw_only=True)
class Darkroom(aiogen.Provider):
    """Darkroom's queue (`https://api.darkroom.example`)."""

    facts: ClassVar[aiogen.Facts] = aiogen.Facts(
        vendor="Darkroom",
        name="darkroom",
        url="https://api.darkroom.example/v1",
        request_type=DarkroomPrint,
        key_variable="DARKROOM_KEY",
        max_active=10,
        creates_per_minute=60,
        requests_per_minute=600,
        poll_floor=0.1,
    )

    def prepare(self, model: str, prompt: str | None, options: Mapping[str, Any]) -> DarkroomPrint:
        """The typed request for keywords; Darkroom has none of its own."""
        options = dict(options)
        extra = take_extra(options)
        check_known("Darkroom", options, ())
        return DarkroomPrint(model=model, prompt=check_prompt(prompt), extra=extra)

    def encode(self, request: DarkroomPrint) -> Submission:
        """The body of the create."""
        return Submission(
            model=request.model,
            kind="image",
            prompt=request.prompt,
            endpoint="prints",
            body={"film": request.model, "subject": request.prompt, **request.extra},
            timeout=120.0,
            typical=self.typical(request.model, aiogen.Typical(median=0.3, spread=0.5)),
        )

    def headers(self) -> dict[str, str]:
        """Darkroom's word for the key is "Ticket"."""
        return {**super().headers(), "Authorization": f"Ticket {self.api_key}"}

    def create(self, submission: Submission) -> Exchange[Accepted]:
        """`POST /prints`: answers with the addresses to ask, which are kept in the ledger."""
        response = yield self.request("create", "POST", "/prints", body=submission.body)
        document = self._answer(response, "create")
        try:
            name = check_id(document.get("print"))
        except aiogen.InputError:
            raise unreadable(response, "create", "no id that is valid", "$.print") from None
        # Never built while they are known: which part of the model belongs into them is not documented.
        paths = {word: self.path_below(document.get(f"{word}_url")) for word in ("status", "result")}
        return Accepted(
            snapshot=Snapshot(provider_id=name, state=aiogen.State.QUEUED, raw=document),
            reference={word: path for word, path in paths.items() if path is not None},
        )

    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        """The status, which answers 202 until it is ready; then the result, which may be a refusal."""
        response = yield self.request("retrieve", "GET", self._path(ticket, "status"))
        document = self._answer(response, "retrieve")
        word = read(_Status, document, response, "retrieve").state
        state = STATES.get(word)
        if state is not aiogen.State.COMPLETED:
            return Snapshot(
                provider_id=ticket.provider_id,
                state=state or aiogen.State.QUEUED,
                unknown_state=None if state else word,
                raw=document,
            )
        response = yield self.request("retrieve", "GET", self._path(ticket, "result"))
        if response.status == 422 and (failure := _failure(response)) is not None:
            return Snapshot(
                provider_id=ticket.provider_id,
                state=aiogen.State.FAILED,
                failure=failure,
                raw=parse_object(response, "retrieve"),
            )
        document = self._answer(response, "retrieve")
        if "pictures" not in document:
            raise unreadable(response, "retrieve", "no pictures", "$.pictures")
        found = [read_part(_Picture, item) for item in objects_in(document["pictures"])]
        outputs = tuple(aiogen.Output(kind="image", url=picture.href) for picture in found if picture.href)
        return Snapshot(
            provider_id=ticket.provider_id, state=state, outputs=outputs, missing_outputs=not outputs, raw=document
        )

    def cancel(self, ticket: Ticket) -> Exchange[Cancelled]:
        """`DELETE /prints/{id}`, which a print that is ready outlives."""
        path = f"/prints/{path_of(check_id(ticket.provider_id))}"
        response = yield self.request("cancel", "DELETE", path)
        return Cancelled(stopped=self._answer(response, "cancel").get("stopped") is True)

    def read_account(self) -> Exchange[aiogen.AccountInfo]:
        """`GET /me`."""
        response = yield self.request("retrieve", "GET", "/me")
        document = self._answer(response, "retrieve")
        return aiogen.AccountInfo(provider=self.facts.name, connection=self.name, raw=document)

    def _path(self, ticket: Ticket, word: str) -> str:
        """What the create's answer said; of a print that was made elsewhere, what the documentation says."""
        usual = f"/prints/{path_of(check_id(ticket.provider_id))}/{word}"
        said = (ticket.reference or {}).get(word)
        return said if isinstance(said, str) else usual

    def _answer(self, response: Response, verb: str) -> dict[str, Any]:
        if 300 <= response.status < 400:
            raise unreadable(response, verb, "a redirect, which is not followed because the request contains the key")
        if response.status >= 400:
            details = _details(response, verb)
            words = plain_details(response) if details is None else details
            raise self.refusal(response, verb, words, from_api=details is not None)
        return parse_object(response, verb)


def _details(response: Response, verb: str) -> str | None:
    """Darkroom's words; None if it is somebody else who answers."""
    try:
        document = parse_json(response, verb)
    except aiogen.ProtocolError:
        return None
    error = document.get("error") if isinstance(document, dict) else None
    words = error.get("message") if isinstance(error, dict) else None
    return words if isinstance(words, str) else None


def _failure(response: Response) -> Failure | None:
    words = _details(response, "retrieve")
    return None if words is None else Failure(code=aiogen.FailureCode.GENERATION_FAILED, reason=words)
