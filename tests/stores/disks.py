"""Disks that fill up and are emptied again, and files that another program holds."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import attrs
import pytest

from aiogen.stores.sqlite import SqliteStore


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another program that writes, and takes its time."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


@attrs.define
class Disk:
    """A ledger on a disk that fills up, and is emptied again."""

    path: Path
    fill: Callable[[SqliteStore], Awaitable[None]]
    free: Callable[[SqliteStore], Awaitable[None]]
    takes_nothing: bool = True
    """When it is full; else what needs no further page is still written."""


@contextmanager
def few_pages(folder: Path) -> Iterator[Disk]:
    """SQLite itself says that the disk is full."""

    def most(pages: str) -> Callable[[SqliteStore], Awaitable[None]]:
        async def set_limit(store: SqliteStore) -> None:
            assert store._writer is not None
            await store._writer.do(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone())

        return set_limit

    # Never fewer than there are.
    yield Disk(folder / "aiogen.db", most("1"), most("1000000"), takes_nothing=False)


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """A real file system without a byte left."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk can be mounted by root alone")
    filler = folder / "filler"

    async def fill(_: SqliteStore) -> None:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 4096)

    async def free(_: SqliteStore) -> None:
        filler.unlink()

    try:
        yield Disk(folder / "aiogen.db", fill, free)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def short_files(folder: Path) -> Iterator[Disk]:
    """The system lets no file grow, as over a quota."""
    path = folder / "aiogen.db"
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def fill(_: SqliteStore) -> None:
        size = (folder / "aiogen.db-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    async def free(_: SqliteStore) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    try:
        yield Disk(path, fill, free)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def busy_file(folder: Path) -> Iterator[Disk]:
    """No full disk: another program holds the file for longer than anybody waits."""
    path = folder / "aiogen.db"
    holding: list[AbstractContextManager[None]] = []

    async def fill(_: SqliteStore) -> None:
        holding.append(held(path))
        holding[0].__enter__()

    async def free(_: SqliteStore) -> None:
        holding.pop().__exit__(None, None, None)

    yield Disk(path, fill, free)


KINDS = {
    "no page left": few_pages,
    "no byte left": small_disk,
    "may not grow": short_files,
    "held": busy_file,
}
