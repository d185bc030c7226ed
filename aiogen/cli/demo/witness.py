"""Watches, from the sandbox's side, what went wrong on the way without ending a job."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aiogen import Job
from aiogen.cli.demo.plan import Incident, Piece
from aiogen.sandbox import Sandbox


class Witness:
    """Looks for the signs of the incidents that generations survive."""

    def __init__(self, sandbox: Sandbox, pairs: Sequence[tuple[Piece, Job]], tell: Callable[[str], None]) -> None:
        self._sandbox = sandbox
        self._tell = tell
        self._awaited = [(p, job) for p, job in pairs if p.incident is not None and p.ends is None]
        self.seen: list[tuple[str, Incident]] = []
        """What has happened so far, with the connection where it did."""

    def look(self) -> None:
        """Tell what has happened since the last look."""
        for pair in [pair for pair in self._awaited if self._happened(*pair)]:
            self._awaited.remove(pair)
            piece = pair[0]
            assert piece.incident is not None
            self.seen.append((piece.connection, piece.incident))
            self._tell(f"{piece.connection}  {piece.incident.what}")

    def _happened(self, piece: Piece, job: Job) -> bool:
        assert piece.incident is not None
        action, status = piece.incident.sign
        return any(
            request.action == action
            and request.status == status
            # A refused create has no job yet, and a download is at the storage of either provider.
            and request.job_id in (None, job.provider_id)
            and request.provider in (piece.connection, "storage")
            for request in self._sandbox.requests
        )
