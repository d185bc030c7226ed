"""Many pictures at two providers: each is handled as soon as it is ready, and failures say what helps.

With your keys in the environment it buys twenty images at each provider; without any it runs against the sandbox.
"""

import asyncio

from _vendor import vendor

import aiogen

PROMPTS = ["a paper boat", "a fox in the snow", "a tea house", "a red balloon", "an old harbour"]


async def main() -> None:
    """Twenty jobs at each provider; the session keeps to each account's limits by itself."""
    async with vendor(), aiogen.Session() as session:
        models = {"luma": "luma/uni-1", "leonardo": "leonardo/gemini-image-2"}
        jobs = [
            await session.submit(models[name], f"{prompt}, variation {i}")
            for name in session.connections
            for prompt in PROMPTS
            for i in range(4)
        ]
        print(f"{len(jobs)} jobs submitted")
        completed = failed = 0
        async for job in session.as_completed(jobs):
            try:
                generation = await job
            except aiogen.GenerationFailed as failure:
                failed += 1
                print(f"  {job.provider_id}: {failure.code} -> {failure.action}")
            else:
                completed += 1
                paths = await session.download(generation, "out/")
                print(f"  {completed:3} {job.connection:9} {paths[0]}")
        print(f"{completed} completed, {failed} failed")


if __name__ == "__main__":
    asyncio.run(main())
