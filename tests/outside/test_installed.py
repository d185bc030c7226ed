"""A provider of another package, installed from a wheel: found by name, used, and no harm to any other."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest
from serving import serving

from outside.vendor import KEY, Darkroom
from outside.wheels import build, install, write

HERE = Path(__file__).parent
FACTS = "url='https://x.example', request_type=object, max_active=1, creates_per_minute=1, requests_per_minute=1"
PROVIDER = """
import aiogen

class Other(aiogen.Provider):
    facts = aiogen.Facts(vendor="Other", name={name!r}, key_variable={key!r}, {facts})
    prepare = encode = create = get = lambda *_: None
"""
OTHERS = {
    "broken": "import no_such_module\n",
    "exits": "raise SystemExit(7)\n",
    "factless": "import aiogen\nclass Other(aiogen.Provider): ...\n",
    "misnamed": PROVIDER.format(name="somebody", key="SOMEBODY_KEY", facts=FACTS),
    "thief": PROVIDER.format(name="thief", key="LUMA_AGENTS_API_KEY", facts=FACTS),
    "luma": PROVIDER.format(name="luma", key="IMPOSTOR_KEY", facts=FACTS),
}
"""Packages that something is wrong with, by the name of the provider that each offers."""


@attrs.frozen
class Said:
    """What a process printed, and how it ended."""

    code: int
    out: str
    err: str


@attrs.frozen
class Run:
    """Four processes in an environment with all of these packages, at one server."""

    vendor: Darkroom
    program: dict[str, Any]
    generate: Said
    doctor: Said
    resume: Said
    folder: Path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Once for all tests: one installation, and the processes at the same time."""
    folder = tmp_path_factory.mktemp("outside")
    modules = {name: {f"aiogen_{name}.py": text} for name, text in OTHERS.items()}
    wheels = [write(folder, f"aiogen-{n}", "1.0", modules[n], {n: f"aiogen_{n}:Other"}) for n in OTHERS]
    install([build(HERE / "package", folder), *wheels], folder / "installed")
    return asyncio.run(started(folder))


async def started(folder: Path) -> Run:
    vendor = Darkroom()
    async with serving(vendor) as vendor.url:
        path = os.pathsep.join(filter(None, [str(folder / "installed"), os.environ.get("PYTHONPATH")]))
        environment = {
            **{name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))},
            "PYTHONPATH": path,
            "DARKROOM_KEY": KEY,
            "DARKROOM_BASE_URL": f"{vendor.url}/v1",
            "AIOGEN_STORE": str(folder / "jobs.db"),
        }

        async def process(*words: str) -> Said:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-W", "error", *words),
                env=environment, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, err = await child.communicate()
            return Said(child.returncode or 0, out.decode(), err.decode())

        program, generate, doctor = await asyncio.gather(
            process(str(HERE / "program.py")),
            process("-m", "aiogen", "generate", "darkroom/silver", "a third boat", "--out", "out", "--json"),
            process("-m", "aiogen", "doctor", "--json"),
        )
        vendor.is_slow = False
        resume = await process("-m", "aiogen", "resume", "--store", "left.db", "--no-download", "--json")
    assert (program.code, program.err) == (0, "")
    return Run(vendor, json.loads(program.out), generate, doctor, resume, folder)


def test_it_is_found_by_its_name(run: Run) -> None:
    """With its key in the environment, and nothing said in the program."""
    provider, provider_id, state, url = run.program["generation"]
    assert (provider, state) == ("darkroom", "completed")
    assert url == f"{run.vendor.url}/files/{provider_id}.png"
    assert run.program["connections"] == ["darkroom"]


def test_only_what_is_named_is_loaded(run: Run) -> None:
    """Neither by `import aiogen`, nor by a session."""
    assert run.program["before"] == []
    assert run.program["after"] == ["aiogen_darkroom"]


def test_a_missing_key_is_named(run: Run) -> None:
    """With the variable, and with the class as the program would write it."""
    assert run.program["without a key"] == (
        "ConfigurationError: There is no connection 'darkroom' (available: none). Set the environment variable "
        "DARKROOM_KEY to your Darkroom API key, or pass Session(providers=[aiogen_darkroom.Darkroom(api_key=…)])."
    )
    assert "aiogen_darkroom.Darkroom(api_key=…)" in run.program["not passed"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("broken", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("exits", "SystemExit: 7"),
        ("factless", "The provider class Other has no facts"),
        ("misnamed", "its facts call it 'somebody'"),
        ("thief", "LUMA_AGENTS_API_KEY is the key of Luma, which another vendor's provider must not read"),
    ],
)
def test_one_that_is_broken_breaks_only_itself(run: Run, name: str, why: str) -> None:
    """It is said which package it is, by whoever names it and by doctor; all others work."""
    cannot = f"The provider '{name}' of the package aiogen-{name} cannot be used: {why}"
    assert run.program[name].startswith(f"ConfigurationError: {cannot}")
    assert run.program["still"] == "completed"
    finding = findings(run)[name]
    assert (finding["works"], finding["why"]) == (False, "its package cannot be used")
    assert cannot in finding["error"]
    assert f"aiogen: {name}: " in run.doctor.err


def test_no_package_takes_the_name_of_a_built_in(run: Run) -> None:
    """The built-in's key is asked for, and doctor says that the other is not used."""
    assert "Set the environment variable LUMA_AGENTS_API_KEY to your Luma API key" in run.program["luma"]
    assert "aiogen-luma offers a provider called 'luma', which is a name of aiogen's own; it is not used." in (
        run.doctor.err
    )
    assert findings(run)["luma"]["key_variable"] == "LUMA_AGENTS_API_KEY"


def test_an_unknown_name_lists_it(run: Run) -> None:
    """Among the providers that there are."""
    assert "'darkroom'" in run.program["nobody"]


def test_the_command_line_generates(run: Run) -> None:
    """And saves the picture."""
    assert run.generate.code == 0, run.generate.err
    record = json.loads(run.generate.out)
    assert (record["provider"], record["model"], record["state"]) == ("darkroom", "silver", "completed")
    (saved,) = (run.folder / "out").iterdir()
    assert record["files"] == [str(saved)] or record["files"] == [f"out/{saved.name}"]
    assert "a third boat" in run.vendor.subjects


def test_the_command_line_goes_on_with_what_was_left(run: Run) -> None:
    """The ledger names the provider, so nobody else has to."""
    assert run.resume.code == 0, run.resume.err
    record = json.loads(run.resume.out)
    assert (record["provider_id"], record["state"]) == (run.program["left"], "completed")
    assert run.vendor.subjects.count("a slow boat") == 1


def test_doctor_tries_it(run: Run) -> None:
    """By its cheapest call; the key is not shown."""
    finding = findings(run)["darkroom"]
    assert (finding["vendor"], finding["works"], finding["key_variable"]) == ("Darkroom", True, "DARKROOM_KEY")
    assert KEY not in run.doctor.out + run.doctor.err
    assert "GET /v1/me" in run.vendor.asked


def findings(run: Run) -> dict[str, Any]:
    records = [json.loads(line) for line in run.doctor.out.splitlines()]
    return {record["connection"]: record for record in records if "connection" in record}
