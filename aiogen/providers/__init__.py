"""The providers, one file each.  To add one, copy the file whose API is most like it."""

from aiogen.providers.base import Capabilities, Provider
from aiogen.providers.leonardo import Leonardo, LeonardoImage
from aiogen.providers.luma import Luma, LumaImage, LumaImageEdit

PROVIDERS: tuple[type[Provider], ...] = (Luma, Leonardo)
"""Every provider whose key a session looks for in the environment."""

__all__ = ["PROVIDERS", "Capabilities", "Leonardo", "LeonardoImage", "Luma", "LumaImage", "LumaImageEdit", "Provider"]
