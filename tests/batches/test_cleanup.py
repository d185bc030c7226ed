"""Clean-ups of an account with two thousand generations: nothing is skipped, and what should stay, stays."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from leonardo_account import Account, id_of, session_at
from serving import ID, Vendor, luma, serving

import aiogen
from aiogen import Session, State, Where

MONTH = timedelta(days=30)
ALL = 1_000_000


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def check_audit(path: Path, account: Account) -> None:
    """There is a line before and after each deletion, and there are no others."""
    events = Counter(line["event"] for line in lines_of(path))
    assert events == {"deleting": len(account.deleted), "deleted": len(account.deleted)}
    assert [line["provider_id"] for line in lines_of(path)] == [each for each in account.deleted for _ in range(2)]


async def test_what_would_be_deleted_is_only_said() -> None:
    """By default, and each once, the oldest first."""
    account = Account()
    for number in range(120):
        account.has(number, days=number, status="FAILED" if number % 3 else "COMPLETE")
    async with session_at(account) as session:
        found = [each async for each in session.cleanup("leonardo", Where(failed=True))]
        assert [each.generation.provider_id for each in found] == [id_of(n) for n in range(119, -1, -1) if n % 3]
        assert {each.outcome for each in found} == {"found"}
        assert str(found[0]) == f"found {found[0].generation.provider_id} failed 1969-09-04 'a boat'" or found[0].ok
        done = await session.cleanup("leonardo", Where(failed=True), limit=5)
        assert (done.matching, done.listed, done.results) == (80, 120, {"found": 5})
        assert str(done) == "80 of 120 match, 5 found"
    assert not account.deleted
    assert not [seen for seen in account.seen if seen.startswith("DELETE")]


async def test_a_filter_that_means_too_many_deletes_none(tmp_path: Path) -> None:
    """Until more is allowed, or fewer are chosen."""
    account = Account()
    for number in range(150):
        account.has(number, days=number, status="FAILED")
    async with session_at(account) as session:
        with pytest.raises(aiogen.InputError, match="150 generations match, and at most 100"):
            await session.cleanup("leonardo", Where(failed=True), dry_run=False)
        assert not account.deleted
        done = await session.cleanup("leonardo", Where(failed=True), dry_run=False, limit=60)
        assert (done.deleted, len(account.rows)) == (60, 90)
        assert id_of(149) not in account.rows  # the oldest go first
        assert (await session.cleanup("leonardo", Where(failed=True), dry_run=False, max_delete=90)).deleted == 90


async def test_what_runs_stays_and_so_does_what_has_images() -> None:
    """Whatever the connection's own choice calls failed."""
    account = Account()
    failed = account.has(1, status="FAILED")
    account.has(2, status="PENDING", days=400)
    account.has(3, status="SOMETHING", days=400)
    account.has(4, nsfw=(0,))
    account.has(5)
    account.rows[id_of(5)]["generated_images"][0]["url"] = None
    async with session_at(account, nsfw="fail") as session:
        assert (await session.get("leonardo", id_of(4))).state is State.FAILED
        await session.cleanup("leonardo", Where(failed=True), dry_run=False)
        assert account.deleted == [failed]
        await session.cleanup("leonardo", Where(older_than=timedelta(days=300)), dry_run=False)
    assert account.deleted == [failed]


async def test_what_a_connection_drops_is_found_with_the_rest() -> None:
    """The vendor deletes it with the others."""
    account = Account()
    account.has(1, images=3, nsfw=(0, 1, 2))
    async with session_at(account, nsfw="drop") as session:
        [found] = await session.cleanup("leonardo", Where(prompt_contains="boat")).find()
        assert (found.state, len(found.outputs)) == (State.COMPLETED, 3)


# --- an error, and an interruption


async def test_one_that_cannot_be_deleted_keeps_none_of_the_others(tmp_path: Path) -> None:
    """Unless that is said; and it says why."""
    account = Account()
    for number in range(6):
        account.has(number, days=10 - number, status="FAILED")
    refused = {"error": "no", "path": "$", "code": "unexpected"}
    account.on_delete = lambda name: web.json_response(refused, status=400) if name == id_of(2) else None
    async with session_at(account) as session:
        results = [each async for each in session.cleanup(
            "leonardo", Where(failed=True), dry_run=False, stop_at_first_failure=True
        )]  # fmt: skip
        assert [each.outcome for each in results] == ["deleted", "deleted", "failed"]
        assert isinstance(results[2].error, aiogen.InvalidRequest)
        done = await session.cleanup("leonardo", Where(failed=True), dry_run=False, audit=tmp_path / "audit")
        assert (done.deleted, done.failed, list(account.rows)) == (3, 1, [id_of(2)])
    assert [line["event"] for line in lines_of(tmp_path / "audit")].count("failed") == 1
    [said] = [line["error"] for line in lines_of(tmp_path / "audit") if line["event"] == "failed"]
    assert "API error 400" in said


async def test_a_key_that_does_not_work_any_more_ends_it() -> None:
    """The others would not be deleted either."""
    account = Account()
    for number in range(5):
        account.has(number, status="FAILED")
    unauthorized = {"error": "Authentication hook unauthorized this request", "path": "$", "code": "access-denied"}
    account.on_delete = lambda name: web.json_response(unauthorized, status=401)
    async with session_at(account) as session:
        cleanup = session.cleanup("leonardo", Where(failed=True), dry_run=False)
        with pytest.raises(aiogen.AuthenticationError):
            await cleanup
    assert (cleanup.results, len(account.times)) == ({"failed": 1}, 1)


@pytest.mark.parametrize("saves", [False, True])
async def test_gone_already_is_a_success(tmp_path: Path, saves: bool) -> None:
    """Somebody else has deleted it since it was listed."""
    account = Account()
    for number in range(3):
        account.has(number, days=9 - number, status="FAILED")
    async with session_at(account) as session:
        folder = tmp_path if saves else None
        cleanup = session.cleanup("leonardo", Where(failed=True), dry_run=False, save_first=folder)
        assert len(await cleanup.find()) == 3
        del account.rows[id_of(1)]
        assert [each.ok async for each in cleanup] == [True, True, True]
        assert (cleanup.deleted, cleanup.gone, cleanup.failed) == (2, 1, 0)


@pytest.mark.parametrize("pace", [None, 600.0])
async def test_interrupted_and_repeated_it_does_the_rest(tmp_path: Path, pace: float | None) -> None:
    """Whenever that is; and the audit file, with both, has every deletion."""
    account, audit = Account(), tmp_path / "audit.jsonl"
    for number in range(2000):
        account.has(number, days=number * 37 % 90, status="COMPLETE" if number % 4 else "FAILED")
    stays = {id_of(number) for number in range(2000) if number % 4}
    where, options = Where(failed=True), {"dry_run": False, "max_delete": ALL, "audit": audit, "pace": pace}
    for after in (40, 300):
        reached = asyncio.Event()

        def watch(name: str, after: int = after, reached: asyncio.Event = reached) -> None:
            if len(account.deleted) == after:
                reached.set()

        account.on_delete = watch
        async with session_at(account) as session:
            cleaning = asyncio.ensure_future(session.cleanup("leonardo", where, **options)._all())
            await reached.wait()
            cleaning.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cleaning
        assert after <= len(account.deleted) <= after + 1
    async with session_at(account) as session:
        done = await session.cleanup("leonardo", where, **options)
    assert account.rows.keys() == stays
    assert (len(account.deleted), done.failed) == (500, 0)
    events = Counter(line["event"] for line in lines_of(audit))
    assert events["deleted"] + events["interrupted"] + events["gone"] == events["deleting"]
    assert {line["provider_id"] for line in lines_of(audit)} == {*account.deleted}


async def test_a_clean_up_goes_on_where_it_was_left() -> None:
    """Leaving the loop ends nothing."""
    account = Account()
    for number in range(10):
        account.has(number, status="FAILED")
    async with session_at(account) as session:
        cleanup = session.cleanup("leonardo", Where(failed=True), dry_run=False)
        async for _ in cleanup:
            if cleanup.deleted == 4:
                break
        assert (len(account.rows), len(await cleanup.find())) == (6, 6)
        assert (await cleanup).deleted == 10
    assert not account.rows


async def test_two_loops_over_one_clean_up_share_it() -> None:
    account = Account()
    for number in range(40):
        account.has(number, status="FAILED")
    async with session_at(account) as session:
        cleanup = session.cleanup("leonardo", Where(failed=True), dry_run=False)
        await asyncio.gather(cleanup._all(), cleanup._all())
        assert (cleanup.deleted, cleanup.gone, len(account.deleted)) == (40, 0, 40)


async def test_what_an_earlier_one_has_found_is_taken_over() -> None:
    """Also by another session: exactly what somebody has seen is deleted."""
    account = Account()
    for number in range(5):
        account.has(number, days=9 - number, status="FAILED")
    async with session_at(account) as session:
        seen = session.cleanup("leonardo", Where(failed=True))
        with pytest.raises(aiogen.InputError, match="Only a clean-up that has listed"):
            session.cleanup("leonardo", Where(failed=True)).take_over(seen)
        assert len(await seen.find()) == 5
    account.has(7, status="FAILED", days=100)
    async with session_at(account) as session:
        cleanup = session.cleanup("leonardo", Where(failed=True), dry_run=False, limit=3)
        cleanup.take_over(seen)
        await cleanup
    assert account.deleted == [id_of(n) for n in range(3)]


async def test_no_more_a_minute_than_was_said() -> None:
    account = Account()
    for number in range(7):
        account.has(number, status="FAILED")
    async with session_at(account) as session:
        await session.cleanup("leonardo", Where(failed=True), dry_run=False, pace=20)
    gaps = [b - a for a, b in zip(account.times, account.times[1:], strict=False)]
    assert min(gaps) > 2.5
    assert account.times[-1] - account.times[0] > 17.5


# --- the audit file


async def test_nothing_is_deleted_without_its_line(tmp_path: Path) -> None:
    """Nor asked for, if that can be known before."""
    account = Account()
    account.has(1, status="FAILED")
    async with session_at(account) as session:
        with pytest.raises(aiogen.InputError, match="No generation is deleted without its line"):
            await session.cleanup("leonardo", Where(failed=True), dry_run=False, audit=tmp_path)
        assert not account.seen
        if Path("/dev/full").exists():
            with pytest.raises(aiogen.InputError, match="No space left"):
                await session.cleanup("leonardo", Where(failed=True), dry_run=False, audit="/dev/full")
    assert not account.deleted


async def test_the_line_before_is_on_the_disk_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that after a power cut nothing is deleted that does not stand there."""
    account, audit, order = Account(), tmp_path / "audit.jsonl", list[str]()
    for number in range(3):
        account.has(number, status="FAILED")
    really = os.fsync

    def fsync(file: int) -> None:
        really(file)
        order.append(lines_of(audit)[-1]["event"])

    monkeypatch.setattr(os, "fsync", fsync)
    account.on_delete = lambda name: order.append("sent")
    async with session_at(account) as session:
        await session.cleanup("leonardo", Where(failed=True), dry_run=False, audit=audit)
    assert order == ["deleting", "sent"] * 3


async def test_a_line_that_was_cut_spoils_no_other(tmp_path: Path) -> None:
    """Of a program that was killed while it wrote."""
    account, audit = Account(), tmp_path / "audit.jsonl"
    account.has(1, "a \N{SNOWMAN}\n\u2028 boat", status="FAILED")
    audit.write_text('{"event": "deleted"}\n{"event": "dele', encoding="utf-8")
    async with session_at(account) as session:
        await session.cleanup("leonardo", Where(failed=True), dry_run=False, audit=audit)
    lines = audit.read_text(encoding="utf-8").split("\n")
    assert lines[:2] == ['{"event": "deleted"}', '{"event": "dele']
    assert json.loads(lines[2])["prompt"] == "a \N{SNOWMAN}\n\u2028 boat"
    assert (json.loads(lines[2])["event"], json.loads(lines[3])["event"], lines[4:]) == ("deleting", "deleted", [""])


# --- what is said before anything else


async def test_luma_has_neither_list_nor_delete(tmp_path: Path) -> None:
    vendor = Vendor()
    async with serving(vendor) as url, Session([luma(url)]) as session:
        with pytest.raises(aiogen.Unsupported, match="Luma has no API call that lists or deletes generations"):
            await session.cleanup("luma", Where(failed=True))
        job = await session.submit("luma/uni-1", "a boat")
        await job
        asked = len(vendor.seen)
        with pytest.raises(aiogen.Unsupported, match="Luma has no API call that deletes"):
            await session.download(job, tmp_path / "new", then_delete=True)
        with pytest.raises(aiogen.Unsupported, match="nothing can be marked"):
            await session.mark(job.id)
        with pytest.raises(aiogen.Unsupported, match="nothing can be marked"):
            await session.mark(ID, connection="luma")
    assert (len(vendor.seen), (tmp_path / "new").exists()) == (asked, False)


@pytest.mark.parametrize(
    "options",
    [{"limit": 0}, {"max_delete": 0}, {"max_delete": 1.5}, {"pace": 0}, {"limit": True}],
)  # fmt: skip
async def test_numbers_out_of_range_are_refused(options: dict[str, Any]) -> None:
    async with Session([]) as session:
        with pytest.raises(aiogen.InputError, match=next(iter(options))):
            session.cleanup("leonardo", Where(failed=True), **options)
        with pytest.raises(aiogen.InputError, match="given as a Where"):
            session.cleanup("leonardo", {"failed": True})  # type: ignore[arg-type]
