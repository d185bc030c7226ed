"""What a seed draws: vendors, programs, jobs, users and faults, all decided before anything runs."""

from __future__ import annotations

import math
from random import Random
from typing import Any, TypeVar

import attrs

T = TypeVar("T")

CREATE_FAULTS = (
    "500", "500 after", "502", "503", "503 told", "408", "429", "429 told", "429 dated", "cut", "cut after", "stall",
    "stall after", "half", "html", "html after", "html 403", "empty", "nonsense", "slow", "at once", "400", "422",
)  # fmt: skip
RARE_CREATE_FAULTS = ("401", "402")
"""They end every job that waits for its turn."""
READ_FAULTS = (
    "500", "500 told", "502", "503", "503 told", "429", "429 told", "429 dated", "cut", "half", "stall", "html",
    "empty", "nonsense", "wrong id", "stale", "slow", "twice", "twice late", "strange",
)  # fmt: skip
LIST_FAULTS = ("500", "429 told", "503", "cut", "half", "html", "nonsense", "slow", "stall", "stale", "gaps")
FATES = ("completed", "moderated", "failed", "stuck", "lost", "hollow", "hollow twice", "partial", "empty")
EDGE_LOSES = (200, 201, 202, 204, 301, 302, 307, 408, 500, 502, 503, 504, 520, 524)
"""What an edge says instead of the vendor's answer to a create, whether it had passed it on or not."""
EDGE_TURNS_AWAY = (400, 401, 402, 403, 404, 405, 407, 410, 413, 429, 451)
"""What it says to a create that it did not pass on."""
EDGE_READS = (200, 204, 302, 400, 401, 402, 403, 404, 410, 429, 451, 500, 502, 503, 504)
EDGE_FORMS = ("page", "text", "empty", "json")
"""How it says so: never as the vendor does."""
QUOTE_PLACES = ("errors", "answers", "request id", "broken header", "pages")
QUOTE_WAYS = ("plain", "slashes", "escaped", "percent", "percent lower", "base64", "hex", "entities")
WAITERS = (
    "impatient", "cancelled", "watcher", "acceptance", "withdrawer", "attacher", "getter", "elsewhere", "many",
    "collector",
)  # fmt: skip


@attrs.frozen(kw_only=True)
class Outage:
    """A vendor that cannot be reached for a while."""

    begin: float
    end: float
    how: str
    """"refuses", "swallows", or "503"."""


@attrs.frozen(kw_only=True)
class EdgePlan:
    """What stands between the programs and a vendor, and sometimes answers in its place."""

    loses: tuple[int, ...]
    turns_away: tuple[int, ...]
    reads: tuple[int, ...]
    """Statuses."""
    forms: tuple[str, ...]
    odds: tuple[float, float, float]
    """Of each of these."""
    repeats: float
    """How often it answers a create, which is carried out, with the answer to an earlier one."""


@attrs.frozen(kw_only=True)
class VendorPlan:
    """One account at one vendor."""

    name: str
    active: int
    creates: int
    """A minute."""
    requests: int
    """A minute."""
    believed: float
    """The programs think that the account allows so many times as much."""
    slots: int
    latency: tuple[float, float]
    medians: dict[str, float]
    spread: float
    fates: dict[str, float]
    late_knowledge: float
    """Seconds after a create for which reads may not know it."""
    list_lag: float
    tells_wait: bool
    """429s say how long to wait."""
    frees_by_poll: bool
    keep_alive: float
    create_faults: tuple[str, ...]
    read_faults: tuple[str, ...]
    list_faults: tuple[str, ...]
    roughness: float
    outages: tuple[Outage, ...]
    foreign: int
    """Generations that others made there."""
    edge: EdgePlan | None
    quotes: tuple[tuple[str, str], ...]
    """Where the key is quoted, and how it is written there."""
    blips: bool
    """For a second or two reads do not know what they knew before."""


@attrs.frozen(kw_only=True)
class JobPlan:
    """One submission, and who waits for it."""

    number: int
    model: str
    program: int
    at: float
    timeout: float | None
    poll_cost: float | None
    images: int
    waiters: tuple[tuple[str, float], ...]
    """What each does, and after how many seconds."""
    is_keyed: bool = False
    """Its user has a name for it, and repeats the request in each life of the program."""
    repeats: tuple[tuple[int, float], ...] = ()
    """Other programs that get the same request, and how many seconds later."""


@attrs.frozen(kw_only=True)
class ProgramPlan:
    """One program, from its first start to the end of its last life."""

    lives: tuple[tuple[float, str], ...]
    """When each but the last ends, and how: "leaves", "dies", or "vanishes" (nobody can see that it died)."""
    pauses: tuple[float, ...]
    """Seconds between two lives."""
    stands_still: tuple[tuple[float, float], ...]
    """From when, and how long."""
    handler: str | None
    """"plain", "fails", "slow"; or nobody is told of ends."""
    takes_up: bool
    max_in_flight: int
    read_timeout: float
    submit_timeout: float
    queue_timeout: float
    unreachable_timeout: float


@attrs.frozen(kw_only=True)
class Scenario:
    """A whole story."""

    seed: int
    vendors: tuple[VendorPlan, ...]
    programs: tuple[ProgramPlan, ...]
    jobs: tuple[JobPlan, ...]
    is_file: bool
    """The ledger is in a file, which all programs share."""
    commit: float
    """Most seconds that the disk takes, usually."""
    lease: float
    disk_trouble: tuple[tuple[float, float], ...]

    @property
    def is_calm(self) -> bool:
        """Nothing goes wrong in it, so everything has to go well."""
        return (
            all(
                not v.roughness and not v.outages and not v.late_knowledge and set(v.fates) == {"completed"}
                and v.believed <= 1.0 and not v.edge and not v.blips
                for v in self.vendors
            )
            and all(not p.lives and not p.stands_still for p in self.programs)
            and not self.disk_trouble
        )  # fmt: skip


def draw(seed: int) -> Scenario:
    """The scenario of a seed."""
    r = Random(f"scenario {seed}")
    mood = r.choices(("calm", "light", "rough", "storm"), (2, 3, 4, 2))[0]
    is_file = r.random() < 0.65
    count = r.choices((1, 2, 3), (7, 3, 2))[0] if is_file else 1
    names = r.choice((("luma",), ("leonardo",), ("luma", "leonardo")))
    vendors = tuple(_vendor(r, Random(f"edge {seed} {name}"), name, mood) for name in names)
    trouble: tuple[tuple[float, float], ...] = ()
    if is_file and mood in ("rough", "storm") and r.random() < 0.15:
        at = r.uniform(0.0, 40.0)
        trouble = ((at, at + r.uniform(1.0, 25.0)),)
    # A program that ends before the disk is well again may leave a ledger that knows less than was.
    programs = tuple(_program(r, "calm" if trouble else mood, is_file, i) for i in range(count))
    return Scenario(
        seed=seed,
        vendors=vendors,
        programs=programs,
        jobs=_repeated(Random(f"keys {seed}"), _jobs(r, vendors, count), count),
        is_file=is_file,
        commit=r.choice((0.0, 0.002, 0.02)),
        lease=r.choice((6.0, 15.0)),
        disk_trouble=trouble,
    )


def _vendor(r: Random, between: Random, name: str, mood: str) -> VendorPlan:
    is_luma = name == "luma"
    median = math.exp(r.uniform(math.log(1.5), math.log(45.0)))
    models = ("uni-1", "uni-1-max") if is_luma else ("gemini-image-2", "de7d3faf-762f-48e0-b3b7-9d0ac3a3fcf3")
    roughness = {"calm": 0.0, "light": 0.04, "rough": 0.15, "storm": 0.4}[mood]
    odds = {"completed": 1.0}
    if mood != "calm":
        for fate in r.sample(FATES[1:], r.randint(0, 4)):
            if not (fate.startswith("hollow") and not is_luma) and not (fate in ("partial", "empty") and is_luma):
                odds[fate] = r.uniform(0.02, 0.15)
    outages = ()
    if mood in ("rough", "storm") and r.random() < 0.4:
        begin = r.uniform(0.0, 40.0)
        outages = (Outage(begin=begin, end=begin + r.uniform(1.0, 50.0), how=r.choice(("refuses", "swallows", "503"))),)
    low = r.choice((0.0, 0.02, 0.1))
    return VendorPlan(
        name=name,
        active=r.choice((1, 2, 4, 10, 30) if is_luma else (8, 40, 180)),
        creates=r.choice((3, 6, 20, 60)),
        requests=r.choice((120, 300, 600, 1500)),
        believed=r.choices((1.0, 0.5, 2.0), (6, 1, 2))[0],
        slots=r.choice((1, 3, 10)),
        latency=(low, low + r.choice((0.01, 0.1, 0.6))),
        medians={model: median * (1.0 if i == 0 else r.uniform(0.4, 2.5)) for i, model in enumerate(models)},
        spread=r.choice((0.0, 0.1, 0.4, 0.8)),
        fates=odds,
        late_knowledge=r.uniform(0.2, 6.0) if mood != "calm" and r.random() < 0.25 else 0.0,
        list_lag=r.uniform(0.5, 30.0) if not is_luma and mood != "calm" and r.random() < 0.3 else 0.0,
        tells_wait=r.random() < 0.7,
        frees_by_poll=is_luma and r.random() < 0.3,
        keep_alive=r.choice((2.0, 15.0, 75.0)),
        create_faults=_some(r, CREATE_FAULTS) + (_some(r, RARE_CREATE_FAULTS) if r.random() < 0.15 else ()),
        read_faults=_some(r, READ_FAULTS),
        list_faults=_some(r, LIST_FAULTS),
        roughness=roughness * r.uniform(0.5, 1.5),
        outages=outages or _closed(between, mood),
        foreign=r.choice((0, 0, 0, 2, 8)),
        **_between(between, mood),
    )


def _closed(r: Random, mood: str) -> tuple[Outage, ...]:
    """A vendor that says for longer than a job is sent again that it takes nothing just now."""
    if mood == "calm" or r.random() >= 0.15:
        return ()
    begin = r.uniform(0.0, 20.0)
    return (Outage(begin=begin, end=begin + r.uniform(20.0, 60.0), how="503"),)


def _between(r: Random, mood: str) -> dict[str, Any]:
    """Drawn by itself, so that the rest of a story is the same without it."""
    is_rough = mood != "calm"
    edge = None
    if is_rough and r.random() < 0.5:
        most = {"light": 0.1, "rough": 0.3, "storm": 0.6}[mood]
        edge = EdgePlan(
            loses=_some(r, EDGE_LOSES),
            turns_away=(*_some(r, EDGE_TURNS_AWAY), *r.sample((401, 402, 403, 429), 2)),
            reads=_some(r, EDGE_READS),
            forms=tuple(r.sample(EDGE_FORMS, 2)),
            odds=(r.uniform(0.02, most), r.uniform(0.0, 0.5 * most), r.uniform(0.02, most)),
            repeats=r.choice((0.0, 0.0, 0.0, 0.1)),
        )
    quotes: tuple[tuple[str, str], ...] = ()
    if r.random() < 0.25:
        places = QUOTE_PLACES if is_rough else ("errors", "answers", "request id")
        quotes = tuple((place, r.choice(QUOTE_WAYS)) for place in r.sample(places, r.randint(1, 3)))
    return {"edge": edge, "quotes": quotes, "blips": is_rough and r.random() < 0.3}


def _some(r: Random, faults: tuple[T, ...]) -> tuple[T, ...]:
    """Few kinds in one story: they show more of what follows from each than all together."""
    return tuple(r.sample(faults, r.randint(1, max(1, len(faults) // 3))))


def _program(r: Random, mood: str, is_file: bool, index: int) -> ProgramPlan:
    ends: list[tuple[float, str]] = []
    at = 0.0
    while mood != "calm" and len(ends) < 2 and r.random() < 0.35:
        at += r.uniform(0.3, 40.0)
        ends.append((at, r.choice(("leaves", "dies", "vanishes")) if is_file else "leaves"))
    stills = ()
    if is_file and mood != "calm" and r.random() < 0.3:
        stills = ((r.uniform(0.5, 30.0), r.choice((0.5, 4.0, 14.0, 40.0))),)
    return ProgramPlan(
        lives=tuple(ends),
        pauses=tuple(r.choice((0.0, 0.5, 10.0)) for _ in ends),
        stands_still=stills,
        handler=r.choice((None, "plain", "plain", "fails", "slow")),
        takes_up=index == 0 or r.random() < 0.8,
        max_in_flight=r.choice((1, 4, 48)),
        read_timeout=r.choice((3.0, 30.0)),
        submit_timeout=r.choice((8.0, 60.0)),
        queue_timeout=r.choice((20.0, 90.0, 300.0)),
        unreachable_timeout=r.choice((15.0, 60.0)),
    )


def _jobs(r: Random, vendors: tuple[VendorPlan, ...], programs: int) -> tuple[JobPlan, ...]:
    count = 1 + int(59 * r.random() ** 3)
    pace = r.choice((0.0, 0.0, 0.1, 1.0, 4.0))
    costs = (None, r.choice((0.15, 1.0, 5.0)))
    at = 0.0
    jobs = []
    for number in range(count):
        vendor = r.choice(vendors)
        at += r.expovariate(1.0 / pace) if pace else 0.0
        waiters = [(r.choice(WAITERS), r.choice((0.0, r.uniform(0.0, 30.0)))) for _ in range(r.choice((0, 0, 1, 2)))]
        waiters += [("watcher", 0.0)] if r.random() < 0.5 else []
        jobs.append(
            JobPlan(
                number=number,
                model=f"{vendor.name}/{r.choice(tuple(vendor.medians))}",
                program=r.randrange(programs),
                at=at if at < 90.0 else r.uniform(0.0, 90.0),
                timeout=r.choice((None, r.uniform(1.0, 60.0), r.uniform(1.0, 60.0), 90.0)),
                poll_cost=r.choice(costs),
                images=r.choice((1, 1, 2)) if vendor.name == "leonardo" else 1,
                waiters=tuple(waiters),
            )
        )
    return tuple(jobs)


def _repeated(r: Random, jobs: tuple[JobPlan, ...], programs: int) -> tuple[JobPlan, ...]:
    """Drawn by itself, so that the rest of a story is the same without it."""
    if r.random() < 0.4:
        return jobs
    found = []
    for job in jobs:
        if r.random() < 0.6:
            after = (0.0, 0.01, r.uniform(0.0, 2.0), r.uniform(0.0, 60.0))
            repeats = tuple((r.randrange(programs), r.choice(after)) for _ in range(r.choice((0, 1, 1, 3))))
            job = attrs.evolve(job, is_keyed=True, repeats=repeats)
        found.append(job)
    return tuple(found)
