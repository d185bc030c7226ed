"""Pictures that clients send before they name them: kept in a folder, each for its scope alone, for some time."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import math
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from integrations.web import MODEL, Web, serving
from pictures import drawn, png

import aiogen
from aiogen.integrations.fastapi import Uploads, erase, lifespan, router
from aiogen.integrations.fastapi.references import id_in
from aiogen.integrations.upload_sizes import Sizes, Used
from aiogen.integrations.uploaded import MOST_AT_ONCE, MOST_IN_SCOPE, NotTaken
from aiogen.integrations.uploads import uploads_of
from aiogen.sandbox import LEONARDO_KEY, Fate, Rule, Sandbox, Script

PNG = png(500)
AVIF = b"\x00\x00\x00\x20ftypavif" + bytes(100)


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    """As they come."""
    for part in parts:
        yield part


async def sent(web: Web, data: Any = PNG, user: str = "ann") -> httpx.Response:
    """One picture."""
    return await web.http.post("/uploads", content=data, headers={"x-user": user, "content-type": "image/png"})


def files(folder: Path) -> list[str]:
    """Whatever lies in it, but for its locks."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".lock"))


# --- sent


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
async def test_a_picture_is_kept(tmp_path: Path, kind: str) -> None:
    """By its bytes, under the name that they give it; sent again it is the same, and its time begins again."""
    data = AVIF if kind == "AVIF" else drawn(kind)
    async with serving(uploads=tmp_path / "new" / "uploads") as web:
        answer = await sent(web, data)
        assert answer.status_code == 201, answer.text
        body = answer.json()
        assert body["id"] == hashlib.sha256(data).hexdigest()
        assert body["url"] == answer.headers["location"] == f"/uploads/{body['id']}"
        assert (body["media_type"], body["bytes"]) == (f"image/{kind.lower()}", len(data))
        assert body["size"] == (None if kind == "AVIF" else {"width": 64, "height": 48})
        again = await sent(web, pieces(data[:10], data[10:]))
        assert (again.status_code, again.json()["id"]) == (200, body["id"])
        got = await web.get(body["url"])
        assert (got.content, got.headers["content-type"]) == (data, f"image/{kind.lower()}")
        assert got.headers["x-content-type-options"] == "nosniff"
        assert (await web.delete(body["url"])).status_code == 204
        assert (await web.delete(body["url"])).status_code == 404
        assert (await web.get(body["url"])).status_code == 404
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 415, "unknown_kind"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unknown_kind"),
        (b"<html></html>", 415, "unknown_kind"),
        (b"\x00\x00\x00\x20ftypisom" + bytes(100), 415, "unknown_kind"),
        (PNG[:-20], 422, "incomplete"),
        (png(9000), 413, "too_large"),
    ],
)
async def test_what_is_not_kept(tmp_path: Path, data: bytes, status: int, code: str) -> None:
    """Whatever its header says; announced or in pieces; and nothing of it stays."""
    async with serving(uploads=Uploads(tmp_path, max_bytes=8000)) as web:
        for content in (data, pieces(data[:4000], data[4000:])):
            answer = await sent(web, content)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert answer.headers["content-type"] == "application/problem+json"
    assert files(tmp_path) == []


async def test_a_client_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    """In the middle of its picture."""
    async with serving(uploads=tmp_path) as web:
        for error in ("disconnect", "cancel"):
            sending = asyncio.ensure_future(asgi(web, PNG[:100], error))
            await asyncio.sleep(5.0)
            if error == "cancel":
                sending.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await sending
            else:
                assert await sending == 400
    assert files(tmp_path) == []


async def asgi(web: Web, data: bytes, error: str) -> int:
    """A request that ends early; the status that nobody gets."""
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": "/uploads", "raw_path": b"/uploads",
        "root_path": "", "scheme": "http", "query_string": b"", "headers": [(b"x-user", b"ann")],
        "server": ("here", 80), "client": ("there", 1),
    }  # fmt: skip
    messages = [{"type": "http.request", "body": data, "more_body": True}]
    found: list[int] = []

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        if error == "cancel":
            await asyncio.sleep(1e6)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        found.extend([message["status"]] if "status" in message else [])

    await web.app(scope, receive, send)
    return found[0]


async def test_a_disk_that_is_full_is_not_the_clients_fault(tmp_path: Path) -> None:
    """503, with no word of where the folder is."""
    (tmp_path / "a-file").write_text("in the way")
    async with serving(uploads=tmp_path / "a-file" / "inside") as web:
        answer = await sent(web)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert "a-file" not in answer.text
        assert int(answer.headers["retry-after"]) >= 1


async def test_without_a_folder_there_are_no_uploads() -> None:
    """No route, and an address of one is a path like any other."""
    async with serving() as web:
        assert (await sent(web)).status_code == 404
        answer = await web.post(parameters={"references": [f"/uploads/{'0' * 64}"]})
        assert (answer.status_code, answer.json()["code"]) == (422, "not_allowed")


# --- named


@pytest.mark.parametrize(
    "parameters",
    [
        {"references": ["{url}"]},
        {"references": "{url}"},
        {"references": [{"url": "{url}"}, "https://pictures.example/a.png"]},
        {"references": ["{url}", "{url}"]},
    ],
)
async def test_a_generation_names_it(tmp_path: Path, parameters: dict[str, Any]) -> None:
    """The vendor gets its bytes, as if they had come with the request, and under a key it is the same request."""
    async with serving(uploads=tmp_path) as web:
        url = (await sent(web)).json()["url"]

        data = "data:image/png;base64," + base64.b64encode(PNG).decode()
        key = {"idempotency-key": "k"}
        made = [
            (await web.post(key, parameters=json.loads(json.dumps(parameters).replace("{url}", place)))).json()
            for place in (url, data)
        ]
        assert made[0]["id"] == made[1]["id"]
        await web.get(made[0]["links"]["self"], {"prefer": "wait=60"})
        assert web.paid == 1


async def test_a_model_that_takes_no_prompt_is_asked_without_one(tmp_path: Path) -> None:
    """What it goes by is an upload; a prompt is refused, and so is that there is none where one is needed."""
    model = "leonardo/remove-bg"
    async with Sandbox() as box:
        leonardo = aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=box.leonardo_url)
        app = FastAPI(lifespan=lifespan([leonardo], store=":memory:"))
        app.include_router(router(scope=None, models=[model, "leonardo/gpt-image-2"], uploads=tmp_path))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://here", timeout=300) as http,
        ):
            url = (await http.post("/uploads", content=PNG)).json()["url"]
            wanted: dict[str, Any] = {"model": model, "parameters": {"references": [url]}}
            answer = await http.post("/generations", json=wanted, headers={"prefer": "wait=60"})
            assert (answer.status_code, answer.json().get("state")) == (200, "completed"), answer.text
            assert "prompt" not in box.jobs[0].body["parameters"]
            for more in ({"prompt": "a boat"}, {"prompt": ""}, {"model": "leonardo/gpt-image-2", "parameters": {}}):
                refused = await http.post("/generations", json=wanted | more)
                assert refused.status_code == 422
                assert "prompt" in refused.json()["detail"]
        assert len(box.jobs) == 1


async def test_nobody_elses_is_named_or_read(tmp_path: Path) -> None:
    """422 and 404, as for one that never was; what is no id leads nowhere."""
    async with serving(uploads=tmp_path) as web:
        url = (await sent(web)).json()["url"]
        for name in (url, f"/uploads/{'0' * 64}", f"/deep/down{url}"):
            answer = await web.post(user="ben", parameters={"references": [name]})
            assert (answer.status_code, answer.json()["code"]) == (422, "unknown_upload")
            assert str(tmp_path) not in answer.text
        for way in (url, f"/uploads/{'0' * 64}", "/uploads/..", "/uploads/%2e%2e%2fx", "/uploads/x%00", f"{url}x"):
            assert (await web.get(way, user="ben")).status_code == 404
            assert (await web.delete(way, user="ben")).status_code == 404
        for name in ("/uploads/../x", f"http://here{url}", f"file://{url}", f"{url}/../x", f"{url}?a=1"):
            answer = await web.post(parameters={"references": [name]})
            assert (answer.status_code, answer.json()["code"] == "unknown_upload") == (422, False), name
        answer = await web.post(parameters={"references": [url] * 17})
        assert (answer.status_code, answer.json()["code"]) == (422, "too_many_references")
        assert web.paid == 0
        assert (await web.get(url)).content == PNG


def test_what_is_an_address_of_an_upload() -> None:
    """A path on this server, whatever it is mounted under, and nothing else."""
    name = "0a" * 32
    for text in (f"/uploads/{name}", f"/v1/uploads/{name}", f"/a/b/c/uploads/{name}"):
        assert id_in(text) == name
    for text in (name, f"uploads/{name}", f"/uploads/{name}/", f"/uploads/{name.upper()}", f"/xuploads/{name}", None):
        assert id_in(text) is None


# --- how much, and for how long


async def test_a_scope_has_so_much(tmp_path: Path) -> None:
    """429 with when there is room again; what is there already takes none; another scope has its own."""
    async with serving(uploads=Uploads(tmp_path, max_bytes=4000, max_scope_bytes=6000, keep=600)) as web:
        first = (await sent(web, png(1000))).json()
        assert (await sent(web, png(3900 - first["bytes"]))).status_code == 201
        full = await sent(web, png(3000))
        problem = full.json()
        assert (full.status_code, problem["code"], problem["retryable"]) == (429, "too_many_uploads", True)
        assert 1 <= int(full.headers["retry-after"]) <= 600
        assert (await sent(web, png(1000))).status_code == 200
        assert (await sent(web, png(3000), user="ben")).status_code == 201
        assert (await web.delete(first["url"])).status_code == 204
        assert (await sent(web, png(2900))).status_code == 201


async def test_all_scopes_together_have_so_much(tmp_path: Path) -> None:
    """503 with when to ask again, before the body is read if there is none left; what is old makes room."""
    async with serving(uploads=Uploads(tmp_path, max_bytes=4000, max_folder_bytes=6300, keep=7200)) as web:
        assert (await sent(web, png(3000))).status_code == 201
        full = await sent(web, png(3500), user="ben")
        problem = full.json()
        assert (full.status_code, problem["code"], problem["retryable"]) == (503, "uploads_full", True)
        assert full.headers["retry-after"] == "3600"
        theirs = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > 0]
        assert len(theirs) == 1, "nothing of it is left"
        assert (await sent(web, png(2900), user="ben")).status_code == 201
        assert (await sent(web, png(2900), user="ben")).status_code == 200, "it is there already"
        (old,) = theirs
        os.utime(old, (0, 0))
        os.utime(old.parent, (0, 0))  # as at a time when a change of it would have shown
        assert (await sent(web, png(3100), user="cid")).status_code == 201
        assert not old.exists()


async def test_a_folder_that_is_full_reads_nothing(tmp_path: Path) -> None:
    """Whoever sends gets his answer at once."""
    uploads = Uploads(tmp_path, max_folder_bytes=1024)
    (tmp_path / ("0" * 32)).mkdir()
    (tmp_path / ("0" * 32) / ("0" * 64)).write_bytes(bytes(1024))
    read = list[bytes]()

    async def body() -> AsyncIterator[bytes]:
        read.append(PNG)
        yield PNG

    async with uploads.opened():
        with pytest.raises(NotTaken, match="no room") as caught:
            await uploads.take("ann", body())
    assert (caught.value.code, read) == ("full", [])


def test_how_much_lies_in_a_folder(tmp_path: Path) -> None:
    """Of a folder that has not changed for a while nothing is read; of one into which something comes, all."""
    sizes = Sizes(tmp_path / "uploads")
    assert sizes.used() == Used(0, math.inf)
    ann, ben = (tmp_path / "uploads" / (letter * 32) for letter in "ab")
    for folder, size in ((ann, 10), (ben, 20)):
        folder.mkdir(parents=True)
        (folder / ("0" * 64)).write_bytes(bytes(size))
        os.utime(folder / ("0" * 64), (100.0 * size, 100.0 * size))
        os.utime(folder, (50.0, 50.0))
    (tmp_path / "uploads" / "of somebody else").write_bytes(bytes(1000))
    assert sizes.used() == Used(30, 1000.0)
    with (ann / ("0" * 64)).open("ab") as file:  # nobody does so; it shows that it is not read
        file.write(bytes(5))
    os.utime(ann, (50.0, 50.0))
    assert sizes.used().bytes == 30
    (ben / "upload-1.part").write_bytes(bytes(7))
    os.utime(ben, (60.0, 60.0))
    assert sizes.used().bytes == 37
    (ben / "upload-1.part").write_bytes(bytes(9))
    os.utime(ben, (60.0, 60.0))
    assert sizes.used().bytes == 39
    (ann / ("1" * 64)).write_bytes(bytes(1))
    assert sizes.used().bytes == 45


async def test_of_two_that_take_the_last_room_one_does(tmp_path: Path) -> None:
    """Two workers look at the same folder."""
    here, there = (Uploads(tmp_path, max_scope_bytes=1500 * 4) for _ in range(2))
    async with here.opened(), there.opened():
        taking = [
            each.take("ann", pieces(png(900 + 2 * i + j))) for i in range(8) for j, each in enumerate((here, there))
        ]
        found = await asyncio.gather(*taking, return_exceptions=True)
        kept = [each for each in found if not isinstance(each, BaseException)]
        assert all(isinstance(each, NotTaken) for each in found if isinstance(each, BaseException))
        assert 0 < sum(each.bytes for each in kept) <= 6000
        assert len(files(tmp_path)) == len(kept)
        assert all([await here.read("ann", each.id) for each in kept])


async def test_small_ones_are_counted(tmp_path: Path) -> None:
    """A thousand of a scope, and sixteen on their way."""
    uploads = Uploads(tmp_path)
    async with uploads.opened():
        await uploads.take("ann", pieces(PNG))
        (folder,) = [path for path in tmp_path.iterdir() if path.is_dir()]
        for i in range(MOST_IN_SCOPE - 1):
            (folder / f"{i:064x}").write_bytes(b"")
        with pytest.raises(NotTaken, match="1,000"):
            await uploads.take("ann", pieces(png(501)))
        go_on = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            await go_on.wait()
            yield PNG

        taking = [asyncio.ensure_future(uploads.take("ben", slow())) for _ in range(MOST_AT_ONCE)]
        while len(files(tmp_path)) < MOST_IN_SCOPE + MOST_AT_ONCE:
            await asyncio.sleep(0.1)
        with pytest.raises(NotTaken, match="16"):
            await uploads.take("ben", pieces(PNG))
        go_on.set()
        assert len({each.id for each in await asyncio.gather(*taking)}) == 1
    assert len(files(tmp_path)) == MOST_IN_SCOPE + 1


async def test_it_goes_after_its_time(tmp_path: Path) -> None:
    """It is not found any more, and is deleted without anybody's asking; what is not ours stays."""
    now = [0.0]
    uploads = Uploads(tmp_path, keep=7200)
    now[0] = uploads._kept.clock()
    uploads._kept.clock = lambda: now[0]
    async with uploads.opened():
        first = await uploads.take("ann", pieces(PNG))
        (folder,) = [path for path in tmp_path.iterdir() if path.is_dir()]
        for mine in (tmp_path / "mine.txt", folder / "mine.txt"):
            mine.write_text("mine")
            os.utime(mine, (0, 0))
        left = folder / ".upload-0123456789ab.part"  # by a worker that was killed
        left.write_bytes(b"half")
        os.utime(left, (0, 0))
        now[0] += 7000
        assert (await uploads.take("ann", pieces(PNG))).expires > first.expires
        now[0] += 7000
        assert await uploads.read("ann", first.id) == PNG
        now[0] += 201
        assert await uploads.read("ann", first.id) is None
        await asyncio.sleep(3601)
        while len(files(tmp_path)) > 2:
            await asyncio.sleep(1)
    assert files(tmp_path) == ["mine.txt", "mine.txt"]


async def test_what_a_worker_took_another_has(tmp_path: Path) -> None:
    """And so has the one that comes after it."""
    async with Uploads(tmp_path).opened(), serving(uploads=tmp_path) as one, serving(uploads=tmp_path) as other:
        url = (await sent(one)).json()["url"]
        assert (await other.get(url)).content == PNG
        await other.made(parameters={"references": [url]})
    async with serving(uploads=tmp_path) as after:
        assert (await after.get(url)).content == PNG
        assert oct((await asyncio.to_thread(os.stat, tmp_path / files_folder(tmp_path))).st_mode)[-3:] == "700"


def files_folder(folder: Path) -> str:
    """Of the only scope."""
    (name,) = [path.name for path in folder.iterdir() if path.is_dir()]
    return name


# --- erased


async def test_a_scope_is_erased(tmp_path: Path) -> None:
    """Its jobs that are over and its pictures, no one else's; what runs is counted, and goes the next time."""
    script = Script(rules=[Rule(prompt="slow", fate=Fate(processing=500))])
    async with serving(script, uploads=tmp_path, erase=True) as web:
        mine, theirs = await web.made(), await web.made(user="ben")
        pictures = [(await sent(web, user=user)).json()["url"] for user in ("ann", "ben")]
        running = (await web.post({"prefer": "wait=20"}, prompt="a slow boat")).json()
        assert running["state"] == "processing"
        answer = await web.delete("/generations")
        assert (answer.status_code, answer.json()) == (200, {"generations": 1, "running": 1, "uploads": 1})
        assert (await web.get(mine["links"]["self"])).status_code == 404
        assert (await web.get(mine["outputs"][0]["url"])).status_code == 404
        assert (await web.get(pictures[0])).status_code == 404
        assert (await web.get(running["links"]["self"])).status_code == 200
        assert (await web.get(theirs["links"]["self"], user="ben")).status_code == 200
        assert (await web.get(pictures[1], user="ben")).content == PNG
        with pytest.raises(aiogen.InputError, match="scope"):
            await erase(web.session, "")
        assert (await erase(web.session, "ben")).generations == 1


async def test_nobody_erases_unless_the_application_says_so() -> None:
    """And never where all clients are one."""
    async with serving() as web:
        answer = await web.delete("/generations")
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert answer.headers["allow"] == "GET, POST"
    with pytest.raises(aiogen.InputError, match="needs a scope"):
        router(scope=None, models=[MODEL], erase=True)


@pytest.mark.parametrize(
    "options", [{"max_bytes": 0}, {"max_scope_bytes": 1}, {"max_folder_bytes": 1}, {"keep": 1}, {"keep": float("inf")}]
)
def test_limits_of_uploads_that_cannot_be_right(options: dict[str, Any]) -> None:
    """Are refused at once; a folder has to be one."""
    with pytest.raises(aiogen.InputError):
        Uploads("uploads", **options)
    for wrong in ("", 5, ["a"]):
        with pytest.raises(aiogen.InputError, match="folder"):
            uploads_of(wrong)  # type: ignore[arg-type]
    assert repr(uploads_of("pictures")) == "Uploads('pictures')"
