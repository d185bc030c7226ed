"""What is known of Leonardo's models: a table of 8 October 2026.  Pure.

Source: the parameter schemas that the published description of API v2 had on that day, as other people's tables give
them; the vendor's guides for single models (June to September 2026) where a comment says so; the guide on older models
for their UUIDs.  Slugs come and go every few weeks, so this is no list of what is allowed: a model that is not in it is
passed on, and of one that is, only what it certainly does not take is refused.

None, or a name that is missing here, means that nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import attrs

from aiogen.providers.parameters import proposal

DATE = "2026-10-08"
SOURCE = f"aiogen's table of {DATE}, from the vendor's description of API v2"


@attrs.frozen(kw_only=True)
class Model:
    """One model of API v2."""

    slug: str
    kind: str
    """"image", "video", "audio" or "3d": what it makes."""
    max_quantity: int
    """Most outputs of one create."""
    takes_prompt: bool | None = True
    """False: its schema has no prompt, and unknown keys are refused."""
    seed: bool | None = None
    negative_prompt: bool | None = None
    styles: bool | None = None
    """Whether it takes `style_ids`."""
    size: bool | None = None
    """Whether it takes a width and a height."""
    guidances: Mapping[str, int] | None = None
    """Which kinds of reference it takes, and how many of each; empty: none."""
    about: str | None = None
    """What it is for, where its name does not say."""

    @property
    def max_references(self) -> int | None:
        """Most pictures under the key that `references=` goes to; 0 if it takes none."""
        key = reference_key(self)
        if key is not None and self.guidances is not None:
            return self.guidances[key]
        return 0 if self.guidances == {} else None


def reference_key(model: Model | None) -> str | None:
    """The guidance that `references=` means at this model: `image_reference`, or the only one it has.

    None if it has none, or several of which none is meant before the others.  A model of which nothing is known is
    asked for `image_reference`, as the newer ones have it; a video is not: its pictures may also be frames.
    """
    if model is None or (model.guidances is None and model.kind == "3d"):
        return "image_reference"
    if model.guidances is None:
        return None
    if "image_reference" in model.guidances:
        return "image_reference"
    return next(iter(model.guidances)) if len(model.guidances) == 1 else None


def _rows(kind: str, names: str, **known: Any) -> list[Model]:
    usual = {"max_quantity": 8 if kind == "image" else 1}
    return [Model(slug=slug, kind=kind, **{**usual, **known}) for slug in names.split()]


def _images(names: str, *, seed: bool | None = True, styles: bool = True, negative: bool = False, **known: Any) -> Any:
    return _rows("image", names, seed=seed, styles=styles, negative_prompt=negative, size=True, **known)


_STYLE_OR_CONTENT = {"style": 1, "content": 1}
_PHOENIX = {"style": 4, "content": 1, "character": 1, "image_to_image": 1}
_XL = {"edge": 1, "pose": 1, "depth": 1, "text_image": 1, **_PHOENIX}


def _images_of(count: int) -> dict[str, Any]:
    return {"guidances": {"image_reference": count}}


_NO_PICTURE: dict[str, Any] = {"size": False, "negative_prompt": False, "styles": False}


_ALL = (
    # --- the vendor's own
    *_images("lucid-origin lucid-realism flux-dev flux-schnell", guidances=_STYLE_OR_CONTENT),
    *_images("phoenix-v0.9 phoenix-v1.0", negative=True, guidances=_PHOENIX),
    *_images(
        "kino-xl anime-xl portrait-perfect stock-photography illustrative-albedo concept-art lifelike-vision "
        "graphic-design lightning-xl",
        negative=True, guidances=_XL,
    ),
    # --- those of others
    *_images("flux-kontext-pro flux-kontext-max flux-pro-2.0", **_images_of(4)),
    *_images("gemini-2.5-flash-image nano-banana-2-lite gemini-image-2 seedream-4.0 seedream-4.5", **_images_of(6)),
    *_images("nano-banana-2", guidances={"image_reference": 6, "video_reference_base": 1}),
    *_images("ideogram-v3.0", negative=True, guidances={}),
    *_images("ideogram-v4.0", seed=False, styles=False, guidances={}, max_quantity=4),
    *_images("ideogram/ideogram-4.5", styles=False, **_images_of(5)),
    *_images("seedream-5.0-pro", styles=False, max_quantity=6, **_images_of(10)),
    *_images("bfl/flux-3-image bytedance/seedream-5.0-flash", seed=False, styles=False, **_images_of(10)),
    # The table says that it takes no seed, the vendor's guide of June 2026 sends one.
    *_images("gpt-image-1.5", seed=None, **_images_of(6)),
    *_images("gpt-image-2", seed=False, **_images_of(6)),
    *_images("openai/gpt-image-2.5-flare openai/gpt-image-2.5-sunburst", seed=False, **_images_of(16)),
    *_images(
        "recraft-v4 recraft-v4-pro krea-2-turbo ideogram/p-image-ideogram", seed=False, styles=False, guidances={}
    ),
    *_images("krea/krea-2", styles=False, guidances={"style": 10}),
    # --- without a prompt.  Of remove-bg the schema itself was read; of the upscalers no sample or table has a prompt.
    *_rows(
        "image", "remove-bg",
        max_quantity=1, takes_prompt=False, seed=False, negative_prompt=False, styles=False, size=False,
        guidances={"image_reference": 1, "background_image_reference": 1},
        about="Removes the background of a picture.",
    ),
    *_rows(
        "image", "aurora-upscaler-creative aurora-upscaler-precise",
        max_quantity=1, takes_prompt=False, negative_prompt=False, styles=False, size=True,
        about="Makes a picture larger; width and height are those of the picture that is given.", **_images_of(1),
    ),
    # --- films, sounds, solids: of these the table has the kind and the quantity alone.  The guides for sounds and for
    # the solid have neither a size, nor a negative prompt, nor styles.
    *_rows(
        "video",
        "motion_2.0 motion_2.0-fast veo-3.1-generate-001 veo-3.1-fast-generate-001 veo-3.1-lite kling-2.5 kling-2.6 "
        "kling-2.5-turbo-standard kling-video-o-1 kling-3.0 kling-3.0-turbo kling-video-o-3 ltxv-2.3-pro ltxv-2.3-fast "
        "happy-horse happy-horse-1.1 hailuo-2_3 hailuo-2_3-fast hailuo-03 alibaba/wan-3.0 wan-2.7 wan-2.6 "
        "bfl/flux-3-video seedance-1.0-pro seedance-1.0-pro-fast seedance-2.0 seedance-2.0-fast seedance-2.0-mini "
        "bytedance/seedance-2.5 grok-imagine-1.5 gemini-omni-flash google/gemini-omni-1.1-flash-preview",
    ),
    *_rows("audio", "music-v1 sound-effects-v2 dialogue-v3 seed-audio-1.0", max_quantity=4, **_NO_PICTURE),
    # Its guide's sample has pictures and no prompt.
    *_rows("3d", "rodin-v2", takes_prompt=None, **_NO_PICTURE),
)  # fmt: skip

MODELS: Mapping[str, Model] = {model.slug: model for model in _ALL}

SLUGS: Mapping[str, str] = {
    "7b592283-e8a7-4c5a-9ba6-d18c31f258b9": "lucid-origin",
    "05ce0082-2d80-4a2d-8653-4d1c85e2418e": "lucid-realism",
    "de7d3faf-762f-48e0-b3b7-9d0ac3a3fcf3": "phoenix-v1.0",
    "6b645e3a-d64f-4341-a6d8-7a3690fbf042": "phoenix-v0.9",
    "b2614463-296c-462a-9586-aafdb8f00e36": "flux-dev",
    "1dd50843-d653-4516-a8e3-f0238ee453ff": "flux-schnell",
    "e71a1c2f-4f80-4800-934f-2c68979d8cc8": "anime-xl",
    "b24e16ff-06e3-43eb-8d33-4416c2d75876": "lightning-xl",
    "aa77f04e-3eec-4034-9c07-d0f619684628": "kino-xl",
}
"""The UUID by which v1, and every reading, knows a model, to the slug by which v2 creates with it."""

# Of image models; remove-bg and the upscalers; films; sounds; solids.
_V2 = """prompt negative_prompt width height quantity seed style_ids prompt_enhance guidances mode contrast quality
    elements
    size type format channels bg_color crop crop_margin roi scale position semitransparency add_shadow shadow_type
    shadow_opacity upscale_factor upscale_mode creativity
    duration resolution aspect_ratio motion_has_audio controls frame_interpolation
    prompt_influence loop voice_id language_code lyrics
    output_format mesh_mode material ta_pose bounding_box use_original_alpha"""
V2_WORDS = frozenset(_V2.split())
"""Parameters that some model of v2 is known to take, by the guides."""

_V1 = """prompt negative_prompt modelId num_images width height num_inference_steps guidance_scale seed alchemy ultra
    contrast contrastRatio presetStyle styleUUID sd_version scheduler public photoReal photoRealVersion
    photoRealStrength promptMagic promptMagicVersion promptMagicStrength highContrast highResolution expandedDomain
    fantasyAvatar tiling enhancePrompt enhancePromptInstruction init_image_id init_generation_image_id init_strength
    imagePrompts imagePromptWeight controlnets elements userElements transparency unzoom unzoomAmount upscaleRatio
    canvasRequest canvasRequestType canvasInitId canvasMaskId controlNet controlNetType weighting"""
V1_FIELDS = frozenset(_V1.split())
"""Fields of a create on v1 (SDK 7.0.0; `styleUUID`: the Phoenix guide).  Any other is refused there."""

_RETIRED = {"mode": ("gpt-image-1.5", "ideogram-v3.0")}
"""Parameters that models took once (deprecations page: since 4 May 2026 such a request fails)."""

_FILM_WORDS = (
    "motion video kling veo sora seedance hailuo wan- ltx ray- runway pika gemini-omni grok-imagine happy-horse"
)


def is_uuid(model: str) -> bool:
    """Whether this names a model of v1."""
    try:
        UUID(model)
    except ValueError:
        return False
    return True


def slug_of(model: str | None) -> str | None:
    """A model by the name that a create of v2 takes, where that is known; else as it is."""
    return SLUGS.get(model.lower(), model) if model is not None else None


def nearest(slug: str) -> str | None:
    """The model of the table whose name is most like this one."""
    return proposal(slug, MODELS)


def is_retired(slug: str, parameter: str) -> bool:
    """Whether the vendor says that this model does not take it any more."""
    return slug in _RETIRED.get(parameter, ())


def kind_of(model: str, parameters: Mapping[str, Any]) -> str:
    """What a model makes: by the table, else by what only films take, else by words in its name.

    Being wrong costs a deadline of ten minutes in place of thirty, and some questions more.
    """
    if (known := MODELS.get(model)) is not None:
        return known.kind
    if is_uuid(model):
        return "image"
    guidances = parameters.get("guidances")
    keys = " ".join(map(str, guidances)) if isinstance(guidances, Mapping) else ""
    if "frame" in keys or "video" in keys:
        return "video"
    name = model.lower()
    if any(word in name for word in ("audio", "music", "sound", "dialogue")):
        return "audio"
    if "rodin" in name or "3d" in name:
        return "3d"
    is_film = "duration" in parameters or any(word in name for word in _FILM_WORDS.split())
    return "video" if is_film else "image"


__all__ = [
    "DATE",
    "MODELS",
    "SLUGS",
    "SOURCE",
    "V1_FIELDS",
    "V2_WORDS",
    "Model",
    "is_retired",
    "is_uuid",
    "kind_of",
    "nearest",
    "reference_key",
    "slug_of",
]
