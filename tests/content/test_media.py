"""`aiogen._content.media`: what kind of file some bytes are."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiogen._content import media as _media
from aiogen._content.media import (
    EXTENSIONS,
    HEAD_BYTES,
    OTHER_EXTENSIONS,
    SNIFF_BYTES,
    Unfit,
    ending_for,
    extension_of,
    is_page,
    recognise,
    sniff,
)

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


OTHERS = {
    "image/svg+xml": b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg' width='8'/>",
    "image/tiff": b"II*\x00" + bytes(40),
    "image/bmp": b"BM\x3e\x00\x00\x00" + bytes(40),
    "image/jxl": b"\xff\x0a" + bytes(40),
    "image/jp2": b"\x00\x00\x00\x0cjP  \r\n\x87\n",
    "image/vnd.adobe.photoshop": b"8BPS\x00\x01" + bytes(40),
    "model/gltf-binary": b"glTF\x02\x00\x00\x00",
    "application/zip": b"PK\x03\x04\x14\x00",
    "application/pdf": b"%PDF-1.7\n",
    "application/postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n",
}
MORE_OF_THEM = [
    ("image/svg+xml", b"<svg/>"),
    ("image/svg+xml", b"\xef\xbb\xbf <!-- made by hand --> <svg width='8'>"),
    ("image/svg+xml", b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://x">\n<SVG>'),
    ("image/svg+xml", b"<!DOCTYPE svg [ <!ENTITY a 'b'> ]><!-- --><svg:svg xmlns:svg='x'>"),
    ("image/tiff", b"MM\x00*" + bytes(40)),
    ("image/tiff", b"II+\x00" + bytes(40)),
    ("image/jxl", b"\x00\x00\x00\x0cJXL \r\n\x87\n"),
    ("image/jp2", b"\xff\x4f\xff\x51\x00"),
]
PAGES = [
    b"",
    b"  \n",
    b"<!DOCTYPE html><html><body>Just a moment...<svg/></body></html>",
    b"\xef\xbb\xbf<html>",
    b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
    b"<?xml version='1.0'?><html><svg/></html>",
    b'{"error": "x"}',
    b"[]",
    b"<svgs>",
]


@pytest.mark.parametrize(("media_type", "head"), [*HEADS.items(), *OTHERS.items(), *MORE_OF_THEM])
def test_rare_kinds_are_recognised_as_well(media_type: str, head: bytes) -> None:
    """What is worth keeping; for references `sniff` stays with what vendors take."""
    assert recognise(head) == media_type
    assert sniff(head) == (media_type if media_type in HEADS else None)
    assert not is_page(head)


@pytest.mark.parametrize("head", PAGES)
def test_pages_and_errors_are_no_pictures(head: bytes) -> None:
    """Whatever they are called, and also if a drawing stands in them."""
    assert recognise(head) is None
    assert is_page(head)
    for said in ("image/png", "image/svg+xml", "image/x-new", "text/html", "application/json", "", "video/x-new"):
        with pytest.raises(Unfit, match="it is not an image"):
            ending_for(head, said, "image")


@pytest.mark.parametrize("head", [b"BMW is a car", b"glTF of a kind", b"PKZIP", b"Access denied", b"\x00\x01\x02"])
def test_what_only_resembles_is_nothing(head: bytes) -> None:
    """A few letters at the beginning of a text are no kind of file."""
    assert recognise(head) is None
    assert not is_page(head)


def test_every_rare_type_has_an_extension() -> None:
    """Each its own."""
    assert set(OTHER_EXTENSIONS) == set(OTHERS)
    endings = [*EXTENSIONS.values(), *OTHER_EXTENSIONS.values()]
    assert len(set(endings)) == len(endings)


@pytest.mark.parametrize("said", ["image/png", "text/plain", "text/html", "application/json", "png", "", "image/jpg"])
def test_the_bytes_say_what_it_is(said: str) -> None:
    """Storages call pictures many things."""
    for kind in ("image", "video"):
        assert ending_for(HEADS["image/webp"], said, kind) == ("webp", True)
        assert ending_for(OTHERS["image/tiff"], said, kind) == ("tif", False)


@pytest.mark.parametrize(
    ("said", "ending"),
    [
        ("image/x-new", "new"),
        ("image/vnd.maker.new", "new"),
        ("image/x-very-new+zip", "new"),
        ("image/new3", "new3"),
        ("video/x-new", "new"),
        ("image/../../etc", "bin"),
        ("image/averylongnameofakind", "bin"),
    ],
)
def test_an_announced_new_kind_is_kept(said: str, ending: str) -> None:
    """A kind that was made after this version is still a picture that was paid for."""
    assert ending_for(b"\x01\x02\x03\x04" * 20, said, "image") == (ending, False)


@pytest.mark.parametrize(
    "said", ["image/png", "image/jpg", "image/svg+xml", "image/tif", "application/octet-stream", "text/plain", ""]
)
def test_what_is_called_a_known_kind_has_to_be_one(said: str) -> None:
    """Bytes of none are an error text, or damaged."""
    with pytest.raises(Unfit, match="beginning with b'Access denied'"):
        ending_for(b"Access denied", said, "video")


def test_kinds_that_are_no_pictures() -> None:
    """Are taken as they come, but for a web page."""
    assert ending_for(b"glTF", "model/gltf-binary", "mesh") == ("glb", True)
    assert ending_for(b"{}", "application/json", "layout") == ("bin", True)
    assert ending_for(HEADS["image/png"], "text/html", "mask") == ("png", True)
    with pytest.raises(Unfit, match="web page"):
        ending_for(b"<html>", "text/html", "mesh")
    assert extension_of("text/html") is None


@given(head=st.sampled_from([*OTHERS.values(), *PAGES, *(h for _, h in MORE_OF_THEM)]), rest=st.binary(max_size=1100))
@settings(deadline=None, derandomize=True)
def test_so_many_bytes_are_enough_for_rare_kinds(head: bytes, rest: bytes) -> None:
    """Nothing beyond `HEAD_BYTES` changes the answer."""
    assert recognise((head + rest)[:HEAD_BYTES]) == recognise(head + rest)


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
