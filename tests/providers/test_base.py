"""`aiogen.providers.base`: a configuration, requests, and the table of statuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import attrs
import pytest
from providers.drive import answer, drive
from providers.kiln import Kiln

import aiogen
from aiogen._checks import (
    check_number,
    is_this_machine,
)
from aiogen._safety.secret import Secret
from aiogen.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    InputError,
    InsufficientFunds,
    InvalidRequest,
    NotFound,
    ProviderError,
    RateLimited,
    Unsupported,
)
from aiogen.exchange import Exchange, Response, Submission, Ticket
from aiogen.models import Action, FailureCode, Typical
from aiogen.providers import Capabilities, Facts, Leonardo, Luma, Provider
from aiogen.providers.reading import plain_details
from aiogen.providers.registry import BUILT_IN as PROVIDERS

KEY = "luma-api-0123456789"
LUMA = Luma(api_key=KEY)

every_provider = pytest.mark.parametrize("cls", PROVIDERS, ids=lambda cls: cls.__name__)
KEYED = [cls for cls in PROVIDERS if cls.facts.key_variable is not None]
every_provider_with_a_key = pytest.mark.parametrize("cls", KEYED, ids=lambda cls: cls.__name__)


def made(cls: type[Provider], **options: Any) -> Provider:
    """A connection, with a key if it takes one."""
    return cls(**({"api_key": KEY} if cls in KEYED else {}), **options)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for cls in PROVIDERS:
        for variable in filter(None, (cls.facts.key_variable, cls.facts.url_variable)):
            monkeypatch.delenv(variable, raising=False)


# --- the key

NO_KEY = {
    Luma: "API Key cannot be empty. Please provide your Luma API key in the credentials.",
    Leonardo: "API Key cannot be empty. Please provide your Leonardo AI API key in the credentials.",
}


@every_provider_with_a_key
@pytest.mark.parametrize("key", ["", "   ", "\n", None])
def test_an_empty_key_is_refused(cls: type[Provider], key: Any) -> None:
    """Without a key the error has the known text, and a note on how to give one."""
    with pytest.raises(ConfigurationError) as caught:
        cls(api_key=key)
    assert str(caught.value) == NO_KEY[cls]
    assert caught.value.__notes__ == [
        f"Set the environment variable {cls.facts.key_variable}, or pass {cls.__name__}(api_key=…)."
    ]
    assert (caught.value.provider, caught.value.action) == (cls.facts.name, Action.FIX_KEY)


@every_provider_with_a_key
@pytest.mark.parametrize(
    "key", ["secret\n", " secret", "sec ret", "secret\r\nX-Evil: 1", "secret\0", "sécret", "secret\x7f"]
)
def test_a_key_that_was_copied_wrongly_is_refused(cls: type[Provider], key: str) -> None:
    """A key with a line end, a blank or a foreign character is refused, and is not in the error."""
    with pytest.raises(ConfigurationError, match=f"copy it again.*{cls.facts.key_variable}") as caught:
        cls(api_key=key)
    assert not [part for part in ("secret", "sécret", "Evil") if part in str(caught.value)]


@every_provider_with_a_key
def test_the_key_comes_from_the_environment(cls: type[Provider], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument the key is the environment's; an argument wins."""
    monkeypatch.setenv(cls.facts.key_variable, "from-outside")
    assert cls().headers()["Authorization"] == "Bearer from-outside"
    assert cls(api_key="given").headers()["Authorization"] == "Bearer given"


@every_provider_with_a_key
def test_from_the_environment_or_not_at_all(cls: type[Provider], monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider without a key in the environment is not there, which is no error."""
    assert cls.from_environment() is None
    monkeypatch.setenv(cls.facts.key_variable, " ")
    assert cls.from_environment() is None
    monkeypatch.setenv(cls.facts.key_variable, KEY)
    assert cls.from_environment() == cls(api_key=KEY)


def test_a_wrong_key_in_the_environment_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key with a line end is not silently left out."""
    monkeypatch.setenv("LUMA_AGENTS_API_KEY", f"{KEY}\n")
    with pytest.raises(ConfigurationError, match="copy it again"):
        Luma.from_environment()


@every_provider_with_a_key
def test_the_key_is_never_shown(cls: type[Provider]) -> None:
    """Neither a provider, nor its requests, nor the name of its account tell the key."""
    provider = cls(api_key=KEY)
    request = provider.request("create", "POST", "/generations", body={"prompt": "x"})
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert not [shown for shown in (repr(provider), str(provider), repr(request), provider.account) if KEY in shown]


def test_an_account_is_provider_and_key() -> None:
    """Limits are shared by connections with one key, whatever they are called, and by no others."""
    assert Luma(api_key=KEY, name="other", max_active=3).account == LUMA.account
    assert len({LUMA.account, Luma(api_key="another").account, Leonardo(api_key=KEY).account}) == 3
    assert len(bytes.fromhex(LUMA.account)) == 12


# --- the base url


@every_provider
def test_the_vendors_address_is_the_default(cls: type[Provider]) -> None:
    """Without argument and variable the vendor's own address is used, over https, or on this machine."""
    assert made(cls).base_url == cls.facts.url
    assert cls.facts.url.startswith("https://") or is_this_machine(urlsplit(cls.facts.url).hostname or "")


@every_provider
def test_the_address_may_come_from_the_environment(cls: type[Provider], monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable of the vendor's own SDK is obeyed; an argument wins."""
    monkeypatch.setenv(cls.facts.url_variable, "https://proxy.example.com/x/")
    assert made(cls).base_url == "https://proxy.example.com/x"
    assert made(cls, base_url="https://other.example.com").base_url == "https://other.example.com"


@every_provider
def test_the_vendors_host_alone_means_its_api(cls: type[Provider]) -> None:
    """Of any other host nobody can know where it has the API."""
    host = "/".join(cls.facts.url.split("/")[:3])
    assert made(cls, base_url=host).base_url == made(cls, base_url=host + "/").base_url == cls.facts.url
    assert made(cls, base_url="https://proxy.example.com").base_url == "https://proxy.example.com"


@every_provider
def test_an_address_that_is_none_is_reported_with_one_that_is(
    cls: type[Provider], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with the variable that it may have come from."""
    monkeypatch.setenv(cls.facts.url_variable, cls.facts.url.split("/")[2])
    with pytest.raises(ConfigurationError, match=f"as in {cls.facts.url} \\(from {cls.facts.url_variable} or"):
        made(cls)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://h.example.com", "https://h.example.com"),
        ("https://h.example.com:8443/a/b/", "https://h.example.com:8443/a/b"),
        ("https://h.example.com//", "https://h.example.com"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://sandbox.localhost", "http://sandbox.localhost"),
        ("https://h_1.example.com.", "https://h_1.example.com."),
        (f"https://{'a' * 63}.example.com", f"https://{'a' * 63}.example.com"),
        ("https://bücher.example", "https://bücher.example"),
        ("https://[fe80::1%25eth0]/v1", "https://[fe80::1%25eth0]/v1"),
        ("https://10.0.0.1", "https://10.0.0.1"),
    ],
)
def test_addresses_that_can_be_used(url: str, kept: str) -> None:
    """https anywhere, plain http on this machine; trailing slashes are dropped."""
    assert Luma(api_key=KEY, base_url=url).base_url == kept


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("agents.lumalabs.ai/v1", "must begin with https://"),
        ("ftp://h.example.com", "must begin with https://"),
        ("https://", "name a host"),
        ("https:///v1", "name a host"),
        ("https://h.example.com/a b", "must begin with"),
        ("https://h.example.com/v1\n", "must begin with"),
        ("https://[h.example.com", "is not a url"),
        ("https://h.example.com:99999", "is not a url"),
        ("https://h.example.com:http", "is not a url"),
        (5, "is not a url"),
        ("https://user:secret@h.example.com", "must not contain"),
        ("https://h.example.com?key=secret", "must not contain"),
        ("https://h.example.com/v1#secret", "must not contain"),
        ("https://h.example.com/v1?", "must not contain"),
        ("https://h.example.com/v1#", "must not contain"),
        ("https://a..b.com", "'a..b.com' is not a valid host"),
        ("https://.example.com", "is not a valid host"),
        (f"https://{'a' * 64}.example.com", "is not a valid host"),
        (f"https://{'a.' * 130}com", "is not a valid host"),
        ("https://h%20.example.com", "is not a valid host"),
        ("https://h\\.example.com", "is not a valid host"),
        ("https://h,h.example.com", "is not a valid host"),
        (f"https://{'ü' * 64}.example.com", "is not a valid host"),
        ("https://ü..example.com", "is not a valid host"),
        ("http://h.example.com", "plain http to another machine"),
        ("http://10.0.0.1", "plain http to another machine"),
        ("http://localhost.example.com", "plain http to another machine"),
    ],
)
def test_addresses_that_cannot(url: Any, why: str) -> None:
    """What is no address, hides a secret, or would show the key to others is refused with the reason."""
    with pytest.raises(ConfigurationError, match=why) as caught:
        Luma(api_key=KEY, base_url=url)
    assert "secret" not in str(caught.value)


def test_plain_http_may_be_allowed() -> None:
    """Plain http to another machine is allowed on request."""
    assert Luma(api_key=KEY, base_url="http://10.0.0.1/v1", allow_insecure=True).base_url == "http://10.0.0.1/v1"


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("example.com", False),
        ("notlocalhost", False),
    ],
)
def test_what_is_this_machine(host: str, is_ours: bool) -> None:
    """Loopback addresses and the names that mean them, and no others."""
    assert is_this_machine(host) is is_ours


# --- names and limits


@pytest.mark.parametrize("name", ["luma", "luma-eu", "l_2.x", "Küche", "x" * 64])
def test_names_that_can_begin_a_model_string(name: str) -> None:
    """Letters, digits and a few signs make a name."""
    assert Luma(api_key=KEY, name=name).name == name


@pytest.mark.parametrize("name", ["a/b", "a b", " ", "x" * 65, "a\n", 5])
def test_names_that_cannot(name: Any) -> None:
    """A slash, a blank or too much of it cannot begin a model string."""
    with pytest.raises(ConfigurationError, match=r"The connection name .* is not valid"):
        Luma(api_key=KEY, name=name)


def test_no_key_is_blamed_for_a_name() -> None:
    """A name that cannot be used is not mended by another key."""
    with pytest.raises(ConfigurationError) as caught:
        Luma(api_key=KEY, name="a/b")
    assert caught.value.action is None


@pytest.mark.parametrize("limit", ["max_active", "creates_per_minute", "requests_per_minute"])
@pytest.mark.parametrize("value", [0, -1, 1_000_001, True, "10", None, float("nan"), float("inf")])
def test_a_limit_is_a_positive_number(limit: str, value: Any) -> None:
    """A limit that could never let anything through, or is no number, is refused by name."""
    with pytest.raises(InputError, match=f"{limit} has to be"):
        Luma(api_key=KEY, **{limit: value})


@every_provider
@pytest.mark.parametrize("limit", ["max_active", "creates_per_minute", "requests_per_minute"])
def test_limits_may_be_chosen(cls: type[Provider], limit: str) -> None:
    """Each limit is an argument of every provider."""
    assert getattr(made(cls, **{limit: 1}), limit) == 1


@pytest.mark.parametrize(
    ("cls", "given", "requests"),
    [
        (Luma, {}, 600),
        (Luma, {"creates_per_minute": 60}, 1200),
        (Luma, {"max_active": 25}, 1500),
        (Luma, {"creates_per_minute": 60, "max_active": 40}, 2400),
        (Luma, {"creates_per_minute": 600}, 3000),
        (Luma, {"creates_per_minute": 10, "max_active": 2}, 600),
        (Luma, {"creates_per_minute": 600, "requests_per_minute": 600}, 600),
        (Luma, {"creates_per_minute": 600, "requests_per_minute": 9000}, 9000),
        (Leonardo, {}, 1500),
        (Leonardo, {"creates_per_minute": 99}, 1650),
        (Leonardo, {"max_active": 2000, "creates_per_minute": 1000}, 2000),
    ],
)
def test_requests_grow_with_the_other_limits(cls: type[Provider], given: dict[str, int], requests: int) -> None:
    """Whoever has a larger plan is not held back by what nobody said, up to what the vendor documents."""
    assert made(cls, **given).requests_per_minute == requests
    # A copy with another limit is worked out again.
    assert attrs.evolve(made(cls), **given).requests_per_minute == requests


def test_a_limit_that_is_given_is_known_as_such() -> None:
    """Also if it is what it would have been anyway; a copy keeps what was given."""
    luma = Luma(api_key=KEY, creates_per_minute=Luma.facts.creates_per_minute)
    assert [luma.is_given(limit) for limit in ("max_active", "creates_per_minute", "requests_per_minute")] == [
        False, True, False,
    ]  # fmt: skip
    copied = attrs.evolve(luma, name="another")
    assert (copied.is_given("creates_per_minute"), copied.is_given("max_active")) == (True, False)
    assert Luma(api_key=KEY) == Luma(api_key=KEY, max_active=10)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 100_000.0, "30", True])
def test_typical_seconds_are_seconds(seconds: Any) -> None:
    """A typical duration that is none is refused with the model it was given for."""
    with pytest.raises(InputError, match=r"typical_seconds\['uni-1'\] has to be"):
        Luma(api_key=KEY, typical_seconds={"uni-1": seconds})


@pytest.mark.parametrize("seconds", [0.01, 1, 86_400.0])
def test_a_typical_duration_may_be_short_or_long(seconds: float) -> None:
    """From a hundredth of a second to a day, any duration can be typical."""
    assert Luma(api_key=KEY, typical_seconds={"uni-1": seconds}).typical_seconds == {"uni-1": seconds}


def test_the_users_word_on_durations_counts() -> None:
    """A typical duration that the user gives replaces the table's, for that model only."""
    luma, table = Luma(api_key=KEY, typical_seconds={"uni-1": 5.0}), Typical(median=30.0, spread=0.9)
    assert luma.typical("uni-1", table) == Typical(median=5.0, spread=0.4)
    assert luma.typical("uni-1-max", table) is table


@pytest.mark.parametrize(("value", "fits"), [(1, True), (2.5, True), (3, True), (0.99, False), (3.01, False)])
def test_bounds_are_inclusive(value: float, fits: bool) -> None:
    """A number may be either bound, and nothing beyond."""
    if fits:
        assert check_number(value, "n", 1, 3) == value
    else:
        with pytest.raises(InputError, match=f"n has to be from 1 to 3, not {value}"):
            check_number(value, "n", 1, 3)


# --- requests, and what a bare provider cannot do


def test_a_request_goes_below_the_base_url() -> None:
    """Method, address, headers and the rest are as given."""
    request = LUMA.request("list", "GET", "/files", query={"limit": "1"})
    assert (request.verb, request.method, request.url) == ("list", "GET", "https://agents.lumalabs.ai/v1/files")
    assert request.headers == {"Authorization": f"Bearer {KEY}", "Accept": "application/json"}
    assert (request.query, request.body) == ({"limit": "1"}, None)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://proxy.example.com/x/jobs/1?part=2", "/jobs/1?part=2"),
        ("https://agents.lumalabs.ai/v1/jobs/1", "/jobs/1"),
        ("https://proxy.example.com/x", None),
        ("https://proxy.example.com/xy/jobs", None),
        ("https://proxy.example.com/jobs/1", None),
        ("https://proxy.example.com/x@elsewhere.example/jobs", None),
        ("https://proxy.example.com/x/../jobs", None),
        ("https://proxy.example.com/x/%2e%2e/jobs", None),
        ("https://proxy.example.com/x/jobs#top", None),
        ("https://proxy.example.com/x/jobs\n", None),
        ("https://elsewhere.example/x/jobs", None),
        ("http://proxy.example.com/x/jobs", None),
        ("/jobs/1", None),
        (None, None),
        (5, None),
    ],
)
def test_an_address_of_an_answer_is_asked_below_the_base_url(url: object, path: str | None) -> None:
    """Or not at all, for a request takes the key along; the vendor may name its own address for a proxy's."""
    assert Luma(api_key=KEY, base_url="https://proxy.example.com/x").path_below(url) == path


def test_a_header_that_holds_the_key_is_masked() -> None:
    """In whatever words a subclass writes it; what holds none is shown."""

    class Own(Luma):
        def headers(self) -> dict[str, str]:
            return {"X-Key": f"Ticket {self.api_key}", "Accept": "image/png"}

    sent = Own(api_key=KEY).request("list", "GET", "/").headers
    assert sent == {"X-Key": f"Ticket {KEY}", "Accept": "image/png"}
    assert repr(dict(sent)) == "{'X-Key': '[the key]', 'Accept': 'image/png'}"


BARE = Facts(
    vendor="Bare",
    name="bare",
    url="https://bare.example.com",
    key_variable="BARE_KEY",
    request_type=object,
    max_active=3,
    creates_per_minute=20,
    requests_per_minute=100,
)


class Unwritten(Provider):
    """A provider file that nobody has written yet."""

    facts = BARE


class Bare(Provider):
    """The least that a provider file may write."""

    facts = BARE

    def prepare(self, model: str, prompt: str | None, options: Mapping[str, Any]) -> Any:
        """Nothing."""

    def encode(self, request: Any) -> Any:
        """Nothing."""

    def create(self, submission: Submission) -> Any:
        """Nothing."""

    def get(self, ticket: Ticket) -> Any:
        """Nothing."""


def test_a_provider_has_to_write_four_calls() -> None:
    """What every provider must be able to do has no default, and what is missing is named."""
    with pytest.raises(
        ConfigurationError, match="class Unwritten has no prepare and no encode and no create and no ge"
    ):
        Unwritten(api_key=KEY)


def test_what_a_provider_has_to_write_has_no_body_to_fall_back_on() -> None:
    """A subclass that calls it by `super()` is told."""
    bare = Bare(api_key=KEY)
    assert bare.slots is None
    for call in (
        lambda: Provider.prepare(bare, "m", "p", {}),
        lambda: Provider.encode(bare, None),
        lambda: Provider.create(bare, None),  # type: ignore[arg-type]
        lambda: Provider.get(bare, None),  # type: ignore[arg-type]
    ):
        with pytest.raises(NotImplementedError):
            call()


def test_a_provider_has_to_state_its_facts() -> None:
    """A class without any says so; facts with a hole name it."""

    class Factless(Provider):
        """Says nothing about its vendor."""

    with pytest.raises(ConfigurationError, match=r"class Factless has no facts: .* an aiogen\.Facts"):
        Factless(api_key=KEY)
    with pytest.raises(TypeError, match="'url'"):
        Facts(vendor="x", name="x")  # type: ignore[call-arg]


@pytest.mark.parametrize(("name", "value"), [("poll_floor", 0.2), ("url", "https://kiln.example"), ("list_page", 50)])
def test_a_fact_beside_the_facts_is_refused(name: str, value: object) -> None:
    """Nothing would read it, and the vendor would be asked otherwise than its author believes."""
    eager = type("Eager", (Bare,), {name: value})
    with pytest.raises(ConfigurationError, match=rf"Eager\.{name} is read by nothing.*evolve\(Bare\.facts, {name}="):
        eager(api_key=KEY)
    with pytest.raises(ConfigurationError, match=rf"Eager\.{name} is read by nothing"):
        type("Later", (eager,), {})(api_key=KEY)
    assert type("Own", (Bare,), {"url": property(lambda self: "its own")})(api_key=KEY).url == "its own"


@pytest.mark.parametrize(
    "wrong",
    [
        {"vendor": " "}, {"name": "a/b"}, {"url": ""}, {"key_variable": "NOT A NAME"}, {"max_active": 0},
        {"creates_per_minute": 1.5}, {"requests_per_minute": 10**7}, {"poll_floor": 0.0}, {"poll_cost": 0.0},
        {"not_found_grace": float("nan")}, {"list_page": -1},
    ],
    ids=lambda wrong: next(iter(wrong)),
)  # fmt: skip
def test_facts_that_cannot_be(wrong: dict[str, Any]) -> None:
    """Each is refused when the provider file is read, and named."""
    with pytest.raises(InputError, match=f"{next(iter(wrong))}|name"):
        attrs.evolve(BARE, **wrong)


def test_limits_are_those_of_the_facts_unless_given() -> None:
    """What the provider file states is every connection's default."""
    assert (Bare(api_key=KEY).max_active, Bare(api_key=KEY, max_active=7).max_active) == (3, 7)
    assert (Bare(api_key=KEY).creates_per_minute, Bare(api_key=KEY).requests_per_minute) == (20, 100)


def test_what_it_can_is_what_it_writes() -> None:
    """Nothing is declared twice."""

    class Able(Bare):
        """Writes more."""

        facts = attrs.evolve(BARE, list_page=7)

        def list(self, user_id: str | None, offset: int, limit: int) -> Any:
            """Nothing."""

        def cancel(self, ticket: Ticket) -> Any:
            """Nothing."""

    assert Bare(api_key=KEY).capabilities == Capabilities()
    assert Able(api_key=KEY).capabilities == Capabilities(list=True, cancel=True, list_page=7)


class Keyless(Bare):
    """A server of one's own."""

    facts = attrs.evolve(BARE, name="home", key_variable=None, url="http://127.0.0.1:9999", url_variable="HOME_URL")


class Common(Bare):
    """A vendor with a key for everybody."""

    facts = attrs.evolve(BARE, public_key="0000000000")


def test_a_server_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends none, takes none, is found by its address, and is an account of its own."""
    assert Keyless.from_environment() is None
    monkeypatch.setenv("HOME_URL", "http://127.0.0.1:8000")
    home = Keyless.from_environment()
    assert home is not None
    assert home.base_url == "http://127.0.0.1:8000"
    assert "Authorization" not in home.request("retrieve", "GET", "/x").headers
    assert home.secrets == ()
    assert home.account != Keyless(base_url="http://127.0.0.1:8001").account
    assert home.account == Keyless(name="another").account
    with pytest.raises(ConfigurationError, match=r"takes no API key.*extra_headers="):
        Keyless(api_key=KEY)
    with pytest.raises(ConfigurationError, match="read prompts and pictures: use https"):
        Keyless(base_url="http://10.0.0.7:8188")
    with pytest.raises(ConfigurationError, match="must begin with http:// or https://"):
        Keyless(base_url="ftp://x")


def test_a_key_for_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is used where nobody has one of their own, and is no secret."""
    assert Common().request("retrieve", "GET", "/x").headers["Authorization"] == "Bearer 0000000000"
    assert Common().secrets == ()
    monkeypatch.setenv("BARE_KEY", KEY)
    assert (Common().api_key, Common().secrets) == (KEY, (Secret(KEY),))


def test_headers_of_ones_own() -> None:
    """They go with every request, win over ours, and are kept as secret as the key."""
    provider = Bare(api_key=KEY, extra_headers={"X-Proxy": "open-sesame-1", "Accept": "text/plain"})
    headers = provider.request("retrieve", "GET", "/x").headers
    assert (headers["X-Proxy"], headers["Accept"]) == ("open-sesame-1", "text/plain")
    assert Secret("open-sesame-1") in provider.secrets
    assert "sesame" not in f"{provider!r} {headers!r} {attrs.asdict(provider)}"
    with pytest.raises(ConfigurationError, match="base url contains the API key"):
        Bare(api_key=KEY, extra_headers={"X-Proxy": "open-sesame-1"}, base_url="https://a.example/open-sesame-1")


@pytest.mark.parametrize(
    ("url", "is_below"),
    [
        ("https://a.example/api/x", True), ("https://a.example/api", False), ("https://a.example/apis/x", False),
        ("http://a.example/api/x", False), ("https://b.example/api/x", False), ("https://a.example:444/api/x", False),
        ("https://a.example/api/../x", False), ("https://a.example/api/%2e%2e/x", False), ("https://[bad/api/x", False),
        ("https://a.example/api/..\\x", False),
    ],
)  # fmt: skip
def test_headers_of_ones_own_go_below_the_base_url_alone(url: str, is_below: bool) -> None:
    """By scheme, host, port and path; what cannot be read is nowhere."""
    provider = Bare(api_key=KEY, base_url="https://a.example/api", extra_headers={"X-Proxy": "open-sesame-1"})
    assert provider.headers_for(url) == ({"X-Proxy": "open-sesame-1"} if is_below else {})


@pytest.mark.parametrize(
    ("headers", "what"),
    [
        ({"Bad Name": "x"}, "no header can have: 'Bad Name'"),
        ({"Content-Length": "5"}, "cannot set Content-Length"),
        ({"X-Proxy": "a\r\nSet-Cookie: b"}, "value of X-Proxy"),
        ({"X-Proxy": ""}, "value of X-Proxy"),
        (["X-Proxy"], "takes {'Name': 'value'}"),
    ],
)
def test_headers_that_cannot_be(headers: Any, what: str) -> None:
    """They are refused where they are written, and their values are not shown."""
    with pytest.raises(ConfigurationError, match=re.escape(what)) as caught:
        Bare(api_key=KEY, extra_headers=headers)
    assert "Set-Cookie" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "arguments", "what"),
    [
        ("list", (None, 0, 10), "lists generations"),
        ("delete", ("g1",), "deletes a generation"),
        ("read_account", (), "describes the account"),
    ],
)
def test_what_a_vendor_does_not_offer(call: str, arguments: tuple[Any, ...], what: str) -> None:
    """A call that the vendor does not have says so, in its name."""
    with pytest.raises(Unsupported, match=f"Bare has no API call that {what}") as caught:
        getattr(Bare(api_key=KEY), call)(*arguments)
    assert (caught.value.provider, caught.value.action) == ("bare", Action.GIVE_UP)


# --- the table of statuses

BY_STATUS = [
    (400, InvalidRequest, FailureCode.INVALID_REQUEST, Action.CHANGE_INPUT),
    (401, AuthenticationError, FailureCode.AUTH, Action.FIX_KEY),
    (402, InsufficientFunds, FailureCode.BUDGET_EXHAUSTED, Action.ADD_FUNDS),
    (403, AuthenticationError, FailureCode.AUTH, Action.FIX_KEY),
    (404, NotFound, FailureCode.NOT_FOUND, Action.GIVE_UP),
    (405, InvalidRequest, FailureCode.INVALID_REQUEST, Action.CHANGE_INPUT),
    (408, ProviderError, FailureCode.PROVIDER_ERROR, Action.WAIT),
    (413, InvalidRequest, FailureCode.INVALID_REQUEST, Action.CHANGE_INPUT),
    (422, InvalidRequest, FailureCode.INVALID_REQUEST, Action.CHANGE_INPUT),
    (429, RateLimited, FailureCode.RATE_LIMITED, Action.WAIT),
    (499, InvalidRequest, FailureCode.INVALID_REQUEST, Action.CHANGE_INPUT),
    (500, ProviderError, FailureCode.PROVIDER_ERROR, Action.WAIT),
    (503, ProviderError, FailureCode.PROVIDER_ERROR, Action.WAIT),
    (599, ProviderError, FailureCode.PROVIDER_ERROR, Action.WAIT),
]


@pytest.mark.parametrize(("status", "cls", "code", "action"), BY_STATUS)
def test_a_status_becomes_an_error(status: int, cls: type[APIError], code: FailureCode, action: Action) -> None:
    """Each status has one kind of error, with its code, its action, and the known text."""
    error = LUMA.refusal(answer(status=status), "create", "no")
    assert type(error) is cls
    assert (error.code, error.action, error.status, error.details) == (code, action, status, "no")
    assert str(error) == f"Failed to create generation. API error {status}: no"
    assert error.__notes__ == [action.help_text]


BY_CODE = [
    (FailureCode.AUTH, AuthenticationError, Action.FIX_KEY),
    (FailureCode.BUDGET_EXHAUSTED, InsufficientFunds, Action.ADD_FUNDS),
    (FailureCode.CONTENT_MODERATED, InvalidRequest, Action.CHANGE_INPUT),
    (FailureCode.INVALID_REQUEST, InvalidRequest, Action.CHANGE_INPUT),
    (FailureCode.IMAGE_TOO_LARGE, InvalidRequest, Action.CHANGE_INPUT),
    (FailureCode.NOT_FOUND, NotFound, Action.GIVE_UP),
    (FailureCode.RATE_LIMITED, RateLimited, Action.WAIT),
    (FailureCode.PROVIDER_ERROR, ProviderError, Action.WAIT),
]


@pytest.mark.parametrize(("code", "cls", "action"), BY_CODE)
def test_a_code_tells_more_than_a_status(code: FailureCode, cls: type[APIError], action: Action) -> None:
    """Where the vendor's words name the problem, they decide the kind of error, whatever the status."""
    error = LUMA.refusal(answer(status=418), "create", "no", code=code)
    assert type(error) is cls
    assert (error.code, error.action, error.status) == (code, action, 418)


def test_a_code_without_a_class_of_its_own() -> None:
    """Any other code goes with the kind of error that the status means."""
    error = LUMA.refusal(answer(status=400), "create", "no", code=FailureCode.CORRUPT_INPUT)
    assert type(error) is InvalidRequest
    assert error.code is FailureCode.CORRUPT_INPUT


def test_the_status_inside_a_body_counts() -> None:
    """A status named inside an answer with HTTP 200 is the error's status, and chooses its kind."""
    error = LUMA.refusal(answer(status=200), "delete", "gone", status=404)
    assert type(error) is NotFound
    assert str(error) == "Failed to delete generation. API error 404: gone"


def test_a_list_is_of_many() -> None:
    """The text for a failed list speaks of generations."""
    assert str(LUMA.refusal(answer(status=500), "list", "no")) == "Failed to list generations. API error 500: no"


def test_an_error_names_where_it_comes_from() -> None:
    """Provider, connection, request id and the wait that was asked for are on the error."""
    response = answer(status=503, headers={"X-Request-Id": "r1", "Retry-After": "7"})
    error = Luma(api_key=KEY, name="luma-eu").refusal(response, "create", "no")
    assert (error.provider, error.connection, error.request_id, error.retry_after) == ("luma", "luma-eu", "r1", 7.0)


@pytest.mark.parametrize(
    ("body", "details"),
    [
        (b"", "(empty body)"),
        (b" \n", "(empty body)"),
        (b"upstream\n  connect error", "upstream connect error"),
        (b"\n<html><body>502</body></html>", "HTML page: <html><body>502</body></html>"),
        (
            b"<!DOCTYPE html>\n<HTML><title lang='en'>\n 502 Bad\n Gateway </title><h1>Oh</h1>",
            "HTML page: 502 Bad Gateway",
        ),
        (b"<html><title> </title><body><h1 class=a>No <b>way", "HTML page: No"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_a_body_that_is_no_json_is_quoted(body: bytes, details: str) -> None:
    """What a page of the network's edge says is shown on one line."""
    assert plain_details(answer(body)) == details


def test_a_long_page_is_not_quoted_whole() -> None:
    """A page of a megabyte makes an error of a line."""
    assert len(plain_details(answer(b"<" + b"x" * 1_000_000))) < 250


# --- a 404 that is not the API's

HTML = b"<html><head><title>404 Not Found</title></head></html>"
IN_BETWEEN = {
    "html": HTML,
    "empty": b"",
    "text": b"404 page not found",
    "gateway": b'{"message": "no Route matched with those values"}',
    "framework": b'{"detail": "Not Found"}',
    "bare": b'{"error": "Not Found"}',
    "word": b'"no"',
}
OWN = {
    Luma: [b'{"detail": "Generation not found"}'],
    Leonardo: [
        b'{"error": "not found", "path": "$", "code": "not_found"}',
        b"[]",
        b"null",
        b'{"errors": [{"message": "no"}]}',
    ],
}
VERBS = ("retrieve", "list", "delete", "create")
NO_CALL = {(Luma, "list"), (Luma, "delete")}


def refused(provider: Provider, verb: str, response: Response) -> APIError:
    """The error that an answer to this call becomes."""
    exchanges: dict[str, Callable[[], Exchange[Any]]] = {
        "retrieve": lambda: provider.get(Ticket(provider_id="abc")),
        "list": lambda: provider.list("u", 0, 50),
        "delete": lambda: provider.delete("abc"),
        "create": lambda: provider.create(provider.encode(provider.prepare("m", "a boat", {}))),
    }
    with pytest.raises(APIError) as caught:
        drive(exchanges[verb](), response)
    return caught.value


@every_provider
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("body", IN_BETWEEN.values(), ids=IN_BETWEEN)
def test_a_404_that_is_not_the_apis_asks_whether_the_address_is_right(
    cls: type[Provider], verb: str, body: bytes
) -> None:
    """Whatever call it was: the page of another server says nothing about a generation."""
    if (cls, verb) in NO_CALL:
        pytest.skip("no such call")
    error = refused(made(cls, base_url="http://127.0.0.1:9/v9"), verb, answer(body, status=404))
    assert f"Is the base url http://127.0.0.1:9/v9 right (base_url=, or {cls.facts.url_variable})?" in str(error)
    assert cls.facts.url in str(error)
    assert str(error).startswith(f"Failed to {verb} ")
    assert not [note for note in getattr(error, "__notes__", []) if "Nothing is known to help" in note]


@pytest.mark.parametrize(("cls", "body"), [(cls, body) for cls, bodies in OWN.items() for body in bodies])
def test_a_404_of_the_api_does_not(cls: type[Provider], body: bytes) -> None:
    """Its own words say that the address is right."""
    error = refused(made(cls, base_url="http://127.0.0.1:9/v9"), "retrieve", answer(body, status=404))
    assert "base url" not in str(error)


@every_provider
@pytest.mark.parametrize(("status", "url"), [(404, ""), (500, "http://127.0.0.1:9"), (403, "http://127.0.0.1:9")])
def test_the_vendors_own_address_is_right(cls: type[Provider], status: int, url: str) -> None:
    """Nobody is sent to look at an address that was not given, nor by another status."""
    error = refused(made(cls, base_url=url), "retrieve", answer(HTML, status=status))
    assert "base url" not in str(error)


def test_what_a_provider_does_not_write_is_the_usual() -> None:
    """A price is the estimate, for which nothing is asked; nothing is dropped, and nothing is kept beside."""
    provider = Kiln(api_key="k")
    price = aiogen.Cost(Decimal(1), "CREDITS", is_estimate=True)
    submission = attrs.evolve(provider.encode(provider.prepare("clay", "a bowl", {})), estimate=price)
    assert drive(provider.quote(submission)).result == price
    assert provider.with_every_output() is provider
    done = aiogen.Generation(
        id=None, provider_id="a", provider="kiln", connection="kiln", model=None, state=aiogen.State.COMPLETED
    )
    assert provider.kept_beside(done) is None
