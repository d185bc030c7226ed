"""A client's JSON as a typed request of a provider; what only the application may allow is refused."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import attrs
from pydantic import Field, create_model

from aiogen.errors import ConfigurationError, InputError
from aiogen.integrations.fastapi.bodies import NewGeneration
from aiogen.integrations.fastapi.problems import Refused
from aiogen.models import Cost
from aiogen.providers.base import Provider, TypedRequest
from aiogen.references import Reference
from aiogen.session import Session
from aiogen.stores.base import AtMost

ALLOWABLE = ("extra", "graph", "ids")
"""What an application may allow: fields that nobody checks, graphs of ComfyUI, and the provider's ids of pictures."""
_NAMES = {"extra": "extra", "graph": "graph", "slots": "graph"}
"""Parameters, and what has to be allowed for them."""
_IDS = frozenset(
    {"generationid", "fileid", "id", "imageid", "initimageid", "initgenerationimageid", "imageprompts",
     "imagepromptids"}
)  # fmt: skip
"""Names under which providers take the ids of pictures of the same account, in lower case without punctuation."""
_UNREAD = ("extra", "graph", "warnings")
"""Fields whose texts may be as long as a body: what an application has to allow."""
_COUNTS = ("n", "num_images", "num_outputs", "quantity", "batch_size")
"""Parameters that set the number of outputs, here and at other providers."""
_DEEPEST = 20


@attrs.frozen(kw_only=True)
class Terms:
    """What clients of one router may request."""

    models: frozenset[str] | None
    """None: any of the session's connections."""
    allow: frozenset[str] = frozenset()
    longest_prompt: int = 10_000
    """Letters."""
    max_outputs: int = 4
    """Of one job."""
    max_cost: Cost | None = None
    """Of one job, by its estimate; None is no limit."""
    at_most: AtMost
    priority: Any = "interactive"


def request_of(session: Session, wanted: NewGeneration, terms: Terms) -> tuple[Provider, TypedRequest]:
    """The provider and its typed request; nothing is sent or read.

    Raises:
        Refused: a client may not request this.
        InputError: it is invalid.
        ConfigurationError: the application lists a model that its session has no connection for.
    """
    if terms.models is not None and wanted.model not in terms.models:
        there = ", ".join(sorted(terms.models))
        raise Refused(422, "unknown_model", f"There is no model {wanted.model[:100]!r} here. The models are {there}.")
    if wanted.prompt is not None and len(wanted.prompt) > terms.longest_prompt:
        length = f"The prompt has {len(wanted.prompt):,} letters; at most {terms.longest_prompt:,} are allowed."
        raise Refused(422, "prompt_too_long", length)
    if not all(map(str.strip, wanted.model.partition("/"))):
        raise Refused(422, "unknown_model", f"There is no model {wanted.model[:100]!r} here.")
    _check_parameters(wanted.parameters, terms.allow)
    for name in _COUNTS:
        count = wanted.parameters.get(name)
        if isinstance(count, int | float) and count > terms.max_outputs:
            raise Refused(422, "too_many_outputs", f"At most {terms.max_outputs} outputs are allowed ({name}).")
    try:
        provider, request = session.connections.request(wanted.model, wanted.prompt, None, wanted.parameters)
    except ConfigurationError:
        if terms.models is not None:
            raise
        raise Refused(422, "unknown_model", f"There is no model {wanted.model[:100]!r} here.") from None
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise Refused(422, "invalid_request", "The parameters cannot be read: a value has the wrong type.") from error
    _check_references(request, terms.allow)
    _check_texts(request, terms.longest_prompt)
    return provider, request


def _check_texts(value: Any, most: int, where: str = "") -> None:
    """No other text may be longer than a prompt; pictures are none."""
    if isinstance(value, str):
        if len(value) > most:
            raise Refused(422, "text_too_long", f"{where} has {len(value):,} letters; at most {most:,} are allowed.")
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            _check_texts(inner, most, where or str(name)[:100])
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_texts(inner, most, where)
    elif attrs.has(type(value)) and not isinstance(value, Reference):
        for field in attrs.fields(type(value)):
            if field.name not in _UNREAD:
                _check_texts(getattr(value, field.name), most, where or field.name)


async def check_cost(session: Session, provider: Provider, request: TypedRequest, terms: Terms) -> None:
    """Check that it costs no more than one job may.

    Raises:
        Refused: it costs more, or its cost in that unit is not known.
        AiogenError: the provider could not be asked for the price.
    """
    most = terms.max_cost
    if most is None:
        return
    costs = await session.estimate({"model": request, "connection": provider.name})
    amount = costs.amounts.get(most.unit)
    if amount is None:
        raise Refused(422, "too_expensive", f"One job may cost {most}; the cost of this one is not known beforehand.")
    if amount > most.amount:
        this = Cost(amount, most.unit, is_estimate=bool(costs.estimated))
        raise Refused(422, "too_expensive", f"One job may cost {most}; this one costs {this}.")


def body_for(terms: Terms) -> type[NewGeneration]:
    """The model of the body, with the listed models and the longest prompt in its schema."""
    listed: dict[str, Any] = {"enum": sorted(terms.models)} if terms.models else {}
    limited: dict[str, Any] = {"maxLength": terms.longest_prompt}
    prompt = "What the picture should show; some models take none"
    return create_model(
        "NewGeneration",
        __base__=NewGeneration,
        __doc__=NewGeneration.__doc__,
        model=(str, Field(description="connection/model", json_schema_extra=listed)),
        prompt=(str | None, Field(default=None, description=prompt, json_schema_extra=limited)),
    )


def _check_parameters(parameters: Mapping[str, Any], allow: Collection[str]) -> None:
    for name in ("model", "prompt", "warnings"):
        if name in parameters:
            raise Refused(422, "unknown_parameter", f"{name!r} is not one of the parameters.")
    for name, value in parameters.items():
        needed = _NAMES.get(name, "graph" if "." in name else None)  # "5.width" is a place in a graph
        if needed is not None and needed not in allow:
            raise Refused(422, "not_allowed", f"The parameter {name[:100]!r} is not allowed here.")
        if name == "graph" and not isinstance(value, Mapping):
            raise Refused(422, "not_allowed", "A graph is an object.")
    for name in _names_in({name: value for name, value in parameters.items() if name not in ("graph", "extra")}):
        plain = "".join(c for c in name.lower() if c.isalnum())
        if plain == "path":
            raise Refused(
                422, "not_allowed", "A reference is an https address or the bytes of a picture, never a path."
            )
        if plain in _IDS and "ids" not in allow:
            # All clients share the provider's account, so an id would give access to another client's picture.
            raise Refused(422, "not_allowed", f"The ids of pictures ({name[:100]!r}) are not allowed here.")


def _names_in(value: Any, depth: int = 0) -> Iterator[str]:
    """Every name of every object, at any depth."""
    if depth > _DEEPEST:
        raise Refused(422, "invalid_request", f"The parameters are nested more than {_DEEPEST} deep.")
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name)
            yield from _names_in(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _names_in(inner, depth + 1)


def _check_references(request: TypedRequest, allow: Collection[str]) -> None:
    """Only after the provider has parsed them: only it can tell which text is a path."""
    for reference in request.references():
        if reference.path is not None:
            raise Refused(
                422,
                "not_allowed",
                "A reference is an https address, or the bytes of a picture as data:image/png;base64,…; never a path.",
            )
        if (reference.generation_id or reference.file_id) and "ids" not in allow:
            raise Refused(422, "not_allowed", "The ids of pictures are not allowed here.")
