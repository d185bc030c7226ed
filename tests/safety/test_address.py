"""`aiogen._safety.address`: which addresses a file may be fetched from, and in which bytes they are asked for."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiogen._safety import address as _address
from aiogen._safety.address import FilePolicy, Reach, Refused, reach_of, reach_of_host

PUBLIC = FilePolicy.of("https://api.vendor.example/v1")
LOCAL = FilePolicy.of("http://127.0.0.1:8000/v1")
INSECURE = FilePolicy.of("http://api.vendor.example/v1", insecure=True)
UNKNOWN = FilePolicy.of(None)

REACH = {
    Reach.PUBLIC: [
        "93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
    ],
    Reach.PRIVATE: [
        "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "::1",
        "fc00::1", "fd12:3456::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1",
        "2002:c0a8:101::",
    ],
    Reach.SPECIAL: [
        "0.0.0.0", "169.254.169.254", "192.0.2.2", "198.51.100.1", "203.0.113.9", "198.18.0.1", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "192.0.0.1", "::", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
        "2001:db8::1", "2001::1", "::7f00:1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1",
        "2002:a9fe:a9fe::", "4000::1",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("reach", "address"), [(reach, a) for reach, found in REACH.items() for a in found])
def test_where_an_ip_address_leads(reach: Reach, address: str) -> None:
    """Also one that has another inside: mapped, 6to4, NAT64."""
    assert reach_of(address) is reach
    if reach is Reach.SPECIAL:
        for policy in (PUBLIC, LOCAL, INSECURE):
            with pytest.raises(Refused):
                policy.check(policy.url("https://storage.example/a"), address)


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("storage.example", None),
        ("localhost.example", None),
        ("localhost", Reach.PRIVATE),
        ("LOCALHOST.", Reach.PRIVATE),
        ("a.localhost", Reach.PRIVATE),
        ("printer.local", Reach.PRIVATE),
        ("metadata.google.internal", Reach.PRIVATE),
        ("nas.home.arpa", Reach.PRIVATE),
        ("minio", Reach.PRIVATE),
        ("2130706433", Reach.SPECIAL),
        ("127.1", Reach.SPECIAL),
        ("0x7f.0.0.1", Reach.SPECIAL),
        ("0x7f000001", Reach.SPECIAL),
        ("0177.0.0.1", Reach.SPECIAL),
        ("127.0.0.1.", Reach.SPECIAL),
        ("a.1", Reach.SPECIAL),
    ],
)
def test_where_the_text_of_a_host_leads(host: str, reach: Reach | None) -> None:
    """A name may lead anywhere; some only into a network of one's own, and old forms of IPv4 are none at all."""
    assert reach_of_host(host) is reach


SIGNED = [
    "https://s.example/files/a%2Fb/Default_caf%C3%A9%20(1)_0.png?d=attachment%3B%20filename%3D%22x%22",
    "https://s.example/k.png?X-Amz-Credential=AK%2F20260101%2Fus-east-1%2Fs3&X-Amz-Signature=ab%2Bcd%3D",
    "https://s.example/v%26p.png?c=a%40b.example&sig=a%7Eb%21",
    "https://s.example/plain.png?Signature=qZ0A%2BPP2g%3D&Expires=1",
    "https://s.example/%7euser/../%2e%2e/x?a=b+c&&d=%zz&empty=&'()*!~",
    "https://s.example:8443//twice//a;b=c,d?q=/?:@$",
    "https://[2606:2800:220:1::1]/a",
]


@pytest.mark.parametrize("url", SIGNED)
def test_what_was_signed_is_not_touched(url: str) -> None:
    """Neither in the vendor's answer nor in a redirect."""
    assert str(PUBLIC.url(url)) == url
    base = PUBLIC.url("https://other.example/x%2Fy?z=%7E")
    assert str(PUBLIC.url(url, base)) == url
    path = PUBLIC.url(url).raw_path_qs
    if not path.startswith("//") and ".." not in path:
        assert PUBLIC.url(path, base).raw_path_qs == path


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://s.example/a b?c=d e", "https://s.example/a%20b?c=d%20e"),
        ("https://s.example/café?x=%7Eü", "https://s.example/caf%C3%A9?x=%7E%C3%BC"),
        ("https://s.example/a\x7f", "https://s.example/a%7F"),
        ("https://bücher.example/a%2F", "https://xn--bcher-kva.example/a%2F"),
        ("HTTPS://S.Example/A", "https://s.example/A"),
        ("https://s.example", "https://s.example/"),
        ("https://s.example:443/a", "https://s.example/a"),
        ("https://s.example/a#b?c", "https://s.example/a"),
        ("https://s.example?a=%2F", "https://s.example/?a=%2F"),
        ("https://s.example/a\udce9", "https://s.example/a%E9"),  # a byte of a header that is no UTF-8
        (" https://s.example/a\n", "https://s.example/a"),
    ],
)
def test_only_what_cannot_be_sent_is_quoted(url: str, sent: str) -> None:
    """Blanks, control characters, what is not ASCII; the rest stays as it is."""
    assert str(PUBLIC.url(url)) == sent


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("/c%2Fd?%40", "https://s.example/c%2Fd?%40"),
        ("e", "https://s.example/a/e"),
        ("../e?x", "https://s.example/e?x"),
        ("?q=%7E", "https://s.example/a/b?q=%7E"),
        ("//t.example/%21", "https://t.example/%21"),
        ("#part", "https://s.example/a/b?x=%7E"),
    ],
)
def test_a_relative_redirect(location: str, leads_to: str) -> None:
    """Means what it means in a browser."""
    assert str(PUBLIC.url(location, PUBLIC.url("https://s.example/a/b?x=%7E"))) == leads_to


NOT_FETCHED = {
    "https://user:word@storage.example/a": "user name",
    "https://user@storage.example/a": "user name",
    "https://storage.example@169.254.169.254/a": "user name",
    "ftp://storage.example/a": "not https",
    "file:///etc/passwd": "not https",
    "data:image/png;base64,AA": "not https",
    "//storage.example/a": "not https",
    "": "not https",
    "https:///a": "no valid host",
    "https:/storage.example/a": "no valid host",
    "https://:80/a": "no valid host",
    "https://a..example/": "no valid host",
    f"https://{'a' * 70}.example/": "no valid host",
    f"https://{'.'.join(['a' * 60] * 5)}/": "no valid host",
    "https://storage.example%00.other.example/": "no valid host",
    "https://storage .example/": "no valid host",
    "https://storage.example:99999/": "cannot be requested",
    "https://[half": "cannot be requested",
    "https://storage.example\\@127.0.0.1/": "cannot be requested",
    "https://storage.example/\ud800": "cannot be requested",
    "https://192.0.2.2/latest/meta-data/": "special-purpose address",
    "https://169.254.169.254/latest/meta-data/": "special-purpose address",
    "https://2130706433/": "special-purpose address",
    "https://[::ffff:169.254.169.254]/": "special-purpose address",
}


@pytest.mark.parametrize("policy", [PUBLIC, LOCAL, INSECURE, UNKNOWN], ids=["public", "local", "insecure", "unknown"])
@pytest.mark.parametrize(("url", "why"), NOT_FETCHED.items())
def test_what_nobody_may_make_us_fetch(policy: FilePolicy, url: str, why: str) -> None:
    """Wherever the provider is."""
    with pytest.raises(Refused, match=why):
        policy.url(url)


PRIVATE_URLS = [
    "127.0.0.1:8080", "127.0.0.1", "localhost", "[::1]", "10.1.2.3", "192.168.0.1", "[fd00::1]", "minio:9000",
    "printer.local", "[::ffff:127.0.0.1]", "[64:ff9b::a00:1]",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE_URLS)
def test_a_private_address_is_for_private_providers(host: str) -> None:
    """A provider on the internet may not name one, over http or https, even where plain http is allowed."""
    for url in (f"http://{host}/a", f"https://{host}/a"):
        assert LOCAL.url(url).scheme == url.partition(":")[0]
        for policy in (PUBLIC, INSECURE, UNKNOWN):
            with pytest.raises(Refused, match=r"private network|not https"):
                policy.url(url)


def test_plain_http() -> None:
    """Goes to public hosts only where that was allowed, and whatever stands before an @ or after a ? is no host."""
    assert str(INSECURE.url("http://storage.example/a")) == "http://storage.example/a"
    for policy in (PUBLIC, LOCAL, UNKNOWN):
        for url in ("http://storage.example/a", "http://storage.example?@127.0.0.1/a", "http://s.example#@127.0.0.1/"):
            with pytest.raises(Refused, match=r"is not https \(http://s"):
                policy.url(url)


def test_the_providers_own_host_serves_its_files() -> None:
    """Wherever it leads: a gateway in a company's network has a name like any other."""
    own = PUBLIC.url("https://api.vendor.example:9000/a")
    PUBLIC.check(own, "10.0.0.5")
    for url, address in (("https://storage.example/a", "10.0.0.5"), ("https://storage.example/a", "127.0.0.1")):
        with pytest.raises(Refused, match=f"private network.*{address}"):
            PUBLIC.check(PUBLIC.url(url), address)
    PUBLIC.check(PUBLIC.url("https://storage.example/a"), "93.184.216.34")
    LOCAL.check(LOCAL.url("https://storage.example/a"), "10.0.0.5")


def test_a_private_name_that_leads_outside() -> None:
    """Plain http was meant for one's own network."""
    minio = LOCAL.url("http://minio:9000/a")
    LOCAL.check(minio, "172.18.0.3")
    with pytest.raises(Refused, match="not https"):
        LOCAL.check(minio, "93.184.216.34")


def test_a_base_url_that_is_none() -> None:
    """Makes no policy fail: only public https is left."""
    assert FilePolicy.of("https://[half", insecure=True) == FilePolicy(insecure=True)


def test_what_is_said_shows_no_signature() -> None:
    """A signed address is a key of sorts."""
    for url in ("http://s.example/a?sig=secret", "https://me:secret@s.example/?sig=secret", "https://10.0.0.1/secret"):
        with pytest.raises(Refused) as refused:
            PUBLIC.url(url)
        assert "secret" not in str(refused.value)


@given(st.text(max_size=60), st.sampled_from(["", "https://", "http://", "https://s.example/", "//", "https://["]))
@settings(deadline=None, derandomize=True, max_examples=300)
def test_any_text_is_an_address_or_refused(text: str, before: str) -> None:
    """Nothing else is raised, and what is sent is ASCII."""
    for base in (None, PUBLIC.url("https://s.example/a")):
        try:
            url = PUBLIC.url(before + text, base)
        except Refused:
            continue
        assert url.scheme == "https"
        assert url.raw_path_qs.isascii()
        assert " " not in url.raw_path_qs


def test_examples_in_the_docstrings_are_true() -> None:
    """What the docstrings show is what happens."""
    found = doctest.testmod(_address)
    assert found.attempted
    assert not found.failed


def test_an_address_that_is_none_leaves_no_frames_that_cannot_be_printed() -> None:
    """Error reporters print the locals of every frame, also of what was caught on the way."""
    with pytest.raises(Refused) as caught:
        PUBLIC.url("https://[1/")
    assert caught.value.__context__ is None
