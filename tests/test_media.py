"""`aiogen._media`: what kind of file some bytes are."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiogen import _media
from aiogen._media import EXTENSIONS, SNIFF_BYTES, sniff

HEADS = {
    "image/png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "image/webp": b"RIFF\x24\x00\x00\x00WEBPVP8 ",
    "image/gif": b"GIF89a\x01\x00\x01\x00",
    "image/avif": b"\x00\x00\x00\x20ftypavif\x00\x00\x00\x00",
    "image/heic": b"\x00\x00\x00\x20ftypheic\x00\x00\x00\x00",
    "image/x-exr": b"\x76\x2f\x31\x01\x02\x00\x00\x00",
    "video/mp4": b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00",
    "video/quicktime": b"\x00\x00\x00\x14ftypqt  \x00\x00\x02\x00",
    "video/webm": b"\x1aE\xdf\xa3\x01\x00\x00\x00",
}

NOT_QUITE = [
    b"",
    b"\x89PNG",
    b"\xff\xd8",
    b"RIFF\x24\x00\x00\x00WAVEfmt ",
    b"WEBP",
    b"GIF88a",
    b"\x00\x00\x00\x20styp",
    b"ftypisom",
    b"<html>",
    b"II*\x00",
]


@pytest.mark.parametrize(("media_type", "head"), HEADS.items(), ids=HEADS)
def test_first_bytes_tell_the_type(media_type: str, head: bytes) -> None:
    """Each known kind of file is recognised by its first bytes alone."""
    assert sniff(head) == media_type


def test_both_versions_of_gif_are_known() -> None:
    """GIF87a is a GIF as well."""
    assert sniff(b"GIF87a\x01\x00") == "image/gif"


@pytest.mark.parametrize("head", NOT_QUITE)
def test_other_bytes_tell_nothing(head: bytes) -> None:
    """Bytes that only resemble a known kind are not taken for it."""
    assert sniff(head) is None


@pytest.mark.parametrize("brand", [b"avif", b"avis", b"heic", b"mif1"])
def test_a_picture_in_a_film_container_is_no_film(brand: bytes) -> None:
    """AVIF and HEIC pictures, which begin as MP4 films do, are not called films."""
    assert sniff(b"\x00\x00\x00\x20ftyp" + brand + b"\x00\x00\x00\x00") not in ("video/mp4", "video/quicktime")


def test_every_type_that_is_told_has_an_extension() -> None:
    """The table of extensions holds exactly the types that `sniff` can tell, each with its own extension."""
    assert set(EXTENSIONS) == {sniff(head) for head in HEADS.values()} == set(HEADS)
    assert len(set(EXTENSIONS.values())) == len(EXTENSIONS)


@given(head=st.sampled_from([*HEADS.values(), *NOT_QUITE]), rest=st.binary(max_size=80))
@settings(deadline=None, derandomize=True)
def test_so_many_bytes_are_enough(head: bytes, rest: bytes) -> None:
    """Nothing beyond `SNIFF_BYTES` bytes changes the answer."""
    assert sniff((head + rest)[:SNIFF_BYTES]) == sniff(head + rest)


def test_examples_in_the_docstrings_are_true() -> None:
    """What the docstrings show is what happens."""
    found = doctest.testmod(_media)
    assert found.attempted
    assert not found.failed
