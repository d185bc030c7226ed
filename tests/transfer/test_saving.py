"""`_transfer.saving`: names of files, what counts as saved, and a file that gets its name only when it is whole."""

from __future__ import annotations

import errno
import gzip
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from pictures import drawn, png

from aiogen import Generation, State
from aiogen._content.entity import Mismatch
from aiogen._content.measure import Measured
from aiogen._transfer.parts import PartBytes, TooLarge
from aiogen._transfer.saving import (
    PartFile,
    file_stem,
    find_saved,
    in_the_way,
    is_saved,
    make_folder,
    means_folder,
    measure_file,
    names_of,
)


def stem(provider_id: str, connection: str = "luma", index: int = 0) -> str:
    return file_stem(
        Generation(
            id=None,
            provider_id=provider_id,
            provider="luma",
            connection=connection,
            model=None,
            state=State.COMPLETED,
        ),
        index,
    )


def test_names() -> None:
    """Connection, id and index; what cannot stand in a name is replaced, and kept apart all the same."""
    assert stem("d290f1ee-6c54") == "luma-d290f1ee-6c54-0"
    odd = ["a:b", "a_b", "a?b", "a/b", "A\0b", "..", "é", "\ud800", " a_b", "a" * 256, "a" * 255, "a" * 255 + "b"]
    names = [stem(each, index=7) for each in odd]
    assert len(set(names)) == len(odd)
    assert all(name.startswith("luma-") and name.endswith("-7") and name.isascii() for name in names)


@pytest.mark.parametrize("length", [100, 190, 195, 200, 256])
def test_the_longest_ids_can_be_saved(tmp_path: Path, length: int) -> None:
    """With the longest connection, index and ending, and with the temporary name."""
    name = stem("ü" * length if length < 200 else "x" * length, connection="c" * 64, index=99_999)
    path = save(tmp_path, name)
    assert path.read_bytes() == png()
    assert find_saved(tmp_path, name) == path


def save(folder: Path, name: str = "picture", *, overwrite: bool = False) -> Path:
    part = PartFile(folder, name, 10_000)
    part.write(png())
    part.finish()
    assert part.walk.ended
    try:
        return part.keep_as(folder / f"{name}.png", overwrite=overwrite)
    finally:
        part.discard()


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o007, 0o660), (0o022, 0o644), (0o000, 0o666)])
def test_the_umask_is_kept_to(tmp_path: Path, mask: int, mode: int) -> None:
    """Who has said that new files are private, or the group's, means pictures, too."""
    with umask(mask):
        path = save(tmp_path)
    assert path.stat().st_mode & 0o777 == mode


def refuse(number: int) -> object:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return refused


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EPERM])
def test_a_mount_without_chmod_and_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Shares and FUSE mounts have neither; a picture can be saved there all the same."""
    monkeypatch.setattr("aiogen._transfer.saving.os.fsync", refuse(number))
    for name in ("chmod", "fchmod", "utime", "chown"):
        monkeypatch.setattr(f"aiogen._transfer.saving.os.{name}", refuse(errno.EPERM), raising=False)
    assert save(tmp_path).read_bytes() == png()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_disk_that_lost_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """What fsync is there to report is reported."""
    monkeypatch.setattr("aiogen._transfer.saving.os.fsync", refuse(number))
    with pytest.raises(OSError, match=os.strerror(number)):
        save(tmp_path)


def test_what_counts_as_saved(tmp_path: Path) -> None:
    """A file with something in it, and nothing else."""
    (tmp_path / "whole.png").write_bytes(b"mine")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "whole.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nothing")
    found = {path.stem for path in tmp_path.iterdir() if is_saved(path)}
    assert found == {"whole"}
    assert not is_saved(tmp_path / "nothing")
    assert not is_saved(tmp_path / "whole.png" / "below")
    assert find_saved(tmp_path, "whole") == tmp_path / "whole.png"
    assert find_saved(tmp_path, "link") is None


def test_what_is_in_the_way(tmp_path: Path) -> None:
    """A link is replaced and never written through, an empty leftover as well; a folder is an error."""
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    (tmp_path / "link.png").symlink_to(mine)
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nothing")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "to folder.png").symlink_to(tmp_path / "folder.png")
    for name in ("link", "dangling", "empty", "to folder"):
        path = save(tmp_path, name)
        assert not path.is_symlink()
        assert path.read_bytes() == png()
    with pytest.raises(OSError, match=r"there is a folder named 'folder\.png'"):
        save(tmp_path, "folder")
    assert mine.read_bytes() == b"mine"
    assert not (tmp_path / "nothing").exists()


def test_what_came_meanwhile_is_kept(tmp_path: Path) -> None:
    """Another download, or the user, was quicker; unless it is to be overwritten."""
    (tmp_path / "picture.png").write_bytes(b"mine")
    assert save(tmp_path).read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]
    assert save(tmp_path, overwrite=True).read_bytes() == png()


def test_a_part_begins_again_and_is_discarded(tmp_path: Path) -> None:
    """Nothing of what came before is left in it, and then nothing at all; discarding twice does no harm."""
    part = PartFile(tmp_path, "picture", 10_000)
    part.write(b"x" * 5000)
    part.begin(packed=False)
    part.write(png())
    assert (part.size, part.head) == (len(png()), png()[:1024])
    (path,) = tmp_path.iterdir()
    assert path.suffix == ".part"
    part.discard()
    part.discard()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="closed"):
        part.write(b"late")  # a thread that was behind


def test_what_is_packed_is_counted_unpacked(tmp_path: Path) -> None:
    """A file of some kilobytes may unpack to gigabytes."""
    part = PartFile(tmp_path, "picture", 10_000)
    part.begin(packed=True)
    part.write(gzip.compress(png()))
    part.finish()
    assert part.size == len(png())
    part.begin(packed=True)
    with pytest.raises(TooLarge):
        part.write(gzip.compress(bytes(10_000_000)))
    part.begin(packed=True)
    part.write(gzip.compress(png())[:-5])
    with pytest.raises(Mismatch, match="its end is missing"):
        part.finish()
    part.discard()


def test_folders(tmp_path: Path) -> None:
    """Are made with their parents, unless a file is in the way."""
    (tmp_path / "file").touch()
    assert make_folder(tmp_path / "a" / "b")
    assert make_folder(tmp_path / "a" / "b")
    assert not make_folder(tmp_path / "file")
    assert not make_folder(tmp_path / "file" / "below")


def test_the_same_in_memory() -> None:
    """Begun again, unpacked and counted like a file; what was handed out is not kept."""
    part = PartBytes(10_000)
    part.write(b"x" * 5000)
    part.begin(packed=True)
    part.write(gzip.compress(png()))
    part.finish()
    assert part.measured() == Measured("image/png", 8, 8)
    assert part.joined() == png()
    assert part.joined() == b""
    part.begin(packed=True)
    with pytest.raises(TooLarge):
        part.write(gzip.compress(bytes(10_000_000)))


def test_a_file_is_measured(tmp_path: Path) -> None:
    """By as much of it as it takes; one that cannot be read, or says nothing, is no error."""
    big = tmp_path / "big.jpg"
    profile = bytes(range(256)) * 800  # more than one block of the file before the size comes
    big.write_bytes(drawn("JPEG", icc_profile=profile))
    assert measure_file(big) == Measured("image/jpeg", 64, 48)
    text = tmp_path / "text.png"
    text.write_bytes(b"mine")
    assert measure_file(text) == measure_file(tmp_path / "nothing") == measure_file(tmp_path) == Measured(None)


def test_a_path_may_mean_a_folder(tmp_path: Path) -> None:
    """One that is there, and one that is written as one."""
    (tmp_path / "file.png").touch()
    (tmp_path / "folder.png").mkdir()
    assert means_folder("")
    assert means_folder(str(tmp_path / "folder.png"))
    assert means_folder(f"{tmp_path}/new.png/")
    assert not means_folder(str(tmp_path / "new"))
    assert not means_folder(str(tmp_path / "file.png"))


def test_names_for_several() -> None:
    """The first is the one that was asked for."""
    assert names_of(Path("a/boat.png"), 3) == [Path("a/boat.png"), Path("a/boat-1.png"), Path("a/boat-2.png")]
    assert names_of(Path("boat"), 2) == [Path("boat"), Path("boat-1")]


def test_what_is_in_the_way_of_a_name(tmp_path: Path) -> None:
    """A file may be another picture; what is no file is never replaced, whatever was asked for."""
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    found = {path.name: in_the_way(path, overwrite=False) for path in tmp_path.iterdir()}
    assert {name for name, why in found.items() if why is None} == {"empty", "link"}
    assert "may be another picture" in str(found["file"])
    assert in_the_way(tmp_path / "file", overwrite=True) is None
    assert in_the_way(tmp_path / "file" / "below", overwrite=False) is None
    assert "folder" in str(in_the_way(tmp_path / "folder", overwrite=True))
    assert "no ordinary file" in str(in_the_way(tmp_path / "pipe", overwrite=True))


@pytest.mark.parametrize("has_links", [True, False])
def test_a_name_that_was_taken_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool) -> None:
    """Somebody else's file is not replaced, and nothing is left beside it; shares may have no hard links."""
    if not has_links:
        monkeypatch.setattr("aiogen._transfer.saving.os.link", refuse(errno.EPERM))
    path = tmp_path / "boat.png"
    path.write_bytes(b"mine")
    part = PartFile(tmp_path, "aiogen", 10_000)
    part.write(png())
    with pytest.raises(FileExistsError, match="may be another picture"):
        part.keep_named(path, overwrite=False)
    part.discard()
    assert path.read_bytes() == b"mine"
    for overwrite in (True, False):
        part = PartFile(tmp_path, "aiogen", 10_000)
        part.write(png())
        assert part.keep_named(path, overwrite=overwrite).read_bytes() == png()
        assert list(tmp_path.iterdir()) == [path]
        path.unlink()
        path.symlink_to("nowhere")
    assert os.readlink(path) == "nowhere"


def test_of_two_at_the_same_moment_one_has_the_name(tmp_path: Path) -> None:
    """The other is told, however close they are."""
    for turn in range(200):
        path = tmp_path / f"{turn}.png"
        parts = [PartFile(tmp_path, "aiogen", 10_000) for _ in range(4)]

        def keep(part: PartFile, path: Path = path) -> bool:
            part.write(png())
            try:
                part.keep_named(path, overwrite=False)
            except FileExistsError:
                part.discard()
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(keep, parts)) == 1
    assert len(list(tmp_path.iterdir())) == 200
