"""JSON to attrs classes, strictly where a field is there, tolerant of fields that are new.  Pure.

cattrs would turn 5 into "5" where a string belongs; a vendor that sends a number for an id has changed its API, and
that must be seen.  Reading is done twice only when it fails: the fast converter cannot say where, the detailed one can.
"""

from __future__ import annotations

from typing import Any, TypeVar, get_origin

import attrs
import cattrs
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_structure_fn

from aiogen._wire import Response, unreadable

T = TypeVar("T", bound=attrs.AttrsInstance)


def _strictly(kind: type) -> Any:
    def structure(value: Any, _: Any) -> Any:
        # bool is an int to Python, not to JSON.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
        return value

    return structure


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list


def _converter(detailed: bool) -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=detailed)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _strictly(kind))

    # cattrs looks for fields in whatever it gets: a text would be an object all of whose fields are absent.
    def of_object(cls: type[attrs.AttrsInstance]) -> Any:
        fill = make_dict_structure_fn(cls, converter, _cattrs_detailed_validation=detailed)
        check = _strictly(dict)
        return lambda value, kind: fill(check(value, kind), kind)

    def of_list(kind: Any) -> Any:
        fill = list_structure_factory(kind, converter)
        check = _strictly(list)
        return lambda value, kind: fill(check(value, kind), kind)

    converter.register_structure_hook_factory(attrs.has, of_object)
    converter.register_structure_hook_factory(_is_list, of_list)
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
