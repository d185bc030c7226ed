"""The sandbox's ComfyUI beside a real one: the same requests, and answers of the same shape.

Needs a server at COMFYUI_BASE_URL, with or without models: what is run needs none. It gets a few small files, and what
waits in its queue is left alone: nothing here clears or interrupts what somebody else has sent.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs
import pytest

from aiogen.sandbox import ComfyUISettings, Sandbox

URL = os.environ.get("COMFYUI_BASE_URL", "").rstrip("/")
pytestmark = [
    pytest.mark.comfy,
    pytest.mark.looptime(False),
    pytest.mark.skipif(not URL, reason="no server at COMFYUI_BASE_URL"),
]


@attrs.frozen
class Seen:
    """Of one answer, what has to be the same at both."""

    status: int
    content_type: str | None
    shape: Any


@attrs.frozen
class Server:
    url: str
    http: aiohttp.ClientSession
    run: str = attrs.field(factory=lambda: uuid.uuid4().hex[:8])
    """In names of files, so that no run finds those of another."""

    async def ask(self, method: str, path: str, **options: Any) -> tuple[Seen, Any]:
        """The answer, and its JSON or bytes."""
        async with self.http.request(method, f"{self.url}{path}", **options) as answer:
            is_json = answer.content_type == "application/json"
            content = await answer.json() if is_json and method != "HEAD" else await answer.read()
            kind = answer.headers.get("Content-Type")
        if isinstance(content, bytes):
            return Seen(answer.status, kind, "bytes" if content else "nothing"), content
        return Seen(answer.status, kind, shape(content)), content

    async def send(self, graph: Any, **more: Any) -> tuple[Seen, Any]:
        return await self.ask("POST", "/prompt", json={"prompt": graph, **more})

    async def ended(self, job_id: str) -> tuple[Seen, Any]:
        while True:
            seen, answer = await self.ask("GET", f"/history/{job_id}")
            if job_id in answer:
                return seen, answer[job_id]
            await asyncio.sleep(0.05)

    def graph(self, *, batch: int = 1, name: str = "x") -> Any:
        """Equal to no other: the colour is a random one."""
        values = {"width": 64, "height": 48, "batch_size": batch, "color": uuid.uuid4().int % 0xFFFFFF}
        return {
            "1": {"class_type": "EmptyImage", "inputs": values},
            "3": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": f"{name}-{self.run}"}},
        }


IGNORED = (
    "traceback",
    "current_inputs",
    "tooltip",
    "step",
    "display",
    "image_upload",
    "control_after_generate",
    "round",
)
"""What a client has no use for."""


def shape(value: Any) -> Any:
    """Keys and types; of a list whose entries are alike, one."""
    if isinstance(value, dict):
        if any(_is_id(key) for key in value):
            return {"<id>": shape(next(iter(value.values())))}
        return {key: shape(inner) for key, inner in sorted(value.items()) if key not in IGNORED}
    if isinstance(value, list):
        inner = [shape(one) for one in value]
        return inner[:1] if all(one == inner[0] for one in inner) else inner
    return type(value).__name__


def _is_id(text: str) -> bool:
    try:
        return bool(uuid.UUID(text))
    except ValueError:
        return False


@asynccontextmanager
async def both() -> AsyncIterator[tuple[Server, Server]]:
    """The real server, and the sandbox's of the same kind."""
    async with aiohttp.ClientSession() as http:
        real = Server(URL, http)
        (probe, _), (_, checkpoints) = (
            await real.ask("GET", "/api/jobs?limit=1"),
            await real.ask("GET", "/models/checkpoints"),
        )
        settings = ComfyUISettings(has_jobs_api=probe.status == 200, checkpoints=checkpoints)
        async with Sandbox(comfyui=settings) as box:
            yield real, Server(box.comfyui_url, http)


Scene = Callable[[Server], Awaitable[list[Any]]]


async def a_job(server: Server) -> list[Any]:
    job_id = str(uuid.uuid4())
    accepted, receipt = await server.send(server.graph(batch=2), prompt_id=job_id, client_id="me")
    assert receipt["prompt_id"] == job_id
    seen, entry = await server.ended(job_id)
    return [
        accepted,
        seen,
        [event for event, _ in entry["status"]["messages"]],
        entry["outputs"]["3"]["images"][0]["type"],
    ]


async def an_equal_graph(server: Server) -> list[Any]:
    """Answered with the earlier file, unless somebody else's graph came between."""

    async def file_of(graph: Any) -> str:
        _, receipt = await server.send(graph)
        _, entry = await server.ended(receipt["prompt_id"])
        return str(entry["outputs"]["3"]["images"][0]["filename"])

    for _ in range(10):
        graph = server.graph()
        names = [await file_of(graph) for _ in range(2)]
        if names[0] == names[1]:
            return ["the earlier file"]
    return ["another file"]


async def an_id_sent_twice(server: Server) -> list[Any]:
    job_id = str(uuid.uuid4())
    first, last = server.graph(), server.graph()
    seen: list[Any] = [(await server.send(graph, prompt_id=job_id))[0] for graph in (first, last)]
    while True:
        _, entry = await server.ended(job_id)
        if entry["prompt"][2] == last:
            return [*seen, len(entry["outputs"])]
        await asyncio.sleep(0.05)


async def what_is_not_known(server: Server) -> list[Any]:
    nobody = str(uuid.uuid4())
    return [
        (await server.ask(method, path, **options))[0]
        for method, path, options in (
            ("GET", f"/history/{nobody}", {}),
            ("POST", "/queue", {"json": {"delete": [nobody]}}),
            ("POST", "/history", {"json": {"delete": [nobody]}}),
            ("POST", "/interrupt", {"json": {"prompt_id": nobody}}),
            ("GET", f"/api/jobs/{nobody}", {}),
            ("POST", f"/api/jobs/{nobody}/cancel", {}),
            ("GET", "/nothing", {}),
            ("POST", "/nothing", {}),
            ("DELETE", "/history/x", {}),
            ("GET", "/models/nothing", {}),
            ("GET", "/object_info/Nothing", {}),
            ("GET", "/history?max_items=x", {}),
        )
    ]


async def refusals(server: Server) -> list[Any]:
    seen: list[Any] = []
    for options in (
        {"data": b"{"},
        {"data": b"null"},
        {"json": []},
        {"json": {}},
        {"json": {"prompt": None}},
        {"json": {"prompt": {}}},
        {"json": {"prompt": []}},
        {"json": {"prompt": server.graph(), "number": "x"}},
        {"json": {}, "headers": {"Origin": "http://elsewhere.example"}},
    ):
        seen.append((await server.ask("POST", "/prompt", **options))[0])
    for change in (
        lambda graph: graph["1"].update(class_type="Nothing"),
        lambda graph: graph["1"].pop("class_type"),
        lambda graph: graph.pop("3"),
        lambda graph: graph["1"].pop("inputs"),
        lambda graph: graph["1"]["inputs"].update(width=0),
        lambda graph: graph["1"]["inputs"].update(width=10**6),
        lambda graph: graph["1"]["inputs"].update(width="wide"),
        lambda graph: graph["1"]["inputs"].update(width=["9", 0]),
        lambda graph: graph["1"]["inputs"].pop("width"),
        lambda graph: graph["3"]["inputs"].update(images=["9", 0]),
        lambda graph: graph["3"]["inputs"].update(images=["1", 7]),
        lambda graph: graph["3"]["inputs"].update(images=["1"]),
        lambda graph: graph.update({"1": {"class_type": "LoadImage", "inputs": {"image": "nothing.png"}}}),
        lambda graph: graph.update(
            {"1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "nothing.safetensors"}}}
        ),
    ):
        graph = server.graph()
        change(graph)
        answer, body = await server.send(graph)
        texts = [
            (reason["type"], reason["message"], reason["details"])
            for node in body["node_errors"].values()
            for reason in node["errors"]
        ]
        seen += [answer, body["error"]["type"], body["error"]["message"], body["error"]["details"], texts]
    return seen


async def half_a_graph(server: Server) -> list[Any]:
    graph = server.graph()
    graph["9"] = {"class_type": "SaveImage", "inputs": {"filename_prefix": "y"}}
    answer, receipt = await server.send(graph)
    _, entry = await server.ended(receipt["prompt_id"])
    return [answer, list(receipt["node_errors"]), entry["prompt"][4], list(entry["outputs"])]


async def a_node_that_fails(server: Server) -> list[Any]:
    graph = server.graph()
    graph["3"]["inputs"]["images"] = "x"
    _, receipt = await server.send(graph)
    seen, entry = await server.ended(receipt["prompt_id"])
    event, said = entry["status"]["messages"][-1]
    return [seen, event, said["node_id"], said["node_type"], said["exception_type"], entry["status"]["status_str"]]


async def uploads(server: Server) -> list[Any]:
    seen: list[Any] = []
    for content, fields in (
        (b"1", {}), (b"1", {}), (b"2", {}), (b"3", {}), (b"2", {}), (b"4", {"overwrite": "true"}),
        (b"5", {"subfolder": f"in-{server.run}"}), (b"6", {"type": "temp"}), (b"7", {"type": "nothing"}),
        (b"8", {"subfolder": "../.."}), (None, {"other": "x"}),
    ):  # fmt: skip
        form = aiohttp.FormData(fields, default_to_multipart=True)
        if content is not None:
            form.add_field("image", content, filename=f"{server.run}.png", content_type="image/png")
        answer, body = await server.ask("POST", "/upload/image", data=form)
        told = {key: value.replace(server.run, "RUN") for key, value in body.items()} if answer.status == 200 else None
        seen += [answer, told]
    for query in (
        f"filename={server.run}.png&type=input",
        f"filename={server.run}.png&type=input&subfolder=in-{server.run}",
    ):
        answer, content = await server.ask("GET", f"/view?{query}")
        seen += [answer, content]
    return seen


async def downloads(server: Server) -> list[Any]:
    _, receipt = await server.send(server.graph())
    _, entry = await server.ended(receipt["prompt_id"])
    file = entry["outputs"]["3"]["images"][0]
    whole, content = await server.ask("GET", "/view", params=file)
    assert content.startswith(b"\x89PNG")
    seen: list[Any] = [whole, (await server.ask("HEAD", "/view", params=file))[0]]
    for wanted in ("bytes=0-9", "bytes=-5", "bytes=10-"):
        part, some = await server.ask("GET", "/view", params=file, headers={"Range": wanted})
        seen += [part, some in content, len(some) == len(content) - 10 or len(some)]
    seen.append((await server.ask("GET", "/view", params=file, headers={"Range": "bytes=9999999-"}))[0].status)
    for query in ("", "?filename=nothing.png", "?filename=../x.png", "?filename=x.png&type=nothing",
                  "?filename=x.png&subfolder=../.."):  # fmt: skip
        seen.append((await server.ask("GET", f"/view{query}"))[0])
    return seen


async def what_is_installed(server: Server) -> list[Any]:
    seen: list[Any] = [(await server.ask("GET", path))[0] for path in ("/prompt", "/queue?", "/models/checkpoints")]
    seen[1] = attrs.evolve(seen[1], shape=None)  # somebody else's jobs
    for name in ("EmptyImage", "ImageScale", "CLIPTextEncode", "VAEDecode", "EmptyLatentImage"):
        answer, body = await server.ask("GET", f"/object_info/{name}")
        seen += [answer.status, body[name]["output"], body[name]["input_order"]["required"], body[name]["output_node"]]
    _, stats = await server.ask("GET", "/system_stats")
    return [*seen, "comfyui_version" in stats["system"], shape(stats["devices"][0]["type"])]


@pytest.mark.parametrize(
    "scene",
    [
        a_job, an_equal_graph, an_id_sent_twice, what_is_not_known, refusals, half_a_graph, a_node_that_fails, uploads,
        downloads, what_is_installed,
    ],
)  # fmt: skip
async def test_both_answer_alike(scene: Scene) -> None:
    async with both() as (real, imitated):
        for one, other in zip(await scene(real), await scene(imitated), strict=True):
            assert other == one
