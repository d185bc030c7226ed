"""Pictures that are whole, in every format whose end aiogen looks for."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image


def png(padding: int = 0) -> bytes:
    """A PNG of 8 by 8, with so many bytes of comment."""
    pixels = b"".join(b"\0" + bytes((200, 80, row)) * 8 for row in range(8))
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)),
            chunk(b"tEXt", b"Comment\0" + bytes(i % 251 for i in range(padding))) if padding else b"",
            chunk(b"IDAT", zlib.compress(pixels)),
            chunk(b"IEND", b""),
        ]
    )


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def drawn(kind: str, frames: int = 1, **options: Any) -> bytes:
    """A noisy picture as Pillow writes it; several frames if asked for."""
    pictures = [Image.effect_noise((64, 48), 80 + frame).convert("RGB") for frame in range(frames)]
    out = io.BytesIO()
    more = {"save_all": True, "append_images": pictures[1:]} if frames > 1 else {}
    pictures[0].save(out, kind, **more, **options)
    return out.getvalue()
