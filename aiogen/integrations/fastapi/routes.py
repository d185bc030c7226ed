"""The routes by which jobs are made, looked at, listed, cancelled and followed; and the router that has all routes."""

# Annotations are read when a route is made, for some name what `router` was given: so they are not put off here.
import math
import os
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import StringConstraints

from aiogen._checks import check_number
from aiogen._jobs.naming import check_bound, rank_of
from aiogen.errors import InputError, SubmissionUnknown, Unsupported
from aiogen.integrations.fastapi import following
from aiogen.integrations.fastapi.asking import ALLOWABLE, Terms, body_for, check_cost, request_of
from aiogen.integrations.fastapi.bodies import GenerationBody, PageBody, Seen, base_of, is_expired
from aiogen.integrations.fastapi.erasing import add_erasing
from aiogen.integrations.fastapi.learned import learned_by
from aiogen.integrations.fastapi.outputs import add_outputs
from aiogen.integrations.fastapi.owners import check_key_header, expired_job, find, owner_of
from aiogen.integrations.fastapi.problems import (
    MEDIA_TYPE,
    USUAL_PAUSE,
    Answered,
    LimitedRequest,
    ProblemRoute,
    Refused,
    answer,
    problem_of,
    schema,
    stopping,
)
from aiogen.integrations.fastapi.references import with_uploads
from aiogen.integrations.fastapi.sessions import SessionDep, in_thread
from aiogen.integrations.fastapi.shutdown import ShutdownDep
from aiogen.integrations.fastapi.streams import EVENT, EventStream
from aiogen.integrations.fastapi.uploading import add_uploads, on_disk
from aiogen.integrations.uploads import Uploads, uploads_of
from aiogen.models import Cancellation, Cost, State
from aiogen.stores.base import AtMost

AT_MOST = AtMost(scope=50, total=1000)
_LONGEST_PAUSE = 3600.0
_CANCEL_TIMEOUT = 15.0
"""Seconds that another process, which follows the job, has to say what came of it: proxies do not wait for long."""
_LARGE = 16 * 1024
"""Bytes of a body that is looked through at once."""
_PROBLEM = {"content": {MEDIA_TYPE: {"schema": schema()}}}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "The request is refused, and why", **_PROBLEM},
    "5XX": {"description": "The server or the provider cannot do it now", **_PROBLEM},
}

# Of `Prefer` there may be several, so it is read from the request; as a parameter it is for the description alone.
Prefer = Annotated[str | None, Header(description="wait=n: seconds, at most 60")]
Key = Annotated[str | None, StringConstraints(min_length=1, max_length=256)]
Cursor = Annotated[str | None, StringConstraints(max_length=256)]


class _Unset:
    """No scope was named."""


def router(
    *,
    scope: Callable[..., Any] | type[_Unset] | None = _Unset,
    models: Collection[str] | None,
    allow: Collection[str] = (),
    at_most: AtMost = AT_MOST,
    max_body_bytes: int = 12 * 1024 * 1024,
    max_prompt: int = 10_000,
    max_outputs: int = 4,
    max_cost: Cost | None = None,
    max_output_bytes: int = 256 * 1024 * 1024,
    uploads: Uploads | str | os.PathLike[str] | None = None,
    erase: bool = False,
    priority: Literal["interactive", "batch"] | int = "interactive",
    prefix: str = "",
    **options: Any,
) -> APIRouter:
    """Routes below `/generations`, to be included in an application whose `lifespan` is ours.

    Args:
        scope: a dependency that returns whose request it is, as text of 1 to 256 letters: a user, a tenant.  Nobody
            reads, lists, follows or cancels another's job, which is 404 to them.  None: all clients are one.
        models: what may be asked for, as "connection/model"; None: every model of the session's connections, so a
            client chooses the price.
        allow: what clients may send beside that: "extra" (fields that nobody checks), "graph" (what a ComfyUI server
            runs), "ids" (the provider's ids of pictures, whoever's they are).
        at_most: bounds on unfinished jobs, over all workers; beyond that of the scope the answer is 429, beyond that of
            all 503.
        max_body_bytes: of a request's body, 1,024 bytes to 1 GiB.  Pictures come in it, in base64; what is not inside
            of them may be 256 KiB and 16,384 values.
        max_prompt: letters of a prompt, and of any other text in the parameters, 1 to 1,000,000.
        max_outputs: of one job, 1 to 1000.
        max_cost: of one job, by its estimate, in the unit of this cost; one whose cost nobody knows beforehand in this
            unit is refused.  By default there is no limit; see also the `budget` of the session.
        max_output_bytes: of an output that is handed out, 1,024 bytes to 1 TiB, and never more than the session's
            `max_download_bytes`.
        uploads: a folder on the local disk, the same for all workers, or `Uploads(folder, …)` with limits of its own:
            clients send pictures to `/uploads`, and name them in later requests.  None: there are no such routes.
        erase: whether `DELETE /generations` removes everything of the scope that asks for it; see `erase()`.  Needs a
            scope: else one client removed everybody's.
        priority: of the jobs, as `Session.submit` takes it.
        prefix: of the paths, such as "/v1".
        options: whatever else `fastapi.APIRouter` takes.

    Raises:
        InputError: no scope is named, or an option cannot be right.
    """
    if scope is _Unset:
        raise InputError(
            "router() needs scope=, a dependency that returns whose request it is: without one everybody reads "
            "everybody's jobs. If all clients are one, say scope=None."
        )
    if isinstance(models, str):
        raise InputError("models takes several: ['luma/uni-1'].")
    for word in allow:
        if word not in ALLOWABLE or isinstance(allow, str):
            raise InputError(f"allow takes a list of {', '.join(ALLOWABLE)}, not {word!r}.")
    check_number(max_body_bytes, "max_body_bytes", 1024, 1 << 30)
    check_number(max_prompt, "max_prompt", 1, 1_000_000)
    check_number(max_outputs, "max_outputs", 1, 1000)
    if max_cost is not None and not isinstance(max_cost, Cost):
        raise InputError(f"max_cost takes a Cost, not {str(max_cost)[:40]!r}.")
    check_number(max_output_bytes, "max_output_bytes", 1024, 1 << 40)
    if erase and scope is None:
        raise InputError("To erase needs a scope: without one each client could remove what all the others have.")
    check_bound(at_most)
    rank_of(priority)
    terms = Terms(
        models=frozenset(models) if models is not None else None,
        allow=frozenset(allow),
        longest_prompt=max_prompt,
        max_outputs=max_outputs,
        max_cost=max_cost,
        at_most=at_most,
        priority=priority,
    )
    route = type("Route", (ProblemRoute,), {"longest_body": int(max_body_bytes), "siblings": {}})
    options.setdefault("tags", ["generations"])
    kept = uploads_of(uploads)
    if kept is not None:
        options["lifespan"] = _opening(kept, options.get("lifespan"))
    made = APIRouter(prefix=prefix, route_class=route, responses=_PROBLEMS, **options)
    whose = owner_of(scope)
    _add_making(made, whose, terms, kept)
    _add_reading(made, whose)
    add_outputs(made, whose, int(max_output_bytes))
    if kept is not None:
        add_uploads(made, whose, kept)
    if erase:
        add_erasing(made, whose, kept)
    return made


def _opening(uploads: Uploads, inner: Callable[[Any], AbstractAsyncContextManager[Any]] | None) -> Callable[..., Any]:
    """The router's part of the application's lifespan: what is too old is deleted."""

    @asynccontextmanager
    async def opened(app: Any) -> AsyncIterator[Any]:
        async with uploads.opened():
            if inner is None:
                yield None
            else:
                async with inner(app) as state:
                    yield state

    return opened


def _tell(response: Response, seen: Seen, body: GenerationBody, waited: int | None, prefers: bool) -> None:
    """Headers of an answer about a job."""
    if prefers:
        response.headers["Preference-Applied"] = f"wait={waited}"
    response.headers["Cache-Control"] = "no-store"
    if not seen.is_over:
        pause = body.eta.seconds if body.eta is not None else USUAL_PAUSE
        response.headers["Retry-After"] = str(math.ceil(min(max(pause, 1.0), _LONGEST_PAUSE)))


def _add_making(made: APIRouter, whose: Callable[..., Any], terms: Terms, uploads: Uploads | None) -> None:
    if TYPE_CHECKING:
        from aiogen.integrations.fastapi.bodies import NewGeneration as Body
    else:
        Body = body_for(terms)  # noqa: N806

    @made.post(
        "/generations",
        status_code=202,
        responses={200: {"model": GenerationBody, "description": "It is over already"}},
    )
    async def create_generation(
        wanted: Body,
        request: Request,
        response: Response,
        session: SessionDep,
        shutdown: ShutdownDep,
        scope: Annotated[str, Depends(whose)],
        idempotency_key: Annotated[Key, Header(json_schema_extra={"pattern": "^[ -~]*$"})] = None,
        prefer: Prefer = None,
    ) -> GenerationBody:
        """Make a generation: 202 while it runs, 200 if it was over in time (`Prefer: wait=n`, at most 60 s).

        The same `Idempotency-Key` is the same job, which is paid once; for other content it is refused (422).
        """
        check_key_header(request.headers.getlist("idempotency-key"))
        if shutdown.has_begun:  # where the ledger is in memory, a job taken now would be lost
            raise stopping()
        with on_disk():
            parameters = await with_uploads(wanted.parameters, uploads, scope)
        wanted = wanted.model_copy(update={"parameters": parameters})
        if terms.models is None:  # what another package offers is looked for on the disk
            await session._load(wanted.model.partition("/")[0].strip())
        # Pictures, and many parameters, take long to look through.
        is_large = len(await request.body()) > _LARGE
        if is_large:
            provider, asked = await in_thread(request, request_of, session, wanted, terms)
            if isinstance(request, LimitedRequest):
                request.keep(asked)
        else:
            provider, asked = request_of(session, wanted, terms)
        await check_cost(session, provider, asked, terms)
        job_id = await expired_job(session, scope, idempotency_key, provider, asked)
        if job_id is None:
            job = await session.submit(
                asked,
                connection=provider.name,
                key=idempotency_key,
                scope=scope,
                priority=terms.priority,
                at_most=terms.at_most,
            )
            job_id = job.id
        seen = await find(session, scope, job_id)
        waited = following.preferred_wait(request.headers.getlist("prefer"))
        seen = await following.wait(seen, waited, shutdown)
        body = seen.body(base_of(request, 0))
        _tell(response, seen, body, waited, prefers=waited is not None)
        response.headers["Location"] = body.links.self
        if seen.is_over:
            response.status_code = 200
        return body

    @made.delete("/generations/{job_id}")
    async def cancel_generation(
        job_id: str, request: Request, session: SessionDep, scope: Annotated[str, Depends(whose)]
    ) -> GenerationBody:
        """Take it back if it was not sent, else stop it where the provider can; 409 with the reason if neither."""
        seen = await find(session, scope, job_id)
        if seen.is_expired and seen.state is not State.CANCELLED:
            raise Refused(409, "conflict", f"It is over: {seen.state}.", job=seen.record.id)
        if seen.state is not State.CANCELLED:
            try:
                what = await session.cancel(seen.record.id, timeout=_CANCEL_TIMEOUT)
            except (Unsupported, SubmissionUnknown) as error:
                raise Answered(answer(problem_of(error, 409)[0])) from error
            seen = await find(session, scope, job_id)
            if what is Cancellation.ENDED and seen.state is not State.CANCELLED:
                reason = f"It is over: {seen.state}."
                raise Refused(409, "conflict", reason, job=seen.record.id)
        return seen.body(base_of(request, 1))


def _add_reading(made: APIRouter, whose: Callable[..., Any]) -> None:
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
        _tell(response, seen, body, waited, prefers=waited is not None)
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
