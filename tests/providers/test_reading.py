"""`aiogen.providers.reading`: strict where a field is there, tolerant of what is new."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from providers.drive import answer

from aiogen.errors import ProtocolError
from aiogen.providers.reading import objects_in, read, read_part, unread_in


@attrs.frozen
class Leaf:
    url: str | None = None
    size: int | None = None
    flag: bool | None = None


@attrs.frozen
class Branch:
    name: str


@attrs.frozen
class Tree:
    id: str
    branch: Branch
    leaf: Leaf | None = None
    count: int = 7


def reading(document: Any, root: str = "$") -> Tree:
    return read(Tree, document, answer(document, status=203), "retrieve", root)


WHOLE: dict[str, Any] = {"id": "a", "branch": {"name": "b"}}


@pytest.mark.parametrize(
    ("more", "tree"),
    [
        ({}, Tree("a", Branch("b"))),
        ({"leaf": None}, Tree("a", Branch("b"))),
        ({"leaf": {}}, Tree("a", Branch("b"), Leaf())),
        ({"leaf": {"flag": True, "size": 5, "url": "u"}}, Tree("a", Branch("b"), Leaf("u", 5, True))),
        ({"count": 5}, Tree("a", Branch("b"), count=5)),
        ({"new": 1, "leaf": {"url": "u", "new": {}}}, Tree("a", Branch("b"), Leaf("u"))),
    ],
    ids=repr,
)
def test_a_document_becomes_its_class(more: Any, tree: Tree) -> None:
    """What is there is read, what may be absent or null may be, and what is new is passed over."""
    assert reading({**WHOLE, **more}) == tree


@pytest.mark.parametrize(
    ("more", "tree"),
    [
        ({"leaf": 5}, Tree("a", Branch("b"))),
        ({"leaf": "text"}, Tree("a", Branch("b"))),
        ({"leaf": []}, Tree("a", Branch("b"))),
        ({"leaf": {"size": "5", "url": "u"}}, Tree("a", Branch("b"), Leaf("u"))),
        ({"leaf": {"size": 5.5, "flag": 1}}, Tree("a", Branch("b"), Leaf())),
        ({"leaf": {"size": True, "flag": "yes"}}, Tree("a", Branch("b"), Leaf())),
        ({"count": None}, Tree("a", Branch("b"))),
        ({"count": "many"}, Tree("a", Branch("b"))),
    ],
    ids=repr,
)
def test_what_nobody_needs_is_passed_over_in_another_type(more: Any, tree: Tree) -> None:
    """It is as if it were absent, and takes nothing else with it."""
    assert reading({**WHOLE, **more}) == tree


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"branch": {"name": "b"}}, "$.id"),
        ({**WHOLE, "id": None}, "$.id"),
        ({**WHOLE, "id": 5}, "$.id"),
        ({**WHOLE, "id": True}, "$.id"),
        ({**WHOLE, "id": ["a"]}, "$.id"),
        ({"id": "a"}, "$.branch"),
        ({"id": "a", "branch": None}, "$.branch"),
        ({"id": "a", "branch": "b"}, "$.branch"),
        ({"id": "a", "branch": []}, "$.branch"),
        ({"id": "a", "branch": {}}, "$.branch.name"),
        ({"id": "a", "branch": {"name": 5}}, "$.branch.name"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value),
)
def test_what_is_needed_is_said_with_its_place(document: Any, where: str) -> None:
    """Something missing or of another type is an error that says which answer, which status, and where in it."""
    with pytest.raises(ProtocolError) as caught:
        reading(document)
    assert (caught.value.status, caught.value.path) == (203, where)
    assert str(caught.value).startswith("Cannot read the answer to 'retrieve': HTTP 203 with ")
    assert f" at {where};" in str(caught.value)


@pytest.mark.parametrize("document", [None, 5, True, "text", [], [WHOLE]])
def test_no_object_is_no_document(document: Any) -> None:
    """Anything but an object instead of an object is an error at the root."""
    with pytest.raises(ProtocolError) as caught:
        reading(document)
    assert caught.value.path.startswith("$")


def test_the_path_begins_where_the_document_was_found() -> None:
    """A part of an answer is read with the path of that part."""
    with pytest.raises(ProtocolError) as caught:
        reading({"id": "a", "branch": {"name": 5}}, "$.generations[3]")
    assert caught.value.path == "$.generations[3].branch.name"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "branch", "leaf", "name", "url", "size", "x"]), inner, max_size=5)
    ),
    max_leaves=8,
)


@given(document=st.one_of(anything, st.fixed_dictionaries({"id": anything, "branch": anything, "leaf": anything})))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_any_json_is_read_or_refused(document: Any) -> None:
    """Whatever JSON a vendor sends is read if what is needed is there, and else is a ProtocolError."""
    branch = document.get("branch") if isinstance(document, dict) else None
    is_whole = isinstance(branch, dict) and all(isinstance(x, str) for x in (document.get("id"), branch.get("name")))
    if is_whole:
        assert reading(document).id == document["id"]
        return
    with pytest.raises(ProtocolError, match=r" at \$"):
        reading(document)


@pytest.mark.parametrize(
    ("value", "found"),
    [([{"a": 1}, 5, None, "x", {}], [{"a": 1}, {}]), ({"a": 1}, [{"a": 1}]), ({}, []), (None, []), ("x", []), (5, [])],
    ids=repr,
)
def test_objects_in_a_list(value: Any, found: list[Any]) -> None:
    """One alone is a list of one; what is no object is passed over."""
    assert objects_in(value) == found


@pytest.mark.parametrize(
    ("value", "outputs", "said"),
    [([1, 2], 2, 0), ([1, 2], 1, 1), ([], 0, 0), (None, 0, 0), ({"a": 1}, 1, 0), ("x", 0, 1)],
)
def test_what_could_not_be_read_is_counted(value: Any, outputs: int, said: int) -> None:
    """Nothing is said where everything was read."""
    assert len(unread_in(value, outputs)) == said


def test_a_part_of_which_nothing_is_needed() -> None:
    """It is read whatever it holds."""
    assert read_part(Leaf, {"url": 5, "size": 3}) == Leaf(size=3)
