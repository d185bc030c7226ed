"""The routes for outputs: the bytes, and the headers alone."""

# Annotations are read when a route is made, for some name what `router` was given: so they are not put off here.
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Response

from aiogen._content.measure import Measured
from aiogen.integrations.fastapi import files
from aiogen.integrations.fastapi.bodies import Seen
from aiogen.integrations.fastapi.learned import learned_by
from aiogen.integrations.fastapi.owners import find
from aiogen.integrations.fastapi.problems import Refused
from aiogen.integrations.fastapi.sessions import SessionDep
from aiogen.models import Generation, State
from aiogen.session import Session

_PATH = "/generations/{job_id}/outputs/{n}"


def add_outputs(made: APIRouter, whose: Callable[..., Any], max_bytes: int) -> None:
    """`max_bytes`: of one output."""

    @made.get(_PATH, response_class=Response, responses={200: files.DESCRIBED, 304: {"description": "It is known"}})
    async def read_output(
        job_id: str,
        n: int,
        session: SessionDep,
        scope: Annotated[str, Depends(whose)],
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """The bytes of one output, from 0."""
        seen, known = await _completed(session, scope, job_id, n)
        etag = files.etag_of(seen.record.id, n)
        if files.is_known(etag, if_none_match):
            return Response(status_code=304, headers=files.headers_of(etag))
        file = await session.open_output(seen.job or known, n, max_bytes=max_bytes)
        learned_by(session).note(seen.record.id, n, Measured(file.media_type, file.width, file.height))
        return files.FileAnswer(seen.record.id, n, file)

    @made.head(_PATH, response_class=Response)
    async def look_at_output(
        job_id: str,
        n: int,
        session: SessionDep,
        scope: Annotated[str, Depends(whose)],
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Whether there is one, its ETag, and its type where that is known.  Nothing is fetched."""
        seen, known = await _completed(session, scope, job_id, n)
        kind = learned_by(session).of(seen.record.id, known.outputs)[n].media_type
        etag = files.etag_of(seen.record.id, n)
        headers = files.headers_of(etag)
        if files.is_known(etag, if_none_match):
            return Response(status_code=304, headers=headers)
        if kind is not None:
            headers |= files.kind_headers(seen.record.id, n, kind)
        answer = Response(headers=headers)
        del answer.headers["Content-Length"]  # known only once it was fetched
        return answer


async def _completed(session: Session, scope: str, job_id: str, n: int) -> tuple[Seen, Generation]:
    """A job that has such an output, and its result."""
    seen = await find(session, scope, job_id)
    if seen.is_expired and seen.state is State.COMPLETED:
        raise Refused(
            410, "expired", "It was over so long ago that its outputs are not kept any more.", job=seen.record.id
        )
    known = seen.generation
    if known is None or known.state is not State.COMPLETED:
        raise Refused(409, "conflict", f"It has no outputs: it is {seen.state}.", job=seen.record.id)
    if not 0 <= n < len(known.outputs):
        raise Refused(404, "not_found", f"It has {len(known.outputs)} outputs, counted from 0.", job=seen.record.id)
    return seen, known
