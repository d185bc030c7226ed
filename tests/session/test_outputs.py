"""Outputs as one can hold them: a file of one's own name, bytes, a picture, addresses that work."""

from __future__ import annotations

import asyncio
import builtins
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiohttp import web
from pictures import chunk, drawn, png
from serving import ID, body, luma, serving

import aiogen
from aiogen import Action, Generation, Output, Session, State
from aiogen.sandbox import LUMA_KEY, LumaSettings, Sandbox

PNG, JPEG = png(5000), drawn("JPEG")


class Storage:
    """A vendor that has finished everything, and its files: `/<number>` is the file of that number."""

    def __init__(self, *files: bytes | int) -> None:
        self.files = list(files)
        self.fetched: list[str] = []
        self.asked = 0
        self.url = ""
        self.waits = asyncio.Event()
        self.waits.set()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/v1"):
            self.asked += 1
            fresh = [{"type": "image", "url": f"{self.url}/{i}?fresh={self.asked}"} for i in range(len(self.files))]
            state, output = ("queued", []) if request.method == "POST" else ("completed", fresh)
            return web.json_response(body(state, output=output), status=201 if request.method == "POST" else 200)
        self.fetched.append(request.path_qs)
        await self.waits.wait()
        file = self.files[int(request.path[1:])]
        if isinstance(file, int):
            return web.Response(status=file)
        return web.Response(body=file, content_type="image/png")

    def generation(self, **more: Any) -> Generation:
        return Generation(
            id=None,
            provider_id=ID,
            provider="luma",
            connection="luma",
            model="uni-1",
            state=State.COMPLETED,
            outputs=tuple(Output(kind="image", url=f"{self.url}/{i}", **more) for i in range(len(self.files))),
        )


@asynccontextmanager
async def session_on(storage: Storage, **options: Any) -> AsyncIterator[Session]:
    async with serving(storage) as url:
        storage.url = url
        try:
            async with Session([luma(url)], **options) as session:
                yield session
        finally:
            storage.waits.set()


# --- save


async def test_a_job_is_saved_under_the_name_that_was_given(tmp_path: Path) -> None:
    """It is awaited, its folder is made, nothing else is left; and its snapshot tells what it is."""
    async with session_on(Storage(PNG)) as session:
        job = await session.submit("luma/uni-1", "a boat")
        assert await job.save(tmp_path / "new" / "boat.png") == [tmp_path / "new" / "boat.png"]
    (output,) = job.generation.outputs
    assert (output.media_type, output.width, output.height) == ("image/png", 8, 8)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["boat.png"]
    assert (tmp_path / "new" / "boat.png").read_bytes() == PNG


async def test_several_outputs_are_numbered_behind_the_first(tmp_path: Path) -> None:
    """In the order of the outputs; one of them alone gets the name."""
    storage = Storage(png(1), png(2), png(3))
    async with session_on(storage) as session:
        paths = await session.save(storage.generation(), tmp_path / "boat.png")
        assert [path.name for path in paths] == ["boat.png", "boat-1.png", "boat-2.png"]
        assert [path.read_bytes() for path in paths] == storage.files
        storage.fetched.clear()
        (one,) = await session.save(storage.generation(), tmp_path / "one.png", index=2)
        assert one.read_bytes() == storage.files[2]
        assert storage.fetched == ["/2"]


async def test_several_are_saved_all_or_none(tmp_path: Path) -> None:
    """So that the same call can be made again."""
    storage = Storage(png(1), 410, png(3))
    async with session_on(storage) as session:
        with pytest.raises(aiogen.DownloadError, match="HTTP 410"):
            await session.save(storage.generation(), tmp_path / "boat.png")
        assert list(tmp_path.iterdir()) == []
        storage.files[1] = png(2)
        assert len(await session.save(storage.generation(), tmp_path / "boat.png")) == 3


@pytest.mark.parametrize("as_text", ["{}/pictures.png", "{}/new.png/"])
async def test_a_folder_gets_the_files_as_from_download(tmp_path: Path, as_text: str) -> None:
    """One that is there, whatever its name, or one that is written as one; what it has is kept and not fetched."""
    (tmp_path / "pictures.png").mkdir()
    folder, storage = as_text.format(tmp_path), Storage(PNG, PNG)
    async with session_on(storage) as session:
        paths = await session.save(storage.generation(), folder)
        assert paths == [Path(folder) / f"luma-{ID}-{i}.png" for i in (0, 1)]
        storage.fetched.clear()
        assert await session.save(storage.generation(), folder, index=1) == paths[1:]
        assert await session.download(storage.generation(), folder) == paths
        assert storage.fetched == []


async def test_a_file_that_is_there_is_not_replaced_unless_that_is_asked_for(tmp_path: Path) -> None:
    """It may be another picture, so it is an error, and nothing is fetched; an empty leftover is no picture."""
    boat, storage = tmp_path / "boat.png", Storage(PNG, PNG)
    (tmp_path / "boat-1.png").write_bytes(b"mine")
    async with session_on(storage) as session:
        with pytest.raises(aiogen.InputError, match=r"boat-1\.png': there is a file of that name") as caught:
            await session.save(storage.generation(), boat)
        assert caught.value.provider_id == ID
        assert (storage.fetched, [path.name for path in tmp_path.iterdir()]) == ([], ["boat-1.png"])
        boat.touch()
        await session.save(storage.generation(), boat, overwrite=True)
        assert (tmp_path / "boat-1.png").read_bytes() == boat.read_bytes() == PNG


async def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    """Two calls for one name: the first that is done has it."""
    storage = Storage(png(1), png(2))
    storage.waits.clear()
    async with session_on(storage) as session:
        saving = [
            asyncio.create_task(session.save(storage.generation(), tmp_path / "boat.png", index=i)) for i in (0, 1)
        ]
        await asyncio.sleep(1.0)
        assert len(storage.fetched) == 2
        storage.waits.set()
        results = await asyncio.gather(*saving, return_exceptions=True)
    (error,) = (result for result in results if isinstance(result, BaseException))
    assert isinstance(error, aiogen.DownloadError)
    assert "may be another picture" in str(error)
    winner = next(i for i, result in enumerate(results) if result is not error)
    assert (tmp_path / "boat.png").read_bytes() == storage.files[winner]
    assert [path.name for path in tmp_path.iterdir()] == ["boat.png"]


async def test_the_name_is_kept_whatever_came(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The bytes are not converted, the name is not changed; the log and the snapshot tell."""
    storage = Storage(JPEG)
    async with session_on(storage) as session:
        job = await session.submit("luma/uni-1", "a boat")
        (path,) = await job.save(tmp_path / "boat.png")
        assert path.read_bytes() == JPEG
        assert job.generation.outputs[0].media_type == "image/jpeg"
        assert "boat.png is a file of another kind than its name says (image/jpeg)" in caplog.text
        caplog.clear()
        await job.save(tmp_path / "boat.jpeg")
        await job.save(tmp_path / "boat")
        assert "another kind" not in caplog.text
    assert {path.name for path in tmp_path.iterdir()} == {"boat.png", "boat.jpeg", "boat"}


async def test_the_longest_name_a_file_system_takes(tmp_path: Path) -> None:
    """The temporary one beside it is not longer."""
    storage, name = Storage(PNG), "船" * 83 + ".png"
    async with session_on(storage) as session:
        (path,) = await session.save(storage.generation(), tmp_path / name)
    assert path.read_bytes() == PNG


async def test_where_nothing_can_be_saved(tmp_path: Path) -> None:
    """The error says why, and nothing was fetched."""
    (tmp_path / "file").write_bytes(b"mine")
    storage = Storage(PNG)
    async with session_on(storage) as session:
        made = storage.generation()
        with pytest.raises(aiogen.InputError, match="is a file, or is inside one"):
            await session.save(made, tmp_path / "file" / "boat.png")
        with pytest.raises(aiogen.InputError, match="no ordinary file"):
            await session.save(made, "/dev/null", overwrite=True)
        with pytest.raises(aiogen.InputError, match="is queued and has no outputs to save"):
            await session.save(attrs.evolve(made, state=State.QUEUED), tmp_path / "boat.png")
        for index in (1, -1, True, 0.0):
            with pytest.raises(aiogen.InputError, match="index has to be a whole number from 0 to 0"):
                await session.save(made, tmp_path / "boat.png", index=index)  # type: ignore[arg-type]
    assert storage.fetched == []
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


async def test_saving_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    """At whatever moment: no half file, and not only some of the files."""
    storage = Storage(png(1), png(2))
    async with session_on(storage, max_downloads=50) as session:
        for i in range(60):
            task = asyncio.create_task(session.save(storage.generation(), tmp_path / f"{i}.png"))
            for _ in range(i):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(5.0)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


# --- read


async def test_the_bytes_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the output that is asked for, and no file is made for them anywhere."""
    monkeypatch.setattr("aiogen._transfer.saving.os.open", None)
    storage = Storage(png(1), JPEG)
    async with session_on(storage) as session:
        job = await session.submit("luma/uni-1", "a boat")
        assert await job.read() == png(1)
        assert await job.read(1) == await session.read(job.generation, 1) == JPEG
        with pytest.raises(aiogen.InputError, match="from 0 to 1, not 2"):
            await job.read(2)
    known = [(output.media_type, output.width, output.height) for output in job.generation.outputs]
    assert known == [("image/png", 8, 8), ("image/jpeg", 64, 48)]


async def test_bytes_are_as_whole_and_as_bounded_as_files() -> None:
    """A picture that ends early, something else, one that is too large, an address that has expired."""
    for file, options, what in (
        (PNG[:-20], {"read_attempts": 1}, "incomplete"),
        (b"<html>sorry</html>", {}, "is not an image"),
        (PNG, {"max_download_bytes": 3000}, "max_download_bytes"),
        (410, {}, "HTTP 410"),
    ):
        storage = Storage(file)
        async with session_on(storage, **options) as session:
            with pytest.raises(aiogen.DownloadError, match=what):
                await session.read(storage.generation())
    storage = Storage(403)
    async with session_on(storage) as session:
        reading = asyncio.create_task(session.read(storage.generation()))
        while not storage.asked:
            await asyncio.sleep(0.1)
        storage.files[0] = PNG
        assert await reading == PNG


async def test_bytes_that_the_vendor_sent_need_no_fetching(tmp_path: Path) -> None:
    """And nobody has to ask for their addresses, for there are none."""
    made = attrs.evolve(Storage().generation(), outputs=(Output(kind="image", data=PNG),))
    async with Session([luma("http://127.0.0.1:9")]) as session:
        assert await session.read(made) == PNG
        assert (await session.image(made)).size == (8, 8)
        assert await session.urls(made) == [""]
        (path,) = await session.save(made, tmp_path / "boat.png")
        assert path.read_bytes() == PNG
        with pytest.raises(aiogen.DownloadError, match="incomplete"):
            await session.read(attrs.evolve(made, outputs=(Output(kind="image", data=PNG[:-20]),)))


async def test_what_is_held_after_the_session_is_left(tmp_path: Path) -> None:
    """Says so; and whoever is at it when the session is left is not left waiting."""
    storage = Storage(PNG)
    storage.waits.clear()
    async with session_on(storage) as session:
        job = await session.submit("luma/uni-1", "a boat")
        await job
        reading = asyncio.create_task(job.read())
        saving = asyncio.create_task(job.save(tmp_path / "boat.png"))
        await asyncio.sleep(1.0)
    for task in (reading, saving):
        with pytest.raises(aiogen.SessionClosed):
            await task
    for late in (job.read(), job.image(), job.save(tmp_path / "boat.png")):
        with pytest.raises(aiogen.SessionClosed):
            await late
    assert list(tmp_path.iterdir()) == []


# --- in pieces


@pytest.mark.parametrize("size", [5000, 3_000_000])
async def test_an_output_in_pieces(size: int) -> None:
    """All of it in order, known before the first one is read, whether it lies in memory or on the disk."""
    storage = Storage(png(1), png(size))
    async with session_on(storage) as session:
        job = await session.submit("luma/uni-1", "a boat")
        async with await session.open_output(job, 1) as file:
            assert (file.size, file.media_type, file.width, file.height) == (len(png(size)), "image/png", 8, 8)
            pieces = [piece async for piece in file.pieces()]
            with pytest.raises(aiogen.InputError, match="read once"):
                await anext(file.pieces())
        assert (b"".join(pieces), file.head) == (png(size), png(size)[:1024])
        assert max(map(len, pieces)) <= 256 * 1024
        assert job.generation.outputs[1].media_type == "image/png"
        file = await session.open_output(job)
        await file.close()
        await file.close()
        with pytest.raises(aiogen.InputError, match="open it again"):
            await anext(file.pieces())
        left = await session.open_output(job, 1)
        begun = left.pieces()
        if size > 1_000_000:
            await anext(begun)
            await left.close()
            with pytest.raises(aiogen.InputError, match="closed before"):
                await anext(begun)
    await left.close()  # also after its session


async def test_an_output_in_pieces_is_as_whole_and_as_bounded() -> None:
    """By the limit of the call, and never beyond that of the session; what is refused leaves no file."""
    for file, most, options, what in (
        (PNG[:-20], None, {"read_attempts": 1}, "incomplete"),
        (PNG, 3000, {}, "larger than 3,000 bytes"),
        (PNG, 10**6, {"max_download_bytes": 2000}, "larger than 2,000 bytes"),
        (png(3_000_000)[:-20], None, {"read_attempts": 1}, "incomplete"),
    ):
        storage = Storage(file)
        async with session_on(storage, **options) as session:
            with pytest.raises(aiogen.DownloadError, match=what):
                await session.open_output(storage.generation(), max_bytes=most)
            for wrong in (0, 1 << 51):
                with pytest.raises(aiogen.InputError, match="max_bytes"):
                    await session.open_output(storage.generation(), max_bytes=wrong)


async def test_who_gives_up_an_output_leaves_no_file() -> None:
    """The watchdogs see to it that none is open."""
    storage = Storage(png(3_000_000))
    storage.waits.clear()
    async with session_on(storage) as session:
        opening = asyncio.create_task(session.open_output(storage.generation()))
        await asyncio.sleep(1.0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening


# --- image


async def test_a_picture_of_pillows() -> None:
    """Decoded, of every kind, and with the format that it had."""
    kinds = {kind: drawn(kind) for kind in ("PNG", "JPEG", "WEBP", "GIF")}
    storage = Storage(*kinds.values())
    async with session_on(storage) as session:
        job = await session.submit("luma/uni-1", "a boat")
        pictures = [await job.image(i) for i in range(4)]
    assert [picture.format for picture in pictures] == list(kinds)
    assert {picture.size for picture in pictures} == {(64, 48)}
    assert pictures[0].convert("RGB").getpixel((0, 0)) is not None


def giant(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it needs gigabytes; its pixels end early."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(9000))[:-8]), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("size", [(9500, 9500), (60_000, 60_000)])
async def test_a_bomb_is_refused(size: tuple[int, int]) -> None:
    """Below and above what Pillow itself refuses; it can be had as bytes."""
    storage = Storage(giant(*size))
    async with session_on(storage) as session:
        with pytest.raises(aiogen.DownloadError, match=r"pixels, and Pillow takes at most 89,478,485") as caught:
            await session.image(storage.generation())
        assert await session.read(storage.generation()) == storage.files[0]
    assert (caught.value.action, caught.value.provider_id) == (Action.GIVE_UP, ID)


@pytest.mark.parametrize(
    ("file", "what"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n" + bytes(100), "Pillow cannot read application/postscript"),
        (b"\x76\x2f\x31\x01" + bytes(100), "Pillow cannot read image/x-exr"),
        (giant(800, 8), "cannot be decoded: it is broken"),
        (b"II*\x00" + bytes(100), "cannot be decoded: it is broken"),
    ],
)
async def test_what_cannot_be_decoded(file: bytes, what: str) -> None:
    """Is an error of ours; what Pillow would start a program for is not given to it."""
    storage = Storage(file)
    async with session_on(storage) as session:
        with pytest.raises(aiogen.DownloadError, match=what):
            await session.image(storage.generation())


async def test_without_pillow_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    real = builtins.__import__

    def without_pillow(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("PIL"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    storage = Storage(PNG)
    async with session_on(storage) as session:
        monkeypatch.setattr(builtins, "__import__", without_pillow)
        with pytest.raises(ImportError, match=r'pip install "aiogen-sdk\[images\]"'):
            await session.image(storage.generation())
    assert storage.fetched == []


# --- urls


async def test_urls_that_work_are_given_without_asking() -> None:
    """Also those of which nobody knows when they expire."""
    storage = Storage(PNG, PNG)
    async with session_on(storage) as session:
        for expires_at in (None, datetime.now(UTC) + timedelta(hours=1)):
            made = storage.generation(expires_at=expires_at)
            assert await session.urls(made) == [f"{storage.url}/0", f"{storage.url}/1"]
        assert storage.asked == 0


@pytest.mark.parametrize("left", [-3600.0, 0.0, 50.0])
async def test_urls_that_have_expired_are_asked_for(left: float) -> None:
    """Once, also where only one of them is about to expire."""
    storage = Storage(PNG, PNG)
    async with session_on(storage) as session:
        made = storage.generation()
        soon = attrs.evolve(made.outputs[1], expires_at=datetime.now(UTC) + timedelta(seconds=left))
        urls = await session.urls(attrs.evolve(made, outputs=(made.outputs[0], soon)))
        assert urls == [f"{storage.url}/0?fresh=1", f"{storage.url}/1?fresh=1"]


async def test_a_job_of_yesterday_has_addresses_that_work(tmp_path: Path, virtual_files: None) -> None:
    """As another session finds it in the ledger; whoever asks at once or later gets the same without asking."""
    ledger = tmp_path / "jobs.db"
    async with Sandbox(luma=LumaSettings(url_lifetime=600.0)) as box:
        luma = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
        async with Session([luma], store=ledger) as session:
            job = await session.submit("luma/uni-1", "a boat")
            old = (await job).url
        await asyncio.sleep(3600.0)
        async with Session([luma], store=ledger) as session:
            found = await session.job(job.id)
            assert found is not None
            assert found.generation.url == old
            asked = len(box.jobs[0].polls)
            answers = await asyncio.gather(*(session.urls(found) for _ in range(20)))
            assert len({*map(tuple, answers)}) == 1
            assert answers[0] == await session.urls(found) == [found.generation.url] != [old]
            assert await found.read()
            assert len(box.jobs[0].polls) == asked + 1
            known = found.generation.outputs[0]
            await asyncio.sleep(700.0)
            assert await session.urls(found) != answers[0]
            fresh = found.generation.outputs[0]
            assert known.width
            assert (fresh.media_type, fresh.width) == (known.media_type, known.width)


async def test_fresh_urls_that_cannot_be_had() -> None:
    """The generation is gone, or has other outputs than before."""
    storage = Storage(PNG)
    async with session_on(storage) as session:
        made = storage.generation(expires_at=datetime(2020, 1, 1, tzinfo=UTC))
        storage.files.append(PNG)
        with pytest.raises(aiogen.DownloadError, match="now has 2 outputs instead of 1"):
            await session.urls(made)
        with pytest.raises(aiogen.InputError, match="no outputs to give the address of"):
            await session.urls(attrs.evolve(made, outputs=()))


async def test_a_download_that_was_kept_is_measured_as_well(tmp_path: Path) -> None:
    """Nothing is fetched for it, and it says itself what it is."""
    storage = Storage(PNG)
    async with session_on(storage) as session:
        (path,) = await session.download(storage.generation(), tmp_path)
        path.write_bytes(JPEG)
        job = await session.submit("luma/uni-1", "a boat")
        await session.download(job, tmp_path)
        assert job.generation.outputs[0].width == 64
