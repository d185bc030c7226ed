"""One story from its seed to its end: the vendors, the programs, their ledger, and the log of what happened."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import sys
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import aiohappyeyeballs
import aiohttp.connector
import attrs
from aiohttp import web
from async_solipsism.exceptions import SleepForeverError, SolipsismWarning

import aiogen
from aiogen import Job, State
from aiogen._polling import durations as _durations
from aiogen._polling import families as _families
from aiogen.models import Typical
from aiogen.stores.base import Record
from aiogen.stores.memory import MemoryStore
from aiogen.stores.sqlite import SqliteStore
from aiogen.stores.sqlite import store as sqlite

from .disk import Disk
from .laws import Laws
from .lives import EPOCH
from .network import Network, Process
from .program import Program
from .scenario import JobPlan, ProgramPlan, Scenario, VendorPlan, draw
from .vendor import Vendor

_LONGEST = 2000.0
"""Virtual seconds after which somebody surely waits for ever."""


class World:
    """Everything in one story; made inside its loop."""

    def __init__(self, plan: Scenario, loop: Network, folder: Path) -> None:
        self.plan = plan
        self.loop = loop
        self.log: list[str] = []
        self.laws = Laws(self)
        r = Random(f"disk {plan.seed}")
        self.slowest_commit = 2.5 * plan.commit
        """Seconds for one transaction, to the disk and back."""
        self.disk = Disk(folder / "ledger.db", lambda: r.uniform(0.0, plan.commit)) if plan.is_file else None
        self.memory = None if plan.is_file else MemoryStore(keep_finished=10_000)
        self.stores: dict[Process, Any] = {}
        self.processes: list[Process] = []
        self.vendors = [Vendor(self, vendor, 1000 + i) for i, vendor in enumerate(plan.vendors)]
        self.programs = [Program(self, i, program) for i, program in enumerate(plan.programs)]
        self.handles: list[Job] = []
        """Every job that anybody holds: what is followed must not depend on who is collected when."""
        self.numbers: dict[str, int] = {}
        self.ids: dict[int, str] = {}
        """Of the jobs under keys: what each key stands for."""
        self.deadlines: dict[Job, float] = {}
        self.expected: set[tuple[str, str]] = set()
        """Handlers, and the jobs of which they have to be told."""
        self.unsent: set[int | None] = set()
        self.given_up: set[str] = set()
        self.gone: set[str] = set()
        """Workers of which anybody can see that they are dead."""
        self.loudness = logging.DEBUG if any(vendor.quotes for vendor in plan.vendors) else logging.WARNING
        """What is listened to: where no vendor quotes the key, only what everybody hears."""
        self.disk_failed = False
        self.had_deaths = False
        self._is_over = False
        self._stood: dict[Process, float] = {}
        self._suspects: set[Process] = set()

    def say(self, who: object, words: str) -> None:
        """One line of the log."""
        self.log.append(f"{self.loop.time():12.6f}  {who!s:<9} {words}")

    # --- the story

    async def play(self) -> None:
        """From the first program's start to the last one's end."""
        runners = []
        for vendor in self.vendors:
            runner = web.ServerRunner(
                web.Server(vendor, keepalive_timeout=vendor.plan.keep_alive, access_log=None), shutdown_timeout=0.0
            )
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", vendor.port).start()
            runners.append(runner)
        fates = [asyncio.create_task(self._outages(vendor)) for vendor in self.vendors]
        fates += [asyncio.create_task(self._disk_trouble())]
        fates += [asyncio.create_task(self._others(vendor)) for vendor in self.vendors]
        fates += [asyncio.create_task(program.stand_still()) for program in self.programs]
        lives = [asyncio.create_task(program.run()) for program in self.programs]
        try:
            async with asyncio.timeout(_LONGEST):
                await asyncio.gather(*lives)
        except TimeoutError:
            self.laws.breach("every wait ends", f"not quiet after {_LONGEST:g} s: {self._unrest()}")
            for program in self.programs:
                if not program.process.closed and not program.process.dead:
                    await self.kill(program.process, program.session, seen=True)
        for fate in fates:
            fate.cancel()
        await asyncio.gather(*fates, return_exceptions=True)
        while any(vendor.under_way for vendor in self.vendors):
            await asyncio.sleep(1.0)
        await asyncio.sleep(1.0)
        for process in self.processes:
            if left := process.tasks():
                self.laws.breach("nothing left", f"{process} leaves tasks: {left}")
        for runner in runners:
            assert runner.server is not None
            if open_ones := len(runner.server.connections):
                self.laws.breach("nothing left", f"{open_ones} connections are still open")
            await runner.cleanup()
        await self._look_back()

    async def _outages(self, vendor: Vendor) -> None:
        for outage in vendor.plan.outages:
            if outage.how == "503":
                continue
            await asyncio.sleep(max(0.0, outage.begin - self.loop.time()))
            self.say(vendor.name, f"cannot be reached, {outage.how}")
            self.loop.down[vendor.port] = outage.how
            await asyncio.sleep(outage.end - self.loop.time())
            del self.loop.down[vendor.port]
            self.say(vendor.name, "can be reached")

    async def _disk_trouble(self) -> None:
        for begin, end in self.plan.disk_trouble:
            await asyncio.sleep(begin)
            assert self.disk is not None
            self.say("disk", "is full")
            self.disk.fails, self.disk_failed = "database or disk is full", True
            await asyncio.sleep(end - begin)
            self.disk.fails = None
            self.say("disk", "has room")

    async def _others(self, vendor: Vendor) -> None:
        r = Random(f"others {self.plan.seed} {vendor.name}")
        model = next(iter(vendor.plan.medians))
        for i in range(vendor.plan.foreign):
            life = vendor.carry_out(None, {"model": model, "prompt": f"picture of others {i}"})
            self.laws.foreign(vendor, life)
            await asyncio.sleep(r.expovariate(0.2))

    async def kill(self, process: Process, session: aiogen.Session | None, *, seen: bool) -> None:
        """It dies in the middle of whatever it was doing, and none of it has any effect any more."""
        self.say(process, "dies" if seen else "vanishes")
        self.had_deaths = True
        self.loop.hold(process)
        process.dead = True
        process.cut()
        if seen and (worker := self.worker(process)):
            self.gone.add(worker)
        # What is left of it in this Python is cleared away without anybody noticing.
        self.loop.go_on(process)
        for _ in range(3):
            for task in process.tasks():
                task.cancel()
            await asyncio.sleep(0.0)
        if session is not None:
            await process.start(session.close())
        while left := process.tasks():
            for task in left:
                task.cancel()
            await asyncio.sleep(0.0)

    async def stop(self, process: Process, seconds: float) -> None:
        """It stands still, as with SIGSTOP."""
        self.say(process, f"stands still for {seconds:g} s")
        self._stood[process] = self.loop.time() + seconds
        if seconds > 0.5 * self.plan.lease:
            self._suspects.add(process)
        self.had_deaths = True
        self.loop.hold(process)
        await asyncio.sleep(seconds)
        self.say(process, "goes on")
        self.loop.go_on(process)

    def is_quiet(self) -> bool:
        """Nothing more happens by itself, but what nobody waits for: everybody may leave."""
        self._is_over = self._is_over or not self._unrest()
        return self._is_over

    def _unrest(self) -> str:
        busy = [str(program.process) for program in self.programs if not program.is_idle]
        if busy:
            return f"{busy} have something to wait for"
        restless = [
            (job_id, state)
            for job_id, state in self.states().items()
            if not (state.is_terminal or state is State.UNKNOWN)
            and not (state in (State.QUEUED, State.PROCESSING) and job_id in self.given_up)
        ]
        if restless:
            return f"in the ledger: {restless}"
        ended = {job_id for job_id, state in self.states().items() if state.is_terminal}
        untold = [each for each in self.expected if each[1] in ended and not self.laws.delivered[each]]
        return f"not told: {sorted(untold)}" if untold else ""

    async def _look_back(self) -> None:
        """The laws about the whole."""
        for vendor in self.vendors:
            for number, made in vendor.made.items():
                self._is_kept(number, made[0])
            for number in self.unsent & vendor.made.keys():
                self.laws.breach("paid once", f"job {number} was withdrawn, and carried out")
            self._kept_budget(vendor)
        self._look_for_keys()
        if not self.had_deaths and not self.disk_failed:
            for (handler, job_id), count in self.laws.delivered.items():
                if count > 1:
                    self.laws.breach("one completion", f"{handler} was told of {self.name_by_id(job_id)} {count} times")

    def _look_for_keys(self) -> None:
        """In the ledger: what can be read in it, and whatever else is in its files."""
        if self.disk is None:
            self.laws.shown("the ledger", [attrs.asdict(record) for record in self._kept().values()])
            return
        for file in sorted(self.disk.path.parent.iterdir()):
            self.laws.shown(file.name, file.read_bytes().decode("latin-1"))

    def _is_kept(self, number: int, life: Any) -> None:
        records = self.records_of(number)
        if not records:
            self.laws.breach("no lost job", f"job {number}, carried out as {life.id}, is not in the ledger")
        for state, provider_id in records:
            if provider_id not in (life.id, self.laws.mixed_up.get(number), None) or (
                provider_id is None and state is not State.UNKNOWN
            ):
                self.laws.breach("no lost job", f"job {number} is {life.id}, the ledger says {state} {provider_id}")

    def _kept_budget(self, vendor: Vendor) -> None:
        """Few of the requests meet a limit: the programs know them, or learn them."""
        full = [process for _, scope, process in vendor.refusals if scope == "place"]
        others = len(vendor.refusals) - len(full)
        # Who is full is known only by trying, when something has ended or some time has passed.
        places = len(self.processes) * (5 + self.loop.time() / 30.0) + 2 * len(vendor.lives)
        rates = 3.0 * len(self.processes) + 0.03 * vendor.served
        if vendor.plan.foreign and not vendor.is_luma:
            rates += places  # others fill its places, and it does not say which limit was met
        if vendor.plan.believed > 1.0:
            # Every minute what is too much is tried anew, at once.
            rates += (1.0 + self.loop.time() / 60.0) * vendor.plan.creates * (vendor.plan.believed - 1.0)
        if len(full) > places or others > rates:
            self.laws.breach("budget", f"{vendor.name} refused {others} and {len(full)} of {vendor.served} requests")

    # --- what programs are given

    def connections(self) -> list[aiogen.Provider]:
        """For one session: the limits as the programs believe them to be, each its share."""
        return [self._connection(vendor) for vendor in self.vendors]

    def _connection(self, vendor: Vendor) -> aiogen.Provider:
        plan: VendorPlan = vendor.plan
        share = plan.believed  # one budget for all of them: they share it out through the ledger
        limits = {
            "max_active": max(1, int(plan.active * share)),
            "creates_per_minute": max(1, int(plan.creates * share)),
            "requests_per_minute": max(10, int(plan.requests * share)),
        }
        kind: Any = aiogen.Luma if vendor.is_luma else aiogen.Leonardo
        return kind(api_key=vendor.key, base_url=vendor.url(), **limits)

    def store(self, process: Process) -> Any:
        """The ledger, for one session."""
        if self.disk is None:
            self.stores[process] = self.memory
        else:
            self.stores[process] = SqliteStore(self.disk.path, lease=self.plan.lease)
        return self.stores[process]

    def submitted(self, process: Process, plan: JobPlan, job: Job, handler: str | None) -> None:
        """`submit` has returned."""
        self.numbers[job.id] = plan.number
        if plan.is_keyed and self.ids.setdefault(plan.number, job.id) != job.id:
            self.laws.breach("one job for one key", f"job {plan.number} is {self.ids[plan.number]} and {job.id}")
        self.say(process, f"submits job {plan.number} to {plan.model}, at most {job.timeout:g} s")
        if handler is not None and (not plan.is_keyed or handler in self._handlers_of(job.id)):
            self.expected.add((handler, job.id))
        if self.state_by_id(job.id) is None:
            self.laws.breach("ledger first", f"job {plan.number} is submitted, and not in the ledger")

    def _handlers_of(self, job_id: str) -> list[str]:
        """Of the program that was the first to get the request."""
        if self.disk is None:
            record = self._kept().get(job_id)
            return list(record.handlers) if record is not None else []
        return [name for (name,) in self.disk.row("SELECT handler FROM aiogen_delivery WHERE job = ?", job_id)]

    def repeated(self, process: Process, plan: JobPlan, job: Job) -> None:
        """`submit` has returned once more for the same key."""
        self.say(process, f"repeats job {plan.number}, which is {job.state}")
        self.ids.setdefault(plan.number, job.id)
        if self.ids[plan.number] != job.id:
            self.laws.breach("one job for one key", f"job {plan.number} is {self.ids[plan.number]} and {job.id}")
        self.numbers[job.id] = plan.number

    # --- what is known

    def worker(self, process: Process) -> str:
        """Its name in the ledger."""
        store = self.stores.get(process)
        return store.worker if isinstance(store, SqliteStore) else ""

    def stood_still_until(self, process: Process) -> float:
        return self._stood.get(process, 0.0)

    def knows_deadlines(self, process: Process) -> bool:
        """False where jobs may have changed their owner, which begins their deadlines anew."""
        return process not in self._suspects and not self.disk_failed

    def number_of(self, job: Job) -> int | None:
        if job.id in self.numbers:
            return self.numbers[job.id]
        prompt = job.generation.prompt or ""
        number = prompt.removeprefix("picture ").removesuffix(".")
        if number.isdecimal():
            self.numbers[job.id] = int(number)
            return int(number)
        return None

    def jobs_of(self, process: Process) -> list[Job]:
        """What this one follows."""
        sessions = [program.session for program in self.programs if program.process is process]
        return [job for session in sessions if session is not None for job in session.jobs()]

    def name_of(self, job: Job) -> str:
        number = self.number_of(job)
        return f"job {number}" if number is not None else f"attached {job.provider_id}"

    def name_by_id(self, job_id: str | None) -> str:
        number = self.numbers.get(job_id or "")
        return f"job {number}" if number is not None else f"another job {job_id}"

    def made(self, number: int) -> bool:
        """True if some vendor has carried it out."""
        return any(number in vendor.made for vendor in self.vendors)

    def foreign_ids(self, connection: str) -> list[str]:
        vendor = next(vendor for vendor in self.vendors if vendor.name == connection)
        return [life.id for life in vendor.lives.values() if life.number is None]

    def create_slack(self, job: Job, deadline: float, plan: ProgramPlan) -> float:
        """How much longer a job may wait here because its create was under way at its deadline."""
        attempts = self.laws.attempts.get(self.number_of(job) or 0, [])
        if any(attempt.begin <= deadline <= attempt.end for attempt in attempts):
            return plan.submit_timeout + 1.0
        # A create that finds nobody is under way, too, though no vendor sees it.
        return 11.0 if any(outage.how == "swallows" for v in self.vendors for outage in v.plan.outages) else 1.0

    def check_accepted(self, job: Job) -> None:
        """The ledger knows its id before anybody is told."""
        records = [r for r in self.records_by_id(job.id) if r[1] == job.provider_id]
        if not records and not self.disk_failed:
            self.laws.breach("ledger first", f"{self.name_of(job)} is accepted, and the ledger does not know it")

    # --- the ledger, as anybody can read it

    def _rows(self, where: str, *values: Any) -> list[tuple[Any, ...]]:
        assert self.disk is not None
        return self.disk.row(f"SELECT id, state, provider_id, owner FROM aiogen_job WHERE {where}", *values)

    def _kept(self) -> dict[str, Record]:
        assert self.memory is not None
        return self.memory._records

    def states(self) -> dict[str, State]:
        if self.disk is None:
            return {job_id: record.state for job_id, record in self._kept().items()}
        return {row[0]: State(row[1]) for row in self._rows("1")}

    def records_by_id(self, job_id: str) -> list[tuple[State, str | None]]:
        if self.disk is None:
            record = self._kept().get(job_id)
            return [(record.state, record.provider_id)] if record is not None else []
        return [(State(row[1]), row[2]) for row in self._rows("id = ?", job_id)]

    def records_of(self, number: int) -> list[tuple[State, str | None]]:
        ids = [job_id for job_id, each in self.numbers.items() if each == number]
        found = [record for job_id in ids for record in self.records_by_id(job_id)]
        if not found and self.disk is not None:  # its program died before it could say which one is which
            rows = self._rows("request LIKE ?", f'%"picture {number}."%')
            self.numbers.update({row[0]: number for row in rows})
            found = [(State(row[1]), row[2]) for row in rows]
        return found

    def state_of(self, number: int) -> State | None:
        records = self.records_of(number)
        return records[0][0] if records else None

    def state_by_id(self, job_id: str) -> State | None:
        records = self.records_by_id(job_id)
        return records[0][0] if records else None

    def copies(self, provider_id: str) -> int:
        """How many records are about one generation: each is followed to its end, whoever owns it."""
        return len(self._rows("provider_id = ?", provider_id)) if self.disk is not None else 1

    def owners_of(self, provider_id: str) -> set[str] | None:
        """Which workers may ask about it; None if nobody knows."""
        if self.disk is None or self.disk_failed:
            return None
        return {row[3] for row in self._rows("provider_id = ?", provider_id)} or None


class _Ears(logging.Handler):
    """What is logged, and what nobody looked at."""

    def __init__(self, world: World) -> None:
        super().__init__(world.loudness)
        self.world = world

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self.world.laws.shown("a record of the log", text, record.exc_info)
        if record.levelno < logging.WARNING:
            return
        self.world.say("log", f"{record.name}: {text}")
        if record.name != "aiogen" or "bug in aiogen" in text or ("could not be read" in text and record.exc_info):
            trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""  # type: ignore[arg-type]
            self.world.laws.breach("no surprise", f"{record.name}: {text} {trace}")

    def unhandled(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.world.laws.breach("no surprise", f"{context.get('message')}: {context.get('exception')!r}")


@cache
def _some_candidates(typical: Typical, all_of_them: Any = _families._candidates.__wrapped__) -> Any:
    return all_of_them(typical)[::12]


@contextmanager
def _everything_seeded(seed: int, loop: Network) -> Iterator[None]:
    """Chance, time and the network are the story's; afterwards they are the world's again."""
    r = Random(f"chance {seed}")
    state = random.getstate()
    random.seed(r.random())

    def uuid4() -> uuid.UUID:
        return uuid.UUID(int=r.getrandbits(128), version=4)

    patches = [
        patch.object(time, "time", lambda: EPOCH + loop.time()),
        patch.object(time, "thread_time", loop.time),  # what a turn of the loop may take is the story's, too
        patch("aiogen.stores.sqlite.clock.now", lambda _: EPOCH + loop.time()),  # the ledger's own
        patch.object(aiohttp.connector, "monotonic", loop.time),
        patch.object(aiohappyeyeballs, "start_connection", loop.connect),
        patch.object(secrets, "token_hex", lambda n=4: f"{r.getrandbits(8 * n):0{2 * n}x}"),
    ]
    # What is believed of durations may be coarse here: that is tested elsewhere, and costs most of the time.
    patches += [
        patch.object(_families, "_candidates", _some_candidates),
        patch.object(_durations, "_priors", {}),  # made again: how many turns of the loop that takes is the story's,
    ]
    patches += [
        patch.object(module, "uuid4", uuid4)
        for name, module in list(sys.modules.items())
        if name.startswith("aiogen.") and hasattr(module, "uuid4")
    ]
    try:
        for each in patches:
            each.start()
        yield
    finally:
        for each in reversed(patches):
            each.stop()
        random.setstate(state)


def run(seed: int) -> World:
    """Play the story of a seed; its log and what it broke stand on the world that is returned."""
    import aiogen._transfer.transport  # noqa: F401  - it is imported with the first session, and has to be seeded

    plan = draw(seed)
    loop = Network()
    ears: _Ears | None = None
    loggers = [logging.getLogger(name) for name in ("aiogen", "aiohttp", "asyncio")]
    before = [(logger.propagate, logger.level) for logger in loggers]
    with tempfile.TemporaryDirectory() as folder, _everything_seeded(seed, loop), warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", SolipsismWarning)
        world: World | None = None

        async def main() -> World:
            nonlocal ears, world
            world = World(plan, loop, Path(folder))
            ears = _Ears(world)
            loop.set_exception_handler(ears.unhandled)
            for logger in loggers:
                logger.addHandler(ears)
                logger.propagate = False
                logger.setLevel(world.loudness if logger.name == "aiogen" else logging.WARNING)
            if world.disk is not None:
                more.append(patch.object(sqlite, "Writer", world.disk.writer))
                more.append(patch.object(sqlite.reading, "Readers", world.disk.readers))
                more.append(patch.object(sqlite.workers, "is_dead", world.gone.__contains__))
                for each in more:
                    each.start()
            await world.play()
            return world

        more: list[Any] = []
        try:
            loop.run_until_complete(main())
        except SleepForeverError as error:
            assert world is not None
            world.laws.breach("every wait ends", str(error))
        finally:
            for logger, (propagate, level) in zip(loggers, before, strict=True):
                if ears is not None:
                    logger.removeHandler(ears)
                logger.propagate = propagate
                logger.setLevel(level)
            for each in more:
                each.stop()
            if world is not None and world.disk is not None:
                world.disk.close()
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
    assert world is not None
    return world


def digest(world: World) -> str:
    """Equal for equal logs."""
    return sha256("\n".join(world.log).encode()).hexdigest()


def told(world: World) -> str:
    """What a failing test says."""
    seed = world.plan.seed
    broken = "\n".join(f"  {each}" for each in world.laws.broken[:10])
    return f"seed {seed} breaks {len(world.laws.broken)} laws:\n{broken}\nThe story: python -m tests.simulation {seed}"
