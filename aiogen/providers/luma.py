"""Luma Agents API: our words here, theirs there.  Pure.

Sources, as named in the comments: the guides at docs.agents.lumalabs.ai (rate limits, error handling, FAQ, images),
the API reference, and the types of the official SDK `luma-agents` 0.5.0.  Not documented and so treated with care:
the current numeric limits, weights of most requests, whether a slot is freed by the end of a job or by the poll that
sees it, how long a finished generation can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, ClassVar

import attrs

from aiogen._checks import check_id, path_of
from aiogen._content.expiry import url_expiry
from aiogen._wording import shorten
from aiogen.catalogue import ModelInfo
from aiogen.errors import APIError, InputError, NotFound, ProtocolError, Throttle
from aiogen.exchange import Accepted, Exchange, Failure, Quota, Response, Snapshot, Submission, Ticket
from aiogen.models import AccountInfo, FailureCode, Output, State, Typical
from aiogen.providers.base import Provider
from aiogen.providers.facts import Facts
from aiogen.providers.luma_keywords import request_for
from aiogen.providers.luma_models import MODELS, known_models, price_of
from aiogen.providers.luma_request import MAX_REFERENCE_BYTES, LumaImage, LumaImageEdit, LumaLayering, LumaRequest
from aiogen.providers.luma_video import LumaVideo, LumaVideoEdit, LumaVideoReframe
from aiogen.providers.reading import (
    check_outputs,
    objects_in,
    parse_json,
    parse_object,
    parse_time,
    plain_details,
    read,
    read_part,
    retry_after,
    unread_in,
    unreadable,
    whole_number,
)

_PHRASES = frozenset(status.phrase.lower() for status in HTTPStatus if status != 429)
"""What HTTP itself calls its statuses; a 429 counts from anyone."""

STATES = {
    "queued": State.QUEUED,
    "processing": State.PROCESSING,
    "completed": State.COMPLETED,
    "failed": State.FAILED,
}

# All nine: guide "error handling", API reference, and the SDK's type.
FAILURE_CODES = {
    code.value: code
    for code in (
        FailureCode.CONTENT_MODERATED,
        FailureCode.GENERATION_FAILED,
        FailureCode.OUTPUT_NOT_FOUND,
        FailureCode.BUDGET_EXHAUSTED,
        FailureCode.IMAGE_TOO_LARGE,
        FailureCode.UNSUPPORTED_FORMAT,
        FailureCode.CORRUPT_INPUT,
        FailureCode.INVALID_REQUEST,
        FailureCode.RATE_LIMITED,
    )
}

_REFUNDED = (FailureCode.CONTENT_MODERATED, FailureCode.GENERATION_FAILED, FailureCode.OUTPUT_NOT_FOUND)
"""Guide "error handling": of these the credits are refunded; of the others it says nothing, or that part is charged."""

_TYPICAL_OTHER = Typical(median=40.0, spread=0.8)

# The docs' sample waits 120 s for a standard image; the others are ours.
_TIMEOUTS = {"image": 120.0, "image_edit": 120.0, "layering": 300.0}
_TIMEOUT_SLOW_MODEL = 300.0
_TIMEOUT_OTHER = 900.0

_NOBODYS = "00000000-0000-0000-0000-000000000000"
"""An id that no generation has."""

# Seen live in September 2026: an edit on uni-1-max took 3 units of both limits.  Other weights are not known.
_WEIGHTS = {("uni-1-max", "image_edit"): 3}


@attrs.frozen
class _Output:
    type: str | None = None
    url: str | None = None


@attrs.frozen
class _Generation:
    """What is read of their Generation; `output` and `failure_*` may be null or absent (SDK types)."""

    id: str
    state: str
    type: str | None = None
    model: str | None = None
    created_at: str | None = None
    failure_code: str | None = None
    failure_reason: str | None = None


@attrs.frozen(kw_only=True)
class Luma(Provider):
    """Luma's Agents API (`https://agents.lumalabs.ai/v1`).

    Args:
        api_key: by default from the environment variable LUMA_AGENTS_API_KEY.
        base_url: by default from LUMA_BASE_URL, else the vendor's.
        name: what model strings begin with, "luma" by default; for a second key at the same provider.
        max_active: jobs at the vendor at once, 10 by default; more wait here.
        creates_per_minute: in any 60 seconds, 30 by default.
        requests_per_minute: of any kind, 600 by default.
        allow_insecure: allow plain http to another machine; the key then travels unencrypted.
        extra_headers: sent with every request to base_url, such as what a proxy asks for; kept as secret as the key.
        previous_keys: keys that this account had before, which are never sent; jobs of them that the ledger has are
            followed with the present key, as Luma documents that all keys of a client see its generations.
        typical_seconds: how long a model usually takes, where you know better: `{"uni-1": 45.0}`.

    Raises:
        ConfigurationError: the key is missing or not valid, or the base url cannot be used.
        InputError: a number is out of its range.
    """

    facts: ClassVar[Facts] = Facts(
        vendor="Luma",
        name="luma",
        url="https://agents.lumalabs.ai/v1",
        request_type=LumaRequest,
        key_variable="LUMA_AGENTS_API_KEY",
        # Rate limits guide: 30 creates in a sliding minute, 10 active jobs.  Reads are outside; their ceiling is
        # "thousands per minute", so 600 stays well below.
        max_active=10,
        creates_per_minute=30,
        requests_per_minute=600,
        most_requests_per_minute=3000,
        max_reference_bytes=MAX_REFERENCE_BYTES,
        # Documented as safe to retry: the fetch proxy or the ingestion is down, nothing was queued.
        resend_statuses=frozenset({502, 503}),
        sends_request_id=True,  # echoed for tracing; it is no idempotency key
        poll_floor=0.5,  # FAQ: every 1-5 s is fine, 2-5 s recommended
        poll_ceiling=30.0,
        not_found_grace=10.0,  # nothing is documented about read-after-write
    )
    # "Not there": list, delete, cancel, balance (API reference, FAQ).

    def prepare(self, model: str, prompt: str | None, options: Mapping[str, Any]) -> LumaRequest:
        """The typed request for keywords; `type` says which, else the model and `source` do.

        Width and height become the nearest aspect ratio, `references` is `image_ref`; `n`, `seed` and `negative_prompt`
        are not sent, which the warnings of the request say.

        Raises:
            UnknownParameter: there is no such parameter; `extra=` sends it all the same.
        """
        return request_for(model, prompt, options)

    def encode(self, request: LumaRequest) -> Submission:
        """The body of the create, with references as Luma writes them."""
        body = request.body()
        slow = request.model != "uni-1" or request.type not in _TIMEOUTS
        timeout = _TIMEOUTS.get(request.type, _TIMEOUT_OTHER)
        known = MODELS.get(request.model)
        return Submission(
            model=request.model,
            kind=request.type,
            prompt=request.prompt,
            endpoint="generations",
            body=body,
            weight=_WEIGHTS.get((request.model, request.type), 1),
            weight_class=f"{request.model}/{request.type}",
            timeout=max(timeout, _TIMEOUT_SLOW_MODEL) if slow else timeout,
            typical=self.typical(request.model, known.typical if known is not None else _TYPICAL_OTHER),
            warnings=request.warnings,
            estimate=price_of(body),
        )

    def create(self, submission: Submission) -> Exchange[Accepted]:
        """`POST /generations`."""
        response = yield self.request("create", "POST", "/generations", body=submission.body)
        if not 200 <= response.status < 300:
            raise self._refusal(response, "create")
        name = _name(response)
        try:
            snapshot = self._snapshot(response, "create")
        except ProtocolError:
            if name is None:
                raise
            # Whatever else is wrong with the answer, that job runs and is paid for.
            snapshot = Snapshot(provider_id=name, state=State.QUEUED, kind=submission.kind)
        if name is None:
            raise unreadable(response, "create", "an id that is not valid", "$.id")
        headers = response.headers
        return Accepted(
            snapshot=attrs.evolve(snapshot, provider_id=name),
            quota=Quota(
                limit=whole_number(headers.get("x-ratelimit-limit")),
                remaining=whole_number(headers.get("x-ratelimit-remaining")),
            ),
        )

    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        """`GET /generations/{id}`; each read of a finished one brings fresh urls."""
        response = yield self.request("retrieve", "GET", f"/generations/{path_of(check_id(ticket.provider_id))}")
        if not 200 <= response.status < 300:
            raise self._refusal(response, "retrieve")
        return self._snapshot(response, "retrieve")

    def models(self) -> Exchange[tuple[ModelInfo, ...]]:
        """The models of the table in this package: the API has no call for them, so nothing is asked."""
        yield from ()
        return known_models(self.typical)

    def read_account(self) -> Exchange[AccountInfo]:
        """`GET /generations/00000000-…`: there is no account call, and with a good key the answer is that there is no
        such job.

        Luma looks at the key first, and the words of its 404 are documented; listing files would need the grant for
        them.  No call says what is left on the account.
        """
        response = yield self.request("retrieve", "GET", f"/generations/{_NOBODYS}")
        if 200 <= response.status < 300:
            self._snapshot(response, "retrieve")  # a page of some network in between is no proof of a key
        else:
            error = self._refusal(response, "retrieve")
            if not (isinstance(error, NotFound) and error.from_api):
                raise error
        return AccountInfo(provider=self.facts.name, connection=self.name)

    def _snapshot(self, response: Response, verb: str) -> Snapshot:
        document = parse_object(response, verb)
        answer = read(_Generation, document, response, verb)
        if not answer.id.strip():
            raise unreadable(response, verb, "an empty id", "$.id")
        state = STATES.get(answer.state)
        listed = document.get("output")
        outputs = _outputs(listed, response.received_at)
        if state is State.COMPLETED:
            check_outputs(listed, len(outputs), ("url",), response, verb, "$.output")
        return Snapshot(
            provider_id=answer.id,
            state=state or State.QUEUED,
            unknown_state=None if state else answer.state,
            model=answer.model,
            kind=answer.type,
            outputs=outputs,
            missing_outputs=state is State.COMPLETED and not outputs,
            warnings=unread_in(listed, len(outputs)) if state is State.COMPLETED else (),
            failure=_failure(answer) if state is State.FAILED else None,
            created_at=parse_time(answer.created_at),
            raw=document,
        )

    def _refusal(self, response: Response, verb: str) -> APIError:
        details, is_api = _details(response, verb)
        if response.status == 429:
            throttle = _throttle(response, details, verb)
            return self.refusal(response, verb, details, from_api=is_api, throttle=throttle)
        if 300 <= response.status < 400:
            raise unreadable(response, verb, "a redirect, which is not followed because the request contains the key")
        code = FailureCode.IMAGE_TOO_LARGE if response.status == 413 else None
        return self.refusal(response, verb, details, code=code, from_api=is_api)


def _name(response: Response) -> str | None:
    """The id in an answer to a create, if it is valid."""
    try:
        return check_id(parse_object(response, "create").get("id"))
    except (ProtocolError, InputError):
        return None


def _outputs(listed: Any, received_at: float) -> tuple[Output, ...]:
    if not listed:
        return ()
    # FAQ: presigned for one hour, and every read mints a new one.  What the url says is nearer to the truth.
    an_hour = datetime.fromtimestamp(received_at, UTC) + timedelta(hours=1)
    found = ((item, read_part(_Output, item)) for item in objects_in(listed))
    return tuple(
        Output(
            kind=output.type or "image",
            url=output.url,
            expires_at=url_expiry(output.url, received_at) or an_hour,
            raw=item,
        )
        for item, output in found
        if output.url
    )


def _failure(answer: _Generation) -> Failure:
    code = FAILURE_CODES.get(answer.failure_code or "", FailureCode.UNKNOWN)
    return Failure(
        code=code,
        reason=answer.failure_reason,
        vendor_code=answer.failure_code,
        refunded=code in _REFUNDED,
    )


def _details(response: Response, verb: str) -> tuple[str, bool]:
    """The vendor's words, and whether they came as the API's own: every error is `{"detail": …}` (error handling)."""
    try:
        document = parse_json(response, verb)
    except ProtocolError:
        return plain_details(response), False
    detail = document.get("detail") if isinstance(document, dict) else None
    # "Not Found" or "Bad Gateway" alone is a framework's own word for the status; Luma's says what was not found.
    if not detail or (isinstance(detail, str) and detail.strip().lower() in _PHRASES):
        return shorten(str(document), 500), False
    if isinstance(detail, str):
        return shorten(detail, 500), True
    if isinstance(detail, list):  # the usual shape of such frameworks' validation errors
        parts = [
            f"{_place(item.get('loc'))}: {item.get('msg')}" if isinstance(item, dict) else str(item) for item in detail
        ]
        return shorten("; ".join(parts), 500), True
    return shorten(str(detail), 500), True


def _place(loc: object) -> str:
    return ".".join(map(str, loc)) if isinstance(loc, list) else str(loc or "")


def _throttle(response: Response, details: str, verb: str) -> Throttle:
    """Which of the three 429s it is.  Reads are outside the rate of creates, so theirs is the abuse ceiling."""
    if verb != "create":
        return Throttle.ACCOUNT
    text = details.lower()
    if "concurren" in text:
        return Throttle.CONCURRENCY
    if "rate limit" in text or "x-ratelimit-remaining" in response.headers:
        return Throttle.CREATES
    if (retry_after(response.headers, response.received_at) or 0.0) >= 60.0:
        return Throttle.CONCURRENCY
    return Throttle.ACCOUNT


__all__ = [
    "Luma",
    "LumaImage",
    "LumaImageEdit",
    "LumaLayering",
    "LumaRequest",
    "LumaVideo",
    "LumaVideoEdit",
    "LumaVideoReframe",
]
