"""The commands of the command line on a ledger in a database, from several machines."""

from __future__ import annotations

import asyncio
import itertools
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cli import conftest as cli
from postgres.server import Server

from aiogen import Session
from aiogen.cli import doctor, options
from aiogen.sandbox import Storm

plain, often, vendors, run_here = cli.plain, cli.often, cli.vendors, cli.aiogen

pytestmark = [pytest.mark.postgres, pytest.mark.looptime(False), pytest.mark.no_cover, pytest.mark.timeout(180)]
_NUMBERS = itertools.count()
BOAT = ("generate", "luma/uni-1", "a paper boat", "--no-download")


@pytest.fixture
def name() -> str:
    """Of a namespace that nobody uses."""
    return f"typed_{next(_NUMBERS)}"


@pytest.fixture
def url(server: Server, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What AIOGEN_STORE has here."""
    monkeypatch.chdir(tmp_path)
    url = f"{server.url}?search_path={name}"
    monkeypatch.setenv("AIOGEN_STORE", url)
    return url


@pytest.fixture
def aiogen(run_here: Any, url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the program; the password may never show.  However busy this machine is, the server is waited for."""
    monkeypatch.setattr(options, "_ANSWERS_WITHIN", 60.0)
    monkeypatch.setattr(doctor, "_LEDGER_ANSWERS_WITHIN", 60.0)

    def run(*argv: object) -> cli.Said:
        said = run_here(*argv)
        assert "geheim" not in said.out + said.err
        return said

    return run


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], None]:
    """From here on it is another machine, which has nothing but the url and the keys."""
    places = itertools.count()

    def go() -> None:
        home = tmp_path / f"machine-{next(places)}"
        home.mkdir()
        monkeypatch.setenv("XDG_DATA_HOME", str(home))
        monkeypatch.chdir(home)

    return go


def asked(server: Server, *statements: str) -> list[Any]:
    """What the last of some statements gives."""

    async def ask() -> list[Any]:
        connection = await asyncpg.connect(server.url)
        try:
            return [await connection.fetch(statement) for statement in statements][-1]
        finally:
            await connection.close()

    return asyncio.run(ask())


def is_made(server: Server, name: str) -> bool:
    return bool(asked(server, f"SELECT 1 FROM pg_namespace WHERE nspname = '{name}'"))


def interrupted(aiogen: Any, vendors: cli.Vendors, *more: str) -> cli.Said:
    """What is said by a command that leaves one generation, which ends as soon as nobody follows it."""
    count = len(vendors.jobs)
    vendors.interrupt_once(lambda: len(vendors.jobs) > count and vendors.jobs[count].polls, signal.SIGTERM)
    said = aiogen("generate", "luma/uni-1", "a boat [[processing=100000]]", "--no-download", *more)
    assert said.code == 130
    vendors.jobs[count].ends_at = vendors.jobs[count].started_at
    return said


def test_two_machines_have_one_ledger(
    aiogen: Any, vendors: cli.Vendors, server: Server, name: str, elsewhere: Any
) -> None:
    """What one has made and paid for, the other finds, and neither makes again."""
    made = aiogen(*BOAT, "--key", "boat", "--batch", "boats", "--json")
    assert made.code == 0
    (record,) = made.records
    job_id, provider_id = record["id"], record["provider_id"]
    elsewhere()
    again = aiogen(*BOAT, "--key", "boat", "--batch", "boats", "--json")
    assert (again.code, again.records[0]["id"]) == (0, job_id)
    assert len(vendors.jobs) == 1
    assert [each["id"] for each in aiogen("jobs", "--batch", "boats", "--json").records] == [job_id]
    assert aiogen("costs", "--json").records[0]["count"] == 1
    said = aiogen("get", "luma", job_id[:8])
    assert said.code == 0
    assert f"{job_id[:8]} is {provider_id} at luma, job {job_id}." in said.err
    assert aiogen("download", "luma", job_id, "--out", "pictures").code == 0
    assert len(list(Path("pictures").iterdir())) == 1
    assert aiogen("report", "boats", "--files", "pictures").code == 0
    assert "geheim" not in Path("boats.html").read_text()
    assert aiogen("cancel", job_id).out == f"had ended\t{job_id}\n"
    assert "is completed, and is not tried again" in aiogen("retry", job_id).err
    assert "There are no unknown jobs" in aiogen("reconcile").err
    assert aiogen("resume").err == "Nothing was left unfinished.\n"
    assert aiogen("models", "luma/uni-1").code == 0
    said = aiogen("doctor")
    assert said.code == 0
    ledger = said.out.splitlines()[-1].split("\t")
    assert ledger[2] == f"postgresql://postgres@127.0.0.1:{server.port}/postgres ({name})"
    assert ledger[3].startswith("works (")
    assert "beginning of an id" in aiogen("forget", job_id[:8]).err
    assert "1 job removed" in aiogen("forget", "--batch", "boats", "--yes").err
    assert f"There is no such job in {ledger[2]}." in aiogen("jobs").err
    assert asked(server, f"SELECT id FROM {name}.aiogen_worker") == []


def test_who_only_looks_makes_no_ledger(aiogen: Any, vendors: cli.Vendors, server: Server, name: str) -> None:
    for words in (("jobs",), ("costs",), ("get", "luma", "no-such-id"), ("models", "luma"), ("forget", "--batch", "x")):
        aiogen(*words)
    said = aiogen("jobs", "--json")
    assert (said.code, said.out) == (0, "")
    assert f"There is no ledger in postgresql://postgres@127.0.0.1:{server.port}/postgres ({name})" in said.err
    assert aiogen("costs", "--json").records[0]["count"] == 0
    said = aiogen("report", "boats")
    assert said.code == 2
    assert "There is no ledger" in said.err
    assert aiogen("doctor").out.endswith(f"({name})\tnot created yet\n")
    assert not is_made(server, name)


def test_the_right_to_read_is_enough_for_a_look(
    aiogen: Any, vendors: cli.Vendors, server: Server, name: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And who may not write is told so before anything is sent."""
    assert aiogen(*BOAT, "--batch", "boats").code == 0
    asked(
        server,
        f"CREATE ROLE reader_{name} LOGIN",
        f"GRANT USAGE ON SCHEMA {name} TO reader_{name}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO reader_{name}",
    )
    monkeypatch.setenv("AIOGEN_STORE", url.replace("postgres:geheim", f"reader_{name}:geheim", 1))
    assert len(aiogen("jobs", "--json").records) == 1
    assert aiogen("costs", "--json").records[0]["count"] == 1
    assert aiogen("report", "boats").code == 0
    for words in ((*BOAT,), ("forget", "--batch", "boats", "--yes"), ("doctor",)):
        said = aiogen(*words)
        assert said.code == 3
        assert "permission denied" in said.err
        assert "Grant this user the right to read and write the tables" in said.err
    said = aiogen("models", "luma")
    assert said.code == 0
    assert "What was learned is not shown." in said.err
    assert len(vendors.jobs) == 1


def test_what_is_interrupted_here_goes_on_there(
    aiogen: Any, vendors: cli.Vendors, url: str, elsewhere: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command that was shown: it names the database if the environment does not, without its password."""
    said = interrupted(aiogen, vendors)
    assert said.err.splitlines()[-1] == "  aiogen resume --no-download"
    elsewhere()
    assert [each["state"] for each in aiogen("resume", "--no-download", "--json").records] == ["completed"]

    monkeypatch.delenv("AIOGEN_STORE")
    said = interrupted(aiogen, vendors, "--store", url)
    step = shlex.split(said.err.splitlines()[-1])
    assert step == ["aiogen", "resume", "--no-download", "--store", url.replace("geheim-7", "…")]
    elsewhere()
    said = aiogen(*[url if word == step[-1] else word for word in step[1:]], "--json")
    assert [each["state"] for each in said.records] == ["completed"]
    assert len(vendors.jobs) == 2


def test_what_was_killed_elsewhere_is_continued_once_its_lease_is_over(
    aiogen: Any, vendors: cli.Vendors, server: Server, name: str, elsewhere: Any
) -> None:
    interrupted(aiogen, vendors)
    job = f"{name}.aiogen_job"
    worker = f"{name}.aiogen_worker"
    now = "extract(epoch FROM clock_timestamp())"
    asked(
        server,
        f"INSERT INTO {worker} VALUES ('there', {now} + 600, 15, 'all')",
        f"UPDATE {job} SET owner = 'there'",
    )
    elsewhere()
    said = aiogen("resume", "--no-download")
    assert said.code == 0
    assert "Nothing was left unfinished.\n1 job is with other programs." in said.err
    assert "15 s later. See: aiogen jobs" in said.err
    asked(server, f"UPDATE {worker} SET lease_until = {now} - 1")
    said = aiogen("resume", "--no-download", "--json")
    assert [each["state"] for each in said.records] == ["completed"]
    assert len(vendors.jobs) == 1
    assert asked(server, f"SELECT id FROM {worker}") == []


def test_what_waits_is_withdrawn_from_anywhere(aiogen: Any, vendors: cli.Vendors, url: str) -> None:
    async def take_in() -> list[str]:
        async with Session(store=url, follow=False) as session:
            return [(await session.submit("luma/uni-1", "a boat", batch="boats")).id for _ in range(3)]

    first, *_ = asyncio.run(take_in())
    assert aiogen("cancel", first).out == f"withdrawn\t{first}\n"
    assert aiogen("cancel", "--batch", "boats").out == "withdrawn\t2\n"
    assert len(aiogen("jobs", "--state", "cancelled", "--json").records) == 3
    said = aiogen("retry", first, "--no-download", "--json")
    assert [each["state"] for each in said.records] == ["completed"]
    assert len(vendors.jobs) == 1


def test_what_was_never_answered_is_decided_about_elsewhere(
    aiogen: Any, vendors: cli.Vendors, url: str, elsewhere: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And then marked, and deleted at the provider."""
    vendors.sandbox.script.storms.append(Storm("cut-after", actions=("create",), times=1))
    assert aiogen("generate", "leonardo/gemini-image-2", "a paper boat", "--no-download").code == 6
    elsewhere()
    monkeypatch.delenv("AIOGEN_STORE")
    shown = aiogen("reconcile", "--store", url)
    by_hand = shlex.quote(url.replace("geheim-7", "…"))
    provider_id = vendors.jobs[0].id
    assert f"--adopt {provider_id} --store {by_hand}" in shown.out
    monkeypatch.setenv("AIOGEN_STORE", url)
    (job,) = aiogen("jobs", "--json").records
    said = aiogen("reconcile", job["id"], "--adopt", provider_id, "--no-download", "--json")
    assert [each["provider_id"] for each in said.records] == [provider_id]
    assert len(vendors.jobs) == 1
    assert aiogen("mark", job["id"]).code == 0
    elsewhere()
    said = aiogen("cleanup", "leonardo", "--marked", "--yes", "--json")
    assert [(each["provider_id"], each["outcome"]) for each in said.records] == [(provider_id, "deleted")]


def test_a_list_is_gone_on_with_from_another_machine(aiogen: Any, vendors: cli.Vendors, elsewhere: Any) -> None:
    for more in ("", "a blue boat\n"):
        elsewhere()
        Path("list.txt").write_text(f"a red boat\n{more}")
        said = aiogen("batch", "list.txt", "--model", "luma/uni-1", "--no-download")
        assert said.code == 0
    assert "of these the ledger has 1 completed" in said.err
    assert len(vendors.jobs) == 2
