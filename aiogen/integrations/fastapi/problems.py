"""Errors as problem details (RFC 9457)."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any

from fastapi import Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from aiogen import errors
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
            action=Action.WAIT if pause is not None else Action.CHANGE_INPUT if status == 422 else None,
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
        action=error.action,
        retryable=error.retryable,
        job=error.job_id,
    )
    pause = error.retry_after
    if pause is None and (status == 429 or (status == 503 and error.retryable)):
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
    if status < 500:
        return error.message
    return (
        error.action.help_text
        if error.action not in (None, Action.FIX_KEY, Action.ADD_FUNDS)
        else ("The server cannot do this now.")
    )


def answer(problem: Problem, pause: float | None = None, headers: Any = None) -> JSONResponse:
    """The answer, with `Retry-After` in whole seconds where a pause is known."""
    more = dict(headers or {}) | ({"Retry-After": str(max(1, math.ceil(pause)))} if pause is not None else {})
    return JSONResponse(problem.model_dump(mode="json"), problem.status, more, MEDIA_TYPE)


def answer_of_http(error: HTTPException) -> JSONResponse:
    """An error of FastAPI or of the application's own dependencies, with its headers."""
    phrase = HTTPStatus(error.status_code).phrase
    code = _OF_STATUS.get(error.status_code, "invalid_request" if error.status_code < 500 else "unavailable")
    problem = Problem(
        title=phrase,
        status=error.status_code,
        detail=error.detail if isinstance(error.detail, str) else phrase,
        code=code,
        action=None,
        retryable=False,
        job=None,
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
