"""`aiogen._convert`: strict where a field is there, tolerant of what is new."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from providers.drive import answer

from aiogen._convert import read
from aiogen.errors import ProtocolError


@attrs.frozen
class Leaf:
    url: str | None = None
    size: int | None = None
    flag: bool | None = None


@attrs.frozen
class Tree:
    id: str
    leaf: Leaf | None = None
    leaves: list[Leaf] | None = None


def reading(document: Any, root: str = "$") -> Tree:
    return read(Tree, document, answer(document, status=203), "retrieve", root)


@pytest.mark.parametrize(
    ("document", "tree"),
    [
        ({"id": "a"}, Tree("a")),
        ({"id": "a", "leaf": None, "leaves": None}, Tree("a")),
        ({"id": "a", "leaves": []}, Tree("a", leaves=[])),
        (
            {"id": "a", "leaf": {"flag": True, "size": 5}, "leaves": [{"url": "u"}, {}]},
            Tree("a", Leaf(flag=True, size=5), [Leaf("u"), Leaf()]),
        ),
    ],
)
def test_a_document_becomes_its_class(document: Any, tree: Tree) -> None:
    """What is there is read, and what may be absent or null may be."""
    assert reading(document) == tree


def test_new_fields_are_ignored() -> None:
    """A field that this version does not know breaks nothing, at any depth."""
    assert reading({"id": "a", "new": 1, "leaf": {"url": "u", "new": {}}}) == Tree("a", Leaf("u"))


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({}, "$.id"),
        ({"id": None}, "$.id"),
        ({"id": 5}, "$.id"),
        ({"id": True}, "$.id"),
        ({"id": ["a"]}, "$.id"),
        ({"id": "a", "leaf": 5}, "$.leaf"),
        ({"id": "a", "leaf": {"size": "5"}}, "$.leaf.size"),
        ({"id": "a", "leaf": {"size": 5.5}}, "$.leaf.size"),
        ({"id": "a", "leaf": {"size": True}}, "$.leaf.size"),
        ({"id": "a", "leaf": {"flag": 1}}, "$.leaf.flag"),
        ({"id": "a", "leaf": {"flag": "yes"}}, "$.leaf.flag"),
        ({"id": "a", "leaves": 5}, "$.leaves"),
        ({"id": "a", "leaves": [{"url": "u"}, {"url": 5}]}, "$.leaves[1].url"),
        ({"id": "a", "leaves": [None]}, "$.leaves[0]"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value),
)
def test_another_type_is_said_with_its_place(document: Any, where: str) -> None:
    """Something missing or of another type is an error that says which answer, which status, and where in it."""
    with pytest.raises(ProtocolError) as caught:
        reading(document)
    assert (caught.value.status, caught.value.path) == (203, where)
    assert str(caught.value).startswith("Cannot read the answer to 'retrieve': HTTP 203 with ")
    assert f" at {where};" in str(caught.value)


@pytest.mark.parametrize("document", [None, 5, True, "text", [], [{"id": "a"}]])
def test_no_object_is_no_document(document: Any) -> None:
    """Anything but an object where an object belongs is an error at the root."""
    with pytest.raises(ProtocolError) as caught:
        reading(document)
    assert caught.value.path.startswith("$")


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"id": "a", "leaf": "https://u"}, "$.leaf"),
        ({"id": "a", "leaf": []}, "$.leaf"),
        ({"id": "a", "leaves": ["https://u"]}, "$.leaves[0]"),
        ({"id": "a", "leaves": [[]]}, "$.leaves[0]"),
        ({"id": "a", "leaves": "https://u"}, "$.leaves"),
        ({"id": "a", "leaves": {}}, "$.leaves"),
        ({"id": "a", "leaves": {"0": {"url": "u"}}}, "$.leaves"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value),
)
def test_text_is_no_object_and_no_list(document: Any, where: str) -> None:
    """A text or a list is not read as an object whose fields all happen to be absent, nor an object as a list."""
    with pytest.raises(ProtocolError) as caught:
        reading(document)
    assert caught.value.path.startswith(where)


def test_the_path_begins_where_the_document_was_found() -> None:
    """A part of an answer is read with the path of that part."""
    with pytest.raises(ProtocolError) as caught:
        reading({"id": "a", "leaf": {"url": 5}}, "$.generations[3]")
    assert caught.value.path == "$.generations[3].leaf.url"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "leaf", "leaves", "url", "size", "flag", "x"]), inner, max_size=5)
    ),
    max_leaves=8,
)


def is_leaf(value: Any) -> bool:
    kinds = {"url": str, "size": int, "flag": bool}
    return isinstance(value, dict) and all(type(value.get(name)) in (kind, type(None)) for name, kind in kinds.items())


def is_tree(value: Any) -> bool:
    """The rules of `Tree`, said once more by hand."""
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        return False
    leaf, leaves = value.get("leaf"), value.get("leaves")
    return (leaf is None or is_leaf(leaf)) and (
        leaves is None or (isinstance(leaves, list) and all(map(is_leaf, leaves)))
    )


@given(document=st.one_of(anything, st.fixed_dictionaries({"id": st.text(max_size=3), "leaf": anything})))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_any_json_is_read_or_refused(document: Any) -> None:
    """Whatever JSON a vendor sends is read if every field is of its own type, and else is a ProtocolError."""
    if is_tree(document):
        assert reading(document).id == document["id"]
    else:
        with pytest.raises(ProtocolError, match=r" at \$"):
            reading(document)
