"""Darkroom in a few lines: a print is ready at the second look, and only the addresses that its create named work."""

from __future__ import annotations

from collections import Counter

import attrs
from aiohttp import web
from pictures import png

KEY = "darkroom-0123456789"


@attrs.define
class Darkroom:
    """A handler for `serving`; `url` is where it is served."""

    url: str = ""
    subjects: list[str] = attrs.field(factory=list)
    """What was asked for, in order."""
    asked: list[str] = attrs.field(factory=list)
    """Methods and paths, in order."""
    looks: Counter[str] = attrs.field(factory=Counter)
    """Status requests, by the id of the print."""
    ready_after: int = 1
    """Looks at a print that is not ready."""

    is_slow: bool = True
    """While it is, what is asked for as slow is not ready, however often it is looked at."""

    async def __call__(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        if request.path.startswith("/files/"):
            return web.Response(body=png(), content_type="image/png")
        if request.headers.get("Authorization") != f"Ticket {KEY}":
            return web.json_response({"error": {"message": "who is asking?"}}, status=401)
        match request.method, request.path.removeprefix("/v1").split("/")[1:]:
            case "POST", ["prints"]:
                return self._made((await request.json())["subject"])
            case "GET", ["queue", name, "status"]:
                return self._status(name)
            case "GET", ["queue", name, "result"]:
                return self._result(name)
            case "DELETE", ["prints", _]:
                return web.json_response({"stopped": True})
            case "GET", ["me"]:
                return web.json_response({"name": "printer"})
        return web.json_response({"error": {"message": "nothing is here"}}, status=404)

    def _made(self, subject: str) -> web.Response:
        self.subjects.append(subject)
        name = f"p-{len(self.subjects)}"
        addresses = {f"{word}_url": f"{self.url}/v1/queue/{name}/{word}" for word in ("status", "result")}
        return web.json_response({"print": name, **addresses}, status=202)

    def _status(self, name: str) -> web.Response:
        self.looks[name] += 1
        is_held = self.is_slow and "slow" in self._subject(name)
        is_ready = self.looks[name] > self.ready_after and not is_held
        return web.json_response({"state": "READY" if is_ready else "DEVELOPING"}, status=200 if is_ready else 202)

    def _result(self, name: str) -> web.Response:
        if "torn" in self._subject(name):
            return web.json_response({"error": {"message": "the paper is torn"}}, status=422)
        return web.json_response({"pictures": [{"href": f"{self.url}/files/{name}.png"}]})

    def _subject(self, name: str) -> str:
        return self.subjects[int(name.removeprefix("p-")) - 1]
