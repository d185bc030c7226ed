"""Small pictures of large ones, made with Pillow in threads; nothing that a file may contain breaks the report."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from aiogen._content.measure import LOOKED_AT, measure
from aiogen._transfer.threads import Threads

if TYPE_CHECKING:
    from PIL import Image

INSIDE = 300
"""Pictures whose thumbnails stand in the page itself; of more they are files beside it."""
SIZE = 320
"""Pixels of the longer side: sharp on a screen with two pixels to a point."""
MAX_PIXELS = 89_478_485
"""Of a picture that is decoded, as Pillow's own `MAX_IMAGE_PIXELS`: about 268 MB in memory."""
_AT_ONCE = 4
"""Pictures that are decoded at a time; each may need the memory that `MAX_PIXELS` allows."""
_QUALITY = 72


@attrs.frozen
class Thumbnail:
    """One small picture, or why there is none."""

    src: str = ""
    width: int = 0
    height: int = 0
    problem: str = ""


async def thumbnails(threads: Threads, paths: Sequence[Path], beside: Path | None) -> list[Thumbnail]:
    """One for each file, in their order.

    Args:
        threads: in which they are made, a few at a time.
        paths: the files.
        beside: the folder for them, which is made; None to have them as data in the addresses.
    """
    if not paths:
        return []
    if beside is not None:
        await threads.run(os.makedirs, beside, exist_ok=True)
    made: list[Thumbnail] = []
    for i in range(0, len(paths), _AT_ONCE):
        made += await asyncio.gather(*(threads.run(thumbnail, path, beside) for path in paths[i : i + _AT_ONCE]))
    return made


def thumbnail(path: Path, beside: Path | None) -> Thumbnail:
    """One small picture; blocks."""
    if beside is None:
        small = _decoded(path)
        if isinstance(small, Thumbnail):
            return small
        data, width, height = small
        return Thumbnail(f"data:image/webp;base64,{base64.b64encode(data).decode()}", width, height)
    try:
        found = path.stat()
    except OSError as error:
        return Thumbnail(problem=f"cannot be read: {error.strerror or error}")
    is_of = f"{os.fsencode(path.absolute())!r} {found.st_mtime_ns} {found.st_size} {SIZE}"
    name = f"{hashlib.sha256(is_of.encode()).hexdigest()[:24]}.webp"
    target = beside / name
    kept = _size_of(target)
    if kept is None:
        small = _decoded(path)
        if isinstance(small, Thumbnail):
            return small
        data, *kept = small
        part = beside / f"{name}.{os.getpid()}-{threading.get_ident()}.part"  # a file may be there twice
        part.write_bytes(data)
        os.replace(part, target)
    width, height = kept
    return Thumbnail(f"{beside.name}/{name}", width, height)


def _decoded(path: Path) -> tuple[bytes, int, int] | Thumbnail:
    """The small picture as WebP, its width and its height; or why there is none."""
    from PIL import Image, ImageOps

    try:
        with open(path, "rb") as file:
            said = measure(file.read(LOOKED_AT))
            if said.media_type is not None and not said.media_type.startswith("image/"):
                return Thumbnail(problem="not a picture")
            if (said.width or 0) * (said.height or 0) > MAX_PIXELS:
                return Thumbnail(problem=f"too large to show here: {said.width} × {said.height} pixels")
            file.seek(0)
            with Image.open(file) as image:
                if image.width * image.height > MAX_PIXELS:
                    return Thumbnail(problem=f"too large to show here: {image.width} × {image.height} pixels")
                image.draft("RGB", (2 * SIZE, 2 * SIZE))  # a JPEG is decoded at the size that is needed
                shown: Image.Image = _whole(image)
                ImageOps.exif_transpose(shown, in_place=True)
                shown.thumbnail((SIZE, SIZE))
                return _as_webp(shown)
    except OSError as error:
        why = error.strerror or "its bytes are no picture that can be read"
        return Thumbnail(problem=f"cannot be shown: {why}")
    except Exception as error:  # whatever a decoder may say of hostile bytes
        return Thumbnail(problem=f"cannot be shown: {type(error).__name__}")


def _whole(image: Image.Image) -> Image.Image:
    """In colours that can be scaled; a palette's and sixteen bits cannot."""
    if image.mode in ("RGB", "RGBA"):
        image.load()
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _as_webp(image: Image.Image) -> tuple[bytes, int, int]:
    data = io.BytesIO()
    if image.mode not in ("RGB", "RGBA"):
        image = image.convert("RGB")
    image.save(data, "WEBP", quality=_QUALITY, method=3, exif=b"", icc_profile=image.info.get("icc_profile") or b"")
    return data.getvalue(), image.width, image.height


def _size_of(path: Path) -> list[int] | None:
    """Width and height of one that was made before; None without one."""
    try:
        said = measure(path.read_bytes())
    except OSError:
        return None
    return [said.width, said.height] if said.width and said.height else None
