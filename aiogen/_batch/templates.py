"""Names of files by a template: `{index} {key} {id} {n} {model} {ext}` and the columns of a row, made safe.  Pure.

Whatever stands in a field, a name stays below the folder: no field can name another one, or a device of Windows.
"""

from __future__ import annotations

import hashlib
import re
import string
import unicodedata
from collections.abc import Mapping
from typing import Any

import attrs

from aiogen._wording import plain
from aiogen.errors import InputError
from aiogen.models import Generation

FIELDS = ("index", "key", "id", "n", "model", "connection", "ext")
"""Which a template may name, and the columns of its rows that begin with `_`."""
DEFAULT = "{key}-{n}.{ext}"

_LONGEST_PART = 120
"""Bytes of one field in a name; a name that most file systems take has 255."""
_LONGEST_NAME = 200
"""Bytes of a name without its ending."""
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_FORMATS = re.compile(r"0?[0-9]{0,2}d?")


@attrs.frozen
class Template:
    """A template that was checked."""

    text: str
    _parts: tuple[tuple[str, str | None, str], ...] = attrs.field(repr=False)
    """Text, field, format; again and again."""

    @classmethod
    def of(cls, text: str) -> Template:
        """A template as people write it.  A field that begins with `_` is a column of the rows.

        Raises:
            InputError: it names a field that there is not, or two outputs would get one name.
        """
        try:
            parts = tuple(
                (literal, field, spec or "") for literal, field, spec, _ in string.Formatter().parse(text)
            )  # fmt: skip
        except ValueError as error:
            raise InputError(f"The template {text!r} cannot be read: {error}.") from None
        named = [field for _, field, _ in parts if field is not None]
        for name in named:
            if name not in FIELDS and not (name.startswith("_") and name.isidentifier()):
                listed = ", ".join(f"{{{each}}}" for each in FIELDS)
                raise InputError(
                    f"The template {text!r} names {{{plain(name, 40)}}}; there are {listed}, and the columns of the "
                    "rows that begin with _."
                )
        for _, field, spec in parts:
            if spec and (field not in ("index", "n") or not _FORMATS.fullmatch(spec)):
                raise InputError(f"In the template {text!r} only index and n take a width, such as {{index:04}}.")
        for literal, _, _ in parts:
            if _FORBIDDEN.search(literal.replace("/", "")) or ".." in literal.split("/") or text.startswith("/"):
                raise InputError(
                    f"The template {text!r} leaves the folder, or has something in it that no name of a file can have."
                )
        if not text.endswith(".{ext}") or named.count("ext") > 1:
            raise InputError(f"The template {text!r} has to end with .{{ext}}, which is known once a file is here.")
        if not {"key", "id", "index"} & {*named}:
            raise InputError(f"The template {text!r} would give all rows one name; use {{key}}, {{index}} or {{id}}.")
        if "n" not in named:
            raise InputError(f"The template {text!r} would give all outputs of one row one name; use {{n}}.")
        return cls(text, parts)

    @property
    def names_ids(self) -> bool:
        """Whether the vendor's id is in each name, so that no two are the same."""
        return any(field == "id" for _, field, _ in self._parts)

    def stem_of(self, generation: Generation, n: int, **fields: Any) -> str:
        """The name for output `n` of a generation; what is not given is known by the vendor's id."""
        known = {
            "index": 1,
            "key": generation.provider_id,
            "id": generation.provider_id,
            "model": generation.model,
            "connection": generation.connection,
        }
        return self.stem({**known, **{name: value for name, value in fields.items() if value is not None}, "n": n})

    def stem(self, fields: Mapping[str, Any]) -> str:
        """The name below the folder without `.{ext}`, with `/` between folders; a field that is missing is `-`."""
        made = ""
        for literal, field, spec in self._parts[:-1]:
            made += literal + ("" if field is None else _filled(fields.get(field), spec))
        made += self._parts[-1][0].removesuffix(".")
        return "/".join(_safe_name(part) for part in made.split("/") if part)


def _filled(value: Any, spec: str) -> str:
    if spec and isinstance(value, int):
        return format(value, spec)
    return safe("" if value is None else str(value))


def safe(text: str) -> str:
    """A part of a file's name that says what the text says; two texts that differ get names that differ."""
    normal = unicodedata.normalize("NFC", text).strip()
    found = _FORBIDDEN.sub("_", "".join(c if c.isprintable() else "_" for c in normal)).replace(" ", "_")
    found = found.strip(".") or "-"
    is_cut = len(found.encode(errors="replace")) > _LONGEST_PART
    if is_cut:
        found = found.encode(errors="replace")[: _LONGEST_PART - 9].decode(errors="ignore")
    if found == text.replace(" ", "_") and not is_cut and not _DEVICES.fullmatch(found):
        return found
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{found}-{digest}" if text else found


def _safe_name(name: str) -> str:
    if _DEVICES.fullmatch(name):
        name = f"_{name}"
    data = name.encode(errors="replace")
    if len(data) <= _LONGEST_NAME and not name.endswith((".", " ")):
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{data[: _LONGEST_NAME - 9].decode(errors='ignore').rstrip('. ')}-{digest}"


__all__ = ["DEFAULT", "FIELDS", "Template", "safe"]
