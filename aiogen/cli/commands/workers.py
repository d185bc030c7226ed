"""The command that follows what other processes take in, as it is typed: worker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from aiogen._checks import check_number
from aiogen.cli.budgets import budget_of, check_period, cost_of
from aiogen.cli.commands.shared import NO_STORE, Ids
from aiogen.cli.exits import Exit
from aiogen.cli.options import Connected
from aiogen.cli.running import run_until_stopped
from aiogen.cli.working import Duty, work


def worker(
    connections: Ids | None = None,
    /,
    *,
    health: Path | None = None,
    grace: float = 25.0,
    every: float = 60.0,
    budget: Annotated[list[str] | None, Parameter(negative="")] = None,
    per: str | None = None,
    assume_cost: str | None = None,
    common: Connected = NO_STORE,
) -> Exit:
    """Send and follow all that waits in the ledger, until SIGTERM or Ctrl-C.

    Then nothing new is sent, submissions in flight are answered, and the rest stays in the ledger for the next worker;
    the code is 0.  Any number of workers may share a ledger.

    Parameters
    ----------
    connections
        Connections that need no key, such as comfyui, to be used beside those whose keys are in the environment; those
        that jobs in the ledger name are found without.
    health
        A file that is touched every second while the ledger can be written and all is well, and removed at the end.
    grace
        Seconds to wait at the end for submissions on their way, 0.1 to 3600.
    every
        Seconds between two lines about what is done, 1 to 86400; nothing is said if nothing has changed.
    budget
        What may be spent: a number of dollars, or of another unit, as in "500 credits".  May be repeated.
    per
        The period in which the budget counts: hour, day or month; by default all that the ledger has ever sent.
    assume_cost
        What a job counts whose cost nobody knows beforehand; without it such a job is refused under a budget.
    """
    check_number(grace, "--grace", 0.1, 3600.0)
    check_number(every, "--every", 1.0, 86_400.0)
    amounts = budget_of(budget or [])
    check_period(per, has_budget=amounts is not None, assumes=assume_cost is not None)
    assumed = cost_of(assume_cost, "--assume-cost") if assume_cost is not None else None
    common.ledger()
    terminal, session = (
        common.terminal(),
        common.session(kept=True, take_up=True, budget=amounts, per=per, assume_cost=assumed),
    )
    duty = Duty(connections=tuple(connections or ()), health=health, grace=grace, every=every)
    return run_until_stopped(lambda stop: work(terminal, session, duty, stop))
