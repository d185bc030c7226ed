"""`aiogen._content.whole`: whether a picture has come to its end."""

from __future__ import annotations

import io
import struct
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import chunk, drawn, png
from PIL import Image

from aiogen._content.whole import Walk


@cache
def pictures() -> dict[str, bytes]:
    """Every kind that has an end, as a common writer makes it."""
    thumbnail = b"Exif\0\0" + b"\xff\xd8\xff\xda\xff\xd9" * 20
    return {
        "png": drawn("PNG"),
        "png with comment": png(300),
        "apng": drawn("PNG", frames=3),
        "jpeg": drawn("JPEG", quality=95),
        "jpeg in several scans": drawn("JPEG", progressive=True),
        "jpeg with restarts": drawn("JPEG", restart_marker_rows=1),
        "jpeg with another inside": drawn("JPEG", exif=thumbnail),
        "webp": drawn("WEBP"),
        "webp, lossless": drawn("WEBP", lossless=True),
        "webp, animated": drawn("WEBP", frames=3),
        "gif": drawn("GIF"),
        "gif, animated": drawn("GIF", frames=3),
    }


def walked(data: bytes, size: int = 1 << 20) -> Walk:
    """Fed in blocks of that size."""
    walk = Walk()
    for at in range(0, len(data), size):
        walk.feed(data[at : at + size])
    walk.finish()
    return walk


every_picture = pytest.mark.parametrize("name", pictures())


@every_picture
@pytest.mark.parametrize("size", [1, 3, 100, 1 << 20])
def test_a_whole_picture_ends(name: str, size: int) -> None:
    """In blocks of whatever size, with or without something behind it."""
    for data in (pictures()[name], pictures()[name] + b"\xff\xd9trailing" * 50):
        walk = walked(data, size)
        assert (walk.ends, walk.ended, walk.broken) == (True, True, None)


@every_picture
@pytest.mark.parametrize("block", [1, 3, 100, 1 << 20])
def test_how_large_a_picture_is(name: str, block: int) -> None:
    """As a common reader says; not as large as a preview inside it."""
    size = (8, 8) if name == "png with comment" else (64, 48)
    assert walked(pictures()[name], block).size == size


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("JPEG", {}), ("WEBP", {}), ("WEBP", {"lossless": True}), ("GIF", {})],
)
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (257, 513)])
def test_sizes_of_every_kind(kind: str, options: dict[str, object], size: tuple[int, int]) -> None:
    """Width and height are not mistaken for each other, nor cut to a byte."""
    out = io.BytesIO()
    Image.effect_noise(size, 50).convert("RGB").save(out, kind, **options)
    walk = walked(out.getvalue())
    assert (walk.size, walk.ended) == (size, True)


def test_no_size_is_made_up() -> None:
    """A file that says 0, ends before, or breaks the rules."""
    data = png()
    assert walked(data[:16] + bytes(4) + data[20:]).size is None
    assert walked(data[:20]).size is None
    assert walked(b"no picture at all, but long enough").size is None
    height_comes_later = b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x00\x00\x40\x01\x01\x11\x00" + bytes(40)
    assert walked(height_comes_later).size is None


@every_picture
def test_a_part_of_a_picture_does_not(name: str) -> None:
    """Wherever it is cut; what is filled up with zeros is no picture either."""
    data = pictures()[name]
    cuts = {*range(0, len(data), max(1, len(data) // 100)), *range(min(80, len(data))), len(data) - 2, len(data) - 1}
    if "webp" in name:
        cuts.discard(len(data) - 1)  # the last may be padding, which some writers leave out
    for cut in cuts:
        assert not walked(data[:cut], 50).ended
    if "webp" not in name:  # its length stands at its beginning, so that only the length can be looked at
        assert not walked(data[: len(data) // 2].ljust(len(data), b"\0")).ended


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def part(name: bytes, data: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(data) if size is None else size) + data


HEAD = png()[8:33]
GIF = b"GIF89a\x01\x00\x01\x00\x80\x00\x00" + bytes(6)
FRAME = b"\x2c" + bytes(8) + b"\x81" + bytes(12) + b"\x02\x02\x44\x01\x00"
SCAN = b"\xff\xda\x00\x04\x01\x02" + b"\x12\xff\x00\xff\xd3\x34"

BROKEN = {
    "no chunk": (png()[:33] + bytes(40), "a PNG chunk was expected"),
    "an endless chunk": (png()[:33] + b"\xff\xff\xff\xffIDAT" + bytes(40), "a PNG chunk was expected"),
    "no header first": (
        png()[:8] + chunk(b"IDAT", b"x") + chunk(b"IEND", b"") + bytes(9),
        "must begin with one header",
    ),
    "two headers": (png()[:33] + HEAD + bytes(30), "must begin with one header"),
    "a header of another size": (png()[:8] + chunk(b"IHDR", bytes(12)) + bytes(20), "must begin with one header"),
    "damaged pixels": (png()[:45] + bytes([png()[45] ^ 1]) + png()[46:], "checksum of the PNG chunk IDAT"),
    "no pixels": (png()[:33] + chunk(b"IEND", b""), "PNG contains no picture"),
    "jpeg without a scan": (
        b"\xff\xd8\xff\xe0\x00\x10" + bytes(14) + b"\xff\xd9" + bytes(30),
        "JPEG contains no picture",
    ),
    "jpeg in a jpeg": (b"\xff\xd8\xff\xe0\x00\x10" + bytes(14) + b"\xff\xd8" + bytes(30), "second JPEG"),
    "jpeg segment of no size": (b"\xff\xd8\xff\xe0\x00\x01" + bytes(40), "length 1"),
    "a chunk longer than its webp": (riff(part(b"VP8 ", bytes(40), 900), size=60), "longer than the announced length"),
    "webp without a picture": (riff(part(b"EXIF", bytes(40))), "WebP contains no picture"),
    "gif without a picture": (GIF + b"\x3b" + bytes(30), "GIF contains no picture"),
    "no gif block": (GIF + b"\x77" + bytes(30), "a GIF block was expected"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_the_rules_is_named(name: str) -> None:
    """And nothing that comes later mends it."""
    data, how = BROKEN[name]
    walk = walked(data + png() + pictures()["jpeg"], 10)
    assert walk.ends
    assert not walk.ended
    assert walk.broken is not None
    assert how in walk.broken


TOLERATED = {
    "png with a wrong sum of a comment": png(40).replace(b"Comment\0", b"Comment\1"),
    "jpeg with junk between segments": b"\xff\xd8\xff\xe0\x00\x10"
    + bytes(30)
    + b"\xff\xff\xff"
    + SCAN[1:]
    + b"\xff\xd9",
    "webp without its last byte of padding": riff(part(b"VP8 ", bytes(41)), size=4 + 8 + 41),
    "webp with some bytes more than chunks": riff(part(b"VP8L", bytes(40)), b"\0\0\0"),
    "webp with a chunk of no size": riff(part(b"VP8X", b""), part(b"VP8 ", bytes(32))),
    "gif with an end too many": GIF + b"\x21\xf9\x04" + bytes(4) + b"\x00\x00" + FRAME + b"\x3b" + bytes(9),
}


@pytest.mark.parametrize("name", TOLERATED)
def test_what_every_reader_passes_is_passed(name: str) -> None:
    """A picture that was paid for is not refused for what harms no pixel."""
    for size in (1, 7, 1000):
        walk = walked(TOLERATED[name], size)
        assert (walk.ended, walk.broken) == (True, None)


@pytest.mark.parametrize("data", [b"", b"\x00\x00\x00\x1cftypavif" + bytes(60), b"<svg/>", b"glTF" + bytes(100)])
def test_other_kinds_have_no_end_to_find(data: bytes) -> None:
    """Whether they are whole has to be known in another way."""
    walk = walked(data, 5)
    assert (walk.ends, walk.ended, walk.broken) == (False, False, None)


@given(
    st.sampled_from(sorted(pictures())), st.integers(0, 5000), st.binary(min_size=1, max_size=9), st.integers(1, 400)
)
@settings(deadline=None, derandomize=True, max_examples=150)
def test_whatever_comes_it_comes_to_one_result(name: str, at: int, noise: bytes, size: int) -> None:
    """However the bytes are cut into blocks, and nothing is raised."""
    data = pictures()[name]
    data = data[: at % len(data)] + noise + data[at % len(data) + len(noise) :]
    one, other = walked(data), walked(data, size)
    assert (one.ends, one.ended, one.broken) == (other.ends, other.ended, other.broken)
