"""Which pictures of a batch are on disk."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from batches.report.ledgers import job

from aiogen._transfer.saving import file_stem
from aiogen.batch.report.files import Folder
from aiogen.stores.base import Record


def names(folder: Folder, record: Record) -> list[str | None]:
    return [None if path is None else path.relative_to(folder.path).as_posix() for path in folder.of(record)]


def looked_into(path: Path, *rows: Any) -> Folder:
    if rows:
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (path / "results.jsonl").write_text("\n".join(lines), encoding="utf-8")
    folder = Folder(path)
    folder.read()
    return folder


def put(path: Path, *files: str) -> None:
    for name in files:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(b"x")


def test_a_file_is_found_by_the_name_of_a_download(tmp_path: Path) -> None:
    """By connection, the vendor's id and index; other files, and other endings, are none."""
    record = job(7, outputs=3)
    put(tmp_path, "luma-theirs-7-0.png", "luma-theirs-7-2.jpg", "luma-theirs-7-1.png.part", "luma-theirs-77-1.png")
    assert names(looked_into(tmp_path), record) == ["luma-theirs-7-0.png", None, "luma-theirs-7-2.jpg"]


def test_a_name_with_letters_that_files_cannot_have_is_found(tmp_path: Path) -> None:
    record = job(7, connection="lu/ma")
    assert record.generation is not None
    put(tmp_path, f"{file_stem(record.generation, 0)}.webp")
    assert names(looked_into(tmp_path), record) == [f"{file_stem(record.generation, 0)}.webp"]


def test_a_folder_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    assert names(looked_into(tmp_path / "none"), job(7, outputs=2)) == [None, None]


def test_results_say_which_files_they_are(tmp_path: Path) -> None:
    """Also in folders; what is listed and gone counts as missing."""
    record, other = job(1, outputs=2), job(2)
    put(tmp_path, "boats/a.png", "luma-theirs-2-0.png")
    row = {"key": "a", "id": record.id, "files": ["boats/a.png", "boats/gone.png"], "state": "completed"}
    folder = looked_into(tmp_path, row)
    assert names(folder, record) == ["boats/a.png", None]
    assert names(folder, other) == ["luma-theirs-2-0.png"]
    assert folder.unreadable == 0


@pytest.mark.parametrize("name", ["../secret.png", "{tmp}/secret.png", "deep/../../secret.png", "nul\0.png"])
def test_no_line_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    put(tmp_path, "secret.png", "pictures/deep/a.png")
    row = {"id": job(1).id, "files": [name.format(tmp=tmp_path)]}
    folder = looked_into(tmp_path / "pictures", row)
    assert names(folder, job(1)) == [None]
    assert folder.unreadable == 1


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_no_link_leads_out_of_the_folder(tmp_path: Path) -> None:
    put(tmp_path, "secret.png", "pictures/a.png")
    (tmp_path / "pictures" / "link.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "pictures" / "luma-theirs-2-0.png").symlink_to(tmp_path / "secret.png")
    folder = looked_into(tmp_path / "pictures", {"id": job(1).id, "files": ["link.png"]})
    assert names(folder, job(1)) == [None]
    assert names(folder, job(2)) == [None]


def test_lines_that_are_none_are_counted_and_left_out(tmp_path: Path) -> None:
    """A line cut in two, other JSON, numbers for names; rows that have nothing yet are in order."""
    put(tmp_path, "a.png")
    rows = ["{", "[]", "7", {"id": 5, "files": ["a.png"]}, {"id": "x", "files": [5]}, {"id": "x", "files": "a.png"}]
    fine = [{"id": None, "files": []}, {"id": job(2).id, "files": []}, {"id": job(1).id, "files": ["a.png"]}, ""]
    folder = looked_into(tmp_path, *rows, *fine)
    assert folder.unreadable == len(rows)
    assert names(folder, job(1)) == ["a.png"]
