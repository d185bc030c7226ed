"""Where `--out` leads: a folder, or one file; found out before anything is paid for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aiogen import InputError
from aiogen.cli.places import Place, checked_out


@pytest.mark.parametrize(
    ("out", "is_file"),
    [
        ("boat.png", True), ("new/boat.JPEG", True), ("clip.mp4", True), ("boat.png/", False), ("boat", False),
        ("v1.2", False), (".", False), ("", False), ("folder.png", False),
    ],
)  # fmt: skip
def test_a_file_or_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, is_file: bool) -> None:
    """The folder is made, or the one that the file will be in; the file is not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    place = checked_out(out, 1)
    assert place == Place(Path(out), is_file=is_file)
    assert place.folder.path.is_dir()
    assert place.path.exists() is not is_file


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    """With what helps, and nothing is made on the way."""
    file = tmp_path / "boat.png"
    with pytest.raises(InputError, match=r"names one file, and there are 3 generations.*--out .*boat\.$"):
        checked_out(str(tmp_path / "new" / "boat.png"), 3)
    assert list(tmp_path.iterdir()) == []
    file.write_bytes(b"mine")
    with pytest.raises(InputError, match=r"Name another file\.$"):
        checked_out(str(file), 1)
    with pytest.raises(InputError, match="--overwrite replaces this one"):
        checked_out(str(file), 1, overwrite=False)
    assert checked_out(str(file), 1, overwrite=True).is_file
    with pytest.raises(InputError, match="cannot be created"):
        checked_out(str(file / "inside.png"), 1)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match="it is no ordinary file"):
        checked_out(str(tmp_path / "pipe.png"), 1, overwrite=True)
