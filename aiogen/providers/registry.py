"""Which providers there are: those of this package, and those that other installed packages offer.  Pure.

Another package offers one by an entry point: group `aiogen.providers`, the provider's name, and its class.  It is
loaded when somebody names it, and not before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from aiogen.errors import ConfigurationError
from aiogen.providers.base import Provider
from aiogen.providers.comfyui import ComfyUI
from aiogen.providers.configuration import facts_of
from aiogen.providers.leonardo import Leonardo
from aiogen.providers.luma import Luma

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "aiogen.providers"
BUILT_IN: tuple[type[Provider], ...] = (Luma, Leonardo, ComfyUI)
"""The providers of this package."""

_loaded: dict[str, type[Provider]] = {cls.facts.name: cls for cls in BUILT_IN}


@cache
def installed() -> Mapping[str, tuple[EntryPoint, ...]]:
    """What other packages offer, by name; nothing of it is loaded.  Names of this package's own are left out."""
    own = {cls.facts.name for cls in BUILT_IN}
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for point in _offered():
        if point.name not in own:
            found[point.name] = (*found.get(point.name, ()), point)
    return found


def shadowed() -> list[str]:
    """Packages that offer a provider under the name of one of this package's own: it is never loaded."""
    own = {cls.facts.name for cls in BUILT_IN}
    return [
        f"{_package(point)} offers a provider called {point.name!r}, which is a name of aiogen's own; it is not used."
        for point in _offered()
        if point.name in own
    ]


def names() -> list[str]:
    """Every provider's name, loaded or not: this package's own first."""
    return list(dict.fromkeys([*(cls.facts.name for cls in BUILT_IN), *_loaded, *sorted(installed())]))


def loaded() -> list[type[Provider]]:
    """This package's own providers, and what was loaded so far."""
    return list(_loaded.values())


def is_loaded(name: str) -> bool:
    """Whether `find` gives its answer at once, without reading a file."""
    return name in _loaded


def find(name: str) -> type[Provider] | None:
    """The provider's class, which is loaded now if another package offers it; None if nobody does.

    Raises:
        ConfigurationError: two packages offer it, it cannot be loaded, or it is no provider that may be used.
    """
    if name in _loaded:
        return _loaded[name]
    points = installed().get(name)
    if points is None:
        return None
    if len({(point.value, _package(point)) for point in points}) > 1:
        offers = " and ".join(sorted({_package(point) for point in points}))
        raise ConfigurationError(f"Several packages offer a provider called {name!r}: {offers}. Uninstall all but one.")
    cls = _loaded[name] = _checked(points[0])
    return cls


def _offered() -> Iterable[EntryPoint]:
    # Here, not above: it is a tenth of the time that `import aiogen` would take.
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


def _checked(point: EntryPoint) -> type[Provider]:
    """What an entry point stands for.

    Raises:
        ConfigurationError: it cannot be used; the message says why, and which package it is.
    """
    where = f"The provider {point.name!r} of the package {_package(point)} cannot be used: "
    try:
        cls = point.load()
    except (Exception, SystemExit) as error:  # of any kind: it is somebody else's code
        raise ConfigurationError(f"{where}{type(error).__name__}: {error}", action=None) from error
    if not (isinstance(cls, type) and issubclass(cls, Provider)):
        raise ConfigurationError(f"{where}{point.value} is no subclass of aiogen.Provider.", action=None)
    try:
        facts = facts_of(cls)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}{error.message}", action=None) from None
    if facts.name != point.name:
        raise ConfigurationError(f"{where}its facts call it {facts.name!r}.", action=None)
    owners = {cls.facts.key_variable: cls.facts.vendor for cls in BUILT_IN if cls.facts.key_variable is not None}
    if facts.key_variable in owners:
        raise ConfigurationError(
            f"{where}{facts.key_variable} is the key of {owners[facts.key_variable]}, which another vendor's provider "
            "must not read.",
            action=None,
        )
    return cls


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module
