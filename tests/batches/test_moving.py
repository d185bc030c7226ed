"""What is deleted once it is on the disk: every output that the vendor has, compared now, and synced; or it stays."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from leonardo_account import Account, id_of, session_at
from pictures import png

import aiogen
from aiogen import Session, Where

ALL = Where(prompt_contains="boat")


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def name(number: int, index: int) -> str:
    return f"leonardo-{id_of(number)}-{index}.png"


def of(account: Account, number: int) -> list[bytes]:
    return [account.files[image["path"]] for image in account.rows[id_of(number)]["generated_images"]]


async def get(session: Session, number: int = 1) -> aiogen.Generation:
    return await session.get("leonardo", id_of(number))


@pytest.mark.parametrize("nsfw", ["keep", "drop", "fail"])
async def test_dropped_outputs_are_saved_as_well(tmp_path: Path, nsfw: str) -> None:
    """By a clean-up and by a download, whatever the connection makes of them."""
    account = Account()
    account.has(1, images=3, nsfw=(0, 2))
    account.has(2, images=2, nsfw=(0, 1))
    first, second = of(account, 1), of(account, 2)
    async with session_at(account, nsfw=nsfw) as session:
        paths = await session.download(await get(session), tmp_path / "a", then_delete=True)
        assert [path.read_bytes() for path in paths] == first
        [result] = [each async for each in session.cleanup("leonardo", ALL, dry_run=False, save_first=tmp_path / "b")]
        assert [path.read_bytes() for path in result.files] == second
    assert account.deleted == [id_of(1), id_of(2)]
    assert files_in(tmp_path / "a") == {name(1, i): first[i] for i in range(3)}


async def test_files_of_a_download_before_count_whatever_their_numbers(tmp_path: Path) -> None:
    """A connection that drops outputs has numbered the others otherwise; none is written over."""
    account = Account()
    account.has(1, images=3, nsfw=(0,))
    a, b, c = of(account, 1)
    async with session_at(account, nsfw="drop") as session:
        before = await session.download(await get(session), tmp_path)
        assert [path.read_bytes() for path in before] == [b, c]
        paths = await session.download(await get(session), tmp_path, then_delete=True)
    assert [path.read_bytes() for path in paths] == [a, b, c]
    assert paths[1:] == before
    assert sorted(files_in(tmp_path).values()) == sorted([a, b, c])
    assert account.deleted == [id_of(1)]


@pytest.mark.parametrize("spoilt", [b"\x89PNG cut", png(4000), b"", "flipped"])
async def test_a_file_with_other_bytes_does_not_count(tmp_path: Path, spoilt: bytes | str) -> None:
    """It is left alone, unless it is empty, and the output gets a name of its own."""
    account = Account()
    account.has(1)
    [wanted] = of(account, 1)
    if isinstance(spoilt, str):  # as long as it should be
        spoilt = wanted[:-20] + bytes([wanted[-20] ^ 1]) + wanted[-19:]
    (tmp_path / name(1, 0)).write_bytes(spoilt)
    async with session_at(account) as session:
        [path] = await session.download(await get(session), tmp_path, then_delete=True)
        assert path.read_bytes() == wanted
    assert files_in(tmp_path) == ({name(1, 0): spoilt, name(1, 1): wanted} if spoilt else {name(1, 0): wanted})
    assert account.deleted == [id_of(1)]


async def test_a_file_that_is_there_is_compared_with_the_storage_now(tmp_path: Path) -> None:
    """What nobody can fetch any more is not deleted on the word of a file."""
    account = Account()
    account.has(1, images=2)
    async with session_at(account) as session:
        await session.download(await get(session), tmp_path)
        path = account.rows[id_of(1)]["generated_images"][1]["path"]
        kept = account.files.pop(path)
        with pytest.raises(aiogen.DownloadError):
            await session.download(await get(session), tmp_path, then_delete=True)
        done = await session.cleanup("leonardo", ALL, dry_run=False, save_first=tmp_path)
        assert (done.failed, account.deleted) == (1, [])
        account.files[path] = kept
        assert (await session.cleanup("leonardo", ALL, dry_run=False, save_first=tmp_path)).deleted == 1
    assert len(files_in(tmp_path)) == 2


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL, errno.ENOSPC])
async def test_what_the_disk_does_not_promise_to_keep_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Also on a mount that cannot sync; the files of a usual download need no promise."""
    account = Account()
    account.has(1)

    def fsync(file: int) -> None:
        raise OSError(number, os.strerror(number))

    async with session_at(account) as session:
        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(aiogen.DownloadError, match=os.strerror(number)):
            await session.download(await get(session), tmp_path, then_delete=True)
        assert not account.deleted
        monkeypatch.undo()
        await session.download(await get(session), tmp_path, then_delete=True)
    assert account.deleted


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="nothing tells here which file is synced")
async def test_the_file_and_its_name_are_synced_before_it_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a file that a download before has written, and the folder that is new."""
    account, order = Account(), list[str]()
    account.has(1)
    really = os.fsync

    def fsync(file: int) -> None:
        order.append(os.readlink(f"/proc/self/fd/{file}"))
        really(file)

    def watch(name: str) -> None:
        order.append("deleted")

    account.on_delete = watch
    folder = tmp_path / "new" / "folder"
    async with session_at(account) as session:
        await session.download(await get(session), folder)
        monkeypatch.setattr(os, "fsync", fsync)
        [path] = await session.download(await get(session), folder, then_delete=True)
    before = order[: order.index("deleted")]
    assert {str(path), str(folder), str(folder.parent), str(tmp_path)} <= {*before}


async def test_what_cannot_be_saved_keeps_it(tmp_path: Path) -> None:
    """Upscales would be deleted with it, and so would an image that cannot be read; others go on."""
    account = Account()
    for number in range(1, 5):
        account.has(number, days=9 - number, images=2)
    upscaled = [{"id": "v1", "status": "COMPLETE", "transformType": "UPSCALE", "url": "https://cdn.example/up.png"}]
    account.rows[id_of(1)]["generated_images"][0]["generated_image_variation_generics"] = upscaled
    account.rows[id_of(2)]["generated_images"][1]["url"] = 7
    account.rows[id_of(3)]["generated_images"][0]["generated_image_variation_generics"] = [{"url": None}]
    account.has(5, status="FAILED")
    async with session_at(account) as session:
        with pytest.raises(aiogen.DownloadError, match=r"was not deleted: 1 variation \(upscales"):
            await session.download(await get(session), tmp_path, then_delete=True)
        done = await session.cleanup("leonardo", ALL, dry_run=False, save_first=tmp_path)
    assert (done.failed, sorted(account.deleted)) == (2, [id_of(3), id_of(4), id_of(5)])


async def test_a_job_is_awaited_saved_and_deleted(tmp_path: Path) -> None:
    account = Account()
    account.has(1)
    async with session_at(account) as session:
        job = await session.attach("leonardo", id_of(1))
        assert len(await session.download(job, tmp_path, then_delete=True)) == 1
        assert account.deleted == [id_of(1)]
        with pytest.raises(aiogen.NotFound):
            await session.download(job, tmp_path, then_delete=True)


async def test_what_has_no_outputs_or_runs_is_not_deleted(tmp_path: Path) -> None:
    account = Account()
    account.has(1, status="FAILED")
    account.has(2, status="PENDING")
    async with session_at(account) as session:
        for number in (1, 2):
            with pytest.raises(aiogen.InputError):
                await session.download(await get(session, number), tmp_path, then_delete=True)
        with pytest.raises(aiogen.InputError, match="not both"):
            await session.download(await get(session), tmp_path, then_delete=True, overwrite=True)
    assert not account.deleted


async def test_a_folder_that_cannot_be_made_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    account, options = Account(), dict[str, Any](dry_run=False, save_first=tmp_path / "file" / "new")
    account.has(1)
    (tmp_path / "file").touch()
    async with session_at(account) as session:
        with pytest.raises(aiogen.InputError, match="cannot be written"):
            await session.cleanup("leonardo", ALL, **options)
    assert not account.seen
