"""JSON to attrs classes: strict about what is needed, lenient about everything else.  Pure.

A field without a default is needed: nothing can be done with an answer that lacks it, or has another type there, so
that is an error which says where.  A field with a default is only told to the user: one that cannot be read is as if it
were absent, for no answer about a paid picture may be lost to it.  The whole answer stays in `raw`.

cattrs would turn 5 into "5" where a string belongs; a vendor that sends a number for an id has changed its API, and
that must be seen.  Reading is done twice only when it fails: the fast converter cannot say where, the detailed one can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, override

from aiogen.exchange import Response, unreadable

T = TypeVar("T", bound=attrs.AttrsInstance)


def _strictly(kind: type) -> Any:
    def structure(value: Any, _: Any) -> Any:
        # bool is an int to Python, not to JSON.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
        return value

    return structure


def _converter(detailed: bool) -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=detailed)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _strictly(kind))

    def leniently(default: Any) -> Callable[[Any, Any], Any]:
        def structure(value: Any, kind: Any) -> Any:
            try:
                return converter.structure(value, kind)
            except Exception:
                return default

        return structure

    # cattrs looks for fields in whatever it gets: a text would be an object all of whose fields are absent.
    def of_object(cls: type[attrs.AttrsInstance]) -> Any:
        attrs.resolve_types(cls)
        lenient: dict[str, Any] = {
            field.name: override(struct_hook=leniently(field.default))
            for field in attrs.fields(cls)
            if field.default is not attrs.NOTHING
        }
        fill = make_dict_structure_fn(cls, converter, _cattrs_detailed_validation=detailed, **lenient)
        check = _strictly(dict)
        return lambda value, kind: fill(check(value, kind), kind)

    converter.register_structure_hook_factory(attrs.has, of_object)
    return converter


_fast = _converter(detailed=False)
_slow = _converter(detailed=True)


def read(cls: type[T], document: Any, response: Response, verb: str, root: str = "$") -> T:
    """The document as an instance of `cls`.

    Raises:
        ProtocolError: something that `cls` needs is missing or of another type; `path` says where.
    """
    try:
        return _fast.structure(document, cls)
    except Exception:
        # Whatever a vendor sends must not become a bug report against us: every failure to structure is the answer's.
        try:
            _slow.structure(document, cls)
        except Exception as error:
            what, _, where = cattrs.transform_error(error, path=root)[0].partition(" @ ")
            raise unreadable(response, verb, what, where or root) from None
        raise  # pragma: no cover  - the two converters differ only in what they report


def read_part(cls: type[T], document: dict[str, Any]) -> T:
    """An object of whose fields none is needed."""
    return _fast.structure(document, cls)


def objects_in(value: Any) -> list[dict[str, Any]]:
    """The objects in what should be a list of them; one alone counts as a list of one, and anything else as nothing."""
    if isinstance(value, dict):
        return [value] if value else []
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def unread_in(value: Any, outputs: int) -> tuple[str, ...]:
    """What is to be said of a list of outputs of which only so many could be read."""
    listed = len(value) if isinstance(value, list) else int(bool(value))
    missing = listed - outputs
    return (f"{missing} of {listed} outputs could not be read; raw has what the vendor sent",) if missing > 0 else ()


def check_outputs(value: Any, outputs: int, urls: Sequence[str], response: Response, verb: str, where: str) -> None:
    """A finished generation has outputs that can be read, or says in its usual form that it has none.

    Raises:
        ProtocolError: something is there, none of it can be read, and it does not only lack the address.
    """
    if outputs or not value:
        return
    is_bare = isinstance(value, list) and all(
        isinstance(item, dict) and not any(item.get(name) for name in urls) for item in value
    )
    if not is_bare:
        raise unreadable(response, verb, "outputs in a form that this version cannot read", where)
