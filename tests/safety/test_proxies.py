"""Which proxy a request goes through: the variables that every tool keeps to."""

from __future__ import annotations

import base64

import pytest

from aiogen._safety.proxies import Proxies, Proxy, basic, proxy_at
from aiogen.errors import ConfigurationError

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("environment", "scheme", "goes_by"),
    [
        ({}, "https", None),
        ({"HTTPS_PROXY": PROXY}, "https", PROXY),
        ({"https_proxy": PROXY}, "https", PROXY),
        ({"HTTPS_PROXY": PROXY}, "http", None),
        ({"HTTP_PROXY": PROXY}, "http", PROXY),
        ({"HTTP_PROXY": PROXY}, "https", None),
        ({"HTTPS_PROXY": "http://other:1", "https_proxy": PROXY}, "https", PROXY),
        ({"HTTPS_PROXY": PROXY, "https_proxy": ""}, "https", None),
        ({"HTTPS_PROXY": "  "}, "https", None),
        ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, "http", None),
        ({"http_proxy": PROXY, "REQUEST_METHOD": "GET"}, "http", PROXY),
        ({"HTTPS_PROXY": "proxy.example:3128"}, "https", PROXY),
        ({"HTTPS_PROXY": "https://proxy.example"}, "https", "https://proxy.example"),
        ({"HTTPS_PROXY": "http://[::2]:3128/"}, "https", "http://[::2]:3128"),
        ({"ALL_PROXY": PROXY}, "https", None),
    ],
)
def test_the_variables(environment: dict[str, str], scheme: str, goes_by: str | None) -> None:
    """One for each scheme, in either case; lower case counts first, also where it is empty."""
    proxies = Proxies.of(environment)
    proxy = proxies.proxy_for(scheme, "api.example.com", 443)
    assert proxy == (None if goes_by is None else Proxy(goes_by))
    if proxy is not None:
        assert proxies


@pytest.mark.parametrize(
    ("no_proxy", "host", "is_direct"),
    [
        ("", "api.example.com", False),
        ("*", "api.example.com", True),
        ("example.com", "api.example.com", True),
        (".example.com", "api.example.com", True),
        ("*.example.com", "api.example.com", True),
        ("EXAMPLE.com.", "Api.Example.COM.", True),
        ("other.org, api.example.com", "api.example.com", True),
        ("other.org api.example.com", "api.example.com", True),
        ("ample.com", "example.com", False),
        ("api.example.com", "example.com", False),
        ("example.com:8443", "example.com", True),
        ("example.com:443", "example.com", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("[fd00::1]", "fd00::1", True),
        ("fd00::/8", "fd00::1", True),
        (".", "api.example.com", False),
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_the_exceptions(name: str, no_proxy: str, host: str, is_direct: bool) -> None:
    """A host with what is below it, at one port or at any; a network; everything."""
    proxies = Proxies.of({"HTTPS_PROXY": PROXY, name: no_proxy})
    assert (proxies.proxy_for("https", host, 8443) is None) is is_direct


@pytest.mark.parametrize("host", ["localhost", "x.localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_this_machine_is_never_asked_through_a_proxy(host: str) -> None:
    """The proxy would ask itself."""
    assert Proxies.of({"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY}).proxy_for("http", host, 80) is None


@pytest.mark.parametrize("without", [{}, {"NO_PROXY": "*"}, {"HTTP_PROXY": ""}])
def test_no_proxy_at_all(without: dict[str, str]) -> None:
    """Then nobody has to be asked."""
    assert not Proxies.of(without)


@pytest.mark.parametrize(
    ("address", "pair"),
    [
        ("http://me:s%40cret%2F@proxy:3128", "me:s@cret/"),
        ("me:secret@proxy:3128", "me:secret"),
        ("http://me@proxy:3128", "me:"),
        ("http://:secret@proxy:3128", ":secret"),
    ],
)
def test_what_lets_us_through_is_a_secret(address: str, pair: str) -> None:
    """It is sent as a header, and is neither in the address nor in what is shown."""
    proxy = proxy_at(address, "HTTPS_PROXY")
    assert proxy.url == "http://proxy:3128"
    assert proxy.authorization == "Basic " + base64.b64encode(pair.encode()).decode()
    proxies = Proxies.of({"HTTPS_PROXY": address})
    assert not [text for text in (repr(proxy), repr(proxies), repr(proxy.authorization)) if "cret" in text]


@pytest.mark.parametrize(
    "address",
    ["socks5://me:secret@proxy:1080", "ftp://proxy", "http://", "http://:3128", "http://a..b:1", "http://proxy:99999",
     "http://[proxy", "http://secret:secret@"],
)  # fmt: skip
def test_a_proxy_that_cannot_be_used(address: str) -> None:
    """It is said which variable names it, and what would be right; without what lets us through."""
    proxies = Proxies.of({"HTTPS_PROXY": address})
    with pytest.raises(
        ConfigurationError, match=r"HTTPS_PROXY does not name a usable proxy .* such as http://proxy:3128"
    ) as caught:
        proxies.proxy_for("https", "api.example.com", 443)
    assert "secret" not in str(caught.value)
    assert caught.value.action is None
    assert proxies.proxy_for("http", "api.example.com", 80) is None


def test_a_pair_in_another_encoding() -> None:
    """aiohttp's BasicAuth names one."""
    assert basic("mé", "x", "latin-1") == "Basic " + base64.b64encode("mé:x".encode("latin-1")).decode()
