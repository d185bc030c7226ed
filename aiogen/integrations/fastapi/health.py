"""Liveness and readiness of a worker."""

from __future__ import annotations

import asyncio
from typing import Literal

import attrs
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from aiogen._checks import check_seconds
from aiogen.errors import AiogenError, AuthenticationError, NetworkError, Unsupported
from aiogen.integrations.fastapi.sessions import session_of
from aiogen.integrations.fastapi.shutdown import ShutdownDep
from aiogen.session import Session

_LEDGER_TIMEOUT = 5.0
"""Seconds in which a ledger that works has answered."""
Standing = Literal["ok", "unreachable", "key_refused", "failing", "unknown"]


class Live(BaseModel):
    """The worker answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Whether the worker can work."""

    status: Literal["ok", "failing", "stopping"]
    ledger: Literal["ok", "behind", "failing"]
    connections: dict[str, Standing] = Field(
        description="ok: it was reached, and takes the key; unknown: it has no call that tells; failing: anything else"
    )
    followed: bool | None = Field(
        default=None, description="Of a worker that follows nothing: whether anybody follows what it takes in"
    )


def health(*, every: float = 60.0, prefix: str = "/health") -> APIRouter:
    """Two routes for what starts and stops workers: `/health/live` and `/health/ready`.

    Ready is a worker that is not being stopped, whose session is open, whose ledger can be read and has all that it is
    owed, whose lease is renewed, and of whose connections one works; else the answer is 503.  Do not show it to the
    public: it names the connections.

    One that follows nothing (`follow=False`) asks no provider, and is ready also while nobody follows: what it takes in
    is kept, and `followed` says whether it waits.

    Args:
        every: seconds for which a provider's answer about the key counts, 0.001 to 30 days: each is asked at most
            that often, however often the route is called.
        prefix: of the paths.

    Raises:
        InputError: the seconds are out of their range.
    """
    made = APIRouter(prefix=prefix, tags=["health"])
    keys = _Keys(check_seconds(every, "every"))

    @made.get("/live")
    async def live() -> Live:
        """The worker answers."""
        return Live()

    @made.get("/ready", responses={503: {"model": Ready}}, response_model_exclude_none=True)
    async def ready(request: Request, response: Response, shutdown: ShutdownDep) -> Ready:
        """The ledger can be read, and a provider takes our key."""
        response.headers["Cache-Control"] = "no-store"
        try:
            session = await session_of(request)
            async with asyncio.timeout(_LEDGER_TIMEOUT):
                await session.page(limit=1)
        except (AiogenError, TimeoutError):
            response.status_code = 503
            return Ready(status="failing", ledger="failing", connections={})
        if not session.is_ready:
            response.status_code = 503
            return Ready(status="failing", ledger="behind", connections={})
        if shutdown.has_begun:
            response.status_code = 503
            return Ready(status="stopping", ledger="ok", connections={})
        if (followed := session.is_followed) is not None:
            return Ready(status="ok", ledger="ok", connections={}, followed=followed)
        found = await keys.of(session)
        is_ready = not found or any(standing in ("ok", "unknown") for standing in found.values())
        if not is_ready:
            response.status_code = 503
        return Ready(status="ok" if is_ready else "failing", ledger="ok", connections=found)

    return made


@attrs.define
class _Keys:
    """The providers' last answers about the keys."""

    every: float
    _found: dict[str, Standing] = attrs.field(factory=dict)
    _until: float = 0.0
    _lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)

    async def of(self, session: Session) -> dict[str, Standing]:
        """By connection; asked again when too old, once for all requests that wait for it."""
        clock = asyncio.get_running_loop().time
        async with self._lock:
            names = list(session.connections)
            if clock() >= self._until or set(names) != set(self._found):
                standing = await asyncio.gather(*(_ask(session, name) for name in names))
                self._found = dict(zip(names, standing, strict=True))
                self._until = clock() + self.every
            return dict(self._found)


async def _ask(session: Session, name: str) -> Standing:
    try:
        await session.account(name)
    except Unsupported:
        return "unknown"
    except AuthenticationError:
        return "key_refused"
    except NetworkError:
        return "unreachable"
    except AiogenError:
        return "failing"
    return "ok"
