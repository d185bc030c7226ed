"""Generations that were made before (in another process, a web page, yesterday): follow them by their ids."""

import asyncio
from collections import Counter

from _vendor import vendor

import aiogen


async def main() -> None:
    """The first session only submits, and is closed; the second needs only the ids.

    Closing a session while paid jobs run is logged as a warning: here it is on purpose, and the ids are kept.
    """
    ends: Counter[str] = Counter()
    async with vendor():
        ids = []
        async with aiogen.Session() as session:
            connection = next(iter(session.connections))
            model = {"luma": "luma/uni-1", "leonardo": "leonardo/gemini-image-2"}[connection]
            jobs = [await session.submit(model, f"a postcard from {town}") for town in ("Oslo", "Lima", "Kobe")]
            for job in jobs:
                try:
                    ids.append(await job.accepted())
                except aiogen.AiogenError as error:  # refused, or unknown: there is no id to follow
                    ends[type(error).__name__] += 1
                    print(f"{type(error).__name__}: {error}")
        print("closed the session while these were running:", *ids, sep="\n  ")

        async with aiogen.Session() as session:
            for result in await session.wait_many(connection, ids, return_exceptions=True):
                if isinstance(result, aiogen.AiogenError):
                    ends[type(result).__name__] += 1
                    print(f"{type(result).__name__}: {result}")
                else:
                    ends["completed"] += 1
                    print(f"{result.provider_id}: {result.state}")
    print(", ".join(f"{count} {kind}" for kind, count in ends.most_common()))


if __name__ == "__main__":
    asyncio.run(main())
