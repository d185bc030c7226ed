"""The providers of this package pass what every provider has to pass."""

from __future__ import annotations

from pathlib import Path

from providers.drive import answer, sample, sample_body

import aiogen
from aiogen.exchange import Response
from aiogen.testing import ProviderBattery

ID = "5a1e2f3c-7b6d-4c8e-9f10-2a3b4c5d6e7f"
"""Of Leonardo's recorded answers."""


class TestLuma(ProviderBattery):
    provider = aiogen.Luma(api_key="luma-api-0123456789")
    request = aiogen.LumaImage(prompt="a paper boat", aspect_ratio="16:9", extra={"video": {"frames": [1, None]}})
    request_with_file = aiogen.LumaImageEdit(prompt="a paper boat", source=Path("a.png"))
    accepted = sample("luma/created")
    running = sample("luma/processing")
    completed = sample("luma/completed_image")
    failed = sample("luma/failed_content_moderated")
    refused = sample("luma/error_400_prompt_length")
    account = sample("luma/error_404")


class TestLeonardo(ProviderBattery):
    provider = aiogen.Leonardo(api_key="leonardo-0123456789")
    request = aiogen.LeonardoImage(prompt="a paper boat", model="gemini-image-2", seed=3, extra={"style": ["x", None]})
    request_with_file = aiogen.LeonardoImage(
        prompt="a paper boat",
        model="gemini-image-2",
        references=Path("a.png"),
        guidances={"image_reference": Path("b.png")},
    )
    accepted = answer({"generate": {"generationId": ID, "cost": {"amount": "0.0972", "unit": "DOLLARS"}}})
    running = sample("leonardo/pending")
    completed = sample("leonardo/complete_image")
    failed = sample("leonardo/failed")
    refused = answer({"error": "it is so", "code": "unexpected", "path": "$"})
    listed = (sample("leonardo/me"), sample("leonardo/list"))
    deleted = sample("leonardo/deleted")
    account = sample("leonardo/me")


class TestOldLeonardo(TestLeonardo):
    request = aiogen.LeonardoImage(prompt="a paper boat", model="b24e16ff-06e3-43eb-8d33-4416c2d75876", num_images=2)
    accepted = sample("leonardo/created_v1_credits")


def about_one(name: str) -> Response:
    """A recorded history of one job, as if it had the id below."""
    (entry,) = sample_body(name).values()
    return answer({COMFY_ID: entry})


COMFY_ID = "48a63a0a-660b-40a8-ac2d-e55844b129af"
NOT_YET = answer({})


class TestComfyUI(ProviderBattery):
    provider = aiogen.ComfyUI()
    request = aiogen.ComfyImage(model="empty", values={"seed": 5})
    request_with_file = aiogen.ComfyImage(model="sd.safetensors", prompt="a boat", values={"image": Path("a.png")})
    provider_id = COMFY_ID
    accepted = answer({"prompt_id": COMFY_ID, "number": 3, "node_errors": {}})
    running = (NOT_YET, answer({"id": COMFY_ID, "status": "in_progress"}))
    completed = about_one("comfyui/completed")
    failed = about_one("comfyui/failed")
    refused = answer(
        {"error": {"type": "odd", "message": "it is so", "details": "", "extra_info": {}}, "node_errors": {}},
        status=400,
    )
    listed = (answer({"queue_running": [], "queue_pending": []}), sample("comfyui/history_two"))
    deleted = (about_one("comfyui/completed"), answer(b""))
    cancelled = answer({"cancelled": True})
    account = sample("comfyui/system_stats")


class TestOlderComfyUI(TestComfyUI):
    has_state_words = False
    running = (
        NOT_YET,
        sample("comfyui/no_jobs_call"),
        answer({"queue_running": [[1, COMFY_ID, {}, {}, []]], "queue_pending": []}),
    )
