"""Luma and Leonardo pass what every provider has to pass."""

from __future__ import annotations

from pathlib import Path

from providers.drive import answer, sample

import aiogen
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
    account = sample("luma/files")


class TestLeonardo(ProviderBattery):
    provider = aiogen.Leonardo(api_key="leonardo-0123456789")
    request = aiogen.LeonardoImage(prompt="a paper boat", model="gemini-image-2", seed=3, extra={"style": ["x", None]})
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
