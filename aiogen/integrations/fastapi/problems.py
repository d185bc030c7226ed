"""What the router answers where something is wrong: problem details (RFC 9457), on its own routes alone."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi import HTTPException as FastAPIException
from fastapi import Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from aiogen import errors
from aiogen._content.portions import LARGE, lift, put_back
from aiogen.integrations.fastapi.sessions import in_thread, threads_of
from aiogen.integrations.fastapi.shutdown import Shutdown, shutdown_of_app
from aiogen.integrations.fastapi.telling import for_clients, tell_operator, without_addresses
from aiogen.integrations.statuses import http_status
from aiogen.models import Action

MEDIA_TYPE = "application/problem+json"
USUAL_PAUSE = 5.0
"""Seconds: the `Retry-After` where nobody knows a better one."""
RESTART = 2.0
"""Seconds after which another worker, or this one's successor, takes what is refused while the server is stopped."""

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
"""Where the error's own code says less, or it has none."""
_MOST_BESIDE = 256 * 1024
"""Bytes of a body, without its pictures: a large graph of ComfyUI's has half of it."""
_MOST_VALUES = 16_384
"""Brackets, commas and colons, also those in texts: what reading costs is less the bytes than these."""
_OF_INPUT = frozenset({400, 413, 415, 422})
"""What another request may make good."""
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
    """What went wrong, as RFC 9457 has it, and what helps."""

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
    """Of a problem, whole: FastAPI gives models a place among the components only under its own media type."""
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
    """A request that the router itself does not take."""

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
    """What is told of a request that comes while the server is stopped, or is cut off by that."""
    return Refused(503, "unavailable", "The server is being stopped. Ask again.", pause=RESTART)


class Answered(Exception):
    """There is an answer already, found where only an error can be raised."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered")
        self.response = response


def problem_of(error: errors.AiogenError, status: int | None = None) -> tuple[Problem, float | None]:
    """What is told of an error, and the seconds of `Retry-After`.

    What a client cannot do anything about (5xx) is told in general words: the message may name the program's own files
    and settings.
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
    if pause is None and (status in (429, 504) or status == 503) and problem.retryable:
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


def _of_http(error: HTTPException) -> JSONResponse:
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


def _of_validation(error: RequestValidationError) -> JSONResponse:
    """Without what was sent, which may be large, or no JSON."""
    found = [
        FieldProblem(where=".".join(map(_word, each["loc"])), what=_word(each["msg"])) for each in error.errors()[:20]
    ]
    said = "; ".join(f"{each.where}: {each.what}" for each in found)
    problem = Problem(
        title=HTTPStatus(422).phrase,
        status=422,
        detail=f"The request cannot be right. {said}",
        code="invalid_request",
        action=Action.CHANGE_INPUT,
        retryable=False,
        job=None,
        errors=found,
    )
    return answer(problem)


def _log(request: Request, problem: Problem, error: BaseException) -> None:
    tell_operator(request, error, problem.status, problem.code, problem.job)


def _word(value: object) -> str:
    return str(value)[:200].encode("utf-8", "replace").decode()


class ProblemRoute(APIRoute):
    """A route whose errors are problem details, and whose bodies have a limit.

    For routes of your own: `APIRouter(route_class=ProblemRoute)`.
    """

    longest_body = 1024 * 1024
    """Bytes of a request's body."""
    siblings: ClassVar[dict[str, set[str]] | None] = None
    """Of a router whose routes all have this: the methods of each path, for `Allow`; None: each knows its own."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        if self.siblings is not None:
            self.siblings.setdefault(self.path, set()).update(self.methods or ())

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """FastAPI's own; another method is answered with a problem, too, and with all methods that there are."""
        own = self.methods or set()
        if scope["method"] in own:
            await super().handle(scope, receive, send)
            return
        allowed = own if self.siblings is None else self.siblings[self.path]
        refused = _of_http(HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))}))
        await refused(scope, receive, send)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own, with every error of aiogen's, of the request and of HTTP answered.

        While the server is stopped, connections are not kept for further requests; and what its time for that cuts off
        is 503, for servers cancel it, and would answer 500.
        """
        handler, most = super().get_route_handler(), self.longest_body

        async def handle(request: Request) -> Response:
            shutdown = shutdown_of_app(request.app)
            response = await answered(request, shutdown)
            if shutdown.has_begun and request.scope.get("http_version", "").startswith("1"):
                response.headers["Connection"] = "close"
            return response

        async def answered(request: Request, shutdown: Shutdown) -> Response:
            limited: LimitedRequest | None = None
            try:
                limited = _limited(request, most)
                return await handler(limited)
            except asyncio.CancelledError:
                if not shutdown.has_begun:
                    raise
                refused = stopping()
                return answer(refused.problem, refused.pause)
            except Answered as found:
                return found.response
            except Refused as refused:
                if refused.problem.status >= 500 and refused.__cause__ is not None:
                    _log(request, refused.problem, refused.__cause__)
                return answer(refused.problem, refused.pause)
            except errors.AiogenError as error:
                problem, pause = problem_of(error)
                if problem.status >= 500:
                    _log(request, problem, error)
                return answer(problem, pause)
            except RequestValidationError as invalid:
                return _of_validation(invalid)
            except (FastAPIException, HTTPException) as http:
                return _of_http(http)
            finally:
                if limited is not None:
                    limited.let_go()

        return handle


class LimitedRequest(Request):
    """A request whose JSON is read without holding up the event loop.

    What a client may send besides pictures is little, and is read at once; pictures are copied in a thread.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self._kept: list[object] = []

    async def body(self) -> bytes:
        """All of it."""
        if not hasattr(self, "_body"):
            parts = [part async for part in self.stream()]
            size = sum(map(len, parts))
            self._body = b"".join(parts) if size <= LARGE else await in_thread(self, b"".join, parts)
        return self._body

    async def json(self) -> Any:
        """What it says.

        Raises:
            HTTPException: 413, it says much beside its pictures.
            ValueError: it is no JSON.
        """
        body = await self.body()
        rest, lifted = await in_thread(self, lift, body) if len(body) > LARGE else (body, dict[str, str]())
        if len(rest) > _MOST_BESIDE or len(rest) - len(rest.translate(None, b"[{,:")) > _MOST_VALUES:
            raise HTTPException(
                413, f"Beside its pictures a body has at most {_MOST_BESIDE:,} bytes, and {_MOST_VALUES:,} values."
            )
        found = put_back(json.loads(rest), lifted) if lifted else json.loads(rest)
        if lifted:
            self.keep(body, found)
        return found

    def keep(self, *values: object) -> None:
        """Until it is answered; then a thread frees them, for to free the memory of many megabytes takes long."""
        self._kept += values

    def let_go(self) -> None:
        """It is answered."""
        if self._kept:
            self.__dict__.pop("_body", None)
            threads_of(self).start(self._kept.clear)


def _limited(request: Request, most: int) -> LimitedRequest:
    """The same request, whose body is read up to a limit.

    Not by FastAPI's `max_body_size`, which answers in plain text by itself where the length was announced.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > most:
        raise HTTPException(413, f"The body has at most {most:,} bytes.")
    receive, seen = request.receive, 0

    async def counting() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise HTTPException(413, f"The body has at most {most:,} bytes.")
        return message

    return LimitedRequest(request.scope, counting)
