"""What kind of file some bytes are, told by their first bytes.  Pure."""

from __future__ import annotations

SNIFF_BYTES = 32
"""So many leading bytes are enough for `sniff`."""

EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
    "image/heic": "heic",
    "image/x-exr": "exr",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
}
"""Media type to file extension, for every type that `sniff` can tell."""


def sniff(head: bytes) -> str | None:
    """The media type that the first `SNIFF_BYTES` bytes show, or None if they show none we know.

    >>> sniff(b"\\x89PNG\\r\\n\\x1a\\n...")
    'image/png'
    """
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"\x76\x2f\x31\x01"):
        return "image/x-exr"
    if head[4:8] == b"ftyp":
        # One container for films and pictures; the brand tells (ISO/IEC 14496-12, 23000-22).
        brand = head[8:12]
        if brand in (b"avif", b"avis"):
            return "image/avif"
        if brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"):
            return "image/heic"
        return "video/quicktime" if brand == b"qt  " else "video/mp4"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "video/webm"
    return None
