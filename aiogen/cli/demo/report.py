"""The result of the demo, in a table and a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import attrs
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aiogen.cli.demo.plan import Incident
from aiogen.cli.program import command
from aiogen.cli.results import Ending
from aiogen.models import Action, FailureCode


@attrs.frozen(kw_only=True)
class Part:
    """One provider's part."""

    name: str
    endings: Sequence[Ending]
    seconds: float
    requests: int

    def failures(self) -> list[tuple[int, FailureCode, Action]]:
        """The number that failed with each code, and what helps."""
        known = (ending.generation for ending in self.endings if ending.generation is not None)
        counts = Counter((g.failure_code, g.action) for g in known if g.failure_code is not None)
        return [(n, code, action) for (code, action), n in counts.items() if code is not None and action is not None]


def report(parts: Sequence[Part], survived: Sequence[tuple[str, Incident]], images: int, overview: Path) -> Group:
    """All of it."""
    picture = Text(str(overview), "bold")
    return Group(
        Text(),
        _table(parts),
        *_section("Failed, as generations do, and what helps:", _failures(parts)),
        *_section("Went wrong on the way, and completed all the same:", _survived(survived)),
        Text(),
        Text.assemble(f"{images} images are in {overview.parent}; all of them in one picture: ", picture),
        Text(),
        Text("Next, without a key:"),
        _copied(command("sandbox")),
        Text("and with your key in LUMA_AGENTS_API_KEY:"),
        _copied(command("generate", "luma/uni-1", "a lighthouse at dawn")),
    )


def _copied(line: str) -> Text:
    """A command, never broken in two: it is there to be copied."""
    return Text(f"  {line}", "cyan", no_wrap=True, overflow="ignore")


def _section(heading: str, rows: Table) -> list[RenderableType]:
    return [Text(), Text(heading, "bold"), rows] if rows.row_count else []


def _table(parts: Sequence[Part]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for heading in ("provider", "completed", "failed", "seconds", "requests"):
        table.add_column(heading, justify="left" if heading == "provider" else "right", no_wrap=True)
    for part in parts:
        failed = sum(count for count, _, _ in part.failures())
        table.add_row(
            Text(part.name, "bold"),
            Text(f"{len(part.endings) - failed} of {len(part.endings)}", "green"),
            Text(str(failed), "red" if failed else ""),
            f"{part.seconds:.1f}",
            str(part.requests),
        )
    return table


def _failures(parts: Sequence[Part]) -> Table:
    rows = Table.grid(padding=(0, 2, 0, 0))
    for part in parts:
        for count, code, action in part.failures():
            # The first half of the sentence is the advice, the second half the reason for it.
            advice = action.help_text.partition(";")[0].rstrip(".")
            rows.add_row(Text(f"  {part.name}"), Text(f"{count} × {code}", "red", no_wrap=True), advice)
    return rows


def _survived(survived: Sequence[tuple[str, Incident]]) -> Table:
    rows = Table.grid(padding=(0, 2, 0, 0))
    for name, incident in survived:
        rows.add_row(Text(f"  {name}"), incident.what)
    return rows
