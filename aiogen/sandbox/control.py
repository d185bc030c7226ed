"""The sandbox's own pages: what it is, what it has recorded, and what happens next.

GET  /                       what this is, and the environment by which clients find it
GET  /sandbox/jobs           all jobs, in order of acceptance
GET  /sandbox/requests       the last 1000 requests; ?limit=N for another number
POST /sandbox/script         replaces the script (JSON, see aiogen.sandbox.script); ?extend=1 adds to it instead
POST /sandbox/restart/NAME   restarts the server of the vendor of this name, if clients can tell
POST /sandbox/reset          forgets jobs, files, requests, limits in use and the counts of the script
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs
from aiohttp import web

from .answering import as_json
from .clock import Clock
from .context import RecordedRequest
from .jobs import SandboxJob
from .script import Script, ScriptError


class Controlled(Protocol):
    """What these pages show and change."""

    @property
    def script(self) -> Script: ...

    @script.setter
    def script(self, script: Script) -> None: ...

    @property
    def titles(self) -> Sequence[str]: ...

    @property
    def environment(self) -> Mapping[str, str]: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def jobs(self) -> Sequence[SandboxJob]: ...

    @property
    def requests(self) -> Sequence[RecordedRequest]: ...

    def restart(self, vendor: str) -> None: ...

    def reset(self) -> None: ...


def control_routes(sandbox: Controlled) -> list[web.RouteDef]:
    """Routes of the control API."""
    control = _Control(sandbox)
    return [
        web.get("/", control.welcome),
        web.get("/sandbox/jobs", control.jobs),
        web.get("/sandbox/requests", control.requests),
        web.post("/sandbox/script", control.script),
        web.post("/sandbox/restart/{vendor}", control.restart),
        web.post("/sandbox/reset", control.reset),
    ]


@attrs.frozen
class _Control:
    sandbox: Controlled

    async def welcome(self, request: web.Request) -> web.Response:
        lines = [
            f"This is the aiogen sandbox. It imitates {_listed(self.sandbox.titles)} on this machine. "
            "Nothing here costs money.",
            "",
            *(f"export {name}={value}" for name, value in self.sandbox.environment.items()),
            "",
            __doc__ or "",
        ]
        return web.Response(text="\n".join(lines))

    async def jobs(self, request: web.Request) -> web.Response:
        now = self.sandbox.clock.now()
        return as_json({"jobs": [_shown(job, now) for job in self.sandbox.jobs]})

    async def requests(self, request: web.Request) -> web.Response:
        limit = request.query.get("limit", "1000")
        if not limit.isdecimal():
            return as_json({"error": f"limit: expected a number, not {limit!r}"}, 400)
        requests = self.sandbox.requests
        return as_json({"requests": [attrs.asdict(one) for one in requests[max(0, len(requests) - int(limit)) :]]})

    async def script(self, request: web.Request) -> web.Response:
        try:
            script = Script.read(json.loads(await request.read()))
        except ScriptError as error:
            return as_json({"error": str(error)}, 400)
        except ValueError as error:
            return as_json({"error": f"not JSON: {error}"}, 400)
        if request.query.get("extend", "") not in ("", "0"):
            self.sandbox.script.extend(script)
        else:
            self.sandbox.script = script
        running = self.sandbox.script
        return as_json({"rules": len(running.rules), "storms": len(running.storms)})

    async def restart(self, request: web.Request) -> web.Response:
        try:
            self.sandbox.restart(request.match_info["vendor"])
        except KeyError as error:
            return as_json({"error": f"there is no vendor {error}"}, 404)
        except ValueError as error:
            return as_json({"error": str(error)}, 400)
        return as_json({})

    async def reset(self, request: web.Request) -> web.Response:
        self.sandbox.reset()
        return as_json({})


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _shown(job: SandboxJob, now: float) -> dict[str, Any]:
    return {
        "provider": job.provider,
        "id": job.id,
        "kind": job.kind,
        "model": job.model,
        "prompt": job.prompt,
        "body": job.body,
        "state": job.state(now),
        "outputs": job.outputs,
        "weight": job.weight,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ends_at": job.ends_at,
        "polls": job.polls,
        "seen_end_at": job.seen_end_at,
        "deleted_at": job.deleted_at,
    }
