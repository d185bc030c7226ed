"""Never run, only checked: mypy and pyright refuse each line that is marked, and no other.  See `make types`."""

# pyright: reportUnnecessaryTypeIgnoreComment=true
from __future__ import annotations

from pathlib import Path

import aiogen


def words_that_are_none() -> None:
    aiogen.LumaImage(prompt="a boat", aspect_ratio="17:9")  # type: ignore[arg-type]
    aiogen.LumaImage(prompt="a boat", aspect_ratio="16x9")  # type: ignore[arg-type]
    aiogen.LumaImage(prompt="a boat", style="cubism")  # type: ignore[arg-type]
    aiogen.LumaImage(prompt="a boat", output_format="webp")  # type: ignore[arg-type]
    aiogen.LumaImageEdit(prompt="a boat", source=b"", output_format="gif")  # type: ignore[arg-type]
    aiogen.LumaLayering(prompt="a boat", source=b"", resolution="4k")  # type: ignore[arg-type]
    aiogen.LumaVideo(prompt="a boat", duration="9s")  # type: ignore[arg-type]
    aiogen.LumaVideo(prompt="a boat", duration=5)  # type: ignore[arg-type]
    aiogen.LumaVideo(prompt="a boat", resolution="4k")  # type: ignore[arg-type]
    aiogen.LumaVideoEdit(prompt="a boat", source="a.mp4", strength="flex_4")  # type: ignore[arg-type]
    aiogen.LumaVideoReframe(prompt="a boat", source="a.mp4", source_position={"x_norm": 0})  # type: ignore[arg-type]
    aiogen.LeonardoImage(prompt="a boat", model="lucid-origin", aspect_ratio="17:9")  # type: ignore[arg-type]
    aiogen.LeonardoImage(prompt="a boat", model="lucid-origin", prompt_enhance=True)  # type: ignore[arg-type]
    aiogen.LeonardoImage(prompt="a boat", model="gpt-image-2", quality="BEST")  # type: ignore[arg-type]
    aiogen.LeonardoImage(prompt="a boat", model="lucid-origin", mode="SLOW")  # type: ignore[arg-type]
    aiogen.LeonardoImage(prompt="a boat", model="phoenix", contrast="MAXIMUM")  # type: ignore[arg-type]
    aiogen.LeonardoImage(prompt="a boat", model="lucid-origin", width="1024")  # type: ignore[arg-type]


def fields_that_are_none() -> None:
    aiogen.LumaImage(prompt="a boat", aspectratio="16:9")  # type: ignore[call-arg]
    aiogen.LumaImage(prompt="a boat", seed=1)  # type: ignore[call-arg]
    aiogen.LumaImage(prompt="a boat", duration="5s")  # type: ignore[call-arg]
    aiogen.LumaImage("a boat")  # type: ignore[call-arg]
    aiogen.LumaLayering(prompt="a boat")  # type: ignore[call-arg]
    aiogen.LumaVideo(prompt="a boat", style="manga")  # type: ignore[call-arg]
    aiogen.LeonardoImage(prompt="a boat")  # type: ignore[call-arg]
    aiogen.LeonardoImage(prompt="a boat", model="lucid-origin", negativePrompt="a sail")  # type: ignore[call-arg]
    aiogen.LeonardoImage(prompt="a boat", model="lucid-origin", source=Path("a.png"))  # type: ignore[call-arg]
    aiogen.LeonardoImage(prompt="a boat", model="lucid-origin", images=[b""])  # type: ignore[call-arg]
    aiogen.ComfyImage(prompt="a boat", model="a.safetensors", steps=20)  # type: ignore[call-arg]


def what_is_frozen(request: aiogen.LumaImage) -> None:
    request.aspect_ratio = "16:9"  # type: ignore[misc]


async def calls(session: aiogen.Session) -> None:
    boat = aiogen.LumaImage(prompt="a boat")
    await session.submit(boat, seed=1)  # type: ignore[call-overload]
    await session.submit(boat, aspect_ratio="16:9")  # type: ignore[call-overload]
    await session.submit(boat, timeot=60.0)  # type: ignore[call-overload]
    await session.submit(boat, "a boat")  # type: ignore[call-overload]
    await session.submit("luma", boat, seed=1)  # type: ignore[call-overload]
    await session.submit(boat, priority="high")  # type: ignore[call-overload]
    await session.submit("luma/uni-1", "a boat", priority="high")  # type: ignore[call-overload]
    await session.submit("luma/uni-1", "a boat", timeout="60")  # type: ignore[call-overload]
    await session.submit("luma/uni-1", "a boat", "16:9")  # type: ignore[call-overload]
    await session.submit(b"luma/uni-1", "a boat")  # type: ignore[call-overload]
    await session.generate(boat, seed=1)  # type: ignore[call-overload]
    await session.generate(boat, retires=2)  # type: ignore[call-overload]
    await session.generate("luma", boat, seed=1)  # type: ignore[call-overload]
    await session.generate("luma/uni-1", "a boat", retries="2")  # type: ignore[call-overload]
    await session.generate("luma/uni-1", "a boat", at_most=4)  # type: ignore[call-overload]
