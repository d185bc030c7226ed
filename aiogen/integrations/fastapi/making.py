"""The routes by which jobs are made and cancelled."""

# Annotations are read when a route is made, for some name what `router` was given: so they are not put off here.
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import StringConstraints

from aiogen.errors import SubmissionUnknown, Unsupported
from aiogen.integrations.fastapi import following
from aiogen.integrations.fastapi.asking import Terms, body_for, check_cost, request_of
from aiogen.integrations.fastapi.bodies import GenerationBody, base_of
from aiogen.integrations.fastapi.limited_request import LimitedRequest
from aiogen.integrations.fastapi.owners import check_key_header, expired_job, find
from aiogen.integrations.fastapi.problems import Answered, Refused, answer, problem_of, stopping
from aiogen.integrations.fastapi.reading import Prefer, set_headers
from aiogen.integrations.fastapi.references import with_uploads
from aiogen.integrations.fastapi.sessions import SessionDep, in_thread
from aiogen.integrations.fastapi.shutdown import ShutdownDep
from aiogen.integrations.fastapi.uploading import on_disk
from aiogen.integrations.uploads import Uploads
from aiogen.models import Cancellation, State

_CANCEL_TIMEOUT = 15.0
"""Seconds that another process, which follows the job, has to say what came of it: proxies do not wait for long."""
_LARGE = 16 * 1024
"""Bytes of a body up to which it is checked in the event loop."""
Key = Annotated[str | None, StringConstraints(min_length=1, max_length=256)]


def add_making(made: APIRouter, whose: Callable[..., Any], terms: Terms, uploads: Uploads | None) -> None:
    """`POST /generations`, and `DELETE` of one."""
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
        set_headers(response, seen, body, waited, prefers=waited is not None)
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
