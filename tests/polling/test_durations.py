"""`aiogen._polling.durations`: how long one model's generations take."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from polling.models_of import (
    LAWS,
    TYPICAL,
    check,
    drawn,
    lognormal,
    looks,
    median_of,
    quick,
    remembered,
    stored,
    taught,
)
from polling.teaching import counted, one_job, teach, up_to_date

from aiogen._polling import durations as _durations
from aiogen._polling.durations import DurationModel
from aiogen._polling.evidence import Sight
from aiogen._polling.plan import Plan
from aiogen._polling.survival import EDGES
from aiogen.models import Typical

# --- before anything was seen


@pytest.mark.parametrize(("median", "spread"), [(3.0, 0.4), (30.0, 0.45), (120.0, 0.6)])
def test_at_first_the_providers_table_counts(median: float, spread: float) -> None:
    """The typical duration is in the middle, and nothing has been seen."""
    typical = Typical(median=median, spread=spread)
    durations = DurationModel(typical)
    check(durations)
    assert median_of(durations) == pytest.approx(median, rel=0.12)
    assert (durations.typical, durations.seen, durations.version) == (typical, 0, 0)


def test_what_a_new_model_needs_is_made_in_steps_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The expectation of a provider's table is shared by its models; of many tables the oldest is made again."""
    monkeypatch.setattr(_durations, "_priors", {})
    monkeypatch.setattr(_durations, "_PRIORS_KEPT", 2)
    tables = [Typical(median=median) for median in (5.0, 50.0, 500.0)]
    for typical in tables:
        assert counted(_durations.preparing(typical))[1] > 20
        assert counted(_durations.preparing(typical))[1] == 1
    assert list(_durations._priors) == tables[1:]
    assert DurationModel(tables[1]).curve is DurationModel(tables[1]).curve


def test_what_was_read_from_few_ends_learns_as_quickly_as_they_allow() -> None:
    """One end is no reason to wait for forty."""
    again = DurationModel.from_json(TYPICAL, stored(taught([20.0])))
    version = again.version
    teach(again, [10.0] * 3)
    assert again.version >= version + 2


def test_one_model_teaches_nothing_about_another() -> None:
    """Two that begin with the same typical duration learn for themselves."""
    one, other = DurationModel(TYPICAL), DurationModel(TYPICAL)
    before = list(other.curve)
    teach(one, [5.0] * 10)
    assert median_of(one) < 10.0
    assert (other.curve, other.seen) == (before, 0)


# --- learning


@pytest.mark.parametrize(("name", "every"), [*((name, 2.0) for name in LAWS), ("lognormal", None)], ids=str)
def test_the_truth_is_approached(name: str, every: float | None) -> None:
    """Whatever the durations follow: twenty ends say much, and after 120 the estimate is nowhere far from the truth."""
    draw, truth = LAWS[name]
    durations, ends = DurationModel(TYPICAL), drawn(draw, 120, seed=2)
    wrong = []
    for part in ([], ends[:20], ends[20:]):
        teach(durations, part, every)
        check(durations)
        wrong.append(max(abs(durations.left(edge) - truth(edge)) for edge in EDGES))
    assert wrong[0] > 0.4
    assert wrong[1] < 0.25
    assert wrong[2] < 0.11


def test_the_ends_of_a_uniform_are_sharp() -> None:
    """Where all end between 40 s and 80 s hardly any is expected to end before or after."""
    durations = taught(drawn(LAWS["uniform"][0], 120, seed=2))
    assert durations.left(37.0) > 0.97
    assert durations.left(83.0) < 0.03
    assert durations.left(60.0) == pytest.approx(0.5, abs=0.08)


def test_between_two_humps_nothing_ends() -> None:
    """Where some take 8 s and some 40 s, none is expected to take 20 s, and the share of each is known."""
    durations = taught(drawn(LAWS["two humps"][0], 120, seed=2), 2.0)
    assert durations.left(13.0) - durations.left(26.0) < 0.04
    assert durations.left(20.0) == pytest.approx(0.4, abs=0.1)


def test_coarse_looks_leave_more_doubt() -> None:
    """Of jobs that all take 33 s exact ends show that, and questions every ten seconds that it is between 30 and 40."""
    exact, fine, coarse = (taught([33.0] * 15, every) for every in (None, 1.0, 10.0))
    widths = [d.quantile(0.1) - d.quantile(0.9) for d in (exact, fine, coarse)]
    assert max(widths[:2]) < 4.5 < 7.0 < widths[2] < 12.0
    assert median_of(exact) == pytest.approx(33.0, rel=0.02)
    assert median_of(fine) == pytest.approx(33.5, rel=0.02)
    assert 29.0 < coarse.quantile(0.95) < coarse.quantile(0.05) < 42.0


def test_looks_at_different_ages_tell_what_coarse_ones_cannot() -> None:
    """Intervals that begin anywhere overlap where the jobs end, and the estimate narrows round that place."""
    chance, durations, widths = Random(1), DurationModel(TYPICAL), []
    for _ in range(100):
        since = 33.0 - chance.uniform(0.0, 10.0)
        one_job(durations, [since], since + 10.0)
        widths.append(durations.quantile(0.1) - durations.quantile(0.9))
    assert median_of(durations) == pytest.approx(33.0, rel=0.03)
    assert widths[99] < 0.8 * widths[19] < 0.5 * widths[0]


def test_what_runs_still_counts_too() -> None:
    """In a batch of jobs between 20 s and 40 s, ends alone would say at 25 s that the model is quick."""
    ends = sorted(drawn(lambda chance: chance.uniform(20.0, 40.0), 40))
    early = [age for age in ends if age < 25.0]
    alone, batch = taught(early), DurationModel(TYPICAL)
    sights = [(batch.begin(), age) for age in ends]
    for sight, age in sights:
        batch.runs(sight, min(age, 25.0))
        if age < 25.0:
            batch.ended(sight, age)
    batch.fit()
    assert median_of(alone) < 25.0 < median_of(batch) < 40.0
    assert batch.seen == len(early)


def test_a_batch_that_is_looked_at_all_the_time() -> None:
    """Forty jobs between 20 s and 40 s, looked at every half second: the middle is known before half have ended."""
    durations, medians = DurationModel(TYPICAL), {}
    live = [(durations.begin(), age) for age in drawn(lambda chance: chance.uniform(20.0, 40.0), 40)]
    for now in (n / 2.0 for n in range(1, 81)):
        for sight, age in live:
            (durations.runs if age > now else durations.ended)(sight, now)
        live = [(sight, age) for sight, age in live if age > now]
        up_to_date(durations)
        medians[now] = median_of(durations)
    assert live == []
    for age, off in ((25.0, 0.35), (30.0, 0.15), (40.0, 0.1)):
        assert medians[age] == pytest.approx(30.0, rel=off)


def test_running_alone_teaches() -> None:
    """Ten jobs that still run after two minutes are slower than thought, with no end seen."""
    durations = DurationModel(TYPICAL)
    sights = [durations.begin() for _ in range(10)]
    for age in range(10, 130, 10):
        for sight in sights:
            durations.runs(sight, age)
        up_to_date(durations)
    check(durations)
    assert median_of(durations) > 130.0
    assert (durations.seen, durations.version > 0) == (0, True)


def test_one_look_or_many_are_the_same_time() -> None:
    """A minute without an end is a minute, in how many pieces it may come; nothing is learned of no time."""
    whole, pieces = DurationModel(TYPICAL), DurationModel(TYPICAL)
    for _ in range(3):
        whole.runs(whole.begin(), 61.0)
        sight = pieces.begin()
        for age in (0.1, 0.7, 3.0, 3.0, 10.0, 10.1, 9.0, 0.0, 55.5, 61.0, 55.5):
            pieces.runs(sight, age)
    assert remembered(pieces)[1] == pytest.approx(remembered(whole)[1])
    assert sum(remembered(whole)[1][:5]) == pytest.approx(15.0)
    for durations in (whole, pieces):
        durations.fit()
    assert pieces.curve == pytest.approx(whole.curve, abs=1e-9)


def test_the_last_ages_of_the_grid() -> None:
    """What runs for longer than the grid counts as having run to its end; beyond that all ages are alike."""
    durations, shorter = DurationModel(TYPICAL), DurationModel(TYPICAL)
    sight = durations.begin()
    for age in (7_000.0, 90_000.0, 95_000.0):
        durations.runs(sight, age)
    shorter.runs(shorter.begin(), EDGES[-1])
    assert remembered(durations) == remembered(shorter)
    durations.ended(sight, 99_000.0)
    durations.fit()
    check(durations)
    assert (durations.seen, remembered(durations)[2]) == (1, pytest.approx(1.0))


@pytest.mark.parametrize("since", [EDGES[-1], 8_000.0, 90_000.0])
def test_an_end_beyond_the_grid(since: float) -> None:
    """A job that ended after three hours is an end, too."""
    durations = DurationModel(TYPICAL)
    one_job(durations, [since], since + 60.0)
    check(durations)
    assert durations.seen == 1


@pytest.mark.parametrize(("first", "factor"), [(1.0, 5.0), (20.0, 1.4)])
def test_later_ends_are_a_later_belief(first: float, factor: float) -> None:
    """If all jobs took longer by some factor, more is expected to be left at any age that matters."""
    sample = drawn(lognormal(first, 0.2), 5)
    quicker, slower = taught(sample, 0.5), taught([factor * age for age in sample], 0.5)
    assert median_of(slower) > 1.15 * median_of(quicker)
    assert slower.left(first * math.sqrt(factor)) > quicker.left(first * math.sqrt(factor)) + 0.2


@pytest.mark.parametrize("ends", [4, 50])
def test_hardly_anything_has_ended(ends: int) -> None:
    """A hundred times as many have hung for longer than the grid: that is learned, too."""
    durations = DurationModel(TYPICAL)
    sights = [durations.begin() for _ in range(100 * ends)]
    for sight in sights[ends:]:
        durations.runs(sight, 1e5)
    for sight in sights[:ends]:
        durations.ended(sight, 10.0)
    durations.fit()
    check(durations)
    assert durations.left(7_000.0) > 0.9


@pytest.mark.parametrize(("median", "spread"), [(0.5, 0.1), (3_000.0, 0.5)])
def test_a_wrong_table_is_outweighed(median: float, spread: float) -> None:
    """Whatever the provider's table said, after 25 ends the model's own durations count."""
    durations = teach(DurationModel(Typical(median=median, spread=spread)), drawn(lognormal(20.0, 0.25), 25))
    assert median_of(durations) == pytest.approx(20.0, rel=0.15)
    assert durations.quantile(0.05) < 45.0


# --- what is asked of it


@given(
    ends=st.lists(st.sampled_from([0.2, 8.0, 30.0, 31.0, 4_000.0]), max_size=3),
    ages=st.tuples(st.floats(0.0, 9_000.0), st.floats(0.0, 9_000.0)).map(sorted),
    shares=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)).map(sorted),
    every=st.sampled_from([None, 3.0]),
)
@quick
def test_what_is_left_only_falls(
    ends: list[float], ages: list[float], shares: list[float], every: float | None
) -> None:
    """Later, less is left; the smaller the share that is to outlast an age, the later it is; and the two agree."""
    durations = taught(ends, every)
    check(durations)
    assert durations.left(ages[0]) >= durations.left(ages[1]) - 1e-12
    assert durations.quantile(shares[0]) >= durations.quantile(shares[1])
    assert 0.0 <= durations.quantile(shares[1]) <= durations.quantile(shares[0]) <= EDGES[-1]
    for share in shares:
        if durations.left(EDGES[-1]) < share < durations.left(0.0):
            assert durations.left(durations.quantile(share)) == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize("ends", [[], drawn(LAWS["two humps"][0], 25)], ids=["none", "humps"])
def test_dearer_requests_are_rarer(ends: list[float]) -> None:
    """The higher the price of a request, the fewer looks at a job."""
    durations = taught(ends, 1.0)
    counts = [len(looks(durations, price, 300.0)) for price in (0.005, 0.05, 0.5, 5.0, 50.0)]
    assert all(a > b for a, b in pairwise(counts[:4]))
    assert counts[3] >= counts[4]


def test_the_plan_is_of_the_belief() -> None:
    """What is asked is what the estimate and the price say; prices that hardly differ share a plan."""
    durations = taught([20.0] * 10)
    plan = durations.plan(0.15)
    expected = Plan(durations.curve, 0.15)
    ages = [0.0, 5.0, 18.0, 19.9, 21.0, 300.0]
    assert [plan.next_age(age) for age in ages] == [expected.next_age(age) for age in ages]
    assert durations.plan(0.15) is plan
    assert durations.plan(0.16) is plan
    assert durations.plan(0.14) is plan
    for price in (0.001, 0.03, 0.2, 1.0, 60.0):
        others = [Plan(durations.curve, price * factor).next_age(0.0) for factor in (0.89, 1.12)]
        assert min(others) - 0.2 <= durations.plan(price).next_age(0.0) <= max(others) + 0.2
        assert durations.plan(price) is not plan


def test_with_the_belief_the_plan_changes() -> None:
    """Plans last as long as the estimate they were made of."""
    durations = DurationModel(TYPICAL)
    plan, version, curve = durations.plan(0.15), durations.version, durations.curve
    durations.runs(durations.begin(), 0.3)
    up_to_date(durations)
    assert (durations.version, durations.curve) == (version, curve)
    assert durations.plan(0.15) is plan
    teach(durations, [5.0] * 5)
    assert durations.version > version
    assert durations.plan(0.15) is not plan
    assert len([age for age in looks(durations, 0.15, 8.0) if age < 8.0]) > 3


def test_a_belief_that_is_sure_changes_rarely() -> None:
    """Fitting costs time: the first ends are all worth it, the hundredth is not; and nothing changes in between."""
    durations = DurationModel(TYPICAL)
    versions = []
    for age in drawn(lognormal(20.0, 0.3), 120):
        before = durations.version, durations.curve
        sight = durations.begin()
        durations.runs(sight, age)
        durations.ended(sight, age)
        assert (durations.version, durations.curve) == before
        is_outdated = durations.is_outdated
        up_to_date(durations)
        assert (durations.version > before[0]) is (durations.curve is not before[1]) is is_outdated
        versions.append(durations.version)
    assert versions[:2] == [1, 2]
    assert 10 <= versions[-1] <= 40
    assert versions[-1] - versions[79] <= 4


# --- all together

prices = st.sampled_from([0.001, 0.03, 0.15, 2.0, 60.0])
lasting = st.one_of(st.floats(0.01, 100.0), st.floats(0.01, 6_000.0))


class DurationsMachine(RuleBasedStateMachine):
    """Jobs that are asked about as planned, others known exactly or roughly, and a restart now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.durations = DurationModel(TYPICAL)
        self.history: list[tuple[str, int, float]] = []
        self.sights: dict[int, Sight] = {}
        self.jobs: list[tuple[int, float, float]] = []  # its number, how long it lasts, when it was last asked about
        self.numbers = 0
        self.known = (0, self.durations.curve)
        self.seen = 0

    def teach(self, what: str, number: int = 0, age: float = 0.0) -> None:
        self.history.append((what, number, age))
        self.durations = self.after(self.durations, self.sights, what, number, age)
        self.seen += what == "ended"

    @staticmethod
    def after(durations: DurationModel, sights: dict[int, Sight], what: str, number: int, age: float) -> DurationModel:
        match what:
            case "restart":
                durations = DurationModel.from_json(TYPICAL, stored(durations))
                sights.update({n: durations.begin() for n in sights})  # followed by another session now
            case "begin":
                sights[number] = durations.begin()
            case "runs":
                durations.runs(sights[number], age)
            case "ended":
                durations.ended(sights.pop(number), age)
            case "fit":
                up_to_date(durations)
        return durations

    def begin(self) -> int:
        self.numbers += 1
        self.teach("begin", self.numbers)
        return self.numbers

    @rule(age=lasting, times=st.integers(1, 6))
    def exact_ends(self, age: float, times: int) -> None:
        for n in range(times):
            number = self.begin()
            self.teach("runs", number, age * (1.0 + 0.03 * n))
            self.teach("ended", number, age * (1.0 + 0.03 * n))
            self.teach("fit")

    @rule(since=lasting, length=lasting, fits=st.booleans())
    def rough_end(self, since: float, length: float, fits: bool) -> None:
        number = self.begin()
        self.teach("runs", number, since)
        self.teach("ended", number, since + length)
        if fits:
            self.teach("fit")

    @rule(since=lasting, length=lasting)
    def still_running(self, since: float, length: float) -> None:
        """One that is never asked about again."""
        number = self.begin()
        self.teach("runs", number, since)
        self.teach("runs", number, since + length)
        self.teach("fit")

    @rule(lasts=lasting, times=st.integers(1, 5))
    def submit(self, lasts: float, times: int) -> None:
        """Some that begin together."""
        self.jobs += [(self.begin(), lasts * (1.0 + 0.1 * n), 0.0) for n in range(times)]

    @precondition(lambda self: self.jobs)
    @rule(price=prices, times=st.integers(1, 4))
    def ask(self, price: float, times: int) -> None:
        for _ in range(min(times, len(self.jobs))):
            self.look(price)

    def look(self, price: float) -> None:
        """At the job that waits longest."""
        number, lasts, asked = self.jobs.pop(0)
        age = self.durations.plan(price).next_age(asked)
        assert asked < age < math.inf
        if lasts > age:
            self.teach("runs", number, age)
            self.jobs.append((number, lasts, age))
        else:
            self.teach("ended", number, age)
        self.teach("fit")

    @rule()
    def restart(self) -> None:
        before = self.durations._evidence.together().ended
        self.teach("restart")
        self.known = (self.durations.version, self.durations.curve)
        after = self.durations._evidence.together().ended
        assert after == pytest.approx({k: w for k, w in before.items() if k in after}, abs=1e-6)
        assert all(w < 1e-5 for k, w in before.items() if k not in after)

    @invariant()
    def is_a_distribution(self) -> None:
        check(self.durations)

    @invariant()
    def is_counted(self) -> None:
        ends, exposure, weight = remembered(self.durations)
        assert self.durations.seen == self.seen
        assert weight <= self.seen + 1e-6
        assert sum(ends) == pytest.approx(weight, abs=1e-6)
        assert all(math.isfinite(amount) and amount >= 0.0 for amount in [*ends, *exposure])

    @invariant()
    def says_when_it_changes(self) -> None:
        version, curve = self.known
        assert self.durations.version >= version
        assert (self.durations.version == version) is (self.durations.curve is curve)
        self.known = (self.durations.version, self.durations.curve)

    def teardown(self) -> None:
        looks = 0
        while self.jobs:
            self.look(2.0)
            looks += 1
            assert looks < 2_000, "somebody is asked about for ever, and does not end"
        check(self.durations)
        again, sights = DurationModel(TYPICAL), {}
        for event in self.history:
            again = self.after(again, sights, *event)
        assert again.curve == self.durations.curve, "the same history gives another estimate"
        assert again.to_json() == self.durations.to_json()


TestDurations = DurationsMachine.TestCase
TestDurations.settings = settings(
    deadline=None, derandomize=True, max_examples=4, stateful_step_count=8, report_multiple_bugs=False
)


def test_what_is_expected_before_anything_was_seen_is_kept_for_some_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest ago goes, and is made again when it is needed."""
    priors: dict[Typical, Any] = {}
    monkeypatch.setattr("aiogen._polling.durations._priors", priors)
    monkeypatch.setattr("aiogen._polling.durations._PRIORS_KEPT", 2)
    typicals = [Typical(median=seconds, spread=0.5) for seconds in (5.0, 20.0, 60.0)]
    curves = [DurationModel(typical).curve for typical in typicals]
    assert list(priors) == typicals[1:]
    assert DurationModel(typicals[0]).curve == curves[0]


def test_plans_are_kept_for_the_latest_prices() -> None:
    """A price that changes all the time takes no more memory than some plans."""
    model = DurationModel(Typical(median=20.0, spread=0.5))
    plans = [model.plan(0.01 * 1.4**i) for i in range(20)]
    assert model.plan(0.01 * 1.4**19) is plans[19]
    assert model.plan(0.01) is not plans[0]
    assert len(model._plans) == 12
