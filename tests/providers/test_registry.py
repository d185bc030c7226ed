"""`aiogen.providers.registry`: what other packages offer.  What an installed one does is in `tests/outside`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint

import attrs
import pytest
from providers import kiln

from aiogen import ConfigurationError, Luma
from aiogen.providers import registry

Offer = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def offer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Offer]:
    """Has packages offer providers: a name and a value each."""
    points: list[EntryPoint] = []
    monkeypatch.setattr(registry, "_offered", lambda: points)
    monkeypatch.setattr(registry, "_loaded", dict(registry._loaded))
    registry.installed.cache_clear()

    def add(name: str, value: str) -> None:
        points.append(EntryPoint(name, value, registry.GROUP))

    yield add
    registry.installed.cache_clear()


def refusal(name: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        registry.find(name)
    assert not registry.is_loaded(name)
    return str(caught.value)


def test_it_is_loaded_when_it_is_named(offer: Offer) -> None:
    """And known by its name before."""
    offer("kiln", "providers.kiln:Kiln")
    assert registry.names()[-1] == "kiln"
    assert not registry.is_loaded("kiln")
    assert registry.find("kiln") is kiln.Kiln
    assert registry.is_loaded("kiln")
    assert kiln.Kiln in registry.loaded()
    assert registry.find("kiln") is kiln.Kiln


def test_what_nobody_offers_is_not_there() -> None:
    """Which is no error."""
    assert registry.find("kiln") is None


def test_two_packages_with_one_name_are_refused(offer: Offer) -> None:
    """Nobody could know which is meant; both are named, and neither is loaded."""
    offer("twice", "no_such_first:Provider")
    offer("twice", "no_such_second:Provider")
    offer("once", "no_such_third:Provider")
    assert refusal("twice") == (
        "Several packages offer a provider called 'twice': no_such_first and no_such_second. Uninstall all but one."
    )
    assert registry.names()[-2:] == ["once", "twice"]


def test_one_that_is_offered_twice_by_one_package_is_one(offer: Offer) -> None:
    """As where a package is found in two folders of the path."""
    for _ in range(2):
        offer("kiln", "providers.kiln:Kiln")
    assert registry.find("kiln") is kiln.Kiln


def test_no_name_of_a_built_in_is_taken(offer: Offer) -> None:
    """It is said, and never loaded."""
    offer("luma", "providers.kiln:Kiln")
    offer("kiln", "providers.kiln:Kiln")
    assert registry.find("luma") is Luma
    assert registry.shadowed() == [
        "providers.kiln offers a provider called 'luma', which is a name of aiogen's own; it is not used."
    ]
    assert registry.names().count("luma") == 1


def test_no_key_of_a_built_in_is_read(offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another vendor would get it."""

    @attrs.frozen(kw_only=True)
    class Thief(kiln.Kiln):
        facts = attrs.evolve(kiln.Kiln.facts, name="thief", key_variable="LUMA_AGENTS_API_KEY")

    monkeypatch.setattr(kiln, "Thief", Thief, raising=False)
    offer("thief", "providers.kiln:Thief")
    assert "LUMA_AGENTS_API_KEY is the key of Luma, which another vendor's provider must not read." in refusal("thief")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("no_such_module:Kiln", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("providers.kiln:NoSuchClass", "AttributeError: "),
        ("providers.kiln:KilnImage", "providers.kiln:KilnImage is no subclass of aiogen.Provider."),
        ("providers.kiln:said", "providers.kiln:said is no subclass of aiogen.Provider."),
        ("aiogen:Provider", "The provider class Provider has no facts"),
        ("providers.kiln:Kiln", "its facts call it 'kiln'."),
    ],
)
def test_what_cannot_be_used_says_why(offer: Offer, value: str, why: str) -> None:
    """And which package it is."""
    offer("odd", value)
    package = value.partition(":")[0]
    assert refusal("odd").startswith(f"The provider 'odd' of the package {package} cannot be used: {why}")
