"""Luma's models, what each takes, and what it costs by the published prices.  Pure; no API call lists them.

As of November 2026.  Models, types and aspect ratios: API reference, and the types of the official SDK
`luma-agents` 0.5.0 (layering).  Prices of pictures: pricing guide, as of the middle of 2026.  Prices of videos are
known from two digests of that guide by third parties, which agree.  Luma charges in credits by now, about 0.003 dollars
each, and accounts with provisioned throughput pay otherwise: so every price is an estimate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from aiogen.catalogue import ModelInfo, Parameter
from aiogen.models import Cost, Typical

AS_OF = "2026-11"
"""Year and month of this table."""

UNI_RATIOS = ("3:1", "2:1", "16:9", "3:2", "1:1", "2:3", "9:16", "1:2", "1:3")
RAY_RATIOS = ("21:9", "16:9", "4:3", "1:1", "3:4", "9:16")
MANGA_RATIOS = ("2:3", "9:16", "1:2", "1:3")
"""Portraits alone."""

_RESOLUTIONS = ("360p", "540p", "720p", "1080p")


@attrs.frozen(kw_only=True)
class KnownModel:
    """One model, as far as it is known here."""

    about: str
    types: tuple[str, ...]
    """What it makes; the first is what it makes where nobody says."""
    ratios: tuple[str, ...]
    typical: Typical


# FAQ: uni-1 typically 15-60 s; ray-3.2 well under two minutes at 5 s and 720p.  The spreads are ours, and so is the
# median of uni-1-max, of which a reseller says "a minute or two".
MODELS: Mapping[str, KnownModel] = {
    "uni-1": KnownModel(
        about="Pictures, edits, and layers: one picture per generation, of layers several.",
        types=("image", "image_edit", "layering"),
        ratios=UNI_RATIOS,
        typical=Typical(median=30.0, spread=0.45),
    ),
    "uni-1-max": KnownModel(
        about="Pictures and edits in more detail: one picture per generation.",
        types=("image", "image_edit"),
        ratios=UNI_RATIOS,
        typical=Typical(median=60.0, spread=0.6),
    ),
    "ray-3.2": KnownModel(
        about="Videos of 5 or 10 s; edits and reframes of a video are as long as their source.",
        types=("video", "video_edit", "video_reframe"),
        ratios=RAY_RATIOS,
        typical=Typical(median=90.0, spread=0.6),
    ),
}
"""By name.  Others may be there: their names are sent as they are."""

PICTURES = {"uni-1": Decimal("0.0404"), "uni-1-max": Decimal("0.1000")}
"""Model to dollars for a picture from words alone."""
REFERENCE = Decimal("0.0030")
"""Dollars for each picture that is referred to, the source of an edit included."""
VIDEOS = {
    ("5s", False, False): {"540p": "0.15", "720p": "0.30", "1080p": "1.20"},
    ("10s", False, False): {"540p": "0.45", "720p": "0.90", "1080p": "3.60"},
    ("5s", True, False): {"720p": "0.60", "1080p": "2.40"},
    ("5s", True, True): {"720p": "0.90", "1080p": "3.60"},
}
"""Duration, hdr and EXR, to resolution, to dollars for a clip of ray-3.2.  360p and hdr of 540p are not in the list."""


def price_of(body: Mapping[str, Any]) -> Cost | None:
    """What a create with this body costs by the published prices; None where they do not say.

    They do not say it of layers, and of edits and reframes of a video by the length of the source, which is not known
    here.
    """
    kind, model = body.get("type"), body.get("model")
    if kind in ("image", "image_edit") and isinstance(model, str) and model in PICTURES:
        listed = body.get("image_ref")
        count = (len(listed) if isinstance(listed, list) else 0) + (body.get("source") is not None)
        return _dollars(PICTURES[model] + count * REFERENCE)
    if kind == "video" and model == "ray-3.2" and isinstance(video := body.get("video"), Mapping):
        duration, resolution = video.get("duration"), video.get("resolution")
        if isinstance(duration, str) and isinstance(resolution, str):
            clip = (duration, video.get("hdr") is True, video.get("exr_export") is True)
            amount = VIDEOS.get(clip, {}).get(resolution)
            return None if amount is None else _dollars(Decimal(amount))
    return None


def _dollars(amount: Decimal) -> Cost:
    return Cost(amount, "DOLLARS", is_estimate=True)


def ratios_of(model: str, style: object = None) -> tuple[str, ...]:
    """The aspect ratios that a model takes; of one that is not known, all there are."""
    if style == "manga":
        return MANGA_RATIOS
    known = MODELS.get(model)
    return known.ratios if known is not None else tuple(dict.fromkeys((*UNI_RATIOS, *RAY_RATIOS)))


def nearest_ratio(width: int, height: int, ratios: tuple[str, ...]) -> str:
    """The one whose shape is nearest to that of `width` by `height`."""

    def distance(ratio: str) -> float:
        across, down = map(int, ratio.split(":"))
        return abs(math.log(width / height) - math.log(across / down))

    return min(ratios, key=distance)


# --- for people and programs that list models


def _parameters_of(name: str, model: KnownModel) -> tuple[Parameter, ...]:
    shared = (
        Parameter(name="aspect_ratio", about="Width to height; the model decides otherwise.", choices=model.ratios),
        Parameter(name="type", about="What is made.", choices=model.types, default=model.types[0]),
        Parameter(name="user_id", about="Your end user's opaque tag."),
    )
    if "image" in model.types:
        layers = (Parameter(name="resolution", about="Of layers.", choices=("1k", "2k")),) * ("layering" in model.types)
        return (
            *shared,
            Parameter(name="style", about="manga is for portraits.", choices=("auto", "manga"), default="auto"),
            Parameter(name="output_format", about="The model decides otherwise.", choices=("png", "jpeg")),
            Parameter(name="web_search", about="Adds a few seconds.", choices=(True, False), default=False),
            Parameter(name="image_ref", about="Pictures to go by: up to 9, 8 of an edit."),
            Parameter(name="source", about="The picture that an edit, or layers, begin with."),
            *layers,
        )
    return (
        *shared,
        Parameter(name="duration", about="Of type video.", choices=("5s", "10s")),
        Parameter(name="resolution", about="Lines of the frame.", choices=_RESOLUTIONS),
        Parameter(name="loop", about="Not with 10s or hdr.", choices=(True, False)),
        Parameter(name="hdr", about="Needs access; not of a reframe.", choices=(True, False)),
        Parameter(name="exr_export", about="EXR frames as a further output; needs hdr.", choices=(True, False)),
        Parameter(name="start_frame", about="The picture that it begins with."),
        Parameter(name="end_frame", about="The picture that it ends with."),
        Parameter(name="keyframes", about="1 to 64 pictures, in place of start_frame, end_frame and loop."),
        Parameter(name="keyframe_indexes", about="Frames at 24 per second, one for each keyframe.", minimum=0),
        Parameter(name="source", about="The video to edit or reframe; an address needs its media type."),
        Parameter(name="source_position", about="Of a reframe: where the source stands."),
        Parameter(name="strength", about="Of an edit: adhere_1 to 3, flex_1 to 3, reimagine_1 to 3."),
        Parameter(name="auto_controls", about="Of an edit.", choices=(True, False)),
        Parameter(name="controls", about="Of an edit: depth, face, normals, pose, trajectory."),
    )


def known_models(typical: Callable[[str, Typical], Typical]) -> tuple[ModelInfo, ...]:
    """Every model of the table; `typical` knows better how long one takes."""
    return tuple(
        ModelInfo(
            name=name,
            kind="image" if "image" in model.types else "video",
            about=model.about,
            takes_prompt=True,
            max_references=9 if "image" in model.types else None,
            parameters=_parameters_of(name, model),
            price=price_of({"type": model.types[0], "model": name}),
            seconds=typical(name, model.typical).median,
            typical=typical(name, model.typical),
            source=f"Luma's API reference and pricing guide, official SDK 0.5.0; as of {AS_OF}",
        )
        for name, model in MODELS.items()
    )


__all__ = ["MODELS", "KnownModel", "known_models", "nearest_ratio", "price_of", "ratios_of"]
