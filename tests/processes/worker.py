"""One process of several on one ledger: is told on stdin what to do, and says on stdout what happens, line by line."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import attrs

import aiogen
from aiogen.stores import Store
from aiogen.stores.sqlite import SqliteStore

KEY = "luma-api-test-key-0123456789"


def say(event: str, **more: Any) -> None:
    """A line for the test."""
    sys.stdout.write(json.dumps({"event": event, "at": time.monotonic(), **more}) + "\n")
    sys.stdout.flush()


class Talking:
    """A ledger that says when it is a worker, and takes its time where the test has to get in between."""

    def __init__(self, where: str, *, slow_intent: float, slow_return: float, **options: Any) -> None:
        super().__init__(where, **options)  # type: ignore[call-arg]
        self._slow_intent, self._slow_return = slow_intent, slow_return
        self._was_open = False

    async def open(self) -> None:
        if self._was_open:
            say("lost")
            await asyncio.sleep(self._slow_return)
        await super().open()  # type: ignore[misc]
        say("registered anew" if self._was_open else "registered")
        self._was_open = True

    async def intend(self, job_id: str, *room: Any) -> float:
        say("intends", id=job_id)
        await asyncio.sleep(self._slow_intent)
        return float(await super().intend(job_id, *room))  # type: ignore[misc]


class FileLedger(Talking, SqliteStore):
    """In a file."""


def ledger(config: dict[str, Any]) -> Store:
    """In a file or in a database."""
    options = {name: config[name] for name in ("lease", "slow_intent", "slow_return")} | config["store"]
    if not config["path"].startswith("postgresql:"):
        return FileLedger(config["path"], **options)
    from aiogen.stores import PostgresStore

    made: Store = type("ServerLedger", (Talking, PostgresStore), {})(config["path"], **options)
    return made


class Program:
    """What a user's program would do with its session."""

    def __init__(self, session: aiogen.Session) -> None:
        self._session = session
        self._jobs: dict[str, aiogen.Job] = {}

    async def handle(self, name: str) -> None:
        """Register a handler that says what it is told."""

        async def handler(generation: aiogen.Generation) -> None:
            say("told", id=generation.id, state=generation.state)

        await self._session.on_completion(name, handler)
        say("handles")

    async def submit(self, prompts: list[str], wait: bool = False, keyed: bool = False) -> None:
        """A hundred at a time, each under its prompt as a key if `keyed`; say what becomes of each, if `wait`."""
        jobs: list[aiogen.Job] = []
        for i in range(0, len(prompts), 100):
            some = prompts[i : i + 100]
            named = [(prompt, prompt if keyed else None) for prompt in some]
            jobs += await asyncio.gather(
                *(self._session.submit("luma/uni-1", prompt, key=key) for prompt, key in named)
            )
        self._jobs |= {job.id: job for job in jobs}
        say("submitted", ids=[job.id for job in jobs])
        if wait:
            await asyncio.gather(*map(self._ended, jobs))

    async def attach(self, ids: list[str]) -> None:
        """Follow generations that were made elsewhere, a hundred at a time."""
        for i in range(0, len(ids), 100):
            some = await asyncio.gather(*(self._session.attach("luma", name) for name in ids[i : i + 100]))
            self._jobs |= {job.id: job for job in some}
        say("attached")

    async def follow(self, ids: list[str]) -> None:
        """Await jobs by their ids, whoever submitted them."""
        jobs = [await self._session.job(name) for name in ids]
        await asyncio.gather(*(self._ended(job) for job in jobs if job is not None))

    async def _ended(self, job: aiogen.Job) -> None:
        try:
            generation = await job
        except aiogen.AiogenError as error:
            say("ended", id=job.id, error=type(error).__name__, text=str(error))
            return
        # What the vendor sent beside that is for whoever read its answer, and not in the ledger.
        outputs = tuple(attrs.evolve(output, raw={}) for output in generation.outputs)
        say("ended", id=job.id, result=repr(attrs.asdict(attrs.evolve(generation, raw={}, outputs=outputs))))


async def main(config: dict[str, Any]) -> None:
    """Until there are no more lines on stdin."""
    provider = aiogen.Luma(api_key=KEY, base_url=config["url"], **config["provider"])
    store = ledger(config)
    lines = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    # What fails in the program ends it, so that the test need not wait for what will never be said.
    async with (
        asyncio.TaskGroup() as under_way,
        aiogen.Session([provider], store=store, **config["session"]) as session,
    ):
        program = Program(session)
        async for line in lines:
            task = json.loads(line)
            under_way.create_task(getattr(program, task.pop("do"))(**task))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
