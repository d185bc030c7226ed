"""Images that a request refers to: an address, bytes, a local file, or something the vendor already has.  Pure.

Local files are read by `aiogen._files`, off the event loop, before anything is sent.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import attrs

from aiogen._media import sniff
from aiogen.errors import InputError

_SOURCES = ("url", "data", "path", "generation_id", "file_id")
_KINDS: dict[str, type] = dict.fromkeys(("url", "generation_id", "file_id", "media_type"), str)
_KINDS |= {"data": bytes, "path": Path}


@attrs.frozen(kw_only=True)
class Reference:
    """One image that a request refers to; exactly one of its sources is given.

    Raises:
        InputError: none or several sources are given, the url is not https, or the bytes are of no known image type
            and no `media_type` says which.
    """

    url: str | None = None
    """https only: the vendor fetches it, over the public internet."""
    data: bytes | None = attrs.field(default=None, repr=lambda data: f"{len(data)} bytes" if data else "None")
    path: Path | None = None
    generation_id: str | None = None
    """A completed generation of the same account."""
    file_id: str | None = None
    """A file uploaded to the vendor before."""
    media_type: str | None = None
    """Such as image/png; found out from the bytes when not given."""

    def __attrs_post_init__(self) -> None:
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise InputError(f"The {name} of a reference is {kind.__name__}, not {type(value).__name__}.")
        given = [name for name in _SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise InputError(
                f"A reference has exactly one of {', '.join(_SOURCES)}; given: {', '.join(given) or 'none'}."
            )
        if self.url is not None and not self.url.startswith("https://"):
            raise InputError(
                f"The reference {self.url[:80]!r} is not https; the provider fetches only https addresses. "
                "For a file on this machine pass a path or the bytes."
            )
        if self.data is not None and not self.media_type:
            found = sniff(self.data)
            if found is None:
                raise InputError(
                    f"The {len(self.data)} bytes of a reference are no image type that can be told from its bytes "
                    "(PNG, JPEG, WebP, GIF); give media_type= if you know it."
                )
            object.__setattr__(self, "media_type", found)

    @classmethod
    def of(cls, value: Any) -> Self:
        """A reference from what users write: an https url, a path, bytes, a mapping, or a reference.

        Raises:
            InputError: it is none of these.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, bytes | bytearray | memoryview):
            return cls(data=bytes(value))
        if isinstance(value, str):
            is_url = "://" in value[:10]
            return cls(url=value) if is_url else cls(path=Path(value))
        if isinstance(value, os.PathLike):
            return cls(path=Path(value))
        if isinstance(value, Mapping):
            return cls._of_mapping(value)
        raise InputError(
            f"A reference is an https url, a path, bytes or aiogen.Reference(…), not a {type(value).__name__}."
        )

    @classmethod
    def _of_mapping(cls, value: Mapping[str, Any]) -> Self:
        known = {a.name for a in attrs.fields(cls)}
        strange = set(value) - known
        if strange:
            raise InputError(f"A reference has no {', '.join(sorted(strange))}; it knows {', '.join(sorted(known))}.")
        data = value.get("data")
        if isinstance(data, str):  # the vendors' own form: base64 text
            try:
                data = base64.b64decode(data, validate=True)
            except ValueError:
                raise InputError("The reference's data is not valid base64; pass the bytes themselves.") from None
        path = value.get("path")
        return cls(**{**value, "data": data, "path": Path(path) if isinstance(path, str) else path})
