"""Images for whoever speaks OpenAI's form, from any provider: a request that is repeated finds the job it has paid for.

pip install ".[sandbox,fastapi]" openai
python -m uvicorn openai_front:app --app-dir examples

python -c 'import openai; print(openai.OpenAI(base_url="http://localhost:8000/v1", api_key="ann").images.generate(
    model="luma/uni-1", prompt="a paper boat").data[0].url)'

With several workers (--workers 2) start `aiogen sandbox` beside it, or set a key: else each has vendors of its own.
docs/web.md says what the key means, and how to ask for another picture of the same prompt.
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
    """All workers keep their jobs in one file: each finds what another has begun, and goes on with it."""
    async with vendor(), aiogen.Session(store="openai_front.db") as app.state.aiogen:
        yield


app = FastAPI(title="aiogen in OpenAI's form", lifespan=lifespan)


class Wanted(BaseModel, extra="forbid"):
    """The body of a request; what is not in here is refused, not left out in silence."""

    prompt: str
    model: str = "luma/uni-1"
    n: Annotated[int, Field(ge=1, le=10)] = 1
    user: str = ""
    response_format: Literal["url", "b64_json"] = "url"


def digest(text: str) -> str:
    """So that no API key stands in the ledger, and a key of any length fits."""
    return hashlib.sha256(text.encode()).hexdigest()


@app.post("/v1/images/generations")
async def generations(wanted: Wanted, request: Request) -> dict[str, Any]:
    """The same request of the same client is the same job, whichever worker gets it, and whatever became of the last.

    Only a call that is no repetition of the client's own may pay for another attempt of what has failed.
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
    """The picture of a job; the address of one that ended long ago is asked for again."""
    if form == "b64_json":
        return {"b64_json": base64.b64encode(await job.read()).decode()}
    return {"url": (await session.urls(job))[0]}


@app.exception_handler(aiogen.AiogenError)
async def say_what_went_wrong(request: Request, error: aiogen.AiogenError) -> JSONResponse:
    """In OpenAI's form; the client repeats by itself only what another worker, or this one later, can do better."""
    is_for_later = isinstance(error, aiogen.SessionClosed | aiogen.StoreError)
    is_theirs = isinstance(error, aiogen.InputError | aiogen.GenerationFailed)
    detail = {"message": error.message, "type": type(error).__name__, "code": error.code, "param": None}
    return JSONResponse(
        {"error": detail},
        status_code=503 if is_for_later else 400 if is_theirs else 502,
        headers={"x-should-retry": str(is_for_later).lower()},
    )
