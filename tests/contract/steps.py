"""A provider and its vendor for what the others do not do: own ids, references, several requests, bytes, cancel."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
from aiohttp import web

from aiogen.exchange import (
    Accepted,
    Cancelled,
    Exchange,
    Multipart,
    Part,
    Response,
    Snapshot,
    Submission,
    Ticket,
)
from aiogen.models import Output, State, Typical
from aiogen.providers import Facts, Provider
from aiogen.providers.reading import parse_object
from aiogen.references import Reference

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@attrs.frozen(kw_only=True)
class StepsRequest:
    """What is asked of it."""

    model: str
    prompt: str = attrs.field(repr=False)
    own_id: str | None = None
    image: Reference | None = None

    def references(self) -> Iterator[Reference]:
        """The picture that it begins with."""
        if self.image is not None:
            yield self.image


class Steps(Provider):
    """A server on this machine that answers in several steps."""

    facts = Facts(
        vendor="Steps",
        name="steps",
        url="http://127.0.0.1:9",
        request_type=StepsRequest,
        key_variable=None,
        max_active=20,
        creates_per_minute=1000,
        requests_per_minute=6000,
        needs_reference=True,
        poll_floor=0.1,
        poll_cost=0.01,
        not_found_grace=2.0,
    )

    def prepare(self, model: str, prompt: str | None, options: Mapping[str, Any]) -> StepsRequest:
        """By keyword."""
        image = options.get("image")
        image = Reference.of(image) if image is not None else None
        return StepsRequest(model=model, prompt=prompt or "", own_id=options.get("own_id"), image=image)

    def encode(self, request: StepsRequest) -> Submission:
        """With the picture as base64."""
        body: dict[str, Any] = {"prompt": request.prompt, "id": request.own_id}
        if request.image is not None and request.image.data is not None:
            body["image"] = base64.b64encode(request.image.data).decode()
        return Submission(
            model=request.model,
            kind="image",
            prompt=request.prompt,
            endpoint="jobs",
            body=body,
            provider_id=request.own_id,
            timeout=60.0,
            typical=Typical(median=1.0, spread=0.5),
        )

    def create(self, submission: Submission) -> Exchange[Accepted]:
        """Upload, then create."""
        body = dict(submission.body)
        if "image" in body:
            part = Part(name="image", base64=body.pop("image"), filename="a.png", media_type="image/png")
            words = Part(name="type", text="input")
            response = yield self.request("upload", "POST", "/upload", body=Multipart((words, part)))
            body["image"] = self._read(response, "upload")["name"]
        response = yield self.request("create", "POST", "/jobs", body=[body])
        document = self._read(response, "create")
        snapshot = Snapshot(provider_id=document["id"], state=State.QUEUED)
        if "b64" in document:
            output = Output(kind="image", data=base64.b64decode(document["b64"]))
            snapshot = attrs.evolve(snapshot, state=State.COMPLETED, outputs=(output,))
        return Accepted(snapshot=snapshot, reference=document.get("links"))

    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        """Status, then result, each where the create said that it is."""
        links = ticket.reference or {"status": f"/jobs/{ticket.provider_id}", "result": f"/jobs/{ticket.provider_id}/r"}
        response = yield self.request("retrieve", "GET", links["status"])
        document = self._read(response, "retrieve")
        if document["state"] != "COMPLETED":
            return Snapshot(provider_id=ticket.provider_id, state=State(document["state"].lower()))
        response = yield self.request("retrieve", "GET", links["result"])
        url = self._read(response, "retrieve")["url"]
        output = Output(kind="image", url=url)
        return Snapshot(provider_id=ticket.provider_id, state=State.COMPLETED, outputs=(output,))

    def cancel(self, ticket: Ticket) -> Exchange[Cancelled]:
        """One request."""
        response = yield self.request("cancel", "POST", f"/jobs/{ticket.provider_id}/cancel")
        return Cancelled(stopped=self._read(response, "cancel")["stopped"])

    def _read(self, response: Response, verb: str) -> Any:
        if response.status >= 300:
            raise self.refusal(response, verb, response.body.decode())
        return parse_object(response, verb)


class FreeSteps(Steps):
    """The same, where an id may be sent again for nothing."""

    facts = attrs.evolve(Steps.facts, resend_is_free=True, needs_reference=False)


class PaidSteps(Steps):
    """The same, where each create is charged."""

    facts = attrs.evolve(Steps.facts, needs_reference=False)


class Silent(PaidSteps):
    """Knows beforehand how everything stands: its exchanges ask for nothing."""

    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        """Without a request."""
        return Snapshot(
            provider_id=ticket.provider_id,
            state=State.COMPLETED,
            outputs=(Output(kind="image", url="https://cdn.example/a.png"),),
        )
        yield  # pragma: no cover  - makes it a generator


@attrs.define(eq=False)
class Server:
    """What answers."""

    seconds: float = 5.0
    """That a job takes."""
    faults: dict[str, list[str]] = attrs.field(factory=dict)
    """By path or method and path: "cut" before anything is done, "cut after" it was, or a status."""
    at_once: bool = False
    """The create itself brings the picture."""
    began: dict[str, float] = attrs.field(factory=dict)
    bodies: list[Any] = attrs.field(factory=list)
    uploads: list[bytes] = attrs.field(factory=list)
    seen: list[str] = attrs.field(factory=list)
    cancelled: set[str] = attrs.field(factory=set)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(f"{request.method} {request.path}")
        waiting = self.faults.get(f"{request.method} {request.path}", [])
        fault = waiting.pop(0) if waiting else ""
        if fault == "cut":
            return cut(request)
        if fault.isdigit():
            return web.json_response({"message": "no"}, status=int(fault))
        response = await self._answer(request)
        return cut(request) if fault == "cut after" else response

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        now = asyncio.get_running_loop().time()
        parts = request.path.strip("/").split("/")
        if parts == ["upload"]:
            form = await request.post()
            assert form["type"] == "input"
            image = form["image"]
            assert isinstance(image, web.FileField)
            self.uploads.append(image.file.read())
            return web.json_response({"name": f"{image.filename}-{len(self.uploads)}"})
        if parts == ["jobs"]:
            (body,) = await request.json()
            self.bodies.append(body)
            name = body["id"] or f"job-{len(self.bodies)}"
            self.began[name] = now
            links = {"status": f"/queue/{name}", "result": f"/queue/{name}/r"}
            more = {"b64": base64.b64encode(PNG).decode()} if self.at_once else {}
            return web.json_response({"id": name, "links": links, **more})
        name = parts[1]
        if name not in self.began:
            return web.json_response({"message": "no such job"}, status=404)
        if parts[-1] == "cancel":
            runs = now < self.began[name] + self.seconds
            self.cancelled.add(name)
            return web.json_response({"stopped": runs})
        if parts[-1] == "r":
            return web.json_response({"url": f"https://cdn.example/{name}.png"})
        state = "COMPLETED" if now >= self.began[name] + self.seconds else "PROCESSING"
        return web.json_response({"state": state})

    def count(self, start: str) -> int:
        """Requests that begin so."""
        return sum(line.startswith(start) for line in self.seen)


def cut(request: web.Request) -> web.StreamResponse:
    """The connection breaks."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


__all__ = ["PNG", "FreeSteps", "PaidSteps", "Server", "Silent", "Steps", "StepsRequest"]
