"""Many pictures at two providers: each is handled as soon as it is ready, and a failure stops none of the others.

With your keys in the environment it buys twenty images at each provider; without any it runs against the sandbox.
"""

import asyncio
from collections import Counter

from _vendor import vendor

import aiogen

PROMPTS = ["a paper boat", "a fox in the snow", "a tea house", "a red balloon", "an old harbour"]


async def main() -> None:
    """Twenty jobs at each provider; the session keeps to each account's limits by itself."""
    ends: Counter[str] = Counter()
    async with vendor(), aiogen.Session() as session:
        models = {"luma": "luma/uni-1", "leonardo": "leonardo/gemini-image-2"}
        jobs = []
        for model in [model for name, model in models.items() if name in session.connections]:
            for prompt in [f"{prompt}, variation {i}" for prompt in PROMPTS for i in range(4)]:
                try:
                    jobs.append(await session.submit(model, prompt))
                except aiogen.AiogenError as error:  # refused before anything was sent
                    ends[type(error).__name__] += 1
                    print(f"  {type(error).__name__}: {error}")
        print(f"{len(jobs)} jobs submitted")
        async for job in session.as_completed(jobs):
            try:
                paths = await session.download(await job, "out/")
            except aiogen.AiogenError as error:  # it failed, is late or unknown, or its file could not be fetched
                ends[type(error).__name__] += 1
                print(f"  {type(error).__name__}: {error}")
            else:
                ends["completed"] += 1
                print(f"  {job.connection:9} {paths[0]}")
    print(", ".join(f"{count} {kind}" for kind, count in ends.most_common()))


if __name__ == "__main__":
    asyncio.run(main())
