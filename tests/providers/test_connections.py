"""`aiogen.providers.connections`: from what users write to a provider and a checked request."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import attrs
import pytest
from providers import kiln

from aiogen.errors import AiogenError, ConfigurationError, InputError
from aiogen.providers import Leonardo, LeonardoImage, Luma, LumaImage, LumaImageEdit, Provider, registry
from aiogen.providers.connections import Connections
from aiogen.providers.registry import BUILT_IN as PROVIDERS

LUMA, EU, LEONARDO = Luma(api_key="k1"), Luma(api_key="k2", name="luma-eu"), Leonardo(api_key="k3")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for cls in PROVIDERS:
        for variable in filter(None, (cls.facts.key_variable, cls.facts.url_variable)):
            monkeypatch.delenv(variable, raising=False)


def connections(*providers: Provider) -> Connections:
    return Connections(providers, allow_insecure=False)


def request(model: object, prompt: object = None, connection: str | None = None, **options: Any) -> Any:
    """Who shall make what, with three connections there."""
    return connections(LUMA, EU, LEONARDO).request(model, prompt, connection, options)


# --- which there are


def test_connections_are_a_mapping_by_name() -> None:
    """Every provider is found under the name of its connection, in the order given."""
    found = connections(LUMA, EU, LEONARDO)
    assert list(found) == ["luma", "luma-eu", "leonardo"]
    assert len(found) == 3
    assert found["luma-eu"] is found.find("luma-eu") is EU


def test_connections_are_shown_by_name() -> None:
    """No key, and not one dictionary in another."""
    assert repr(connections(LUMA, EU)) == "<Connections luma, luma-eu>"
    assert repr(connections()) == "<Connections none>"
    assert connections(LUMA, LEONARDO).describe().splitlines() == [
        "Connections:",
        "  luma      Luma, https://agents.lumalabs.ai/v1",
        "  leonardo  Leonardo AI, https://cloud.leonardo.ai/api/rest",
    ]


def test_by_default_those_whose_key_is_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no list, each provider is there whose key is set; a blank key is none."""
    monkeypatch.setenv("LUMA_AGENTS_API_KEY", "luma-api-key")
    monkeypatch.setenv("LEONARDO_API_KEY", "  ")
    assert list(Connections(None, allow_insecure=False)) == ["luma"]
    monkeypatch.setenv("LEONARDO_API_KEY", "leonardo-key")
    assert list(Connections(None, allow_insecure=False)) == ["luma", "leonardo"]


def test_an_empty_list_is_no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is given, even an empty one, is all there is."""
    monkeypatch.setenv("LUMA_AGENTS_API_KEY", "luma-api-key")
    assert list(connections()) == []


def test_permission_for_plain_http_reaches_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain http address in the environment is used only where the session allows it."""
    monkeypatch.setenv("LUMA_AGENTS_API_KEY", "luma-api-key")
    monkeypatch.setenv("LUMA_BASE_URL", "http://proxy.example.com/v1")
    assert Connections(None, allow_insecure=True)["luma"].base_url == "http://proxy.example.com/v1"
    with pytest.raises(ConfigurationError, match="plain http"):
        Connections(None, allow_insecure=False)


def test_two_of_one_name_are_refused() -> None:
    """A name means one connection; the error says which name is taken twice, and blames no key."""
    with pytest.raises(ConfigurationError, match="Two connections are called 'luma'") as caught:
        connections(LUMA, Luma(api_key="other"))
    assert caught.value.action is None


@pytest.mark.parametrize("wrong", [Luma, "luma", None])
def test_only_a_configured_provider_is_one(wrong: Any) -> None:
    """A class, or a name, is not a provider, and the error shows what is."""
    with pytest.raises(ConfigurationError, match=r"such as aiogen.Luma\(api_key=…\), not "):
        connections(wrong)


# --- finding one


def test_a_missing_key_is_explained() -> None:
    """A known provider without a key: the error names the variable and the argument."""
    with pytest.raises(ConfigurationError) as caught:
        connections(LUMA).find("leonardo")
    assert str(caught.value) == (
        "There is no connection 'leonardo' (available: 'luma'). Set the environment variable LEONARDO_API_KEY to your "
        "Leonardo AI API key, or pass Session(providers=[aiogen.Leonardo(api_key=…)])."
    )


@pytest.mark.parametrize("name", ["midjourney", "", "Luma", None, 5])
def test_an_unknown_name_is_explained(name: object) -> None:
    """A name nobody knows: the error lists the connections there and the providers that could be."""
    with pytest.raises(ConfigurationError) as caught:
        connections().find(name)
    assert str(caught.value) == (
        f"There is no connection {name!r} (available: none). aiogen knows the providers 'luma', 'leonardo', "
        "'comfyui'; name= gives a connection another name."
    )


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Other packages offer a provider with a key, and one without."""

    @attrs.frozen(kw_only=True)
    class Hearth(kiln.Kiln):
        facts = attrs.evolve(kiln.Kiln.facts, name="hearth", key_variable=None, url="http://127.0.0.1:9")

    monkeypatch.setattr(kiln, "Hearth", Hearth, raising=False)
    points = [EntryPoint(name, f"providers.kiln:{name.title()}", registry.GROUP) for name in ("kiln", "hearth")]
    monkeypatch.setattr(registry, "_offered", lambda: points)
    monkeypatch.setattr(registry, "_loaded", dict(registry._loaded))
    registry.installed.cache_clear()
    yield
    registry.installed.cache_clear()


@pytest.mark.usefixtures("offered")
def test_what_another_package_offers_is_there_once_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its key in the environment, or without one where none is needed."""
    monkeypatch.setenv("KILN_KEY", "kiln-0123456789")
    found = Connections(None, allow_insecure=False)
    assert list(found) == []
    assert found.find("kiln").api_key == "kiln-0123456789"
    assert found.find("kiln") is found["kiln"]
    assert found.find("hearth").base_url == "http://127.0.0.1:9"
    assert list(found) == ["kiln", "hearth"]
    found.remove("kiln")
    found.remove("kiln")
    assert list(found) == ["hearth"]


@pytest.mark.usefixtures("offered")
@pytest.mark.parametrize(
    ("name", "help_"),
    [
        ("kiln", "Set the environment variable KILN_KEY to your Kiln API key, or pass "
         "Session(providers=[providers.kiln.Kiln(api_key=…)])."),
        ("hearth", "Pass Session(providers=[test_connections.Hearth()]); Kiln needs no key."),
    ],
)  # fmt: skip
def test_what_another_package_offers_is_named_as_a_program_writes_it(name: str, help_: str) -> None:
    """With its own module, not aiogen's; a list that was given is all there is."""
    with pytest.raises(ConfigurationError) as caught:
        connections().find(name)
    assert str(caught.value).replace(f"{__name__}.", "test_connections.").endswith(help_)
    assert list(Connections(None, allow_insecure=False)) == []


# --- model strings


@pytest.mark.parametrize(
    ("model", "provider", "rest"),
    [
        ("luma/uni-1", LUMA, "uni-1"),
        ("luma-eu/uni-1-max", EU, "uni-1-max"),
        ("leonardo/bytedance/seedance-2.5", LEONARDO, "bytedance/seedance-2.5"),
        ("  luma / uni-1 ", LUMA, "uni-1"),
    ],
)
def test_a_model_string_has_two_halves(model: str, provider: Provider, rest: str) -> None:
    """What stands before the first slash is the connection, all the rest is the vendor's model."""
    found, typed = request(model, "a boat", width=64) if provider is LEONARDO else request(model, "a boat")
    assert found is provider
    assert (typed.model, typed.prompt) == (rest, "a boat")


def test_options_reach_the_provider() -> None:
    """Keywords become the typed request of the provider that the model string names."""
    _, typed = request("leonardo/gemini-image-2", "a boat", width=640, quantity=2, elements=["x"])
    assert typed == LeonardoImage(
        prompt="a boat", model="gemini-image-2", width=640, num_images=2, extra={"elements": ["x"]}
    )


def test_a_connection_by_keyword_wins() -> None:
    """`connection=` chooses among connections of one provider."""
    found, typed = request("luma/uni-1", "a boat", "luma-eu")
    assert (found, typed.model) == (EU, "uni-1")


@pytest.mark.parametrize("model", ["uni-1", "", "/uni-1", "luma/", " / ", None, 5])
def test_a_model_string_that_cannot_be_read(model: object) -> None:
    """Half a model string is refused with an example and the connections there are."""
    with pytest.raises(InputError) as caught:
        request(model, "a boat")
    assert str(caught.value) == (
        f"The model {model!r} cannot be read; write 'connection/model', such as 'luma/uni-1' or "
        "'leonardo/gemini-image-2'. Available connections: luma, luma-eu, leonardo."
    )


def test_without_connections_that_is_said() -> None:
    """The error about a model string also says when there is no connection at all."""
    with pytest.raises(InputError, match="Available connections: none"):
        connections().request("uni-1", "a boat", None, {})


@pytest.mark.parametrize("prompt", [5, b"a boat", ["a boat"]])
def test_a_prompt_is_text(prompt: object) -> None:
    """A prompt of another type is refused, and the error names the type."""
    with pytest.raises(InputError, match=f"The prompt has to be text, not {type(prompt).__name__}"):
        request("luma/uni-1", prompt)


def test_a_missing_prompt_is_the_providers_affair() -> None:
    """No prompt is passed on, and refused in the provider's words."""
    with pytest.raises(InputError, match="The prompt cannot be empty"):
        request("luma/uni-1")


# --- typed requests

TYPED = LumaImage(prompt="a boat")


def test_a_typed_request_finds_its_provider() -> None:
    """A typed request alone goes to the connection of its provider's own name, unchanged."""
    assert request(TYPED) == (LUMA, TYPED)
    image = LeonardoImage(prompt="a boat", model="gemini-image-2")
    assert request(image) == (LEONARDO, image)
    edit = LumaImageEdit(prompt="a boat", source="https://example.com/a.png")
    assert request(edit) == (LUMA, edit)


@pytest.mark.parametrize("model", ["luma-eu", "luma-eu/uni-1"])
def test_a_typed_request_to_a_connection(model: str) -> None:
    """Before a typed request the name of a connection, with a model or without, says where it goes."""
    assert request(model, TYPED) == (EU, TYPED)
    assert request(TYPED, None, "luma-eu") == (EU, TYPED)
    assert request("luma", TYPED, "luma-eu") == (EU, TYPED)


def test_options_go_inside_a_typed_request() -> None:
    """Options beside a typed request are refused, by name."""
    with pytest.raises(InputError, match="These options belong inside the typed request: style, web_search"):
        request(TYPED, style="manga", web_search=True)


def test_a_typed_request_of_nobody() -> None:
    """An object that looks like a request, and belongs to no provider that is known."""

    class Foreign:
        model = "m"

        def references(self) -> list[Any]:
            return []

    with pytest.raises(InputError, match="A Foreign belongs to none of the connections"):
        request(Foreign())


def test_a_typed_request_for_another_vendor() -> None:
    """A Luma request cannot go to Leonardo, and the error says whose is whose."""
    with pytest.raises(InputError, match="A LumaImage is for Luma, but the connection 'leonardo' is Leonardo AI"):
        request("leonardo", TYPED)


def test_a_typed_request_without_its_provider() -> None:
    """A typed request whose provider is not configured says which key is missing."""
    with pytest.raises(ConfigurationError, match="LUMA_AGENTS_API_KEY"):
        connections(LEONARDO).request(TYPED, None, None, {})


def test_every_complaint_is_ours() -> None:
    """Every error of this module is an AiogenError and a ValueError."""
    with pytest.raises(AiogenError) as caught:
        request("nobody/uni-1", "a boat")
    assert isinstance(caught.value, ValueError)
