"""The battery of stores can fail: each of these stores breaks one rule, and is found out."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any
from unittest import mock

import attrs
import hypothesis
import pytest
from hypothesis import Phase
from stores.file_ledger import file_store, kill

import aiogen
from aiogen import Generation, State, StoreError
from aiogen.stores import (
    ADOPTED,
    UNLIMITED,
    AtMost,
    Forgotten,
    Headroom,
    MemoryStore,
    Record,
    RecordQuery,
    RequestKind,
    SqliteStore,
    Store,
    Wish,
)
from aiogen.stores.sqlite.precedence import Precedence
from aiogen.stores.turns import Asking, Claim
from aiogen.testing import StoreBattery, StoreContext

NOW = datetime.fromtimestamp(1_800_000_000.0, UTC)
MACHINE = "whatever_happens_no_job_is_lost_or_ends_twice"


class Battery(StoreBattery):
    """Of a store that has a fault; what it finds is not made small."""

    max_examples = 120
    """So many that no version of hypothesis misses one; the first that fails is the last."""

    def __init__(self, fault: type[MemoryStore] | type[SqliteStore]) -> None:
        self.fault = fault

    def make_store(self, context: StoreContext) -> Store:
        if issubclass(self.fault, SqliteStore):
            return file_store(context, self.fault)
        if "store" not in context.kept:
            loop = SimpleNamespace(get_running_loop=lambda: context)
            context.enter(mock.patch("aiogen.stores.memory.asyncio", loop))
            context.enter(mock.patch("aiogen.stores.memory.time", context))
            context.kept["store"] = self.fault()
        store: MemoryStore = context.kept["store"]
        return store

    async def kill(self, store: Store) -> None:
        await kill(store)

    def hypothesis_settings(self) -> hypothesis.settings:
        return hypothesis.settings(super().hypothesis_settings(), derandomize=True, phases=[Phase.generate])


# --- of one process


class GrantsTwice(MemoryStore):
    async def intend(self, job_id: str, *headroom: Any) -> float:
        return 0.0 if self._is(job_id, State.SUBMITTING) else await super().intend(job_id, *headroom)


class GivesOutTwice(MemoryStore):
    async def claim(self, handlers: Collection[str], limit: int) -> list[tuple[str, Generation, int]]:
        found = await super().claim(handlers, limit)
        self._due = {key: (0.0 if when == math.inf else when, count) for key, (when, count) in self._due.items()}
        return found


class DropsWhatFailed(MemoryStore):
    async def ack(self, job_id: str, handler: str, again: float | None) -> None:
        await super().ack(job_id, handler, None)


class LastEndCounts(MemoryStore):
    async def settle(self, ended: Sequence[Generation]) -> None:
        for generation in ended:
            self._change(generation.id or "", state=State.PROCESSING)
        await super().settle(ended)


class DropsTheReference(MemoryStore):
    async def settle(self, ended: Sequence[Generation]) -> None:
        await super().settle(ended)
        for generation in ended:
            self._change(generation.id or "", reference=None)


class KeepsWhatWasSent(MemoryStore):
    async def settle(self, ended: Sequence[Generation]) -> None:
        before = dict(self._records)
        await super().settle(ended)
        for job_id, record in before.items():
            self._change(job_id, submission=record.submission)


class TakesUpTheUnknown(MemoryStore):
    async def adopt(self, accounts: Collection[str], only: Collection[str] | None = None) -> list[Record]:
        for record in await self.find(RecordQuery(states=[State.UNKNOWN])):
            self._change(record.id, state=State.PENDING)
        return await super().adopt(accounts, only)


class ForgetsTheUnknown(MemoryStore):
    async def add(self, record: Record, at_most: AtMost | None = None) -> Record | None:
        if at_most is not None:
            unfinished = [r.scope for r in self._records.values() if r.state in ADOPTED and r.id != record.id]
            at_most.check(record.scope, unfinished.count(record.scope), len(unfinished))
        return await super().add(record)


class CountsBeforeItLooks(MemoryStore):
    async def add(self, record: Record, at_most: AtMost | None = None) -> Record | None:
        (at_most or AtMost()).check(record.scope, len(self._records), len(self._records))
        return await super().add(record, at_most)


class KeepsTheOldName(MemoryStore):
    async def intend(self, job_id: str, *headroom: Any) -> float:
        return await super().intend(job_id)


class YoungestFirst(MemoryStore):
    async def adopt(self, accounts: Collection[str], only: Collection[str] | None = None) -> list[Record]:
        return (await super().adopt(accounts, only))[::-1]


class ForgetsWhatRuns(MemoryStore):
    async def forget(self, which: RecordQuery | Collection[str]) -> Forgotten:
        ids = [each.id for each in await self.find(which)] if isinstance(which, RecordQuery) else which
        return Forgotten(sum(self._records.pop(job_id, None) is not None for job_id in ids))


class MixesAccounts(MemoryStore):
    async def by_provider_id(self, account: str, provider_ids: Collection[str]) -> list[Record]:
        return [record for record in self._records.values() if record.provider_id in provider_ids]


class FindsAll(MemoryStore):
    async def find(self, query: RecordQuery) -> list[Record]:
        return await super().find(attrs.evolve(query, created_before=None))


class HasOnePage(MemoryStore):
    async def find(self, query: RecordQuery) -> list[Record]:
        return await super().find(attrs.evolve(query, after=None, limit=min(query.limit or 1000, 30)))


class MovesItsPages(MemoryStore):
    async def find(self, query: RecordQuery) -> list[Record]:
        found = await super().find(attrs.evolve(query, limit=None))
        return sorted(found, key=lambda each: each.created_at, reverse=True)[::-1][: query.limit]


class ReadsWhatWasSent(MemoryStore):
    async def find(self, query: RecordQuery) -> list[Record]:
        return await super().find(attrs.evolve(query, with_request=True))


class KnowsOnlyAscii(MemoryStore):
    async def find(self, query: RecordQuery) -> list[Record]:
        found = await super().find(attrs.evolve(query, prompt=None))
        return [each for each in found if (query.prompt or "") in (each.prompt or "")]


class CountsEverybody(MemoryStore):
    async def count(self, query: RecordQuery) -> Mapping[State, int]:
        return await super().count(attrs.evolve(query, scope=None))


class ForgetsAThousand(MemoryStore):
    async def forget(self, which: RecordQuery | Collection[str]) -> Forgotten:
        return await super().forget(attrs.evolve(which, limit=2) if isinstance(which, RecordQuery) else which)


class HidesWhatRuns(MemoryStore):
    async def forget(self, which: RecordQuery | Collection[str]) -> Forgotten:
        return Forgotten(await super().forget(which))


class PurgesBatches(SqliteStore):
    async def heartbeat(self) -> bool:
        await self._write(lambda c: c.execute("DELETE FROM aiogen_job WHERE finished_at IS NOT NULL").rowcount)
        return await super().heartbeat()


class KeepsTheFirst(MemoryStore):
    async def put_learned(self, name: str, value: Any, version: int) -> int:
        self._learned.setdefault(name, (value, 1))
        return await super().put_learned(name, self._learned[name][0], version)


class WritesOver(MemoryStore):
    async def put_learned(self, name: str, value: Any, version: int) -> int:
        return await super().put_learned(name, value, self._learned.get(name, (None, 0))[1])


class TellsAgain(MemoryStore):
    async def get_learned(self, name: str, known: int = 0) -> tuple[Any, int]:
        return await super().get_learned(name)


class AddsTwice(MemoryStore):
    async def add(self, record: Record) -> Record | None:
        standing = await super().add(record)
        if standing is not None and standing.id != record.id:
            self._records[record.id] = record
            return None
        return standing


class AddsOver(SqliteStore):
    async def add(self, record: Record) -> Record | None:
        standing = await super().add(record)
        if standing is not None and standing.state is State.PENDING:
            await self.settle([ended_as(standing, State.FAILED)])
        return standing


def ended_as(record: Record, state: State) -> Generation:
    return Generation(
        id=record.id, provider_id=None, provider="luma", connection="luma", model="uni-1", state=state, finished_at=NOW
    )


class ForgetsWhichCameLast(SqliteStore):
    async def latest(self, scope: str, key: str) -> Record | None:
        found = await self.find(RecordQuery(key=key, scope=scope))
        return min(found, key=lambda record: record.attempt, default=None)


class MixesScopes(MemoryStore):
    async def latest(self, scope: str, key: str) -> Record | None:
        found = await self.find(RecordQuery(key=key))
        return max(found, key=lambda record: record.attempt, default=None)


class ReopensWhatRuns(MemoryStore):
    async def reopen(self, job_id: str, provider_id: str | None = None) -> Record | None:
        if self._is(job_id, State.QUEUED):
            self._change(job_id, state=State.UNKNOWN)
        return await super().reopen(job_id, provider_id)


class BelievesTheCaller(MemoryStore):
    async def add(self, record: Record) -> Record | None:
        standing = await super().add(record)
        self._change(record.id, created_at=record.created_at)
        return standing


class TellsNoAge(MemoryStore):
    def _read(self, record: Record | None) -> Record | None:
        return record


# --- of several


class AcceptedWhenItWasWritten(SqliteStore):
    async def confirm(self, job_id: str, provider_id: str, state: State, ago: float = 0.0) -> bool:
        return await super().confirm(job_id, provider_id, state)


class IgnoresHeadroom(SqliteStore):
    async def intend(self, job_id: str, *headroom: Any) -> float:
        return await super().intend(job_id)


class FollowsWhatItLost(SqliteStore):
    async def confirm(self, job_id: str, provider_id: str, state: State, ago: float = 0.0) -> bool:
        await super().confirm(job_id, provider_id, state, ago)
        return True


class PutsBackForOthers(SqliteStore):
    async def release(self, job_id: str) -> None:
        update = "UPDATE aiogen_job SET state = 'pending', submitted_at = NULL WHERE id = ? AND state = 'submitting'"
        await self._write(lambda c: c.execute(update, (job_id,)).rowcount)


class SettlesForItself(SqliteStore):
    """An end is known to this object alone."""

    ends: dict[str, Generation]

    async def settle(self, ended: Sequence[Generation]) -> None:
        self.ends = {generation.id or "": generation for generation in ended} | getattr(self, "ends", {})

    def with_end(self, record: Record) -> Record:
        end = getattr(self, "ends", {}).get(record.id)
        if end is None:
            return record
        return attrs.evolve(
            record, state=end.state, generation=end, submission=None, owner=None, finished_at=end.finished_at,
            provider_id=record.provider_id or end.provider_id,
        )  # fmt: skip

    async def get(self, job_id: str) -> Record | None:
        record = await super().get(job_id)
        return None if record is None else self.with_end(record)

    async def find(self, query: RecordQuery) -> list[Record]:
        return [self.with_end(record) for record in await super().find(query)]


class Robs(SqliteStore):
    async def adopt(self, accounts: Collection[str], only: Collection[str] | None = None) -> list[Record]:
        await self._write(lambda c: c.execute("UPDATE aiogen_job SET owner = NULL").rowcount)
        return await super().adopt(accounts, only)


class NeverLosesItsLease(SqliteStore):
    async def heartbeat(self) -> bool:
        await super().heartbeat()
        return True


class LeaseForEver(SqliteStore):
    async def open(self) -> None:
        await super().open()
        await self._write(lambda c: c.execute("UPDATE aiogen_worker SET lease_until = 1e12").rowcount)


class SharesNoBudget(SqliteStore):
    async def acquire(self, account: str, count: int, per_second: float) -> float:
        return await super().acquire(f"{account}{self.worker}", count, per_second)


class HoldsNobody(SqliteStore):
    async def hold(self, account: str, kind: RequestKind, seconds: float) -> None:
        pass


class HoldsEverything(SqliteStore):
    async def hold(self, account: str, kind: RequestKind, seconds: float) -> None:
        await super().hold(account, RequestKind.REQUESTS, seconds)


class IsAlone(SqliteStore):
    async def peers(self) -> int:
        return 0


class SeesNobodyWrite(SqliteStore):
    async def wait_for_news(self, timeout: float) -> bool:
        return False


class HearsOfItAllTheTime(SqliteStore):
    async def wait_for_news(self, timeout: float) -> bool:
        return timeout > 0.0 or self._version >= 0 or await super().wait_for_news(timeout)


class BeginsForOthers(SqliteStore):
    async def progressed(self, job_ids: Collection[str]) -> None:
        update = "UPDATE aiogen_job SET state = 'processing' WHERE id = ? AND state = 'queued'"
        await self._write(lambda c: c.executemany(update, [(job_id,) for job_id in job_ids]).rowcount)


class BeginsWhatWaits(MemoryStore):
    async def progressed(self, job_ids: Collection[str]) -> None:
        for job_id in job_ids:
            self._change(job_id, state=State.PROCESSING)


class AsksEverybody(SqliteStore):
    async def wishes(self) -> list[Wish]:
        every = "SELECT job, 'a', 'v-' || job, 1, 0 FROM aiogen_wish WHERE cancel"
        found = await self._read(lambda c: c.execute(every).fetchall())
        return [Wish(job_id=i, account=a, provider_id=p, cancel=True, wake=False) for i, a, p, _, _ in found]


class ForgetsTheWish(MemoryStore):
    async def wishes(self) -> list[Wish]:
        found = await super().wishes()
        self._wishes.clear()
        return found


class StopsWhatWaits(MemoryStore):
    async def wish(self, job_id: str) -> bool:
        return job_id in self._records and await super().wish(job_id) is not None


class KeepsTheOldAnswer(SqliteStore):
    async def wish(self, job_id: str) -> bool:
        before = await self.granted(job_id)
        done = await super().wish(job_id)
        await self._write(lambda c: c.execute("UPDATE aiogen_wish SET answer = ?", (before and "{}",)).rowcount)
        return done


class WakesForEver(MemoryStore):
    async def wishes(self) -> list[Wish]:
        before = dict(self._wishes)
        found = await super().wishes()
        self._wishes = before
        return found


class WakesAllAccounts(MemoryStore):
    async def wake(self, account: str, provider_ids: Collection[str], *, proved: bool = False) -> int:
        return sum([await super(WakesAllAccounts, self).wake(each, provider_ids, proved=proved) for each in "ab"])


class ForgetsTheProof(SqliteStore):
    async def wake(self, account: str, provider_ids: Collection[str], *, proved: bool = False) -> int:
        return await super().wake(account, provider_ids)


class BelievesForEver(MemoryStore):
    async def wishes(self) -> list[Wish]:
        found = await super().wishes()
        self._proved = getattr(self, "_proved", set()) | {wish.job_id for wish in found if wish.proved}
        return [attrs.evolve(wish, proved=wish.job_id in self._proved) for wish in found]


class WritesWhateverIsNamed(SqliteStore):
    async def wake(self, account: str, provider_ids: Collection[str], *, proved: bool = False) -> int:
        await self._write(lambda c: c.execute("UPDATE aiogen_worker SET lease = lease + 1").rowcount)
        return await super().wake(account, provider_ids, proved=proved)


class WishesOutliveTheirJob(MemoryStore):
    async def granted(self, job_id: str) -> Any:
        return await super().granted(job_id) if job_id in self._records else {}


class WithdrawsWhatIsOnItsWay(SqliteStore):
    async def withdraw(self, ended: Generation) -> bool:
        await self.settle([attrs.evolve(ended, provider_id="v")])
        return True


class HasOldNews(SqliteStore):
    async def news(self, job_ids: Collection[str]) -> dict[str, Record | None]:
        self._old: dict[str, Record | None]
        self._old, old = dict(await super().news(job_ids)), getattr(self, "_old", {})
        return dict.fromkeys(job_ids) | old


class TellsWhatWasSent(SqliteStore):
    async def news(self, job_ids: Collection[str]) -> dict[str, Record | None]:
        return {job_id: await self.get(job_id) for job_id in job_ids}


class KnowsOneName(SqliteStore):
    async def intend(self, job_id: str, headroom: Headroom = UNLIMITED) -> float:
        return await super().intend(job_id, attrs.evolve(headroom, accounts=headroom.accounts[:1]))


class CountsItsOwnAlone(SqliteStore):
    async def add(self, record: Record, at_most: AtMost | None = None) -> Record | None:
        owned = [r for r in await self.find(RecordQuery()) if r.owner == self.worker]
        (at_most or AtMost()).check(record.scope, len(owned), len(owned))
        return await super().add(record)


class Goes(SqliteStore):
    """Before or after others, by a rule of its own."""

    rule: type[Precedence]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._neighbours._precedence = self.rule()


class FirstComeFirstServed(Goes):
    class rule(Precedence):  # noqa: N801
        def wait_for(self, *_: Any) -> float:
            return 0.0


class AlwaysAfterOthers(Goes):
    class rule(Precedence):  # noqa: N801
        def gives_way(self, asking: Asking, claim: Claim | None, *, is_above: bool) -> bool:
            return super().gives_way(attrs.evolve(asking, room=0.0), claim, is_above=is_above)


class GoesAfterTheDead(Goes):
    class rule(Precedence):  # noqa: N801
        def _above(self, c: Any, asking: Asking, after: float) -> Any:
            c.execute("UPDATE aiogen_job SET owner = (SELECT min(id) FROM aiogen_worker WHERE id != ?)", (asking.me,))
            return super()._above(c, attrs.evolve(asking, at=0.0), after)


class HasNoShare(Goes):
    class rule(Precedence):  # noqa: N801
        def wait_for(self, *given: Any) -> float:
            with mock.patch.object(Asking, "is_due", return_value=False):
                return super().wait_for(*given)


class GivesNoWay(Goes):
    class rule(Precedence):  # noqa: N801
        def _lowest(self, *_: Any) -> None:
            return None


class WaitsForEver(Goes):
    class rule(Precedence):  # noqa: N801
        def wait_for(self, *given: Any) -> float:
            self._held_back.clear()
            return super().wait_for(*given)


def reported(fault: type[MemoryStore] | type[SqliteStore], check: str) -> bool:
    """The check fails, and says something that is not about the check itself; one that has no end says nothing."""
    try:
        getattr(Battery(fault), f"test_{check}")()
    except (AssertionError, StoreError, pytest.fail.Exception) as found:
        return "from pytest-timeout" not in str(found)
    return False


FAULTS = [
    (GrantsTwice, "a_create_is_granted_once"),
    (GivesOutTwice, "what_is_claimed_is_given_out_once"),
    (DropsWhatFailed, "what_failed_is_due_again_later"),
    (LastEndCounts, "the_first_end_counts"),
    (KeepsWhatWasSent, "each_step_moves_a_job_by_one_state"),
    (TakesUpTheUnknown, "a_lost_create_waits_for_its_user"),
    (YoungestFirst, "the_next_process_goes_on"),
    (ForgetsWhatRuns, "only_what_is_over_or_unknown_is_forgotten"),
    (FollowsWhatItLost, "who_lost_a_job_does_not_follow_it"),
    (SettlesForItself, "an_end_is_there_for_the_next_process"),
    (SettlesForItself, "an_end_counts_whoever_saw_it"),
    (Robs, "the_jobs_of_the_living_are_theirs"),
    (NeverLosesItsLease, "who_stands_still_loses_the_jobs"),
    (LeaseForEver, "who_dies_is_missed_when_the_lease_is_over"),
    (AddsTwice, "what_is_added_twice_is_added_once"),
    (AddsOver, "what_is_added_twice_is_added_once"),
    (ForgetsWhichCameLast, "a_key_is_of_its_last_attempt"),
    (MixesScopes, "a_key_is_of_its_last_attempt"),
    (WithdrawsWhatIsOnItsWay, "whoever_withdraws_what_waits_wins_against_its_owner_or_loses"),
]
"""Each by the check that is there for it, and by the machine."""
OTHER_FAULTS = [
    (PutsBackForOthers, "who_lost_a_job_does_not_follow_it"),
    (PutsBackForOthers, "an_answer_may_come_late"),
    (ReopensWhatRuns, "a_lost_create_waits_for_its_user"),
    (MixesAccounts, "records_are_found_by_the_id_of_the_vendor"),
    (FindsAll, "records_are_found_by_each_part_of_a_query"),
    (HasOnePage, "pages_stay_as_they_are_while_jobs_come_in"),
    (MovesItsPages, "pages_stay_as_they_are_while_jobs_come_in"),
    (ReadsWhatWasSent, "what_was_sent_is_read_only_when_asked"),
    (KnowsOnlyAscii, "records_are_found_by_what_the_user_called_them"),
    (CountsEverybody, "jobs_are_counted_by_state"),
    (ForgetsWhatRuns, "everything_of_a_person_is_forgotten_but_what_runs"),
    (HidesWhatRuns, "everything_of_a_person_is_forgotten_but_what_runs"),
    (ForgetsAThousand, "jobs_are_forgotten_by_batch_state_and_age"),
    (PurgesBatches, "a_named_batch_stays_until_it_is_forgotten"),
    (KeepsTheFirst, "what_was_learned_is_kept"),
    (TellsAgain, "what_was_learned_is_kept"),
    (WritesOver, "nothing_is_learned_over_what_nobody_has_read"),
    (IgnoresHeadroom, "what_others_run_takes_places"),
    (IgnoresHeadroom, "places_are_given_back"),
    (IgnoresHeadroom, "the_dead_keep_their_places"),
    (IgnoresHeadroom, "what_others_created_fills_the_minute"),
    (BelievesTheCaller, "records_come_back_with_ages"),
    (TellsNoAge, "records_come_back_with_ages"),
    (AcceptedWhenItWasWritten, "records_come_back_with_ages"),
    (AcceptedWhenItWasWritten, "processes_whose_clocks_differ_have_one_window"),
    (IgnoresHeadroom, "who_left_is_counted_too"),
    (DropsTheReference, "what_the_create_answered_beside_the_id_stays"),
    (SharesNoBudget, "requests_come_out_of_one_budget"),
    (HoldsNobody, "a_refusal_holds_the_others"),
    (HoldsNobody, "a_refusal_of_creates_holds_creates"),
    (HoldsEverything, "a_refusal_of_creates_holds_creates"),
    (IsAlone, "peers_are_the_living_others"),
    (SeesNobodyWrite, "news_are_waited_for"),
    (HearsOfItAllTheTime, "news_are_waited_for"),
    (BeginsWhatWaits, "what_has_begun_is_processing"),
    (BeginsForOthers, "who_lost_a_job_does_not_say_that_it_has_begun"),
    (AsksEverybody, "a_cancel_is_wished_of_the_owner"),
    (KeepsTheOldAnswer, "a_cancel_is_wished_of_the_owner"),
    (AsksEverybody, "a_wish_is_for_the_next_owner_too"),
    (StopsWhatWaits, "only_what_is_on_its_way_or_runs_may_be_wished_to_stop"),
    (ForgetsTheWish, "whoever_follows_a_job_is_woken"),
    (WakesForEver, "whoever_follows_a_job_is_woken"),
    (WakesAllAccounts, "whoever_follows_a_job_is_woken"),
    (ForgetsTheProof, "what_the_vendor_has_proved_is_said_to_be_proved"),
    (BelievesForEver, "what_the_vendor_has_proved_is_said_to_be_proved"),
    (WritesWhateverIsNamed, "an_unheard_of_id_writes_nothing"),
    (WishesOutliveTheirJob, "what_is_forgotten_has_no_wishes"),
    (KeepsTheOldName, "what_is_sent_is_of_the_account_s_present_name"),
    (KnowsOneName, "an_account_may_have_several_names"),
    (ForgetsTheUnknown, "a_bound_counts_what_is_unfinished"),
    (CountsBeforeItLooks, "what_stands_already_is_no_more"),
    (CountsItsOwnAlone, "a_bound_is_over_all_processes"),
    (FirstComeFirstServed, "the_more_urgent_goes_first"),
    (AlwaysAfterOthers, "where_there_is_room_for_both_nobody_waits"),
    (GoesAfterTheDead, "the_dead_are_not_gone_before"),
    (HasNoShare, "no_batch_starves"),
    (GivesNoWay, "the_more_urgent_gives_way_in_the_end"),
    (WaitsForEver, "a_place_that_nobody_takes_is_not_kept"),
    (HasOldNews, "news_are_what_others_have_changed"),
    (TellsWhatWasSent, "news_are_what_others_have_changed"),
]
"""Of what the machine does not look at, or seldom."""


def name(value: object) -> str:
    return value.__name__ if isinstance(value, type) else ""


@pytest.mark.parametrize(("fault", "check"), FAULTS + OTHER_FAULTS)
def test_a_planted_fault_is_reported(fault: Any, check: str) -> None:
    assert reported(fault, check)


@pytest.mark.no_cover
@pytest.mark.parametrize("fault", dict.fromkeys(fault for fault, _ in FAULTS), ids=name)
def test_the_machine_finds_a_planted_fault(fault: Any) -> None:
    assert reported(fault, MACHINE)


# --- outside this repository

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(aiogen.__file__).parents[1]), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

PROJECT = """
    from types import SimpleNamespace
    from unittest import mock

    from aiogen.stores import MemoryStore
    from aiogen.testing import StoreBattery


    class Ours(MemoryStore):
        async def intend(self, job_id, *headroom):
            {body}


    class TestOurs(StoreBattery):
        max_examples = 5

        def make_store(self, context):
            if "store" not in context.kept:
                loop = SimpleNamespace(get_running_loop=lambda: context)
                context.enter(mock.patch("aiogen.stores.memory.asyncio", loop))
                context.enter(mock.patch("aiogen.stores.memory.time", context))
                context.kept["store"] = Ours()
            return context.kept["store"]
    """


def pytest_alone(folder: Path, some: str) -> subprocess.CompletedProcess[str]:
    """Without a plugin; `some` says which tests."""
    options = ["-q", "-k", some, "--rootdir", str(folder), "-c", os.devnull, "-p", "no:cacheprovider"]
    command = [sys.executable, "-W", "error", "-m", "pytest", *options, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=100, env=ENVIRONMENT)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return await super().intend(job_id, *headroom)", ["passed", "skipped"]),
        ("return 0.0", ["each_step_moves_a_job_by_one_state", "a_create_is_granted_once", "failed"]),
    ],
    ids=["whole", "broken"],
)
def test_a_project_runs_it_with_pytest_alone(tmp_path: Path, body: str, says: list[str]) -> None:
    """A class of a few lines is collected; what failed is said with its values."""
    (tmp_path / "test_ours.py").write_text(dedent(PROJECT).format(body=body), encoding="utf-8")
    # To make a failing order of events small takes a while, and is not what is tested here.
    result = pytest_alone(tmp_path, "not whatever" if "failed" in says else "")
    assert all(word in result.stdout for word in says), result.stdout + result.stderr
    assert ("failed" in result.stdout) is ("failed" in says), result.stdout
    if "failed" in says:
        assert "assert <State.PENDING: 'pending'> is <State.SUBMITTING" in result.stdout


MY_STORE = """
    import aiogen.stores.sqlite.clock
    from aiogen.stores import SqliteStore


    class MyStore(SqliteStore):
        def __init__(self, path, *, lease, time):
            super().__init__(path, lease=lease)
            aiogen.stores.sqlite.clock.now = lambda _: time()
    """


def test_the_example_of_the_page_works(tmp_path: Path) -> None:
    """As it stands in docs/testing.md, with a store that is told the time."""
    page = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
    example = page.partition("```python\n")[2].partition("```")[0]
    (tmp_path / "test_mystore.py").write_text(example, encoding="utf-8")
    (tmp_path / "mystore.py").write_text(dedent(MY_STORE), encoding="utf-8")
    result = pytest_alone(tmp_path, "not whatever and not answer_may")
    assert result.returncode == 0, result.stdout
    assert " passed" in result.stdout
    assert "skipped" not in result.stdout


MISSING = """
import sys
sys.modules["hypothesis"] = None
try:
    from aiogen.testing import StoreBattery
except ImportError as error:
    print(error)
"""


def test_what_it_needs_is_said() -> None:
    """By the name of the extra."""
    result = subprocess.run([sys.executable, "-c", MISSING], capture_output=True, text=True, timeout=50)
    assert result.stdout == 'aiogen.testing needs hypothesis: pip install "aiogen-sdk[testing]"\n', result.stderr
