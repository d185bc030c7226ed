"""Never run, only checked: what users write has the types they expect.  See `make types`."""

# pyright: reportUnnecessaryTypeIgnoreComment=true
from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

from PIL import Image

import aiogen
from aiogen.exchange import Accepted, Snapshot, Submission, Ticket
from aiogen.sandbox import ComfyUISettings, LeonardoSettings, LumaSettings, Sandbox
from aiogen.stores import SqliteStore, Store
from aiogen.testing import ProviderBattery, StoreBattery, StoreContext, answer, drive


async def a_session() -> None:
    async with aiogen.Session([aiogen.Luma(api_key="k"), aiogen.Leonardo(api_key="k", nsfw="drop")]) as session:
        assert_type(session, aiogen.Session)
        job = await session.submit("luma/uni-1", "a boat", aspect_ratio="16:9", timeout=60.0)
        assert_type(job, aiogen.Job)
        assert_type(await job, aiogen.Generation)
        assert_type(await job.accepted(), str)
        assert_type(job.state, aiogen.State)
        async for event in job.events():
            assert_type(event, aiogen.Event)
        generation = await session.generate(aiogen.LumaImage(prompt="a boat"))
        assert_type(generation, aiogen.Generation)
        async for ended in session.as_completed([job]):
            assert_type(ended, aiogen.Job)
        assert_type(await session.wait_many("luma", ["a"]), list[aiogen.Generation])
        assert_type(
            await session.wait_many("luma", ["a"], return_exceptions=True),
            list[aiogen.Generation | aiogen.AiogenError],
        )
        async for listed in session.list("leonardo", limit=3):
            assert_type(listed, aiogen.Generation)
            assert_type(listed.outputs[0].url, str)
        assert_type(await session.delete("leonardo", "a", missing_ok=True), bool)
        cleanup = session.cleanup("leonardo", aiogen.Where(failed=True), dry_run=False, audit=Path("a.jsonl"))
        assert_type(cleanup, aiogen.Cleanup)
        assert_type(list(await cleanup.find()), list[aiogen.Generation])
        async for cleaned in cleanup:
            assert_type(cleaned, aiogen.Cleaned)
            assert_type(cleaned.outcome, aiogen.CleanupOutcome)
        assert_type(await cleanup, aiogen.Cleanup)
        assert_type(await session.mark(job.id, "a", connection="leonardo"), int)
        assert_type(await session.download(job, "out", then_delete=True), list[Path])
        assert_type(await session.account("leonardo"), aiogen.AccountInfo)
        assert_type(await session.download(job, "out"), list[Path])
        assert_type(await session.save(job, "boat.png", index=0), list[Path])
        assert_type(await job.save(Path("boat.png"), overwrite=True), list[Path])
        assert_type(await session.read(generation), bytes)
        assert_type(await job.read(1), bytes)
        async with await session.open_output(job, 1, max_bytes=1000) as file:
            assert_type(file, aiogen.OutputFile)
            assert_type([piece async for piece in file.pieces()], list[bytes])
        assert_type(session.is_ready, bool)
        assert_type(session.is_followed, bool | None)
        assert_type(await session.image(generation), Image.Image)
        assert_type(await job.image(), Image.Image)
        assert_type(await session.urls(job), list[str])
        assert_type(aiogen.Generation.from_dict(generation.to_dict(raw=True)), aiogen.Generation)
        assert_type(generation.outputs[0].width, int | None)


def requests_to_luma() -> None:
    aiogen.LumaImage(prompt="a boat", model="uni-9", aspect_ratio="16:9", style="manga", output_format="jpeg")
    aiogen.LumaVideo(prompt="a boat", duration="5s", resolution="720p", keyframes=["a.png"], keyframe_indexes=[0])
    aiogen.LumaVideoEdit(prompt="a boat", source="a.mp4", strength="flex_1", controls={"face": {"enabled": True}})
    aiogen.LumaVideoReframe(
        prompt="a boat", source="a.mp4", source_position={"x_norm": 0, "y_norm": 0, "w_norm": 1, "h_norm": 1}
    )


async def calls(session: aiogen.Session, either: str | aiogen.LumaImage, options: dict[str, Any]) -> None:
    """A typed request takes the keywords of a job, a model those of the provider, too."""
    boat = aiogen.LumaImage(prompt="a boat")
    assert_type(await session.submit(boat, key="boat", retries=2, priority="batch"), aiogen.Job)
    assert_type(await session.submit("luma", boat, timeout=60.0), aiogen.Job)
    assert_type(await session.submit("leonardo/remove-bg", references=[Path("a.png")]), aiogen.Job)
    assert_type(await session.submit("luma/uni-1", "a boat", seed=1, extra={"new": True}, scope="a"), aiogen.Job)
    assert_type(await session.submit(model="luma/uni-1", prompt="a boat", **options), aiogen.Job)
    assert_type(await session.submit(either, connection="luma"), aiogen.Job)
    assert_type(await session.generate(boat, key="boat", at_most=aiogen.AtMost(scope=4)), aiogen.Generation)
    assert_type(await session.generate("luma", boat, retries=2), aiogen.Generation)
    assert_type(await session.generate("luma/uni-1", "a boat", width=1024, priority=7), aiogen.Generation)
    assert_type(await session.generate(model="luma/uni-1", prompt="a boat", **options), aiogen.Generation)


async def a_sandbox() -> None:
    async with Sandbox(comfyui=ComfyUISettings(has_jobs_api=False), luma=LumaSettings()) as sandbox:
        assert_type(sandbox, Sandbox)
        assert_type(sandbox.comfyui, ComfyUISettings)
        assert_type(sandbox.leonardo, LeonardoSettings)
        assert_type(sandbox.luma_url, str)
        assert_type(sandbox.comfyui_url, str)
        Sandbox(bfl=None)  # type: ignore[call-arg]


async def failures(session: aiogen.Session) -> None:
    try:
        await session.generate("luma/uni-1", "a boat")
    except aiogen.GenerationFailed as failure:
        assert_type(failure.code, aiogen.FailureCode | None)
        assert_type(failure.action, aiogen.Action | None)
        assert_type(failure.generation, aiogen.Generation | None)


class AStore(StoreBattery):
    """Whoever writes a store tests it so."""

    keep_finished = 60.0

    def make_store(self, context: StoreContext) -> Store:
        assert_type(context.time(), float)
        assert_type(context.folder, Path)
        return SqliteStore(context.folder / context.name, lease=context.lease)


class TestSomeProvider(ProviderBattery):
    provider = aiogen.Luma(api_key="k")
    request = aiogen.LumaImage(prompt="a boat")
    accepted = answer({"id": "p1"}, status=201)
    completed = (answer({"id": "p1"}), answer({"url": "https://files.example.com/p1.png"}))


def an_exchange(luma: aiogen.Luma, submission: Submission) -> None:
    assert_type(drive(luma.create(submission), answer({})).result, Accepted)
    assert_type(drive(luma.get(Ticket(provider_id="p1")), answer({})).result, Snapshot)


def requests_to_leonardo() -> None:
    aiogen.LeonardoImage(prompt="a boat", model="lucid-origin", aspect_ratio="16:9", quality="HIGH", style_ids=["x"])
    aiogen.LeonardoImage(model="remove-bg", references=[Path("a.png"), b"", "https://example.com/a.png"])
