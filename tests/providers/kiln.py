"""A small provider of a vendor that does not exist: one request each, nothing left out.  Faults are planted in it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from aiogen import (
    AccountInfo,
    APIError,
    Cost,
    Facts,
    FailureCode,
    InputError,
    NotFound,
    Output,
    Provider,
    Reference,
    State,
    Typical,
)
from aiogen.exchange import (
    Accepted,
    Cancelled,
    Deleted,
    Exchange,
    Failure,
    Page,
    Response,
    Snapshot,
    Submission,
    Ticket,
)  # fmt: skip
from aiogen.providers.checks import check_extra, check_id, check_prompt, path_of
from aiogen.providers.parameters import check_known, take_extra
from aiogen.providers.reading import (
    objects_in,
    parse_amount,
    parse_json,
    parse_object,
    parse_time,
    plain_details,
    read,
    read_page,
    read_part,
    unreadable,
)  # fmt: skip

STATES = {"cold": State.QUEUED, "hot": State.PROCESSING, "done": State.COMPLETED, "cracked": State.FAILED}


@attrs.frozen(kw_only=True)
class KilnImage:
    """What is asked of it."""

    prompt: str = attrs.field(repr=False)
    model: str
    source: Reference | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        check_prompt(self.prompt)
        check_extra(self.extra)

    def references(self) -> tuple[Reference, ...]:
        return () if self.source is None else (self.source,)

    def with_files(self, files: Mapping[Path, Reference]) -> KilnImage:
        path = self.source.path if self.source is not None else None
        return self if path is None else attrs.evolve(self, source=files[path])


@attrs.frozen
class Firing:
    id: str
    state: str
    created: str | None = None
    why: str | None = None


@attrs.frozen
class Picture:
    url: str | None = None


@attrs.frozen(kw_only=True)
class Kiln(Provider):
    """Fires pictures."""

    facts = Facts(
        vendor="Kiln",
        name="kiln",
        url="https://api.kiln.example/v1",
        request_type=KilnImage,
        key_variable="KILN_KEY",
        max_active=4,
        creates_per_minute=10,
        requests_per_minute=100,
        list_page=20,
    )

    def prepare(self, model: str, prompt: str | None, options: Mapping[str, Any]) -> KilnImage:
        options = dict(options)
        extra = take_extra(options)
        check_known("Kiln", options, ["source"])
        source = options.get("source")
        return KilnImage(
            model=model,
            prompt=check_prompt(prompt),
            source=None if source is None else Reference.of(source),
            extra=extra,
        )

    def encode(self, request: KilnImage) -> Submission:
        body: dict[str, Any] = {"model": request.model, "prompt": request.prompt, **request.extra}
        if request.source is not None:
            body["source"] = said(request.source)
        return Submission(
            model=request.model,
            kind="image",
            prompt=request.prompt,
            endpoint="firings",
            body=body,
            timeout=300.0,
            typical=self.typical(request.model, Typical(median=20.0, spread=0.5)),
        )

    def create(self, submission: Submission) -> Exchange[Accepted]:
        response = yield self.request("create", "POST", "/firings", body=submission.body)
        document = self.answered(response, "create")
        try:
            name = check_id(document.get("id"))
        except ValueError:
            raise unreadable(response, "create", "no id", "$.id") from None
        amount = parse_amount(document.get("cost"))
        return Accepted(
            snapshot=Snapshot(
                provider_id=name,
                state=State.QUEUED,
                cost=None if amount is None else Cost(amount, "CREDITS"),
                raw=document,
            )
        )

    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        response = yield self.request("retrieve", "GET", f"/firings/{path_of(check_id(ticket.provider_id))}")
        return self.snapshot(self.answered(response, "retrieve"), response, "retrieve")

    def list(self, user_id: str | None, offset: int, limit: int) -> Exchange[Page]:
        query = {"offset": str(offset), "limit": str(limit)}
        response = yield self.request("list", "GET", "/firings", query=query)
        rows = self.answered(response, "list").get("firings")
        if not isinstance(rows, list):
            raise unreadable(response, "list", "no list", "$.firings")
        return read_page(rows, lambda row, i: self.snapshot(row, response, "list"))

    def delete(self, provider_id: str) -> Exchange[Deleted]:
        response = yield self.request("delete", "DELETE", f"/firings/{path_of(check_id(provider_id))}")
        try:
            self.answered(response, "delete")
        except NotFound as error:
            if not error.from_api:
                raise
            return Deleted(found=False)
        return Deleted(found=True)

    def cancel(self, ticket: Ticket) -> Exchange[Cancelled]:
        response = yield self.request("cancel", "POST", f"/firings/{path_of(check_id(ticket.provider_id))}/stop")
        return Cancelled(stopped=self.answered(response, "cancel").get("stopped") is True)

    def read_account(self) -> Exchange[AccountInfo]:
        response = yield self.request("retrieve", "GET", "/me")
        document = self.answered(response, "retrieve")
        return AccountInfo(provider=self.facts.name, connection=self.name, raw=document)

    def answered(self, response: Response, verb: str) -> dict[str, Any]:
        """The answer's object, once it is sure that it is no refusal."""
        if 300 <= response.status < 400:
            raise unreadable(response, verb, "a redirect")
        if response.status >= 400:
            raise self.refused(response, verb)
        return parse_object(response, verb)

    def refused(self, response: Response, verb: str) -> APIError:
        try:
            document = parse_json(response, verb)
        except Exception:
            return self.refusal(response, verb, plain_details(response), from_api=False)
        words = document.get("error") if isinstance(document, dict) else None
        return self.refusal(response, verb, str(words or document)[:300], from_api=isinstance(words, str))

    def snapshot(self, document: Any, response: Response, verb: str) -> Snapshot:
        firing = read(Firing, document, response, verb)
        if not firing.id.strip():
            raise unreadable(response, verb, "an empty id", "$.id")
        state = STATES.get(firing.state)
        outputs = outputs_in(document)
        return Snapshot(
            provider_id=firing.id,
            state=state or State.QUEUED,
            unknown_state=None if state else firing.state,
            outputs=outputs,
            missing_outputs=state is State.COMPLETED and not outputs,
            failure=Failure(code=FailureCode.UNKNOWN, reason=firing.why) if state is State.FAILED else None,
            created_at=parse_time(firing.created),
            raw=document,
        )


def outputs_in(document: dict[str, Any]) -> tuple[Output, ...]:
    found = [read_part(Picture, item).url for item in objects_in(document.get("pictures"))]
    return tuple(Output(kind="image", url=url) for url in found if url)


def said(reference: Reference) -> dict[str, str]:
    if reference.data is not None:
        return {"base64": base64.b64encode(reference.data).decode()}
    if reference.url is not None:
        return {"url": reference.url}
    raise InputError("Kiln takes pictures as addresses, bytes or files.")
