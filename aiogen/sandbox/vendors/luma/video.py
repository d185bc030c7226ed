"""What Luma's Agents API refuses in the objects `video` and `layering` of a create. Pure.

Values and exclusions are those of the vendor's SDK and of the guides; their texts and statuses are not documented.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .refusals import Refusal

_CHOICES = {"duration": ("5s", "10s"), "resolution": ("360p", "540p", "720p", "1080p")}
_LAST_FRAME = {"5s": 120, "10s": 240}
_STRENGTHS = tuple(f"{word}_{step}" for word in ("adhere", "flex", "reimagine") for step in (1, 2, 3))
_LAYERS = ("1k", "2k")
_MOST_KEYFRAMES = 64

CheckReference = Callable[[object, str], None]
"""Raises Refusal unless it names exactly one image that is available."""


def check_layering(layering: object) -> None:
    """Raises Refusal if the object is not one that the vendor takes."""
    if layering is None:
        return
    if not isinstance(layering, Mapping) or layering.get("resolution") not in (None, *_LAYERS):
        raise Refusal(400, f"Invalid layering.resolution. Valid: {', '.join(_LAYERS)}")


def check_video(video: object, kind: str, check_reference: CheckReference) -> None:
    """Raises Refusal if the object is not one that the vendor takes."""
    if video is None:
        return
    if not isinstance(video, Mapping):
        raise Refusal(400, "video must be an object")
    for name, choices in _CHOICES.items():
        if video.get(name) not in (None, *choices):
            raise Refusal(400, f"Invalid video.{name} '{video[name]}'. Valid: {', '.join(choices)}")
    for frame in ("start_frame", "end_frame"):
        if video.get(frame) is not None:
            check_reference(video[frame], f"video.{frame}")
    _check_exclusions(video, kind)
    _check_keyframes(video, "video", _LAST_FRAME[video.get("duration") or "10s"], check_reference)
    if (edit := video.get("edit")) is not None:
        _check_edit(edit, kind, check_reference)
    if (position := video.get("source_position")) is not None:
        _check_position(position, kind)


def _check_exclusions(video: Mapping[str, Any], kind: str) -> None:
    has = {name for name, value in video.items() if value}
    if "keyframes" in has and (clash := has & {"start_frame", "end_frame", "loop"}):
        raise Refusal(400, f"video.keyframes cannot be combined with {', '.join(sorted(clash))}")
    if "loop" in has and video.get("duration") == "10s":
        raise Refusal(400, "video.loop is not supported with duration '10s'")
    if "loop" in has and "hdr" in has:
        raise Refusal(400, "video.loop is not supported with hdr")
    if "hdr" in has and kind == "video_reframe":
        raise Refusal(400, "video.hdr is not supported for type 'video_reframe'")
    if "hdr" in has and kind == "video" and video.get("resolution") == "360p":
        raise Refusal(400, "video.hdr is not supported with resolution '360p'")
    if "exr_export" in has and "hdr" not in has:
        raise Refusal(400, "video.exr_export requires hdr")


def _check_keyframes(holder: Mapping[str, Any], where: str, last: int | None, check_reference: CheckReference) -> None:
    frames, indexes = holder.get("keyframes") or [], holder.get("keyframe_indexes") or []
    if not isinstance(frames, list) or not isinstance(indexes, list) or len(frames) != len(indexes):
        raise Refusal(400, f"{where}.keyframes and {where}.keyframe_indexes must have the same length")
    if len(frames) > _MOST_KEYFRAMES:
        raise Refusal(400, f"{where}.keyframes supports up to {_MOST_KEYFRAMES} images")
    for position, index in enumerate(indexes):
        is_frame = type(index) is int and index >= 0 and (last is None or index <= last)
        if not is_frame or index in indexes[:position]:
            raise Refusal(400, f"{where}.keyframe_indexes[{position}]: invalid index {index}")
    for position, frame in enumerate(frames):
        check_reference(frame, f"{where}.keyframes[{position}]")


def _check_edit(edit: object, kind: str, check_reference: CheckReference) -> None:
    if kind != "video_edit":
        raise Refusal(400, "video.edit is only valid for type 'video_edit'")
    if not isinstance(edit, Mapping):
        raise Refusal(400, "video.edit must be an object")
    if edit.get("strength") not in (None, *_STRENGTHS):
        raise Refusal(400, f"Invalid video.edit.strength '{edit['strength']}'. Valid: {', '.join(_STRENGTHS)}")
    _check_keyframes(edit, "video.edit", None, check_reference)


def _check_position(position: object, kind: str) -> None:
    if kind != "video_reframe":
        raise Refusal(400, "video.source_position is only valid for type 'video_reframe'")
    values: Mapping[str, Any] = position if isinstance(position, Mapping) else {}
    for name in ("x_norm", "y_norm", "w_norm", "h_norm"):
        value: Any = values.get(name)
        is_side = name[0] in "wh"
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not (0 if is_side else -2) <= value <= 2 or (is_side and value == 0):
            raise Refusal(400, f"video.source_position.{name}: invalid value")
