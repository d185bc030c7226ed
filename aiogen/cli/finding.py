"""Ids as people type them: ours or the vendor's, whole or their first eight characters, looked up in the ledger.

Only for commands that read.  Those that delete, pay or forget need whole ids.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from aiogen.cli.ledgers import reading
from aiogen.cli.program import command
from aiogen.cli.tables import HANDLE
from aiogen.errors import AiogenError, InputError
from aiogen.stores.base import Record, RecordQuery
from aiogen.stores.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from aiogen.cli.ledgers import Ledger

_MOST = 100
_SHOWN = 5
_AT_ONCE = 500
_WHOLE = 36
"""Characters of a UUID, which ours are, and both vendors'."""
_BEGINS_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f-]{0,26})?", re.IGNORECASE)


async def provider_ids(
    store: Ledger | None, connection: str, words: Sequence[str], echo: Callable[[str], None]
) -> list[str]:
    """The vendor's ids that are meant, each once; `echo` gets in full what was meant by a part, or by an id of ours.

    A word that the ledger does not know, or any where there is no ledger, is taken for the vendor's id.

    Raises:
        InputError: a beginning matches several generations, one at another connection, or a job without an id so far.
    """
    found = await _beginning(store, words, echo)
    ids = list[str]()
    for word in words:
        meant = _meant(word, connection, found.get(word, []))
        if meant is None:
            ids.append(word)
            continue
        if meant.provider_id is None:
            step = "reconcile" if meant.state == "unknown" else "resume"
            raise InputError(f"Job {meant.id} is {meant.state} and has no id at {connection} yet. See: {command(step)}")
        if meant.provider_id != word:
            echo(f"{word} is {meant.provider_id} at {connection}, job {meant.id}.")
        ids.append(meant.provider_id)
    return list(dict.fromkeys(ids))


async def whole_only(store: Ledger | None, words: Sequence[str], verb: str, *, is_needed: bool = False) -> None:
    """The beginning of an id is not enough for what cannot be undone.

    `is_needed`: what follows is done in the ledger, so that what is wrong with it is said now, and is not waited for
    once more.

    Raises:
        InputError: a word is only the beginning of an id.
        StoreError: the ledger is needed, and cannot be read.
    """
    found = await _beginning(store, words, is_needed=is_needed)
    for word in words:
        records = found.get(word, [])
        wholes = {i for record in records for i in (record.id, record.provider_id) if i is not None}
        if word in wholes:
            continue
        fitting = sorted(i for i in wholes if i.startswith(word))
        if fitting or (_BEGINS_UUID.fullmatch(word) and len(word) < _WHOLE):
            known = f" Ids that begin with it: {_several(fitting)}." if fitting else ""
            raise InputError(f"{word} is only the beginning of an id; {verb} needs the whole id.{known}")


def _meant(word: str, connection: str, records: Sequence[Record]) -> Record | None:
    """The record that a word names; None if it names none."""
    here = [record for record in records if record.connection == connection]
    whole = [record for record in here if word in (record.id, record.provider_id)]
    if whole:
        return whole[0]
    by_generation = {record.provider_id or record.id: record for record in here}
    if len(by_generation) > 1:
        raise InputError(f"{word} is the beginning of several ids: {_several(list(by_generation))}. Type more of it.")
    if not by_generation and records and not _is_whole(word, records):
        raise InputError(f"{word} is at {records[0].connection}, not at {connection}.")
    return next(iter(by_generation.values()), None)


def _is_whole(word: str, records: Sequence[Record]) -> bool:
    return any(word in (record.id, record.provider_id) for record in records)


def _several(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")


def _silent(text: str) -> None:
    pass


async def _beginning(
    store: Ledger | None, words: Sequence[str], echo: Callable[[str], None] = _silent, *, is_needed: bool = False
) -> dict[str, list[Record]]:
    """The jobs whose id, ours or the vendor's, begins with each word; empty where there is no ledger to read.

    Of whole ids, which may be many, only ours are looked up: the vendor's need no translation.
    """
    whole = [word for word in words if len(word) >= _WHOLE]
    found: dict[str, list[Record]] = {}
    if store is None or not any(len(word) >= HANDLE for word in words):
        return found
    try:
        async with reading(store) as is_there:
            if not is_there:
                return found
            for i in range(0, len(whole), _AT_ONCE):
                for record in await store.find(RecordQuery(ids=whole[i : i + _AT_ONCE], limit=_AT_ONCE)):
                    found[record.id] = [record]
            for word in words:
                if HANDLE <= len(word) < _WHOLE:
                    found[word] = await store.find(RecordQuery(prefix=word, limit=_MOST))
    except AiogenError as error:  # a lookup works without a ledger: the vendor knows its ids
        if is_needed:
            raise
        if not isinstance(store, SqliteStore):
            echo(f"{error} Ids are taken for the provider's.")
    return found
