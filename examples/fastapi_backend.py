"""A web backend: one session for the application, requests that wait for the image, and requests that poll for it.

For callers that you trust: everybody may see every job, nothing is limited, and the urls are the provider's own.  For
users there is the router, which does all of that: `aiogen.integrations.fastapi.router`, docs/web.md.

pip install ".[sandbox,fastapi]"
python -m uvicorn fastapi_backend:app --app-dir examples

curl -X POST localhost:8000/images      -H 'content-type: application/json' -d '{"prompt": "a paper boat"}'
curl -X POST localhost:8000/images/jobs -H 'content-type: application/json' -d '{"prompt": "a paper boat"}'
curl localhost:8000/images/jobs/<job_id>
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from _vendor import vendor
from fastapi import Depends, FastAPI, HTTPException, Request, status
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

import aiogen


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The session lives as long as the application: it shares limits and connections among all requests."""
    # In a file: after a crash or a new version the next start continues, and knows the old job ids.
    async with vendor(), aiogen.Session(store="fastapi_backend.db") as session:
        app.state.aiogen = session
        yield


app = FastAPI(title="aiogen example", lifespan=lifespan)


def get_session(request: Request) -> aiogen.Session:
    """The application's session."""
    session: aiogen.Session = request.app.state.aiogen
    return session


SessionDep = Annotated[aiogen.Session, Depends(get_session)]


class Wanted(BaseModel):
    """A request for an image.  A field that it does not have is refused: without it another image would be paid for."""

    model_config = ConfigDict(extra="forbid")

    prompt: str
    model: str = "luma/uni-1"


def as_json(job: aiogen.Job) -> dict[str, Any]:
    """A job as clients see it."""
    generation = job.generation
    return {
        "job_id": job.id,
        "provider_id": job.provider_id,
        "state": job.state,
        "error": type(job.error).__name__ if job.error is not None else None,
        "urls": [output.url for output in generation.outputs],
        "failure_code": generation.failure_code,
        "action": generation.action,
    }


# The first that matches: narrower kinds come before wider ones.
STATUSES: tuple[tuple[type[aiogen.AiogenError], int], ...] = (
    (aiogen.InputError, status.HTTP_422_UNPROCESSABLE_CONTENT),
    (aiogen.GenerationFailed, status.HTTP_422_UNPROCESSABLE_CONTENT),
    (aiogen.GenerationTimeout, status.HTTP_504_GATEWAY_TIMEOUT),
    (aiogen.SessionClosed, status.HTTP_503_SERVICE_UNAVAILABLE),
    (aiogen.StoreError, status.HTTP_503_SERVICE_UNAVAILABLE),
    (aiogen.AiogenError, status.HTTP_502_BAD_GATEWAY),
)


@app.exception_handler(aiogen.AiogenError)
async def say_what_went_wrong(request: Request, error: aiogen.AiogenError) -> JSONResponse:
    """For any error: its name, what helps, and the ids by which the job is found again."""
    code = next(code for kind, code in STATUSES if isinstance(error, kind))
    detail = {
        "error": type(error).__name__,
        "message": error.message,
        "job_id": error.job_id,
        "provider_id": error.provider_id,
        "failure_code": error.code,
        "action": error.action,
        "retryable": error.retryable,
    }
    return JSONResponse({"detail": detail}, status_code=code)


@app.post("/images")
async def make_and_wait(wanted: Wanted, session: SessionDep) -> dict[str, Any]:
    """Answer when the image is ready.  If the client disconnects, the job goes on and is not lost."""
    job = await session.submit(wanted.model, wanted.prompt)
    await job
    return as_json(job)


@app.post("/images/jobs", status_code=status.HTTP_202_ACCEPTED)
async def make(wanted: Wanted, session: SessionDep) -> dict[str, Any]:
    """Answer at once with our id of the job, which is known before anything is sent."""
    return as_json(await session.submit(wanted.model, wanted.prompt))


@app.get("/images/jobs/{job_id}")
async def look(job_id: str, session: SessionDep) -> dict[str, Any]:
    """The state of the job.  No request is made: the session knows it, or its ledger does."""
    job = await session.job(job_id)
    if job is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "no such job")
    return as_json(job)
