"""Leonardo's outputs: on a public CDN, whose URLs do not expire."""

from __future__ import annotations

import re
from urllib.parse import quote

from aiohttp import web

from ...context import RequestContext
from ...jobs import Jobs, SandboxJob
from ...storage.outputs import serve
from ...storage.s3 import no_such_key


class Outputs:
    """The URLs of outputs, and the outputs behind them."""

    def __init__(self, url: str, jobs: Jobs, *, user_id: str) -> None:
        self._url = url
        self._jobs = jobs
        self._user_id = user_id

    def url(self, job: SandboxJob, index: int, suffix: str) -> str:
        words = "_".join(re.findall(r"\w+", job.prompt)[:8])[:60] or "image"
        path = f"/storage/leonardo/users/{self._user_id}/generations/{job.id}/Default_{words}_{index}.{suffix}"
        return f"{self._url}{quote(path)}"

    async def serve(self, context: RequestContext) -> web.StreamResponse:
        """GET or HEAD. A video has also a poster."""
        if context.request.match_info["user"] != self._user_id:
            return no_such_key()
        job = self._jobs.get("leonardo", context.request.match_info["id"])
        return await serve(context, job, also={"jpg": "jpeg"} if job and job.format == "mp4" else {})
