"""A program and its users: what it submits, who waits for what, and how its lives end."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from contextlib import ExitStack
from random import Random
from typing import TYPE_CHECKING, Any

import aiogen
from aiogen import Generation, Job

from .lives import EPOCH
from .network import Process
from .scenario import JobPlan, ProgramPlan

if TYPE_CHECKING:
    from .world import World

HANDLER_TIMEOUT = 5.0
_LOOK = 2.0


class Program:
    """One of the programs that share the ledger."""

    def __init__(self, world: World, index: int, plan: ProgramPlan) -> None:
        self.world = world
        self.index = index
        self.plan = plan
        self.jobs = [job for job in world.plan.jobs if job.program == index]
        self.begun: set[int] = set()
        """Jobs that it has tried to submit."""
        self.process = Process("")
        self.session: aiogen.Session | None = None
        self.is_last = False
        self.waiting = 0
        """Waits that have not ended, in this life."""
        self._leaves = asyncio.Event()

    @property
    def is_idle(self) -> bool:
        """Its last life has nothing more to do by itself."""
        return self.is_last and len(self.begun) == len(self.jobs) and not self.waiting

    async def run(self) -> None:
        """Live, each life in turn."""
        begun_at = self.world.loop.time()
        lives = [*self.plan.lives, (math.inf, "leaves")]
        for i, (end, how) in enumerate(lives):
            self.is_last = i == len(lives) - 1
            self.process = process = Process(f"p{self.index}" + "abc"[i])
            self.world.processes.append(process)
            self._leaves = asyncio.Event()
            self.waiting = 0
            life = process.start(self._live(process))
            if not self.is_last:
                await asyncio.wait([life], timeout=max(0.0, begun_at + end - self.world.loop.time()))
                if how == "leaves":
                    self._leaves.set()
                else:
                    await self.world.kill(process, self.session, seen=how == "dies")
            if how == "leaves":
                await life
            self.session = None
            if not self.is_last:
                await asyncio.sleep(self.plan.pauses[i])

    async def stand_still(self) -> None:
        """As the scenario says: whatever it is doing."""
        for at, seconds in self.plan.stands_still:
            await asyncio.sleep(at)
            if not self.process.closing and not self.process.dead:
                await self.world.stop(self.process, seconds)

    # --- one life

    async def _live(self, process: Process) -> None:
        plan = self.plan
        session = aiogen.Session(
            self.world.connections(),
            store=self.world.store(process),
            take_up=plan.takes_up,
            max_in_flight=plan.max_in_flight,
            read_timeout=plan.read_timeout,
            submit_timeout=plan.submit_timeout,
            queue_timeout=plan.queue_timeout,
            unreachable_timeout=plan.unreachable_timeout,
            handler_timeout=HANDLER_TIMEOUT,
            call_timeout=60.0,
        )
        self.session = session
        try:
            await session.__aenter__()
        except aiogen.StoreError as error:
            self.world.say(process, f"cannot open its ledger: {error}")
            process.closed = True
            return
        self.world.say(process, "begins")
        if plan.handler is not None:
            await session.on_completion(f"gallery {self.index}", self._handler(process))
        submitting = process.start(self._submit_all(process, session))
        while not (self._leaves.is_set() or (self.is_last and self.world.is_quiet())):
            for job in await session.resume():
                self.world.say(process, f"takes up {self.world.name_of(job)}, {job.state}")
                self._wait(process, job, since=_LOOK)
            try:
                async with asyncio.timeout(_LOOK):
                    await self._leaves.wait()
            except TimeoutError:
                pass
        submitting.cancel()
        self.world.say(process, "leaves")
        process.closing = True
        at = self.world.loop.time()
        await session.close()
        process.closed = True
        took = self.world.loop.time() - at
        if took > plan.submit_timeout + 3 * HANDLER_TIMEOUT + 4 * self.world.slowest_commit and not plan.stands_still:
            self.world.laws.breach("leaving ends", f"{process} took {took:.3f} s to leave")
        await asyncio.sleep(0.0)
        for task in process.tasks():
            if task is not asyncio.current_task() and task.get_name().startswith("user"):
                task.cancel()
        self.world.say(process, "has left")

    def _handler(self, process: Process) -> Any:
        how, calls = self.plan.handler, dict[str | None, int]()
        r = Random(f"handler {self.world.plan.seed} {process}")

        async def handler(generation: Generation) -> None:
            name = self.world.name_by_id(generation.id)
            nth = calls[generation.id] = calls.get(generation.id, 0) + 1
            self.world.say(process, f"its handler is told of {name}: {generation.state}")
            self.world.laws.told(name, generation, "the handler")
            if how == "slow":
                await asyncio.sleep(r.choice((0.1, 1.0, 2 * HANDLER_TIMEOUT if nth == 1 else 0.5)))
            if how == "fails" and nth < r.choice((1, 2, 3)):
                raise RuntimeError("the gallery is closed")
            self.world.laws.delivered[f"gallery {self.index}", generation.id or ""] += 1

        return handler

    # --- submitting

    async def _submit_all(self, process: Process, session: aiogen.Session) -> None:
        for plan in self.jobs:
            if plan.number in self.begun and not plan.is_keyed:
                continue
            await asyncio.sleep(max(0.0, plan.at - self.world.loop.time()))
            is_new = plan.number not in self.begun
            self.begun.add(plan.number)
            try:
                if is_new:
                    for which, after in plan.repeats:
                        self._user(process, self._repeats_in(self.world.programs[which], plan, after))
                    await self._submit(process, session, plan)
                else:
                    await self._repeat(process, session, plan)
            except aiogen.StoreError as error:
                self.world.say(process, f"cannot submit job {plan.number}: {error}")

    async def _ask(self, session: aiogen.Session, plan: JobPlan) -> Job:
        more: dict[str, Any] = {"num_images": plan.images} if plan.images > 1 else {}
        if plan.timeout is not None:
            more["timeout"] = plan.timeout
        if plan.is_keyed:
            more |= {"key": f"night/{plan.number}", "scope": "ann"}
        return await session.submit(plan.model, f"picture {plan.number}.", poll_cost=plan.poll_cost, **more)

    async def _repeat(self, process: Process, session: aiogen.Session, plan: JobPlan) -> None:
        """The same request, under the same key: whoever was first, and whatever has become of that one."""
        job = await self._ask(session, plan)
        self.world.repeated(process, plan, job)
        if job not in self.world.handles:
            self._wait(process, job, since=math.inf, timeout=job.timeout + self.plan.queue_timeout + 90.0)

    async def _repeats_in(self, program: Program, plan: JobPlan, after: float) -> None:
        """Its user asks another program, or this one twice."""
        await asyncio.sleep(after)
        process, session = program.process, program.session
        if session is None or process.closing or process.dead or process.still:
            return

        async def asks() -> None:
            await program._repeat(process, session, plan)

        program._user(process, asks())

    async def _submit(self, process: Process, session: aiogen.Session, plan: JobPlan) -> None:
        job = await self._ask(session, plan)
        self.world.submitted(process, plan, job, f"gallery {self.index}" if self.plan.handler else None)
        self._wait(process, job)
        for who, after in plan.waiters:
            self._user(process, getattr(self, f"_{who}")(process, session, job, after))

    def _user(self, process: Process, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        async def does() -> None:
            self.waiting += 1
            try:
                await work
            except (aiogen.AiogenError, TimeoutError) as error:
                self.world.laws.shown("what a user met", error)
                # Waits of several kinds end as the job does; a session that is left refuses what is new.
                if isinstance(error, aiogen.InputError) and not process.closing:
                    self.world.laws.breach("typed ends", f"a user met {error!r}")
            finally:
                if not process.dead and process is self.process:
                    self.waiting -= 1

        task = process.start(does())
        task.add_done_callback(lambda _: work.close())  # also of one who was gone before the first step
        task.set_name(f"user {task.get_name()}")
        return task

    # --- those who wait

    def _wait(self, process: Process, job: Job, *, since: float = 0.0, timeout: float | None = None) -> None:
        """The one who always waits, and sees that the end comes in time."""
        self.world.handles.append(job)
        self._user(process, self._witness(process, job, since, timeout))

    def _heard_after(self, process: Process, job: Job) -> float:
        """How long ago it was sent, if another process has sent it: its deadline counts from the acceptance there."""
        number = self.world.number_of(job)
        attempts = self.world.laws.attempts.get(number, []) if number is not None else []
        if not attempts or attempts[-1].process is process:
            return 0.0
        return self.world.loop.time() - attempts[-1].begin

    def _left(self, job: Job) -> float:
        """Seconds to the deadline of one that was accepted before; what is taken up has a minute at least."""
        accepted_at = job.generation.accepted_at
        age = self.world.loop.time() + EPOCH - accepted_at.timestamp() if accepted_at is not None else 0.0
        return max(60.0, job.timeout - age)

    async def _witness(self, process: Process, job: Job, since: float, timeout: float | None) -> None:
        now, deadlines = self.world.loop.time, self.world.deadlines
        if timeout is None:
            timeout = self._left(job) if job.provider_id is not None else self.plan.queue_timeout
        deadlines[job] = now() + timeout
        known = job.provider_id is not None
        try:
            if not known:
                await job.accepted()
                deadlines[job] = now() + job.timeout
                since = max(since, self._heard_after(process, job))
                self.world.say(process, f"{self.world.name_of(job)} is accepted as {job.provider_id}")
                self.world.check_accepted(job)
            await job
        except aiogen.AiogenError:
            pass
        if process.dead:
            return
        error = type(job.error).__name__ if job.error is not None else ""
        self.world.say(process, f"{self.world.name_of(job)} ends: {job.state} {error}")
        slack = self.world.create_slack(job, deadlines[job], self.plan) if job.provider_id is None else 0.0
        deadline = deadlines[job] if self.world.knows_deadlines(process) else math.inf
        self.world.laws.ended(process, job, deadline=deadline, early=since, slack=slack)
        if isinstance(job.error, aiogen.GenerationTimeout):
            self.world.given_up.add(job.id)

    async def _impatient(self, process: Process, session: aiogen.Session, job: Job, after: float) -> None:
        due = self.world.loop.time() + after
        try:
            async with asyncio.timeout(after):
                await job
        except aiogen.AiogenError:
            return
        except TimeoutError:
            if not process.still and self.world.loop.time() > max(due, self.world.stood_still_until(process)) + 0.001:
                self.world.laws.breach("deadlines", f"asyncio.timeout() around {self.world.name_of(job)} came late")

    async def _cancelled(self, process: Process, session: aiogen.Session, job: Job, after: float) -> None:
        waiter = process.start(job.result())
        try:
            await asyncio.sleep(after)
        finally:
            waiter.cancel()
            await asyncio.gather(waiter, return_exceptions=True)
        if not waiter.cancelled() and not job.done:
            self.world.laws.breach("typed ends", f"a waiter of {self.world.name_of(job)} ended before its job")

    async def _watcher(self, process: Process, session: aiogen.Session, job: Job, after: float) -> None:
        states = [event.state async for event in job.events()]
        self.world.laws.steps(self.world.name_of(job), states)
        if not job.done:
            self.world.laws.breach("typed ends", f"the events of {self.world.name_of(job)} ended before it")

    async def _acceptance(self, process: Process, session: aiogen.Session, job: Job, after: float) -> None:
        await job.accepted()
        self.world.check_accepted(job)

    async def _withdrawer(self, process: Process, session: aiogen.Session, job: Job, after: float) -> None:
        await asyncio.sleep(after)
        if await job.withdraw():
            self.world.say(process, f"{self.world.name_of(job)} is withdrawn")
            self.world.unsent.add(self.world.number_of(job))

    async def _attacher(self, process: Process, session: aiogen.Session, job: Job, after: float) -> None:
        key = await job.accepted()
        await asyncio.sleep(after)
        await self._attach(process, session, job.connection, key, 5.0 + 3 * after)

    async def _attach(
        self, process: Process, session: aiogen.Session, connection: str, key: str, timeout: float
    ) -> None:
        self.world.laws.begins_anew(process, key)
        # Until its own record is there, an attached job may be another process's.
        with self.world.laws.excuse(process, key):
            job = await session.attach(connection, key, timeout=timeout)
            self.world.say(process, f"attaches {key} for {timeout:.3f} s")
            self.world.laws.begins_anew(process, key)
            self.world.deadlines[job] = self.world.loop.time() + timeout
            if job not in self.world.handles:
                self._wait(process, job, timeout=timeout)
            await job

    async def _getter(self, process: Process, session: aiogen.Session, job: Job, after: float) -> None:
        key = await job.accepted()
        await asyncio.sleep(after)
        with self.world.laws.excuse(process, key):
            generation = await session.get(job.connection, key)
        owners = (self.world.owners_of(key) or set()) - {None}
        if owners and self.world.worker(process) not in owners:
            # Another follows it, which got the same request first; this one may have to take it up yet.
            self.world.laws.looked_at_anothers(process, key)
        if generation.state.is_terminal:
            self.world.laws.looked_up(generation, key)

    async def _elsewhere(self, process: Process, session: aiogen.Session, job: Job, after: float) -> None:
        await asyncio.sleep(after)
        others = [p for p in self.world.programs if p is not self and p.session is not None]
        for other in others:
            other.look_at(job)

    def look_at(self, job: Job) -> None:
        """Wait for another program's job by its id."""
        process, session = self.process, self.session
        assert session is not None
        if process.closing or process.dead:
            return

        async def looks() -> None:
            same = await session.job(job.id)
            if same is None:
                self.world.laws.breach("no lost job", f"{process} does not find {self.world.name_of(job)}")
            elif same not in self.world.handles:
                self.world.say(process, f"waits for {self.world.name_of(job)} of another")
                self._wait(process, same, since=math.inf, timeout=same.timeout + self.plan.queue_timeout + 90.0)

        self._user(process, looks())

    async def _many(self, process: Process, session: aiogen.Session, job: Job, after: float) -> None:
        await asyncio.sleep(after)
        ids = self.world.foreign_ids(job.connection)[:3]
        for key in ids:
            self.world.laws.begins_anew(process, key)
        for each in session.jobs():
            if each.provider_id in ids:  # who waits for it already gets the latest deadline, too
                self.world.deadlines[each] = self.world.loop.time() + 30.0 + after
        with ExitStack() as asking:
            for key in ids:  # one that ends while this user's wish is on its way is asked about once more
                asking.enter_context(self.world.laws.excuse(process, key))
            results = await session.wait_many(job.connection, ids, timeout=30.0 + after, return_exceptions=True)
        for job_id, result in zip(ids, results, strict=True):
            if isinstance(result, Generation):
                self.world.laws.looked_up(result, job_id)
            elif isinstance(result, aiogen.GenerationTimeout):
                self.world.given_up.add(result.job_id or "")

    async def _collector(self, process: Process, session: aiogen.Session, job: Job, after: float) -> None:
        await asyncio.sleep(after)
        jobs = session.jobs()
        seen = [each async for each in session.as_completed(jobs)]
        if {id(each) for each in seen} != {id(each) for each in jobs}:
            self.world.laws.breach("typed ends", "as_completed() has not given each job once")
