"""When others ask: the schedules of clients that people use today, as ages at which one job is asked about.

Their constants are read from the installed packages, and each begins as its package does: some ask at once after the
create, some wait first.  None of them looks at how long jobs take.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from importlib.metadata import version
from random import Random

import attrs

from benchmarks.distributions import Distribution

Ages = Iterator[float]


@attrs.frozen
class Peer:
    """Somebody else's schedule."""

    name: str
    source: str
    """Where its constants stand."""
    ages: Callable[[Random], Ages]
    """A fresh schedule for one job; chance is for those that jitter."""
    jitters: bool = False


def fixed(interval: float, *, at_once: bool = False) -> Ages:
    """Every so many seconds, first after one interval, or at once."""
    return itertools.count(0.0 if at_once else interval, interval)


def growing(first: float, factor: float, longest: float) -> Ages:
    """Waits that grow by a factor up to the longest."""
    age, wait = 0.0, first
    while True:
        age += wait
        yield age
        wait = min(longest, wait * factor)


def full_jitter(first: float, factor: float, longest: float, chance: Random) -> Ages:
    """At once, then after waits drawn anywhere between nothing and a limit that grows."""
    age, most = 0.0, first
    while True:
        yield age
        age += chance.uniform(0.0, most)
        most = min(longest, most * factor)


def after(typical: float, interval: float) -> Ages:
    """The usual advice: sleep as long as it typically takes, then ask in short intervals."""
    return itertools.count(typical, interval)


def root_of_hazard(distribution: Distribution, price: float, step: float = 0.01) -> Ages:
    """Keller's rule for a known distribution: the next question where the integral of sqrt(hazard / 2c) grew by one.

    The best density of questions if they are many; the first one, which few need, it asks too early.
    """
    due, age, grown = 1.0, 0.0, 0.0
    alive = 1.0
    while alive > 1e-12:
        middle = distribution.survival(age + step / 2.0)
        if middle > 0.0:
            grown += math.sqrt(distribution.density(age + step / 2.0) / middle / (2.0 * price)) * step
        age += step
        alive = distribution.survival(age)
        if grown >= due:
            due += 1.0
            yield age
    yield from itertools.count(age, 1.0)


def _loop(interval: float) -> Peer:
    return Peer(f"every {interval:g} s", "the usual loop", lambda _: fixed(interval))


def peers() -> list[Peer]:
    """Everyone who asks without knowing anything about the jobs at hand."""
    # Here, not above: they take a second to import, and only this comparison needs them.
    from fal_client.client import DEFAULT_QUEUE_POLL_INTERVAL
    from google.api_core.future.polling import DEFAULT_POLLING
    from replicate.client import Client

    replicate = Client(api_token="none").poll_interval
    # Retry has no public names for what it was given.
    first, longest, factor = DEFAULT_POLLING._initial, DEFAULT_POLLING._maximum, DEFAULT_POLLING._multiplier
    growth = f"{first:g} s, × {factor:g}, up to {longest:g} s, full jitter"
    return [
        *map(_loop, (0.5, 1.0, 2.0, 5.0)),
        Peer(
            "fal-client",
            f"{_released('fal-client')}: at once, then every {DEFAULT_QUEUE_POLL_INTERVAL:g} s",
            lambda _: fixed(DEFAULT_QUEUE_POLL_INTERVAL, at_once=True),
        ),
        Peer("replicate", f"{_released('replicate')}: every {replicate:g} s", lambda _: fixed(replicate)),
        Peer("Luma's docs", "Luma Agents guide: 0.5 s, × 1.5, up to 5 s", lambda _: growing(0.5, 1.5, 5.0)),
        Peer(
            "google-api-core",
            f"{_released('google-api-core')}: at once, then {growth}",
            lambda chance: full_jitter(first, factor, longest, chance),
            jitters=True,
        ),
        Peer("30 s, then every 2 s", "the provider's typical time, then every 2 s", lambda _: after(30.0, 2.0)),
    ]


def _released(package: str) -> str:
    return f"{package} {version(package)}"
