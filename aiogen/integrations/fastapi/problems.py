"""Errors as problem details (RFC 9457)."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any

from fastapi import Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from aiogen import errors
from aiogen.integrations.fastapi.telling import for_clients, without_addresses
from aiogen.integrations.statuses import http_status
from aiogen.models import Action

MEDIA_TYPE = "application/problem+json"
USUAL_PAUSE = 5.0
"""Seconds of `Retry-After` where no better estimate is known."""
RESTART = 2.0
"""Seconds of `Retry-After` while the server is being stopped: another worker, or the next one, takes it then."""

_CODES: tuple[tuple[type[errors.AiogenError], str], ...] = (
    (errors.KeyReused, "key_reused"),
    (errors.UnknownParameter, "unknown_parameter"),
    (errors.Unsupported, "unsupported"),
    (errors.ConfigurationError, "unavailable"),
    (errors.TooManyJobs, "too_many_jobs"),
    (errors.CancelTimeout, "cancel_timeout"),
    (errors.SessionClosed, "unavailable"),
    (errors.StoreError, "unavailable"),
    (errors.OutputExpired, "output_expired"),
    (errors.DownloadError, "download_failed"),
)
"""For errors whose own code is less precise, or that have none."""
_OF_INPUT = frozenset({400, 413, 415, 422})
"""Statuses for which another request may work."""
_OF_STATUS = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
}


class FieldProblem(BaseModel):
    """One thing that is wrong with a request."""

    where: str
    what: str


class Problem(BaseModel):
    """Problem details (RFC 9457): what went wrong, and what helps."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str = Field(description="What went wrong, as one word for programs")
    action: Action | None = Field(description="What helps")
    retryable: bool = Field(description="The same request may work later; with its Idempotency-Key it never pays twice")
    job: str | None = Field(description="The id of the job that it is about")
    errors: list[FieldProblem] = []
    context: Any = Field(default=None, description="What the application's own refusal says beside its words")


def schema() -> dict[str, Any]:
    """The JSON schema of `Problem`, inlined: FastAPI puts only models of its own media type into the components."""
    found = Problem.model_json_schema()
    parts = found.pop("$defs")

    def filled(value: Any) -> Any:
        if isinstance(value, list):
            return [filled(each) for each in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return filled(parts[value["$ref"].rpartition("/")[2]])
        return {name: filled(each) for name, each in value.items()}

    whole: dict[str, Any] = filled(found)
    return whole


class Refused(Exception):
    """A request that the router itself refuses."""

    def __init__(self, status: int, code: str, detail: str, *, job: str | None = None, pause: float | None = None):
        """`pause`: seconds after which it may work, where it may."""
        super().__init__(detail)
        self.problem: Problem = Problem(
            title=HTTPStatus(status).phrase,
            status=status,
            detail=detail,
            code=code,
            action=Action.WAIT if pause is not None else Action.CHANGE_INPUT if status in _OF_INPUT else None,
            retryable=pause is not None,
            job=job,
        )
        self.pause = pause


def stopping() -> Refused:
    """The answer to a request that comes while the server is stopping, or that stopping interrupts."""
    return Refused(503, "unavailable", "The server is being stopped. Send the request again.", pause=RESTART)


class Answered(Exception):
    """A complete answer, raised where only an exception can be."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered")
        self.response = response


def problem_of(error: errors.AiogenError, status: int | None = None) -> tuple[Problem, float | None]:
    """The problem for an error, and the seconds of `Retry-After`.

    Errors about which a client can do nothing (5xx) are described in general terms: the message may name the program's
    own files and settings.
    """
    status = status or http_status(error)
    code = next((code for kind, code in _CODES if isinstance(error, kind)), error.code or "unknown")
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=_detail(error, status),
        code=str(code),
        action=None if _is_setup(error) else error.action,
        # To ask for it once more does no harm: what was asked for stays in the ledger.
        retryable=error.retryable or isinstance(error, errors.CancelTimeout),
        job=error.job_id,
    )
    pause = error.retry_after
    if pause is None and status in (429, 503, 504) and problem.retryable:
        pause = USUAL_PAUSE
    return problem, pause


def _detail(error: errors.AiogenError, status: int) -> str:
    if isinstance(error, errors.TooManyJobs):
        if error.scope is None:
            return "The server has as many unfinished jobs as it takes; nothing was sent. Try again later."
        return (
            f"At most {error.limit} unfinished jobs are allowed, and there are {error.unfinished}; nothing was sent. "
            "Try again when one of them has ended."
        )
    if isinstance(error, errors.UnknownParameter):
        meant = f" Did you mean {error.proposal!r}?" if error.proposal else ""
        return f"The model has no parameter {error.parameter!r}.{meant}"
    if isinstance(error, errors.OutputExpired):
        return (
            "The address of this output has expired, and this server cannot have a fresh one. Fetch outputs soon after "
            "the job has ended; who runs the server may still get this one: aiogen download."
        )
    if isinstance(error, errors.KeyReused):
        return "This key already stands for another request. Use another key for another request."
    if status < 500:
        return for_clients(error.message) if isinstance(error, errors.InputError) else without_addresses(error.message)
    is_said = error.action not in (None, Action.FIX_KEY, Action.ADD_FUNDS) and not _is_setup(error)
    return error.action.help_text if is_said and error.action is not None else "The server cannot do this now."


def _is_setup(error: errors.AiogenError) -> bool:
    """Neither the client nor the provider can do anything about it."""
    ours = (errors.ConfigurationError, errors.SessionClosed, errors.StoreError)
    return isinstance(error, ours) and error.action is Action.GIVE_UP


def answer(problem: Problem, pause: float | None = None, headers: Any = None) -> JSONResponse:
    """The answer, with `Retry-After` in whole seconds where a pause is known."""
    more = dict(headers or {}) | ({"Retry-After": str(max(1, math.ceil(pause)))} if pause is not None else {})
    body = problem.model_dump(mode="json", exclude=None if problem.context is not None else {"context"})
    return JSONResponse(body, problem.status, more, MEDIA_TYPE)


def answer_of_http(error: HTTPException) -> JSONResponse:
    """An error of FastAPI or of the application's own dependencies, with its headers."""
    phrase = HTTPStatus(error.status_code).phrase
    code = _OF_STATUS.get(error.status_code, "invalid_request" if error.status_code < 500 else "unavailable")
    said: Any = error.detail
    context = None if said is None or isinstance(said, str) else jsonable_encoder(said)
    if isinstance(said, dict):
        said = next((said[name] for name in ("detail", "message") if isinstance(said.get(name), str)), phrase)
    problem = Problem(
        title=phrase,
        status=error.status_code,
        detail=said if isinstance(said, str) else phrase,
        code=code,
        action=Action.CHANGE_INPUT if error.status_code in _OF_INPUT else None,
        retryable=False,
        job=None,
        context=context,
    )
    return answer(problem, headers=error.headers)


def answer_of_validation(error: RequestValidationError) -> JSONResponse:
    """Which fields are wrong, without their values, which may be large, or no JSON."""
    found = [
        FieldProblem(where=".".join(map(_word, each["loc"])), what=_word(each["msg"])) for each in error.errors()[:20]
    ]
    said = "; ".join(f"{each.where}: {each.what}" for each in found)
    problem = Problem(
        title=HTTPStatus(422).phrase,
        status=422,
        detail=f"The request is invalid. {said}",
        code="invalid_request",
        action=Action.CHANGE_INPUT,
        retryable=False,
        job=None,
        errors=found,
    )
    return answer(problem)


def _word(value: object) -> str:
    return str(value)[:200].encode("utf-8", "replace").decode()
