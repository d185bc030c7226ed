"""Everything that can happen to a ledger and its processes, as rules for hypothesis, compared with the model."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.strategies import SearchStrategy as Strategy

from aiogen.models import State
from aiogen.testing.stores.driver import ANSWERS, HANDLERS, MEANWHILE, Driver

ENDS: tuple[State, ...] = (State.COMPLETED, State.FAILED, State.CANCELLED)
NAMES: tuple[tuple[str, str], ...] = (("", "x"), ("", "y"), ("ann", "x"))
"""Scopes and keys."""
SHORT, LONG = 5.05, 50.05
"""Seconds until a handler is called again.  No sum of the times that pass: stores need not agree on what is due in that
very moment."""

any_process: Strategy[int] = st.integers(0, 2)
any_job: Strategy[int] = st.integers(0, 20)
any_answer: Strategy[str] = st.sampled_from(ANSWERS)
any_pause: Strategy[float | None] = st.sampled_from([None, None, SHORT, LONG])
some_handlers: Strategy[tuple[str, ...]] = st.sampled_from([(), HANDLERS[:1], HANDLERS])
accounts: Strategy[str] = st.sampled_from("ab")
names: Strategy[tuple[str, str]] = st.sampled_from(NAMES)
mostly: Strategy[bool] = st.sampled_from([True, True, True, True, False])
some_accounts: Strategy[tuple[str, ...]] = st.sampled_from([("a",), ("b",), ("a", "b")])
some_time: Strategy[float] = st.sampled_from([0.02, 0.27, 0.6, 1.07, 8.0])
"""Times the lease."""


class StoreMachine(Driver, RuleBasedStateMachine):
    """The state machine of a `StoreBattery`; a store with rules of its own adds them in a subclass."""

    @initialize(handlers=some_handlers)
    def begins(self, handlers: tuple[str, ...]) -> None:
        self.begin(handlers)

    @rule(which=any_process, opens=mostly)
    def somebody_comes_or_goes(self, which: int, opens: bool) -> None:
        if opens and len(self.processes) < self.most:
            self.opens()
            return
        self.closes(which)
        if not self.processes:
            self.opens()

    @rule(which=any_process, is_known=st.booleans(), begins_again=st.booleans())
    def somebody_dies(self, which: int, is_known: bool, begins_again: bool) -> None:
        self.dies(which, is_known=is_known)
        if begins_again or not self.processes:
            self.opens()

    @rule(leases=some_time, who=st.sets(any_process), begins_again=mostly)
    def time_passes(self, leases: float, who: set[int], begins_again: bool) -> None:
        """Some processes renew their leases then, others are suspended."""
        self.passes(leases)
        for process in list(dict.fromkeys(self.process(which) for which in sorted(who))):
            self.heartbeat(process, begins_again=begins_again)

    @rule(which=any_process, accounts=some_accounts, only=st.none() | st.sets(any_job, max_size=3))
    def adopts(self, which: int, accounts: Collection[str], only: set[int] | None) -> None:
        ids = None if only is None else {self.job(each).id for each in only if self.model.jobs}
        self.adopt(self.process(which), accounts, ids)

    @precondition(lambda self: len(self.model.jobs) < 8)
    @rule(which=any_process, account=accounts, handlers=some_handlers, is_ours=mostly)
    def adds(self, which: int, account: str, handlers: tuple[str, ...], is_ours: bool) -> None:
        self.add(self.process(which), account, handlers, is_ours=is_ours)

    @precondition(lambda self: self.most > 1 and len(self.model.jobs) < 8)
    @rule(account=accounts, handlers=some_handlers, is_ours=mostly)
    def somebody_takes_in(self, account: str, handlers: tuple[str, ...], is_ours: bool) -> None:
        """A process that follows nothing."""
        self.take_in(account, handlers, is_ours=is_ours)

    @precondition(lambda self: len(self.model.jobs) < 8)
    @rule(which=any_process, name=names, account=accounts, handlers=some_handlers, failed=st.booleans())
    def adds_under_a_key(
        self, which: int, name: tuple[str, str], account: str, handlers: tuple[str, ...], failed: bool
    ) -> None:
        """Added once, by whichever process it is repeated; or another attempt, if the last one has ended."""
        process, latest = self.process(which), self.model.latest(*name)
        if failed and latest is not None:
            self.settle(process, [latest.id], State.FAILED)
        self.add(process, account, handlers, is_ours=True, name=name)
        self.look_under(process, *name)

    @precondition(lambda self: self.model.jobs)
    @rule(which=any_process, what=any_job, by_generation=st.booleans())
    def adds_again(self, which: int, what: int, by_generation: bool) -> None:
        self.add_again(self.process(which), self.job(what), by_generation=by_generation)

    @precondition(lambda self: self.model.jobs)
    @rule(which=any_process, what=any_job, is_pending=mostly)
    def withdraws(self, which: int, what: int, is_pending: bool) -> None:
        """Whoever owns the job; what was sent goes on."""
        self.withdraw(self.process(which), self.job(what, State.PENDING if is_pending else None))

    @precondition(lambda self: self.model.jobs)
    @rule(which=any_process, what=any_job, is_owner=mostly, again=st.booleans(), answer=st.none() | any_answer)
    def intends(self, which: int, what: int, is_owner: bool, again: bool, answer: str | None) -> None:
        """Perhaps twice, and perhaps with an answer that comes before anything else happens."""
        process, job = self.process(which), self.job(what, State.PENDING)
        process = self.owner(job) or process if is_owner else process
        self.intend(process, job)
        if again:
            self.intend(process, job)  # which is refused: it is being sent
        if answer is not None and self.creates and self.creates[-1].job is job:
            self.answer(self.creates[-1], answer, again=False)

    @precondition(lambda self: self.creates)
    @rule(which=st.integers(0, 9), what=any_answer, again=st.booleans())
    def answers(self, which: int, what: str, again: bool) -> None:
        self.answer(self.creates[which % len(self.creates)], what, again=again)

    @precondition(lambda self: self.model.jobs)
    @rule(
        what=any_job,
        meanwhile=st.sampled_from(MEANWHILE),
        wakes=st.booleans(),
        answer=any_answer,
        again=st.booleans(),
    )
    def a_create_is_late(self, what: int, meanwhile: str, wakes: bool, answer: str, again: bool) -> None:
        self.answer_late(self.job(what, State.PENDING), meanwhile, wakes=wakes, answer=answer, again=again)

    @precondition(lambda self: self.model.jobs)
    @rule(which=any_process, what=any_job, is_owner=mostly)
    def begins_at_the_vendor(self, which: int, what: int, is_owner: bool) -> None:
        job = self.job(what, State.QUEUED)
        self.progressed(self.owner(job) or self.process(which) if is_owner else self.process(which), job)

    @rule(which=any_process, what=st.lists(any_job, max_size=2), state=st.sampled_from(ENDS), ran=mostly)
    def ends(self, which: int, what: list[int], state: State, ran: bool) -> None:
        """The end comes from a poll, a hint, a duplicate or a job that was taken over; or it was withdrawn."""
        ids = [self.job(each).id for each in what if self.model.jobs]
        self.settle(self.process(which), [*ids, "unheard of"], state, ran=ran)

    @precondition(lambda self: self.model.jobs)
    @rule(which=any_process, what=any_job, is_unknown=mostly, is_found=st.booleans())
    def user_decides(self, which: int, what: int, is_unknown: bool, is_found: bool) -> None:
        """About an unknown job; about others there is nothing to decide."""
        provider_id = f"found-{self.number()}" if is_found else None
        self.decide(self.process(which), self.job(what, State.UNKNOWN if is_unknown else None), provider_id)

    @precondition(lambda self: self.model.jobs)
    @rule(which=any_process, what=any_job)
    def user_forgets(self, which: int, what: int) -> None:
        job = self.job(what)
        may = self.model.may_forget(job)
        assert self.run(self.process(which).store.forget([job.id, "unheard of"])) == int(may)
        if may:
            del self.model.jobs[job.id]

    @rule(which=any_process, handlers=some_handlers, limit=st.sampled_from([1, 20]))
    def claims(self, which: int, handlers: tuple[str, ...], limit: int) -> None:
        self.claim(self.process(which), handlers, limit)

    @precondition(lambda self: self.claimed)
    @rule(which=st.integers(0, 9), again=any_pause, keeps=st.booleans())
    def acks(self, which: int, again: float | None, keeps: bool) -> None:
        self.ack(which % len(self.claimed), again, keeps=keeps)

    @precondition(lambda self: self.model.jobs)
    @rule(which=any_process, what=any_job, again=any_pause, leases=some_time)
    def a_handler_fails(self, which: int, what: int, again: float | None, leases: float) -> None:
        """Or succeeds; some time later another process claims what is due."""
        process = self.process(which)
        self.settle(process, [self.job(what, State.PROCESSING).id], State.COMPLETED)
        for _ in range(self.claim(process, HANDLERS, 20)):
            self.ack(len(self.claimed) - 1, again, keeps=False)
        self.passes(leases)
        self.claim(self.process(which + 1), HANDLERS, 20)

    @rule(which=any_process, again=any_pause, late=any_pause)
    def a_handler_is_slow(self, which: int, again: float | None, late: float | None) -> None:
        self.bring_late(which, again, late)

    @rule(which=any_process, what=any_job)
    def looks(self, which: int, what: int) -> None:
        self.look(self.process(which), self.job(what) if self.model.jobs else None)
        for scope, key in NAMES:
            self.look_under(self.process(which), scope, key)

    @invariant()
    def agrees_with_the_model(self) -> None:
        self.compare()

    def teardown(self) -> None:
        self.finish()
