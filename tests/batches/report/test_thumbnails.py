"""Small pictures: whatever stands in a file, there is one, or a reason why not."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from aiogen._transfer.threads import Threads
from aiogen.batch.report.thumbnails import SIZE, Thumbnail, thumbnail, thumbnails


def picture(small: Thumbnail) -> Image.Image:
    assert small.problem == ""
    assert small.src.startswith("data:image/webp;base64,")
    image = Image.open(io.BytesIO(base64.b64decode(small.src.partition(",")[2])))
    assert image.size == (small.width, small.height)
    return image


def saved(folder: Path, mode: str = "RGB", form: str = "PNG", size: tuple[int, int] = (800, 400)) -> Path:
    path = folder / f"picture.{form.lower()}"
    Image.new(mode, size).save(path, form)
    return path


@pytest.mark.parametrize(
    ("mode", "form"),
    [("RGB", "PNG"), ("RGBA", "PNG"), ("P", "PNG"), ("1", "PNG"), ("LA", "PNG"), ("I;16", "PNG"), ("RGB", "JPEG"),
     ("CMYK", "JPEG"), ("L", "JPEG"), ("P", "GIF"), ("RGB", "WEBP"), ("RGB", "TIFF")],
)  # fmt: skip
def test_every_kind_of_colour_has_one(mode: str, form: str, tmp_path: Path) -> None:
    """In its own shape, at most so large."""
    assert picture(thumbnail(saved(tmp_path, mode, form), None)).size == (SIZE, SIZE // 2)


def test_a_small_one_stays_as_it_is(tmp_path: Path) -> None:
    assert picture(thumbnail(saved(tmp_path, size=(31, 17)), None)).size == (31, 17)


def test_a_picture_stands_upright(tmp_path: Path) -> None:
    """As its metadata asks for: what a camera wrote sideways."""
    image = Image.new("RGB", (400, 200), "red")
    image.paste("blue", (0, 0, 200, 200))
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees: what was on the left is at the top
    image.save(tmp_path / "turned.jpg", exif=exif)
    shown = picture(thumbnail(tmp_path / "turned.jpg", None)).convert("RGB")
    assert shown.size == (SIZE // 2, SIZE)
    assert [_blue(shown, y) for y in (20, SIZE - 20)] == [True, False]


def _blue(image: Image.Image, y: int) -> bool:
    pixel = image.getpixel((image.width // 2, y))
    assert isinstance(pixel, tuple)
    return pixel[2] > 128


def bomb() -> bytes:
    """A PNG that says it has ten thousand million pixels."""
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + bytes(100)


def half() -> bytes:
    data = io.BytesIO()
    Image.effect_noise((600, 600), 90.0).save(data, "PNG")
    return data.getvalue()[:9000]


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "bomb": (bomb, "too large to show here: 100000 × 100000 pixels"),
    "half": (half, "cannot be shown"),
    "empty": (bytes, "cannot be shown"),
    "text": (lambda: b"<script>alert(1)</script>", "cannot be shown"),
    "svg": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "cannot be shown"),
    "film": (lambda: b"\x00\x00\x00\x20ftypisom" + bytes(500), "not a picture"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_picture_has_a_reason(name: str, tmp_path: Path) -> None:
    """Neither an error, nor a warning, nor the memory that it asks for."""
    make, reason = BROKEN[name]
    (tmp_path / "file.png").write_bytes(make())
    small = thumbnail(tmp_path / "file.png", None)
    assert small.src == ""
    assert small.problem.startswith(reason)


def test_what_is_gone_by_then_has_a_reason(tmp_path: Path) -> None:
    for beside in (None, tmp_path):
        assert thumbnail(tmp_path / "gone.png", beside).problem.endswith("No such file or directory")


async def small_ones(paths: list[Path], beside: Path) -> list[Thumbnail]:
    threads = Threads()
    try:
        return await thumbnails(threads, paths, beside)
    finally:
        await threads.close()


async def test_they_are_files_where_that_is_asked_for(tmp_path: Path) -> None:
    """In the order of the pictures, named by what they show; made again only for what has changed."""
    paths = []
    for i in range(40):
        paths.append(tmp_path / f"{i}.png")
        Image.new("RGB", (100 + i, 50)).save(paths[-1])
    beside = tmp_path / "deep" / "b1-thumbnails"
    made = await small_ones(paths, beside)
    assert [small.width for small in made] == [100 + i for i in range(40)]
    assert {f"b1-thumbnails/{path.name}" for path in beside.iterdir()} == {small.src for small in made}
    kept = {path: path.stat().st_mtime_ns for path in beside.iterdir()}
    Image.new("RGB", (10, 10)).save(paths[3])
    again = await small_ones(paths, beside)
    assert [i for i in range(40) if again[i] != made[i]] == [3]
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
