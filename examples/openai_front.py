"""Images for clients of OpenAI's API, from any provider: a repeated request finds the job that it has paid for.

pip install ".[sandbox,fastapi]" openai
python -m uvicorn openai_front:app --app-dir examples

python -c 'import openai; print(openai.OpenAI(base_url="http://localhost:8000/v1", api_key="ann").images.generate(
    model="luma/uni-1", prompt="a paper boat").data[0].url)'

With several workers (--workers 2) start `aiogen sandbox` beside it, or set a key: else each worker has a sandbox of
its own.  docs/web.md says what the key means, and how to request another picture of the same prompt.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from _vendor import vendor
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

import aiogen


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """All workers keep their jobs in one file: each finds what another has begun, and continues it."""
    async with vendor(), aiogen.Session(store="openai_front.db") as app.state.aiogen:
        yield


app = FastAPI(title="aiogen in OpenAI's form", lifespan=lifespan)


class Wanted(BaseModel, extra="forbid"):
    """The body of a request; other fields are refused, not silently ignored."""

    prompt: str
    model: str = "luma/uni-1"
    n: Annotated[int, Field(ge=1, le=10)] = 1
    user: str = ""
    response_format: Literal["url", "b64_json"] = "url"


def digest(text: str) -> str:
    """A hash, so that no API key is in the ledger, and a key of any length fits."""
    return hashlib.sha256(text.encode()).hexdigest()


@app.post("/v1/images/generations")
async def generations(wanted: Wanted, request: Request) -> dict[str, Any]:
    """The same request of the same client is the same job, whichever worker gets it, and whatever became of it before.

    Only a call that is not an automatic repetition of the client's may pay for another attempt of a failed job.
    """
    session: aiogen.Session = request.app.state.aiogen
    headers = request.headers
    key = digest(headers.get("idempotency-key") or wanted.model_dump_json(exclude={"response_format"}))
    scope = digest(headers.get("authorization", ""))
    is_first = headers.get("x-stainless-retry-count") == "0"
    jobs = [
        await session.submit(wanted.model, wanted.prompt, key=f"{key}/{i}", scope=scope, retry=is_first)
        for i in range(wanted.n)
    ]
    for job in jobs:
        await job
    return {"created": int(time.time()), "data": [await as_image(session, job, wanted.response_format) for job in jobs]}


async def as_image(session: aiogen.Session, job: aiogen.Job, form: str) -> dict[str, Any]:
    """The picture of a job; if it ended long ago, the provider is asked for a fresh url."""
    if form == "b64_json":
        return {"b64_json": base64.b64encode(await job.read()).decode()}
    return {"url": (await session.urls(job))[0]}


@app.exception_handler(aiogen.AiogenError)
async def say_what_went_wrong(request: Request, error: aiogen.AiogenError) -> JSONResponse:
    """In OpenAI's format; its client repeats automatically only what another worker, or this one later, can do."""
    is_for_later = isinstance(error, aiogen.SessionClosed | aiogen.StoreError)
    is_theirs = isinstance(error, aiogen.InputError | aiogen.GenerationFailed)
    detail = {"message": error.message, "type": type(error).__name__, "code": error.code, "param": None}
    return JSONResponse(
        {"error": detail},
        status_code=503 if is_for_later else 400 if is_theirs else 502,
        headers={"x-should-retry": str(is_for_later).lower()},
    )
