"""`aiogen.providers.registry`: what other packages offer.  What an installed one does is in `tests/outside`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint

import pytest

from aiogen import ConfigurationError
from aiogen.providers import registry

Offer = Callable[..., None]


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Offer]:
    """Has packages offer providers: a name and a value each."""
    points: list[EntryPoint] = []
    monkeypatch.setattr(registry, "_offered", lambda: points)
    registry.installed.cache_clear()

    def add(name: str, value: str) -> None:
        points.append(EntryPoint(name, value, registry.GROUP))

    yield add
    registry.installed.cache_clear()


def test_two_packages_with_one_name_are_refused(offer: Offer) -> None:
    """Nobody could know which is meant; both are named, and neither is loaded."""
    offer("twice", "no_such_first:Provider")
    offer("twice", "no_such_second:Provider")
    offer("once", "no_such_third:Provider")
    with pytest.raises(
        ConfigurationError, match=r"called 'twice': no_such_first and no_such_second\. Uninstall all but"
    ):
        registry.find("twice")
    assert registry.names()[-2:] == ["once", "twice"]


def test_one_that_is_offered_twice_by_one_package_is_one(offer: Offer) -> None:
    """As where a package is found in two folders of the path."""
    for _ in range(2):
        offer("same", "no_such_module:Provider")
    with pytest.raises(ConfigurationError, match="ModuleNotFoundError: No module named 'no_such_module'"):
        registry.find("same")


@pytest.mark.parametrize("value", ["aiogen:Session", "aiogen:drive", "aiogen:Provider"])
def test_what_is_no_provider_is_refused(offer: Offer, value: str) -> None:
    """With what it is instead."""
    offer("odd", value)
    with pytest.raises(ConfigurationError, match="The provider 'odd' of the package aiogen cannot be used"):
        registry.find("odd")
    assert not registry.is_loaded("odd")
