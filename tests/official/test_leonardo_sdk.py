"""Leonardo's own client creates, polls, lists and deletes at the sandbox, and finds what it expects."""

from __future__ import annotations

import asyncio

import pytest

from aiogen.sandbox import LEONARDO_KEY, Sandbox

pytestmark = [pytest.mark.official, pytest.mark.looptime(False), pytest.mark.filterwarnings("default")]

PHOENIX = "de7d3faf-762f-48e0-b3b7-9d0ac3a3fcf3"


async def test_the_life_of_a_generation() -> None:
    """With every answer parsed by the vendor's own models."""
    sdk = pytest.importorskip("leonardo_ai_sdk")
    async with (
        Sandbox(speed=20) as box,
        sdk.LeonardoAiSDK(bearer_auth=LEONARDO_KEY, server_url=f"{box.leonardo_url}/v1") as client,
    ):
        me = await client.user.get_user_self_async()
        user_id = me.object.user_details[0].user.id

        created = await client.image.create_generation_async(
            request={"prompt": "a majestic cat", "model_id": PHOENIX, "num_images": 2, "width": 512, "height": 512}
        )
        generation_id = created.object.sd_generation_job.generation_id

        for _ in range(200):
            found = (await client.image.get_generation_by_id_async(id=generation_id)).object.generations_by_pk
            if found.status != "PENDING":
                break
            await asyncio.sleep(0.05)
        assert (found.status, found.id, found.prompt) == ("COMPLETE", generation_id, "a majestic cat")
        assert [image.url.startswith("http") for image in found.generated_images] == [True, True]

        listed = await client.image.get_generations_by_user_id_async(user_id=user_id, limit=5)
        assert [g.id for g in listed.object.generations] == [generation_id]

        deleted = await client.image.delete_generation_by_id_async(id=generation_id)
        assert deleted.object.delete_generations_by_pk.id == generation_id
        gone = await client.image.get_generation_by_id_async(id=generation_id)
        assert gone.object.generations_by_pk is None
