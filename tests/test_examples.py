"""The examples run as they stand, each as its own program, against the sandbox."""

from __future__ import annotations

import asyncio
import inspect
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import httpx
import pytest

import aiogen
from aiogen import errors
from aiogen.sandbox import Fate, Rule, Sandbox, Script, Storm
from aiogen.stores.memory import MemoryStore

EXAMPLES = Path(__file__).parent.parent / "examples"
PROGRAMS = sorted(p.name for p in EXAMPLES.glob("[a-z]*.py") if p.name not in ("fastapi_backend.py", "openai_front.py"))


# What the log warns of, for these do on purpose what it warns of.
WARNED = {
    "follow_ids.py": "The session was closed with 3 generations that may still run and cost money: luma ",
    "resume_after_crash.py": "luma/uni-1, job ",  # its create was on its way when the program was killed
}


def environment() -> dict[str, str]:
    keys = ("LUMA_AGENTS_API_KEY", "LEONARDO_API_KEY")
    return {name: value for name, value in os.environ.items() if name not in keys}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[subprocess.Popen[str], Path]]]:
    """All of them at once: they mostly wait."""
    running = {}
    for name in PROGRAMS:
        folder = tmp_path_factory.mktemp(name.removesuffix(".py"))
        process = subprocess.Popen(
            [sys.executable, "-W", "error", EXAMPLES / name],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running[name] = process, folder
    yield running
    for process, _ in running.values():
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_example_runs(name: str, started: dict[str, tuple[subprocess.Popen[str], Path]]) -> None:
    """With no key it starts the sandbox by itself, and ends well."""
    process, folder = started[name]
    output, errors = process.communicate(timeout=50)
    assert process.returncode == 0
    assert [line for line in errors.splitlines() if not line.startswith(WARNED.get(name, "-"))] == []
    assert "sandbox" in output
    if "out/" in output:
        assert list((folder / "out").iterdir())


# --- however a job ends, the others go on


@attrs.frozen
class Case:
    """What the sandbox does to one job, or to one kind of request, and how that is called."""

    kind: type[aiogen.AiogenError]
    fate: Fate | None = None
    storm: Storm | None = None


ENDS = {
    "failed": Case(aiogen.GenerationFailed, Fate(failure_code="generation_failed")),
    "refused": Case(aiogen.GenerationRefused, Fate(create_fault="422")),
    "key": Case(aiogen.AuthenticationError, Fate(create_fault="401")),
    "funds": Case(aiogen.InsufficientFunds, Fate(create_fault="402")),
    "unknown": Case(aiogen.SubmissionUnknown, Fate(create_fault="cut-after")),
    "late": Case(aiogen.GenerationTimeout, Fate(processing=1e6)),
    "gone": Case(aiogen.NotFound, Fate(not_found_polls=10_000)),
    "no file": Case(aiogen.DownloadError, Fate(download_faults="500*")),
}
EVERY_KIND = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, aiogen.AiogenError)]


@pytest.fixture
def example(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The example that the test names, as a module, in a folder of its own."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.chdir(tmp_path)
    yield import_module(request.param)
    for name in ("_vendor", request.param):
        sys.modules.pop(name, None)


def at(name: str) -> Any:
    return pytest.mark.parametrize("example", [name], indirect=True, ids=[name])


def plays(example: ModuleType, monkeypatch: pytest.MonkeyPatch, case: Case, *nth: int, speed: float = 1.0) -> None:
    """The example meets vendors of whom one does that to these creates, counted from 0."""

    @asynccontextmanager
    async def vendor() -> AsyncIterator[None]:
        rules = [Rule(nth=nth, provider=name, fate=case.fate) for name in ("luma", "leonardo") if case.fate]
        storms = [case.storm] if case.storm is not None else []
        async with Sandbox(script=Script(rules=rules, storms=storms), speed=speed) as sandbox:
            for name, value in sandbox.environment.items():
                monkeypatch.setenv(name, value)
            yield

    monkeypatch.setattr(example, "vendor", vendor)


every_end = pytest.mark.parametrize("case", ENDS.values(), ids=ENDS)
ALL_IN_LINE = (aiogen.AuthenticationError, aiogen.InsufficientFunds)
"""What concerns the account ends what waits as well."""


@pytest.mark.no_cover
@at("batch")
@every_end
async def test_the_loop_goes_on_whatever_came_of_a_job(
    example: ModuleType, case: Case, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each end is counted and printed by its kind, and all the others are collected."""
    monkeypatch.setattr(example, "PROMPTS", ["a paper boat"])
    plays(example, monkeypatch, case, 2)
    await example.main()
    *lines, summary = capsys.readouterr().out.splitlines()
    counts = {kind: int(count) for count, kind in (part.split() for part in summary.split(", "))}
    assert sum(counts.values()) == 8
    assert counts.keys() <= {"completed", case.kind.__name__}
    assert counts[case.kind.__name__] == sum(line.startswith(f"  {case.kind.__name__}: ") for line in lines)
    if case.kind not in ALL_IN_LINE:
        assert counts["completed"] in (6, 7)  # a list of the vendor's may show what reading it does not


@pytest.mark.no_cover
@at("batch")
@every_end
async def test_the_loop_of_the_readme_goes_on(
    example: ModuleType, case: Case, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it is printed there."""
    text = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    block = next(part for part in text.split("```python\n") if "session.run(" in part).partition("```")[0]
    names: dict[str, Any] = {"aiogen": aiogen, "prompts": [f"boat {i}" for i in range(4)]}
    exec("async def program():\n" + "".join(f"    {line}\n" for line in block.splitlines()), names)
    plays(example, monkeypatch, case, 3)
    async with example.vendor():
        await names["program"]()
    ended = capsys.readouterr().out.splitlines()
    assert [line.partition("(")[0] for line in ended if not line.startswith("out/")] == [case.kind.__name__]
    assert len(list(Path("out").iterdir())) == 3


@at("batch")
async def test_the_loop_goes_on_if_some_are_not_taken(
    example: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A ledger that fails refuses a job before it costs anything; those that were taken are collected."""
    added = 0

    async def add(self: MemoryStore, record: Any) -> None:
        nonlocal added
        added += 1
        if added in (3, 7):
            raise aiogen.StoreError("The ledger could not be written: no room. Make room.")
        await really_add(self, record)

    really_add = MemoryStore.add
    monkeypatch.setattr(MemoryStore, "add", add)
    monkeypatch.setattr(example, "PROMPTS", ["a paper boat"])
    plays(example, monkeypatch, Case(aiogen.StoreError))
    await example.main()
    assert capsys.readouterr().out.splitlines()[-1] == "6 completed, 2 StoreError"


@at("batch")
async def test_the_loop_goes_on_if_the_session_is_closed_under_it(
    example: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By whatever else in a program ends it: what was not collected is said, job by job."""

    class Session(aiogen.Session):
        async def __aenter__(self) -> Session:
            asyncio.get_running_loop().call_later(15.0, lambda: closing.append(asyncio.ensure_future(self.close())))
            return await super().__aenter__()

    closing: list[asyncio.Future[None]] = []
    monkeypatch.setattr(aiogen, "Session", Session)
    monkeypatch.setattr(example, "PROMPTS", ["a paper boat"])
    plays(example, monkeypatch, Case(aiogen.SessionClosed))
    await example.main()
    await asyncio.gather(*closing)
    out = capsys.readouterr().out
    assert sum(int(part.split()[0]) for part in out.splitlines()[-1].split(", ")) == 8
    assert "SessionClosed" in out.splitlines()[-1]


@pytest.mark.parametrize("example", ["quickstart", "edit_image"], indirect=True)
@every_end
async def test_one_picture_ends_with_a_line(example: ModuleType, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback: the kind of the error, and what it says."""
    plays(example, monkeypatch, case, 0)
    with pytest.raises(SystemExit, match=f"^{case.kind.__name__}: .+"):
        await example.main()


@at("follow_ids")
@pytest.mark.parametrize("name", sorted(ENDS.keys() - {"no file", "key", "funds"}))
async def test_ids_are_followed_whatever_came_of_one(
    example: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that was never accepted has no id, and the others have; one that fails is a result like any other."""
    case = ENDS[name]
    plays(example, monkeypatch, case, 1)
    await example.main()
    assert capsys.readouterr().out.splitlines()[-1] == f"2 completed, 1 {case.kind.__name__}"


@at("clean_up")
@pytest.mark.parametrize(
    ("case", "summary"),
    [
        (Case(aiogen.ProviderError, Fate(failure_code="null", delete_faults="500*")), "1 ProviderError, 3 deleted"),
        (
            Case(aiogen.NetworkError, Fate(failure_code="null", delete_faults="cut-before*")),
            "1 NetworkError, 3 deleted",
        ),
        (Case(aiogen.ProviderError, None, Storm("500", actions=("list",))), "1 ProviderError"),
        (Case(aiogen.ProtocolError, None, Storm("half-json", actions=("list",))), "1 ProtocolError"),
        (Case(aiogen.AuthenticationError, None, Storm("401", actions=("list", "account"))), "1 AuthenticationError"),
        (Case(aiogen.SubmissionUnknown, Fate(create_fault="cut-after")), "1 deleted"),
    ],
)  # fmt: skip
async def test_cleaning_up_goes_on(
    example: ModuleType,
    case: Case,
    summary: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What cannot be deleted is said, and keeps none of the others; a list that cannot be read ends it with a line."""
    plays(example, monkeypatch, case, 1)

    async def failing(session: aiogen.Session) -> None:
        jobs = [await session.submit("leonardo/gemini-image-2", f"cat {i} [[fail=null]]") for i in range(4)]
        await asyncio.gather(*jobs, return_exceptions=True)

    if case.fate is not None and case.fate.delete_faults:
        monkeypatch.setattr(example, "something_to_clean_up", failing)
    await example.main()
    shown = capsys.readouterr().out.splitlines()[-1]
    assert sorted(shown.split(", ")) == sorted(summary.split(", "))


@at("resume_after_crash")
@pytest.mark.looptime(False)
@pytest.mark.parametrize("name", ["failed", "unknown"])
async def test_what_was_left_behind_is_taken_up_whatever_came_of_one(
    example: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program after the crash collects the others."""

    class Session(aiogen.Session):
        def __init__(self, store: str) -> None:
            super().__init__([aiogen.Luma(typical_seconds={"uni-1": 0.3})], store=store)

    monkeypatch.setattr(aiogen, "Session", Session)
    plays(example, monkeypatch, ENDS[name] if name == "failed" else Case(aiogen.SubmissionUnknown), 1, speed=100.0)
    async with example.vendor():
        async with Session(example.LEDGER) as session:
            jobs = [await session.submit("luma/uni-1", f"a paper boat {i}", batch="boats") for i in range(4)]
            await asyncio.gather(*(job.accepted() for job in jobs))
        if name == "unknown":
            with closing(sqlite3.connect(example.LEDGER)) as ledger:
                lost = "UPDATE aiogen_job SET state = 'submitting', provider_id = NULL WHERE id = ?"
                ledger.execute(lost, (jobs[1].id,))
                ledger.commit()
        await example.go_on()
    assert capsys.readouterr().out.splitlines()[-1] == f"3 completed, 1 {ENDS[name].kind.__name__}"


@at("fastapi_backend")
@pytest.mark.looptime(False)
@pytest.mark.parametrize("kind", EVERY_KIND, ids=lambda kind: kind.__name__)
async def test_the_web_backend_says_what_went_wrong(example: ModuleType, kind: type[aiogen.AiogenError]) -> None:
    """Whatever kind of error it is, on whichever way: no client gets an internal error."""

    class Broken:
        async def submit(self, *_: object) -> aiogen.Job:
            raise kind("So it went.", provider_id="p1")

        job = submit

    example.app.state.aiogen = Broken()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(example.app), base_url="http://here") as client:
        answers = [
            await client.post("/images", json={"prompt": "a boat"}),
            await client.post("/images/jobs", json={"prompt": "a boat"}),
            await client.get("/images/jobs/j1"),
        ]
    for answer in answers:
        assert answer.status_code in (422, 502, 503, 504)
        detail = answer.json()["detail"]
        assert (detail["error"], detail["message"], detail["provider_id"]) == (kind.__name__, "So it went.", "p1")


@at("fastapi_backend")
@pytest.mark.looptime(False)
async def test_the_web_backend_refuses_a_field_that_it_does_not_have(example: ModuleType) -> None:
    """Without it another picture would be made, and paid for."""

    class Untouched:
        submit = None

    example.app.state.aiogen = Untouched()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(example.app), base_url="http://here") as client:
        for path in ("/images", "/images/jobs"):
            answer = await client.post(path, json={"prompt": "a boat", "aspect_ratio": "16:9"})
            assert answer.status_code == 422
            assert "aspect_ratio" in answer.text


def test_the_containers_are_as_the_documentation_says() -> None:
    """The password stands in no url, where a / or @ of it would end it; who is alive is not asked for the ledger."""
    text = (EXAMPLES / "deployment" / "compose.yaml").read_text()
    code = "\n".join(line.partition("#")[0] for line in text.splitlines())
    assert "AIOGEN_STORE: postgresql://aiogen@ledger/jobs\n" in code
    assert "PGPASSWORD: ${POSTGRES_PASSWORD:?}" in code
    assert "/health/live" in code
    assert "/health/ready" not in code


@pytest.mark.looptime(False)
async def test_the_web_backend(tmp_path: Path) -> None:
    """One session serves requests that wait, and requests that come back later; asked over real HTTP."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "fastapi_backend:app", "--app-dir", str(EXAMPLES), "--port", "0"),
        env=environment(),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        assert server.stdout is not None
        url = ""
        async for line in server.stdout:
            if b"running on" in line:
                url = line.decode().split("running on ")[1].split()[0]
                break
        async with httpx.AsyncClient(base_url=url, timeout=30.0) as client:
            await speak(client)
    finally:
        server.terminate()
        rest = await server.communicate()
    assert b"Traceback" not in rest[0]
    assert b"Application shutdown complete" in rest[0]


async def speak(client: httpx.AsyncClient) -> None:
    """What a browser or another service would ask."""
    waited, quick, failed, refused = await asyncio.gather(
        client.post("/images", json={"prompt": "a paper boat [[processing=5]]"}),
        client.post(
            "/images/jobs", json={"prompt": "a paper boat [[processing=5]]", "model": "leonardo/gemini-image-2"}
        ),
        client.post("/images", json={"prompt": "a bad boat [[processing=5 fail=content_moderated]]"}),
        client.post("/images", json={"prompt": " "}),
    )
    assert (waited.status_code, waited.json()["state"]) == (200, "completed")
    assert waited.json()["urls"]
    assert (failed.status_code, failed.json()["detail"]["failure_code"]) == (422, "content_moderated")
    assert (failed.json()["detail"]["error"], failed.json()["detail"]["retryable"]) == ("GenerationFailed", False)
    assert (refused.status_code, "prompt cannot be empty" in refused.text) == (422, True)
    assert quick.status_code == 202
    job: dict[str, Any] = quick.json()
    assert (job["provider_id"], job["state"]) == (None, "pending")
    while job["state"] not in ("completed", "failed"):
        await asyncio.sleep(0.05)
        job = (await client.get(f"/images/jobs/{job['job_id']}")).json()
    assert job["urls"]
    assert (await client.get("/images/jobs/none")).status_code == 404
