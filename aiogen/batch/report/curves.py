"""The curves of durations that the ledger has learned, for the models of a batch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

import attrs

from aiogen._ledger.learned import LearnedModels
from aiogen._polling.survival import EDGES
from aiogen._transfer.threads import Threads
from aiogen.batch.report.figures import Line
from aiogen.providers.connections import Connections
from aiogen.stores.base import Store

logger: logging.Logger = logging.getLogger("aiogen")


@attrs.frozen
class Curve:
    """What the ledger knows of one model."""

    points: tuple[tuple[float, float], ...]
    """Seconds since acceptance, and the part of its jobs that has ended by then."""
    seen: int
    """Ends that it was learned from, of this batch and of others."""


async def learned(
    threads: Threads, store: Store, connections: Connections | None, lines: Iterable[Line]
) -> dict[str, Curve]:
    """By `Line.model`; a model whose connection is not configured here, or of which nothing was learned, is left out.

    The ledger keeps a curve for each address of a provider, which only the connection knows.
    """
    found: dict[str, Curve] = {}
    if connections is None:
        return found
    models = LearnedModels(store)
    for line in {line.model: line for line in lines if line.seconds is not None}.values():
        try:
            provider = await threads.run(connections.find, line.connection)
            # Nothing is sent: what a create would say names the model as the curves are kept under.
            said = provider.encode(provider.prepare(line.asked_model, "a boat", {}))
            await models.load(provider, said.model, said.typical)
            phases = models.known(provider, said.model, said.typical)
        except Exception as error:  # of any kind: a provider may be another package's
            logger.debug("The learned curve of %s is not shown: %r", line.model, error)
            continue
        if phases is not None and phases.seen:
            points = tuple((age, 1.0 - phases.queued.left(age)) for age in EDGES)
            found[line.model] = Curve(points, phases.seen)
        await asyncio.sleep(0)
    return found
