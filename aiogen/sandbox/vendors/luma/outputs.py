"""Luma's outputs: in a bucket, behind presigned URLs."""

from __future__ import annotations

from aiohttp import web

from ...context import RequestContext
from ...jobs import Jobs, SandboxJob
from ...storage.outputs import SUFFIXES, serve
from ...storage.signing import Signer


class Outputs:
    """The URLs of outputs, and the outputs behind them."""

    def __init__(self, jobs: Jobs, signer: Signer) -> None:
        self._jobs = jobs
        self._signer = signer

    def url(self, job: SandboxJob, index: int, *, now: float, lifetime: float) -> str:
        """Works for `lifetime` loop seconds."""
        name = "layer" if job.kind == "layering" else "output"
        number = f"-{index}" if job.outputs > 1 or job.kind == "layering" else ""
        path = f"/storage/luma/generations/{job.id}/{name}{number}.{SUFFIXES[job.format]}"
        return self._signer.presign(path, "GET", now=now, lifetime=lifetime)

    async def serve(self, context: RequestContext) -> web.StreamResponse:
        """GET or HEAD."""
        if (refusal := self._signer.refusal(context.request, now=context.now)) is not None:
            return refusal
        job = self._jobs.get("luma", context.request.match_info["id"])
        return await serve(context, job, layers=job.outputs if job and job.kind == "layering" else 0)
