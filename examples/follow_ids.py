"""Generations that were made elsewhere (another process, a web page, yesterday): follow them by their ids."""

import asyncio

from _vendor import vendor

import aiogen


async def main() -> None:
    """The first session only submits and is left; the second needs nothing but the ids."""
    async with vendor():
        async with aiogen.Session() as session:
            connection = next(iter(session.connections))
            model = {"luma": "luma/uni-1", "leonardo": "leonardo/gemini-image-2"}[connection]
            jobs = [await session.submit(model, f"a postcard from {town}") for town in ("Oslo", "Lima", "Kobe")]
            ids = [await job.accepted() for job in jobs]
        print("left the session while these were running:", *ids, sep="\n  ")

        async with aiogen.Session() as session:
            for result in await session.wait_many(connection, ids, return_exceptions=True):
                print(result if isinstance(result, aiogen.AiogenError) else f"{result.provider_id}: {result.state}")


if __name__ == "__main__":
    asyncio.run(main())
