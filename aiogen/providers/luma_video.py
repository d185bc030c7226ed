"""What is asked of Luma, as typed requests: videos.  Pure.

Fields and ranges are those of the official SDK (`luma-agents` 0.5.0) and of the video guides at
docs.agents.lumalabs.ai.  What excludes what is refused before anything is sent where both agree on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

import attrs

from aiogen._checks import check_json, check_number
from aiogen.errors import InputError
from aiogen.providers.luma_request import LumaRequest, as_reference, as_references, as_source, check_source, said
from aiogen.references import Reference

Resolution = Literal["360p", "540p", "720p", "1080p"]
Strength = Literal[
    "adhere_1", "adhere_2", "adhere_3", "flex_1", "flex_2", "flex_3", "reimagine_1", "reimagine_2", "reimagine_3"
]

MOST_KEYFRAMES = 64
_LAST_FRAME = {"5s": 120, "10s": 240}
"""At 24 frames per second."""


def _as_indexes(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


class LumaSourcePosition(TypedDict):
    """Where in the new frame the source stands, as shares of its width and height (SDK)."""

    x_norm: float
    """Of its left edge, -2 to 2."""
    y_norm: float
    """Of its upper edge, -2 to 2."""
    w_norm: float
    """Its width, more than 0 and at most 2."""
    h_norm: float
    """Its height, more than 0 and at most 2."""


class LumaControls(TypedDict, total=False):
    """What an edit keeps of its source; each is a mapping with `enabled` (SDK)."""

    depth: Mapping[str, Any]
    """With `blur`, 0 to 1."""
    face: Mapping[str, Any]
    """`enabled` alone."""
    normals: Mapping[str, Any]
    """With `augmentation`, 0 to 1."""
    pose: Mapping[str, Any]
    """With `strength`, "precise" or "coarse"."""
    trajectory: Mapping[str, Any]
    """With `sparsity`, 0 to 1."""


@attrs.frozen(kw_only=True)
class _Video(LumaRequest):
    model: Literal["ray-3.2"] | str = "ray-3.2"
    """ray-3.2 (API reference)."""
    resolution: Resolution | None = None
    """Lines of the picture; 360p is for drafts (SDK).  What Luma takes by default is not documented."""

    def _scalars(self) -> list[Any]:
        names = [field.name for field in attrs.fields(type(self)) if field.name not in ("extra", "warnings")]
        values = [getattr(self, name) for name in names]
        return [value for value in values if not isinstance(value, Reference | tuple)]

    def _video(self) -> dict[str, Any]:
        """The object `video`, without what is None."""
        return {"resolution": self.resolution}

    def _fields(self) -> dict[str, Any]:
        video = {name: value for name, value in self._video().items() if value is not None}
        return {**LumaRequest._fields(self), "video": video or None}


@attrs.frozen(kw_only=True)
class LumaVideo(_Video):
    """A video from words, and from pictures where they are given: type `video`, of ray-3.2.

    Sources: as of `LumaRequest`.

    Raises:
        InputError: fields exclude each other; the message says which.
    """

    type: Literal["video"] | str = "video"
    """Set by the class."""
    duration: Literal["5s", "10s"] | None = None
    """Seconds (SDK).  What Luma takes by default is not documented."""
    loop: bool | None = None
    """Whether the end leads into the beginning; not with 10s, and not with `hdr` (SDK, guides)."""
    hdr: bool | None = None
    """High dynamic range; an account needs access to it, and 360p has none (SDK, guides)."""
    exr_export: bool | None = None
    """Whether the frames come as EXR, too, as a further output; needs `hdr` (SDK, guides)."""
    start_frame: Reference | None = attrs.field(default=None, converter=as_reference)
    """The picture that it begins with, or the `generation_id` of a video that it goes on from (SDK)."""
    end_frame: Reference | None = attrs.field(default=None, converter=as_reference)
    """The picture that it ends with, or the `generation_id` of a video that it leads to (SDK)."""
    keyframes: tuple[Reference, ...] = attrs.field(default=(), converter=as_references)
    """1 to 64 pictures along the way, in place of `start_frame`, `end_frame` and `loop` (SDK, guides)."""
    keyframe_indexes: tuple[int, ...] = attrs.field(default=(), converter=_as_indexes)
    """The frame at which each of them stands, in their order, at 24 frames per second: 0 to 120 of 5s, to 240 of
    10s; none twice (SDK)."""

    def __attrs_post_init__(self) -> None:
        LumaRequest.__attrs_post_init__(self)
        check_keyframes(self.keyframes, self.keyframe_indexes, _LAST_FRAME.get(str(self.duration or "10s")))
        if self.keyframes:
            held = [name for name in ("start_frame", "end_frame") if getattr(self, name) is not None]
            if held := [*held, *(["loop"] if self.loop else [])]:
                raise InputError(
                    f"keyframes and {' and '.join(held)} exclude each other: give the first picture the index 0, the "
                    "last one the index of the last frame."
                )
        if self.loop and self.duration == "10s":
            raise InputError("A video of 10s cannot loop; take the duration 5s, or leave out loop.")
        if self.loop and self.hdr:
            raise InputError("A video with hdr cannot loop; leave out one of the two.")
        if self.hdr and self.resolution == "360p":
            raise InputError("There is no hdr in 360p; take 540p, 720p or 1080p, or leave out hdr.")
        _check_exr(self.exr_export, self.hdr)

    def _video(self) -> dict[str, Any]:
        return {
            **_Video._video(self),
            "duration": self.duration,
            "loop": self.loop,
            "hdr": self.hdr,
            "exr_export": self.exr_export,
            "start_frame": said(self.start_frame) if self.start_frame is not None else None,
            "end_frame": said(self.end_frame) if self.end_frame is not None else None,
            **_said_keyframes(self.keyframes, self.keyframe_indexes),
        }


@attrs.frozen(kw_only=True)
class LumaVideoEdit(_Video):
    """A video from a video and words, as long as its source: type `video_edit`, of ray-3.2.

    Sources: as of `LumaRequest`.

    Raises:
        InputError: fields exclude each other, or the source is an address without `media_type`.
    """

    source: Reference = attrs.field(converter=as_source)
    """The video: at most 18 s.  An address needs `media_type` beside it, such as "video/mp4" (SDK)."""
    type: Literal["video_edit"] | str = "video_edit"
    """Set by the class."""
    hdr: bool | None = None
    """High dynamic range; an account needs access to it (SDK)."""
    exr_export: bool | None = None
    """Whether the frames come as EXR, too, as a further output; needs `hdr` (SDK, guides)."""
    strength: Strength | None = None
    """How far from the source: adhere stays nearest, reimagine goes furthest, each in three steps (SDK)."""
    auto_controls: bool | None = None
    """Whether Luma chooses what is kept of the source; where it is not given, `strength` or `controls` mean
    that you do (SDK)."""
    controls: LumaControls | None = None
    """What is kept of the source: depth, face, normals, pose, trajectory (SDK)."""
    keyframes: tuple[Reference, ...] = attrs.field(default=(), converter=as_references)
    """Up to 64 pictures of how single frames are to look (SDK)."""
    keyframe_indexes: tuple[int, ...] = attrs.field(default=(), converter=_as_indexes)
    """The frame of the source at which each of them stands, in their order; 0 or more, none twice (SDK)."""

    def __attrs_post_init__(self) -> None:
        LumaRequest.__attrs_post_init__(self)
        check_source(self.type, self.source)
        if not isinstance(self.controls, Mapping | None):
            raise InputError(
                f"controls takes a mapping such as {{'face': {{'enabled': true}}}}, not {self.controls!r}."
            )
        check_keyframes(self.keyframes, self.keyframe_indexes, None)
        _check_exr(self.exr_export, self.hdr)

    def _fields(self) -> dict[str, Any]:
        return {**_Video._fields(self), "source": said(self.source)}

    def _video(self) -> dict[str, Any]:
        edit = {
            "strength": self.strength,
            "auto_controls": self.auto_controls,
            "controls": dict(self.controls) if self.controls is not None else None,
            **_said_keyframes(self.keyframes, self.keyframe_indexes),
        }
        edit = {name: value for name, value in edit.items() if value is not None}
        return {**_Video._video(self), "hdr": self.hdr, "exr_export": self.exr_export, "edit": edit or None}


@attrs.frozen(kw_only=True)
class LumaVideoReframe(_Video):
    """A video in another shape, filled in around its source, and as long: type `video_reframe`, of ray-3.2.

    `aspect_ratio` is the new shape.  Sources: as of `LumaRequest`.

    Raises:
        InputError: the position cannot be one, or the source is an address without `media_type`.
    """

    source: Reference = attrs.field(converter=as_source)
    """The video.  An address needs `media_type` beside it, such as "video/mp4" (SDK)."""
    type: Literal["video_reframe"] | str = "video_reframe"
    """Set by the class."""
    source_position: LumaSourcePosition | None = None
    """Where in the new frame the source stands, as shares of its width and height; None lets Luma decide (SDK)."""

    def __attrs_post_init__(self) -> None:
        LumaRequest.__attrs_post_init__(self)
        check_source(self.type, self.source)
        if self.source_position is not None:
            _check_position(self.source_position)

    def _fields(self) -> dict[str, Any]:
        return {**_Video._fields(self), "source": said(self.source)}

    def _video(self) -> dict[str, Any]:
        at = dict(self.source_position) if self.source_position is not None else None
        return {**_Video._video(self), "source_position": at}


def check_keyframes(frames: tuple[Reference, ...], indexes: tuple[int, ...], last: int | None) -> None:
    """Each keyframe has a place of its own, up to `last` where that is known.

    Raises:
        InputError: it is not so.
    """
    if len(frames) > MOST_KEYFRAMES:
        raise InputError(f"There are {len(frames)} keyframes; Luma takes at most {MOST_KEYFRAMES}.")
    if len(frames) != len(indexes):
        raise InputError(
            f"Each keyframe needs its index: keyframes has {len(frames)}, and keyframe_indexes {len(indexes)}."
        )
    span = "0 or more" if last is None else f"0 to {last}"
    for index in indexes:
        if type(index) is not int or index < 0 or (last is not None and index > last):
            raise InputError(
                f"A keyframe's index is the number of a frame at 24 frames per second, {span}, not {index!r}."
            )
    if len(set(indexes)) != len(indexes):
        raise InputError("Two keyframes have the same index; each stands at a frame of its own.")


def _said_keyframes(frames: tuple[Reference, ...], indexes: tuple[int, ...]) -> dict[str, Any]:
    return {"keyframes": [said(frame) for frame in frames], "keyframe_indexes": list(indexes)} if frames else {}


def _check_exr(exr_export: bool | None, hdr: bool | None) -> None:
    if exr_export and not hdr:
        raise InputError("exr_export needs hdr as well: only a video with high dynamic range has EXR frames.")


def _check_position(position: Mapping[str, Any]) -> None:
    check_json(position, "source_position")
    names = {"x_norm": -2.0, "y_norm": -2.0, "w_norm": 0.0, "h_norm": 0.0}
    if not isinstance(position, Mapping) or set(position) != set(names):
        raise InputError(f"source_position has exactly {', '.join(names)}, each a number; not {position!r}.")
    for name, lowest in names.items():
        check_number(position[name], f"source_position.{name}", lowest, 2.0)
        if name in ("w_norm", "h_norm") and position[name] == 0:
            raise InputError(f"source_position.{name} has to be more than 0.")


__all__ = ["LumaControls", "LumaSourcePosition", "LumaVideo", "LumaVideoEdit", "LumaVideoReframe"]
