"""A route whose errors are problem details; other routes of the application stay as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from fastapi import HTTPException as FastAPIException
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from aiogen import errors
from aiogen.integrations.fastapi.limited_request import LimitedRequest, limited
from aiogen.integrations.fastapi.problems import (
    Answered,
    Problem,
    Refused,
    answer,
    answer_of_http,
    answer_of_validation,
    problem_of,
    stopping,
)
from aiogen.integrations.fastapi.shutdown import Shutdown, shutdown_of_app
from aiogen.integrations.fastapi.telling import log_for_operator


class ProblemRoute(APIRoute):
    """A route whose errors are problem details, and whose bodies have a limit.

    For routes of your own: `APIRouter(route_class=ProblemRoute)`.
    """

    longest_body = 1024 * 1024
    """Bytes of a request's body."""
    siblings: ClassVar[dict[str, set[str]] | None] = None
    """The methods of each path of the router, for `Allow`; None: each route knows only its own."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        if self.siblings is not None:
            self.siblings.setdefault(self.path, set()).update(self.methods or ())

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """FastAPI's own, and 405 as a problem, with all methods of the path in `Allow`."""
        own = self.methods or set()
        if scope["method"] in own:
            await super().handle(scope, receive, send)
            return
        allowed = own if self.siblings is None else self.siblings[self.path]
        refused = answer_of_http(HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))}))
        await refused(scope, receive, send)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own, with errors of aiogen, of validation and of HTTP answered as problems.

        While the server is stopping, connections are not kept alive; and a request that the server cancels when its
        time for stopping is over is answered 503, where the server would answer 500.
        """
        handler, most = super().get_route_handler(), self.longest_body

        async def handle(request: Request) -> Response:
            shutdown = shutdown_of_app(request.app)
            response = await answered(request, shutdown)
            if shutdown.has_begun and request.scope.get("http_version", "").startswith("1"):
                response.headers["Connection"] = "close"
            return response

        async def answered(request: Request, shutdown: Shutdown) -> Response:
            with_limit: LimitedRequest | None = None
            try:
                with_limit = limited(request, most)
                return await handler(with_limit)
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
                return answer_of_validation(invalid)
            except (FastAPIException, HTTPException) as http:
                return answer_of_http(http)
            finally:
                if with_limit is not None:
                    with_limit.let_go()

        return handle


def _log(request: Request, problem: Problem, error: BaseException) -> None:
    log_for_operator(request, error, problem.status, problem.code, problem.job)
