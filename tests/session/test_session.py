"""What a user of `Session` and `Job` meets."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import ResolveResult
from pictures import png
from serving import ID, KEY, Vendor, body, completed_at, done, luma, serving

import aiogen
from aiogen import Action, FailureCode, State
from aiogen.sandbox import LEONARDO_KEY, LUMA_KEY, LeonardoSettings, LumaSettings, Sandbox


def both(box: Sandbox, **limits: int) -> list[aiogen.Provider]:
    return [
        aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url, **limits),
        aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=box.leonardo_url, **limits),
    ]


async def test_five_lines_make_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program on the first page of the README works, with keys from the environment."""
    async with Sandbox() as box:
        for name, value in box.environment.items():
            monkeypatch.setenv(name, value)
        async with aiogen.Session() as session:
            generation = await session.generate("luma/uni-1", "a lighthouse at dawn", aspect_ratio="16:9")
            paths = await session.download(generation, tmp_path / "out")
    assert generation.state is State.COMPLETED
    assert [p.name for p in paths] == [f"luma-{generation.provider_id}-0.{paths[0].suffix[1:]}"]
    assert paths[0].read_bytes()[:4] in (b"\x89PNG", b"\xff\xd8\xff\xe0")


async def test_submit_returns_before_anything_is_sent() -> None:
    """`submit` gives a pending job at once; the id of the vendor comes with `accepted()`."""
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat")
        assert (job.state, job.provider_id, vendor.creates) == (State.PENDING, None, 0)
        assert await job.accepted() == ID
        assert await session.job(job.id) is job
        assert (await job).state is State.COMPLETED


async def test_many_await_one_job() -> None:
    """Cancelling one waiter, or its timeout, harms neither the job nor the others."""
    vendor = Vendor(reads=[(200, body("processing")), (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat")
        waiters = [asyncio.create_task(job.result()) for _ in range(3)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(job, 0.5)
        waiters[0].cancel()
        results = await asyncio.gather(*waiters, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1] is results[2] is job.generation
    assert vendor.creates == 1


async def test_events_tell_each_state_once() -> None:
    """`events()` begins with the present state, and ends with the terminal one."""
    vendor = Vendor(reads=[(200, body("queued")), (200, body("processing")), (200, body("queued")), (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat")
        seen = [(event.previous, event.state) async for event in job.events()]
        again = [event.state async for event in job.events()]
    assert [state for _, state in seen] == ["pending", "submitting", "queued", "processing", "completed"]
    assert [previous for previous, _ in seen] == [None, "pending", "submitting", "queued", "processing"]
    assert again == ["completed"]


async def test_repr_tells_where_it_stands() -> None:
    """A job and a session say in one line what is going on, and never the key."""
    vendor = Vendor(reads=[(200, body("processing")), (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat")
        assert repr(job) == f"<Job {job.id[:4]}… pending luma/uni-1 'a boat'>"
        assert repr(session) == "<Session [luma] 1 pending; luma: 0/10 active, 0/30 creates, 576 requests/min>"
        await job
        assert repr(job) == f"<Job {job.id[:4]}… completed luma/uni-1 d290… 1 image 'a boat'>"
        assert repr(session.connections) == "<Connections luma>"
        assert repr(session) == "<Session [luma] no jobs; luma: 0/10 active, 1/30 creates, 576 requests/min>"
        text = f"{session.describe()}\n{job.describe()}"
        assert KEY not in repr((job, session, session.connections, job.generation)) + text
    assert repr(session) == "<Session [luma] closed>"
    assert text.splitlines()[:5] == [
        "Session:",
        "  jobs   no jobs",
        "  store  <MemoryStore>",
        "  luma   0/10 active, 1/30 creates, 576 requests/min",
        "Connections:",
    ]
    for known in (f"  luma  Luma, {url}/v1", f"Job: {job.id}", f"  provider id  {ID}", "  state        completed"):
        assert known in text.splitlines()


async def test_a_job_that_failed_describes_its_end() -> None:
    """What is still to come while it runs, and what went wrong afterwards."""
    vendor = Vendor(reads=[(200, body("processing"))] * 3 + [(200, body("failed", failure_code="content_moderated"))])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat", batch="boats", timeout=600.0)
        await job.accepted()
        running = job.describe()
        with pytest.raises(aiogen.GenerationFailed):
            await job
    assert "  batch        boats" in running.splitlines()
    assert "  deadline     10 min after acceptance" in running.splitlines()
    assert "  still to go  about " in running
    assert "GenerationFailed: Generation d290" in job.describe()
    assert "  failure        content_moderated" in job.describe().splitlines()
    assert repr(job).endswith("failed luma/uni-1 d290… content_moderated 'a boat' GenerationFailed>")


async def test_as_completed_gives_the_first_first() -> None:
    """Jobs come in the order in which they end, failed ones too."""
    async with Sandbox() as box, aiogen.Session(both(box)) as session:
        prompts = ["slow [[processing=40]]", "quick [[processing=3]]", "bad [[processing=12 fail=content_moderated]]"]
        jobs = [await session.submit("luma/uni-1", prompt) for prompt in prompts]
        order = [job.generation.prompt async for job in session.as_completed(jobs)]
        with pytest.raises(aiogen.GenerationFailed) as caught:
            await jobs[2]
    assert [prompt.split()[0] for prompt in order if prompt] == ["quick", "bad", "slow"]
    failure = caught.value
    assert (failure.code, failure.action) == (FailureCode.CONTENT_MODERATED, Action.CHANGE_INPUT)
    assert failure.generation is not None
    assert failure.generation.provider_id == failure.provider_id
    assert "content_moderated" in str(failure)
    assert "Change the prompt" in str(failure)


async def test_wait_many_keeps_the_order_of_the_ids() -> None:
    """Ids made elsewhere are followed; failures are results with `return_exceptions`, and raise without."""
    async with Sandbox() as box:
        async with aiogen.Session(both(box)) as elsewhere:
            words = ("[[processing=30]]", "[[fail=generation_failed]]", "")
            jobs = [await elsewhere.submit("leonardo/gemini-image-2", f"cat {w}") for w in words]
            ids = [await job.accepted() for job in jobs]
        async with aiogen.Session(both(box)) as session:
            results = await session.wait_many("leonardo", [*ids, ids[0]], return_exceptions=True)
            with pytest.raises(aiogen.GenerationFailed):
                await session.wait_many("leonardo", ids)
    assert [r.provider_id for r in results] == [*ids, ids[0]]
    assert isinstance(results[1], aiogen.GenerationFailed)
    assert results[1].code is FailureCode.GENERATION_FAILED


async def test_one_stream_of_questions_whoever_waits() -> None:
    """Attaching to a running job gives that very job; the vendor is not asked twice."""
    vendor = Vendor(reads=[(200, body("processing")), (200, body("processing")), (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat")
        await job.accepted()
        assert await session.attach("luma", ID) is job
        assert await session.attach("luma", ID, timeout=50.0) is job
        await asyncio.gather(job, job, session.wait_many("luma", [ID]))
    assert vendor.reads == 3


async def test_deadline_counts_from_acceptance_and_names_the_ids() -> None:
    """Time in our own queue is not the job's; afterwards the job is attached again and its result is there."""
    vendor = Vendor(reads=[(200, body("processing"))])
    loop = asyncio.get_running_loop()
    async with serving(vendor) as url, aiogen.Session([luma(url, max_active=1)]) as session:
        first = await session.submit("luma/uni-1", "first", timeout=30.0)
        second = await session.submit("luma/uni-1", "second", timeout=30.0)
        with pytest.raises(aiogen.GenerationTimeout) as caught:
            await first
        assert loop.time() == pytest.approx(30.0, abs=0.05)
        assert isinstance(caught.value, TimeoutError)
        for named in (ID, first.id, "may still finish", f"session.attach('luma', '{ID}')"):
            assert named in str(caught.value)
        assert caught.value.provider_id == ID
        assert second.state is State.PENDING  # the first still holds its place at the vendor
        again = await session.attach("luma", ID, timeout=20.0)
        assert (again.id, again is first) == (first.id, False)
        vendor._reads = [(200, done())]
        assert (await again).state is State.COMPLETED
        assert first.state is State.COMPLETED  # what is known is known to every handle
        with pytest.raises(aiogen.GenerationTimeout):
            await first
        await second.accepted()


async def test_leaving_the_session_waits_for_the_create() -> None:
    """A create in flight is answered first, so its id is not lost; then every waiter hears how to go on."""
    arrived = asyncio.Event()

    async def slow(request: aiohttp.web.Request) -> aiohttp.web.Response:
        arrived.set()
        await asyncio.sleep(7.0)
        return aiohttp.web.json_response(body(), status=201)

    async with serving(slow) as url:
        async with aiogen.Session([luma(url, max_active=1)]) as session:
            sent = await session.submit("luma/uni-1", "sent")
            unsent = await session.submit("luma/uni-1", "unsent")
            await arrived.wait()
        with pytest.raises(aiogen.SessionClosed, match=f"session.attach\\('luma', '{ID}'\\)") as caught:
            await sent
        assert (caught.value.provider_id, caught.value.job_id) == (ID, sent.id)
        with pytest.raises(aiogen.SessionClosed, match="nothing was charged"):
            await unsent
        with pytest.raises(aiogen.InputError, match="closed"):
            await session.submit("luma/uni-1", "late")


async def test_a_given_client_session_is_used_and_left_open() -> None:
    """Its connector, that is; only what was opened here is closed."""
    looked_up = []

    class Resolver(aiohttp.ThreadedResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            looked_up.append(host)
            return await super().resolve("127.0.0.1", port, family)

    connector = aiohttp.TCPConnector(resolver=Resolver())
    async with serving(Vendor()) as url, aiohttp.ClientSession(connector=connector) as mine:
        url = url.replace("127.0.0.1", "only.mine.localhost")
        async with aiogen.Session([luma(url)], client_session=mine) as session:
            await session.generate("luma/uni-1", "a boat")
        assert not mine.closed
    assert set(looked_up) == {"only.mine.localhost"}


async def test_own_connections_are_closed() -> None:
    """A session that was left holds no socket."""
    async with serving(Vendor()) as url, aiogen.Session([luma(url)]) as session:
        await session.generate("luma/uni-1", "a boat")
        parts = session._parts
        assert parts is not None
        opened = [parts.transport.clients._reads, parts.transport.clients._creates]
    assert all(client is not None and client.closed for client in opened)


async def test_get_reads_once_and_does_not_raise_for_a_failed_one() -> None:
    """`get` is a look: the generation as it stands."""
    failed = body("failed", failure_code="corrupt_input", failure_reason="not an image")
    vendor = Vendor(reads=[(200, failed)])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        generation = await session.get("luma", ID)
    assert (generation.state, generation.failure_code) == (State.FAILED, FailureCode.CORRUPT_INPUT)
    assert (generation.action, generation.failure_reason) == (Action.CHANGE_INPUT, "not an image")
    assert generation.raw == failed
    assert vendor.reads == 1


async def test_get_wakes_those_who_wait() -> None:
    """A reading that shows the end resolves the job at once."""
    vendor = Vendor(reads=[(200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat")
        await job.accepted()
        seen = await session.get("luma", ID)
        assert job.done
        assert (await job).id == seen.id == job.id
    assert vendor.reads == 1


async def test_list_goes_through_the_pages() -> None:
    """Leonardo's list is an iterator over all pages; the user is looked up once."""
    async with Sandbox(leonardo=LeonardoSettings(creates_per_window=1000)) as box:
        async with aiogen.Session(both(box)) as session:
            jobs = [await session.submit("leonardo/gemini-image-2", f"cat {i}") for i in range(60)]
            ids = {await job.accepted() for job in jobs}
            everything = [g.provider_id async for g in session.list("leonardo")]
            some = [g async for g in session.list("leonardo", limit=7)]
    assert set(everything) == ids
    assert len(everything) == 60
    assert len(some) == 7
    assert some[0].prompt == "cat 59"
    assert sum(seen.path.endswith("/me") for seen in box.requests) == 1


@pytest.mark.no_cover
@pytest.mark.parametrize("others", [False, True])
async def test_deleting_while_listing_leaves_none_out(others: bool) -> None:
    """A clean-up deletes each one as it comes, while somebody else deletes old ones and makes new ones."""
    async with Sandbox(leonardo=LeonardoSettings(creates_per_window=1000)) as box:
        async with aiogen.Session(both(box)) as session, aiogen.Session(both(box)) as other:
            jobs = [await session.submit("leonardo/gemini-image-2", f"cat {i}") for i in range(143)]
            ids = [await job.accepted() for job in jobs]
            await asyncio.gather(*jobs)
            theirs, given, before = ids[::7] if others else [], list[str | None](), len(box.requests)
            async for generation in session.list("leonardo"):
                given.append(generation.provider_id)
                await session.delete("leonardo", str(generation.provider_id), missing_ok=True)
                if theirs and len(given) % 5 == 0:
                    await other.delete("leonardo", theirs.pop(), missing_ok=True)
                    await (await other.submit("leonardo/gemini-image-2", "dog")).accepted()
            left = [g.prompt async for g in session.list("leonardo")]
    assert len(given) == len(set(given))
    assert set(ids) <= set(given) | set(ids[::7] if others else [])
    assert "cat" not in "".join(map(str, left))
    if not others:
        assert sum("/user/" in seen.path for seen in box.requests[before:]) <= 143 / 49 + 3


async def test_a_list_that_moves_too_fast_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """Rather than a list of which some are missing."""
    row = {"status": "COMPLETE", "generated_images": []}

    async def same(request: aiohttp.web.Request) -> aiohttp.web.Response:
        if request.path.endswith("/me"):
            return aiohttp.web.json_response({"user_details": [{"user": {"id": "u"}}]})
        return aiohttp.web.json_response({"generations": [{"id": "a", **row}, {"id": "b", **row}, None]})

    async with serving(same) as url, aiogen.Session([aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=url)]) as session:
        listed = session.list("leonardo")
        assert [(await anext(listed)).provider_id, (await anext(listed)).provider_id] == ["a", "b"]
        with pytest.raises(aiogen.ProtocolError, match="cannot be determined"):
            await anext(listed)
    (warning,) = (record.message for record in caplog.records)
    assert warning == "Rows of the list of leonardo cannot be read and are left out; the first is at $.generations[2]."


@pytest.mark.parametrize("deletes", [False, True])
@pytest.mark.parametrize("odd", [{8}, {0}, {3, 7, 8}, {0, 1, 2}, {4, 5, 6, 7, 8}, set(range(1, 9))], ids=str)
async def test_rows_that_cannot_be_read_hide_no_others_wherever_they_stand(odd: set[int], deletes: bool) -> None:
    """Also where nothing else is on the last page, or is left of the list that is being cleaned up."""
    rows: list[dict[str, Any]] = [{"id": n if n in odd else f"g{n}", "status": "FAILED"} for n in range(9)]

    async def vendor(request: aiohttp.web.Request) -> aiohttp.web.Response:
        path = request.path
        if path.endswith("/me"):
            return aiohttp.web.json_response({"user_details": [{"user": {"id": "u"}}]})
        if request.method == "DELETE":
            rows[:] = [row for row in rows if row["id"] != path.rpartition("/")[2]]
            return aiohttp.web.json_response({"delete_generations_by_pk": {"id": "x"}})
        offset = int(request.query["offset"])
        return aiohttp.web.json_response({"generations": rows[offset : offset + 4]})

    given: list[str | None] = []
    async with serving(vendor) as url, aiogen.Session([aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=url)]) as session:
        async for generation in session.list("leonardo"):
            given.append(generation.provider_id)
            if deletes:
                await session.delete("leonardo", str(generation.provider_id))
    assert given == [f"g{n}" for n in range(9) if n not in odd]


async def test_a_list_of_which_nothing_can_be_read_is_an_error() -> None:
    """Rather than an empty list: this vendor writes its rows otherwise than is known."""

    async def vendor(request: aiohttp.web.Request) -> aiohttp.web.Response:
        if request.path.endswith("/me"):
            return aiohttp.web.json_response({"user_details": [{"user": {"id": "u"}}]})
        return aiohttp.web.json_response({"generations": [{"uuid": "a"}, {"uuid": "b"}]})

    async with serving(vendor) as url, aiogen.Session([aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=url)]) as session:
        with pytest.raises(aiogen.ProtocolError, match="required field missing") as caught:
            await anext(session.list("leonardo"))
    assert caught.value.connection == "leonardo"


async def test_delete_says_whether_it_was_there() -> None:
    """Deleting what is gone is an error, unless it is asked to be fine."""
    async with Sandbox() as box, aiogen.Session(both(box)) as session:
        generation = await session.generate("leonardo/gemini-image-2", "cat")
        assert generation.provider_id is not None
        assert await session.delete("leonardo", generation.provider_id) is True
        assert await session.delete("leonardo", generation.provider_id, missing_ok=True) is False
        with pytest.raises(aiogen.NotFound, match=r"^Failed to delete generation\. API error 404: "):
            await session.delete("leonardo", generation.provider_id)
        with pytest.raises(aiogen.NotFound, match=r"^Failed to retrieve generation\. API error 404: "):
            await session.get("leonardo", generation.provider_id)


async def test_account_shows_the_vendor_and_the_window() -> None:
    """`account` is the proof that a key works."""
    async with Sandbox() as box, aiogen.Session(both(box)) as session:
        leonardo = await session.account("leonardo")
        luma_account = await session.account("luma")
    assert (leonardo.username, leonardo.concurrency_slots) == ("sandbox", 10)
    assert leonardo.balances["apiPaidTokens"] == 5000
    assert luma_account.window["max_active"] == 10
    assert luma_account.balances == {}


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.get("luma", " "),
        lambda s: s.attach("luma", ""),
        lambda s: s.delete("leonardo", "\t"),
        lambda s: s.wait_many("leonardo", ["a", ""]),
    ],
)
async def test_a_blank_id_is_refused_before_anything_is_sent(call: object) -> None:
    """With exactly the words that were asked for."""
    async with Sandbox() as box, aiogen.Session(both(box)) as session:
        with pytest.raises(aiogen.InputError) as caught:
            await call(session)  # type: ignore[operator]
        assert str(caught.value) == "Generation ID cannot be empty. Please provide a valid generation ID."
        with pytest.raises(aiogen.InputError) as caught:
            await anext(session.list("leonardo", user_id=" "))
        assert str(caught.value) == "User ID cannot be empty. Please provide a valid user ID."
        assert not box.requests


@pytest.mark.parametrize(
    ("model", "prompt", "options", "what"),
    [
        ("luma/uni-1", "", {}, "prompt cannot be empty"),
        ("luma/uni-1", "  \n", {}, "prompt cannot be empty"),
        ("luma/uni-1", None, {}, "prompt cannot be empty"),
        ("luma/uni-1", 7, {}, "prompt has to be text"),
        ("uni-1", "a boat", {}, "connection/model"),
        ("luma/", "a boat", {}, "connection/model"),
        (None, "a boat", {}, "connection/model"),
        ("midjourney/v7", "a boat", {}, "no connection 'midjourney'"),
        ("luma/uni-1", "a boat", {"timeout": -1}, "timeout has to be"),
        ("luma/uni-1", "a boat", {"timeout": float("nan")}, "timeout has to be"),
        ("luma/uni-1", "a boat", {"extra": {"guidance": float("inf")}}, "finite"),
        ("luma/uni-1", "a boat", {"aspectratio": "16:9"}, "Did you mean 'aspect_ratio'"),
        ("luma/uni-1", "a boat", {"image_ref": "nowhere.png"}, "cannot be read"),
        ("luma/uni-1", "a boat", {"image_ref": "http://example.com/a.png"}, "not https"),
        ("luma/uni-1", "a boat", {"source": b"no image"}, "no image type"),
        ("luma/uni-1", "a boat", {"image_ref": {"url": "https://a.example/b", "file_id": "x"}}, "exactly one"),
        ("leonardo/gemini-image-2", "a boat", {"width": -5}, "width has to be"),
        ("leonardo/gemini-image-2", "a boat", {"num_images": 10**12}, "num_images has to be"),
        ("leonardo/gemini-image-2", "a boat", {"elements": object()}, "JSON"),
        ("leonardo/gemini-image-2", "a boat", {"thing": "x"}, "has no parameter 'thing'"),
        (aiogen.LumaImage(prompt="a boat"), None, {"style": "manga"}, "belong inside the typed request"),
        ("leonardo/uni-1", aiogen.LumaImage(prompt="a boat"), {}, "is for Luma"),
        ("luma/uni-1-max", aiogen.LumaImage(prompt="a boat"), {}, "give only one"),
        (aiogen.LumaImage(prompt="a boat"), "a ship", {}, "already contains the prompt"),
    ],
)
async def test_bad_input_is_refused_before_anything_is_sent(
    model: object, prompt: object, options: dict[str, object], what: str
) -> None:
    """Every mistake that can be seen here is a typed error that says what would be right."""
    async with Sandbox() as box, aiogen.Session(both(box)) as session:
        with pytest.raises(aiogen.InputError, match=what):
            await session.submit(model, prompt, **options)  # type: ignore[arg-type]
        await asyncio.sleep(1.0)
        assert not box.requests


async def test_typed_requests_say_the_same_as_keywords() -> None:
    """`LumaImage(prompt=…)` may stand alone, or beside a connection."""
    vendor = Vendor()
    request = aiogen.LumaImage(prompt="a boat", style="manga", aspect_ratio="9:16")
    async with serving(vendor) as url:
        other = aiogen.Luma(api_key=KEY, base_url=f"{url}/v1", name="luma-eu")
        async with aiogen.Session([luma(url), other]) as session:
            await session.submit(request)
            await session.submit("luma/uni-1", request)
            await session.submit(request, connection="luma-eu")
            last = await session.submit("luma/uni-1", "a boat", style="manga", aspect_ratio="9:16")
            await last.accepted()
    assert len(vendor.bodies) == 4
    assert all(said == vendor.bodies[0] for said in vendor.bodies)


async def test_local_files_are_read_and_sent(tmp_path: Path) -> None:
    """A path becomes base64 with its media type; too large a file is refused before anything is sent."""
    picture = tmp_path / "source.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate(60 * 1024 * 1024)
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        await session.generate("luma/uni-1", "warmer", source=picture, image_ref=[str(picture), picture.read_bytes()])
        with pytest.raises(aiogen.InputError, match="at most 52,428,800"):
            await session.submit("luma/uni-1", "warmer", source=huge)
        with pytest.raises(aiogen.InputError, match="50 MB"):
            await session.submit("luma/uni-1", "x", source={"data": bytes(52_428_801), "media_type": "image/png"})
    (sent,) = vendor.bodies
    assert sent["type"] == "image_edit"
    assert sent["source"]["media_type"] == "image/png"
    assert sent["image_ref"] == [sent["source"], sent["source"]]


async def test_a_missing_key_says_what_to_set() -> None:
    """Without a key there is no connection, and the message names the variable."""
    async with aiogen.Session() as session:
        with pytest.raises(aiogen.ConfigurationError, match="LUMA_AGENTS_API_KEY"):
            await session.generate("luma/uni-1", "a boat")
    with pytest.raises(aiogen.ConfigurationError, match=r"^API Key cannot be empty\. Please provide your Leonardo AI"):
        aiogen.Leonardo(api_key=" ")
    with pytest.raises(aiogen.ConfigurationError, match="line break"):
        aiogen.Luma(api_key="luma-api-1\n")


async def test_accounts_are_shared_by_key() -> None:
    """Two connections with one key share the vendor's limits; another key has its own."""
    vendor = Vendor(reads=[(200, body("processing"))])
    async with serving(vendor) as url:
        providers = [
            aiogen.Luma(api_key=key, base_url=f"{url}/v1", name=name, max_active=1)
            for key, name in ((KEY, "a"), (KEY, "b"), (KEY + "x", "c"))
        ]
        async with aiogen.Session(providers) as session:
            jobs = [await session.submit(f"{name}/uni-1", "a boat") for name in "abc"]
            await asyncio.sleep(5.0)
            assert [job.provider_id is not None for job in jobs] == [True, False, True]


@pytest.mark.timeout(300)
@pytest.mark.no_cover
@pytest.mark.looptime(noop_cycles=4)
async def test_five_hundred_at_once_cost_hardly_more_than_one() -> None:
    """All resolve, with one stream of questions each, few tasks, and nothing left open."""
    wide = {"creates_per_window": 100_000}
    limits = {"max_active": 1000, "creates_per_minute": 10_000, "requests_per_minute": 100_000}
    loop = asyncio.get_running_loop()
    async with (
        Sandbox(
            luma=LumaSettings(max_active=1000, **wide),
            leonardo=LeonardoSettings(requests_per_window=10**6, max_running=1000, max_pending=1000, **wide),
        ) as box,
        aiogen.Session(both(box, **limits)) as session,
    ):
        models = ("luma/uni-1", "leonardo/gemini-image-2")
        jobs = [await session.submit(model, f"p{i}") for i in range(250) for model in models]
        tasks = []
        async for _ in session.as_completed(jobs):
            tasks.append(len(asyncio.all_tasks(loop)))
        assert all(job.state is State.COMPLETED for job in jobs)
        assert session.jobs() == []
        # Connections of the server in this loop are tasks, too; ours are at most one per request in flight.
        assert max(tasks) <= 2 * 2 * 48 + 20
        for job in box.jobs:
            assert all(b - a >= 0.5 - 1e-6 for a, b in zip(job.polls, job.polls[1:], strict=False))


@pytest.mark.timeout(300)
@pytest.mark.no_cover
@pytest.mark.looptime(noop_cycles=4)
async def test_default_limits_earn_no_refusal() -> None:
    """200 jobs behind Luma's own limits end within 5 % of what the limits allow, without one 429."""
    loop = asyncio.get_running_loop()
    async with Sandbox() as box, aiogen.Session(both(box)) as session:
        begun = loop.time()
        jobs = [await session.submit("luma/uni-1", f"p{i}") for i in range(200)]
        await asyncio.gather(*jobs)
        took = loop.time() - begun
    assert not [seen for seen in box.requests if seen.status == 429]
    allowed = sum(job.ends_at - job.created_at for job in box.jobs) / 10
    assert allowed < took < 1.05 * allowed


async def test_leaving_that_is_itself_cancelled_does_not_call_a_create_unsent() -> None:
    """A caller that does not wait for the answer reads that the job may be running and charged."""
    async with Sandbox() as box, aiogen.Session(both(box)) as session:
        sent = await session.submit("luma/uni-1", "a boat [[create=hang]]")
        while not box.jobs:
            await asyncio.sleep(0.01)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await session.close()
        assert sent.state is State.UNKNOWN
        with pytest.raises(aiogen.SubmissionUnknown, match="may be running and charged"):
            await sent


@pytest.mark.parametrize("timeout", [0.5, 1.0, 2.0, 4.0, 30.0])
async def test_what_is_done_in_time_is_not_called_late(timeout: float) -> None:
    """However short the deadline, the vendor is asked shortly before it."""
    vendor = Vendor(reads=[(200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        assert (await session.generate("luma/uni-1", "a boat", timeout=timeout)).state is State.COMPLETED


async def test_a_quick_model_is_seen_quickly() -> None:
    """The first job of a model is looked at early, though the model usually takes half a minute."""
    vendor = Vendor(reads=[(200, body("processing")), (200, done())])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        await session.generate("luma/uni-1", "a boat")
    assert [round(at, 1) for at in vendor.times("GET")] == [1.0, 2.5]


async def test_leaving_ends_single_calls_and_downloads(tmp_path: Path) -> None:
    """Nothing goes on after the session: no call, no file half written, no connection opened again."""

    async def silent(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        if request.path.startswith("/v1"):
            await asyncio.sleep(20.0)
        response = aiohttp.web.StreamResponse(headers={"Content-Length": "99999"})
        await response.prepare(request)
        await response.write(b"\x89PNG")
        await asyncio.sleep(500.0)
        return response

    async with serving(silent) as url, aiogen.Session([luma(url)]) as session:
        calls = [
            asyncio.create_task(session.get("luma", ID)),
            asyncio.create_task(session.download(completed_at(f"{url}/a.png"), tmp_path)),
        ]
        await asyncio.sleep(5.0)
        await session.close()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert asyncio.get_running_loop().time() < 6.0
    assert [type(result) for result in results] == [aiogen.SessionClosed] * 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.no_cover
async def test_waiting_for_many_ids_makes_no_tasks() -> None:
    """Three hundred ids are three hundred entries, and after the first failure nothing is left behind."""

    async def missing(request: aiohttp.web.Request) -> aiohttp.web.Response:
        name = request.path.rsplit("/", 1)[1]
        if name == "id-7":
            return aiohttp.web.json_response({"detail": "Generation not found"}, status=404)
        return aiohttp.web.json_response({**body("processing"), "id": name})

    async with serving(missing) as url, aiogen.Session([luma(url, requests_per_minute=100_000)]) as session:
        with pytest.raises(aiogen.NotFound):
            await session.wait_many("luma", [f"id-{i}" for i in range(300)])
        ours = [task for task in asyncio.all_tasks() if "result" in repr(task.get_coro())]
        assert not ours


async def test_a_key_that_a_vendor_quotes_is_not_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    """Not in the error, not in the generation, not in the log."""
    caplog.set_level("DEBUG")
    vendor = Vendor(creates=[(401, {"detail": f"Invalid API key: Bearer {KEY}"})])
    async with serving(vendor) as url, aiogen.Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat")
        with pytest.raises(aiogen.AuthenticationError, match="Invalid API key") as caught:
            await job
    assert KEY not in caplog.text + str(caught.value) + repr(vars(caught.value)) + repr(job.generation)


async def test_a_callers_key_does_not_go_to_the_storage(tmp_path: Path) -> None:
    """Headers of the caller's session are for the API; files are fetched without them."""
    seen = []

    async def storage(request: aiohttp.web.Request) -> aiohttp.web.Response:
        seen.append(dict(request.headers))
        return aiohttp.web.Response(body=png(), content_type="image/png")

    async with serving(storage) as files, serving(Vendor(reads=[(200, done(f"{files}/a.png"))])) as url:
        async with aiohttp.ClientSession(headers={"Authorization": "Bearer mine"}) as mine:
            async with aiogen.Session([luma(url)], client_session=mine) as session:
                await session.download(await session.submit("luma/uni-1", "a boat"), tmp_path)
    assert len(seen) == 1
    assert "Authorization" not in seen[0]
