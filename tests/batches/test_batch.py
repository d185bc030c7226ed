"""Batches: run, run again, longer, in another order, after a crash; paid for once."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from serving import Vendor, body, done, luma, serving

import aiogen
import aiogen.stores
from aiogen import Cancellation, InputError, LumaImage, Result, RowsError, State
from aiogen.batch import Rows

pytestmark = pytest.mark.usefixtures("virtual_files")

FAILED = body("failed", failure_code="generation_failed", failure_reason="x")
ROWS: list[dict[str, Any]] = [{"id": f"row{i}", "model": "luma/uni-1", "prompt": f"boat {i}"} for i in range(5)]


@asynccontextmanager
async def session(url: str, path: Path | str, **options: Any) -> AsyncIterator[aiogen.Session]:
    async with aiogen.Session([luma(url, creates_per_minute=600)], store=path, **options) as made:
        yield made


async def all_of(results: AsyncIterator[Result[Any]]) -> list[Result[Any]]:
    return [result async for result in results]


# --- run


async def test_each_request_has_its_result() -> None:
    """In any form; a failure ends none of the others, nor does one that cannot even be submitted."""
    vendor = Vendor(reads=[(200, FAILED), (200, done())])
    async with serving(vendor) as url, session(url, ":memory:") as made:
        requests: list[Any] = [
            ("luma/uni-1", "a boat"),
            LumaImage(prompt="a barn"),
            {"model": "luma/uni-1", "prompt": "a bridge", "style": "manga"},
            {"model": "luma/uni-1", "prompt": ""},
            {"model": "nobody/x", "prompt": "a boat"},
            7,
        ]
        results = await all_of(made.run(requests))
    by_index = {result.index: result for result in results}
    assert Counter(result.ok for result in results) == {True: 2, False: 4}
    assert [type(by_index[i].error).__name__ for i in (3, 4, 5)] == ["InputError", "ConfigurationError", "InputError"]
    assert all(by_index[i].job is None and by_index[i].generation is None for i in (3, 4, 5))
    assert by_index[0].request == ("luma/uni-1", "a boat")
    assert {type(by_index[i].error) for i in range(3)} == {type(None), aiogen.GenerationFailed}
    assert len(vendor.bodies) == 3


async def test_requests_are_read_as_there_is_room() -> None:
    """No more than `ahead` are on their way, so there may be any number of them."""
    most = running = 0

    async def endless() -> AsyncIterator[Any]:
        nonlocal most, running
        while True:
            running += 1
            most = max(most, running)
            yield ("luma/uni-1", "a boat")

    async with serving(Vendor()) as url, session(url, ":memory:") as made:
        count = 0
        async for result in made.run(endless(), ahead=3):
            assert result.ok
            running -= 1
            count += 1
            if count == 20:
                break
        assert most <= 4  # one is held in hand


async def test_what_the_requests_raise_is_raised() -> None:
    """It is the program's own error, and of no job; what was submitted before has its result."""

    def broken() -> Iterator[Any]:
        yield ("luma/uni-1", "a boat")
        raise ZeroDivisionError

    async with serving(Vendor()) as url, session(url, ":memory:") as made:
        seen = list[Result[Any]]()

        async def go() -> None:
            async for result in made.run(broken()):
                seen.append(result)

        with pytest.raises(ZeroDivisionError):
            await go()
        assert [result.ok for result in seen] == [True]


async def test_nothing_more_after_the_first_failure() -> None:
    """What waits is withdrawn and what runs still comes."""
    vendor = Vendor(creates=[(201, body()), (400, {"detail": "no"}), (201, body())])
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url, max_active=1)], store=":memory:") as made:
            requests = [("luma/uni-1", f"boat {i}") for i in range(50)]
            results = await all_of(made.run(requests, stop_at_first_failure=True))
    assert len(vendor.bodies) < 6
    assert sum(result.ok for result in results) < 5


async def test_leaving_the_loop_stops_nothing_that_was_sent() -> None:
    """The jobs go on in the session."""
    async with serving(Vendor()) as url, session(url, ":memory:") as made:
        async for result in made.run([("luma/uni-1", f"boat {i}") for i in range(4)]):
            first = result
            break
        assert first.ok
        while made.jobs():
            await asyncio.sleep(1.0)
        assert len(await made.records()) == 4


# --- batches


async def test_a_batch_is_paid_once(tmp_path: Path) -> None:
    """Repeated, longer, in another order, in another session: only what is new is made."""
    vendor = Vendor()
    async with serving(vendor) as url:
        async with session(url, tmp_path / "a.db") as made:
            first = await all_of(made.batch("night", ROWS).results())
        async with session(url, tmp_path / "a.db") as made:
            again = made.batch("night", [*reversed(ROWS), {"model": "luma/uni-1", "prompt": "new"}])
            check = await again.check()
            second = await all_of(again.results())
            assert len(again) == 6
    assert (check.rows, check.new, check.standing) == (6, 1, {State.COMPLETED: 5})
    assert len(vendor.bodies) == 6
    assert {r.key: r.generation.id for r in first if r.generation} | {} == {
        r.key: r.generation.id for r in second if r.generation and str(r.key).startswith("row")
    }


async def test_a_row_without_a_name_is_its_content(tmp_path: Path) -> None:
    """And how often that came before: three of the same are three pictures, and still three the next time."""
    vendor = Vendor()
    same = [("luma/uni-1", "a boat")] * 3
    async with serving(vendor) as url, session(url, tmp_path / "a.db") as made:
        keys = [result.key for result in await all_of(made.batch("b", same).results())]
        await all_of(made.batch("b", [("luma/uni-1", "first"), *same]).results())
        await all_of(made.batch("other", same[:1]).results())
    assert len(set(keys)) == 3
    assert len(vendor.bodies) == 3 + 1 + 1


async def test_a_row_that_has_changed_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    """And made again only if that is said."""
    vendor = Vendor()
    changed = [*ROWS[:2], {**ROWS[2], "prompt": "another"}, {"id": "new", "model": "luma/uni-1", "prompt": "x"}]
    async with serving(vendor) as url, session(url, tmp_path / "a.db") as made:
        await all_of(made.batch("b", ROWS).results())
        with pytest.raises(RowsError, match=r"(?s)1 rows of the batch 'b' have changed.*line 3: 'row2'") as caught:
            await all_of(made.batch("b", changed).results())
        assert [problem.line for problem in caught.value.problems] == [3]
        assert len(vendor.bodies) == 5
        redone = await all_of(made.batch("b", changed, redo_changed=True).results())
        assert [r.ok for r in redone] == [True] * 4
        assert len(vendor.bodies) == 7
        assert sorted(r.job.attempt for r in redone if r.job) == [1, 1, 1, 2]
        await all_of(made.batch("b", changed, redo_changed=True).results())
    assert len(vendor.bodies) == 7


async def test_failed_rows_stay_failed_unless_they_are_retried(tmp_path: Path) -> None:
    """Each further attempt is a job and a bill of its own."""
    vendor = Vendor(reads=[(200, FAILED)] * 2 + [(200, done())])
    rows = ROWS[:1]
    async with serving(vendor) as url, session(url, tmp_path / "a.db") as made:
        (first,) = await all_of(made.batch("b", rows).results())
        (stays,) = await all_of(made.batch("b", rows).results())
        assert (first.ok, stays.ok, len(vendor.bodies)) == (False, False, 1)
        check = await made.batch("b", rows, retry_failed=2).check()
        assert (check.new, check.retried) == (1, 1)
        (tried,) = await all_of(made.batch("b", rows, retry_failed=2).results())
        assert (tried.ok, len(vendor.bodies)) == (True, 3)


async def test_every_row_is_checked_before_the_first_is_sent(tmp_path: Path) -> None:
    """All that is wrong is said at once, with the lines."""
    (tmp_path / "a.csv").write_text(
        "id,prompt,aspectratio\na,boat,\nb,,\nc,boat,16:9\na,barn,\nx/y,1,\nx_y,2,\n", encoding="utf-8"
    )
    rows = Rows(tmp_path / "a.csv", defaults={"model": "luma/uni-1"})
    vendor = Vendor()
    async with serving(vendor) as url, session(url, tmp_path / "a.db") as made:
        with pytest.raises(RowsError, match=r"3 rows of the batch 'b' are not valid; nothing was sent") as caught:
            await all_of(made.batch("b", rows).results())
    assert [str(problem)[:42] for problem in caught.value.problems] == [
        "line 3: The prompt cannot be empty. Descri",
        "line 4: Luma has no parameter 'aspectratio",
        "line 5: its name 'a' is that of line 2",
    ]
    assert vendor.bodies == []


async def test_files_that_would_share_a_name_are_refused(tmp_path: Path) -> None:
    """Before anything is paid for; file systems differ in whether they tell capitals apart."""
    rows = [{**ROWS[0], "id": name} for name in ("A", "a")]
    async with serving(Vendor()) as url, session(url, tmp_path / "a.db") as made:
        with pytest.raises(RowsError, match="line 2: its files would have the names of those of line 1"):
            await made.batch("b", rows, out=tmp_path / "out").check()
        await made.batch("b", rows, out=tmp_path / "out", template="{index}-{n}.{ext}").check()


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Said before anything is sent."""
    (tmp_path / "file").write_text("x")
    async with serving(Vendor()) as url, session(url, tmp_path / "a.db") as made:
        with pytest.raises(InputError, match="cannot be written"):
            await all_of(made.batch("b", ROWS, out=tmp_path / "file" / "out").results())


async def test_a_ledger_in_memory_has_to_be_meant() -> None:
    """A batch that cannot be run again is a surprise."""
    async with aiogen.Session([luma("http://127.0.0.1:9")]) as made:
        with pytest.raises(InputError, match='Session\\(store=":memory:"\\)'):
            made.batch("b", ROWS)


@pytest.mark.parametrize("options", [{"retry_failed": 6}, {"ahead": 0}, {"template": "x"}, {"max_cost": "much"}])
async def test_options_are_checked(options: dict[str, Any]) -> None:
    """Before anything else."""
    async with aiogen.Session([luma("http://127.0.0.1:9")], store=":memory:") as made:
        with pytest.raises(InputError):
            made.batch("b", ROWS, **options)


@pytest.mark.parametrize("name", ["", " b", "b" * 56, "a\nb", 7])
async def test_what_is_no_name(name: Any) -> None:
    """It begins the keys of the ledger."""
    async with aiogen.Session([luma("http://127.0.0.1:9")], store=":memory:") as made:
        with pytest.raises(InputError, match="A batch has a name"):
            made.batch(name, ROWS)


async def test_how_far_it_is(tmp_path: Path) -> None:
    """By connection and state, with a rate and an ETA; and what it cost."""
    async with serving(Vendor()) as url, session(url, tmp_path / "a.db") as made:
        batch = made.batch("b", ROWS)
        with pytest.raises(TypeError, match=r"Batch\.check"):
            len(batch)
        async for _ in batch:
            progress = batch.progress()
            assert progress.total == 5
        assert progress.states == {State.COMPLETED: 5}
        assert (progress.ended, progress.eta) == (5, 0.0)
        assert progress.connections["luma"].waiting == 0
        assert str(progress.costs) == "about 0.2020 dollars"


async def test_no_more_than_it_may_cost(tmp_path: Path) -> None:
    """Nothing more is made when the next one would pass it; run again with more, it goes on."""
    vendor = Vendor()
    async with serving(vendor) as url, session(url, tmp_path / "a.db") as made:
        results = await all_of(made.batch("b", ROWS, max_cost=0.13).results())
        assert sum(result.ok for result in results) == 3
        assert {type(r.error).__name__ for r in results if not r.ok} == {"BudgetReached"}
        results = await all_of(made.batch("b", ROWS, max_cost=1).results())
        assert all(result.ok for result in results)
    assert len(vendor.bodies) == 5


async def test_a_row_that_was_refused_has_one_line(tmp_path: Path) -> None:
    """Under its own key, so that the next run replaces it."""
    out = tmp_path / "out"
    async with serving(Vendor(reads=[(200, FAILED)])) as url, session(url, tmp_path / "a.db") as made:
        refused = [r for r in await all_of(made.batch("b", ROWS, out=out, max_cost=0.13).results()) if r.job is None]
        assert [r.key for r in refused] == ["row3", "row4"]
        await all_of(made.batch("b", ROWS, out=out).results())
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert sorted(line["key"] for line in lines) == [row["id"] for row in ROWS]


async def test_what_a_killed_program_left_half_written_is_deleted(tmp_path: Path) -> None:
    """In every folder that the template makes, and beside the list of results."""
    out = tmp_path / "out"
    left = [out / ".results-0123456789ab.part", out / "deep" / ".row0-0-0123456789ab.part"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
        os.utime(path, (1e9, 1e9))
    async with serving(Vendor()) as url, session(url, tmp_path / "a.db") as made:
        await all_of(made.batch("b", ROWS[:1], out=out, template="deep/{key}-{n}.{ext}").results())
    assert [path.exists() for path in left] == [False, False]


async def test_it_is_cancelled_as_a_whole(tmp_path: Path) -> None:
    """What waits is withdrawn; what runs goes on where the provider cannot cancel."""
    vendor = Vendor(reads=[(200, body("processing"))] * 40 + [(200, done())])
    async with serving(vendor) as url:
        async with aiogen.Session([luma(url, max_active=2)], store=tmp_path / "a.db") as made:
            batch = made.batch("b", ROWS)
            results = asyncio.create_task(all_of(batch.results()))
            while len(vendor.bodies) < 2:
                await asyncio.sleep(0.5)
            assert await batch.cancel() == {Cancellation.WITHDRAWN: 3, None: 2}
            assert Counter(result.ok for result in await results) == {True: 2, False: 3}
    assert len(vendor.bodies) == 2


def test_lines_beside_the_pictures(tmp_path: Path) -> None:
    """One for each row, in a file that is replaced whole; rows that a run did not come to keep theirs."""
    from aiogen._batch.results import ResultsFile

    file = ResultsFile(tmp_path)
    file.add([{"key": "a", "n": 1}, {"key": "b", "n": 1}])
    assert not (tmp_path / "results.jsonl").exists()
    file.done()
    again = ResultsFile(tmp_path)
    again.add([{"key": "b", "n": 2}])
    again.done()
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert sorted((line["key"], line["n"]) for line in lines) == [("a", 1), ("b", 2)]
    assert [path.name for path in tmp_path.iterdir()] == ["results.jsonl"]


async def test_a_batch_outlives_what_the_ledger_keeps_of_others(tmp_path: Path) -> None:
    """Run again after the retention it still makes nothing: a named batch stays until it is forgotten."""
    vendor = Vendor()
    async with serving(vendor) as url:
        for expected in (5, 5):
            store = aiogen.stores.SqliteStore(tmp_path / "a.db", keep_finished=0.0)
            async with aiogen.Session([luma(url, creates_per_minute=600)], store=store) as made:
                results = await all_of(made.batch("b", ROWS).results())
                await asyncio.sleep(60.0)  # the heartbeat removes what is old
            assert (len(vendor.bodies), all(result.ok for result in results)) == (expected, True)
