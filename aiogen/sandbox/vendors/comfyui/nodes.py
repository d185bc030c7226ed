"""The node classes that the server knows: a selection of those that ComfyUI brings itself, with their inputs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

LARGEST_SIDE = 16384
LARGEST_SEED = 2**64 - 1

SAMPLERS = (
    "euler", "euler_cfg_pp", "euler_ancestral", "euler_ancestral_cfg_pp", "heun", "heunpp2", "dpm_2",
    "dpm_2_ancestral", "lms", "dpm_fast", "dpm_adaptive", "dpmpp_2s_ancestral", "dpmpp_sde", "dpmpp_sde_gpu",
    "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_2m_sde_gpu", "dpmpp_3m_sde", "dpmpp_3m_sde_gpu", "ddpm", "lcm", "ipndm",
    "ipndm_v", "deis", "res_multistep", "gradient_estimation", "er_sde", "ddim", "uni_pc", "uni_pc_bh2",
)  # fmt: skip
SCHEDULERS = (
    "simple", "sgm_uniform", "karras", "exponential", "ddim_uniform", "beta", "normal", "linear_quadratic",
    "kl_optimal",
)  # fmt: skip
UPSCALE_METHODS = ("nearest-exact", "bilinear", "area", "bicubic", "lanczos")

Choices = Callable[[str], Sequence[str]]
"""The files of a folder: checkpoints, input and so on."""


@attrs.frozen
class Input:
    """One input of a node."""

    type: str
    """INT, FLOAT, STRING, BOOLEAN, COMBO, or what a link to it has to carry."""
    extra: Mapping[str, Any] = attrs.field(factory=dict)
    """Default, min, max."""
    options: tuple[str, ...] | str = ()
    """Of a COMBO: the values, or the folder whose files they are."""
    optional: bool = False

    @property
    def is_value(self) -> bool:
        """Whether it takes a value, and not only a link."""
        return self.type in ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")

    def config(self, choices: Choices) -> list[Any]:
        """As the server writes it."""
        if self.type == "COMBO":
            return [list(choices(self.options) if isinstance(self.options, str) else self.options), dict(self.extra)]
        return [self.type, dict(self.extra)]


@attrs.frozen(kw_only=True)
class NodeClass:
    """One class of nodes."""

    title: str
    category: str
    inputs: Mapping[str, Input]
    outputs: tuple[str, ...] = ()
    saves: bool = False
    """Whether it is an output: a graph needs one."""

    def info(self, name: str, choices: Choices) -> dict[str, Any]:
        """As /object_info describes it."""
        parts: dict[str, dict[str, Any]] = {"required": {}}
        for key, one in self.inputs.items():
            parts.setdefault("optional" if one.optional else "required", {})[key] = one.config(choices)
        return {
            "input": parts,
            "input_order": {part: list(inputs) for part, inputs in parts.items()},
            "output": list(self.outputs),
            "output_is_list": [False] * len(self.outputs),
            "output_name": list(self.outputs),
            "name": name,
            "display_name": self.title,
            "description": "",
            "python_module": "nodes",
            "category": self.category,
            "output_node": self.saves,
        }


def _link(kind: str) -> Input:
    return Input(kind)


def _whole(default: int, low: int, high: int) -> Input:
    return Input("INT", {"default": default, "min": low, "max": high})


def _real(default: float, low: float, high: float) -> Input:
    return Input("FLOAT", {"default": default, "min": low, "max": high})


def _text(default: str | None = None) -> Input:
    return Input("STRING", {"multiline": True} if default is None else {"default": default})


def _one_of(options: tuple[str, ...] | str) -> Input:
    return Input("COMBO", options=options)


IMAGE, MASK, LATENT, MODEL, CLIP, VAE, CONDITIONING = map(
    _link, ("IMAGE", "MASK", "LATENT", "MODEL", "CLIP", "VAE", "CONDITIONING")
)
SIDE, SEED, BATCH = _whole(512, 1, LARGEST_SIDE), _whole(0, 0, LARGEST_SEED), _whole(1, 1, 4096)
LATENT_SIDE = _whole(512, 16, LARGEST_SIDE)
STEPS, CFG, DENOISE = _whole(20, 1, 10000), _real(8.0, 0.0, 100.0), _real(1.0, 0.0, 1.0)
SAMPLER, SCHEDULER = _one_of(SAMPLERS), _one_of(SCHEDULERS)
CROP = _one_of(("disabled", "center"))


def _node(title: str, category: str, outputs: str = "", *, saves: bool = False, **inputs: Input) -> NodeClass:
    return NodeClass(title=title, category=category, inputs=inputs, outputs=tuple(outputs.split()), saves=saves)


def _empty_latent(title: str, category: str) -> NodeClass:
    return _node(title, category, "LATENT", width=LATENT_SIDE, height=LATENT_SIDE, batch_size=BATCH)


NODES: Mapping[str, NodeClass] = {
    # loaders
    "CheckpointLoaderSimple": _node(
        "Load Checkpoint", "loaders", "MODEL CLIP VAE", ckpt_name=_one_of("checkpoints")
    ),
    "UNETLoader": _node(
        "Load Diffusion Model", "advanced/loaders", "MODEL",
        unet_name=_one_of("diffusion_models"),
        weight_dtype=_one_of(("default", "fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2")),
    ),
    "VAELoader": _node("Load VAE", "loaders", "VAE", vae_name=_one_of("vae")),
    "LoraLoader": _node(
        "Load LoRA", "loaders", "MODEL CLIP", model=MODEL, clip=CLIP, lora_name=_one_of("loras"),
        strength_model=_real(1.0, -100.0, 100.0), strength_clip=_real(1.0, -100.0, 100.0),
    ),
    # words
    "CLIPTextEncode": _node("CLIP Text Encode (Prompt)", "conditioning", "CONDITIONING", text=_text(), clip=CLIP),
    "CLIPSetLastLayer": _node(
        "CLIP Set Last Layer", "conditioning", "CLIP", clip=CLIP, stop_at_clip_layer=_whole(-1, -24, -1)
    ),
    "FluxGuidance": _node(
        "FluxGuidance", "advanced/conditioning/flux", "CONDITIONING",
        conditioning=CONDITIONING, guidance=_real(3.5, 0.0, 100.0),
    ),
    "ConditioningZeroOut": _node(
        "ConditioningZeroOut", "advanced/conditioning", "CONDITIONING", conditioning=CONDITIONING
    ),
    # latents
    "EmptyLatentImage": _empty_latent("Empty Latent Image", "latent"),
    "EmptySD3LatentImage": _empty_latent("EmptySD3LatentImage", "latent/sd3"),
    "KSampler": _node(
        "KSampler", "sampling", "LATENT", model=MODEL, seed=SEED, steps=STEPS, cfg=CFG, sampler_name=SAMPLER,
        scheduler=SCHEDULER, positive=CONDITIONING, negative=CONDITIONING, latent_image=LATENT, denoise=DENOISE,
    ),
    "KSamplerAdvanced": _node(
        "KSampler (Advanced)", "sampling", "LATENT", model=MODEL, add_noise=_one_of(("enable", "disable")),
        noise_seed=SEED, steps=STEPS, cfg=CFG, sampler_name=SAMPLER, scheduler=SCHEDULER, positive=CONDITIONING,
        negative=CONDITIONING, latent_image=LATENT, start_at_step=_whole(0, 0, 10000),
        end_at_step=_whole(10000, 0, 10000), return_with_leftover_noise=_one_of(("disable", "enable")),
    ),
    "VAEDecode": _node("VAE Decode", "latent", "IMAGE", samples=LATENT, vae=VAE),
    "VAEEncode": _node("VAE Encode", "latent", "LATENT", pixels=IMAGE, vae=VAE),
    "VAEEncodeForInpaint": _node(
        "VAE Encode (for Inpainting)", "latent/inpaint", "LATENT",
        pixels=IMAGE, vae=VAE, mask=MASK, grow_mask_by=_whole(6, 0, 64),
    ),
    "RepeatLatentBatch": _node(
        "Repeat Latent Batch", "latent/batch", "LATENT", samples=LATENT, amount=_whole(1, 1, 64)
    ),
    # images
    "LoadImage": _node("Load Image", "image", "IMAGE MASK", image=_one_of("input")),
    "EmptyImage": _node(
        "EmptyImage", "image", "IMAGE", width=SIDE, height=SIDE, batch_size=BATCH, color=_whole(0, 0, 0xFFFFFF)
    ),
    "ImageScale": _node(
        "Upscale Image", "image/upscaling", "IMAGE", image=IMAGE, upscale_method=_one_of(UPSCALE_METHODS),
        width=_whole(512, 0, LARGEST_SIDE), height=_whole(512, 0, LARGEST_SIDE), crop=CROP,
    ),
    "ImageScaleBy": _node(
        "Upscale Image By", "image/upscaling", "IMAGE",
        image=IMAGE, upscale_method=_one_of(UPSCALE_METHODS), scale_by=_real(1.0, 0.01, 8.0),
    ),
    "ImageInvert": _node("Invert Image", "image", "IMAGE", image=IMAGE),
    "RepeatImageBatch": _node("RepeatImageBatch", "image/batch", "IMAGE", image=IMAGE, amount=_whole(1, 1, 4096)),
    "SaveImage": _node("Save Image", "image", saves=True, images=IMAGE, filename_prefix=_text("ComfyUI")),
    "PreviewImage": _node("Preview Image", "image", saves=True, images=IMAGE),
}  # fmt: skip
"""By the name that a graph calls `class_type`."""

FOLDERS = (
    "checkpoints", "configs", "loras", "vae", "text_encoders", "diffusion_models", "clip_vision", "style_models",
    "embeddings", "diffusers", "vae_approx", "controlnet", "gligen", "upscale_models", "custom_nodes", "hypernetworks",
    "photomaker", "classifiers", "model_patches", "audio_encoders",
)  # fmt: skip
"""As /models lists them."""
