"""Leonardo's models in a session, at the sandbox: without a prompt, with pictures, with what was left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from pictures import png

import aiogen
from aiogen.sandbox import LEONARDO_KEY, LeonardoSettings, Sandbox


def session_on(box: Sandbox) -> aiogen.Session:
    return aiogen.Session([aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=box.leonardo_url)])


async def test_a_picture_from_disk_loses_its_background(tmp_path: Path) -> None:
    """No prompt, no upload: the file goes along with the create."""
    path = tmp_path / "boat.png"
    path.write_bytes(png())
    async with Sandbox() as box, session_on(box) as session:
        generation = await session.generate("leonardo/remove-bg", references=[path], format="png")
        assert (generation.state, generation.model, generation.kind) == ("completed", "remove-bg", "image")
        assert (generation.prompt, generation.warnings) == (None, ())
        [job] = box.jobs
        [reference] = job.body["parameters"]["guidances"]["image_reference"]
        assert reference["image"]["type"] == "BASE64"
        assert "prompt" not in job.body["parameters"]
        found = await session.read(generation)
        assert found.startswith(b"\x89PNG")


async def test_what_was_left_out_is_said() -> None:
    """A common word that the model cannot honour is a warning of the generation, and the job is made."""
    async with Sandbox() as box, session_on(box) as session:
        generation = await session.generate("leonardo/gpt-image-2", "a boat", seed=7, aspect_ratio="16:9")
        assert generation.state == "completed"
        assert [warning.partition(":")[0] for warning in generation.warnings] == [
            "Leonardo AI takes pixels",
            "Leonardo AI's model 'gpt-image-2' takes no seed",
        ]


@pytest.mark.parametrize("name", ["aspectratio", "seeed", "source"])
async def test_what_is_misspelt_is_not_sent(name: str) -> None:
    """Nothing was asked of the vendor."""
    async with Sandbox() as box, session_on(box) as session:
        with pytest.raises(aiogen.UnknownParameter):
            await session.submit("leonardo/gemini-image-2", "a boat", **{name: "x"})
        assert not [request for request in box.requests if request.action == "create"]


async def test_a_model_that_nobody_knows() -> None:
    """It is passed on: here the vendor refuses it, there it knows it already."""
    async with Sandbox() as box, session_on(box) as session:
        with pytest.raises(aiogen.GenerationRefused, match="model must be one of the available models") as caught:
            await session.generate("leonardo/kiln-9", "a boat")
        assert caught.value.generation is not None
        assert "is not in aiogen's table" in caught.value.generation.warnings[0]
    async with Sandbox(leonardo=LeonardoSettings(extra_models=("kiln-9",))) as box, session_on(box) as session:
        assert (await session.generate("leonardo/kiln-9", "a boat")).state == "completed"


async def test_a_list_shows_slugs() -> None:
    """A reading names a model by its UUID; where that is known, the list has the slug that creates with it."""
    async with Sandbox() as box, session_on(box) as session:
        await session.generate("leonardo/flux-dev", "a boat")
        assert [generation.model async for generation in session.list("leonardo", limit=5)] == ["flux-dev"]
