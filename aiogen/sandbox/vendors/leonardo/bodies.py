"""The bodies of Leonardo's answers: a create's receipt, a generation, the account. (Errors: `errors`.)"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ...jobs import SandboxJob, View
from .models import IDS
from .settings import LeonardoSettings

DEFAULT_MODEL = "b24e16ff-06e3-43eb-8d33-4416c2d75876"

WORDS = {"queued": "PENDING", "processing": "PENDING", "completed": "COMPLETE", "failed": "FAILED"}
"""The API has one word for queued and running."""


def stamp(when: datetime) -> str:
    """As the API writes times: milliseconds, and no zone."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}"


def receipt(settings: LeonardoSettings, job: SandboxJob, *, version: int) -> object:
    """The answer to an accepted create."""
    cost: dict[str, Any] = {}
    match settings.cost_mode:
        case "dollars":
            cost = {"cost": {"amount": f"{0.0147 * max(1, job.outputs):.4f}", "unit": "DOLLARS"}}
            if version == 1:
                cost["apiCreditCost"] = None
        case "credits":
            cost = {"apiCreditCost": 9 * max(1, job.outputs)}
        case "zero":
            cost = {"apiCreditCost": 0}
    flat = {"generationId": job.id, **cost}
    if version == 1:
        return {"sdGenerationJob": flat}
    match settings.create_shape:
        case "flat":
            return flat
        case "array":
            return [{"generate": flat}]
    return {settings.create_shape: flat}


def generation(job: SandboxJob, view: View, created: datetime, url: Callable[[int, str], str]) -> dict[str, Any]:
    """One generation, with the keys that were recorded from the live API. `url` makes one from index and suffix."""
    body, video = job.body.get("parameters", job.body), job.kind == "video"
    without_enums = job.fate.null_enums or video
    seed = body.get("seed")
    shown: dict[str, Any] = {
        "generated_images": [],
        "modelId": _model_id(job),
        "motion": True if video else None,
        "motionModel": job.model.upper() if video else None,
        "motionStrength": None,
        "prompt": body.get("prompt", ""),
        "negativePrompt": body.get("negative_prompt") or "",
        "imageHeight": job.size[1],
        "imageToVideo": None,
        "imageWidth": job.size[0],
        "inferenceSteps": None if video else body.get("num_inference_steps", 15),
        "seed": job.seed if seed is None else seed,
        "public": bool(job.body.get("public", False)),
        "scheduler": None if without_enums else body.get("scheduler") or "EULER_DISCRETE",
        "sdVersion": None if without_enums else body.get("sd_version") or "SDXL_LIGHTNING",
        "status": WORDS.get(view.state, view.state),
        "presetStyle": None if without_enums else body.get("presetStyle") or "DYNAMIC",
        "initStrength": body.get("init_strength"),
        "guidanceScale": None if video else body.get("guidance_scale", 7),
        "id": job.id,
        "createdAt": stamp(created),
        "promptMagic": False,
        "promptMagicVersion": None,
        "promptMagicStrength": None,
        "photoReal": False,
        "photoRealStrength": None,
        "fantasyAvatar": None,
        "generation_elements": [],
    }
    if view.output == "full":
        shown["generated_images"] = [_image(job, index, url) for index in range(job.outputs)]
    elif view.output == "absent":
        del shown["generated_images"]
    if classes := _moderation(job, view):
        shown["prompt_moderations"] = [{"moderationClassification": classes}]
    return shown


def _model_id(job: SandboxJob) -> str | None:
    """A UUID, or null where none is known."""
    if "parameters" in job.body:
        return IDS.get(job.model)
    return job.body.get("modelId") or DEFAULT_MODEL


def _image(job: SandboxJob, index: int, url: Callable[[int, str], str]) -> dict[str, Any]:
    dice = random.Random(f"{job.id}/{index}")
    video = job.kind == "video"
    image_id = f"{dice.getrandbits(32):08x}-{dice.getrandbits(16):04x}-4{dice.getrandbits(12):03x}-"
    image_id += f"8{dice.getrandbits(12):03x}-{dice.getrandbits(48):012x}"
    return {
        "url": url(index, "png" if job.format == "png" else "jpg"),  # of a video: the poster
        "nsfw": job.flagged(index),
        "id": image_id,
        "likeCount": 0,
        "motionMP4URL": url(index, "mp4") if video else None,
        "generated_image_variation_generics": [],
    }


def _moderation(job: SandboxJob, view: View) -> list[str]:
    """The only known sign of why a job failed; it is not documented."""
    if view.state not in ("completed", "failed"):
        return []
    if job.fate.moderation:
        return list(job.fate.moderation)
    return ["NSFW"] if view.state == "failed" and job.fate.failure_code == "content_moderated" else []


def account(settings: LeonardoSettings) -> dict[str, Any]:
    """The account's own data."""
    return {
        "user_details": [
            {
                "user": {"id": settings.user_id, "username": settings.username},
                "tokenRenewalDate": None,
                "paidTokens": 0,
                "subscriptionTokens": 150,
                "subscriptionGptTokens": 0,
                "subscriptionModelTokens": 0,
                "apiConcurrencySlots": settings.api_concurrency_slots,
                "apiPaidTokens": settings.api_paid_tokens,
                "apiSubscriptionTokens": settings.api_subscription_tokens,
                "apiPlanTokenRenewalDate": None,
            }
        ]
    }
