"""The command costs: what was spent, by the ledger."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from aiogen.cli.choosing import parse_age
from aiogen.cli.exits import Exit
from aiogen.cli.figures import money
from aiogen.cli.ledgers import place, reading
from aiogen.cli.terminal import Terminal
from aiogen.costs import Costs
from aiogen.errors import InputError
from aiogen.models import Cost
from aiogen.stores.base import RecordQuery

if TYPE_CHECKING:
    from aiogen.cli.ledgers import Ledger

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}.*")


def parse_since(text: str) -> timedelta | datetime:
    """`24h` or `30d` up to now; or a day or a moment, by this machine's time zone where it names none.

    Raises:
        InputError: it is neither.
    """
    text = text.strip()
    if not _DAY.fullmatch(text):
        try:
            return parse_age(text)
        except InputError:
            raise InputError(f"The time {text!r} cannot be read; write 24h, 30d or 2026-11-01.") from None
    try:
        day = date.fromisoformat(text) if len(text) == len("2026-11-01") else None
        moment = datetime.fromisoformat(text) if day is None else datetime(day.year, day.month, day.day)
        return moment.astimezone()
    except (ValueError, OverflowError, OSError):
        raise InputError(f"The time {text!r} cannot be read; write 24h, 30d or 2026-11-01.") from None


async def costs(terminal: Terminal, store: Ledger, query: RecordQuery, since: str | None) -> Exit:
    """What the jobs of a query have cost; no provider is asked."""
    if since is not None:
        start = parse_since(since)
        chosen = {"sent_within": start.total_seconds()} if isinstance(start, timedelta) else {"sent_after": start}
        query = attrs.evolve(query, **chosen)
    async with reading(store) as is_there:
        found = await store.costs(query) if is_there else Costs()
    if not is_there:
        terminal.say(f"There is no ledger in {place(store)} so far.")
    if terminal.as_json:
        terminal.record(found.to_dict())
    elif terminal.out.is_terminal:
        terminal.line(str(found))
    else:
        for row in _rows(found):
            terminal.columns(row)
    if found.estimated and not terminal.as_json:
        jobs = "1 job is" if found.estimated == 1 else f"{found.estimated:,} jobs are"
        terminal.say(f"{jobs} in it by published prices: what the provider charges may differ.")
    return Exit.OK


def _rows(found: Costs) -> list[list[str]]:
    """For a pipe, one row for each unit: these columns in this order are a promise."""
    rows = [[money(Cost(amount, unit)), unit] for unit, amount in sorted(found.amounts.items())]
    return [*rows, *([[f"{found.unknown}", "jobs of unknown cost"]] if found.unknown else [])]
