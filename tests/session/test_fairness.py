"""Who goes first, and how many there may be: within a session, and over all processes on one ledger."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from ledger.in_loop import files_in_the_loop
from serving import ID, body, done, luma, serving

import aiogen
from aiogen import AtMost, State, TooManyJobs
from aiogen.stores import MemoryStore

pytestmark = pytest.mark.looptime(noop_cycles=4)


class Oven:
    """A vendor whose generations all take as long; it keeps in mind whose creates came in which order."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.prompts: list[str] = []
        self.ends: dict[str, float] = {}

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        now = asyncio.get_running_loop().time()
        if request.method == "POST":
            self.prompts.append((await request.json())["prompt"])
            made = f"{ID[:-4]}{len(self.prompts):04}"
            self.ends[made] = now + self.seconds
            return web.json_response(body() | {"id": made}, status=201)
        made = request.path.rsplit("/", 1)[-1]
        return web.json_response((done() if now >= self.ends[made] else body("processing")) | {"id": made})


@pytest.fixture
async def virtual_files() -> AsyncIterator[None]:
    """Ledgers in a file are in the test's own loop, and its virtual time."""
    with files_in_the_loop(asyncio.get_running_loop()):
        yield


# --- priority


async def test_the_button_goes_before_the_night_s_batch() -> None:
    """A thousand wait; who presses a button is the next create of the account."""
    oven = Oven(20.0)
    async with serving(oven) as url, aiogen.Session([luma(url, max_active=10, creates_per_minute=1000)]) as session:
        batch = [await session.submit("luma/uni-1", f"row {i}", priority="batch") for i in range(1000)]
        await batch[9].accepted()
        sent = len(oven.prompts)
        button = await session.submit("luma/uni-1", "button", priority="interactive")
        eta, behind = button.eta(), batch[-1].eta()
        assert eta is not None
        assert behind is not None
        assert eta.seconds < 60.0 < behind.seconds
        await button.accepted()
        assert oven.prompts[sent] == "button"
        await asyncio.sleep(21.0)
        assert len(oven.prompts) > sent + 5, "the batch goes on"


async def test_the_button_goes_first_though_another_process_has_the_batch(tmp_path: Path, virtual_files: None) -> None:
    """Of three places that the batch keeps full, three buttons take all that become free."""
    oven, path = Oven(10.0), tmp_path / "jobs.db"
    async with (
        serving(oven) as url,
        aiogen.Session([luma(url, max_active=3, creates_per_minute=1000)], store=path) as night,
        aiogen.Session([luma(url, max_active=3, creates_per_minute=1000)], store=path) as front,
    ):
        batch = [await night.submit("luma/uni-1", f"row {i}", priority="batch") for i in range(12)]
        await batch[2].accepted()
        buttons = [await front.submit("luma/uni-1", f"button {i}", priority="interactive") for i in range(3)]
        await asyncio.gather(*buttons, *batch)
    order = [prompt.partition(" ")[0] for prompt in oven.prompts]
    assert order[:3] == ["row"] * 3
    assert order[3:6] == ["button"] * 3
    assert len(order) == 15


async def test_the_batch_of_another_process_is_not_starved(tmp_path: Path, virtual_files: None) -> None:
    """There is always a button waiting, and one place: every eighth create is of the batch."""
    oven, path = Oven(5.0), tmp_path / "jobs.db"
    async with (
        serving(oven) as url,
        aiogen.Session([luma(url, max_active=1, creates_per_minute=1000)], store=path) as front,
        aiogen.Session([luma(url, max_active=1, creates_per_minute=1000)], store=path) as night,
    ):
        buttons = [await front.submit("luma/uni-1", f"button {i}", priority="interactive") for i in range(17)]
        await buttons[0].accepted()
        batch = [await night.submit("luma/uni-1", f"row {i}", priority="batch") for i in range(2)]
        await asyncio.gather(*buttons, *batch)
    rows = [i for i, prompt in enumerate(oven.prompts) if prompt.startswith("row")]
    assert 7 <= rows[0] <= 9
    assert 15 <= rows[1] <= 17


# --- bounds


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path, virtual_files: None) -> Any:
    return tmp_path / "jobs.db" if request.param == "file" else MemoryStore()


async def test_a_scope_has_no_more_than_its_share(store: Any) -> None:
    """The error says which bound it was; when something has ended there is room again."""
    oven, at_most = Oven(5.0), AtMost(scope=2, total=3)
    async with serving(oven) as url, aiogen.Session([luma(url)], store=store) as session:

        def submit(scope: str, **more: Any) -> Any:
            return session.submit("luma/uni-1", "a boat", scope=scope, at_most=at_most, **more)

        first = await submit("ann", key="a")
        await submit("ann")
        with pytest.raises(TooManyJobs, match="At most 2 unfinished jobs of scope 'ann' are allowed") as caught:
            await submit("ann")
        error = caught.value
        assert (error.scope, error.limit, error.unfinished) == ("ann", 2, 2)
        assert (error.action, error.retryable, error.connection) == (aiogen.Action.WAIT, True, "luma")
        await submit("bob")
        with pytest.raises(TooManyJobs, match="At most 3 unfinished jobs are allowed") as caught:
            await submit("bob", key="b")
        assert (caught.value.scope, caught.value.limit, caught.value.unfinished) == (None, 3, 3)
        assert await session.job(key="b", scope="bob") is None
        assert await submit("ann", key="a") is first, "it adds nothing"
        await first
        assert (await (await submit("ann"))).state is State.COMPLETED
    assert len(oven.prompts) == 4


async def test_the_bound_is_over_all_processes(tmp_path: Path, virtual_files: None) -> None:
    """However many ask at the same moment."""
    oven, path = Oven(5.0), tmp_path / "jobs.db"
    async with (
        serving(oven) as url,
        aiogen.Session([luma(url)], store=path) as one,
        aiogen.Session([luma(url)], store=path) as two,
    ):
        asked = [s.submit("luma/uni-1", "a boat", at_most=AtMost(total=5)) for _ in range(10) for s in (one, two)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(each, aiogen.Job) for each in found) == 5
        assert sum(isinstance(each, TooManyJobs) for each in found) == 15
        await asyncio.gather(*(each for each in found if isinstance(each, aiogen.Job)))
    assert len(oven.prompts) == 5


@pytest.mark.parametrize("bound", [0, -1, 1.5, True, math.inf, "x"])
async def test_a_bound_is_a_whole_number(bound: Any) -> None:
    """And `at_most` is made of such."""
    for named in ({"scope": bound}, {"total": bound}):
        with pytest.raises(aiogen.InputError):
            AtMost(**named)
    async with aiogen.Session([luma("http://127.0.0.1:9")]) as session:
        with pytest.raises(aiogen.InputError, match="at_most= takes an AtMost"):
            await session.submit("luma/uni-1", "a boat", at_most=bound)
