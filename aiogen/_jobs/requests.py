"""Requests as people write many of them: a typed one, a model with its prompt, a mapping; and what they would cost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import attrs

from aiogen._engine.hub import Hub
from aiogen._jobs.calls import Calls
from aiogen._transfer.uploads import encode
from aiogen.errors import InputError
from aiogen.exchange import Submission
from aiogen.models import Cost
from aiogen.providers.base import Provider, TypedRequest
from aiogen.providers.connections import Connections

AnyRequest = TypedRequest | tuple[Any, ...] | Mapping[str, Any]
"""A typed request; `("luma/uni-1", "a boat")`, perhaps with a mapping of parameters as third; or a mapping with
`model`, `prompt` and the parameters."""


@attrs.frozen(kw_only=True)
class Asked:
    """One request, taken apart: what `Session.submit` takes."""

    model: str | TypedRequest
    prompt: str | TypedRequest | None = None
    connection: str | None = None
    options: Mapping[str, Any] = attrs.field(factory=dict)


def taken_apart(request: object) -> Asked:
    """What is asked for.

    Raises:
        InputError: it has no form of `AnyRequest`.
    """
    if isinstance(request, Mapping):
        options = dict(request)
        model: Any = options.pop("model", None)
        if model is None:
            raise InputError('A request as a mapping needs a "model", such as {"model": "luma/uni-1", "prompt": "…"}.')
        return Asked(
            model=model,
            prompt=options.pop("prompt", None),
            connection=options.pop("connection", None),
            options=options,
        )
    if isinstance(request, tuple | list) and 1 <= len(request) <= 3:
        parts: tuple[Any, ...] = (*request, None, None)
        model, prompt, more = parts[:3]
        if more is None or isinstance(more, Mapping):
            return Asked(model=model, prompt=prompt, options=more or {})
    typed: Any = request
    if not isinstance(typed, str) and hasattr(typed, "model") and hasattr(typed, "references"):
        return Asked(model=typed)
    raise InputError(
        'A request is a typed one such as LumaImage, or ("luma/uni-1", "a boat"), perhaps with a mapping of '
        f'parameters as third, or {{"model": …, "prompt": …}}; not {str(request)[:60]!r}.'
    )


async def each_cost(
    hub: Hub, calls: Calls, connections: Connections, requests: Iterable[object]
) -> AsyncIterator[Cost | None]:
    """What each request would cost, as far as anybody knows; nothing is made.

    Raises:
        InputError: a request is not valid.
        ConfigurationError: there is no such connection.
        AiogenError: a provider that has to be asked could not be.
    """
    known: dict[str, Cost | None] = {}
    for request in requests:
        asked = taken_apart(request)
        provider, typed = connections.request(asked.model, asked.prompt, asked.connection, asked.options)
        submission, _ = await encode(provider, typed, hub.transport.threads)
        key = _priced_by(provider, submission)
        if key not in known:
            known[key] = await calls.quote(provider, submission)
        yield known[key]


def _priced_by(provider: Provider, submission: Submission) -> str:
    """Requests that differ in their words alone cost the same."""
    body = {name: value for name, value in submission.body.items() if name != "prompt"}
    parameters = body.get("parameters")
    if isinstance(parameters, Mapping):
        body["parameters"] = {name: value for name, value in parameters.items() if name != "prompt"}
    return json.dumps([provider.name, submission.endpoint, body], sort_keys=True, default=str)
