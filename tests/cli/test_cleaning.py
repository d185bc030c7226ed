"""cleanup and mark: what they show, ask, delete, and how they exit."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from aiogen.sandbox import LeonardoSettings

DONE, FAILED = "[[processing=0]]", "[[fail=null processing=0]]"


class Terminal(io.StringIO):
    """A standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def made(aiogen, vendors) -> list[str]:
    """Two that failed, one that did not, one that runs; the oldest first."""
    ids = vendors.make(f"a test {FAILED}", f"a boat {FAILED}", f"a test {DONE}", "a test [[processing=90000]]")
    while [record["state"] for record in aiogen("list", "leonardo", "--json").records].count("queued") > 1:
        pass
    return ids


def deleted(vendors) -> list[str]:
    return [job.id for job in vendors.jobs if job.deleted_at is not None]


def test_a_dry_run_shows_what_matches(aiogen, vendors, made: list[str]) -> None:
    said = aiogen("cleanup", "leonardo", "--failed", "--dry-run")
    assert (said.code, deleted(vendors)) == (0, [])
    assert [line.split("\t")[:2] for line in said.out.splitlines()] == [[i, "failed"] for i in made[:2]]
    assert "2 of 4 generations at leonardo (" in said.err
    assert f"user {LeonardoSettings().user_id}) match: 2 failed, created from 20" in said.err
    [record, _] = aiogen("cleanup", "leonardo", "--failed", "--dry-run", "--json").records
    assert list(record) == [
        "connection", "provider_id", "outcome", "state", "created_at", "model", "prompt", "files", "error",
    ]  # fmt: skip
    assert (record["provider_id"], record["outcome"], record["state"]) == (made[0], "found", "failed")


def test_all_filters_have_to_hold_and_what_runs_stays(aiogen, vendors, made: list[str]) -> None:
    said = aiogen("cleanup", "leonardo", "--prompt-contains", "TEST", "--failed", "--yes")
    assert (said.code, deleted(vendors), said.out) == (0, made[:1], f"deleted\tleonardo\t{made[0]}\n")
    assert said.err.endswith("1 deleted.\n")
    assert aiogen("cleanup", "leonardo", "--prompt-contains", "test", "--older-than", "1h", "--yes").code == 0
    assert deleted(vendors) == made[:1]
    assert aiogen("cleanup", "leonardo", "--prompt-contains", "test", "--yes").code == 0
    assert deleted(vendors) == [made[0], made[2]]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ([], "Say which generations: --failed, --older-than 30d"),
        (["--older-than", "tomorrow"], "cannot be read; write 90s"),
        (["--prompt-contains", ""], "Say which generations"),
        (["--failed", "--limit", 0], "--limit has to be from 1"),
        (["--failed", "--max-delete", 0], "--max-delete has to be from 1"),
        (["--failed", "--pace", 0], "--pace has to be from 0.01"),
        (["--marked", "--store", ":memory:"], "there is no ledger"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_code_2(aiogen, vendors, words: list[object], hint: str) -> None:
    said = aiogen("cleanup", "leonardo", *words)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert hint in said.err


def test_luma_is_refused_before_anything_else(aiogen, vendors) -> None:
    for words in (
        ["cleanup", "luma", "--failed"],
        ["mark", "d290f1ee-6c54-4b01-90e6-d701748f0851", "--connection=luma"],
    ):
        said = aiogen(*words)
        assert (said.code, "Luma has no API call that" in said.err) == (2, True)
    assert not vendors.sandbox.requests


def test_more_than_may_be_deleted_is_none(aiogen, vendors, made: list[str]) -> None:
    said = aiogen("cleanup", "leonardo", "--failed", "--max-delete", 1, "--yes")
    assert (said.code, deleted(vendors)) == (2, [])
    assert "--max-delete 2 allows all of these; --limit 1 deletes only the 1 oldest." in said.err
    said = aiogen("cleanup", "leonardo", "--failed", "--max-delete", 1, "--limit", 1, "--yes")
    assert (said.code, deleted(vendors)) == (0, made[:1])


def test_without_a_terminal_it_needs_yes(aiogen, vendors, made: list[str], monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    said = aiogen("cleanup", "leonardo", "--failed")
    assert (said.code, deleted(vendors)) == (2, [])
    assert "To delete 2 generations at leonardo without a terminal for the question, pass --yes." in said.err


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("\n", 2), ("n\n", 2), ("", 2)])
def test_it_asks_with_account_and_number(aiogen, vendors, made: list[str], monkeypatch, answer: str, code: int) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    said = aiogen("cleanup", "leonardo", "--failed")
    assert (said.code, deleted(vendors)) == (code, made[:2] if code == 0 else [])
    assert "Delete 2 generations at leonardo (" in said.err
    assert f"user {LeonardoSettings().user_id}) permanently, with the images? [y/N]" in said.err


def test_only_what_was_shown_is_deleted(aiogen, vendors, made: list[str], monkeypatch) -> None:
    """Whatever has come to match since."""

    class Slow(Terminal):
        def readline(self, *_: object) -> str:  # type: ignore[override]
            vendors.make(f"a test {FAILED}")
            return "y\n"

    monkeypatch.setattr(sys, "stdin", Slow())
    assert aiogen("cleanup", "leonardo", "--failed").code == 0
    assert (len(vendors.jobs), deleted(vendors)) == (5, made[:2])


def test_nothing_matches_is_no_error(aiogen, vendors, made: list[str]) -> None:
    said = aiogen("cleanup", "leonardo", "--prompt-contains", "zebra")
    assert (said.code, said.out) == (0, "")
    assert "0 of 4 generations at leonardo" in said.err


def test_saved_first_and_audited(aiogen, vendors, made: list[str], tmp_path: Path) -> None:
    audit, folder = tmp_path / "audit.jsonl", tmp_path / "old"
    said = aiogen(
        "cleanup", "leonardo", "--prompt-contains", "test", "--save-first", folder, "--audit", audit, "--yes", "--json"
    )  # fmt: skip
    assert (said.code, deleted(vendors)) == (0, [made[0], made[2]])
    files = [path for record in said.records for path in record["files"]]
    assert [str(path) for path in folder.iterdir()] == files
    assert len(files) == 1
    events = [json.loads(line) for line in audit.read_text("utf-8").splitlines()]
    assert [line["event"] for line in events] == ["deleting", "deleted"] * 2
    assert events[2]["files"] == files


def test_an_audit_file_that_cannot_be_written_is_code_2(aiogen, vendors, made: list[str], tmp_path: Path) -> None:
    said = aiogen("cleanup", "leonardo", "--failed", "--yes", "--audit", tmp_path)
    assert (said.code, deleted(vendors)) == (2, [])
    assert "No generation is deleted without its line." in said.err


def test_one_that_cannot_be_deleted_keeps_none_of_the_others(aiogen, vendors) -> None:
    made = vendors.make(f"a test {FAILED}", "a test [[fail=null processing=0 delete=422*]]", f"a test {FAILED}")
    while len(aiogen("cleanup", "leonardo", "--failed", "--dry-run").out.splitlines()) < 3:
        pass
    said = aiogen("cleanup", "leonardo", "--failed", "--yes", "--json")
    assert (said.code, deleted(vendors)) == (1, [made[0], made[2]])
    assert [record["outcome"] for record in said.records] == ["deleted", "failed", "deleted"]
    assert said.records[1]["error"]["type"] == "InvalidRequest"
    assert made[1] in said.err
    assert said.err.endswith("2 deleted, 1 not deleted.\n")
    vendors.make(f"a test {FAILED}")
    while len(aiogen("cleanup", "leonardo", "--failed", "--dry-run").out.splitlines()) < 2:
        pass
    said = aiogen("cleanup", "leonardo", "--failed", "--yes", "--stop-at-first-failure")
    assert (said.code, len(deleted(vendors))) == (1, 2)
    assert said.err.endswith("0 deleted, 1 not deleted, 1 left.\n")


def test_interrupted_it_says_what_is_left(aiogen, vendors) -> None:
    made = vendors.make(*[f"a test {n} {FAILED}" for n in range(30)])
    while len(aiogen("cleanup", "leonardo", "--failed", "--dry-run").out.splitlines()) < 30:
        pass
    vendors.interrupt_once(lambda: deleted(vendors))
    said = aiogen("cleanup", "leonardo", "--failed", "--yes")
    assert said.code == 130
    assert "The same command does the rest." in said.err
    assert 0 < len(deleted(vendors)) < 30
    assert aiogen("cleanup", "leonardo", "--failed", "--yes").code == 0
    assert len(deleted(vendors)) == len(made)


# --- mark


def test_what_is_marked_is_deleted(aiogen, vendors, tmp_path: Path) -> None:
    """By our id, by the vendor's, and one that the ledger does not know."""
    [foreign] = vendors.make(f"a boat {DONE}")
    done = aiogen("generate", "leonardo/lucid-origin", "a boat", "--no-download", "--count", 3, "--json").records
    ids = [done[0]["id"], done[1]["provider_id"]]
    said = aiogen("mark", *ids)
    assert (said.code, said.err) == (0, "2 generations marked for deletion.\n")
    said = aiogen("mark", foreign)
    assert (said.code, "The ledger does not know" in said.err) == (2, True)
    assert aiogen("mark", foreign, "--connection", "leonardo", "--json").records == [{"id": foreign, "marked": True}]
    assert aiogen("mark", ids[0], ids[1], "--undo", "--json").code == 0
    assert aiogen("mark", ids[1]).err == "1 generation marked for deletion.\n"
    assert aiogen("mark", ids[1]).err == "0 generations marked for deletion; 1 was so before.\n"
    assert aiogen("cleanup", "leonardo", "--marked", "--yes").code == 0
    assert {*deleted(vendors)} == {foreign, ids[1]}


def test_a_beginning_of_an_id_marks_nothing(aiogen, vendors) -> None:
    [made] = vendors.make(f"a boat {DONE}")
    said = aiogen("mark", made[:8], "--connection", "leonardo")
    assert (said.code, "only the beginning of an id" in said.err) == (2, True)


def test_a_ledger_that_does_not_know_the_account(aiogen, vendors) -> None:
    [foreign] = vendors.make(f"a boat {DONE}")
    said = aiogen("cleanup", "leonardo", "--not-in-ledger", "--yes")
    assert (said.code, "The ledger knows no job of this account" in said.err) == (2, True)
    aiogen("generate", "leonardo/lucid-origin", "a boat", "--no-download")
    assert aiogen("cleanup", "leonardo", "--not-in-ledger", "--yes").code == 0
    assert deleted(vendors) == [foreign]


PAGE = (Path(__file__).parents[2] / "docs" / "cleanup.md").read_text("utf-8")
TYPED = re.findall(r"(?:^\$ |\* +)(aiogen (?:cleanup|mark) [^|\n]*)", PAGE, re.MULTILINE)


@pytest.mark.parametrize("line", TYPED)
def test_each_command_of_the_page_is_one(aiogen, line: str) -> None:
    """Up to the point at which a key would be needed; and every filter stands there."""
    said = aiogen(*shlex.split(line)[1:])
    assert (said.code, "LEONARDO_API_KEY" in said.err) == (3, True)


def test_the_page_has_every_filter() -> None:
    assert len(TYPED) == 5
    for option in ("--failed", "--older-than", "--prompt-contains", "--marked", "--not-in-ledger"):
        assert option in PAGE
