"""The command batch: a picture for each row of a list; repeated, it pays only for what is new."""

from __future__ import annotations

import csv
import errno
import gc
import json
import os
import sqlite3
from contextlib import closing
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

HEADER = "id,model,prompt,aspect_ratio,_title\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIOGEN_STORE", str(tmp_path / "jobs.db"))
    return tmp_path


def rows(*numbers: int, model: str = "luma/uni-1", **more: str) -> str:
    return HEADER + "".join(f"r{i},{model},boat {i},{more.get('ratio', '')},the {i}\n" for i in numbers)


def test_a_picture_for_each_row(aiogen: Any, vendors: Any, here: Path) -> None:
    """Files by their keys, a line for each row, and what was done in a sentence; again costs nothing."""
    (here / "boats.csv").write_text(rows(1, 2, 3))
    said = aiogen("batch", "boats.csv")
    assert said.code == 0
    assert sorted(line.split("\t") for line in said.out.splitlines()) == [
        ["completed", f"r{i}", f"boats/r{i}-0.png"] for i in (1, 2, 3)
    ]
    assert "'boats.csv': 3 rows, batch 'boats'." in said.err
    assert "To be made: 3, for about 0.1212 dollars." in said.err
    assert "3 done, 0 failed; 3 files and results.jsonl in boats." in said.err
    lines = [json.loads(line) for line in (here / "boats/results.jsonl").read_text().splitlines()]
    assert sorted((line["key"], line["ok"], line["files"]) for line in lines) == [
        (f"r{i}", True, [f"r{i}-0.png"]) for i in (1, 2, 3)
    ]
    (here / "boats.csv").write_text(rows(3, 4, 1, 2))
    said = aiogen("batch", "boats.csv")
    assert "of these the ledger has 3 completed" in said.err
    assert "To be made: 1," in said.err
    assert (said.code, len(vendors.jobs)) == (0, 4)


def test_what_would_be_done(aiogen: Any, vendors: Any, here: Path) -> None:
    """Every row is checked, and nothing is sent."""
    (here / "a.txt").write_text("a boat\na barn\na boat\n")
    said = aiogen("batch", "a.txt", "--model", "luma/uni-1", "-p", "aspect_ratio=16:9", "--dry-run", "--json")
    assert said.code == 0
    (told,) = said.records
    assert (told["batch"], told["rows"], told["new"], told["standing"]) == ("a-luma-uni-1", 3, 3, {})
    assert told["costs"]["amounts"] == {"DOLLARS": "0.1212"}
    assert (vendors.jobs, [path.name for path in here.iterdir() if path.is_dir()]) == ([], ["a-luma-uni-1"])


def test_rows_that_cannot_be_right(aiogen: Any, vendors: Any, here: Path) -> None:
    """All of them, with their lines, in the words of the command line; nothing was sent."""
    (here / "a.csv").write_text("prompt,aspectratio\na boat,16:9\n,\na barn,\n")
    said = aiogen("batch", "a.csv", "--model", "luma/uni-1")
    assert said.code == 2
    assert "1 row of the batch 'a-luma-uni-1' is not valid; nothing was sent" in said.err
    assert "line 2: Luma has no parameter 'aspectratio'. Did you mean 'aspect_ratio'?" in said.err
    assert vendors.jobs == []


def test_without_a_key_it_is_said_in_a_sentence(
    aiogen: Any, here: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And nothing else: the list is closed in time."""
    monkeypatch.delenv("LUMA_AGENTS_API_KEY", raising=False)
    (here / "a.csv").write_text(rows(*range(200)))
    said = aiogen("batch", "a.csv")
    gc.collect()
    assert said.code == 3
    assert "LUMA_AGENTS_API_KEY" in said.err
    assert "Traceback" not in said.err
    assert caplog.records == []


def test_a_row_that_has_changed(aiogen: Any, vendors: Any, here: Path) -> None:
    """Said before anything is sent; made again only if that is asked for."""
    (here / "a.csv").write_text(rows(1, 2))
    aiogen("batch", "a.csv")
    (here / "a.csv").write_text(rows(1) + "r2,luma/uni-1,another,,\n")
    said = aiogen("batch", "a.csv")
    assert said.code == 2
    assert "line 3: 'r2' was another request in job" in said.err
    assert len(vendors.jobs) == 2
    said = aiogen("batch", "a.csv", "--redo-changed")
    assert (said.code, len(vendors.jobs)) == (0, 3)


def test_failures_are_told_by_what_helps(aiogen: Any, vendors: Any, here: Path) -> None:
    """The exit code says that something failed; what may work is tried again when that is asked for."""
    (here / "a.csv").write_text(rows(1) + "r2,luma/uni-1,boat [[fail=generation_failed]],,\n")
    said = aiogen("batch", "a.csv", "--name", "night")
    assert said.code == 1
    assert "1 done, 1 failed" in said.err
    assert "1 × generation_failed" in said.err
    assert "--retry-failed 1" in said.err


def test_no_more_than_it_may_cost(aiogen: Any, vendors: Any, here: Path) -> None:
    """What does not fit is not made, and the same command with more goes on."""
    (here / "a.csv").write_text(rows(1, 2, 3))
    said = aiogen("batch", "a.csv", "--max-cost", "0.1")
    assert (said.code != 0, len(vendors.jobs)) == (True, 2)
    assert "may cost" in said.err
    assert aiogen("batch", "a.csv", "--max-cost", "much").code == 2
    assert aiogen("batch", "a.csv", "--max-cost", "1").code == 0
    assert len(vendors.jobs) == 3


def test_a_price_that_nobody_knows(aiogen: Any, vendors: Any, here: Path) -> None:
    """A limit needs to know what to count."""
    (here / "a.csv").write_text(rows(1, model="leonardo/gemini-image-2"))
    said = aiogen("batch", "a.csv", "--max-cost", "1")
    assert said.code == 2
    assert vendors.jobs == []
    assert aiogen("batch", "a.csv", "--max-cost", "1", "--assume-cost", "0.1").code == 0


def test_a_list_from_a_pipe(aiogen: Any, vendors: Any, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept, for it is gone through twice."""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=BytesIO(b"a boat\n"), isatty=lambda: False))
    said = aiogen("batch", "-", "--model", "luma/uni-1", "--no-download")
    assert (said.code, len(vendors.jobs)) == (0, 1)
    assert "standard input: 1 rows, batch 'stdin-luma-uni-1'." in said.err
    assert not (here / "stdin-luma-uni-1").exists()


def test_interrupted_it_goes_on(aiogen: Any, vendors: Any, here: Path) -> None:
    """Ctrl-C, and the same command again: each row is paid once."""
    (here / "a.csv").write_text(rows(*range(12)))
    vendors.interrupt_once(lambda: len(vendors.jobs) >= 4)
    said = aiogen("batch", "a.csv")
    assert said.code == 130
    assert "The same command again goes on" in said.err
    said = aiogen("batch", "a.csv", "--dry-run")
    # They will be made, so that "nothing" would be wrong.
    assert "Begun by an earlier run, and followed to the end: " in said.err
    assert "Nothing is to be made" not in said.err
    said = aiogen("batch", "a.csv")
    assert (said.code, len(vendors.jobs)) == (0, 12)
    assert len([path for path in (here / "a").iterdir() if path.suffix == ".png"]) == 12
    assert len((here / "a/results.jsonl").read_text().splitlines()) == 12


def test_a_batch_is_cancelled_by_its_name(aiogen: Any, vendors: Any, here: Path) -> None:
    """What another program left waiting is withdrawn; a batch without such jobs says so."""
    (here / "a.csv").write_text(rows(1))
    aiogen("batch", "a.csv")
    said = aiogen("cancel", "--batch", "a")
    assert said.code == 0
    assert "has no unfinished job" in said.err
    with closing(sqlite3.connect(here / "jobs.db")) as ledger:
        ledger.execute("UPDATE aiogen_job SET state = 'pending', finished_at = NULL, result = NULL, provider_id = NULL")
        ledger.commit()
    said = aiogen("cancel", "--batch", "a", "--json")
    assert (said.code, said.records) == (0, [{"batch": "a", "withdrawn": 1, "goes_on": 0}])
    assert aiogen("cancel", "x", "--batch", "a").code == 2


# --- hostile lists, and disks

HOSTILE = {
    "path": "../../etc/passwd",
    "absolute": "/etc/passwd",
    "shell": "$(touch pwned); `touch pwned` | rm -rf ~ & 'x' \"y\"",
    "formula": "=cmd|' /C calc'!A0",
    "script": "<script>alert(1)</script>",
    "long": "ä" * 6000,
    "turned": "boat \u202egnp.exe",
    "device": "CON",
}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_hostile_list(aiogen: Any, vendors: Any, here: Path, encoding: str) -> None:
    """Text stays text: as prompts it goes to the vendor as it is, in names it leaves no folder and runs nothing."""
    with (here / "a.csv").open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "model", "prompt", "_title"])
        for name, text in HOSTILE.items():
            own_id = text[:190] if name != "turned" else name  # an id is printable; that is said
            writer.writerow([own_id, "luma/uni-1", text, text if name != "long" else name])
    said = aiogen("batch", "a.csv", "--out", "out", "--template", "{_title}/{key}-{n}.{ext}")
    assert said.code == 0
    assert {job.prompt for job in vendors.jobs} == {*HOSTILE.values()}
    everything = {path.relative_to(here).parts[0] for path in here.rglob("*")}
    assert {name for name in everything if not name.startswith("jobs.db")} == {"a.csv", "out"}
    pictures = [path for path in (here / "out").rglob("*") if path.is_file() and path.name != "results.jsonl"]
    assert len(pictures) == len(HOSTILE)
    for path in pictures:
        assert not any(set(part) & set('<>:"|?*\\\u202e') or part in ("..", "CON") for part in path.parts[-2:])
    lines = [json.loads(line) for line in (here / "out/results.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["key"] for line in lines} == {text[:190] for text in HOSTILE.values() if "boat" not in text} | {
        "turned"
    }
    again = aiogen("batch", "a.csv", "--out", "out", "--template", "{_title}/{key}-{n}.{ext}")
    assert (again.code, len(vendors.jobs)) == (0, len(HOSTILE))


def test_ids_that_cannot_be_right(aiogen: Any, vendors: Any, here: Path) -> None:
    """Said with their lines before anything is sent."""
    (here / "a.csv").write_text(rows(1, 2, 1) + "r\u202e4,luma/uni-1,a boat,,\n", encoding="utf-8")
    said = aiogen("batch", "a.csv")
    assert (said.code, vendors.jobs) == (2, [])
    assert "line 4: its name 'r1' is that of line 2" in said.err
    assert "line 5: its id has to be 1 to 200 printable characters" in said.err


def test_a_folder_that_is_read_only(aiogen: Any, vendors: Any, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said before money is spent."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)  # whoever may do everything can write anywhere
    (here / "a.csv").write_text(rows(1))
    said = aiogen("batch", "a.csv")
    assert (said.code, vendors.jobs) == (2, [])
    assert "cannot be written: Read-only file system. Nothing was sent" in said.err


def test_a_disk_without_room(aiogen: Any, vendors: Any, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said before money is spent."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    (here / "a.csv").write_text(rows(1, 2))
    said = aiogen("batch", "a.csv")
    assert (said.code, vendors.jobs) == (2, [])
    assert "has 1 MB free, and 2 pictures will need more. Nothing was sent" in said.err


def test_a_disk_that_is_full_in_the_middle(
    aiogen: Any, vendors: Any, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost: every row is told, and the next run fetches the pictures and pays for nothing."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (here / "a.csv").write_text(rows(1, 2))
    with monkeypatch.context() as patch:
        patch.setattr("aiogen._transfer.saving.PartFile._put", full)
        patch.setattr("aiogen._batch.results.ResultsFile._add", full)
        said = aiogen("batch", "a.csv")
    assert said.code == 5
    assert "0 done, 2 failed" in said.err
    assert "results.jsonl was not written: No space left on device." in said.err
    assert "0 files in a." in said.err
    assert "The same command again fetches what could not be saved" in said.err
    assert "--retry-failed" not in said.err  # another attempt would be another bill
    assert list((here / "a").iterdir()) == []
    said = aiogen("batch", "a.csv")
    assert (said.code, len(vendors.jobs)) == (0, 2)
    assert sorted(path.name for path in (here / "a").iterdir()) == ["r1-0.png", "r2-0.png", "results.jsonl"]
