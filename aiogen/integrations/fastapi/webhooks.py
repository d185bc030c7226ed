"""The route that takes the vendors' calls."""

# Annotations are read when a route is made, so they are not put off here.
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from starlette.requests import ClientDisconnect

from aiogen._checks import check_number
from aiogen._hooks.reading import MAX_BYTES
from aiogen.errors import InputError, SessionClosed
from aiogen.integrations.fastapi.sessions import session_in
from aiogen.session import Session
from aiogen.webhooks import AnySecret, Webhooks


def webhook_router(
    secrets: Mapping[str, AnySecret], *, max_body_bytes: int = MAX_BYTES, prefix: str = "/webhooks", **options: Any
) -> APIRouter:
    """One route, `POST /webhooks/{connection}`, for the vendors' calls about generations that are over.

    To be included in an application whose `lifespan` is ours: the session's connections are looked at when it starts.
    The answer is 200 or 401, at once, and says nothing else; what the calls were is counted by
    `app.state.aiogen_webhooks.counts(connection)`.  It is not in the application's OpenAPI description.

    Args:
        secrets: by connection, what proves that a call is the vendor's, see `aiogen.webhooks.Webhooks`.  Others than
            these connections are answered 401.
        max_body_bytes: of a call, 1,024 bytes to 16 MiB; of a larger one the rest is not read, and it has no effect.
        prefix: of the path.
        options: whatever else `fastapi.APIRouter` takes.

    Raises:
        InputError: an option is invalid.
        ConfigurationError: when the application starts: there is no such connection, its vendor makes no calls, or a
            secret is invalid.
    """
    if isinstance(secrets, str) or not isinstance(secrets, Mapping):
        raise InputError('secrets takes a mapping, from connections to their secrets: {"leonardo": "…"}.')
    check_number(max_body_bytes, "max_body_bytes", 1024, 16 * 1024 * 1024)
    if "lifespan" in options:
        raise InputError("webhook_router() has a lifespan of its own: give yours to the application.")
    made: dict[Session, Webhooks] = {}

    def of(session: Session) -> Webhooks:
        if session not in made:
            made[session] = Webhooks(session, secrets, max_body_bytes=max_body_bytes)
        return made[session]

    @asynccontextmanager
    async def check(app: Any) -> AsyncIterator[None]:
        """Wrong settings are errors when the application starts."""
        session = session_in(app)
        app.state.aiogen_webhooks = of(session)
        try:
            yield
        finally:
            made.pop(session, None)
            del app.state.aiogen_webhooks

    options.setdefault("include_in_schema", False)
    router = APIRouter(prefix=prefix, lifespan=check, **options)

    @router.post("/{connection}")
    async def hear(connection: str, request: Request) -> PlainTextResponse:
        """Take one call; its effect on a job follows in the background."""
        try:
            webhooks = of(session_in(request.app))
        except SessionClosed:  # it is being stopped: a repeated call reaches the next worker
            return PlainTextResponse("unavailable\n", 503)
        try:
            body = await webhooks.read(request.stream())
        except ClientDisconnect:
            body = b""  # nobody reads the answer
        answer = webhooks.handle(connection, body, request.headers)
        return PlainTextResponse(answer.text, answer.status)

    return router
