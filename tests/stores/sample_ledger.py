"""A ledger with a job in every state, as a program that was killed leaves it; frozen at each release.

    python tests/stores/sample_ledger.py > tests/stores/samples/v<schema version>.sql

Each sample is opened by every later version (test_upgrade.py).  A sample that was released never changes.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import attrs

from aiogen import FailureCode, Generation, Luma, Output, State
from aiogen.exchange import Submission
from aiogen.stores.base import Record
from aiogen.stores.sqlite import SqliteStore

KEY = "luma-api-sample-key-0123456789"
THEN = datetime(2025, 6, 1, 12, tzinfo=UTC)
NOW = THEN + timedelta(minutes=2)
HANDLER = "gallery"
DEAD = "another-machine/4026531836:4711:0badcafe"
"""The worker that was killed."""
LEARNED = {"seen": 7, "words": ["é", None]}

ATTACHED = "attached"
NAMES = (*map(str, State), ATTACHED)
"""Of the jobs: the states that they are in, and one that was made elsewhere."""


def provider() -> Luma:
    """Whose jobs they are."""
    return Luma(api_key=KEY, base_url="http://localhost:1/v1")


def wish(name: str) -> Submission:
    """What its create says."""
    luma = provider()
    return luma.encode(luma.prepare("uni-1", f"a {name} boat, é", {"aspect_ratio": "16:9"}))


def taken_in(name: str) -> Record:
    """As it was submitted."""
    is_ours = name != ATTACHED
    return Record(
        id=f"job-{name}",
        connection="luma",
        provider="luma",
        account=provider().account,
        state=State.PENDING if is_ours else State.QUEUED,
        submission=wish(name) if is_ours else None,
        provider_id=None if is_ours else f"v-{name}",
        timeout=90.0,
        batch="monday" if name in (State.PENDING, State.COMPLETED) else None,
        handlers=(HANDLER,),
        created_at=THEN + timedelta(seconds=NAMES.index(name)),
        accepted_at=None if is_ours else THEN,
        read_at=NOW,
    )


def ended(name: str) -> Generation:
    """How it ended."""
    known = Generation(
        id=f"job-{name}",
        provider_id=None if name == State.CANCELLED else f"v-{name}",
        provider="luma",
        connection="luma",
        model="uni-1",
        state=State(name),
        prompt=wish(name).prompt,
        finished_at=THEN + timedelta(minutes=1),
    )
    if name == State.COMPLETED:
        output = Output(kind="image", url="https://cdn.example/a.png?sig=1", expires_at=THEN + timedelta(hours=1))
        return attrs.evolve(known, outputs=(output,))
    if name == State.FAILED:
        return attrs.evolve(known, failure_code=FailureCode.CONTENT_MODERATED, failure_reason="no é")
    return known


async def live(path: Path) -> str:
    """One worker's life, up to the moment when it is killed; its name."""
    store = SqliteStore(path)
    await store.open()
    for name in NAMES:
        await store.add(taken_in(name))
        if name not in (State.PENDING, ATTACHED, State.CANCELLED):
            await store.intend(f"job-{name}")
        if name in (State.QUEUED, State.PROCESSING, State.COMPLETED, State.FAILED):
            state = State.PROCESSING if name == State.PROCESSING else State.QUEUED
            await store.confirm(f"job-{name}", f"v-{name}", state, (NOW - THEN).total_seconds() - 30.0)
    await store.mark_unknown(f"job-{State.UNKNOWN}")
    await store.settle([ended(State.FAILED)])
    assert len(await store.claim([HANDLER], 9)) == 1
    await store.ack(f"job-{State.FAILED}", HANDLER, None)
    await store.settle([ended(State.COMPLETED)])
    assert len(await store.claim([HANDLER], 9)) == 1  # it was claimed when it was killed
    await store.settle([ended(State.CANCELLED)])
    await store.put_learned("durations", LEARNED, 0)
    assert store._writer is not None
    await store._writer.close()
    return store.worker


def dump() -> str:
    """The sample, in the words of SQL."""
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("aiogen.stores.sqlite.clock.now", return_value=NOW.timestamp()),
    ):
        path = Path(folder) / "aiogen.db"
        me = asyncio.run(live(path))
        connection = sqlite3.connect(path)
        connection.execute("DELETE FROM aiogen_file WHERE k = 'places'")  # it is the file itself that is opened later
        text = "\n".join(connection.iterdump())
        connection.close()
    return text.replace(me, DEAD) + "\n"


if __name__ == "__main__":
    sys.stdout.write(dump())
