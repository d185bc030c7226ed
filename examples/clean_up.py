"""List what an account holds, and delete what failed.  Leonardo only, as Luma can neither list nor delete."""

import asyncio
import os
from collections import Counter

from _vendor import vendor

import aiogen


async def main() -> None:
    """Nothing is deleted that has pictures."""
    ends: Counter[str] = Counter()
    async with vendor():
        if not os.environ.get("LEONARDO_API_KEY"):
            raise SystemExit("This example needs LEONARDO_API_KEY (or no key at all, for the sandbox).")
        async with aiogen.Session() as session:
            try:
                await something_to_clean_up(session)
                async for generation in session.list("leonardo", limit=100):
                    print(f"{generation.provider_id}  {generation.state:10}  {generation.prompt}")
                    if generation.state is aiogen.State.FAILED and generation.provider_id:
                        ends[await deleted(session, generation.provider_id)] += 1
            except aiogen.AiogenError as error:  # the list could not be read (any further)
                ends[type(error).__name__] += 1
                print(f"{type(error).__name__}: {error}")
    print(", ".join(f"{count} {kind}" for kind, count in ends.most_common()) or "nothing to delete")


async def deleted(session: aiogen.Session, provider_id: str) -> str:
    """The result; one that cannot be deleted does not affect the others."""
    try:
        await session.delete("leonardo", provider_id, missing_ok=True)
    except aiogen.AiogenError as error:
        print(f"    {type(error).__name__}: {error}")
        return type(error).__name__
    print("    deleted")
    return "deleted"


async def something_to_clean_up(session: aiogen.Session) -> None:
    """For the sandbox only, which begins empty."""
    if "sandbox" in str((await session.account("leonardo")).username):
        jobs = [await session.submit("leonardo/gemini-image-2", f"cat {i}") for i in range(3)]
        jobs.append(await session.submit("leonardo/gemini-image-2", "dog [[fail=generation_failed]]"))
        await asyncio.gather(*jobs, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
