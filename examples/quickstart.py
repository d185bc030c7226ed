"""One picture: submit, wait, save."""

import asyncio

from _vendor import vendor

import aiogen


async def main() -> None:
    """The program of the README."""
    async with vendor(), aiogen.Session() as session:
        generation = await session.generate("luma/uni-1", "a lighthouse at dawn", aspect_ratio="16:9")
        paths = await session.download(generation, "out/")
        print(f"{generation.state}: {paths[0]}")


if __name__ == "__main__":
    asyncio.run(main())
