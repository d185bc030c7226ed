"""Pictures as Pillow has them, from bytes of which only their ends are known.  Slow for an event loop."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from aiogen._content.measure import measure

if TYPE_CHECKING:
    from PIL import Image

_FORMATS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/avif": "AVIF",
    "image/heic": "HEIF",  # from the package pillow-heif
    "image/tiff": "TIFF",
    "image/bmp": "BMP",
    "image/jxl": "JXL",  # from the package pillow-jxl-plugin
    "image/jp2": "JPEG2000",
}
"""What Pillow may be given, and which of its readers may read it: others start programs, such as that of PostScript."""


class Undecodable(Exception):
    """It is no picture that can be decoded here; the message says why."""


def check_pillow() -> None:
    """Before anything is fetched.

    Raises:
        ImportError: Pillow is not installed.
    """
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise ImportError('images are decoded with Pillow: pip install "aiogen-sdk[images]"') from error


def decode(data: bytes) -> Image.Image:
    """The picture, decoded; of an animation the first frame, and the others when they are asked for.

    Raises:
        Undecodable: it is of a kind that Pillow does not read, is broken, or has more pixels than Pillow takes.
    """
    from PIL import Image

    found = measure(data)
    name = _FORMATS.get(found.media_type or "")
    Image.init()
    if name is None or name not in Image.OPEN:
        raise Undecodable(f"Pillow cannot read {found.media_type or 'a file of its kind'} here")
    _check_size(found.width or 0, found.height or 0)  # before Pillow, which only warns of the first too many
    try:
        picture = Image.open(io.BytesIO(data), formats=[name])
        _check_size(*picture.size)
        picture.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Undecodable(str(error)) from error
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, OverflowError) as error:
        raise Undecodable(f"it is broken: {error or type(error).__name__}") from error
    return picture


def _check_size(width: int, height: int) -> None:
    from PIL import Image

    most = Image.MAX_IMAGE_PIXELS
    if most is not None and width * height > most:
        raise Undecodable(
            f"it has {width:,} × {height:,} pixels, and Pillow takes at most {most:,} (PIL.Image.MAX_IMAGE_PIXELS)"
        )
