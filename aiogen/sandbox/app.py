"""The sandbox as programs use it: the server, with a keyword and a URL for each vendor.

Beside `vendors/` this is the only module that names a vendor: so type checkers and editors know the settings of each.
"""

from __future__ import annotations

from typing import Final

from .script import Script
from .server import Server
from .vendors.leonardo import LeonardoSettings, leonardo_vendor
from .vendors.luma import LumaSettings, luma_vendor


class Sandbox(Server):
    """Luma and Leonardo on this machine.

    All times are those of the running loop. `speed` shortens jobs, the lifetimes of URLs and the time after which slots
    are freed in any case; the windows of the rate limits have their own `window_seconds`, and latencies are never
    shortened. The same seed gives the same ids, durations and random decisions of the script.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        speed: float = 1.0,
        script: Script | None = None,
        luma: LumaSettings | None = None,
        leonardo: LeonardoSettings | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        max_requests: int = 200_000,
    ) -> None:
        self.luma: Final[LumaSettings] = luma or LumaSettings()
        self.leonardo: Final[LeonardoSettings] = leonardo or LeonardoSettings()
        super().__init__(
            [luma_vendor(self.luma), leonardo_vendor(self.leonardo)],
            seed=seed,
            speed=speed,
            script=script,
            host=host,
            port=port,
            max_requests=max_requests,
        )

    @property
    def luma_url(self) -> str:
        return self.api_url("luma")

    @property
    def leonardo_url(self) -> str:
        return self.api_url("leonardo")
