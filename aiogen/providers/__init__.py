"""The providers, one file each.  To add one, see docs/adding-a-provider.md, and copy the file most like it."""

from aiogen.providers.base import Capabilities, Provider, TypedRequest
from aiogen.providers.comfyui import ComfyGraph, ComfyImage, ComfyUI
from aiogen.providers.facts import Facts
from aiogen.providers.leonardo import Leonardo, LeonardoImage
from aiogen.providers.luma import (
    Luma,
    LumaImage,
    LumaImageEdit,
    LumaLayering,
    LumaRequest,
    LumaVideo,
    LumaVideoEdit,
    LumaVideoReframe,
)

__all__ = [
    "Capabilities",
    "ComfyGraph",
    "ComfyImage",
    "ComfyUI",
    "Facts",
    "Leonardo",
    "LeonardoImage",
    "Luma",
    "LumaImage",
    "LumaImageEdit",
    "LumaLayering",
    "LumaRequest",
    "LumaVideo",
    "LumaVideoEdit",
    "LumaVideoReframe",
    "Provider",
    "TypedRequest",
]
