"""What the command line keeps of its jobs, and how it goes on after it was stopped."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest


def test_what_was_generated_is_in_the_ledger(aiogen: Any, vendors: Any, tmp_path: Path) -> None:
    """In a place of the user's own, readable by nobody else."""
    assert aiogen("generate", "luma/uni-1", "a boat", "--batch", "fleet", "--out", tmp_path).code == 0
    assert aiogen("generate", "leonardo/gemini-image-2", "a fox", "--out", tmp_path).code == 0
    (file,) = Path(os.environ["XDG_DATA_HOME"]).rglob("jobs.db")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    said = aiogen("jobs")
    assert said.code == 0
    newest, oldest = said.out.strip().splitlines()[-2:]
    assert "a fox" in newest
    assert "leonardo" in newest
    assert "a boat" in oldest
    assert "completed" in oldest
    (record,) = aiogen("jobs", "--batch", "fleet", "--json").records
    assert (record["state"], record["batch"], record["prompt"]) == ("completed", "fleet", "a boat")
    assert record["outputs"][0]["url"].startswith("http")


def test_jobs_are_chosen(aiogen: Any, vendors: Any, tmp_path: Path) -> None:
    """By state and by age; what nobody can mean is refused."""
    assert aiogen("generate", "luma/uni-1", "a boat", "--no-download").code == 0
    assert len(aiogen("jobs", "--state", "completed", "--newer", "1h", "--json").records) == 1
    assert aiogen("jobs", "--state", "unknown", "--json").records == []
    assert aiogen("jobs", "--older", "7d", "--json").records == []
    none = aiogen("jobs", "--older", "7d")
    assert (none.code, none.out) == (0, "")
    assert "There is no such job" in none.err
    assert "the states are pending" in aiogen("jobs", "--state", "dreaming").err
    assert "write 90s, 15m, 24h or 7d" in aiogen("jobs", "--newer", "soon").err


def test_without_a_ledger(aiogen: Any, vendors: Any, tmp_path: Path) -> None:
    """Nothing is kept where nothing was to be kept."""
    assert aiogen("generate", "luma/uni-1", "a boat", "--no-download", "--store", ":memory:").code == 0
    assert not list(Path(os.environ["XDG_DATA_HOME"]).rglob("*.db"))
    said = aiogen("jobs", "--store", ":memory:")
    assert said.code != 0
    assert "name a file with --store" in said.err


def test_a_url_of_sqlite_names_the_file(aiogen: Any, vendors: Any, tmp_path: Path) -> None:
    """As it does for programs and for `db copy`; `:memory:` in one keeps none, and what names no file is refused."""
    url = f"sqlite:///{tmp_path}/mine.db"
    assert aiogen("generate", "luma/uni-1", "a boat", "--no-download", "--store", url).code == 0
    assert (tmp_path / "mine.db").is_file()
    assert len(aiogen("jobs", "--store", tmp_path / "mine.db", "--json").records) == 1
    assert aiogen("jobs", "--store", "sqlite:///:memory:").err == aiogen("jobs", "--store", ":memory:").err
    said = aiogen("jobs", "--store", "sqlite://geheim@host/mine.db")
    assert (said.code, "sqlite:jobs.db" in said.err, "geheim" in said.err) == (3, True, False)


def test_what_was_interrupted_is_resumed(aiogen: Any, vendors: Any, tmp_path: Path) -> None:
    """Ctrl-C leaves paid jobs running; they are followed to their images, and none is made twice."""
    store = tmp_path / "mine.db"
    vendors.interrupt_once(lambda: len(vendors.jobs) >= 2)
    said = aiogen(
        "generate", "luma/uni-1", "a boat", "--count", 4, "--store", store, "--out", tmp_path, "--no-download"
    )
    assert said.code == 130
    assert f"aiogen resume --no-download --store {store}" in said.err
    before = aiogen("jobs", "--store", store, "--json").records
    # The one that was just being taken in may have been given up.
    kept = [record for record in before if record["state"] != "cancelled"]
    assert 2 <= len(kept) <= 4
    assert len(before) - len(kept) <= 1
    assert {record["state"] for record in kept} <= {"pending", "queued", "processing", "completed"}
    refused = aiogen("resume", "--store", store, "--out", tmp_path / "boat.png")
    assert refused.code == 2
    assert "names one file" in refused.err
    assert f"aiogen resume --out {tmp_path} --store {store}" in refused.err
    out = tmp_path / "out"
    resumed = aiogen("resume", "--store", store, "--out", out, "--json")
    assert resumed.code == 0
    assert {record["state"] for record in resumed.records} == {"completed"}
    assert len(list(out.iterdir())) == len(resumed.records)
    after = {record["id"]: record["state"] for record in aiogen("jobs", "--store", store, "--json").records}
    assert {after[record["id"]] for record in kept} == {"completed"}
    assert len(vendors.jobs) == len(kept)
    again = aiogen("resume", "--store", store, "--out", out)
    assert again.code == 0
    assert "Nothing was left unfinished" in again.err


def test_what_was_to_become_one_file_becomes_it(aiogen: Any, vendors: Any, tmp_path: Path) -> None:
    """The command that continues has the name, too."""
    store, boat = tmp_path / "mine.db", tmp_path / "boat.png"
    vendors.interrupt_once(lambda: len(vendors.jobs) == 1)
    said = aiogen("generate", "luma/uni-1", "a boat [[processing=300]]", "--store", store, "--out", boat)
    assert said.code == 130
    assert f"aiogen resume --out {boat} --store {store}" in said.err
    assert aiogen("resume", "--out", boat, "--store", store, "--json").records[0]["files"] == [str(boat)]
    assert boat.stat().st_size > 0


def test_forgetting(aiogen: Any, vendors: Any, tmp_path: Path) -> None:
    """By id or by age; what is not there is said."""
    for _ in range(2):
        assert aiogen("generate", "luma/uni-1", "a boat", "--no-download").code == 0
    first, second = (record["id"] for record in aiogen("jobs", "--json").records)
    assert aiogen("forget", first).code == 0
    assert [record["id"] for record in aiogen("jobs", "--json").records] == [second]
    missing = aiogen("forget", first)
    assert missing.code == 1
    assert "not in the ledger" in missing.err
    assert aiogen("forget").code != 0
    assert aiogen("forget", "--older", "0s").code == 0
    assert aiogen("jobs", "--json").records == []


NAMED = ("generate", "luma/uni-1", "--no-download")


def test_jobs_are_shown_page_by_page(aiogen: Any, vendors: Any) -> None:
    """The command for the next one is there to be copied; a program takes the cursor of the last job."""
    for number in range(5):
        assert aiogen(*NAMED, f"Boat {number}", "--scope", "ann", "--batch", "fleet").code == 0
    first = aiogen("jobs", "--scope", "ann", "--limit", "2", "--json")
    assert [each["prompt"] for each in first.records] == ["Boat 4", "Boat 3"]
    cursor = first.records[-1]["cursor"]
    assert f"More: aiogen jobs --scope ann --limit 2 --after {cursor}" in first.err
    assert aiogen(*NAMED, "Boat 5", "--scope", "ann").code == 0
    more = first.err.partition("More: aiogen ")[2].split()
    second = aiogen(*more, "--json")
    assert [each["prompt"] for each in second.records] == ["Boat 2", "Boat 1"]
    last = aiogen("jobs", "--scope", "ann", "--limit", "2", "--after", second.records[-1]["cursor"])
    assert [line.split("\t")[5] for line in last.out.splitlines()] == ["Boat 0"]
    assert "More" not in last.err
    assert "More" not in aiogen("jobs", "--limit", "6").err
    refused = aiogen("jobs", "--after", "yesterday")
    assert (refused.code, refused.out) == (2, "")
    assert "'yesterday' is no cursor" in refused.err


def test_jobs_are_found_by_what_they_were_called(aiogen: Any, vendors: Any) -> None:
    """Scope, key, and words of the prompt."""
    assert aiogen(*NAMED, "A Fox", "--scope", "ann", "--key", "img1").code == 0
    assert aiogen(*NAMED, "a boat", "--scope", "bob", "--key", "img1").code == 0
    (found,) = aiogen("jobs", "--key", "img1", "--scope", "ann", "--json").records
    assert (found["prompt"], found["key"], found["scope"], found["metadata"]) == ("A Fox", "img1", "ann", None)
    assert [each["prompt"] for each in aiogen("jobs", "--prompt-contains", "fOX", "--json").records] == ["A Fox"]
    assert len(aiogen("jobs", "--key", "img1", "--json").records) == 2


class Typed(io.StringIO):
    """A standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_person_is_forgotten(aiogen: Any, vendors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a question, with the number; everybody else stays."""
    for who in ("ann", "ann", "bob"):
        assert aiogen(*NAMED, f"a boat of {who}", "--scope", who, "--batch", "fleet").code == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    said = aiogen("forget", "--scope", "ann")
    assert said.code == 2
    assert "To forget 2 jobs without a terminal for the question, pass --yes." in said.err
    monkeypatch.setattr(sys, "stdin", Typed("n\n"))
    said = aiogen("forget", "--scope", "ann")
    assert said.code == 2
    assert "Remove 2 jobs from the ledger" in said.err
    assert "Nothing was removed" in said.err
    assert len(aiogen("jobs", "--json").records) == 3
    monkeypatch.setattr(sys, "stdin", Typed("y\n"))
    said = aiogen("forget", "--scope", "ann")
    assert (said.code, "2 jobs removed from the ledger." in said.err) == (0, True)
    assert [each["scope"] for each in aiogen("jobs", "--json").records] == ["bob"]
    assert aiogen("forget", "--batch", "fleet", "--state", "failed", "--yes").code == 0
    assert aiogen("forget", "--batch", "fleet", "--older", "1h", "--yes").code == 0
    assert len(aiogen("jobs", "--json").records) == 1
    assert aiogen("forget", "--batch", "fleet", "--state", "completed", "--yes").code == 0
    assert aiogen("jobs", "--json").records == []
    assert "not both" in aiogen("forget", "--batch", "fleet", "an-id", "--yes").err
    assert "the states are pending" in aiogen("forget", "--state", "dreaming", "--yes").err


def test_what_runs_is_not_forgotten_and_said(aiogen: Any, vendors: Any) -> None:
    """Whoever erases a person has to know that not all is gone."""
    vendors.interrupt_once(lambda: len(vendors.jobs) == 1)
    assert aiogen(*NAMED, "a boat [[processing=300]]", "--scope", "ann").code == 130
    said = aiogen("forget", "--scope", "ann", "--yes")
    assert said.code == 1
    assert "0 jobs removed" in said.err
    assert "1 job of these is not over yet" in said.err
    assert "aiogen jobs --scope ann" in said.err
    assert len(aiogen("jobs", "--json").records) == 1


def test_a_ledger_that_cannot_be_is_said_before_anything_is_paid_for(aiogen: Any, vendors: Any, tmp_path: Path) -> None:
    """With the way out."""
    said = aiogen("generate", "luma/uni-1", "a boat", "--store", tmp_path / "no" / "jobs.db")
    assert said.code != 0
    assert "must exist and be writable" in said.err
    assert "provider" not in said.err  # whose support knows nothing of this file
    assert vendors.jobs == []


@pytest.mark.parametrize("home", ["file", "file/below", "/proc/none"])
def test_without_a_home_nothing_is_paid_for_and_reading_works(
    aiogen: Any, vendors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    """As in a container with a read-only disk."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / home))
    for words in (("generate", "luma/uni-1", "a boat", "--no-download"), ("jobs",), ("resume",), ("forget", "x")):
        said = aiogen(*words)
        assert (said.code, said.out) == (3, "")
        assert "--store FILE names another ledger, --store :memory: keeps none" in said.err
        assert "bug" not in said.err
    assert vendors.jobs == []
    [made] = vendors.make("a boat [[processing=0]]")
    assert aiogen("get", "leonardo", made).code == 0
    assert aiogen("generate", "luma/uni-1", "a boat", "--no-download", "--store", ":memory:").code == 0
    doctor = aiogen("doctor")
    assert doctor.code == 3
    assert "ledger\t-\t-\tfails: cannot be used" in doctor.out
    assert "--store" in doctor.err


def test_a_user_without_a_home_folder_at_all_is_told(aiogen: Any, vendors: Any, monkeypatch: Any) -> None:
    def unknown(*_: object, **__: object) -> Path:
        raise RuntimeError("could not determine the home directory")

    for place in (unknown, lambda *_, **__: Path("~/.local/share/aiogen")):
        monkeypatch.setattr("aiogen.cli.options.user_data_path", place)
        said = aiogen("generate", "luma/uni-1", "a boat", "--no-download")
        assert said.code == 3
        assert "HOME is not set" in said.err
        assert "--store" in said.err
        assert aiogen("get", "luma", "x").code == 5
    assert vendors.jobs == []


def test_doctor_looks_at_the_ledger(aiogen: Any, vendors: Any, tmp_path: Path) -> None:
    store = tmp_path / "mine.db"
    assert aiogen("doctor", "--store", store).out.endswith(f"ledger\t-\t{store}\tnot created yet\n")
    assert not store.exists()
    assert aiogen("jobs", "--store", store).code == 0
    assert "works, empty" in aiogen("doctor", "--store", store).out
    assert aiogen("generate", "luma/uni-1", "a boat", "--no-download", "--store", store).code == 0
    assert aiogen("doctor", "--store", store).out.endswith("\tworks\n")
    assert "none is kept" in aiogen("doctor", "--store", ":memory:").out
    store.write_bytes(b"nothing of the kind" * 100)
    said = aiogen("doctor", "--store", store, "--json")
    assert said.code == 3
    assert said.records[0]["ledger"]["works"] is False
    assert "damaged" in said.err
    assert aiogen("doctor", "--store", "postgresql://nowhere/db").code == 3


def test_only_what_is_in_the_ledger_is_resumed(aiogen: Any, vendors: Any) -> None:
    said = aiogen("resume", "d290f1ee-6c54-4b01-90e6-d701748f0851", "--no-download")
    assert said.code == 2
    assert "There is no job d290f1ee-6c54-4b01-90e6-d701748f0851" in said.err


@pytest.mark.parametrize("option", ["--json", ""])
def test_unknown_ones_are_not_hidden(aiogen: Any, vendors: Any, tmp_path: Path, option: str) -> None:
    """They may cost money."""
    import sqlite3

    store = tmp_path / "mine.db"
    assert aiogen("generate", "luma/uni-1", "a boat", "--no-download", "--store", store).code == 0
    connection = sqlite3.connect(store)
    connection.execute("UPDATE aiogen_job SET state = 'unknown', finished_at = NULL")
    connection.commit()
    connection.close()
    said = aiogen("jobs", "--store", store, *filter(None, [option]))
    assert "1 possibly charged" in said.err
    if option:
        assert json.loads(said.out)["state"] == "unknown"
