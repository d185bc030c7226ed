"""What a create on v1 will cost, by the vendor's calculator.  Pure.

The calculator knows the older models alone, and only those families that it has a flag for (v1 reference).  It answers
in credits; nothing says what it means for an account that pays in dollars.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiogen.models import Cost
from aiogen.providers.leonardo_models import slug_of
from aiogen.providers.reading import parse_amount

_FAMILIES = {
    "phoenix-v1.0": "isPhoenix", "phoenix-v0.9": "isPhoenix", "PHOENIX": "isPhoenix",
    "flux-dev": "isFluxDev", "FLUX_DEV": "isFluxDev", "flux-schnell": "isFluxSchnell", "FLUX": "isFluxSchnell",
    "lightning-xl": "isSDXLLightning", "SDXL_LIGHTNING": "isSDXLLightning",
    "kino-xl": "isSDXL", "anime-xl": "isSDXL", "KINO_2_0": "isSDXL",
    "SDXL_1_0": "isSDXL", "SDXL_0_9": "isSDXL", "SDXL_0_8": "isSDXL",
}  # fmt: skip
"""By slug, or by `sd_version`."""

_PASSED = {
    "promptMagic": "promptMagic", "promptMagicVersion": "promptMagicVersion",
    "promptMagicStrength": "promptMagicStrength", "photoReal": "photoRealMode", "photoRealVersion": "photoRealVersion",
    "photoRealStrength": "photoRealStrength", "ultra": "isUltra",
}  # fmt: skip
"""A field of the create, and what the calculator calls it."""

_NOT_PRICED = ("controlnets", "canvasRequest", "init_image_id", "init_generation_image_id", "imagePrompts", "unzoom")
"""Fields whose price the calculator does not know, or asks for."""


def question(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """What to ask the calculator about a create on v1; None if it cannot know."""
    family = _FAMILIES.get(str(slug_of(body.get("modelId")))) or _FAMILIES.get(str(body.get("sd_version")))
    if family is None or any(body.get(name) for name in _NOT_PRICED):
        return None
    # The defaults of the create (v1 reference): the calculator has none.
    asked = {
        "imageWidth": body.get("width") or 1024,
        "imageHeight": body.get("height") or 768,
        "numImages": body.get("num_images") or 4,
        "inferenceSteps": body.get("num_inference_steps") or 15,
        "alchemyMode": body.get("alchemy") is not False and not body.get("ultra"),
        "highResolution": bool(body.get("highResolution")),
        family: True,
    }
    asked |= {theirs: body[ours] for ours, theirs in _PASSED.items() if body.get(ours) is not None}
    elements = [*(body.get("elements") or ()), *(body.get("userElements") or ())]
    if elements:
        asked["loraCount"] = len(elements)
    return {"service": "IMAGE_GENERATION", "serviceParams": {"IMAGE_GENERATION": asked}}


def answered(document: Any) -> Cost | None:
    """The price in an answer of the calculator's."""
    found = document.get("calculateProductionApiServiceCost") if isinstance(document, Mapping) else None
    amount = parse_amount(found.get("cost")) if isinstance(found, Mapping) else None
    return None if amount is None else Cost(amount, "CREDITS", is_estimate=True)


__all__ = ["answered", "question"]
