"""Submissions without an answer, on the command line: shown, found again, and decided about by a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aiogen.sandbox import Storm

LEONARDO = ("generate", "leonardo/gemini-image-2", "a paper boat", "--no-download")


@pytest.fixture
def lost(aiogen: Any, vendors: Any) -> Any:
    """Submit one whose create is cut off after, or before, the vendor took it; our id."""

    def lose(arrives: bool = True, *command: str) -> str:
        fault = "cut-after" if arrives else "cut-before"
        vendors.sandbox.script.storms.append(Storm(fault, actions=("create",), times=1))
        said = aiogen(*(command or LEONARDO), "--json")
        assert said.code == 6
        assert "1 possibly charged" in said.err
        return str(said.records[0]["id"])

    return lose


def test_it_is_told_what_it_could_be(aiogen: Any, vendors: Any, lost: Any) -> None:
    """With the command for each choice."""
    job_id = lost()
    said = aiogen("reconcile")
    assert said.code == 0
    assert f"aiogen reconcile {job_id} --adopt {vendors.jobs[0].id}" in said.out
    assert f"aiogen reconcile {job_id} --resend" in said.out
    assert f"aiogen forget {job_id}" in said.out
    assert "a paper boat" in said.out
    assert "s after it was sent" in said.out
    assert "1 possibly charged" in said.err
    assert "--store" not in said.out
    (record,) = aiogen("reconcile", job_id, "--json").records
    assert (record["id"], record["searched"]) == (job_id, True)
    assert [each["provider_id"] for each in record["candidates"]] == [vendors.jobs[0].id]


def test_the_commands_name_the_ledger(aiogen: Any, vendors: Any, lost: Any, tmp_path: Path) -> None:
    """They are there to be copied, and without it would look into another one."""
    store = tmp_path / "my boats.db"
    job_id = lost(True, *LEONARDO, "--store", str(store))
    said = aiogen("reconcile", "--store", store)
    assert f"aiogen reconcile {job_id} --adopt {vendors.jobs[0].id} --store '{store}'" in said.out
    assert f"aiogen reconcile {job_id} --resend --store '{store}'" in said.out
    assert f"aiogen forget {job_id} --store '{store}'" in said.out


def test_it_is_adopted_and_saved(aiogen: Any, vendors: Any, lost: Any, tmp_path: Path) -> None:
    """One generation, one bill, one picture."""
    job_id = lost()
    said = aiogen("reconcile", job_id, "--adopt", vendors.jobs[0].id, "--out", tmp_path, "--json")
    assert said.code == 0
    assert said.records[0]["id"] == job_id
    assert len(list(tmp_path.glob("leonardo-*"))) == 1
    assert len(vendors.jobs) == 1
    assert "There are no unknown jobs" in aiogen("reconcile").err


def test_it_is_sent_again_only_if_that_is_meant(
    aiogen: Any, vendors: Any, lost: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal to ask on, and with any other answer than yes, it is not."""
    job_id = lost(False)
    refused = aiogen("reconcile", job_id, "--resend", "--no-download")
    assert refused.code == 2
    assert "pass --yes" in refused.err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", lambda: "n\n", raising=False)
    assert "Nothing was sent" in aiogen("reconcile", job_id, "--resend").err
    assert vendors.jobs == []
    monkeypatch.setattr("sys.stdin.readline", lambda: "y\n", raising=False)
    said = aiogen("reconcile", job_id, "--resend", "--no-download", "--json")
    assert said.code == 0
    assert said.records[0]["state"] == "completed"
    assert len(vendors.jobs) == 1


def test_what_cannot_be_meant_is_refused(aiogen: Any, vendors: Any, lost: Any) -> None:
    """Nothing is sent."""
    job_id = lost(False)
    for words in (
        ["--resend", "--yes"],
        ["--adopt", "x"],
        [job_id, "--adopt", "x", "--resend"],
        ["a", "b", "--adopt", "x"],
    ):
        said = aiogen("reconcile", *words)
        assert said.code == 2
        assert "Name one job with --adopt, or any number of jobs with --resend" in said.err
    assert aiogen("reconcile", "nonsense").code == 2
    assert "not in the ledger, or is not unknown" in aiogen("reconcile", "nonsense").err
    assert aiogen("reconcile", job_id, "--adopt", "1f0bba44-923a-69b0-b519-62a6710d46a9").code == 5
    assert vendors.jobs == []


def test_luma_cannot_list(aiogen: Any, vendors: Any, lost: Any) -> None:
    """That is said, and a batch is chosen."""
    lost(True, "generate", "luma/uni-1", "a boat", "--batch", "fleet", "--no-download")
    assert "cannot list" in aiogen("reconcile", "--batch", "fleet").out
    assert "There are no unknown jobs" in aiogen("reconcile", "--batch", "other").err
