"""Outputs into files: whole or not at all, and never with a key."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiohttp import web
from pictures import png
from serving import ID, KEY, body, completed_at, luma, serving

import aiogen
from aiogen import Action, Generation, State
from aiogen.sandbox import LUMA_KEY, LumaSettings, Sandbox

PNG = png(10_000)


class Storage:
    """Keeps one file; each request is answered by the next of `answers`, the last one for ever."""

    def __init__(self, *answers: Callable[[web.Request], web.StreamResponse] | str | int | bytes) -> None:
        self.answers = list(answers) or [PNG]
        self.seen: list[web.Request] = []
        self.running = 0
        self.most = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/v1"):
            url = f"http://{request.host}/fresh-{len(self.seen)}.png"
            return web.json_response(body("completed", output=[{"type": "image", "url": url}]))
        self.seen.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(0.01)
            return await self._answer(request, answer)
        finally:
            self.running -= 1

    async def _answer(self, request: web.Request, answer: Any) -> web.StreamResponse:
        if isinstance(answer, int):
            return web.Response(status=answer)
        if isinstance(answer, bytes):
            return web.Response(body=answer, content_type="image/png")
        if not isinstance(answer, str):
            return answer(request)
        # "cut", "cut with etag", "rest": a file in pieces
        response = web.StreamResponse(headers={"Content-Length": str(len(PNG)), "Content-Type": "image/png"})
        if "etag" in answer:
            response.headers["ETag"] = '"abc"'
        if answer == "rest with etag" and "Range" in request.headers:
            begin = int(request.headers["Range"][6:-1])
            assert request.headers["If-Range"] == '"abc"'
            response.set_status(206)
            response.headers["Content-Range"] = f"bytes {begin}-{len(PNG) - 1}/{len(PNG)}"
            response.headers["Content-Length"] = str(len(PNG) - begin)
            await response.prepare(request)
            await response.write(PNG[begin:])
            return response
        await response.prepare(request)
        if answer.startswith("cut"):
            await response.write(PNG[:5000])
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(PNG)
        return response


def redirect(to: str) -> Callable[[web.Request], web.Response]:
    return lambda request: web.Response(status=302, headers={"Location": to})


async def save(storage: Storage, folder: Path, **options: Any) -> list[Path]:
    """Download one picture from that storage."""
    async with serving(storage) as url, aiogen.Session([luma(url)], **options) as session:
        return await session.download(completed_at(f"{url}/picture.png"), folder)


async def test_names_and_bytes(tmp_path: Path) -> None:
    """The name has connection, id and index; the folder is made; nothing else is left in it."""
    (path,) = await save(Storage(), tmp_path / "deep" / "er")
    assert path == tmp_path / "deep" / "er" / f"luma-{ID}-0.png"
    assert path.read_bytes() == PNG
    assert list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o644


async def test_the_key_does_not_go_to_the_storage(tmp_path: Path) -> None:
    """Not in a header, and not over a redirect."""
    storage = Storage(redirect("/elsewhere.png"), PNG)
    await save(storage, tmp_path)
    assert len(storage.seen) == 2
    for request in storage.seen:
        assert "Authorization" not in request.headers
        assert KEY not in str(request.headers)


async def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    """Nothing is fetched for it, unless it shall be overwritten."""
    storage = Storage()
    mine = tmp_path / f"luma-{ID}-0.jpg"
    mine.write_bytes(b"mine")
    async with serving(storage) as url, aiogen.Session([luma(url)]) as session:
        assert await session.download(completed_at(f"{url}/a.png"), tmp_path) == [mine]
        assert not storage.seen
        (new,) = await session.download(completed_at(f"{url}/a.png"), tmp_path, overwrite=True)
    assert mine.read_bytes() == b"mine"
    assert new.read_bytes() == PNG


async def test_an_expired_url_is_asked_for_anew(tmp_path: Path) -> None:
    """403 means that the hour is over; the provider is asked once, and the fresh url is used."""
    storage = Storage(403, PNG)
    (path,) = await save(storage, tmp_path)
    assert path.read_bytes() == PNG
    assert [request.path for request in storage.seen] == ["/picture.png", "/fresh-1.png"]


async def test_a_storage_that_refuses_the_fresh_url_too(tmp_path: Path) -> None:
    """The provider is asked once per expiry; the storage for half a minute, and nothing is left behind."""
    storage = Storage(403)
    began = asyncio.get_running_loop().time()
    with pytest.raises(aiogen.DownloadError, match="refused a fresh url as well") as caught:
        await save(storage, tmp_path)
    assert {request.path for request in storage.seen[1:]} == {"/fresh-1.png"}
    assert 20.0 < asyncio.get_running_loop().time() - began < 31.0
    assert (caught.value.status, caught.value.provider_id) == (403, ID)
    assert list(tmp_path.iterdir()) == []


async def test_a_cut_connection_resumes(tmp_path: Path) -> None:
    """With an ETag only the rest is fetched."""
    storage = Storage("cut with etag", "rest with etag")
    (path,) = await save(storage, tmp_path)
    assert path.read_bytes() == PNG
    assert storage.seen[1].headers["Range"] == "bytes=5000-"


async def test_a_cut_connection_without_an_etag_restarts(tmp_path: Path) -> None:
    """Nothing proves that the rest belongs to the same file, so it is fetched whole."""
    storage = Storage("cut", "whole")
    (path,) = await save(storage, tmp_path)
    assert path.read_bytes() == PNG
    assert "Range" not in storage.seen[1].headers


def wrong_part(request: web.Request) -> web.Response:
    return web.Response(status=206, body=PNG, headers={"Content-Range": "bytes 0-9/10"})


@pytest.mark.parametrize("odd", [wrong_part, 416])
async def test_a_part_that_does_not_fit_restarts(tmp_path: Path, odd: Any) -> None:
    """The file may have changed between two pieces."""
    storage = Storage("cut with etag", odd, "whole")
    (path,) = await save(storage, tmp_path)
    assert path.read_bytes() == PNG
    assert "Range" not in storage.seen[2].headers


@pytest.mark.parametrize("answer", [500, 429, "cut"])
async def test_an_error_of_the_storage_passes_or_ends(tmp_path: Path, answer: Any) -> None:
    """Five attempts in all, then an error that may be tried again."""
    (path,) = await save(Storage(answer, answer, answer, answer, PNG), tmp_path)
    assert path.read_bytes() == PNG
    path.unlink()
    storage = Storage(answer)
    with pytest.raises(aiogen.DownloadError, match="in 5 attempts") as caught:
        await save(storage, tmp_path)
    assert caught.value.retryable
    assert len(storage.seen) == 5
    assert list(tmp_path.iterdir()) == []


def said(content_type: str, content: bytes) -> Callable[[web.Request], web.Response]:
    return lambda request: web.Response(body=content, headers={"Content-Type": content_type})


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (said("image/png", b"<html>sorry</html>"), "is not an image"),
        (said("text/html", b"<html>sorry</html>"), "is not an image"),
        (said("image/png", b"Access denied"), "is not an image"),
        (said("image/x-new", b'{"error": "no such key"}'), "is not an image"),
        (said("application/octet-stream", bytes(range(100))), "is not an image"),
        (said("image/png", b""), "empty file"),
        (404, "HTTP 404"),
        (redirect("/again"), "redirects endlessly"),
    ],
)
async def test_what_is_no_picture_is_not_saved(tmp_path: Path, answer: Any, what: str) -> None:
    """Magic bytes and content type are looked at before the file gets its name."""
    with pytest.raises(aiogen.DownloadError, match=what):
        await save(Storage(answer), tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_a_size_limit(tmp_path: Path) -> None:
    """Neither an announced nor an unannounced giant fills the disk."""
    for answer in (PNG, endless):
        with pytest.raises(aiogen.DownloadError, match="max_download_bytes") as caught:
            await save(Storage(answer), tmp_path, max_download_bytes=3000)
        assert caught.value.action is Action.GIVE_UP
    assert list(tmp_path.iterdir()) == []


def endless(request: web.Request) -> web.StreamResponse:
    return web.Response(body=iterate(), headers={"Content-Type": "image/png"})


async def iterate() -> Any:
    for _ in range(100):
        yield PNG


async def test_unknown_kinds_are_taken_as_they_come(tmp_path: Path) -> None:
    """What this version does not know is saved by what it is called, or as .bin; a web page is not."""
    for called, ending in (("model/gltf-binary", ".glb"), ("model/x-y", ".bin")):
        async with serving(Storage(said(called, b"abcd"))) as url, aiogen.Session([luma(url)]) as session:
            (path,) = await session.download(completed_at(f"{url}/a", kind="mesh"), tmp_path / ending)
        assert path.suffix == ending
    async with serving(Storage(said("text/html", b"<html>"))) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.DownloadError, match="web page"):
            await session.download(completed_at(f"{url}/a", kind="mesh"), tmp_path / "page")
    async with serving(Storage(said("model/gltf-binary", b""))) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.DownloadError, match="empty file"):
            await session.download(completed_at(f"{url}/a", kind="mesh"), tmp_path / "other")


async def test_downloads_are_bounded(tmp_path: Path) -> None:
    """Many at once take turns."""
    storage = Storage()
    async with serving(storage) as url, aiogen.Session([luma(url)], max_downloads=3) as session:
        paths = await session.download(completed_at(*(f"{url}/{i}.png" for i in range(20))), tmp_path)
    assert len(set(paths)) == 20
    assert storage.most == 3


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1/a.png",
        "ftp://storage.example/a.png",
        "file:///etc/passwd",
        "http://files.example?@127.0.0.1/a",
    ],
)
async def test_strange_urls_are_not_fetched(tmp_path: Path, url: str) -> None:
    """Only https, or plain http on this machine."""
    async with aiogen.Session([luma("http://127.0.0.1:9")]) as session:
        with pytest.raises(aiogen.DownloadError, match="not https"):
            await session.download(completed_at(url), tmp_path)


async def test_what_is_not_finished_cannot_be_saved(tmp_path: Path) -> None:
    """Nor can anything be saved into a file."""
    async with aiogen.Session([luma("http://127.0.0.1:9")]) as session:
        unfinished = Generation(
            id=None, provider_id=ID, provider="luma", connection="luma", model=None, state=State.QUEUED
        )
        with pytest.raises(aiogen.InputError, match="is queued"):
            await session.download(unfinished, tmp_path)
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(aiogen.InputError, match="is a file, or is inside one"):
            await session.download(completed_at("http://127.0.0.1:9/a.png"), tmp_path / "file")
        with pytest.raises(aiogen.InputError, match="needs a folder"):
            await session.download(completed_at("http://127.0.0.1:9/a.png"), tmp_path / "file" / "below")
        with pytest.raises(aiogen.DownloadError, match="cannot be made"):
            await session.download(completed_at("http://127.0.0.1:9/a.png"), "/proc/no/such")


async def test_a_disk_that_does_not_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which file and why."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("aiogen._transfer.saving.os.fsync", full)
    with pytest.raises(aiogen.DownloadError, match="No space left on device"):
        await save(Storage(), tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_a_disk_that_does_not_even_take_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the file's buffer cannot be written when it is closed either: nothing is left all the same."""

    class Full(io.BufferedRandom):
        def write(self, block: object) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            if not self.closed:
                super().close()
                raise OSError(28, "No space left on device")

    monkeypatch.setattr("aiogen._transfer.saving.os.fdopen", lambda number, _: Full(io.FileIO(number, "w+")))
    with pytest.raises(aiogen.DownloadError, match="No space left on device"):
        await save(Storage(), tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_it_ends_in_time(tmp_path: Path) -> None:
    """A storage that never answers is given up."""

    async def silent(request: web.Request) -> web.Response:
        await asyncio.sleep(1e6)
        return web.Response()

    async with serving(silent) as url:
        async with aiogen.Session([luma(url)], download_timeout=100.0) as session:
            with pytest.raises(aiogen.DownloadError, match="within 100 s"):
                await session.download(completed_at(f"{url}/a.png"), tmp_path)
            assert asyncio.get_running_loop().time() == pytest.approx(100.0, abs=0.1)
    assert list(tmp_path.iterdir()) == []


async def test_a_job_may_be_downloaded_and_its_late_urls_too(tmp_path: Path) -> None:
    """`download(job)` waits for the job; an hour later the sandbox's urls are dead, and are asked for again."""
    async with (
        Sandbox(luma=LumaSettings(url_lifetime=60.0)) as box,
        aiogen.Session([aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)]) as session,
    ):
        job = await session.submit("luma/uni-1", "a cup [[outputs=3]]", type="layering", source="https://a.example/b")
        assert len(await session.download(job, tmp_path / "now")) == 3
        await asyncio.sleep(3600.0)
        asked = len(box.jobs[0].polls)
        assert len(await session.download(job, tmp_path / "later")) == 3
        assert len(box.jobs[0].polls) == asked + 1  # one question for all three


async def test_two_ids_never_share_a_file(tmp_path: Path) -> None:
    """Ids are opaque; what a file name cannot hold is replaced, and kept apart all the same."""
    storage = Storage()
    async with serving(storage) as url, aiogen.Session([luma(url)]) as session:
        paths = []
        for provider_id in ("a:b", "a_b", "a?b"):
            one = attrs.evolve(completed_at(f"{url}/{len(paths)}.png"), provider_id=provider_id)
            paths += await session.download(one, tmp_path)
    assert len(set(paths)) == len(storage.seen) == 3


async def test_cancelled_downloads_leave_nothing(tmp_path: Path) -> None:
    """At whatever moment: no half file stays."""
    storage = Storage()
    async with serving(storage) as url, aiogen.Session([luma(url)], max_downloads=50) as session:
        for i in range(60):
            one = attrs.evolve(completed_at(f"{url}/{i}.png"), provider_id=f"id-{i}")
            task = asyncio.create_task(session.download(one, tmp_path))
            for _ in range(i):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(5.0)
        assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []
