"""`aiogen._content.measure`: what bytes say of themselves."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import drawn, png

from aiogen._content import measure as _measure
from aiogen._content.measure import LOOKED_AT, Measured, measure
from aiogen._content.media import type_of_name


def test_the_examples_in_the_docstrings() -> None:
    """They say what happens."""
    assert doctest.testmod(_measure).failed == 0


def test_kind_and_size() -> None:
    """Of what is whole, and of what is not; of kinds that are not followed only the kind."""
    assert measure(png()) == measure(png()[:40]) == Measured("image/png", 8, 8)
    assert measure(drawn("WEBP")[:60]) == Measured("image/webp", 64, 48)
    assert measure(b"\x00\x00\x00\x20ftypavif" + bytes(100)) == Measured("image/avif")
    assert measure(b"") == measure(b"mine") == Measured(None)


def test_only_its_beginning_is_looked_at() -> None:
    """Megabytes are not walked through in the event loop for two numbers."""
    late = drawn("JPEG")
    padding = b"\xff\xe1\xff\xff" + bytes(0xFFFD)
    assert measure(late[:2] + padding * 3 + late[2:]) == Measured("image/jpeg", 64, 48)
    assert measure(late[:2] + padding * (LOOKED_AT // 0xFFFF + 1) + late[2:]) == Measured("image/jpeg")


@given(st.sampled_from([b"", png(), drawn("JPEG"), drawn("WEBP"), drawn("GIF")]), st.data())
def test_whatever_the_bytes_are(data: bytes, draw: st.DataObject) -> None:
    """Nothing is raised, and a size is one."""
    at = draw.draw(st.integers(0, len(data)))
    found = measure(data[:at] + draw.draw(st.binary(max_size=30)) + data[at:])
    assert (found.width is None) == (found.height is None)
    assert found.width is None or (found.width > 0 and (found.height or 0) > 0)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.png", "image/png"), ("a.b.JPEG", "image/jpeg"), ("a.tiff", "image/tiff"), ("clip.mp4", "video/mp4"),
        ("png", None), ("a.v2", None), ("", None), (".png", "image/png"),
    ],
)  # fmt: skip
def test_what_a_name_promises(name: str, kind: str | None) -> None:
    """By its ending alone, in every usual spelling."""
    assert type_of_name(name) == kind
