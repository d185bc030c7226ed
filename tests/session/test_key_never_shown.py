"""Whatever fails, and whatever a vendor quotes: the key is in no error, traceback, log, record or file."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import pickle
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import rich.console
import rich.traceback
from proxying import proxying, reply
from serving import ID, KEY, Vendor, body, done, luma, serving

import aiogen

LEONARDO_KEY = "11111111-2222-4333-8444-555555555555"
Call = Callable[[aiogen.Session, Path], Awaitable[object]]


async def first_of_list(session: aiogen.Session, _: Path) -> object:
    async for generation in session.list("leonardo"):
        return generation
    return None


def a_picture(host: str) -> aiogen.Generation:
    """Completed, with its file at that host."""
    return aiogen.Generation(
        id=None, provider_id=ID, provider="luma", connection="luma", model="uni-1", state=aiogen.State.COMPLETED,
        outputs=(aiogen.Output(kind="image", url=f"http://{host}/a.png"),),
    )  # fmt: skip


CALLS: dict[str, Call] = {
    "create": lambda session, _: session.generate("luma/uni-1", "a boat", timeout=10.0),
    "create at Leonardo": lambda session, _: session.generate("leonardo/gemini-image-2", "a boat", timeout=10.0),
    "get": lambda session, _: session.get("luma", ID),
    "list": first_of_list,
    "delete": lambda session, _: session.delete("leonardo", ID),
    "account": lambda session, _: session.account("leonardo"),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def connections(host: str) -> list[Any]:
    return [luma(f"http://{host}"), aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=f"http://{host}")]


def chain(error: BaseException) -> list[BaseException]:
    """The error and what led to it; without this file's own frames, which have what the test knows of the key."""
    links = []
    link: BaseException | None = error
    while link is not None:
        trace = link.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        links.append(link.with_traceback(trace))
        link = link.__cause__ or link.__context__
    return links


def everything_shown(error: BaseException) -> str:
    """What error reporters make of it: with the locals of every frame, as a pickle, by its parts."""
    links = chain(error)
    seen = list(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    for link in links:
        seen += [repr(link), repr(vars(link))]
        held = [
            link,
            *(value for frame, _ in traceback.walk_tb(link.__traceback__) for value in frame.f_locals.values()),
        ]
        for value in held:
            seen.append(repr(getattr(value, "__dict__", "")))
            with suppress(Exception):  # most of it cannot be pickled
                seen.append(pickle.dumps(value, protocol=0).decode("latin-1"))
    return "\n".join(seen)


def shown_by_rich(error: BaseException) -> str:
    """Rich takes objects apart, and shortens what is long."""
    chain(error)
    console = rich.console.Console(file=io.StringIO(), width=10_000)
    shown = rich.traceback.Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True)
    console.print(shown)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def assert_hidden(text: str) -> None:
    assert not [key for key in (KEY, LEONARDO_KEY) if key in text], text[max(0, text.find(KEY) - 300) :][:600]


# --- tracebacks with locals

CUT: dict[str, bytes | None] = {
    "nobody there": None,
    "cut": b"",
    "half an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "no JSON": reply(b"<html>busy</html>"),
    "500": reply(b"", "500 Busy"),
    "422": reply(b'{"detail": "no"}', "422 No"),
    "a list": reply(b"[1, 2]"),
    "too large": reply(b" " * 5000),
    "garbage in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
}


@pytest.mark.no_cover
@every_call
@pytest.mark.parametrize("said", CUT.values(), ids=CUT)
async def test_a_traceback_with_locals(call: Call, said: bytes | None, tmp_path: Path) -> None:
    """At any depth, ours and aiohttp's, whether nothing came or something that cannot be read."""
    async with proxying(lambda *_: said or b"") as (_, host):
        if said is None:
            host = "127.0.0.1:1"
        options = {"read_attempts": 1, "unreachable_timeout": 1.0, "max_answer_bytes": 1024}
        async with aiogen.Session(connections(host), **options) as session:
            with pytest.raises(aiogen.AiogenError) as caught:
                await call(session, tmp_path)
    assert_hidden(everything_shown(caught.value))
    if call is CALLS["get"]:
        assert_hidden(shown_by_rich(caught.value))


@pytest.mark.parametrize("said", ["cut", "hang"])
async def test_a_traceback_of_a_call_that_is_given_up(said: str, tmp_path: Path) -> None:
    """By its own time, by the caller's, or because the session is left."""
    vendor = Vendor(reads=[said])
    errors: list[BaseException] = []
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url)], call_timeout=5.0, read_timeout=50.0) as session:
            for seconds in (1.0, 100.0):
                try:
                    async with asyncio.timeout(seconds):
                        await session.get("luma", ID)
                except (TimeoutError, aiogen.AiogenError) as error:
                    errors.append(error)
            reading = asyncio.create_task(session.get("luma", ID))
            await asyncio.sleep(0.5)
        try:
            await reading
        except aiogen.AiogenError as error:
            errors.append(error)
    assert len(errors) == 3
    for error in errors:
        assert_hidden(everything_shown(error))


async def test_a_traceback_of_a_download(tmp_path: Path) -> None:
    """The storage gets no key, so there is none to show."""
    async with aiogen.Session(connections("127.0.0.1:1"), read_attempts=1) as session:
        with pytest.raises(aiogen.DownloadError) as caught:
            await session.download(a_picture("127.0.0.1:1"), tmp_path)
    assert_hidden(everything_shown(caught.value))


@pytest.mark.parametrize(
    "options",
    [{"base_url": f"https://me:{KEY}@h"}, {"base_url": KEY}, {"name": KEY}, {"name": "a/b"}, {"base_url": "https://a..b"},
     {"max_active": 0}, {"typical_seconds": {"uni-1": -1.0}}, {"unknown": 1}, {"api_key": f"{KEY}\n"}],
    ids=repr,
)  # fmt: skip
def test_a_connection_that_cannot_be_made(options: dict[str, Any]) -> None:
    """A wrong option is named without the key beside it, also where the key itself stands in the wrong place."""
    with pytest.raises((aiogen.AiogenError, TypeError)) as caught:
        aiogen.Luma(**{"api_key": KEY, **options})
    assert_hidden(everything_shown(caught.value))


def test_the_key_as_an_address_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """One variable was taken for the other."""
    monkeypatch.setenv("LUMA_AGENTS_API_KEY", KEY)
    monkeypatch.setenv("LUMA_BASE_URL", KEY)
    with pytest.raises(aiogen.ConfigurationError, match="The base url contains the API key") as caught:
        aiogen.Luma()
    assert_hidden(everything_shown(caught.value))


# --- a vendor that quotes it

QUOTED: dict[str, Callable[[str], str]] = {
    "as it is": lambda key: key,
    "escaped": lambda key: "".join(f"\\u{ord(c):04x}" for c in key),
    "percent": lambda key: "".join(f"%{ord(c):02X}" for c in key),
    "hyphens": lambda key: key.replace("-", "%2d"),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "pair": lambda key: base64.b64encode(f"user:{key}".encode()).decode(),
    "HTML": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "two lines": lambda key: f"{key[:10]}\\n{key[10:]}",
}


def says(where: str, quoted: Callable[[str], str]) -> Callable[[str, dict[str, str]], bytes]:
    """A vendor that quotes the key it was asked with."""

    def answer(asked: str, headers: dict[str, str]) -> bytes:
        key = headers["authorization"].removeprefix("Bearer ")
        text = quoted(key)
        plain = text.replace("\\n", " ")
        match where:
            case "detail":
                return reply(f'{{"detail": "bad {text}", "error": "bad {text}"}}'.encode(), "422 No")
            case "page":
                return reply(f"<p>{text}</p>".encode(), "400 No", "text/html")
            case "half a JSON":
                return reply(f'{{"id": "{text}"'.encode())
            case "name":
                return reply(f'{{"{text}": 1}}'.encode(), "422 No")
            case "request id":
                return reply(b'{"detail": "no"}', "422 No", "application/json", f"X-Request-Id: Bearer {plain}")
            case "header":
                return reply(b'{"detail": "no"}', "429 No", "application/json", f"Retry-After: {plain}")
            case "no header":
                return f"HTTP/1.1 200 OK\r\nBearer {plain}\r\n\r\n".encode()
            case "long header":
                return reply(b"{}", "200 OK", "application/json", f"A: {plain}{'x' * 70_000}")
            case "reason":
                return f"HTTP/1.1 401 {plain}\r\nContent-Length: 0\r\n\r\n".encode()
            case "status":
                return f"HTTP/1.1 {plain} no\r\n\r\n".encode()
            case "kind":
                return reply(b"<x>", "200 OK", f"text/{plain}")
            case _:
                return reply(b"", "302 Found", "text/plain", f"Location: http://x/?k={plain}")

    return answer


PLACES = (
    "detail", "page", "half a JSON", "name", "request id", "header", "no header", "long header", "reason", "status",
    "kind", "location",
)  # fmt: skip


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("where", "quoted"),
    [
        *(pytest.param("detail", quoted, id=f"detail, {name}") for name, quoted in QUOTED.items()),
        *(pytest.param(where, QUOTED["as it is"], id=where) for where in PLACES[1:]),
        *(pytest.param(where, QUOTED["base64"], id=f"{where}, base64") for where in PLACES[1:]),
    ],
)
async def test_a_vendor_that_quotes_the_key(
    where: str, quoted: Callable[[str], str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However it writes it: not in errors, nor at DEBUG in the log, nor in a record."""
    caplog.set_level(logging.DEBUG)
    shown = []
    async with proxying(says(where, quoted)) as (_, host):
        options: dict[str, Any] = {"read_attempts": 1, "unreachable_timeout": 1.0, "queue_timeout": 30.0}
        async with aiogen.Session(connections(host), call_timeout=30.0, **options) as session:
            for call in CALLS.values():
                with pytest.raises(aiogen.AiogenError) as caught:
                    await call(session, tmp_path)
                shown += ["".join(traceback.format_exception(caught.value)), everything_shown(caught.value)]
            shown += [repr(record) for record in await session.records()]
    for text in (*shown, caplog.text):
        assert_hidden(text)
        for key in (KEY, LEONARDO_KEY):
            written = quoted(key)
            parts = (written, written.replace("\\n", " "), written[:25], written[-12:])
            assert not [part for part in parts if part in text]


@pytest.mark.looptime(False)
async def test_a_paid_job_of_a_vendor_that_quotes_the_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The job is followed and paid once; its record, `raw` and the ledger's files have a mask where the key was."""
    caplog.set_level(logging.DEBUG)
    written = [quote(KEY, safe="").replace("-", "%2D"), f"Bearer {KEY}", base64.b64encode(KEY.encode()).decode()]
    echo = {"echo": written[0], "debug": {"headers": written[1:]}}
    vendor = Vendor(
        creates=[(201, {**body(), **echo}, {"X-Request-Id": KEY})], reads=[(200, {**done(), **echo}, {"X-Echo": KEY})]
    )
    async with serving(vendor) as url, aiogen.Session([luma(url)], store=tmp_path / "ledger") as session:
        generation = await session.generate("luma/uni-1", "a boat", poll_cost=0.001)
        records = await session.records()
    assert generation.raw["echo"] == "[the key]"
    assert generation.raw["debug"] == {"headers": ["Bearer [the key]", "[the key]"]}
    assert generation.provider_id == ID
    assert vendor.creates == 1
    files = "".join(path.read_bytes().decode("latin-1") for path in tmp_path.iterdir())
    for text in (caplog.text, files, repr(generation), repr(generation.raw), repr(records)):
        assert not [part for part in (KEY, *written) if part in text]


async def test_the_key_still_goes_to_the_vendor() -> None:
    """And as it is, also over a caller's session."""
    vendor = Vendor()
    async with serving(vendor) as url, aiohttp.ClientSession() as mine:
        for options in ({}, {"client_session": mine}):
            async with aiogen.Session([luma(url)], **options) as session:
                await session.generate("luma/uni-1", "a boat")
    assert {headers["Authorization"] for headers in vendor.headers} == {f"Bearer {KEY}"}
    assert json.dumps(vendor.bodies).count(KEY) == 0
