"""The models of API v2, and what each of them takes, as published in October 2026. Pure.

Of image models the table has everything that is checked here; the full schemas of
video, audio and 3D models are not known, so any parameter is accepted that a guide has for a model of that kind.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

import attrs

_TABLE = """
image 8 st style=1,content=1 : flux-dev flux-schnell lucid-origin lucid-realism
image 8 st image_reference=4 : flux-kontext-pro flux-kontext-max flux-pro-2.0
image 8 snt style=4,content=1,character=1,image_to_image=1 : phoenix-v0.9 phoenix-v1.0
image 8 snt edge=1,pose=1,depth=1,style=4,content=1,character=1,text_image=1,image_to_image=1 : kino-xl anime-xl
    portrait-perfect stock-photography illustrative-albedo concept-art lifelike-vision graphic-design lightning-xl
image 8 snt - : ideogram-v3.0
image 4 - - : ideogram-v4.0
image 8 - - : ideogram/p-image-ideogram recraft-v4 recraft-v4-pro krea-2-turbo
image 8 s image_reference=5 : ideogram/ideogram-4.5
image 8 st image_reference=6 : gemini-2.5-flash-image nano-banana-2-lite gemini-image-2 seedream-4.0
    seedream-4.5 gpt-image-1.5
image 8 st image_reference=6,video_reference_base=1 : nano-banana-2
image 8 - image_reference=10 : bfl/flux-3-image bytedance/seedream-5.0-flash
image 6 s image_reference=10 : seedream-5.0-pro
image 8 t image_reference=6 : gpt-image-2
image 8 t image_reference=16 : openai/gpt-image-2.5-flare openai/gpt-image-2.5-sunburst
image 8 s style=10 : krea/krea-2
video 1 ? ? : motion_2.0 motion_2.0-fast veo-3.1-generate-001 veo-3.1-fast-generate-001 veo-3.1-lite kling-2.5
    kling-2.6 kling-2.5-turbo-standard ltxv-2.3-pro ltxv-2.3-fast happy-horse happy-horse-1.1 hailuo-2_3
    hailuo-2_3-fast hailuo-03 alibaba/wan-3.0 wan-2.7 bfl/flux-3-video wan-2.6 seedance-1.0-pro
    seedance-1.0-pro-fast seedance-2.0 seedance-2.0-fast seedance-2.0-mini bytedance/seedance-2.5 grok-imagine-1.5
    kling-video-o-1 kling-3.0 kling-3.0-turbo gemini-omni-flash google/gemini-omni-1.1-flash-preview kling-video-o-3
audio 4 ? ? : music-v1 sound-effects-v2 dialogue-v3 seed-audio-1.0
3d 1 ? ? : rodin-v2
"""
"""Kind, most outputs, whether it takes seed, negative prompt and styles (`s`, `n`, `t`), its guidances with the most
of each, and the slugs. `?`: not known."""

_IMAGE = "prompt quantity width height prompt_enhance quality mode contrast elements"
_BY_KIND = {
    "image": _IMAGE,
    "video": f"{_IMAGE} seed negative_prompt style_ids guidances duration resolution aspect_ratio motion_has_audio "
    "controls frame_interpolation",
    "audio": "prompt quantity seed guidances duration prompt_influence loop voice_id language_code lyrics",
    "3d": "prompt quantity seed guidances quality output_format mesh_mode material ta_pose bounding_box "
    "use_original_alpha",
}
_REMOVE_BG = """quantity guidances size type format channels bg_color crop crop_margin roi scale position
    semitransparency add_shadow shadow_type shadow_opacity"""
_UPSCALER = "quantity guidances width height seed upscale_factor upscale_mode creativity"

IDS = {
    "lucid-origin": "7b592283-e8a7-4c5a-9ba6-d18c31f258b9",
    "lucid-realism": "05ce0082-2d80-4a2d-8653-4d1c85e2418e",
    "phoenix-v1.0": "de7d3faf-762f-48e0-b3b7-9d0ac3a3fcf3",
    "phoenix-v0.9": "6b645e3a-d64f-4341-a6d8-7a3690fbf042",
    "flux-dev": "b2614463-296c-462a-9586-aafdb8f00e36",
    "flux-schnell": "1dd50843-d653-4516-a8e3-f0238ee453ff",
    "anime-xl": "e71a1c2f-4f80-4800-934f-2c68979d8cc8",
    "lightning-xl": "b24e16ff-06e3-43eb-8d33-4416c2d75876",
    "kino-xl": "aa77f04e-3eec-4034-9c07-d0f619684628",
}
"""The UUIDs that are known: what reads and the catalogue call a model, and what creates of v1 take."""

_NAMES = {"flux-schnell": "FLUX Schnell", "flux-dev": "FLUX Dev", "gemini-image-2": "Nano Banana Pro"}
_OLDER = {
    "phoenix-v1.0": "Leonardo Phoenix 1.0", "flux-dev": "Flux Dev", "flux-schnell": "Flux Schnell",
    "kino-xl": "Leonardo Kino XL", "lucid-origin": "Lucid Origin",
}  # fmt: skip
_WHOLE = ("quantity", "width", "height", "seed")


@attrs.frozen(kw_only=True)
class Model:
    """What one model takes."""

    slug: str
    kind: str
    most: int
    """Outputs of one create."""
    keys: frozenset[str]
    """Of `parameters`; any other is refused."""
    guidances: Mapping[str, int] | None = None
    """None: not known, so none is refused."""
    required: tuple[str, ...] = ()


def _read(table: str) -> list[Model]:
    found = []
    for line in table.replace("\n    ", " ").strip().splitlines():
        head, _, slugs = line.partition(" : ")
        kind, most, flags, listed = head.split()
        keys = set(_BY_KIND[kind].split())
        keys |= {
            name for flag, name in zip("snt", ("seed", "negative_prompt", "style_ids"), strict=True) if flag in flags
        }
        guidances = None if listed == "?" else dict(_pair(each) for each in listed.split(",") if each != "-")
        if guidances:
            keys.add("guidances")
        required = ("prompt",) if kind == "image" else ()
        found += [
            Model(slug=slug, kind=kind, most=int(most), keys=frozenset(keys), guidances=guidances, required=required)
            for slug in slugs.split()
        ]
    return found


def _pair(text: str) -> tuple[str, int]:
    name, _, count = text.partition("=")
    return name, int(count)


def _promptless() -> list[Model]:
    upscalers = [
        Model(
            slug=f"aurora-upscaler-{which}", kind="image", most=1, keys=frozenset(_UPSCALER.split()),
            guidances={"image_reference": 1}, required=("guidances",),
        )
        for which in ("creative", "precise")
    ]  # fmt: skip
    remove_bg = Model(
        slug="remove-bg", kind="image", most=1, keys=frozenset(_REMOVE_BG.split()),
        guidances={"image_reference": 1, "background_image_reference": 1}, required=("guidances",),
    )  # fmt: skip
    return [*upscalers, remove_bg]


MODELS: Mapping[str, Model] = {model.slug: model for model in (*_read(_TABLE), *_promptless())}


def find(slug: str, also: Collection[str] = ()) -> Model | None:
    """A model by its slug. Those in `also` take whatever an image model may take."""
    if slug in MODELS or slug not in also:
        return MODELS.get(slug)
    keys = frozenset(f"{_IMAGE} seed negative_prompt style_ids guidances".split())
    return Model(slug=slug, kind="image", most=8, keys=keys)


def kind_of(slug: str) -> str:
    """What a model makes; one that is not in the table makes pictures."""
    return MODELS[slug].kind if slug in MODELS else "image"


def catalogue() -> dict[str, Any]:
    """The answer to GET /v2/models. The id is a UUID, and no create takes it (reported)."""
    return {"productionApiAvailableModels": [_listed(model) for model in MODELS.values()]}


def _listed(model: Model) -> dict[str, Any]:
    slug = model.slug
    name = _NAMES.get(slug) or slug.rpartition("/")[2].replace("-", " ").replace("_", " ").title()
    properties: dict[str, Any] = {key: {"type": _type(key)} for key in sorted(model.keys)}
    properties["quantity"] |= {"minimum": 1, "maximum": model.most, "default": 1}
    schema = {
        "type": "object",
        "required": list(model.required),
        "properties": properties,
        "additionalProperties": False,
    }
    return {"id": IDS.get(slug) or str(uuid.uuid5(uuid.NAMESPACE_DNS, slug)), "name": name, "parameters": schema}


def _type(key: str) -> str:
    if key in _WHOLE:
        return "integer"
    return {"guidances": "object", "style_ids": "array", "elements": "array", "bounding_box": "array"}.get(
        key, "string"
    )


def older() -> dict[str, Any]:
    """The answer to GET /v1/platformModels."""
    rows = [
        {
            "description": f"{name}, a model of the older API.",
            "featured": False,
            "generated_image": None,
            "id": IDS[slug],
            "name": name,
            "nsfw": False,
        }
        for slug, name in _OLDER.items()
    ]
    return {"custom_models": rows}
