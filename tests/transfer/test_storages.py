"""What storages do to a download, byte by byte: a file is left under its name only if it is the picture."""

from __future__ import annotations

import asyncio
import gzip
import logging
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import attrs
import pytest
from aiohttp import web
from pictures import drawn, png
from serving import ID, Vendor, completed_at, done, luma, serving

import aiogen
from aiogen import Action

PICTURE = png(3000)
OTHER = PICTURE.replace(b"Comment\0", b"Comment\1")  # a picture of the same length
HALF = PICTURE[: len(PICTURE) // 2]
PACKED = gzip.compress(PICTURE)
JPEG, WEBP, GIF = drawn("JPEG"), drawn("WEBP"), drawn("GIF")

Answer = bytes | list[bytes] | Callable[[int | None], bytes]
"""What goes over the wire, perhaps with pauses; or what does for the first byte asked for, None for the whole."""


def http(body: bytes, *headers: str, status: str = "200 OK", version: str = "1.1", length: int | None = -1) -> bytes:
    """An answer; `length` of the body itself by default, None for none."""
    lines = [f"HTTP/{version} {status}", "Content-Type: image/png", "Connection: close", *headers]
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length < 0 else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def cut(*headers: str, of: bytes = PICTURE) -> bytes:
    """Half of what was announced."""
    return http(of[: len(of) // 2], *headers, length=len(of))


def part(*headers: str, of: bytes = PICTURE, total: int | None = None, most: int = 1 << 30) -> Answer:
    """The rest of a file."""

    def answer(begin: int | None) -> bytes:
        assert begin is not None
        end = min(len(of), begin + most)
        said = f"Content-Range: bytes {begin}-{end - 1}/{total or len(of)}"
        return http(of[begin:end], said, *headers, status="206 Partial Content")

    return answer


def chunked(body: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return http(b"%x\r\n%b\r\n" % (len(body), body) + end, "Transfer-Encoding: chunked", length=None)


@asynccontextmanager
async def storage(*answers: Answer) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answers requests one after the other, the last answer for ever, each on a connection of its own."""
    left = list(answers)
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            answer = left.pop(0) if len(left) > 1 else left[0]
            if callable(answer):
                asked = [line for line in heads[-1].split(b"\r\n") if line.startswith(b"Range: bytes=")]
                answer = answer(int(asked[0][13:-1]) if asked else None)
            first, *others = answer if isinstance(answer, list) else [answer]
            writer.write(first)
            await writer.drain()
            for piece in others:
                await asyncio.sleep(0.1)
                writer.write(piece)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads


UNASKED = http(HALF, f"Content-Range: bytes 0-{len(HALF) - 1}/{len(PICTURE)}", status="206 Partial Content")

SAVED: dict[str, tuple[Answer, ...]] = {
    "whole": (http(PICTURE),),
    "in chunks": (chunked(PICTURE),),
    "no length, but the picture ends": (http(PICTURE, length=None),),
    "no length, and bytes after the end": (http(PICTURE + b"trailing", length=None),),
    "HTTP/1.0": (http(PICTURE, version="1.0", length=None),),
    "HTTP/1.0 with a length": (http(PICTURE, version="1.0"),),
    "cut, then whole": (cut(), http(PICTURE)),
    "cut, then the rest": (cut('ETag: "a"'), part('ETag: "a"')),
    "cut, then the whole of another": (cut('ETag: "a"', of=OTHER), http(PICTURE, 'ETag: "b"')),
    "cut, then a bit, then the rest": (cut('ETag: "a"'), part('ETag: "a"', most=100), part('ETag: "a"')),
    "cut, then a part of another, then whole": (cut('ETag: "a"', of=OTHER), part('ETag: "b"'), http(PICTURE)),
    "cut, then gone, then whole": (cut('ETag: "a"'), http(b"", status="416 No"), http(PICTURE)),
    "no length and cut, then whole": (http(HALF, length=None), http(PICTURE)),
    "half with its own length, then whole": (http(HALF), http(PICTURE)),
    "an unasked part, then whole": (UNASKED, http(PICTURE)),
    "compressed": (http(PACKED, "Content-Encoding: gzip"),),
    "compressed in chunks": (chunked(PACKED).replace(b"Transfer", b"Content-Encoding: GZIP\r\nTransfer"),),
    "called compressed": (http(PICTURE, "Content-Encoding: gzip"),),
    "an encoding that is none": (http(PICTURE, "Content-Encoding: aws-chunked"),),
    "not compressed": (http(PICTURE, "Content-Encoding: identity"),),
    "compressed and cut, then whole": (cut("Content-Encoding: gzip", 'ETag: "a"', of=PACKED), http(PICTURE)),
    "more than announced": ([http(PICTURE), b"more"],),
    "JPEG": (http(JPEG),),
    "WebP": (http(WEBP, length=None),),
    "GIF": (chunked(GIF),),
}  # fmt: skip

REFUSED: dict[str, tuple[Answer, ...]] = {
    "no length, and cut": (http(HALF, length=None),),
    "HTTP/1.0, cut": (http(HALF, version="1.0", length=None),),
    "no length, of a kind without an end": (http(b"\0\0\0\x1cftypavif" + bytes(900), length=None),),
    "half a picture with its own length": (http(HALF),),
    "half a picture in chunks": (chunked(HALF),),
    "half a JPEG": (http(JPEG[:-200]),),
    "half a WebP": (http(WEBP[:-200]),),
    "half a GIF": (http(GIF[:-200]),),
    "half a picture, and zeros": (http(HALF.ljust(len(PICTURE), b"\0")),),
    "only a signature": (http(PICTURE[:8]),),
    "cut each time": (cut(),),
    "chunks without an end": (chunked(PICTURE, end=b""),),
    "chunks that are none": (chunked(PICTURE, end=b"ZZZ\r\n"),),
    "chunks that turn to none": ([chunked(PICTURE, end=b""), b"ZZZ\r\n"],),
    "large chunks that turn to none": (chunked(png(300_000), end=b"ZZZ\r\n"),),
    "parts of another file": (cut('ETag: "a"', of=OTHER), part('ETag: "b"')) * 3,
    "parts without a tag": (cut('ETag: "a"', of=OTHER), part()) * 3,
    "parts of a file of another length": (cut('ETag: "a"'), part('ETag: "a"', total=len(PICTURE) + 1)) * 3,
    "always the same part": (cut('ETag: "a"'), lambda _: http(HALF, "Content-Range: bytes 0-9/10", status="206 P")),
    "a part of several": (cut('ETag: "a"'), http(b"--x\r\n\r\n", 'ETag: "a"', status="206 P")),
    "unasked parts": (UNASKED,),
    "an unasked part that is the whole": (http(PICTURE, f"Content-Range: bytes 0-{len(PICTURE) - 1}/{len(PICTURE)}",
                                               status="206 Partial Content"),),
    "compressed, without its end": (http(PACKED[:-9], "Content-Encoding: gzip"),),
    "compressed, damaged": (http(PACKED[:60] + bytes(60) + PACKED[120:], "Content-Encoding: gzip"),),
    "compressed, half a picture": (http(gzip.compress(HALF), "Content-Encoding: gzip"),),
    "compressed otherwise": (http(zlib.compress(PICTURE), "Content-Encoding: deflate"),),
    "twice the length": (http(PICTURE, "Content-Length: 100"),),
    "no content": (http(b"", status="204 No"),),
    "nothing": (http(b""),),
    "not modified": (http(b"", status="304 No"),),
    "a redirect to nowhere": (http(b"", status="302 Found"),),
    "no HTTP at all": (b"\x89PNG\r\n\x1a\n" * 99,),
    "silence": (b"",),
}  # fmt: skip


@pytest.mark.parametrize("name", SAVED)
async def test_what_is_the_picture_is_saved(tmp_path: Path, name: str) -> None:
    """However it came."""
    async with storage(*SAVED[name]) as (url, heads), aiogen.Session([luma(url)]) as session:
        (path,) = await session.download(completed_at(f"{url}/a"), tmp_path)
    expected = {"JPEG": JPEG, "WebP": WEBP, "GIF": GIF}.get(name, PICTURE)
    assert path.read_bytes() in (expected, expected + b"trailing")
    assert list(tmp_path.iterdir()) == [path]
    assert len(heads) == len(SAVED[name])


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_not_the_picture_is_not(tmp_path: Path, name: str) -> None:
    """It ends in a `DownloadError` that says what came, after a few attempts, and leaves nothing behind."""
    async with storage(*REFUSED[name]) as (url, heads), aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.DownloadError) as caught:
            await session.download(completed_at(f"{url}/a"), tmp_path)
    assert caught.value.provider_id == ID
    assert list(tmp_path.iterdir()) == []
    assert len(heads) <= (10 if name == "silence" else 5)  # aiohttp asks twice where nothing came


@pytest.mark.parametrize("error", [RuntimeError("Connection closed."), ValueError("x"), OSError("x"), TimeoutError()])
async def test_a_connection_that_breaks_in_an_odd_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """aiohttp raises some of its own errors bare; another attempt helps all the same."""
    left = [error]
    read = aiohttp.StreamReader.read

    async def odd(stream: aiohttp.StreamReader, count: int = -1) -> bytes:
        if left:
            raise left.pop()
        return await read(stream, count)

    monkeypatch.setattr(aiohttp.StreamReader, "read", odd)
    async with storage(http(PICTURE)) as (url, heads), aiogen.Session([luma(url)]) as session:
        (path,) = await session.download(completed_at(f"{url}/a"), tmp_path)
    assert path.read_bytes() == PICTURE
    assert len(heads) == 2


async def test_what_is_compressed_otherwise(tmp_path: Path) -> None:
    """Is not saved compressed, whatever was promised."""
    async with storage(http(b"\x1b\x07 anything", "Content-Encoding: br")) as (url, _):
        async with aiogen.Session([luma(url)]) as session:
            for kind in ("image", "mesh"):
                with pytest.raises(aiogen.DownloadError, match=r"compressed \(br\)"):
                    await session.download(completed_at(f"{url}/a", kind=kind), tmp_path)


async def test_a_storage_in_trouble_is_no_reason_for_a_fresh_address(tmp_path: Path) -> None:
    """The provider is asked once per expiry, and a 500 is none."""
    answers = [http(b"", status=f"{status} No") for status in (403, 500, 403, 500)]
    async with storage(*answers, http(PICTURE)) as (url, heads):
        vendor = Vendor(reads=[(200, done(f"{url}/fresh"))])
        async with serving(vendor) as api, aiogen.Session([luma(api)]) as session:
            assert await session.download(completed_at(f"{url}/a"), tmp_path)
    assert vendor.reads == 1
    assert len(heads) == 5


async def test_a_file_that_unpacks_to_too_much(tmp_path: Path) -> None:
    """Is not unpacked further than may be saved."""
    bomb = gzip.compress(PICTURE[:8] + bytes(20_000_000))
    async with storage(http(bomb, "Content-Encoding: gzip")) as (url, heads):
        async with aiogen.Session([luma(url)], max_download_bytes=100_000) as session:
            with pytest.raises(aiogen.DownloadError, match="max_download_bytes") as caught:
                await session.download(completed_at(f"{url}/a"), tmp_path)
    assert caught.value.action is Action.GIVE_UP
    assert len(heads) == 1
    assert list(tmp_path.iterdir()) == []


SIGNED = [
    "/files/a%2Fb/Default_caf%C3%A9%20(1)_0.png?response-content-disposition=attachment%3B%20filename%3D%22x%22",
    "/k.png?X-Amz-Credential=AK%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=ab%2Bcd%3D",
    "/vc%26p.png?X-Goog-Credential=a%40b.example%2F2026%2Fauto&sig=a%7Eb%21",
    "/plain.png?Signature=qZ0A%2BPP2g%3D&Expires=1",
]


@pytest.mark.parametrize("path", SIGNED)
async def test_signed_addresses_arrive_as_they_were_signed(tmp_path: Path, path: str) -> None:
    """Also by way of a redirect, relative or not."""
    asked = []

    async def files(request: web.Request) -> web.Response:
        asked.append(request.raw_path)
        if request.path == "/relative":
            return web.Response(status=307, headers={"Location": path})
        if request.path == "/absolute":
            return web.Response(status=302, headers={"Location": f"http://{request.host}{path}"})
        return web.Response(body=PICTURE)

    async with serving(files) as url, aiogen.Session([luma(url)]) as session:
        for i, first in enumerate((path, "/relative", "/absolute")):
            await session.download(completed_at(f"{url}{first}"), tmp_path / str(i))
    assert asked == [path, "/relative", path, "/absolute", path]


class Changing:
    """A vendor that gives a fresh url on each reading, and a storage that answers each by the table."""

    def __init__(self, statuses: dict[str, list[int]]) -> None:
        self.statuses = statuses
        self.read = 0
        self.asked: list[str] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/v1"):
            self.read += 1
            return web.json_response(done(f"http://{request.host}/fresh-{self.read}"))
        self.asked.append(request.path)
        statuses = self.statuses.get(request.path, [200])
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        return web.Response(status=status, body=PICTURE if status == 200 else b"<Error/>")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_an_expired_address_is_told_in_many_ways(tmp_path: Path, status: int) -> None:
    """A fresh one is asked for, once for all outputs."""
    changing = Changing({"/a": [status]})
    async with serving(changing) as url, aiogen.Session([luma(url)]) as session:
        (path,) = await session.download(completed_at(f"{url}/a"), tmp_path)
    assert path.read_bytes() == PICTURE
    assert changing.asked == ["/a", "/fresh-1"]
    assert changing.read == 1


@pytest.mark.parametrize("status", [400, 401, 410])
async def test_a_fresh_address_that_is_refused_is_the_end(tmp_path: Path, status: int) -> None:
    """These do not mean that something is still to come."""
    changing = Changing({"/a": [status], "/fresh-1": [status]})
    async with serving(changing) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.DownloadError, match=f"HTTP {status}.*fresh url as well") as caught:
            await session.download(completed_at(f"{url}/a"), tmp_path)
    assert caught.value.status == status
    assert changing.asked == ["/a", "/fresh-1"]


@pytest.mark.parametrize("status", [403, 404, 409])
async def test_a_file_that_is_not_there_yet(tmp_path: Path, status: int) -> None:
    """The generation is complete before its file has reached every part of the storage."""
    fresh = [status, status, status, 200]
    changing = Changing({"/a": list(fresh), "/fresh-1": list(fresh)})
    async with serving(changing) as url, aiogen.Session([luma(url)]) as session:
        (path,) = await session.download(completed_at(f"{url}/a"), tmp_path)
    assert path.read_bytes() == PICTURE
    assert changing.read == (0 if status == 409 else 1)
    assert len(changing.asked) == (4 if status == 409 else 5)


@pytest.mark.parametrize("status", [404, 409])
async def test_a_file_that_never_comes(tmp_path: Path, status: int) -> None:
    """It is waited for half a minute; not at all if the generation was over long ago."""
    loop = asyncio.get_running_loop()
    for age, least, most in ((5.0, 20.0, 31.0), (3600.0, 0.0, 1.0)):
        changing = Changing({"/a": [status], "/fresh-1": [status]})
        async with serving(changing) as url, aiogen.Session([luma(url)]) as session:
            ended = datetime.now(UTC) - timedelta(seconds=age)
            began = loop.time()
            with pytest.raises(aiogen.DownloadError, match=f"HTTP {status}") as caught:
                await session.download(attrs.evolve(completed_at(f"{url}/a"), finished_at=ended), tmp_path)
            assert least <= loop.time() - began <= most
        assert caught.value.status == status
        assert len(changing.asked) < 12
    assert list(tmp_path.iterdir()) == []


async def test_an_address_may_expire_again_and_again(tmp_path: Path) -> None:
    """A long download outlives several; a fresh one is asked for each time, and what has come is kept."""
    expired = http(b"", status="403 Forbidden")
    answers = (cut('ETag: "a"'), expired, part('ETag: "a"', most=50), expired, part('ETag: "a"'))
    async with storage(*answers) as (url, heads):
        vendor = Vendor(reads=[(200, done(f"{url}/fresh-{i}")) for i in range(9)])
        async with serving(vendor) as api, aiogen.Session([luma(api)]) as session:
            (path,) = await session.download(completed_at(f"{url}/a"), tmp_path)
    assert path.read_bytes() == PICTURE
    assert vendor.reads == 2
    asked = [head.partition(b" HTTP")[0].decode() for head in heads]
    assert asked == ["GET /a", "GET /a", "GET /fresh-0", "GET /fresh-0", "GET /fresh-1"]
    assert f"Range: bytes={len(HALF) + 50}-".encode() in heads[-1]


@pytest.mark.parametrize(
    ("said", "body", "ending"),
    [
        ("text/html; charset=utf-8", PICTURE, ".png"),
        ("application/json", PICTURE, ".png"),
        ("multipart/form-data", JPEG, ".jpg"),
        ("", WEBP, ".webp"),
        ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>", ".svg"),
        ("image/tiff", b"II*\0" + bytes(40), ".tif"),
        ("Image/X-New", b"\1\2\3\4" * 20, ".new"),
    ],
)
async def test_what_is_worth_keeping_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, said: str, body: bytes, ending: str
) -> None:
    """By what the bytes are; of a kind that vendors are not known to give there is one word in the log."""

    async def files(request: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": said})

    with caplog.at_level(logging.WARNING, "aiogen"):
        async with serving(files) as url, aiogen.Session([luma(url)]) as session:
            paths = await session.download(completed_at(f"{url}/a", f"{url}/b"), tmp_path)
            assert await session.download(completed_at(f"{url}/a", f"{url}/b"), tmp_path) == paths
    assert [(path.suffix, path.read_bytes()) for path in paths] == [(ending, body)] * 2
    words = [record for record in caplog.records if "rare kind" in record.getMessage()]
    assert len(words) == (1 if ending in (".svg", ".tif", ".new") else 0)


async def test_nothing_untyped_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong in whatever library, it is a `DownloadError`, and nothing is left."""
    odd = [
        (tmp_path / ("x" * 300), "cannot be made"),
        (Path("/dev/full/below"), "needs a folder"),
        (Path("\0"), "could not be made"),
    ]
    async with storage(http(PICTURE)) as (url, _), aiogen.Session([luma(url)]) as session:
        for folder, why in odd:
            with pytest.raises((aiogen.DownloadError, aiogen.InputError), match=why):
                await session.download(completed_at(f"{url}/a"), folder)
        (tmp_path / f"luma-{ID}-0.png").mkdir()
        with pytest.raises(aiogen.DownloadError, match="there is a folder named"):
            await session.download(completed_at(f"{url}/a"), tmp_path)
        for what, error in (
            ("_transfer.download.ending_for", KeyError("x")),
            ("_transfer.download.PartFile", MemoryError()),
        ):

            def fail(*_: object, error: Exception = error) -> None:
                raise error

            with monkeypatch.context() as patch:
                patch.setattr(f"aiogen.{what}", fail)
                with pytest.raises(aiogen.DownloadError, match=type(error).__name__):
                    await session.download(completed_at(f"{url}/a"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"luma-{ID}-0.png"]
