"""What the contract allows and the built-in vendors do not use: in a session, against a server in the same loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiohttp import web
from contract.steps import PNG, FreeSteps, PaidSteps, Server, Silent, Steps, StepsRequest
from ledger.in_loop import files_in_the_loop
from serving import Vendor, body, done, luma, serving

import aiogen
from aiogen import Cancellation, Session, State
from aiogen.providers import registry
from aiogen.stores.memory import MemoryStore


@pytest.fixture
async def virtual_files() -> AsyncIterator[None]:
    """Ledgers in a file are in the test's own loop, and its virtual time."""
    with files_in_the_loop(asyncio.get_running_loop()):
        yield


MINE = "0c7f7f5e-1111-4222-8333-444455556666"


async def test_status_then_result() -> None:
    """A poll may take two requests, at the addresses that the create named; the second is asked once, at the end."""
    server = Server(seconds=8.0)
    async with serving(server) as url, Session([Steps(base_url=url)]) as session:
        generation = await session.generate("steps/m", "a boat")
    assert (generation.state, generation.url) == (State.COMPLETED, "https://cdn.example/job-1.png")
    assert server.count("GET /queue/job-1/r") == 1
    assert server.count("GET /queue/job-1") > 3
    assert server.count("GET /jobs") == 0


async def test_the_same_answer_is_only_a_shortcut_where_it_was_enough() -> None:
    """A result that failed to come is asked for again, though the status has not changed."""
    server = Server(seconds=0.0, faults={"GET /queue/job-1/r": ["500", "404", "cut", "503"]})
    async with serving(server) as url, Session([Steps(base_url=url)]) as session:
        generation = await session.generate("steps/m", "a boat")
    assert generation.state is State.COMPLETED
    assert server.count("GET /queue/job-1/r") == 5


async def test_an_exchange_may_ask_for_nothing() -> None:
    """Its result was known beforehand."""
    server = Server()
    async with serving(server) as url, Session([Silent(base_url=url)]) as session:
        generation = await session.generate("steps/m", "a boat")
        assert generation.state is State.COMPLETED
        assert (await session.get("steps", "any")).state is State.COMPLETED
    assert server.seen == ["POST /jobs"]


@pytest.mark.parametrize("size", [100, 300_000])
async def test_a_picture_is_uploaded_before_the_create(size: int, tmp_path: Path) -> None:
    """As a form, byte for byte, from a file on this machine; a create may be an array."""
    picture = tmp_path / "a.png"
    picture.write_bytes(PNG + b"\0" * size)
    server = Server(seconds=1.0)
    async with serving(server) as url, Session([Steps(base_url=url)]) as session:
        request = StepsRequest(model="m", prompt="p", image=aiogen.Reference(data=picture.read_bytes()))
        await session.generate(request)
    assert server.uploads == [picture.read_bytes()]
    assert [body["image"] for body in server.bodies] == ["a.png-1"]


@pytest.mark.parametrize("fault", ["cut", "cut after", "500", "429", "408"])
async def test_an_upload_that_fails_costs_nothing_and_is_tried_again(fault: str) -> None:
    """The create was not sent yet, so whatever became of the upload, it may be repeated."""
    server = Server(seconds=1.0, faults={"POST /upload": [fault]})
    async with serving(server) as url, Session([Steps(base_url=url)]) as session:
        generation = await session.generate("steps/m", "a boat", image=PNG)
    assert generation.state is State.COMPLETED
    assert (len(server.bodies), server.count("POST /upload")) == (1, 2)


async def test_an_upload_that_is_refused_refuses_the_job() -> None:
    """Nothing was sent that costs anything."""
    server = Server(faults={"POST /upload": ["413"]})
    async with serving(server) as url, Session([Steps(base_url=url)]) as session:
        with pytest.raises(aiogen.GenerationRefused):
            await session.generate("steps/m", "a boat", image=PNG)
    assert server.bodies == []


async def test_outputs_may_be_bytes(tmp_path: Path, virtual_files: None) -> None:
    """From the create itself: no reading, and the picture is saved, also after a restart, from the ledger."""
    server = Server(at_once=True)
    ledger = tmp_path / "jobs.db"
    async with serving(server) as url, Session([Steps(base_url=url)], store=ledger) as session:
        job = await session.submit("steps/m", "a boat")
        generation = await job
        (output,) = generation.outputs
        assert (output.data, output.media_type, output.width, output.height) == (PNG, "image/png", 1, 1)
        assert generation.url is None
        assert "70 bytes" in repr(generation.outputs[0])
        (path,) = await session.download(generation, tmp_path / "out")
        assert path.read_bytes() == PNG
        async with Session([Steps(base_url=url)], store=ledger) as later:
            found = await later.job(job.id)
            assert found is not None
            assert (await found).outputs == generation.outputs
    assert server.seen == ["POST /jobs"]


async def test_half_a_picture_is_not_saved(tmp_path: Path) -> None:
    """Whether it came as bytes or from an address."""
    output = aiogen.Output(kind="image", data=PNG[:-12])
    generation = aiogen.Generation(
        id="x",
        provider_id="y",
        provider="steps",
        connection="steps",
        model="m",
        state=State.COMPLETED,
        outputs=(output,),
    )
    async with Session([Steps()]) as session:
        with pytest.raises(aiogen.DownloadError, match="incomplete"):
            await session.download(generation, tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_the_reference_stays_in_the_ledger(tmp_path: Path, virtual_files: None) -> None:
    """The next session asks at the same addresses; and so does whoever asks by the vendor's id alone."""
    server = Server(seconds=20.0)
    ledger = tmp_path / "jobs.db"
    async with serving(server) as url:
        async with Session([Steps(base_url=url)], store=ledger) as session:
            job = await session.submit("steps/m", "a boat")
            await job.accepted()
        async with Session([Steps(base_url=url)], store=ledger) as session:
            while not (jobs := await session.resume()):
                await asyncio.sleep(0.1)
            generation = await jobs[0]
            assert generation.state is State.COMPLETED
            again = await session.get("steps", generation.provider_id or "")
            assert again.url == generation.url
            with pytest.raises(aiogen.InputError, match="cannot be asked about generation job-9 by its id alone"):
                await session.get("steps", "job-9")
            with pytest.raises(aiogen.InputError, match="cannot be asked about generation job-9 by its id alone"):
                await session.attach("steps", "job-9")
    assert server.count("GET /jobs") == 0


# --- ids that the create chose


@pytest.mark.parametrize("provider", [FreeSteps, PaidSteps])
async def test_a_create_without_an_answer_is_found_by_its_id(provider: type[Steps]) -> None:
    """It was carried out, and goes on as if it had been answered; it is not sent again."""
    server = Server(seconds=3.0, faults={"POST /jobs": ["cut after"]})
    async with serving(server) as url, Session([provider(base_url=url)]) as session:
        generation = await session.generate("steps/m", "a boat", own_id=MINE)
    assert (generation.state, generation.provider_id) == (State.COMPLETED, MINE)
    assert len(server.bodies) == 1


async def test_what_did_not_arrive_is_sent_again_where_that_is_free() -> None:
    """Under the same id, once the vendor has said for long enough that it does not know it."""
    server = Server(seconds=3.0, faults={"POST /jobs": ["cut"]})
    async with serving(server) as url, Session([FreeSteps(base_url=url)]) as session:
        generation = await session.generate("steps/m", "a boat", own_id=MINE)
    assert generation.state is State.COMPLETED
    assert [body["id"] for body in server.bodies] == [MINE]
    assert server.count("POST /jobs") == 2
    assert server.count(f"GET /jobs/{MINE}") >= 3


async def test_it_is_not_sent_for_ever() -> None:
    """A create that never arrives ends as unknown."""
    server = Server(faults={"POST /jobs": ["cut"] * 50})
    async with serving(server) as url, Session([FreeSteps(base_url=url)]) as session:
        with pytest.raises(aiogen.SubmissionUnknown):
            await session.generate("steps/m", "a boat", own_id=MINE)
    assert server.count("POST /jobs") == 3


async def test_what_did_not_arrive_is_unknown_where_a_create_costs() -> None:
    """For what the vendor does not know yet it may know later, and a second create may be a second bill."""
    server = Server(faults={"POST /jobs": ["cut"]})
    async with serving(server) as url, Session([PaidSteps(base_url=url)]) as session:
        with pytest.raises(aiogen.SubmissionUnknown):
            await session.generate("steps/m", "a boat", own_id=MINE)
        assert server.count("POST /jobs") == 1
        (unknown,) = await session.reconcile()
        assert f"Steps does not know its id {MINE}" in unknown.explanation
        server.began[MINE] = 0.0
        (unknown,) = await session.reconcile()
        assert [candidate.generation.provider_id for candidate in unknown.candidates] == [MINE]
        job = await session.adopt(unknown.job_id, MINE)
        assert (await job).state is State.COMPLETED


async def test_without_an_own_id_it_is_unknown_as_ever() -> None:
    """There is nothing to ask for."""
    server = Server(faults={"POST /jobs": ["cut after"]})
    async with serving(server) as url, Session([FreeSteps(base_url=url)]) as session:
        with pytest.raises(aiogen.SubmissionUnknown):
            await session.generate("steps/m", "a boat")
    assert server.count("POST /jobs") == 1


@pytest.mark.parametrize(("provider", "arrived"), [(FreeSteps, True), (FreeSteps, False), (PaidSteps, True)])
async def test_a_program_that_died_during_the_create_leaves_no_riddle(provider: type[Steps], arrived: bool) -> None:
    """The next session asks the vendor for the id: it follows what arrived, and sends what did not."""
    server = Server(seconds=30.0)
    store = MemoryStore()
    async with serving(server) as url:
        async with Session([provider(base_url=url)], store=store) as session:
            job = await session.submit("steps/m", "a boat", own_id=MINE)
            await job.accepted()
        record = store._records[job.id]
        left = {"state": State.SUBMITTING, "provider_id": None, "owner": None, "accepted_at": None}
        store._change(record.id, **left)  # as `kill -9` between the create and its answer leaves it
        if not arrived:
            server.began.clear()
        async with Session([provider(base_url=url)], store=store) as session:
            while not (jobs := await session.resume()):
                await asyncio.sleep(0.1)
            generation = await jobs[0]
    assert (generation.id, generation.provider_id, generation.state) == (job.id, MINE, State.COMPLETED)
    assert server.count("POST /jobs") == (1 if arrived else 2)


async def test_leaving_does_not_wait_for_the_answer(tmp_path: Path, virtual_files: None) -> None:
    """Whoever leaves while an id is looked up keeps it as unknown in the ledger."""
    server = Server(faults={"POST /jobs": ["cut"], f"GET /jobs/{MINE}": ["500"] * 99})
    loop = asyncio.get_running_loop()
    async with serving(server) as url:
        async with Session([PaidSteps(base_url=url)], store=tmp_path / "jobs.db") as session:
            job = await session.submit("steps/m", "a boat", own_id=MINE)
            while not server.count("GET /jobs"):
                await asyncio.sleep(0.1)
            began = loop.time()
        assert loop.time() - began < 2.0
        with pytest.raises(aiogen.AiogenError):
            await job


# --- a create that goes wrong after it was accepted


class Twice(PaidSteps):
    """A provider file with a fault: it creates two generations for one job."""

    def create(self, submission: aiogen.exchange.Submission) -> Any:
        """One, and one more."""
        yield self.request("create", "POST", "/jobs", body=[submission.body])
        return (yield from super().create(submission))


class Curious(PaidSteps):
    """Asks for more once the create was accepted."""

    def create(self, submission: aiogen.exchange.Submission) -> Any:
        """Reads what it has made."""
        accepted = yield from super().create(submission)
        response = yield self.request("retrieve", "GET", "/jobs/nobody")
        self._read(response, "retrieve")
        return accepted


@pytest.mark.parametrize("provider", [Twice, Curious])
async def test_what_fails_after_the_create_was_accepted_is_unknown(provider: type[Steps]) -> None:
    """The generation is there and charged, whatever else went wrong; and a second create is never sent."""
    server = Server()
    async with serving(server) as url, Session([provider(base_url=url)]) as session:
        with pytest.raises(aiogen.SubmissionUnknown):
            await session.generate("steps/m", "a boat")
    assert len(server.bodies) == 1


# --- cancel


async def test_what_was_not_sent_is_withdrawn() -> None:
    """Nothing is asked of the vendor."""
    server = Server(seconds=5.0)
    async with serving(server) as url, Session([Steps(base_url=url, max_active=1)]) as session:
        first = await session.submit("steps/m", "a boat")
        second = await session.submit("steps/m", "another")
        await first.accepted()
        assert await second.cancel() is Cancellation.WITHDRAWN
        with pytest.raises(aiogen.GenerationFailed, match="withdrawn before it was sent"):
            await second
        assert await second.cancel() is Cancellation.ENDED
        await first
    assert (len(server.bodies), server.count("POST /jobs/")) == (1, 0)


async def test_what_runs_is_stopped_at_the_vendor() -> None:
    """Its waiters hear of it at once, and its place is free for the next."""
    server = Server(seconds=1000.0)
    store = MemoryStore()
    async with serving(server) as url, Session([Steps(base_url=url, max_active=1)], store=store) as session:
        first = await session.submit("steps/m", "a boat")
        second = await session.submit("steps/m", "another")
        await first.accepted()
        assert await first.cancel() is Cancellation.STOPPED
        with pytest.raises(aiogen.GenerationFailed, match="was cancelled at steps; what it had done") as caught:
            await first
        assert caught.value.provider_id == "job-1"
        record = await store.get(first.id)
        assert record is not None
        assert record.state is first.state is State.CANCELLED
        assert await second.accepted() == "job-2"
        await second.cancel()
    assert server.cancelled == {"job-1", "job-2"}


async def test_what_is_on_its_way_is_stopped_once_it_has_arrived() -> None:
    """It cannot be taken back, so its id is waited for."""
    server = Server(seconds=1000.0)
    async with serving(server) as url, Session([Steps(base_url=url)]) as session:
        job = await session.submit("steps/m", "a boat")
        while job.state is State.PENDING:
            await asyncio.sleep(0)
        assert job.state is State.SUBMITTING
        assert await job.cancel() is Cancellation.STOPPED
    assert server.cancelled == {"job-1"}


async def test_what_has_ended_at_the_vendor_is_not_stopped() -> None:
    """Then it is read, and its waiters get the picture."""
    server = Server(seconds=2.0)
    async with serving(server) as url, Session([Steps(base_url=url, typical_seconds={"m": 300.0})]) as session:
        job = await session.submit("steps/m", "a boat")
        await job.accepted()
        server.seconds = 0.0
        assert await job.cancel() is Cancellation.ENDED
        assert (await job).state is State.COMPLETED


async def test_a_vendor_that_cannot_cancel_says_so() -> None:
    """The job goes on, and its result comes."""
    vendor = Vendor(reads=[(200, body("processing")), (200, done())])
    async with serving(vendor) as url, Session([luma(url)]) as session:
        job = await session.submit("luma/uni-1", "a boat")
        await job.accepted()
        with pytest.raises(aiogen.Unsupported, match=r"Luma has no API call that cancels .* goes on"):
            await job.cancel()
        assert (await job).state is State.COMPLETED


# --- connections that come and go


async def test_a_connection_is_added_and_removed_while_the_session_runs() -> None:
    """A tenant's key comes, does its work, and goes."""
    server = Server(seconds=2.0)
    async with serving(server) as url, Session([]) as session:
        with pytest.raises(aiogen.ConfigurationError, match="There is no connection 'ann'"):
            await session.submit("ann/m", "a boat")
        session.add_connection(Steps(base_url=url, name="ann"))
        with pytest.raises(aiogen.ConfigurationError, match="Two connections are called 'ann'"):
            session.add_connection(Steps(base_url=url, name="ann"))
        job = await session.submit("ann/m", "a boat")
        with pytest.raises(aiogen.InputError, match="The connection 'ann' has 1 jobs that have not ended"):
            session.remove_connection("ann")
        await job
        session.remove_connection("ann")
        with pytest.raises(aiogen.ConfigurationError):
            await session.submit("ann/m", "a boat")


async def test_what_was_left_behind_goes_on_once_its_connection_is_there() -> None:
    """Also if that comes after the session was opened."""
    server = Server(seconds=20.0)
    store = MemoryStore()
    async with serving(server) as url:
        async with Session([Steps(base_url=url)], store=store) as session:
            job = await session.submit("steps/m", "a boat")
            await job.accepted()
        store._change(job.id, owner=None)
        async with Session([], store=store) as session:
            assert await session.resume() == []
            session.add_connection(Steps(base_url=url))
            while not (jobs := await session.resume()):
                await asyncio.sleep(0.1)
            assert (await jobs[0]).id == job.id


async def test_a_request_costs_what_its_provider_says() -> None:
    """Unless the session or the job says otherwise."""
    server = Server(seconds=20.0)
    async with serving(server) as url:
        counts = []
        for cost, own in ((None, None), (10.0, None), (10.0, 0.01)):
            server.seen.clear()
            async with Session([Steps(base_url=url)], poll_cost=cost) as session:
                await session.generate("steps/m", "a boat", poll_cost=own)
            counts.append(server.count("GET"))
    assert counts[0] > 2 * counts[1]
    assert counts[2] > 2 * counts[1]


async def test_a_job_is_found_though_its_connection_was_not_named_yet(
    tmp_path: Path, virtual_files: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that takes its connections from the environment finds that of the job's own, where it needs no key."""
    server = Server(seconds=20.0)
    monkeypatch.setitem(registry._loaded, "steps", Steps)
    async with serving(server) as url:
        monkeypatch.setenv("STEPS_BASE_URL", url)
        async with Session(store=tmp_path / "jobs.db") as session:
            job = await session.submit("steps/m", "a boat")
            await job.accepted()
        async with Session(store=tmp_path / "jobs.db") as session:
            assert list(session.connections) == []
            found = await session.job(job.id)
            assert found is not None
            assert (await found).state is State.COMPLETED


class OneAtATime(PaidSteps):
    """A single worker, for which a moment is long."""

    facts = attrs.evolve(
        PaidSteps.facts,
        max_active=50,
        creates_per_minute=100_000,
        requests_per_minute=600_000,
        poll_floor=0.2,
        poll_cost=0.001,
    )

    @property
    def slots(self) -> int | None:
        """See `Provider.slots`."""
        return 1


@pytest.mark.no_cover
async def test_short_jobs_behind_each_other_are_not_waited_for_one_by_one() -> None:
    """Many have ended since the one before was asked about: what each took nobody can tell apart, and need not."""
    worker = Server(seconds=0.005)
    free_at = 0.0

    async def vendor(request: web.Request) -> web.StreamResponse:
        nonlocal free_at
        response = await worker(request)
        if request.method == "POST":
            name = list(worker.began)[-1]
            worker.began[name] = max(worker.began[name], free_at)
            free_at = worker.began[name] + worker.seconds
        return response

    async with serving(vendor) as url, Session([OneAtATime(base_url=url)]) as session:
        began = asyncio.get_running_loop().time()
        jobs = [await session.submit("steps/m", f"boat {i}") for i in range(200)]
        await asyncio.gather(*jobs)
        assert asyncio.get_running_loop().time() - began < 3.0  # the worker alone needs one second
    assert len(worker.bodies) == 200


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_extra_headers_go_to_the_files_of_the_same_server_and_to_no_other(
    elsewhere: bool, tmp_path: Path
) -> None:
    """A proxy asks for its password before each file, and a redirect to another host does not get it."""
    seen: list[tuple[str, str | None]] = []

    async def other(request: web.Request) -> web.StreamResponse:
        seen.append(("other", request.headers.get("X-Proxy")))
        return web.Response(body=PNG, content_type="image/png")

    async def files(request: web.Request) -> web.StreamResponse:
        seen.append(("own", request.headers.get("X-Proxy")))
        if elsewhere:
            return web.Response(status=302, headers={"Location": f"{others}/a.png"})
        return web.Response(body=PNG, content_type="image/png")

    async with serving(other) as others, serving(files) as url:
        provider = Steps(base_url=f"{url}/api", extra_headers={"X-Proxy": "open-sesame-1"})
        outputs = tuple(aiogen.Output(kind="image", url=f"{url}{path}") for path in ("/api/view", "/elsewhere"))
        known = aiogen.Generation(
            id="x",
            provider_id="y",
            provider="steps",
            connection="steps",
            model="m",
            state=State.COMPLETED,
            outputs=outputs,
        )
        async with Session([provider]) as session:
            assert len(await session.download(known, tmp_path)) == 2
    own = [header for whose, header in seen if whose == "own"]
    assert sorted(map(str, own)) == ["None", "open-sesame-1"]
    assert {header for whose, header in seen if whose == "other"} == ({None} if elsewhere else set())
