"""The sandbox as programs use it: the server, with a keyword, its settings and a URL for each vendor."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .script import Script
from .server import Server
from .vendor import AnyImitation
from .vendors import NAMES

if TYPE_CHECKING:
    from typing import Unpack

    from .vendors.typed import ByName, SettingsByName
else:
    ByName = object

IMITATIONS: dict[str, AnyImitation] = {name: import_module(f"{__package__}.vendors.{name}").IMITATION for name in NAMES}
"""By the names of the folders, in their order."""


class Sandbox(Server, ByName):
    """All imitated vendors on this machine.

    The settings of each are passed by a keyword of its name, and can be read under the same name; with `_url` behind
    it, that is its URL, as `api_url(name)` returns it.

    All times are those of the running loop. `speed` shortens jobs, the lifetimes of URLs and the time after which slots
    are freed in any case; the windows of the rate limits have their own `window_seconds`, and latencies are never
    shortened. The same seed gives the same ids, durations and random decisions of the script.

    Raises:
        TypeError: there is no vendor of a keyword's name, or its settings are another vendor's.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        speed: float = 1.0,
        script: Script | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        max_requests: int = 200_000,
        **settings: Unpack[SettingsByName],
    ) -> None:
        self._settings = _complete(settings)
        super().__init__(
            [imitation.vendor(self._settings[name]) for name, imitation in IMITATIONS.items()],
            seed=seed,
            speed=speed,
            script=script,
            host=host,
            port=port,
            max_requests=max_requests,
        )

    if not TYPE_CHECKING:  # type checkers read `ByName`, and complain about any other name

        def __getattr__(self, name: str) -> Any:
            if name in NAMES:
                return self._settings[name]
            if name.removesuffix("_url") in NAMES:
                return self.api_url(name.removesuffix("_url"))
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)


def _complete(given: Any) -> dict[str, Any]:
    """The settings of every vendor, the defaults where none are given. Raises TypeError."""
    for name, settings in given.items():
        if name not in IMITATIONS:
            raise TypeError(f"Sandbox() has no keyword {name!r}; the vendors are {', '.join(NAMES)}")
        expected = IMITATIONS[name].settings
        if settings is not None and not isinstance(settings, expected):
            raise TypeError(f"{name}: expected {expected.__name__}, not {settings!r}")
    return {name: given.get(name) or imitation.settings() for name, imitation in IMITATIONS.items()}
