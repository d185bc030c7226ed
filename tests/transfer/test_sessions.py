"""The way to the network: a caller's own session, proxies, and what of them a request takes along."""

from __future__ import annotations

import asyncio
import gzip
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from proxying import proxying, reply
from serving import ID, KEY, Vendor, body, done, luma, serving

import aiogen

PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0\x90wS\xde\0\0\0\x0cIDATx\x9cc\xf8\xcf\xc0\0\0\3\1\1\0"
    b"\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82"
)
FAR = "api.example.invalid"
FILE = "http://files.example.invalid/picture.png"


class Studio(Vendor):
    """API and storage of one host; answers are compressed for those who can read that."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[Any] = []
        self.url = ""

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/files/"):
            self.files.append(request.headers)
            return web.Response(body=PNG, content_type="image/png")
        self.headers.append(request.headers)
        text = json.dumps(body() if request.method == "POST" else done(f"{self.url}/files/a.png")).encode()
        squeezed = gzip.compress(text) if "gzip" in request.headers.get("Accept-Encoding", "") else text
        coding = {"Content-Encoding": "gzip"} if squeezed is not text else {}
        status = 201 if request.method == "POST" else 200
        return web.Response(status=status, body=squeezed, headers={"Content-Type": "application/json", **coding})


async def everything(session: aiogen.Session, folder: Path) -> list[Path]:
    """A create, questions, and a download."""
    return await session.download(await session.generate("luma/uni-1", "a boat", timeout=60.0), folder)


# --- a caller's ClientSession

DEFAULTS: dict[str, dict[str, Any]] = {
    "base_url": {"base_url": "http://other.example/api/"},
    "auth": {"auth": ("me", "secret")},
    "Authorization": {"headers": {"Authorization": "Bearer mine", "X-Mine": "yes"}},
    "raise_for_status": {"raise_for_status": True},
    "auto_decompress": {"auto_decompress": False},
    "cookies": {"cookies": {"a": "b"}},
    "timeout": {"timeout": aiohttp.ClientTimeout(total=1e-9)},
    "json_serialize": {"json_serialize": lambda _: "no"},
    "skip_auto_headers": {"skip_auto_headers": ["Content-Type", "User-Agent"]},
    "version": {"version": aiohttp.HttpVersion10},
    "trust_env": {"trust_env": True},
}


@pytest.mark.parametrize("options", DEFAULTS.values(), ids=DEFAULTS)
async def test_nothing_of_a_callers_session_but_its_way(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Create, reads and download are what they are without it; also where netrc has a word for the host."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    studio = Studio()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if "auth" in options:
            options = {"auth": aiohttp.BasicAuth(*options["auth"])}
        mine = aiohttp.ClientSession(**options)
    async with serving(studio) as studio.url, mine:
        async with aiogen.Session([luma(studio.url)], client_session=mine, read_attempts=1) as session:
            assert len(await everything(session, tmp_path)) == 1
        assert not mine.closed
    assert len(studio.headers) >= 2
    for headers in studio.headers:
        assert headers.getall("Authorization") == [f"Bearer {KEY}"]
        assert headers["User-Agent"].startswith("aiogen-sdk")
    for headers in (*studio.headers, *studio.files):
        assert not {"X-Mine", "Cookie"} & headers.keys()
    assert len(studio.files) == 1
    assert "Authorization" not in studio.files[0]


def counting(seen: list[str]) -> aiohttp.TraceConfig:
    """Notes the path of each request."""

    async def begins(_: Any, __: SimpleNamespace, params: aiohttp.TraceRequestStartParams) -> None:
        seen.append(params.url.path)

    traces = aiohttp.TraceConfig()
    traces.on_request_start.append(begins)
    return traces


async def test_a_trace_that_raises_before_the_first_byte_makes_no_create_unknown() -> None:
    """Nothing was sent, so nobody reads that money may be gone."""

    async def raises(*_: Any) -> None:
        raise RuntimeError("a bug in a trace")

    traces = aiohttp.TraceConfig()
    traces.on_request_headers_sent.append(raises)
    studio = Studio()
    async with serving(studio) as studio.url, aiohttp.ClientSession(trace_configs=[traces]) as mine:
        async with aiogen.Session([luma(studio.url)], client_session=mine) as session:
            with pytest.raises(aiogen.ConfigurationError, match="Nothing was sent"):
                await session.generate("luma/uni-1", "a boat")
    assert studio.headers == []


@pytest.mark.parametrize("second", [False, True])
async def test_files_go_the_same_way_or_by_a_second_session(second: bool, tmp_path: Path) -> None:
    """With `download_session` they go by that; either stays open."""
    by_first: list[str] = []
    by_second: list[str] = []
    studio = Studio()
    async with (
        serving(studio) as studio.url,
        aiohttp.ClientSession(trace_configs=[counting(by_first)]) as mine,
        aiohttp.ClientSession(trace_configs=[counting(by_second)], headers={"X-Mine": "yes"}) as other,
    ):
        more = {"download_session": other} if second else {}
        async with aiogen.Session([luma(studio.url)], client_session=mine, **more) as session:
            await everything(session, tmp_path)
        assert not mine.closed
        assert not other.closed
    assert ("/files/a.png" in by_first, by_second) == ((False, ["/files/a.png"]) if second else (True, []))
    assert "/v1/generations" in by_first
    assert "X-Mine" not in studio.files[0]


@pytest.mark.parametrize("argument", ["client_session", "download_session"])
@pytest.mark.parametrize(
    "given", ["a session", object(), SimpleNamespace(request=print)], ids=["text", "object", "alike"]
)
def test_what_is_no_session_is_refused_at_once(argument: str, given: Any) -> None:
    """Something that wraps one has no connections that could be used."""
    with pytest.raises(aiogen.ConfigurationError, match=f"{argument}= must be an aiohttp.ClientSession"):
        aiogen.Session([], **{argument: given})


async def in_every_way(session: aiogen.Session, folder: Path) -> list[BaseException]:
    """What a read, a create and a download end in."""
    picture = aiogen.Output(kind="image", url="http://127.0.0.1:9/a.png")
    generation = aiogen.Generation(
        id=None, provider_id=ID, provider="luma", connection="luma", model="uni-1",
        state=aiogen.State.COMPLETED, outputs=(picture,),
    )  # fmt: skip
    calls = session.get("luma", ID), session.generate("luma/uni-1", "a boat"), session.download(generation, folder)
    return [r for r in await asyncio.gather(*calls, return_exceptions=True) if isinstance(r, BaseException)]


@pytest.mark.parametrize("why", ["is closed", "belongs to another event loop"])
async def test_a_callers_session_that_cannot_be_used(why: str, tmp_path: Path) -> None:
    """Closed too early, or opened in another loop: said at once, not after attempts, and nothing is called paid."""
    runner = asyncio.Runner()
    vendor = Vendor()

    async def make() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    if why == "is closed":
        mine = await make()
        await mine.close()
    else:
        mine = await asyncio.to_thread(runner.run, make())
    try:
        async with serving(vendor) as url, aiogen.Session([luma(url)], client_session=mine) as session:
            errors = await in_every_way(session, tmp_path)
    finally:
        await asyncio.to_thread(runner.run, mine.close())
        await asyncio.to_thread(runner.close)
    assert asyncio.get_running_loop().time() < 1.0
    assert [type(error) for error in errors] == [aiogen.ConfigurationError] * 3
    for error in errors:
        assert f"passed as client_session= {why}; nothing was sent." in str(error)
        assert error.action is None  # type: ignore[attr-defined]
    assert not vendor.seen


async def test_a_callers_session_that_is_closed_meanwhile() -> None:
    """A job that runs goes on until its deadline, whose error says what was wrong."""
    vendor = Vendor(reads=[(200, body("processing"))])
    async with serving(vendor) as url, aiohttp.ClientSession() as mine:
        async with aiogen.Session([luma(url)], client_session=mine) as session:
            job = await session.submit("luma/uni-1", "a boat", timeout=30.0)
            await job.accepted()
            await mine.close()
            with pytest.raises(aiogen.GenerationTimeout, match="passed as client_session= is closed") as caught:
                await job
    assert caught.value.provider_id == ID


async def test_creates_have_a_connection_of_their_own_with_a_callers_session_too() -> None:
    """Never one that was used, and never used again, whatever the server says of keeping it; reads share the rest."""
    peers: dict[str, list[Any]] = {"POST": [], "GET": []}
    closing = set()
    kept = {"Connection": "keep-alive"}
    vendor = Vendor(creates=[(201, body(), kept)], reads=[(200, done(), kept)])

    async def note(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        peers[request.method].append(request.transport.get_extra_info("peername"))
        if request.method == "POST":
            closing.add(request.headers.get("Connection"))
        return await vendor(request)

    connector = aiohttp.TCPConnector(limit_per_host=1, keepalive_timeout=3600.0)
    async with serving(note) as url, aiohttp.ClientSession(connector=connector) as mine:
        async with aiogen.Session([luma(url)], client_session=mine) as session:
            for i in range(4):
                await session.generate("luma/uni-1", f"p{i}")
    assert len(set(peers["POST"])) == 4
    assert len(set(peers["GET"])) == 1
    assert not set(peers["POST"]) & set(peers["GET"])
    assert closing == {"close"}


@pytest.mark.parametrize("own", [True, False])
async def test_a_connection_that_died_while_idle_costs_no_create(own: bool) -> None:
    """Each second use of a connection finds it cut: reads are repeated unseen, no create is lost."""
    used = made = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal used, made
        head = await reader.readuntil(b"\r\n\r\n")
        created = head.startswith(b"POST")
        made += created
        length = next((int(x.split(b":")[1]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-len")), 0)
        await reader.readexactly(length)
        asked = head.split()[1].decode().rsplit("/", 1)[-1]
        about = f"{ID[:-2]}{made:02}" if created else asked
        said = json.dumps({**(body() if created else done()), "id": about}).encode()
        writer.write(reply(said, "201 Created" if created else "200 OK"))
        if await reader.read(1):
            used += 1
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, aiohttp.ClientSession() as mine:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with aiogen.Session([luma(url)], client_session=None if own else mine) as session:
            for i in range(3):
                await session.get("luma", ID)
                await session.generate("luma/uni-1", f"boat {i}", timeout=60.0)
    assert used > 0


# --- proxies


def answers(asked: str, _: dict[str, str]) -> bytes:
    """A proxy behind which everything is there."""
    if "/picture" in asked:
        return reply(PNG, kind="image/png")
    created = asked.startswith("POST")
    return reply(json.dumps(body() if created else done(FILE)).encode(), "201 Created" if created else "200 OK")


def far(**options: Any) -> aiogen.Luma:
    """A connection to a host that is nowhere: only a proxy reaches it."""
    return luma(f"http://{FAR}", allow_insecure=True, **options)


def from_environment(address: str, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setenv("HTTP_PROXY", address)
    return {}


def of_the_session(address: str, _: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"client_session": aiohttp.ClientSession(proxy=address)}


def trusted(address: str, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setenv("http_proxy", address)
    return {"client_session": aiohttp.ClientSession(trust_env=True)}


def with_auth(address: str, _: pytest.MonkeyPatch) -> dict[str, Any]:
    pair, _, host = address.removeprefix("http://").rpartition("@")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        auth = aiohttp.BasicAuth(*pair.split(":")) if pair else None
        return {"client_session": aiohttp.ClientSession(proxy=f"http://{host}", proxy_auth=auth)}


def with_header(address: str, _: pytest.MonkeyPatch) -> dict[str, Any]:
    pair, _, host = address.removeprefix("http://").rpartition("@")
    headers = {"Proxy-Authorization": "Basic bWU6c2VjcmV0"} if pair else {}
    return {"client_session": aiohttp.ClientSession(proxy=f"http://{host}", headers=headers)}


every_proxy = pytest.mark.parametrize(
    "by", [from_environment, of_the_session, trusted, with_auth, with_header], ids=lambda by: by.__name__
)
By = Callable[[str, pytest.MonkeyPatch], dict[str, Any]]


@every_proxy
@pytest.mark.parametrize("pair", ["", "me:secret@"])
async def test_creates_reads_and_files_go_through_the_proxy(
    by: By, pair: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them, with what the proxy asks for; the key does not go to the storage."""
    async with proxying(answers) as (proxy, address):
        options = by(f"http://{pair}{address}", monkeypatch)
        async with aiogen.Session([far()], read_attempts=1, **options) as session:
            assert len(await everything(session, tmp_path)) == 1
        if options:
            await options["client_session"].close()
    assert proxy.asked[0] == f"POST http://{FAR}/v1/generations"
    assert proxy.asked[-1] == f"GET {FILE}"
    assert {headers.get("proxy-authorization") for headers in proxy.headers} == {"Basic bWU6c2VjcmV0" if pair else None}
    assert [headers["authorization"] for headers in proxy.headers[:-1]] == [f"Bearer {KEY}"] * len(proxy.asked[:-1])
    assert "authorization" not in proxy.headers[-1]


async def test_this_machine_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is never asked through a proxy, nor is what NO_PROXY names; a caller's session that does not trust the
    environment goes straight."""
    vendor = Vendor()
    async with proxying(answers) as (proxy, address), serving(vendor) as url, aiohttp.ClientSession() as mine:
        monkeypatch.setenv("HTTP_PROXY", f"http://{address}")
        async with aiogen.Session([luma(url)]) as session:
            await session.get("luma", ID)
        async with aiogen.Session([far()], client_session=mine, read_attempts=1) as session:
            with pytest.raises(aiogen.NetworkError, match=f"{FAR} cannot be reached"):
                await session.get("luma", ID)
        monkeypatch.setenv("NO_PROXY", "example.invalid")
        async with aiogen.Session([far()], read_attempts=1) as session:
            with pytest.raises(aiogen.NetworkError, match=f"{FAR} cannot be reached"):
                await session.get("luma", ID)
    assert not proxy.asked
    assert vendor.reads == 1


@pytest.mark.parametrize(
    ("said", "kind", "text"),
    [
        ("407 Proxy Authentication Required", aiogen.ConfigurationError, r"a user name and a password \(HTTP 407\)"),
        ("403 Forbidden", aiogen.NetworkError, r"refuses to connect to api.example.invalid \(HTTP 403\).*NO_PROXY"),
        ("502 Bad Gateway", aiogen.NetworkError, r"refuses to connect to api.example.invalid \(HTTP 502\)"),
        ("", aiogen.NetworkError, "api.example.invalid cannot be reached"),
        (None, aiogen.NetworkError, "The proxy for api.example.invalid cannot be reached.*HTTPS_PROXY"),
    ],
)
@pytest.mark.parametrize("given", [False, True])
async def test_a_proxy_that_does_not_let_a_request_through(
    said: str | None, kind: type[aiogen.AiogenError], text: str, given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the request was sent, so nothing may be charged; and it is said what helps, without the password."""

    def refuses(asked: str, _: dict[str, str]) -> bytes:
        return reply(b"no secret", said) if said else b""

    async with proxying(refuses) as (proxy, address):
        if said is None:
            address = "127.0.0.1:1"
        connection = luma(f"https://{FAR}")
        options = of_the_session(f"http://me:secret@{address}", monkeypatch) if given else {}
        if not given:
            monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@{address}")
        async with aiogen.Session([connection], unreachable_timeout=5.0, read_attempts=1, **options) as session:
            calls = [session.generate("luma/uni-1", "a boat")]
            if said != "":  # where the proxy cuts the connection a read is repeated in any case
                calls.append(session.get("luma", ID))
            for call in calls:
                with pytest.raises(kind, match=text) as caught:
                    await call
                assert isinstance(caught.value, aiogen.ConfigurationError) or not caught.value.sent  # type: ignore[attr-defined]
                assert "secret" not in f"{caught.value} {caught.value.__cause__!r} {vars(caught.value)}"
        if given:
            await options["client_session"].close()
    assert set(proxy.asked) <= {f"CONNECT {FAR}:443"}
    assert {headers["proxy-authorization"] for headers in proxy.headers} <= {"Basic bWU6c2VjcmV0"}
    assert not [headers for headers in proxy.headers if {"authorization", "connection"} & headers.keys()]


async def test_a_proxy_that_cannot_be_used_is_a_plain_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said with the variable, once, and nothing is called paid."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:secret@proxy:1080")
    async with aiogen.Session([luma(f"https://{FAR}")]) as session:
        for call in (session.generate("luma/uni-1", "a boat"), session.get("luma", ID)):
            with pytest.raises(
                aiogen.ConfigurationError, match=r"HTTPS_PROXY does not name a usable proxy .*socks5://proxy"
            ):
                await call


# --- long header lines


@pytest.mark.parametrize("size", [9_000, 64 * 1024])
@pytest.mark.parametrize("given", [False, True])
async def test_long_header_lines(size: int, given: bool, tmp_path: Path) -> None:
    """Policies, traces and cookies of what stands between: creates, reads and downloads take what browsers take."""
    name = "Content-Security-Policy"
    line = f"{name}: {'x' * (size - len(name) - 2)}"

    def says(asked: str, _: dict[str, str]) -> bytes:
        if "/picture" in asked:
            return reply(PNG, "200 OK", "image/png", line)
        created = asked.startswith("POST")
        said = body() if created else done(f"http://{address}/picture.png")
        return reply(json.dumps(said).encode(), "201 Created" if created else "200 OK", "application/json", line)

    async with proxying(says) as (_, address), aiohttp.ClientSession() as mine:
        options: dict[str, Any] = {"client_session": mine} if given else {}
        async with aiogen.Session([luma(f"http://{address}")], read_attempts=1, **options) as session:
            assert len(await everything(session, tmp_path)) == 1
