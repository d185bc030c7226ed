"""The Leonardo.Ai Production API, imitated."""

from __future__ import annotations

from ...settings import valid_key
from ...vendor import Imitation, Route, Vendor
from .api import API, Leonardo
from .settings import LEONARDO_KEY, LeonardoSettings

__all__ = ["IMITATION", "LEONARDO_KEY", "LeonardoSettings"]

_GENERATION = f"{API}v1/generations/{{id}}"
_UPLOAD = f"{API}v1/init-image/{{id}}"
_CDN = "/storage/leonardo/users/{user}/generations/{id}/{name:.+}"

_ROUTES: tuple[Route[Leonardo], ...] = (
    Route("POST", f"{API}v1/generations", "create", Leonardo.create_v1),
    Route("POST", f"{API}v2/generations", "create", Leonardo.create_v2),
    Route("GET", f"{API}v1/generations/user/{{user}}", "list", Leonardo.list),
    Route("GET", _GENERATION, "poll", Leonardo.read),
    Route("DELETE", _GENERATION, "delete", Leonardo.delete),
    Route("GET", f"{API}v1/me", "account", Leonardo.me),
    Route("GET", f"{API}v2/models", "account", Leonardo.models),
    Route("GET", f"{API}v1/platformModels", "account", Leonardo.older_models),
    Route("POST", f"{API}v1/pricing-calculator", "account", Leonardo.price),
    Route("POST", f"{API}v1/init-image", "upload", lambda leonardo, context: leonardo.uploads.create(context)),
    Route("GET", _UPLOAD, "upload", lambda leonardo, context: leonardo.uploads.read(context)),
    Route("DELETE", _UPLOAD, "upload", lambda leonardo, context: leonardo.uploads.delete(context)),
    Route("POST", "/storage/leonardo/uploads/", "upload", lambda leonardo, context: leonardo.uploads.post(context)),
    Route("GET", _CDN, "download", lambda leonardo, context: leonardo.outputs.serve(context)),
    Route("HEAD", _CDN, "download", lambda leonardo, context: leonardo.outputs.serve(context)),
)


def _vendor(settings: LeonardoSettings) -> Vendor[Leonardo]:
    """The vendor with these settings."""
    return Vendor(
        name="leonardo",
        title="Leonardo.Ai",
        base_path=API.removesuffix("/"),
        environment=lambda url: {
            "LEONARDO_API_KEY": valid_key(settings.api_keys, LEONARDO_KEY),
            "LEONARDO_BASE_URL": url,
        },
        routes=_ROUTES,
        api=lambda services: Leonardo(settings, services),
    )


IMITATION = Imitation(
    name="leonardo",
    settings=LeonardoSettings,
    vendor=_vendor,
    exports={"LEONARDO_KEY": LEONARDO_KEY, "LeonardoSettings": LeonardoSettings},
)
