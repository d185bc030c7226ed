"""An edit: a local file goes along with the request.  Luma only."""

import asyncio
import os

from _vendor import vendor

import aiogen


async def main() -> None:
    """First a picture, then the same picture changed."""
    async with vendor():
        if not os.environ.get("LUMA_AGENTS_API_KEY"):
            raise SystemExit("This example needs LUMA_AGENTS_API_KEY (or no key at all, for the sandbox).")
        async with aiogen.Session() as session:
            try:
                first = await session.generate("luma/uni-1", "a harbour at noon", output_format="png")
                (path,) = await session.download(first, "out/")
                edited = await session.generate(
                    aiogen.LumaImageEdit(prompt="the same harbour at night", source=path, output_format="png")
                )
                (night,) = await session.download(edited, "out/")
            except aiogen.AiogenError as error:
                raise SystemExit(f"{type(error).__name__}: {error}") from None
        print(f"{path} -> {night}")


if __name__ == "__main__":
    asyncio.run(main())
