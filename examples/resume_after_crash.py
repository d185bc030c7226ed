"""A program that dies in the middle of its work, and the next one that continues: nothing lost, nothing paid twice."""

import asyncio
import os
import signal
import sys
from collections import Counter

from _vendor import vendor

import aiogen

LEDGER = "resume_after_crash.db"


async def begin() -> None:
    """Submit five jobs, and be killed without warning."""
    async with aiogen.Session(store=LEDGER) as session:
        name = next(iter(session.connections))
        model = {"luma": "luma/uni-1", "leonardo": "leonardo/gemini-image-2"}[name]
        jobs = [await session.submit(model, f"a paper boat, variation {i}", batch="boats") for i in range(5)]
        await asyncio.gather(*(job.accepted() for job in jobs[:3]), return_exceptions=True)
        print(f"{len(jobs)} jobs submitted; this program is killed now", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


async def go_on() -> None:
    """What waited is sent, what ran is followed, what is unknown is reported; a failure stops none of the others."""
    ends: Counter[str] = Counter()
    async with aiogen.Session(store=LEDGER) as session:
        jobs = await session.resume()
        print(f"{len(jobs)} jobs taken over")
        async for job in session.as_completed(jobs):
            try:
                (path,) = await session.download(await job, "out/")
            except aiogen.AiogenError as error:
                ends[type(error).__name__] += 1
                print(f"  {type(error).__name__}: {error}")
            else:
                ends["completed"] += 1
                print(f"  {job.state}: {path}")
        records = await session.records(batch="boats")
        print(f"{sum(record.state.is_terminal for record in records)} of {len(records)} are over")
    print(", ".join(f"{count} {kind}" for kind, count in ends.most_common()))


async def main() -> None:
    """The first program in a process of its own, then the second."""
    async with vendor():
        first = await asyncio.create_subprocess_exec(sys.executable, __file__, "begin", env=os.environ)
        await first.wait()
        await go_on()


if __name__ == "__main__":
    asyncio.run(begin() if sys.argv[1:] == ["begin"] else main())
