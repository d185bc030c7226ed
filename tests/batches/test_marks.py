"""Generations that are marked for deletion, and those that the ledger does not know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ledger.in_loop import files_in_the_loop
from leonardo_account import KEY, Account, id_of, session_at

import aiogen
from aiogen import Session, State, Where
from aiogen.stores.base import Record
from aiogen.stores.memory import MemoryStore

MARKED = Where(marked=True)
FOREIGN = Where(not_in_ledger=True)


@pytest.fixture
async def virtual_files() -> AsyncIterator[None]:
    """Ledgers in a file are in the test's own loop, and its virtual time."""
    with files_in_the_loop(asyncio.get_running_loop()):
        yield


def an_account(count: int = 6) -> Account:
    account = Account()
    for number in range(count):
        account.has(number, days=count - number)
    return account


@pytest.mark.usefixtures("virtual_files")
async def test_what_is_marked_is_deleted(tmp_path: Path) -> None:
    """By our id or the vendor's, also one that the ledger does not know; in another session, and once."""
    account, store = an_account(), tmp_path / "jobs.db"
    async with session_at(account, store=store) as session:
        job = await session.attach("leonardo", id_of(1))
        await session.wait_many("leonardo", [id_of(1), id_of(2)])
        assert await session.mark(job.id) == 1
        assert await session.mark(id_of(2).upper(), id_of(1)) == 1
        assert await session.mark(id_of(3), id_of(4), connection="leonardo") == 2
        assert await session.mark(id_of(4), connection="leonardo", marked=False) == 1
    async with session_at(account, store=store) as session:
        assert await session.forget(job.id) == 1  # the mark stays
        assert (await session.cleanup("leonardo", MARKED, dry_run=False)).deleted == 3
        assert (await session.cleanup("leonardo", MARKED, dry_run=False)).matching == 0
        account.has(2)
        assert (await session.cleanup("leonardo", MARKED)).matching == 0  # its mark has gone with it
    assert account.deleted == [id_of(n) for n in (1, 2, 3)]


async def test_marks_of_many_at_once_are_all_kept() -> None:
    """Though others write between the reading and the writing of one."""

    class Shared(MemoryStore):
        async def get_learned(self, name: str, known: int = 0) -> tuple[Mapping[str, Any] | None, int]:
            found = await super().get_learned(name, known)
            await asyncio.sleep(0)
            return found

    account = an_account(100)
    async with session_at(account, store=Shared()) as session:  # type: ignore[arg-type]
        await asyncio.gather(*(session.mark(id_of(n), connection="leonardo") for n in range(100)))
        assert (await session.cleanup("leonardo", MARKED)).matching == 100


async def test_an_id_that_nobody_knows_marks_none() -> None:
    account = an_account()
    async with session_at(account) as session:
        await session.wait_many("leonardo", [id_of(1)])
        with pytest.raises(aiogen.InputError, match="The ledger does not know"):
            await session.mark(id_of(1), id_of(2))
        with pytest.raises(aiogen.InputError, match="cannot be empty"):
            await session.mark("", connection="leonardo")
        with pytest.raises(aiogen.InputError, match="The ledger does not know"):
            await session.mark(id_of(1)[:8])
        with pytest.raises(aiogen.ConfigurationError):
            await session.mark(id_of(1), connection="leonard")
        assert (await session.cleanup("leonardo", MARKED)).matching == 0


async def test_marks_are_of_one_account() -> None:
    """The same id at another account is another generation."""
    account, store = an_account(), MemoryStore()
    async with session_at(account, store=store) as session:  # type: ignore[arg-type]
        url = account.url
        other = aiogen.Leonardo(api_key=KEY.replace("0", "a"), base_url=f"{url}/api/rest", name="other")
        session.add_connection(other)
        await session.mark(id_of(1), connection="other")
        assert (await session.cleanup("leonardo", MARKED)).matching == 0
        renamed = aiogen.Leonardo(
            api_key=KEY, previous_keys=[KEY.replace("0", "a")], base_url=f"{url}/api/rest", name="new"
        )
        session.add_connection(renamed)
        assert (await session.cleanup("new", MARKED)).matching == 1


# --- not in the ledger


async def test_a_ledger_that_does_not_know_the_account_is_refused() -> None:
    """To it, everything would be somebody else's; and nothing is listed."""
    account = an_account()
    async with session_at(account) as session:
        with pytest.raises(aiogen.InputError, match="The ledger knows no job of this account"):
            await session.cleanup("leonardo", FOREIGN)
        assert not account.seen
        await session.wait_many("leonardo", [id_of(0), id_of(3)])
        found = await session.cleanup("leonardo", FOREIGN).find()
        assert [g.provider_id for g in found] == [id_of(n) for n in (1, 2, 4, 5)]
        old = Where(not_in_ledger=True, older_than=timedelta(days=3.5))
        assert len(await session.cleanup("leonardo", old).find()) == 2


async def test_what_could_be_a_job_of_ours_stays(caplog: pytest.LogCaptureFixture) -> None:
    """Its create was never answered: any generation from then on may be it."""
    account = an_account()
    store = MemoryStore()
    async with session_at(account, store=store) as session:  # type: ignore[arg-type]
        await session.wait_many("leonardo", [id_of(0)])
        [known] = await session.records()
        await unknown(store, known, days=3.5)
        found = await session.cleanup("leonardo", FOREIGN).find()
        assert [g.provider_id for g in found] == [id_of(n) for n in (1, 2)]
    assert "3 generations of leonardo are not deleted" in caplog.text


async def unknown(store: MemoryStore, like: Record, days: float) -> None:
    import attrs

    ago = timedelta(days=days)
    record = attrs.evolve(
        like, id="11111111-1111-4111-8111-111111111111", provider_id=None, state=State.UNKNOWN, generation=None,
        created_at=like.created_at - ago, submitted_at=like.created_at - ago, finished_at=None, accepted_at=None,
    )  # fmt: skip
    store._records[record.id] = record


__all__ = ["Session"]
