"""Images that a request refers to: an address, bytes, a local file, or something the vendor already has.  Pure.

Local files are read by `aiogen._transfer.uploads`, off the event loop, before anything is sent.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

import attrs

from aiogen._content.media import EXTENSIONS, sniff
from aiogen._content.portions import of_base64, without_blanks
from aiogen._wording import count, plain, short_url
from aiogen.errors import InputError

_SOURCES = ("url", "data", "path", "generation_id", "file_id")
_KINDS: dict[str, type] = dict.fromkeys(("url", "generation_id", "file_id", "media_type"), str)
_KINDS |= {"data": bytes, "path": Path}
_DATA_URI = re.compile(r"data:([^,;]*)((?:;[^,;]*)*),", re.IGNORECASE)
_LONGEST_PATH = 4096
"""Characters; PATH_MAX of Linux."""
# How PNG, JPEG, GIF and WebP begin in base64.
_BASE64_BEGINS = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR")
_SHORTEST_BASE64 = 200
"""Characters; no image is smaller, and hardly any path is longer."""


@attrs.frozen(kw_only=True)
class Reference:
    """One image that a request refers to; exactly one of its sources is given.

    Raises:
        InputError: none or several sources are given, the url is not https, or the bytes are of no known image type
            and no `media_type` says which.
    """

    url: str | None = None
    """https only: the vendor fetches it over the public internet.  A `data:` URI with base64 becomes `data`."""
    data: bytes | None = attrs.field(default=None, repr=lambda data: f"{len(data)} bytes" if data else "None")
    """The bytes of an image."""
    path: Path | None = None
    """A file on this machine; it is read before the request is sent."""
    generation_id: str | None = None
    """The vendor's id of a completed generation of the same account."""
    file_id: str | None = None
    """The vendor's id of a file that was uploaded before."""
    media_type: str | None = None
    """Such as image/png; by default recognised from the bytes."""

    def __attrs_post_init__(self) -> None:
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise InputError(f"The {name} of a reference must be {kind.__name__}, not {type(value).__name__}.")
        given = [name for name in _SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise InputError(
                f"A reference takes exactly one of {', '.join(_SOURCES)}; given: {', '.join(given) or 'none'}."
            )
        if self.url is not None:
            self._take_url(self.url.strip())
        if self.data is not None and not self.media_type:
            found = sniff(self.data)
            if found is None:
                raise InputError(
                    f"The {len(self.data)} bytes of a reference are of no image type that can be recognised (PNG, "
                    "JPEG, WebP, GIF); pass media_type= if you know it."
                )
            object.__setattr__(self, "media_type", found)

    def _take_url(self, url: str) -> None:
        fill = object.__setattr__  # frozen for users; what they wrote is read once, here
        if url[:5].lower() == "data:":
            data, media_type = _read_data_uri(url)
            fill(self, "url", None)
            fill(self, "data", data)
            fill(self, "media_type", self.media_type or media_type)
        elif url[:8].lower() == "https://":
            fill(self, "url", "https://" + url[8:])
        else:
            shown = (
                short_url(url) if "://" in url[:10] or len(url) < _SHORTEST_BASE64 else f"{count(len(url))} characters"
            )
            raise InputError(
                f"The reference {shown!r} is not https; the provider only fetches https addresses. "
                "For a file on this machine, pass its path or its bytes."
            )

    @classmethod
    def of(cls, value: Any) -> Self:
        """A reference from what users write: an https url, a data: URI, a path, bytes, a mapping, or a reference.

        Raises:
            InputError: it is something else, or not valid.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, bytes | bytearray | memoryview):
            return cls(data=bytes(value))
        if isinstance(value, str):
            start = value[:64].lstrip().lower()
            is_url = "://" in start[:10] or start.startswith("data:")
            return cls(url=value) if is_url else cls(path=_path(value))
        if isinstance(value, os.PathLike):
            return cls(path=Path(value))
        if isinstance(value, Mapping):
            return cls._of_mapping(value)
        raise InputError(
            "A reference must be an https url, a data: URI, a path, bytes or aiogen.Reference(…), "
            f"not a {type(value).__name__}."
        )

    @classmethod
    def _of_mapping(cls, value: Mapping[str, Any]) -> Self:
        known = {a.name for a in attrs.fields(cls)}
        unknown = set(value) - known
        if unknown:
            raise InputError(
                f"A reference has no {', '.join(sorted(unknown))}; its fields are {', '.join(sorted(known))}."
            )
        data = value.get("data")
        if isinstance(data, str) and data[:64].lstrip()[:5].lower() == "data:":
            return cls._of_mapping({**value, "data": None, "url": data})
        if isinstance(data, str):  # the vendors' own form: base64 text
            try:
                data = of_base64(data)
            except ValueError:
                raise InputError("The reference's data is not valid base64; pass the bytes themselves.") from None
        path = value.get("path")
        return cls(**{**value, "data": data, "path": _path(path) if isinstance(path, str) else path})


def _path(text: str) -> Path:
    """A path on this machine; an image in base64 would be looked up on the disk, and shown as a file's name."""
    if len(text) > _LONGEST_PATH or (len(text) >= _SHORTEST_BASE64 and text.lstrip().startswith(_BASE64_BEGINS)):
        raise InputError(
            f"A reference of {count(len(text))} characters is neither an address nor a path. "
            "If it is an image in base64, pass its bytes, or a data: URI (data:image/png;base64,…)."
        )
    return Path(text)


def _read_data_uri(uri: str) -> tuple[bytes, str]:
    """The bytes and the media type of a `data:` URI (RFC 2397).

    Raises:
        InputError: it contains no base64, or no image; the message never shows its data.
    """
    head = _DATA_URI.match(uri[:1024])
    said, options = (head[1].strip().lower(), head[2].lower().split(";")) if head else ("", [])
    if head is None or "base64" not in (option.strip() for option in options):
        raise InputError(
            f"This data: URI of {count(len(uri))} characters cannot be read: it must begin like "
            "data:image/png;base64, and contain an image in base64."
        )
    text = uri[head.end() :]
    if "%" in text:
        text = unquote(text)
    try:
        data = of_base64(without_blanks(text))
    except ValueError:
        raise InputError(
            f"The data: URI ({plain(said, 40) or 'without a type'}, {count(len(uri))} characters) is not valid base64."
        ) from None
    media_type = sniff(data) or ("" if said.replace("jpg", "jpeg") in EXTENSIONS or not data else said)
    if not media_type.startswith("image/"):
        raise InputError(
            f"The data: URI ({plain(said, 40) or 'without a type'}, {count(len(data))} bytes) contains no image of a "
            "known type."
        )
    return data, media_type
