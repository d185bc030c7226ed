"""What kind of file some bytes are, recognised by the first of them.  Pure."""

from __future__ import annotations

import re

SNIFF_BYTES = 32
"""Number of leading bytes that `sniff` needs."""

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
"""Media type to file extension, for every type that `sniff` recognises."""


def sniff(head: bytes) -> str | None:
    """The media type that the first `SNIFF_BYTES` bytes show, or None if they show no known type.

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
        # One container for films and pictures; the brand says which (ISO/IEC 14496-12, 23000-22).
        brand = head[8:12]
        if brand in (b"avif", b"avis"):
            return "image/avif"
        if brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"):
            return "image/heic"
        return "video/quicktime" if brand == b"qt  " else "video/mp4"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "video/webm"
    return None


HEAD_BYTES = 1024
"""Number of leading bytes that `recognise` needs; an SVG may begin with comments."""

OTHER_EXTENSIONS = {
    "image/svg+xml": "svg",
    "image/tiff": "tif",
    "image/bmp": "bmp",
    "image/jxl": "jxl",
    "image/jp2": "jp2",
    "image/vnd.adobe.photoshop": "psd",
    "model/gltf-binary": "glb",
    "application/zip": "zip",
    "application/pdf": "pdf",
    "application/postscript": "eps",
}
"""Media type to file extension, for what `recognise` knows and `sniff` does not: no vendor documents these."""

_SVG = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*\?>\s*)?(<!--.*?-->\s*)*"
    rb"(<!DOCTYPE\s+svg\b[^>\[]*(\[.*?\]\s*)?>\s*)?(<!--.*?-->\s*)*<(svg:)?svg[\s>/]",
    re.DOTALL | re.IGNORECASE,
)
_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*([<{\[]|\Z)")
"""How a page, an error in XML or JSON, and nothing at all begin."""


def recognise(head: bytes) -> str | None:
    """The media type that the first `HEAD_BYTES` bytes show: as `sniff`, and some more kinds that are worth keeping.

    >>> recognise(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), recognise(b"<html><svg/></html>")
    ('image/svg+xml', None)
    """
    if (found := sniff(head)) is not None:
        return found
    if head.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")):
        return "image/tiff"
    if head.startswith(b"BM") and head[6:10] == bytes(4):  # reserved, always zero
        return "image/bmp"
    if head.startswith((b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n")):
        return "image/jxl"
    if head.startswith((b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")):
        return "image/jp2"
    if head.startswith(b"8BPS\x00"):
        return "image/vnd.adobe.photoshop"
    if head.startswith(b"glTF") and head[4:8] in (b"\x01\x00\x00\x00", b"\x02\x00\x00\x00"):
        return "model/gltf-binary"
    if head.startswith(b"PK\x03\x04"):
        return "application/zip"
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    if head.startswith((b"%!PS", b"\xc5\xd0\xd3\xc6")):
        return "application/postscript"
    return "image/svg+xml" if _SVG.match(head) else None


def is_page(head: bytes) -> bool:
    """Whether the bytes begin as a web page or an error text does, or there are none."""
    return recognise(head) is None and _PAGE.match(head) is not None


def extension_of(media_type: str) -> str | None:
    """The ending for a file of that media type; for a picture or film of a new kind the last word of its name.

    >>> extension_of("image/png"), extension_of("image/x-new"), extension_of("text/html")
    ('png', 'new', None)
    """
    known = EXTENSIONS.get(media_type) or OTHER_EXTENSIONS.get(media_type)
    if known is not None:
        return known
    new = re.fullmatch(r"(?:image|video)/(?:[a-z0-9.-]*[.-])?([a-z0-9]{1,12})(?:\+[a-z]+)?", media_type)
    return new[1] if new is not None else None


_BY_ENDING = {ending: kind for kind, ending in (EXTENSIONS | OTHER_EXTENSIONS).items()} | {
    "jpeg": "image/jpeg",
    "heif": "image/heic",
    "tiff": "image/tiff",
    "m4v": "video/mp4",
}
"""File extension to media type, in every usual spelling."""


def type_of_name(name: str) -> str | None:
    """The media type that a file's name promises by its ending; None if it has none that is known here.

    >>> type_of_name("boat.JPEG"), type_of_name("pictures.v2")
    ('image/jpeg', None)
    """
    _, dot, ending = name.rpartition(".")
    return _BY_ENDING.get(ending.lower()) if dot else None


_SPELLINGS = frozenset(
    {
        "image/jpg", "image/pjpeg", "image/x-jpeg", "image/x-png", "image/apng", "image/x-gif", "image/x-webp",
        "image/heif", "image/exr", "image/svg", "image/tif", "image/x-tiff", "image/x-bmp", "image/x-ms-bmp",
        "image/psd", "image/x-psd", "image/x-photoshop", "video/x-m4v", "video/x-quicktime",
    }
)  # fmt: skip
"""Other names of kinds that `recognise` knows."""


class Unfit(Exception):
    """What arrived is not what was promised; the message says what it is."""


def ending_for(head: bytes, said: str, kind: str) -> tuple[str, bool]:
    """The file extension for a file that arrived whole, and whether vendors are known to make that kind.

    The bytes say what it is, not the storage's media type.  A picture or film that is announced as something new is
    kept; a page or an error text is not.

    Args:
        head: its first `HEAD_BYTES` bytes.
        said: the media type that the storage gave, in lower case, without parameters.
        kind: what the provider promised: "image", "video", or something newer.

    Raises:
        Unfit: it is not a picture or film, although one was promised; or it is a web page.
    """
    found = recognise(head)
    if kind not in ("image", "video"):
        if said in ("text/html", "application/xhtml+xml") and is_page(head):
            raise Unfit("it is a web page")
        return extension_of(found or said) or "bin", True
    # An EXR may stand beside a film, so any picture or film will do.
    if found is not None:
        return extension_of(found) or "bin", found in EXTENSIONS
    is_told_apart = said in EXTENSIONS or said in OTHER_EXTENSIONS or said in _SPELLINGS
    if not said.startswith(("image/", "video/")) or is_told_apart or is_page(head):
        promised = "an image" if kind == "image" else "a video"
        raise Unfit(f"it is not {promised}: {said or 'no content type'}, beginning with {head[:16]!r}")
    return extension_of(said) or "bin", False
