"""Forty keywords that are misspelt, or another vendor's, over three vendors: none of them reaches a server.

What each provider says of its own is in tests/providers; here it is what a program meets that calls `submit`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web
from serving import ID, KEY, body, serving

import aiogen

UNI, RAY = "luma/uni-1", "luma/ray-3.2"
GEMINI, KLING = "leonardo/gemini-image-2", "leonardo/kling-2.6"
PHOENIX = "leonardo/de7d3faf-762f-48e0-b3b7-9d0ac3a3fcf3"
XL = "comfyui/sd_xl_base_1.0.safetensors"

MISTAKES = [
    (UNI, "aspectratio", "16:9", "Did you mean 'aspect_ratio'?"),
    (UNI, "seeed", 7, "Did you mean 'seed'?"),
    (UNI, "hight", 512, "Did you mean 'height'?"),
    (UNI, "negativePrompt", "fog", "Did you mean 'negative_prompt'?"),
    (UNI, "output_fromat", "png", "Did you mean 'output_format'?"),
    (UNI, "num_images", 4, "Did you mean 'n'?"),
    (UNI, "guidances", {}, "Did you mean 'references'?"),
    (UNI, "style_ids", ["x"], "Did you mean 'style'?"),
    (UNI, "steps", 30, "Its parameters are aspect_ratio, height,"),
    (UNI, "cfg_scale", 7.0, "Its parameters are aspect_ratio, height,"),
    (UNI, "duration", "5s", "It is a parameter of the type 'video'."),
    (RAY, "resoluton", "720p", "Did you mean 'resolution'?"),
    (RAY, "num_seconds", 5, "Did you mean 'duration'?"),
    (RAY, "strength", "flex_1", "It is a parameter of the type 'video_edit'."),
    (GEMINI, "aspectratio", "16:9", "Did you mean 'aspect_ratio'?"),
    (GEMINI, "seeed", 7, "Did you mean 'seed'?"),
    (GEMINI, "hight", 512, "Did you mean 'height'?"),
    (GEMINI, "negativePrompt", "fog", "Did you mean 'negative_prompt'?"),
    (GEMINI, "styleIds", ["x"], "Did you mean 'style_ids'?"),
    (GEMINI, "n_images", 4, "Did you mean 'num_images'?"),
    (GEMINI, "presetStyle", "DYNAMIC", "It belongs to the older models"),
    (GEMINI, "source", "https://a.example/a.png", "Pictures to go by are references=[…]"),
    (GEMINI, "image_ref", "https://a.example/a.png", "Pictures to go by are references=[…]"),
    (GEMINI, "steps", 30, "Those that most models have are aspect_ratio,"),
    (GEMINI, "user_id", "tenant-7", "Those that most models have are aspect_ratio,"),
    (KLING, "duraton", 5, "Did you mean 'duration'?"),
    (PHOENIX, "presetstyle", "DYNAMIC", "Did you mean 'presetStyle'?"),
    (PHOENIX, "cfg_scale", 7, "Did you mean 'guidance_scale'?"),
    (PHOENIX, "steps", 30, "Did you mean 'num_inference_steps'?"),
    (PHOENIX, "style_ids", ["x"], "On v1 a style is presetStyle."),
    (XL, "aspectratio", "16:9", "Did you mean 'aspect_ratio'?"),
    (XL, "seeed", 7, "Did you mean 'seed'?"),
    (XL, "hight", 512, "Did you mean 'height'?"),
    (XL, "negativePrompt", "fog", "Did you mean 'negative_prompt'?"),
    (XL, "sampler", "euler", "Did you mean 'sampler_name'?"),
    (XL, "guidance_scale", 7.0, "Did you mean 'cfg'?"),
    (XL, "num_inference_steps", 30, "Did you mean 'steps'?"),
    (XL, "num_outputs", 4, "Did you mean 'batch_size'?"),
    (XL, "image_ref", "a.png", "Did you mean 'references'?"),
    (XL, "presetStyle", "DYNAMIC", "Name one, as in slots='presetStyle=5.presetStyle'"),
]


class Vendors:
    """All three at one address: what is created is accepted, and never ends."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.bodies: list[Any] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.path))
        if request.method != "POST":
            return web.json_response({}, status=503)
        self.bodies.append(sent := await request.json())
        if "prompt_id" in sent:
            return web.json_response({"prompt_id": sent["prompt_id"], "number": 1, "node_errors": {}})
        answers = {
            "/v1/generations": body(),
            "/api/rest/v1/generations": {"sdGenerationJob": {"generationId": ID}},
            "/api/rest/v2/generations": {"generate": {"generationId": ID}},
        }
        return web.json_response(answers[request.path])


def session_at(url: str) -> aiogen.Session:
    return aiogen.Session(
        [
            aiogen.Luma(api_key=KEY, base_url=f"{url}/v1"),
            aiogen.Leonardo(api_key="0123456789abcdef", base_url=f"{url}/api/rest"),
            aiogen.ComfyUI(base_url=url),
        ]
    )


def holds(document: Any, name: str, value: Any) -> bool:
    """Whether an object anywhere in it has this."""
    if isinstance(document, dict):
        return document.get(name) == value or any(holds(each, name, value) for each in document.values())
    return False


def test_there_are_forty() -> None:
    """Each of them once, and every vendor has its share."""
    assert len({(model, name) for model, name, *_ in MISTAKES}) == len(MISTAKES) == 40
    assert all(sum(model.startswith(vendor) for model, *_ in MISTAKES) >= 10 for vendor in ("luma", "leo", "comfy"))


@pytest.mark.parametrize(("model", "name", "value", "helps"), MISTAKES, ids=[f"{m}-{n}" for m, n, *_ in MISTAKES])
async def test_a_keyword_that_nobody_has_is_not_sent(model: str, name: str, value: Any, helps: str) -> None:
    """It is refused with what was meant, or what helps; `extra` sends it all the same, as it stands."""
    vendors = Vendors()
    async with serving(vendors) as url, session_at(url) as session:
        with pytest.raises(aiogen.UnknownParameter) as caught:
            await session.submit(model, "a boat", **{name: value})
        error = caught.value
        assert error.parameter == name
        assert repr(name) in str(error)
        assert helps in str(error)
        meant = helps.removeprefix("Did you mean '").removesuffix("'?") if helps.startswith("Did") else None
        assert error.proposal == meant
        with pytest.raises(aiogen.UnknownParameter):
            await session.generate(model, "a boat", **{name: value})
        assert not session.jobs()
        assert vendors.seen == []

        job = await session.submit(model, "a boat", extra={name: value})
        await job.accepted()
        [sent] = vendors.bodies
        assert holds(sent, name, json.loads(json.dumps(value)))


@pytest.mark.parametrize(
    "request_",
    [
        aiogen.LumaImage(prompt="a boat"),
        aiogen.LeonardoImage(prompt="a boat", model="gemini-image-2"),
        aiogen.ComfyImage(prompt="a boat", model="sd_xl_base_1.0.safetensors"),
    ],
    ids=["luma", "leonardo", "comfyui"],
)
async def test_beside_a_typed_request_there_is_no_other_keyword(request_: Any) -> None:
    """Type checkers say so, too (tests/typing/misuse.py); a keyword of the job is none of the request's."""
    vendors = Vendors()
    async with serving(vendors) as url, session_at(url) as session:
        for options in ({"seed": 1}, {"timeot": 60.0}, {"extra": {"seed": 1}}):
            with pytest.raises(aiogen.InputError, match="belong inside the typed request: " + next(iter(options))):
                await session.submit(request_, **options)
            with pytest.raises(aiogen.InputError, match="belong inside the typed request"):
                await session.generate(request_, **options)
        assert vendors.seen == []
        job = await session.submit(request_, timeout=60.0, batch="boats", scope="a", metadata={"row": 1})
        await job.accepted()
        assert len(vendors.bodies) == 1
