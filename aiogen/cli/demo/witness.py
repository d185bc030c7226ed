"""Watches, from the sandbox's side, what went wrong on the way without ending a job."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aiogen import Job
from aiogen.cli.demo.plan import CROWDED, Incident, Piece
from aiogen.sandbox import Sandbox


class Witness:
    """Looks for the signs of the incidents that generations survive."""

    def __init__(self, sandbox: Sandbox, pairs: Sequence[tuple[Piece, Job]], note: Callable[[str], None]) -> None:
        self._sandbox = sandbox
        self._note = note
        self._awaited: list[tuple[str, Incident, Job | None]] = [(*CROWDED, None)]
        self._awaited += [
            (piece.connection, piece.incident, job)
            for piece, job in pairs
            if piece.incident is not None and piece.ends is None
        ]
        self.seen: list[tuple[str, Incident]] = []
        """What has happened so far, with the connection where it did."""

    def look(self) -> None:
        """Note what has happened since the last look."""
        for awaited in [awaited for awaited in self._awaited if self._happened(*awaited)]:
            self._awaited.remove(awaited)
            connection, incident, _ = awaited
            self.seen.append((connection, incident))
            self._note(f"{'survived':<10}  {connection}: {incident.what}")

    def _happened(self, connection: str, incident: Incident, job: Job | None) -> bool:
        return any(
            (request.action, request.status) == incident.sign
            and request.job_id == (job.provider_id if job is not None else None)
            and request.provider in (connection, "storage")  # a download is at the storage of either provider
            for request in self._sandbox.requests
        )
