"""What a killed program left half written is deleted; what somebody still writes is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from aiogen._transfer.leftovers import hold, sweep
from aiogen._transfer.saving import PartFile

OLD = 1_000_000_000.0


def aged(path: Path) -> Path:
    os.utime(path, (OLD, OLD))
    return path


def test_what_nobody_writes_any_more_is_deleted(tmp_path: Path) -> None:
    """The names of others, folders, links, and what was made just now stay."""
    dead = aged_file(tmp_path / ".boat-0-0123456789ab.part")
    stays = [
        aged_file(tmp_path / "boat-0-0123456789ab.part"),
        aged_file(tmp_path / ".boat.part"),
        aged_file(tmp_path / "boat-0.png"),
    ]
    young = tmp_path / ".young-0-0123456789ab.part"
    young.write_bytes(b"x")
    link = tmp_path / ".link-0-0123456789ab.part"
    link.symlink_to(stays[0])
    (tmp_path / ".folder-0123456789ab.part").mkdir()
    assert sweep(tmp_path) == 1
    assert not dead.exists()
    assert all(path.exists() for path in (*stays, young, link))
    assert sweep(tmp_path / "missing") == 0


def aged_file(path: Path) -> Path:
    path.write_bytes(b"half")
    return aged(path)


def test_what_another_process_writes_stays_until_that_is_gone(tmp_path: Path) -> None:
    """However it ends."""
    program = (
        "import sys, pathlib\n"
        "from aiogen._transfer.saving import PartFile\n"
        "part = PartFile(pathlib.Path(sys.argv[1]), 'boat-0', 1000)\n"
        "print(flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        (part,) = tmp_path.iterdir()
        aged(part)
        assert sweep(tmp_path) == 0
        process.kill()
        process.wait()
    assert sweep(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_held_until_it_has_its_name(tmp_path: Path) -> None:
    """A sweep in between loses nothing, and nothing stays open."""
    part = PartFile(tmp_path, "boat-0", 1000)
    part.begin(packed=False)
    part.write(b"picture")
    (path,) = tmp_path.iterdir()
    aged(path)
    assert sweep(tmp_path) == 0
    assert part.keep_as(tmp_path / "boat-0.png", overwrite=False).read_bytes() == b"picture"
    assert part._file.closed


def test_a_mount_without_locks_is_no_reason_to_fail() -> None:
    """Then nothing is swept there, and files are written as ever."""
    reading, writing = os.pipe()
    try:
        hold(reading)
    finally:
        os.close(reading)
        os.close(writing)
