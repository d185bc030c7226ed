"""Which generations at a vendor their user has marked for deletion.

They stand in the ledger beside its jobs: a mark outlives the job's own row, which goes after some days, and stands for
generations that the ledger has never known, too.  A mark is a hash of the account and the vendor's id, so that of a job
that was forgotten not even the id is left.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from aiogen._checks import check_given_id
from aiogen.errors import InputError, StoreError, Unsupported
from aiogen.stores.base import Record, RecordQuery, Store

if TYPE_CHECKING:
    from aiogen.providers.base import Provider
    from aiogen.providers.connections import Connections

_ATTEMPTS = 100
"""How often they are written while other processes mark at the same time."""
_SAME_ID = 100
"""Records that are looked at for one id."""


@attrs.frozen
class Marks:
    """What is marked at one account, under any of its names in the ledger."""

    _accounts: tuple[str, ...]
    _marks: frozenset[str] = attrs.field(repr=False)

    def __contains__(self, provider_id: str) -> bool:
        """Whether the generation of this id of the vendor's is marked."""
        return any(_mark(account, provider_id) in self._marks for account in self._accounts)


async def marks_of(store: Store, accounts: Sequence[str]) -> Marks:
    """What is marked.

    Raises:
        StoreError: the ledger cannot be read.
    """
    found = [(await _read(store, account))[0] for account in accounts]
    return Marks(tuple(accounts), frozenset().union(*found))


async def change(store: Store, account: str, ids: Collection[str], *, marked: bool) -> int:
    """Mark these ids of an account's, or take their marks away; how many were not so before.

    Raises:
        StoreError: the ledger cannot be read or written.
    """
    wanted = {_mark(account, each) for each in ids}
    for _ in range(_ATTEMPTS):
        known, version = await _read(store, account)
        new = known | wanted if marked else known - wanted
        if new == known:
            return 0
        if await store.put_learned(_name(account), {"marks": sorted(new)}, version):
            return len(new ^ known)
    raise StoreError("Others mark generations of the same account all the time. Try again.", retryable=True)


def _mark(account: str, provider_id: str) -> str:
    return hashlib.sha256(f"{account}/{provider_id.lower()}".encode()).hexdigest()[:32]


async def _read(store: Store, account: str) -> tuple[frozenset[str], int]:
    value, version = await store.get_learned(_name(account))
    marks = value.get("marks") if value is not None else None
    return frozenset(each for each in marks if isinstance(each, str)) if isinstance(
        marks, list
    ) else frozenset(), version


def _name(account: str) -> str:
    return f"marked/{account}"


async def find(
    store: Store, connections: Connections, ids: Sequence[str], connection: Provider | None
) -> Mapping[str, list[str]]:
    """The vendor's ids that are meant, by account.  `connection`: whose ids those are that the ledger does not know.

    Raises:
        InputError: one is unknown, or has no id at its vendor yet, or is at several.
        Unsupported: the provider deletes nothing, so that a mark would never come to anything.
        StoreError: the ledger cannot be read.
    """
    found = defaultdict[str, list[str]](list)
    if connection is not None:
        _can_delete(connection)
    for each in map(check_given_id, ids):
        record = await _record(store, each, connection)
        if record is None and connection is None:
            raise InputError(
                f"The ledger does not know {each}. For a generation that it has never had, name the connection."
            )
        if record is None:
            assert connection is not None
            found[connection.account].append(each)
            continue
        if (provider := connections.get(record.connection)) is not None:
            _can_delete(provider)
        if record.provider_id is None:
            raise InputError(f"Job {record.id} is {record.state} and has no id at {record.connection} (yet).")
        found[record.account].append(record.provider_id)
    return found


async def _record(store: Store, word: str, connection: Provider | None) -> Record | None:
    fitting = await store.find(RecordQuery(prefix=word, limit=_SAME_ID))
    fitting = [
        record
        for record in fitting
        if word in (record.id.lower(), (record.provider_id or "").lower(), record.provider_id)
    ]
    if connection is not None:
        fitting = [record for record in fitting if record.account in connection.accounts]
    if len({(record.account, record.provider_id) for record in fitting}) > 1:
        names = ", ".join(sorted({record.connection for record in fitting}))
        raise InputError(f"{word} is at {names}: name the connection.")
    return fitting[0] if fitting else None


def _can_delete(provider: Provider) -> None:
    if not provider.capabilities.delete:
        raise Unsupported(
            f"{provider.facts.vendor} has no API call that deletes a generation, so nothing can be marked there.",
            provider=provider.facts.name,
            connection=provider.name,
        )


__all__ = ["Marks", "change", "find", "marks_of"]
