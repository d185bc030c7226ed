"""The Luma Agents API, imitated."""

from __future__ import annotations

from ...settings import valid_key
from ...vendor import Imitation, Route, Vendor
from .api import Luma
from .settings import LUMA_KEY, LumaSettings

__all__ = ["IMITATION", "LUMA_KEY", "LumaSettings"]

_V1 = "/luma/v1"
_FILES = f"{_V1}/files"
_BUCKET = "/storage/luma/generations/{id}/{name}"

_ROUTES: tuple[Route[Luma], ...] = (
    Route("POST", f"{_V1}/generations", "create", Luma.create),
    Route("GET", f"{_V1}/generations/{{id}}", "poll", Luma.read),
    Route("POST", _FILES, "upload", lambda luma, context: luma.files.create(context)),
    Route("GET", _FILES, "upload", lambda luma, context: luma.files.list(context)),
    Route("GET", f"{_FILES}/{{id}}", "upload", lambda luma, context: luma.files.read(context)),
    Route("DELETE", f"{_FILES}/{{id}}", "upload", lambda luma, context: luma.files.delete(context)),
    Route("POST", f"{_FILES}/{{id}}/complete", "upload", lambda luma, context: luma.files.complete(context)),
    Route("PUT", "/storage/luma/uploads/{id}", "upload", lambda luma, context: luma.files.put(context)),
    Route("GET", _BUCKET, "download", lambda luma, context: luma.outputs.serve(context)),
    Route("HEAD", _BUCKET, "download", lambda luma, context: luma.outputs.serve(context)),
)


def _vendor(settings: LumaSettings) -> Vendor[Luma]:
    """The vendor with these settings."""
    return Vendor(
        name="luma",
        title="Luma",
        base_path=_V1,
        environment=lambda url: {
            "LUMA_AGENTS_API_KEY": valid_key(settings.api_keys, LUMA_KEY),
            "LUMA_BASE_URL": url,
        },
        routes=_ROUTES,
        api=lambda services: Luma(settings, services),
    )


IMITATION = Imitation(
    name="luma",
    settings=LumaSettings,
    vendor=_vendor,
    exports={"LUMA_KEY": LUMA_KEY, "LumaSettings": LumaSettings},
)
