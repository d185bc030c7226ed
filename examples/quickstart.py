"""One picture: submit, wait, save."""

import asyncio

from _vendor import vendor

import aiogen


async def main() -> None:
    """The program of the README; if there is no picture, it prints the reason in one line."""
    async with vendor(), aiogen.Session() as session:
        try:
            generation = await session.generate("luma/uni-1", "a lighthouse at dawn", aspect_ratio="16:9")
            paths = await session.download(generation, "out/")
        except aiogen.AiogenError as error:
            raise SystemExit(f"{type(error).__name__}: {error}") from None
        print(f"{generation.state}: {paths[0]}")


if __name__ == "__main__":
    asyncio.run(main())
