"""`aiogen._transfer.guard`: where connections for files really lead."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver
from pictures import png
from serving import completed_at, luma, serving
from yarl import URL

import aiogen
from aiogen import Action
from aiogen._safety.address import FilePolicy, Refused
from aiogen._transfer.guard import GuardedRequest, GuardedResolver, holding_to
from aiogen._transfer.threads import Threads

PUBLIC = FilePolicy.of("https://api.vendor.example/v1")
LOCAL = FilePolicy.of("http://127.0.0.1:9/v1")


def looked_up(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Every name leads to these; gives the names that were asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [
            (socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses
        ]

    monkeypatch.setattr("aiogen._transfer.guard.socket.getaddrinfo", getaddrinfo)
    return asked


@asynccontextmanager
async def resolver() -> AsyncIterator[GuardedResolver]:
    threads = Threads()
    try:
        yield GuardedResolver(threads)
    finally:
        await threads.close()


async def found(policy: FilePolicy, url: str, host: str) -> list[str]:
    async with resolver() as guarded:
        with holding_to(policy, URL(url)):
            return [result["host"] for result in await guarded.resolve(host, 443)]


async def test_a_name_is_judged_by_where_it_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused is left out; a name with nothing else is refused."""
    looked_up(monkeypatch, "93.184.216.34", "127.0.0.1", "2606:2800:220:1::1", "169.254.169.254")
    url = "https://files.example/a"
    assert await found(PUBLIC, url, "files.example") == ["93.184.216.34", "2606:2800:220:1::1"]
    assert await found(LOCAL, url, "files.example") == ["93.184.216.34", "127.0.0.1", "2606:2800:220:1::1"]
    looked_up(monkeypatch, "127.0.0.1", "::1")
    with pytest.raises(Refused, match="private network"):
        await found(PUBLIC, url, "files.example")
    assert await found(PUBLIC, "https://api.vendor.example/a", "api.vendor.example") == ["127.0.0.1", "::1"]


async def test_a_proxy_is_the_users_own_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is looked up as well, and may lead anywhere; so may whatever is not a download."""
    looked_up(monkeypatch, "10.0.0.1")
    assert await found(PUBLIC, "https://files.example/a", "proxy.corp") == ["10.0.0.1"]
    async with resolver() as guarded:
        assert [result["host"] for result in await guarded.resolve("files.example")] == ["10.0.0.1"]


async def test_names_in_other_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked up is the name in ASCII, with or without its last dot."""
    looked_up(monkeypatch, "127.0.0.1")
    for url, host in (("https://bücher.example/", "xn--bcher-kva.example"), ("https://a.example./", "a.example.")):
        with pytest.raises(Refused):
            await found(PUBLIC, str(PUBLIC.url(url)), host)


async def test_a_name_that_cannot_be_one() -> None:
    """Is not found, and nothing worse."""
    async with resolver() as guarded:
        with pytest.raises(OSError, match="is not a valid host name"):
            await guarded.resolve("a..b")
        await guarded.close()


class Leads(AbstractResolver):
    """A resolver of the caller's, which judges nothing."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[Any]:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    async def close(self) -> None: ...


@pytest.mark.parametrize("policy", [PUBLIC, LOCAL], ids=["public", "local"])
async def test_the_peer_is_judged_whatever_the_connector(policy: FilePolicy) -> None:
    """Before a byte of the request is sent, also over a connection that was open before."""
    seen = []

    async def storage(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(body=png())

    async with serving(storage) as url:
        files = f"http://files.example:{URL(url).port}"
        connector = aiohttp.TCPConnector(resolver=Leads())
        async with aiohttp.ClientSession(connector=connector, request_class=GuardedRequest) as session:
            async with session.get(f"{files}/before"):
                pass  # not a download: nothing is judged
            with holding_to(policy, URL(f"{files}/a")):
                if policy is LOCAL:
                    async with session.get(f"{files}/a"):
                        pass
                else:
                    with pytest.raises(Refused, match=r"at 127\.0\.0\.1"):
                        await session.get(f"{files}/a")
    assert seen == (["/before", "/a"] if policy is LOCAL else ["/before"])


async def test_through_a_proxy_the_text_is_judged_alone() -> None:
    """The proxy is here, and where the file is, it knows alone."""
    asked = []

    async def proxy(request: web.BaseRequest) -> web.Response:
        asked.append(str(request.url))
        return web.Response(body=png())

    async with serving(proxy) as url:  # type: ignore[arg-type]
        async with aiohttp.ClientSession(request_class=GuardedRequest, proxy=url) as session:
            with holding_to(PUBLIC, URL("http://files.example/a")):
                async with session.get("http://files.example/a") as answer:
                    assert await answer.read() == png()
    assert asked == ["http://files.example/a"]


async def test_over_a_socket_of_the_file_system(tmp_path: Path) -> None:
    """There is no address to judge; the caller has chosen it."""
    runner = web.ServerRunner(web.Server(lambda request: answered()))  # type: ignore[arg-type]

    async def answered() -> web.Response:
        return web.Response(body=png())

    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "socket")).start()
    try:
        connector = aiohttp.UnixConnector(str(tmp_path / "socket"))
        async with aiohttp.ClientSession(connector=connector, request_class=GuardedRequest) as session:
            with holding_to(PUBLIC, URL("http://files.example/a")):
                async with session.get("http://files.example/a") as answer:
                    assert answer.status == 200
    finally:
        await runner.cleanup()


class Service:
    """Something on this machine that is nobody's business."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        return web.Response(body=png(), content_type="image/png")


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/admin", "http://localhost:{}/a", "https://127.0.0.1:{}/a"])
async def test_a_provider_elsewhere_does_not_make_us_ask_this_machine(tmp_path: Path, url: str) -> None:
    """Nothing comes to the service, not even a connection."""
    service = Service()
    async with serving(service) as here, aiogen.Session([aiogen.Luma(api_key="luma-api-x")]) as session:
        with pytest.raises(aiogen.DownloadError, match="was not fetched") as caught:
            await session.download(completed_at(url.format(URL(here).port)), tmp_path)
        assert session._parts is not None
        assert session._parts.transport.clients._storage is None
    assert caught.value.action is Action.GIVE_UP
    assert service.asked == []


async def test_a_name_that_leads_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text says nothing; the lookup does, and it is the lookup that is connected to."""
    looked_up(monkeypatch, "127.0.0.1")
    connected = []

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(True)
        writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, aiogen.Session([aiogen.Luma(api_key="luma-api-x")]) as session:
        with pytest.raises(aiogen.DownloadError, match=r"private network.*at 127\.0\.0\.1"):
            await session.download(completed_at(f"https://files.example:{port}/a"), tmp_path)
    assert connected == []


@pytest.mark.parametrize(
    "location",
    [
        "http://192.0.2.2/latest/meta-data/",
        "http://169.254.169.254/",
        "http://s.example/",
        "file:///etc/passwd",
        "https://",
    ],
)
async def test_a_redirect_is_judged_like_an_address(tmp_path: Path, location: str) -> None:
    """Wherever the storage sends us; the signature is not shown."""

    async def storage(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"{location}?sig=secret"})

    async with serving(storage) as url, aiogen.Session([luma(url)]) as session:
        with pytest.raises(aiogen.DownloadError, match="was not fetched") as caught:
            await session.download(completed_at(f"{url}/a.png"), tmp_path)
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


async def test_one_sessions_connections_do_not_serve_anothers_policy(tmp_path: Path) -> None:
    """A provider on this machine may name this machine; one on the internet may not, over the same connections."""
    service = Service()
    async with serving(service) as url:
        providers = [luma(url), aiogen.Luma(api_key="luma-api-x", name="far", allow_insecure=True)]
        async with aiogen.Session(providers) as session:
            near = completed_at(f"{url}/a.png")
            assert await session.download(near, tmp_path)
            far = attrs.evolve(near, connection="far")
            with pytest.raises(aiogen.DownloadError, match="private network"):
                await session.download(far, tmp_path)
    assert service.asked == ["/a.png"]


async def test_an_open_connection_is_judged_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was opened for a provider that may use it; no name is looked up for the one that may not."""
    asked = looked_up(monkeypatch, "127.0.0.1")
    service = Service()
    async with serving(service) as url:
        providers = [luma(url, allow_insecure=True), aiogen.Luma(api_key="luma-api-x", name="far", allow_insecure=True)]
        files = f"http://files.example:{URL(url).port}"
        async with aiogen.Session(providers) as session:
            assert await session.download(completed_at(f"{files}/a.png"), tmp_path)
            with pytest.raises(aiogen.DownloadError, match=r"private network.*at 127\.0\.0\.1"):
                await session.download(attrs.evolve(completed_at(f"{files}/b.png"), connection="far"), tmp_path)
    assert service.asked == ["/a.png"]
    assert asked == ["files.example"]
