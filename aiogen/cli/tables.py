"""Lists of generations on a terminal of any width: what is read first comes first, and no id is cut in two.  Pure.

State, age, cost and prompt come first, and the prompt takes what room there is.  Ids are whole in the last columns
where the terminal is wide enough; else their first eight characters are shown, where those are enough to name them, or
they get a line of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs
from rich.cells import cell_len, set_cell_size
from rich.text import Text

HANDLE = 8
"""Number of leading characters that name an id, where they are unique in the ledger."""
_GAP = 2
_LEAST_PROMPT = 24
"""Columns; a prompt gets at least this many before whole ids get any."""
_LOWEST_PROMPT = 8
_PROMPT = "prompt"


def handle(identifier: str) -> str:
    """The beginning by which an id can be named."""
    return identifier[:HANDLE]


@attrs.frozen(kw_only=True)
class Row:
    """One generation: cells by their headings, ids by theirs."""

    cells: dict[str, str]
    ids: dict[str, str]
    style: str = ""
    """Of the state."""


@attrs.frozen(kw_only=True)
class Layout:
    """What fits: the headings of the cells in their order, and how ids are shown."""

    headings: tuple[str, ...]
    ids: tuple[str, ...] = ()
    """Columns of whole ids."""
    short: str | None = None
    """The one id that is shown by its beginning."""
    below: bool = False
    """Ids are on a line of their own, below."""


def layout(rows: Sequence[Row], width: int, *, short: str | None) -> Layout:
    """How to lay out these rows.

    `short`: the id that may be shown by its first eight characters; None if none may.
    """
    headings = tuple(rows[0].cells)
    ids = tuple(rows[0].ids)
    if _left(rows, headings, _widths(rows, ids), width) >= _LEAST_PROMPT:
        return Layout(headings=headings, ids=ids)
    aside = [] if short is None else [max(HANDLE, len(short))]
    # Columns after the prompt are dropped before the prompt is shortened further.
    while headings[-1] != _PROMPT:
        enough = min(_LEAST_PROMPT, max(_LOWEST_PROMPT, _size(rows, headings[-1])))
        if _left(rows, headings, aside, width) >= enough:
            break
        headings = headings[:-1]
    return Layout(headings=headings, short=short, below=short is None)


def draw(rows: Sequence[Row], width: int, *, short: str | None) -> list[Text]:
    """The heading and the rows, as lines of at most this width; only ids on a line of their own may be longer."""
    plan = layout(rows, width, short=short)
    aside = _widths(rows, plan.ids) if plan.short is None else [max(HANDLE, len(plan.short))]
    sizes = {name: _size(rows, name) for name in plan.headings}
    sizes[_PROMPT] = max(_LOWEST_PROMPT, _left(rows, plan.headings, aside, width))
    named = plan.ids if plan.short is None else (plan.short,)
    heads = [fitted(name, sizes[name]) for name in plan.headings]
    heads += [fitted(name, size) for name, size in zip(named, aside, strict=True)]
    lines = [Text((" " * _GAP).join(heads).rstrip(), "bold")]
    for row in rows:
        state, *others = (fitted(row.cells[name], sizes[name]) for name in plan.headings)
        ids = (row.ids[name] if plan.short is None else handle(row.ids[name]) for name in named)
        others += [fitted(each, size) for each, size in zip(ids, aside, strict=True)]
        rest = "".join(" " * _GAP + cell for cell in others)
        lines.append(Text.assemble((state, row.style), rest.rstrip()))
        if plan.below:
            lines.append(Text(" " * (sizes[plan.headings[0]] + _GAP) + "  ".join(row.ids.values()), "bright_black"))
    return lines


def fitted(text: str, size: int) -> str:
    """Padded, or cut with an ellipsis, to `size` columns; some characters take two."""
    return set_cell_size(text, size) if cell_len(text) <= size else set_cell_size(text, size - 1) + "…"


def _widths(rows: Sequence[Row], ids: Iterable[str]) -> list[int]:
    return [max(len(heading), *(cell_len(row.ids[heading]) for row in rows)) for heading in ids]


def _size(rows: Sequence[Row], name: str) -> int:
    return max(len(name), *(cell_len(row.cells[name]) for row in rows))


def _left(rows: Sequence[Row], headings: Sequence[str], aside: Sequence[int], width: int) -> int:
    """Columns that are left for the prompt."""
    others = [_size(rows, name) for name in headings if name != _PROMPT]
    return width - sum(others) - sum(aside) - _GAP * (len(others) + len(aside))
