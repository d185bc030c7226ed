"""What type checkers and editors know of the vendors; nothing of it runs.

A vendor works without being named here: `app` finds it by its folder.
"""

from typing import TypedDict

from .comfyui import ComfyUISettings
from .leonardo import LEONARDO_KEY, LeonardoSettings
from .luma import LUMA_KEY, LumaSettings

__all__ = ["LEONARDO_KEY", "LUMA_KEY", "ComfyUISettings", "LeonardoSettings", "LumaSettings"]

class SettingsByName(TypedDict, total=False):
    """The keywords of `Sandbox` for the vendors."""

    comfyui: ComfyUISettings | None
    leonardo: LeonardoSettings | None
    luma: LumaSettings | None

class ByName:
    """The attributes of `Sandbox` for the vendors."""

    @property
    def comfyui(self) -> ComfyUISettings: ...
    @property
    def comfyui_url(self) -> str: ...
    @property
    def leonardo(self) -> LeonardoSettings: ...
    @property
    def leonardo_url(self) -> str: ...
    @property
    def luma(self) -> LumaSettings: ...
    @property
    def luma_url(self) -> str: ...
