"""What is uploaded, and what is fetched."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import aiohttp
import pytest
from PIL import Image

from aiogen.sandbox import Fate, Rule, Script

from ...conftest import Answer, Caller, Visiting, model_graph, plain_graph
from .test_api import ended, send, sent

PNG = b"\x89PNG\r\n\x1a\n and so on"


async def upload(caller: Caller, content: bytes | None, name: str = "ref.png", **fields: str) -> Answer:
    form = aiohttp.FormData(fields, quote_fields=False, default_to_multipart=True)
    if content is not None:
        form.add_field("image", content, filename=name, content_type="image/png")
    return await caller.comfyui("POST", "/upload/image", data=form)


async def saved(caller: Caller, graph: Any) -> dict[str, str]:
    """The first file of a new prompt."""
    entry = await ended(caller, await sent(caller, graph))
    return dict(next(iter(entry["outputs"].values()))["images"][0])


async def view(caller: Caller, method: str = "GET", headers: Any = None, **query: str) -> Answer:
    return await caller.comfyui(method, "/view", params=query, headers=headers)


class TestUpload:
    async def test_the_name_that_a_file_gets(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            contents = [PNG, PNG, PNG + b"1", PNG + b"2", PNG + b"1"]
            names = [(await upload(caller, content)).json["name"] for content in contents]
            assert names == ["ref.png", "ref.png", "ref (1).png", "ref (2).png", "ref (1).png"]
            answer = await upload(caller, PNG + b"3", overwrite="true")
            assert answer.json == {"name": "ref.png", "subfolder": "", "type": "input"}
            assert (await view(caller, filename="ref.png", type="input")).content == PNG + b"3"

    async def test_where_it_lies(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await upload(caller, PNG, subfolder="a/b")
            assert answer.json == {"name": "ref.png", "subfolder": "a/b", "type": "input"}
            found = await view(caller, filename="ref.png", subfolder="a/b", type="input")
            assert (found.status, found.content) == (200, PNG)
            assert (await view(caller, filename="ref.png", type="input")).status == 404
            assert (await upload(caller, PNG, type="temp")).json["type"] == "temp"

    @pytest.mark.parametrize(
        ("content", "name", "fields", "status"),
        [
            (None, "x", {"other": "1"}, 400),
            (PNG, "../x.png", {}, 400),
            (PNG, "x.png", {"subfolder": "../.."}, 400),
            (PNG, "x.png", {"type": "elsewhere"}, 500),
        ],
    )
    async def test_refusals(
        self, visiting: Visiting, content: bytes | None, name: str, fields: dict[str, str], status: int
    ) -> None:
        async with visiting() as caller:
            assert (await upload(caller, content, name, **fields)).status == status

    @pytest.mark.parametrize(("content", "state"), [(PNG, "success"), (b"no picture", "error")])
    async def test_it_can_be_loaded(self, visiting: Visiting, content: bytes, state: str) -> None:
        async with visiting() as caller:
            graph = plain_graph()
            graph["3"]["inputs"]["images"] = ["5", 0]
            graph["5"] = {"class_type": "LoadImage", "inputs": {"image": "a/ref.png"}}
            assert (await send(caller, graph)).status == 400
            await upload(caller, content, subfolder="a")
            entry = await ended(caller, await sent(caller, graph))
            assert entry["status"]["status_str"] == state
            if state == "error":
                said = entry["status"]["messages"][-1][1]
                assert (said["node_id"], said["exception_type"]) == ("5", "PIL.UnidentifiedImageError")

    async def test_an_output_can_be_loaded_too(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            file = await saved(caller, plain_graph())
            graph = plain_graph(color=1)
            graph["3"]["inputs"]["images"] = ["5", 0]
            graph["5"] = {"class_type": "LoadImage", "inputs": {"image": f"{file['filename']} [output]"}}
            assert (await ended(caller, await sent(caller, graph)))["status"]["status_str"] == "success"


class TestView:
    async def test_a_painted_picture(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            file = await saved(caller, model_graph("a paper boat [[processing=1]]"))
            answer = await view(caller, **file)
            assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
            assert answer.headers["Content-Disposition"] == 'filename="new_00001_.png"'
            assert answer.headers["Last-Modified"]
            with Image.open(io.BytesIO(answer.content)) as image:
                assert image.size == (350, 512)  # of 832 × 1216
            assert caller.sandbox.requests[-1].action == "download"

    async def test_seeds_give_different_pictures(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            files = [await saved(caller, plain_graph(color=color)) for color in (1, 2)]
            assert len({(await view(caller, **file)).content for file in files}) == 2

    async def test_in_parts(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            file = await saved(caller, plain_graph())
            whole = await view(caller, **file)
            size, etag = len(whole.content), whole.headers["ETag"]
            head = await view(caller, "HEAD", **file)
            assert (head.content, head.headers["Content-Length"]) == (b"", str(size))
            part = await view(caller, headers={"Range": "bytes=10-", "If-Range": etag}, **file)
            assert (part.status, part.content) == (206, whole.content[10:])
            assert part.headers["Content-Range"] == f"bytes 10-{size - 1}/{size}"
            far = await view(caller, headers={"Range": f"bytes={size}-"}, **file)
            assert (far.status, far.content, far.headers["Content-Range"]) == (416, b"", f"bytes */{size}")
            unchanged = await view(caller, headers={"If-None-Match": etag}, **file)
            assert (unchanged.status, unchanged.content) == (304, b"")

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ({}, 404),
            ({"filename": "nothing.png"}, 404),
            ({"filename": "../x.png"}, 400),
            ({"filename": "x.png", "type": "elsewhere"}, 400),
            ({"filename": "x.png", "subfolder": "../.."}, 403),
        ],
    )
    async def test_refusals(self, visiting: Visiting, query: dict[str, str], status: int) -> None:
        async with visiting() as caller:
            answer = await view(caller, **query)
            assert (answer.status, answer.content) == (status, b"")

    async def test_faults_of_downloads(self, visiting: Visiting) -> None:
        script = Script(rules=[Rule(fate=Fate(download_faults="503,cut@100,wrong-type"))])
        async with visiting(script=script) as caller:
            file = await saved(caller, plain_graph())
            answer = await view(caller, **file)
            assert (answer.status, answer.text) == (503, "503: Service Unavailable")
            with pytest.raises(aiohttp.ClientPayloadError):
                await view(caller, **file)
            assert (await view(caller, **file)).headers["Content-Type"] == "text/plain"
            assert (await view(caller, **file)).headers["Content-Type"] == "image/png"

    async def test_names_go_on_counting(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            names = [
                (await saved(caller, plain_graph(color=i, prefix=prefix)))["filename"]
                for i, prefix in enumerate(["a", "a", "b", "sub/a", "%width%x"])
            ]
            assert names == ["a_00001_.png", "a_00002_.png", "b_00001_.png", "a_00001_.png", "64x_00001_.png"]

    async def test_latency_of_a_job(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            file = await saved(caller, plain_graph(prefix="x [[latency=5]]"))
            start = asyncio.get_running_loop().time()
            await view(caller, **file)
            assert asyncio.get_running_loop().time() - start >= 5
