"""Typed requests explain themselves: each field says beside its name what it is, where an editor shows it."""

from __future__ import annotations

import ast
import inspect
import sys
from typing import Any

import attrs
import pytest

import aiogen
from aiogen.providers.registry import BUILT_IN

REQUESTS = tuple({provider.facts.request_type for provider in BUILT_IN})
CLASSES = [
    cls
    for name in sorted(aiogen.__all__)
    if isinstance(cls := getattr(aiogen, name), type) and issubclass(cls, REQUESTS)
]


def explained(cls: type[Any]) -> dict[str, str]:
    """What stands below each field, in the class itself or in the nearest above it that has it."""
    said: dict[str, str] = {}
    for each in reversed(cls.__mro__[:-1]):
        module = ast.parse(inspect.getsource(sys.modules[each.__module__]))
        [body] = [node.body for node in module.body if isinstance(node, ast.ClassDef) and node.name == each.__name__]
        for node, below in zip(body, [*body[1:], None], strict=True):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                match below:
                    case ast.Expr(value=ast.Constant(value=str(words))):
                        said[node.target.id] = inspect.cleandoc(words)
                    case _:
                        said[node.target.id] = ""
    return said


def test_each_vendor_has_one() -> None:
    """What a session takes as typed request can be imported from aiogen."""
    assert {next(r for r in REQUESTS if issubclass(cls, r)) for cls in CLASSES} == set(REQUESTS)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_each_field_says_what_it_is(cls: type[Any]) -> None:
    """In a sentence, and the class says where the facts are from."""
    said = explained(cls)
    for field in attrs.fields(cls):
        assert said[field.name].rstrip("`)").endswith("."), field.name
    assert "Source" in inspect.getdoc(cls) or "SDK" in inspect.getdoc(cls)  # type: ignore[operator]
