"""The router: its options, and all its routes together."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

from fastapi import APIRouter

from aiogen._checks import check_number
from aiogen._jobs.naming import check_bound, rank_of
from aiogen.errors import InputError
from aiogen.integrations.fastapi.asking import ALLOWABLE, Terms
from aiogen.integrations.fastapi.erasing import add_erasing
from aiogen.integrations.fastapi.making import add_making
from aiogen.integrations.fastapi.outputs import add_outputs
from aiogen.integrations.fastapi.owners import owner_of
from aiogen.integrations.fastapi.problem_route import ProblemRoute
from aiogen.integrations.fastapi.problems import MEDIA_TYPE, schema
from aiogen.integrations.fastapi.reading import add_reading
from aiogen.integrations.fastapi.uploading import add_uploads
from aiogen.integrations.uploads import Uploads, uploads_of
from aiogen.models import Cost
from aiogen.stores.base import AtMost

AT_MOST = AtMost(scope=50, total=1000)
_PROBLEM = {"content": {MEDIA_TYPE: {"schema": schema()}}}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "The request is refused, and why", **_PROBLEM},
    "5XX": {"description": "The server or the provider cannot do it now", **_PROBLEM},
}


class _Unset:
    """No scope was given."""


def router(
    *,
    scope: Callable[..., Any] | type[_Unset] | None = _Unset,
    models: Collection[str] | None,
    allow: Collection[str] = (),
    at_most: AtMost = AT_MOST,
    max_body_bytes: int = 12 * 1024 * 1024,
    max_prompt: int = 10_000,
    max_outputs: int = 4,
    max_cost: Cost | None = None,
    max_output_bytes: int = 256 * 1024 * 1024,
    uploads: Uploads | str | os.PathLike[str] | None = None,
    erase: bool = False,
    priority: Literal["interactive", "batch"] | int = "interactive",
    prefix: str = "",
    **options: Any,
) -> APIRouter:
    """Routes below `/generations`, to be included in an application whose `lifespan` is ours.

    Args:
        scope: a dependency that returns whose request it is, as text of 1 to 256 letters: a user, a tenant.  Nobody
            reads, lists, follows or cancels another's job, which is 404 to them.  None: all clients are one.
        models: what may be asked for, as "connection/model"; None: every model of the session's connections, so a
            client chooses the price.
        allow: what clients may send beside that: "extra" (fields that nobody checks), "graph" (what a ComfyUI server
            runs), "ids" (the provider's ids of pictures, of any client).
        at_most: bounds on unfinished jobs, over all workers; beyond that of the scope the answer is 429, beyond that of
            all 503.
        max_body_bytes: of a request's body, 1,024 bytes to 1 GiB.  Pictures come in it, in base64; what is not inside
            of them may be 256 KiB and 16,384 values.
        max_prompt: letters of a prompt, and of any other text in the parameters, 1 to 1,000,000.
        max_outputs: of one job, 1 to 1000.
        max_cost: of one job, by its estimate, in the unit of this cost; one whose cost in this unit is not known
            beforehand is refused.  By default there is no limit; see also the `budget` of the session.
        max_output_bytes: of an output that is handed out, 1,024 bytes to 1 TiB, and never more than the session's
            `max_download_bytes`.
        uploads: a folder on the local disk, the same for all workers, or `Uploads(folder, …)` with limits of its own:
            clients send pictures to `/uploads`, and name them in later requests.  None: there are no such routes.
        erase: whether `DELETE /generations` removes everything of the scope that asks for it; see `erase()`.  Needs a
            scope: without one a client could remove everybody's.
        priority: of the jobs, as `Session.submit` takes it.
        prefix: of the paths, such as "/v1".
        options: whatever else `fastapi.APIRouter` takes.

    Raises:
        InputError: no scope is given, or an option is invalid.
    """
    if scope is _Unset:
        raise InputError(
            "router() needs scope=, a dependency that returns whose request it is: without one everybody reads "
            "everybody's jobs. If all clients are one, say scope=None."
        )
    if isinstance(models, str):
        raise InputError("models takes a list: ['luma/uni-1'].")
    for word in allow:
        if word not in ALLOWABLE or isinstance(allow, str):
            raise InputError(f"allow takes a list of {', '.join(ALLOWABLE)}, not {word!r}.")
    check_number(max_body_bytes, "max_body_bytes", 1024, 1 << 30)
    check_number(max_prompt, "max_prompt", 1, 1_000_000)
    check_number(max_outputs, "max_outputs", 1, 1000)
    if max_cost is not None and not isinstance(max_cost, Cost):
        raise InputError(f"max_cost takes a Cost, not {str(max_cost)[:40]!r}.")
    check_number(max_output_bytes, "max_output_bytes", 1024, 1 << 40)
    if erase and scope is None:
        raise InputError("To erase needs a scope: without one each client could remove what all the others have.")
    check_bound(at_most)
    rank_of(priority)
    terms = Terms(
        models=frozenset(models) if models is not None else None,
        allow=frozenset(allow),
        longest_prompt=max_prompt,
        max_outputs=max_outputs,
        max_cost=max_cost,
        at_most=at_most,
        priority=priority,
    )
    route = type("Route", (ProblemRoute,), {"longest_body": int(max_body_bytes), "siblings": {}})
    options.setdefault("tags", ["generations"])
    kept = uploads_of(uploads)
    if kept is not None:
        options["lifespan"] = _opening(kept, options.get("lifespan"))
    made = APIRouter(prefix=prefix, route_class=route, responses=_PROBLEMS, **options)
    whose = owner_of(scope)
    add_making(made, whose, terms, kept)
    add_reading(made, whose)
    add_outputs(made, whose, int(max_output_bytes))
    if kept is not None:
        add_uploads(made, whose, kept)
    if erase:
        add_erasing(made, whose, kept)
    return made


def _opening(uploads: Uploads, inner: Callable[[Any], AbstractAsyncContextManager[Any]] | None) -> Callable[..., Any]:
    """The router's part of the application's lifespan: what is too old is deleted."""

    @asynccontextmanager
    async def opened(app: Any) -> AsyncIterator[Any]:
        async with uploads.opened():
            if inner is None:
                yield None
            else:
                async with inner(app) as state:
                    yield state

    return opened
