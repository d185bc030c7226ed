"""What has to be true whatever goes wrong.

Each law is looked at where it can be broken first: when a request arrives at a vendor, when a wait ends, when a handler
is called, and at last over the whole ledger.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs

import aiogen
from aiogen import Generation, Job, State

from . import quotes
from .lives import ENDS, Life
from .network import Process
from .talk import Answer, Ask

if TYPE_CHECKING:
    from .vendor import Vendor
    from .world import World

EXACT = 0.05
"""Seconds by which a deadline may be missed."""
_AT_ONCE = 0.001
_TAKES = 3
"""Creates of one job that a program sends to a vendor which says that it takes none just now."""
_RANKS = {
    State.PENDING: 0, State.SUBMITTING: 0, State.UNKNOWN: 1, State.QUEUED: 1, State.PROCESSING: 2, State.COMPLETED: 3,
    State.FAILED: 3, State.CANCELLED: 3,
}  # fmt: skip


@attrs.define(eq=False)
class Attempt:
    """One create that arrived at a vendor."""

    process: Process | None
    begin: float
    end: float = math.inf
    verdict: str = "open"
    """"not done", "refused" or "accepted", if its program was surely told so."""
    is_unavailable: bool = False
    """The vendor itself has said that it does not take it just now."""
    is_lost: bool = False
    """It was carried out, and something in between answered it."""


class Laws:
    """Collects what is broken."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.broken: list[str] = []
        self.attempts: dict[int, list[Attempt]] = {}
        self.excused: Counter[tuple[Process | None, str]] = Counter()
        """Reads that a user asks for."""
        self._over: dict[tuple[Process | None, str], float] = {}
        self._reading: Counter[tuple[Process | None, str]] = Counter()
        self._attached: set[tuple[Process | None, str]] = set()
        self._follows: dict[tuple[Process | None, str], float] = {}
        self._attempt: dict[Ask, Attempt] = {}
        self._holds: dict[tuple[Process | None, str], list[tuple[float, str, float]]] = {}
        self._cut_at: dict[Process | None, float] = {}
        self._confused: set[int] = set()
        self._lives: dict[str, tuple[Vendor, Life]] = {}
        self._told: dict[str, Generation] = {}
        self.mixed_up: dict[int, str] = {}
        """Jobs whose creates were answered with the id of another one."""
        self._anothers: set[int] = set()
        """Those of them of which the other one still ran."""
        self._dismissed: set[tuple[Process | None, str]] = set()
        """Who was told by a vendor that the account itself is refused."""
        self.delivered: Counter[tuple[str, str]] = Counter()
        """How often a handler was told of a job, and said nothing against it."""

    def breach(self, law: str, words: str) -> None:
        """Something is wrong."""
        text = f"{self.world.loop.time():.3f} {law}: {words}"
        self.broken.append(text)
        self.world.say("LAW", f"broken: {law}: {words}")

    # --- requests

    def arrived(self, vendor: Vendor, ask: Ask) -> None:
        """A vendor has got a request: may it have been sent?"""
        process, now = ask.process, ask.at
        if process is None or process.dead or process.closed or process.still:
            self.breach("silence", f"{process} sends {ask.kind} {ask.key} though it is over")
            return
        if ask.kind == "create":
            self._create_arrived(vendor, ask)
        elif ask.kind == "read":
            self._read_arrived(vendor, ask)
        if ask.port in self._confused:
            return  # it was sent while the vendor still answered the one before
        is_again = now - self._cut_at.get(process, -1.0) <= _AT_ONCE  # aiohttp itself repeats a read that was cut
        patience = self.world.slowest_commit if ask.kind == "create" else 0.0
        for until, scope, since in self._holds.get((process, vendor.name), []):
            if scope == "place" or (scope == "creates" and ask.kind != "create"):
                continue
            if since + patience + _AT_ONCE < now < until - _AT_ONCE and not is_again:
                self.breach("retry-after", f"{ask.kind} {ask.key} of {process} comes {until - now:.3f} s too early")

    def _create_arrived(self, vendor: Vendor, ask: Ask) -> None:
        number = int(ask.key)
        before = self.attempts.setdefault(number, [])
        for attempt in before:
            if attempt.verdict != "not done":
                self.breach("no second create", f"job {number} is sent again, the one before is {attempt.verdict}")
        in_vain = [attempt for attempt in before if attempt.process is ask.process and attempt.is_unavailable]
        if len(in_vain) >= _TAKES and ask.process is not None and self.world.knows_deadlines(ask.process):
            self.breach("three takes", f'job {number} is sent again after {len(in_vain)} times "not just now"')
        self._attempt[ask] = Attempt(ask.process, ask.at)
        before.append(self._attempt[ask])
        state = self.world.state_of(number)
        if state != State.SUBMITTING:
            self.breach("intent first", f"the create of job {number} arrives while the ledger says {state}")

    def _read_arrived(self, vendor: Vendor, ask: Ask) -> None:
        who = (ask.process, ask.key)
        self._reading[who] += 1
        self._follows.setdefault(who, ask.at)
        if ask.port in self._confused:
            return  # whoever asks has had its answer already: somebody else's
        over_at = self._over.get(who, math.inf)
        if ask.at > over_at + _AT_ONCE and not self.excused[who] and self.world.copies(ask.key) < 2:
            self.breach("silence after the end", f"{ask.process} reads {ask.key}, over since {over_at:.3f}")
        owners = self.world.owners_of(ask.key)
        if owners is None or self.excused[who] or ask.process is None:
            return
        if who in self._attached:
            return  # what is over in the ledger is looked at without taking it
        if self.world.worker(ask.process) not in owners:
            self.breach("one owner", f"{ask.process} reads {ask.key}, which belongs to {owners}")

    def carried_out(self, vendor: Vendor, number: int, life: Life) -> None:
        """A vendor has begun to work for a job."""
        self._lives[life.id] = (vendor, life)
        if len(vendor.made[number]) > 1:
            self.breach("paid once", f"job {number} is carried out {len(vendor.made[number])} times")

    def foreign(self, vendor: Vendor, life: Life) -> None:
        """Others had it made."""
        self._lives[life.id] = (vendor, life)

    def answered(self, vendor: Vendor, ask: Ask, answer: Answer) -> None:
        """A vendor's answer is on its way, and arrives."""
        process, now = ask.process, self.world.loop.time()
        if ask.kind == "create":
            attempt = self._attempt[ask]
            attempt.end = now
            attempt.is_lost = answer.means == "lost"
            if answer.means == "mixed up" and process is not None:
                self._mixed_up(process, int(ask.key), answer)
            if answer.means == "refused" and not answer.is_edge and answer.status in (401, 402):
                self._dismissed.add((process, vendor.name))
            if process is None or process.still:
                return  # when it goes on, the time for an answer may be over
            verdicts = {"throttled": "not done", "unavailable": "not done"}
            verdicts |= {"accepted": "accepted", "refused": "refused"}
            attempt.verdict = verdicts.get(answer.means, "open")
            attempt.is_unavailable = answer.means == "unavailable"
            if answer.means == "accepted" and answer.life is not None:
                self._follows.setdefault((process, answer.life.id), now)
        elif ask.kind == "read":
            self._reading[process, ask.key] -= 1
        if ask.port in self._confused:
            return
        if answer.wait is not None and answer.means in ("throttled", "unavailable"):
            self._holds.setdefault((process, vendor.name), []).append((now + answer.wait, answer.scope, now))
        if answer.is_genuine:
            vendor.refusals.append((now, answer.scope, process))
        if process is None or process.still or not self.world.knows_deadlines(process):
            return  # its jobs may be another's meanwhile, and an answer about them nobody's business
        if answer.means == "over" and ask.kind == "read":
            self._over.setdefault((process, ask.key), now)
        for life in answer.page if answer.means == "page" else ():
            who = (process, life.id)
            if now - self._follows.get(who, now) > 1.0 and not self._reading[who]:
                self._over.setdefault(who, now)

    def _mixed_up(self, process: Process, number: int, answer: Answer) -> None:
        told = id_in(answer.document)
        self.mixed_up[number] = told
        if any(job.provider_id == told for job in self.world.jobs_of(process)):
            self._anothers.add(number)
        self.begins_anew(process, told)

    def cut(self, ask: Ask) -> None:
        """A connection was cut instead of an answer."""
        self._cut_at[ask.process] = self.world.loop.time()
        if ask in self._attempt:
            self._attempt[ask].end = self.world.loop.time()
        if ask.kind == "read":
            self._reading[ask.process, ask.key] -= 1

    def confused(self, port: int) -> None:
        """What arrives on this connection may be anybody's answer."""
        self._confused.add(port)

    def is_confused(self, port: int) -> bool:
        """True if more has been said on this connection than was asked."""
        return port in self._confused

    def begins_anew(self, process: Process, key: str) -> None:
        """A user asks to follow it, whatever was known."""
        self._over.pop((process, key), None)
        self._attached.add((process, key))

    def looked_at_anothers(self, process: Process, key: str) -> None:
        """A user has read what another process follows: should that one die, it is taken up and asked about."""
        self._over.pop((process, key), None)

    # --- ends

    @contextmanager
    def excuse(self, process: Process, key: str) -> Iterator[None]:
        """A user asks about it, whoever follows it."""
        self.excused[process, key] += 1
        try:
            yield
        finally:
            self.excused[process, key] -= 1

    def ended(self, process: Process, job: Job, *, deadline: float, early: float, slack: float) -> None:
        """Awaiting a job has ended; `early` and `slack` are how much sooner or later that may be."""
        now = self.world.loop.time()
        error, name = job.error, self.world.name_of(job)
        self.shown(f"the end of {name}", error, job.generation)
        self._in_time(process, job, name, deadline, slack, now)
        number = self.world.number_of(job)
        if error is None:
            self.told(name, job.generation, "a waiter")
            self._is_settled(job, name)
            return
        is_unsent = job.provider_id is None
        attempts = self.attempts.get(number, []) if number is not None else []
        self._is_its_own(process, job, name, attempts, error)
        match error:
            case aiogen.SubmissionUnknown():
                # What another process has sent since is for that one to know.
                if attempts and attempts[-1].process is process and attempts[-1].verdict != "open":
                    self.breach("no lost job", f"{name} is called unknown, its create was {attempts[-1].verdict}")
                return
            case aiogen.SessionClosed():
                if not process.closing:
                    self.breach("typed ends", f"{name} ended in {error!r} while its session was open")
                return
            case aiogen.GenerationTimeout():
                if now < deadline - EXACT - early and deadline < math.inf:
                    self.breach("deadlines", f"{name} timed out {deadline - now:.3f} s early")
            case aiogen.GenerationFailed() if not isinstance(error, aiogen.GenerationRefused) and not is_unsent:
                self.told(name, job.generation, "a waiter")
                self._is_settled(job, name)
                return
            case (
                aiogen.GenerationFailed() | aiogen.AuthenticationError() | aiogen.InsufficientFunds()
                | aiogen.StoreError() | aiogen.NetworkError() | aiogen.ProviderError() | aiogen.NotFound()
                | aiogen.InvalidRequest()
            ):  # fmt: skip
                if isinstance(error, aiogen.NotFound) and not is_unsent:
                    self.told(name, job.generation, "a waiter")
                    return
            case _:
                self.breach("typed ends", f"{name} ended in {error!r}")
        if isinstance(error, aiogen.StoreError) and self.world.disk_failed:
            return  # the ledger may not have been told, and another program may send it
        if isinstance(error, aiogen.GenerationTimeout) and "do not submit it again" in str(error):
            return
        if is_unsent and number is not None and self.world.made(number):
            self.breach("paid once", f"{name} ended in {type(error).__name__} as if unsent, but it was carried out")

    def _is_its_own(
        self, process: Process, job: Job, name: str, attempts: list[Attempt], error: aiogen.AiogenError
    ) -> None:
        """What something in between said is about one request: no more than that ends by it."""
        if attempts and attempts[-1].is_lost and isinstance(error, aiogen.APIError | aiogen.NetworkError):
            words = f"{name} was carried out, and its answer lost on its way; it ended in {type(error).__name__}"
            self.breach("lost at the edge", words)
        if not isinstance(error, aiogen.APIError) or (process, job.connection) in self._dismissed:
            return
        if job.provider_id is not None and not error.from_api:
            self.breach("one answer, one job", f"{name} is paid for, and ended by {error!r}, not the vendor's word")
        mine = [attempt for attempt in attempts if attempt.process is process]
        was_refused = any(a.verdict == "refused" for a in mine) or sum(a.is_unavailable for a in mine) >= _TAKES
        is_dismissal = isinstance(error, aiogen.AuthenticationError | aiogen.InsufficientFunds)
        if is_dismissal or (job.provider_id is None and not was_refused):
            self.breach("one answer, one job", f"{name} ended in {error!r}, which nobody said of it")

    def _in_time(self, process: Process, job: Job, name: str, deadline: float, slack: float, now: float) -> None:
        stood = self.world.stood_still_until(process)
        # After a pause the ledger is asked first who owns the jobs that were not sent.
        latest = max(deadline, stood + 1.0 if stood else 0.0)
        if now > latest + EXACT + slack + 4 * self.world.slowest_commit:
            self.breach("deadlines", f"{name} ended {now - deadline:.3f} s after its deadline ({type(job.error)})")

    def _is_settled(self, job: Job, name: str) -> None:
        state = self.world.state_by_id(job.id)
        if state is not None and not state.is_terminal and not self.world.disk_failed:
            self.breach("ledger first", f"{name} is told to be {job.state}, the ledger says {state}")

    def shown(self, where: str, *what: object) -> None:
        """Anybody may see this: the keys are not in it, where a vendor quotes them."""
        for vendor in self.world.vendors:
            if vendor.plan.quotes and quotes.stands_in(vendor.key, _everything_in(what)):
                self.breach("no key", f"that of {vendor.name} is in {where}")

    def told(self, name: str, generation: Generation, who: str) -> None:
        """Somebody hears how a generation has ended."""
        self.shown(f"what {who} of {name} is told", generation)
        if not generation.state.is_terminal:
            self.breach("truth", f"{who} of {name} is told {generation.state}")
            return
        first = self._told.setdefault(generation.id or name, generation)
        same = (first.state, first.provider_id, [o.url for o in first.outputs], first.failure_code)
        if same != (
            generation.state, generation.provider_id, [o.url for o in generation.outputs], generation.failure_code
        ):  # fmt: skip
            self.breach("one completion", f"{who} of {name} is told {generation}, before it was {first}")
        self._is_true(name, generation, who)

    def _is_true(self, name: str, generation: Generation, who: str) -> None:
        number = self.world.numbers.get(generation.id or "")
        if generation.provider_id is None:
            if number is not None and self.world.made(number) and not self.world.disk_failed:
                self.breach("paid once", f"{who} of {name} is told {generation.state}, but it was carried out")
            return
        now = self.world.loop.time()
        vendor, life = self._lives.get(generation.provider_id, (None, None))
        if life is None or vendor is None:
            if generation.state is not State.FAILED:
                self.breach("truth", f"{who} of {name} is told of {generation.provider_id}, which nobody made")
            return
        is_marked = any("two creates with one id" in words for words in generation.warnings)
        is_mixed_up = number not in self._anothers and self.mixed_up.get(number or 0) == life.id and is_marked
        if life.number is not None and number is not None and life.number != number and not is_mixed_up:
            self.breach("truth", f"{who} of {name} is told of job {life.number}")
        state, codes = ENDS.get(life.fate, (None, frozenset()))
        if generation.state is not state or generation.failure_code not in codes or now < life.ends_at - _AT_ONCE:
            told = f"{generation.state} {generation.failure_code or ''}"
            self.breach("truth", f"{who} of {name} is told {told}, it is {life.fate} at {life.ends_at:.3f}")
        elif state is State.COMPLETED and [o.url for o in generation.outputs] != life.urls():
            self.breach("truth", f"{who} of {name} is told {generation.outputs}, it is {life.urls()}")

    def looked_up(self, generation: Generation, key: str) -> None:
        """A user has read a generation by the vendor's id."""
        self.shown(f"what is read of {key}", generation)
        if generation.provider_id != key:
            self.breach("truth", f"who asked about {key} is told of {generation.provider_id}")
        elif generation.state.is_terminal and generation.outputs:  # without any it may not be the last word
            self._is_true(key, generation, "who looked it up")

    def steps(self, name: str, states: list[State]) -> None:
        """The states that somebody who watches a job was told, in order."""
        for before, after in pairwise(states):
            if _RANKS[after] < _RANKS[before] or (before.is_terminal and after is not before):
                self.breach("forward", f"{name} went from {before} to {after}")


def id_in(document: Any) -> str:
    """Of the generation that was accepted."""
    if "id" in document:
        return str(document["id"])
    return str(next(value["generationId"] for value in document.values() if isinstance(value, dict)))


def _everything_in(what: object) -> str:
    """All that can be seen of it: the texts, of an error also what belongs to it and what led to it."""
    if isinstance(what, str):
        return what
    if isinstance(what, Generation):
        return repr(attrs.asdict(what))
    if isinstance(what, BaseException):
        led_to_it = what.__cause__ or what.__context__
        parts = [str(what), repr(what), _everything_in(tuple(vars(what).values())), _everything_in(led_to_it)]
        return "\n".join(parts)
    if isinstance(what, list | tuple):
        return "\n".join(map(_everything_in, what))
    return repr(what)
