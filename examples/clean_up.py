"""List what an account holds, and delete what failed.  Leonardo only, as Luma can neither list nor delete."""

import asyncio
import os

from _vendor import vendor

import aiogen


async def main() -> None:
    """Nothing is deleted that has pictures."""
    async with vendor():
        if not os.environ.get("LEONARDO_API_KEY"):
            raise SystemExit("This example needs LEONARDO_API_KEY (or no key at all, for the sandbox).")
        async with aiogen.Session() as session:
            if "sandbox" in str((await session.account("leonardo")).username):
                jobs = [await session.submit("leonardo/gemini-image-2", f"cat {i}") for i in range(3)]
                jobs.append(await session.submit("leonardo/gemini-image-2", "dog [[fail=generation_failed]]"))
                await asyncio.gather(*jobs, return_exceptions=True)
            async for generation in session.list("leonardo", limit=100):
                print(f"{generation.provider_id}  {generation.state:10}  {generation.prompt}")
                if generation.state is aiogen.State.FAILED and generation.provider_id:
                    await session.delete("leonardo", generation.provider_id, missing_ok=True)
                    print("    deleted")


if __name__ == "__main__":
    asyncio.run(main())
