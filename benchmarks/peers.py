"""The same task for everyone: create n generations, wait for each as it ends, note when each was known to be over.

A peer is a context manager that opens a client at a server and gives the function that does the task; it may be
called again, for a session that has seen some generations before.  All peers but aiogen run a task per generation,
as their documentation shows it: create, then sleep and ask until it is over.  An error ends that generation's task,
and is counted, not hidden.

The intervals are those of released clients, read from the installed packages:

* luma-agents has none of its own; the loop in Luma's documentation waits 0.5 s first, then 1.5 times as long, 5 s at
  most, and so it is driven here.
* leonardo-ai-sdk has none either; 2 s is the shortest that Leonardo's recipes use.
* fal: `fal_client.client.DEFAULT_QUEUE_POLL_INTERVAL`, 0.1 s; asks first, then sleeps
  (`AsyncRequestHandle.iter_events`).
* replicate: `replicate.Client().poll_interval`, 0.5 s; sleeps first, then asks (`Prediction.async_wait`).
* google-api-core: `google.api_core.future.polling.DEFAULT_POLLING`, 1 s times 1.5 up to 20 s, each drawn with full
  jitter (`exponential_sleep_generator`); asks first, then sleeps (`PollingFuture`).

The last three drive a bare aiohttp loop: what is compared is when they ask, not what their clients cost.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import aiohttp
import attrs

import aiogen
from benchmarks.server import Server

KEY = "7f9c24e8-3b12-4fef-91e0-5b1dca5aee31"
PHOENIX = "de7d3faf-762f-48e0-b3b7-9d0ac3a3fcf3"


@attrs.define
class Outcome:
    """What the client's code learned, and when."""

    over: dict[str, float] = attrs.field(factory=dict)
    """Vendor's id to the moment (`time.monotonic()`) at which the waiting code had the result."""
    failures: Counter[str] = attrs.field(factory=Counter)
    """Generations whose end was not learned, by the error that came instead."""


Run = Callable[[int, Outcome], Awaitable[None]]
Peer = Callable[[Server], AbstractAsyncContextManager[Run]]
Delays = Callable[[], Iterable[float]]


@attrs.frozen
class Limits:
    """The limits that aiogen is told; by default none that matters."""

    max_active: int = 1_000_000
    creates_per_minute: int = 1_000_000
    requests_per_minute: int = 1_000_000


UNLIMITED = Limits()


@asynccontextmanager
async def aiogen_luma(server: Server, limits: Limits = UNLIMITED) -> AsyncIterator[Run]:
    """aiogen at Luma."""
    provider = aiogen.Luma(api_key=KEY, base_url=server.luma_url, **attrs.asdict(limits))
    async with aiogen.Session([provider]) as session:
        yield partial(_session, session, "luma/uni-1")


@asynccontextmanager
async def aiogen_leonardo(server: Server, limits: Limits = UNLIMITED) -> AsyncIterator[Run]:
    """aiogen at Leonardo."""
    provider = aiogen.Leonardo(api_key=KEY, base_url=server.leonardo_url, **attrs.asdict(limits))
    async with aiogen.Session([provider]) as session:
        yield partial(_session, session, "leonardo/gemini-image-2")


async def _session(session: aiogen.Session, model: str, n: int, outcome: Outcome) -> None:
    jobs = [await session.submit(model, f"picture {number}") for number in range(n)]
    async for job in session.as_completed(jobs):
        if job.error is None:
            outcome.over[job.provider_id or ""] = time.monotonic()
        else:
            outcome.failures[type(job.error).__name__] += 1


async def _task_each(
    create: Callable[[str], Awaitable[str]],
    is_over: Callable[[str], Awaitable[bool]],
    delays: Delays,
    n: int,
    outcome: Outcome,
) -> None:
    """A task per generation, with a loop of its own."""

    async def one(number: int) -> None:
        try:
            job_id = await create(f"picture {number}")
            for delay in delays():
                await asyncio.sleep(delay)
                if await is_over(job_id):
                    outcome.over[job_id] = time.monotonic()
                    return
        except Exception as error:
            outcome.failures[type(error).__name__] += 1

    await asyncio.gather(*(one(number) for number in range(n)))


@attrs.frozen
class Every:
    """Always the same interval."""

    seconds: float
    asks_first: bool = False
    """The first question does not wait."""

    def __call__(self) -> Iterator[float]:
        return itertools.chain([0.0 if self.asks_first else self.seconds], itertools.repeat(self.seconds))


def documented_by_luma() -> Iterator[float]:
    """The loop in Luma's documentation."""
    delay = 0.5
    while True:
        yield delay
        delay = min(delay * 1.5, 5.0)


@asynccontextmanager
async def luma_agents(server: Server) -> AsyncIterator[Run]:
    """Luma's own client over aiohttp, with its defaults: 100 connections, two retries."""
    from luma_agents import AsyncLuma, DefaultAioHttpClient

    http = DefaultAioHttpClient()
    async with AsyncLuma(auth_token=KEY, base_url=server.luma_url, http_client=http) as client:

        async def create(prompt: str) -> str:
            return (await client.generations.create(prompt=prompt, model="uni-1")).id

        async def is_over(job_id: str) -> bool:
            return (await client.generations.get(job_id)).state in ("completed", "failed")

        yield partial(_task_each, create, is_over, documented_by_luma)


@asynccontextmanager
async def leonardo_sdk(server: Server) -> AsyncIterator[Run]:
    """Leonardo's own client with its defaults: httpx, 100 connections, 5 s for each step of a request."""
    from leonardo_ai_sdk import LeonardoAiSDK

    async with LeonardoAiSDK(bearer_auth=KEY, server_url=f"{server.leonardo_url}/v1") as client:
        image = client.image  # imported here, not while something is timed

        async def create(prompt: str) -> str:
            wanted = {"prompt": prompt, "model_id": PHOENIX, "num_images": 1, "width": 512, "height": 512}
            created = await image.create_generation_async(request=wanted)
            return str(created.object.sd_generation_job.generation_id)

        async def is_over(job_id: str) -> bool:
            found = (await image.get_generation_by_id_async(id=job_id)).object.generations_by_pk
            return found.status in ("COMPLETE", "FAILED")

        yield partial(_task_each, create, is_over, Every(2.0))


@asynccontextmanager
async def bare(server: Server, delays: Delays, *, patient: bool = False) -> AsyncIterator[Run]:
    """aiohttp and json at Luma; a patient one waits as a 429 asks (1 s if it does not say) and tries again."""
    headers = {"Authorization": f"Bearer {KEY}", "Accept": "application/json"}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as http:

        async def ask(method: str, path: str, body: object = None) -> dict[str, str]:
            while True:
                async with http.request(method, server.luma_url + path, json=body) as answer:
                    if not (patient and answer.status == 429):
                        answer.raise_for_status()
                        found: dict[str, str] = json.loads(await answer.read())
                        return found
                    pause = float(answer.headers.get("Retry-After", 1.0))
                await asyncio.sleep(pause)

        async def create(prompt: str) -> str:
            return (await ask("POST", "/generations", {"prompt": prompt, "model": "uni-1"}))["id"]

        async def is_over(job_id: str) -> bool:
            return (await ask("GET", f"/generations/{job_id}"))["state"] in ("completed", "failed")

        yield partial(_task_each, create, is_over, delays)


@asynccontextmanager
async def fal(server: Server) -> AsyncIterator[Run]:
    """When fal's client asks."""
    from fal_client.client import DEFAULT_QUEUE_POLL_INTERVAL

    async with bare(server, Every(DEFAULT_QUEUE_POLL_INTERVAL, asks_first=True)) as run:
        yield run


@asynccontextmanager
async def replicate(server: Server) -> AsyncIterator[Run]:
    """When replicate's client asks."""
    from replicate.client import Client

    async with bare(server, Every(Client(api_token=KEY).poll_interval)) as run:
        yield run


@asynccontextmanager
async def google(server: Server) -> AsyncIterator[Run]:
    """When google-api-core's futures ask."""
    from google.api_core.future.polling import DEFAULT_POLLING
    from google.api_core.retry import exponential_sleep_generator

    def delays() -> Iterator[float]:
        # Retry has no public names for what it was given.
        yield 0.0
        yield from exponential_sleep_generator(
            DEFAULT_POLLING._initial, DEFAULT_POLLING._maximum, DEFAULT_POLLING._multiplier
        )

    async with bare(server, delays) as run:
        yield run


PEERS: dict[str, Peer] = {
    "aiogen, Luma": aiogen_luma,
    "aiogen, Leonardo": aiogen_leonardo,
    "luma-agents": luma_agents,
    "leonardo-ai-sdk, every 2 s": leonardo_sdk,
    "aiohttp, every 2 s": partial(bare, delays=Every(2.0)),
    "aiohttp, every 2 s, patient": partial(bare, delays=Every(2.0), patient=True),
    "google's intervals": google,
    "replicate's interval": replicate,
    "fal's interval": fal,
}
"""By the names under which they stand in results."""
