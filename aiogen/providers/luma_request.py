"""What is asked of Luma, as typed requests: pictures, edits and layers.  Pure.  Videos: `luma_video`.

Sources, as named in the docstrings: "API reference" and "guides" are those at docs.agents.lumalabs.ai, "SDK" is the
official `luma-agents` 0.5.0.  Lengths, aspect ratios and counts are checked by Luma, whose answer is shown and which
charges nothing for a refusal: its limits change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import attrs

from aiogen._checks import check_json, check_prompt
from aiogen._content.portions import as_base64
from aiogen.errors import InputError
from aiogen.references import Reference

MAX_REFERENCE_BYTES = 52_428_800
"""50 MB, counted after base64 is decoded (FAQ)."""

AspectRatio = Literal["3:1", "2:1", "21:9", "16:9", "4:3", "3:2", "1:1", "3:4", "2:3", "9:16", "1:2", "1:3"]
"""Width to height.  The SDK allows all twelve for every model; which one takes which, `luma_models` has."""

_VIDEO_FROM_A_SOURCE = ("video_edit", "video_reframe")
_MERGED = ("video", "layering")
"""Objects in the body that `extra` adds to, and does not replace."""


def as_references(value: Any) -> tuple[Reference, ...]:
    """One reference or several, in any of the forms that `Reference.of` takes."""
    return tuple(Reference.of(item) for item in (value if isinstance(value, list | tuple) else [value]))


def as_reference(value: Any) -> Reference | None:
    """A reference in any of the forms that `Reference.of` takes, or None."""
    return None if value is None else Reference.of(value)


def as_source(value: Any) -> Reference:
    """A reference in any of the forms that `Reference.of` takes."""
    return Reference.of(value)


def with_references(extra: Any) -> Any:
    """Bytes and paths anywhere in it become references, so that they are read and sent like the others."""
    return replaced(extra, lambda reference: reference)


@attrs.frozen(kw_only=True)
class LumaRequest:
    """What every request to Luma has (`POST /generations`).  The classes below are of one type each.

    Sources: "API reference", "guides" and "FAQ" are those at docs.agents.lumalabs.ai, "SDK" is `luma-agents` 0.5.0.
    """

    prompt: str = attrs.field(repr=False)
    """What is to be seen, or changed: 1 to 6,000 characters, 500 for layers (API reference)."""
    model: Literal["uni-1", "uni-1-max", "ray-3.2"] | str
    """uni-1 and uni-1-max make pictures, ray-3.2 videos (API reference).  Another name is sent as it is."""
    type: Literal["image", "image_edit", "layering", "video", "video_edit", "video_reframe"] | str
    """What is made (API reference; layering: SDK).  Another word is sent as it is."""
    aspect_ratio: AspectRatio | None = None
    """Width to height; None lets the model decide.  uni models: 3:1 2:1 16:9 3:2 1:1 2:3 9:16 1:2 1:3; ray-3.2: 9:16
    3:4 1:1 4:3 16:9 21:9 (API reference).  Of an edit of a picture older guides say that it is ignored."""
    user_id: str | None = None
    """Your end user's opaque tag, for Luma's breakdown of usage and its safety checks (API reference)."""
    extra: Mapping[str, Any] = attrs.field(factory=dict, converter=with_references)
    """Further fields of the body in Luma's own words, sent as they are, unchecked; a mapping for `video` or `layering`
    is added to what the fields of that name come to."""
    warnings: tuple[str, ...] = attrs.field(default=(), repr=False)
    """What of the keywords that it was made from cannot be honoured, in sentences; they are not sent."""

    def __attrs_post_init__(self) -> None:
        check_prompt(self.prompt)
        for name in ("model", "type"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                raise InputError(f"{name} must not be empty; it is a Luma name such as 'uni-1' or 'image'.")
        check_json(self._scalars(), "options")
        if not isinstance(self.extra, Mapping):
            raise InputError(
                f"extra= takes further fields by name, {{'name': value}}, not {type(self.extra).__name__}."
            )
        for reference in self.references():
            if reference.data is not None and len(reference.data) > MAX_REFERENCE_BYTES:
                raise InputError(
                    f"A reference has {len(reference.data):,} bytes; Luma accepts at most {MAX_REFERENCE_BYTES:,} "
                    "(50 MB). Make it smaller."
                )

    def _scalars(self) -> list[Any]:
        """What has to be plain JSON already."""
        return [self.aspect_ratio, self.user_id]

    def _fields(self) -> dict[str, Any]:
        """The optional fields of the body; those that are None are not sent."""
        return {"aspect_ratio": self.aspect_ratio, "user_id": self.user_id}

    def body(self) -> dict[str, Any]:
        """The body of the create, with references as Luma writes them.

        Raises:
            InputError: a local file has not been read yet, or JSON cannot represent something in `extra`.
        """
        body: dict[str, Any] = {"prompt": self.prompt, "type": self.type, "model": self.model}
        body |= {name: value for name, value in self._fields().items() if value is not None}
        for name, value in replaced(self.extra, said).items():
            ours = body.get(name) if name in _MERGED else None
            body[name] = {**ours, **value} if isinstance(ours, dict) and isinstance(value, dict) else value
        check_json(body)
        return body

    def references(self) -> Iterator[Reference]:
        """Every image or video that it refers to."""
        for name in self._field_names():
            yield from references_in(getattr(self, name))

    def with_files(self, files: Mapping[Path, Reference]) -> Self:
        """The same request with local files replaced by their bytes."""

        def loaded(reference: Reference) -> Reference:
            return files[reference.path] if reference.path is not None else reference

        held = [name for name in self._field_names() if next(references_in(getattr(self, name)), None) is not None]
        return attrs.evolve(self, **{name: replaced(getattr(self, name), loaded) for name in held})

    def _field_names(self) -> list[str]:
        return [*(field.name for field in attrs.fields(type(self)) if field.name != "extra"), "extra"]


@attrs.frozen(kw_only=True)
class LumaImage(LumaRequest):
    """A picture from words: type `image`, of uni-1 and uni-1-max.

    Sources: as of `LumaRequest`.
    """

    model: Literal["uni-1", "uni-1-max"] | str = "uni-1"
    """uni-1, or uni-1-max for more detail and 2.5 times the price (API reference, pricing guide)."""
    type: Literal["image", "image_edit", "layering"] | str = "image"
    """Set by the class; another word is sent as it is."""
    style: Literal["auto", "manga"] | None = None
    """auto, which Luma takes by default, or manga, for portraits alone: 2:3 9:16 1:2 1:3 (API reference)."""
    output_format: Literal["png", "jpeg"] | None = None
    """The kind of file; None lets the model decide (API reference)."""
    web_search: bool | None = None
    """Whether the model looks up what it does not know; adds a few seconds; false by default (API reference)."""
    image_ref: tuple[Reference, ...] = attrs.field(default=(), converter=as_references)
    """Pictures to go by: up to 9, up to 8 for an edit, each of up to 50 MB (API reference, FAQ)."""
    source: Reference | None = attrs.field(default=None, converter=as_reference)
    """What an edit begins with; Luma refuses it for type `image` (API reference)."""

    def __attrs_post_init__(self) -> None:
        LumaRequest.__attrs_post_init__(self)
        check_source(self.type, self.source)

    def _scalars(self) -> list[Any]:
        return [self.aspect_ratio, self.style, self.output_format, self.web_search, self.user_id]

    def _fields(self) -> dict[str, Any]:
        return {
            "aspect_ratio": self.aspect_ratio,
            "style": self.style,
            "output_format": self.output_format,
            "web_search": self.web_search,
            "user_id": self.user_id,
            "image_ref": [said(r) for r in self.image_ref] or None,
            "source": said(self.source) if self.source is not None else None,
        }


@attrs.frozen(kw_only=True)
class LumaImageEdit(LumaImage):
    """A picture from a picture and words: type `image_edit`, of uni-1 and uni-1-max; needs `source`.

    Sources: as of `LumaRequest`.
    """

    type: Literal["image_edit"] | str = "image_edit"
    """Set by the class."""


@attrs.frozen(kw_only=True)
class LumaLayering(LumaRequest):
    """A picture taken apart into layers, each with transparency: type `layering`, of uni-1 alone (SDK).

    The outputs are the layers, from the front to the background; `Output.raw` has what Luma says of each.
    """

    source: Reference = attrs.field(converter=as_source)
    """The picture to take apart (API reference)."""
    model: Literal["uni-1"] | str = "uni-1"
    """uni-1 (SDK)."""
    type: Literal["layering"] | str = "layering"
    """Set by the class."""
    resolution: Literal["1k", "2k"] | None = None
    """Of each layer; 1k is faster and costs less (SDK).  What Luma takes by default is not documented."""

    def _scalars(self) -> list[Any]:
        return [self.aspect_ratio, self.user_id, self.resolution]

    def _fields(self) -> dict[str, Any]:
        return {
            **LumaRequest._fields(self),
            "source": said(self.source),
            "layering": {"resolution": self.resolution} if self.resolution is not None else None,
        }


def check_source(type_: str, source: Reference | None) -> None:
    """A video by its address needs its media type beside it (SDK).

    Raises:
        InputError: it has none, or one that is no video's.
    """
    if type_ not in _VIDEO_FROM_A_SOURCE or source is None or source.url is None:
        return
    if not (source.media_type or "").startswith("video/"):
        given = f"its media type {source.media_type!r} is none of a video" if source.media_type else "it has none"
        raise InputError(
            f"For type {type_!r} Luma needs the media type of a source that is an address, and {given}. "
            'Pass source={"url": "https://…", "media_type": "video/mp4"}, or a Reference with both.'
        )


def references_in(value: Any) -> Iterator[Reference]:
    """Every reference anywhere in it."""
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from references_in(item)


def replaced(value: Any, replace: Any) -> Any:
    """The same structure with every reference replaced; bytes and paths become references on the way."""
    if isinstance(value, bytes | Path):
        value = Reference.of(value)
    if isinstance(value, Reference):
        return replace(value)
    if isinstance(value, Mapping):
        return {key: replaced(item, replace) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [replaced(item, replace) for item in value]
    return value


def said(reference: Reference) -> dict[str, str]:
    """A reference as Luma writes it.

    Raises:
        InputError: it is a local file that has not been read.
    """
    if reference.data is not None:
        return {"data": as_base64(reference.data), "media_type": str(reference.media_type)}
    if reference.url is not None:
        kind = {"media_type": reference.media_type} if reference.media_type else {}
        return {"url": reference.url, **kind}
    if reference.generation_id is not None:
        return {"generation_id": reference.generation_id}
    if reference.file_id is not None:
        return {"file_id": reference.file_id}
    raise InputError(f"The file {str(reference.path)!r} has not been read.")


__all__ = ["AspectRatio", "LumaImage", "LumaImageEdit", "LumaLayering", "LumaRequest"]
