"""The routes by which jobs are listed, read and followed."""

# Annotations are read when a route is made, for some name what `router` was given: so they are not put off here.
import math
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import StringConstraints

from aiogen.integrations.fastapi import following
from aiogen.integrations.fastapi.bodies import GenerationBody, PageBody, Seen, base_of, is_expired
from aiogen.integrations.fastapi.learned import learned_by
from aiogen.integrations.fastapi.owners import find
from aiogen.integrations.fastapi.problems import USUAL_PAUSE
from aiogen.integrations.fastapi.sessions import SessionDep
from aiogen.integrations.fastapi.shutdown import ShutdownDep
from aiogen.integrations.fastapi.streams import EVENT, EventStream
from aiogen.models import State

_LONGEST_PAUSE = 3600.0
# Of `Prefer` there may be several, so it is read from the request; as a parameter it is for the description alone.
Prefer = Annotated[str | None, Header(description="wait=n: seconds, at most 60")]
Cursor = Annotated[str | None, StringConstraints(max_length=256)]


def set_headers(response: Response, seen: Seen, body: GenerationBody, waited: int | None, prefers: bool) -> None:
    """Headers of an answer about a job."""
    if prefers:
        response.headers["Preference-Applied"] = f"wait={waited}"
    response.headers["Cache-Control"] = "no-store"
    if not seen.is_over:
        pause = body.eta.seconds if body.eta is not None else USUAL_PAUSE
        response.headers["Retry-After"] = str(math.ceil(min(max(pause, 1.0), _LONGEST_PAUSE)))


def add_reading(made: APIRouter, whose: Callable[..., Any]) -> None:
    """`GET` of all, of one, and of the events of one."""

    @made.get("/generations")
    async def list_generations(
        request: Request,
        session: SessionDep,
        scope: Annotated[str, Depends(whose)],
        state: Annotated[list[State] | None, Query()] = None,
        cursor: Annotated[Cursor, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> PageBody:
        """The scope's generations, the newest first; `next` is the cursor of the next page."""
        page = await session.page(limit=limit, after=cursor, scope=scope, states=state or None)
        running = {job.id: job for job in session.jobs()}
        base, learned = base_of(request, 0), learned_by(session)
        seen = [Seen(each) if is_expired(each) else Seen(each, running.get(each.id), learned) for each in page.records]
        return PageBody(items=[each.body(base) for each in seen], next=page.next)

    @made.get("/generations/{job_id}")
    async def read_generation(
        job_id: str,
        request: Request,
        response: Response,
        session: SessionDep,
        shutdown: ShutdownDep,
        scope: Annotated[str, Depends(whose)],
        prefer: Prefer = None,
    ) -> GenerationBody:
        """How it stands; with `Prefer: wait=n` when it is over, or after n seconds (at most 60)."""
        seen = await find(session, scope, job_id)
        waited = following.preferred_wait(request.headers.getlist("prefer"))
        seen = await following.wait(seen, waited, shutdown)
        body = seen.body(base_of(request, 1))
        set_headers(response, seen, body, waited, prefers=waited is not None)
        return body

    # As FastAPI describes what yields them; see `EventStream` for why this does not.
    @made.get(
        "/generations/{job_id}/events",
        response_class=Response,
        responses={
            200: {"content": {EventStream.media_type: {"itemSchema": EVENT}}},
            204: {"description": "It is over, and the client knows (`Last-Event-ID`)"},
        },
    )
    async def follow_generation(
        job_id: str,
        request: Request,
        session: SessionDep,
        shutdown: ShutdownDep,
        scope: Annotated[str, Depends(whose)],
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Server-sent events: the data of each is the generation as it stands, at first at once."""
        seen = await find(session, scope, job_id)
        if seen.is_over and last_event_id == seen.state:
            return Response(status_code=204)  # which ends a browser's asking again
        return EventStream(following.events(seen, base_of(request, 2), shutdown))
