"""The same over a wire: bytes that no server should write, and a job that goes on."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import unquote

import attrs
import pytest
from hostility import STATUSES, recorded, with_one_thing_wrong
from providers.drive import drive

import aiogen
from aiogen import State
from aiogen._limits.retry import Verdict, judge_create
from aiogen._polling.durations import DurationModel
from aiogen.exchange import Accepted, Exchange, Response, Snapshot, Ticket

pytestmark = [pytest.mark.looptime(noop_cycles=4), pytest.mark.no_cover]

LONG_ENOUGH = 200_000.0
"""Seconds: a vendor may ask for a pause of a day, and that is obeyed."""
TAIL = "-6c54-4b01-90e6-d701748f0851"
SAMPLE_IDS = (
    b"d290f1ee" + TAIL.encode(),
    b"5a1e2f3c-7b6d-4c8e-9f10-2a3b4c5d6e7f",
    b"1f0bba44-923a-69b0-b519-62a6710d46a9",
)
"""In the recorded answers; here they are of the generation that was asked about."""
USER = "3f1c3a3e-0000-4000-8000-000000000001"


@pytest.fixture(autouse=True)
def nothing_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learning is most of the time that a job takes, and not what is tested here."""
    monkeypatch.setattr(DurationModel, "_learned", lambda self, amount: None)


# --- a server that writes what it is given


def reply(document: Any, status: int = 200) -> bytes:
    body = json.dumps(document).encode()
    return (
        b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body
    )


def wire(response: Response | bytes) -> bytes:
    """A response as bytes, with its own odd Content-Length instead of the true one."""
    if isinstance(response, bytes):
        return response
    headers = {"content-length": str(len(response.body))} | dict(response.headers)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {response.status:03d} Odd", *lines])
    return head.encode("latin-1", "replace") + b"\r\n\r\n" + response.body


@attrs.define
class Vendors:
    """Luma below /luma, Leonardo elsewhere; honest, unless something else is to be said next."""

    creates: list[bytes] = attrs.field(factory=list)
    reads: list[bytes] = attrs.field(factory=list)
    lists: list[bytes] = attrs.field(factory=list)
    looks: dict[str, int] = attrs.field(factory=dict)
    runs_for: int = 0
    """This number of honest polls find it running."""
    made: int = 0
    met: int = 0
    """The number of answers that were not honest."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
            await reader.readexactly(int(length[1]) if length else 0)
            method, path, _ = head.split(" ", 2)
            writer.write(self.said(method, unquote(path.partition("?")[0])))
            await writer.drain()
        writer.close()

    def said(self, method: str, path: str) -> bytes:
        name = path.rpartition("/")[2]
        others = self.creates if method == "POST" else self.lists if name == "me" or "/user/" in path else self.reads
        if method == "POST":
            self.made += 1
            name = self.name
        if others:
            self.met += 1
            return others.pop(0)
        return reply(self.honest(path, name, method == "POST"))

    def honest(self, path: str, name: str, is_create: bool) -> Any:
        if name == "me":
            return {"user_details": [{"user": {"id": USER, "username": "me"}, "apiConcurrencySlots": 100}]}
        if "/user/" in path:
            return {"generations": [self.leonardo(other) for other in self.looks]}
        self.looks[name] = self.looks.get(name, -1) + 1
        if path.startswith("/luma"):
            return self.luma(name)
        return {"generate": {"generationId": name}} if is_create else {"generations_by_pk": self.leonardo(name)}

    @property
    def name(self) -> str:
        """Of the latest generation."""
        return f"{self.made:08x}{TAIL}"

    def luma(self, name: str) -> dict[str, Any]:
        over = self.looks[name] > self.runs_for
        output = [{"type": "image", "url": f"https://cdn.example/{name}.png"}] if over else []
        return {"id": name, "type": "image", "state": "completed" if over else "processing", "output": output}

    def leonardo(self, name: str) -> dict[str, Any]:
        over = self.looks[name] > self.runs_for
        images = [{"id": "an-image", "url": f"https://cdn.example/{name}.png", "nsfw": False}] if over else []
        return {"id": name, "status": "COMPLETE" if over else "PENDING", "generated_images": images}


@asynccontextmanager
async def session_at(vendors: Vendors) -> AsyncIterator[aiogen.Session]:
    server = await asyncio.start_server(vendors, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        url, wide = f"http://{host}:{port}", {"max_active": 100_000}
        luma = aiogen.Luma(api_key="luma-api-key", base_url=f"{url}/luma/v1", **wide)
        leonardo = aiogen.Leonardo(api_key="leonardo-key", base_url=url, running_at_once=100, **wide)
        async with aiogen.Session([luma, leonardo], queue_timeout=LONG_ENOUGH, poll_cost=0.01) as session:
            yield session


# --- what it is given


def heads(*lines: str, body: bytes = b"{}") -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode("latin-1") + body


BYTES = (
    b"", b"\0", b"\r\n" * 50, b"garbage without an end", random.Random(1).randbytes(3000), b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 2000 OK\r\n\r\n{}", b"HTTP/1.1 -1 OK\r\n\r\n{}", b"HTTP/1.1 2\r\n\r\n{}", b"HTTP/9.9 200 OK\r\n\r\n{}",
    b"HTTP/1.1 abc OK\r\n\r\n{}", b"ICY 200 OK\r\n\r\n{}", b"SSH-2.0-OpenSSH_9.6\r\n", b"\x16\x03\x01\x02\0\x01\0",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 200, b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n{}",
    heads("no colon"), heads(": no name"), heads("X-Nul: \0"), heads("X-Long: " + "x" * 100_000),
    heads(*[f"X-{i}: {i}" for i in range(5000)]), heads("X-Folded: a", " b"), heads("Content-Length: 1, 2"),
    heads("Content-Length: 2", "Content-Length: 3"), heads("Content-Length: -2"), heads("Content-Length: 99999999999"),
    heads("Transfer-Encoding: chunked", body=b"zz\r\n{}\r\n0\r\n\r\n"),
    heads("Transfer-Encoding: chunked", body=b"2\r\n{}\r\n"),
    heads("Transfer-Encoding: chunked", body=b"f" * 40 + b"\r\n"),
    heads("Transfer-Encoding: chunked", "Content-Length: 2", body=b"2\r\n{}\r\n0\r\n\r\n"),
    heads("Transfer-Encoding: nonsense"), heads("Content-Encoding: gzip", "Content-Length: 2"),
    heads("Content-Encoding: gzip", body=zlib.compress(b"{}", wbits=31)[:9]), heads("Content-Encoding: br"),
    heads("Content-Encoding: deflate", body=zlib.compress(bytes(40_000_000))), heads("Content-Encoding: zstd"),
    heads("Content-Encoding: nonsense"), heads("Set-Cookie: \xff=\xff; Max-Age=x", body=b"null"),
    heads("Content-Type: text/html; charset=utf-7", body=b"+ADw-"), reply({}, 204), reply({}, 304), reply({}, 299),
)  # fmt: skip


MODELS = {"luma": "luma/uni-1", "leonardo": "leonardo/gemini-image-2"}
READS = {"luma": ("processing", "429_account"), "leonardo": ("pending", "error_graphql_rate_limit")}
CREATES = {"luma": ("created", "429_creates"), "leonardo": ("created_v2_dollars", "error_graphql_tokens")}
Odd = Response | bytes


def mixed(vendor: str, names: tuple[str, ...], count: int = 40) -> list[Odd]:
    """Recorded answers with one thing wrong (each status, of the first each header, some bodies), and mere bytes."""
    found: list[Odd] = list(BYTES)
    for i, name in enumerate(names):
        responses = list(with_one_thing_wrong(recorded(vendor, name + "$")[0]))
        same = [response for response in responses if response.body == responses[0].body]
        found += same[: None if i == 0 else len(STATUSES)]
        found += random.Random(count).sample(responses[len(same) :], count)
    random.Random(3).shuffle(found)
    return found


def named(odd: Odd, name: str) -> Odd:
    """The recorded answer as one about this generation."""
    if isinstance(odd, bytes):
        return odd
    body = odd.body
    for sample in SAMPLE_IDS:
        body = body.replace(sample, name.encode())
    return attrs.evolve(odd, body=body)


def read(exchange: Exchange[Any], odd: Odd) -> Any:
    """What it says, if it is an answer at all; the reading itself is tested without a network."""
    if isinstance(odd, bytes):
        return None
    try:
        return drive(exchange, odd).result
    except aiogen.AiogenError as error:
        return error


def bugs(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged as our own fault."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("vendor", MODELS)
async def test_a_job_goes_on_after_whatever_was_read(vendor: str, caplog: pytest.LogCaptureFixture) -> None:
    """Two such answers, then honest ones: it is completed, unless the vendor's own words ended it before."""
    hostile = mixed(vendor, READS[vendor])
    ended = 0
    async with session_at(vendors := Vendors()) as session:
        provider = session.connections.find(vendor)
        for pair in zip(hostile[::2], hostile[1::2], strict=False):
            job = await session.submit(MODELS[vendor], "a boat", timeout=LONG_ENOUGH)
            name = await job.accepted()
            answers = [named(odd, name) for odd in pair]
            vendors.reads = list(map(wire, answers))
            await asyncio.gather(job.result(), return_exceptions=True)
            said = [read(provider.get(Ticket(provider_id=name)), odd) for odd in answers]
            if any(isinstance(each, Snapshot) and each.state.is_terminal and not each.missing_outputs for each in said):
                ended += 1
                assert job.state in (State.COMPLETED, State.FAILED)
            else:
                assert (job.error, vendors.reads) == (None, [])
                assert job.generation.url == f"https://cdn.example/{name}.png"
            vendors.reads = []
    assert vendors.made == len(hostile) // 2
    assert ended < vendors.made / 10
    assert not bugs(caplog)


@pytest.mark.parametrize("vendor", MODELS)
async def test_a_create_is_never_sent_twice_whatever_was_answered(
    vendor: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Who named an id is followed to the end; who did not is a typed error; again only what surely was not done."""
    async with session_at(vendors := Vendors()) as session:
        provider = session.connections.find(vendor)
        submission = provider.encode(provider.prepare("uni-1", "a boat", {}))
        for odd in mixed(vendor, CREATES[vendor]):
            made = vendors.made
            vendors.made += 1
            answer = named(odd, vendors.name)
            vendors.made -= 1
            vendors.creates = [wire(answer)]
            job = await session.submit(MODELS[vendor], "a boat", timeout=LONG_ENOUGH)
            await asyncio.gather(job.result(), return_exceptions=True)
            assert vendors.creates == []
            said = read(provider.create(submission), answer)
            again = isinstance(said, aiogen.AiogenError) and judge_create(said, provider.facts.resend_statuses) in AGAIN
            if not arrives(answer):
                assert vendors.made <= made + 1 + again
            elif isinstance(said, Accepted):
                assert (job.error, job.provider_id) == (None, said.snapshot.provider_id)
                assert vendors.made == made + 1
            else:
                assert vendors.made == made + 1 + again
                assert (job.error is None) is again
            assert job.error is None or job.error.job_id == job.id
            assert job.state in (State.COMPLETED, State.FAILED, State.UNKNOWN)
    assert not bugs(caplog)


AGAIN = (Verdict.THROTTLED, Verdict.UNREACHABLE, Verdict.NOT_TAKEN)


def arrives(odd: Odd) -> bool:
    """It is HTTP, so that it is read as without a network."""
    if isinstance(odd, bytes):
        return False
    headers = {**odd.headers}
    is_plain = all(value.isascii() and value.isprintable() for value in headers.values())
    return is_plain and "content-length" not in headers and odd.status >= 200 and odd.status not in (204, 304)


async def test_jobs_go_on_after_whatever_the_list_was(caplog: pytest.LogCaptureFixture) -> None:
    """What a page does not say well is asked for singly; whose list it is may be said badly, too."""
    vendors = Vendors(runs_for=3)
    chance = random.Random(5)
    accounts = list(with_one_thing_wrong(recorded("leonardo", "me")[0]))
    huge = [account for account in accounts if b'"apiConcurrencySlots": 1000000' in account.body]
    for account in huge + chance.sample(accounts, 20):
        async with session_at(vendors) as session:
            jobs = [await session.submit("leonardo/gemini-image-2", "a boat", timeout=LONG_ENOUGH) for _ in range(5)]
            names = [await job.accepted() for job in jobs]
            rows = {"generations": [vendors.leonardo(name) for name in names]}
            pages = list(with_one_thing_wrong({"status": 200, "headers": {}, "body": rows}))
            vendors.lists = list(map(wire, [account, *chance.sample(pages, 2)]))
            asking = asyncio.ensure_future(told_when(jobs))
            ends = await asyncio.gather(*jobs)
            await asking
            (await session.submit("leonardo/gemini-image-2", "a late boat")).eta()
            assert [end.url for end in ends] == [f"https://cdn.example/{name}.png" for name in names]
        vendors.lists = []
    assert not bugs(caplog)


async def told_when(jobs: list[aiogen.Job]) -> None:
    """Somebody looks at how long it may take, all the while."""
    while not all(job.done for job in jobs):
        for job in jobs:
            job.eta()
        await asyncio.sleep(0.5)


@pytest.mark.parametrize("vendor", MODELS)
async def test_an_answer_about_another_generation_ends_nothing(vendor: str) -> None:
    """Neither for those who wait nor for those who look."""
    async with session_at(vendors := Vendors(runs_for=1)) as session:
        other = await session.submit(MODELS[vendor], "another boat")
        await other
        job = await session.submit(MODELS[vendor], "a boat")
        name = await job.accepted()
        path = ("/luma" if vendor == "luma" else "") + "/v1/generations/"
        vendors.reads = [reply(vendors.honest(path, other.provider_id or "", False))] * 4  # one fewer than a call looks
        assert (await session.get(vendor, name)).provider_id == name  # asked again until it is about this one
        assert vendors.reads == []
        assert (await job).url == f"https://cdn.example/{name}.png"
