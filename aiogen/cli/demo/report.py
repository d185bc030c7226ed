"""What came of the demo, in a table and a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import attrs
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aiogen.cli.demo.plan import Incident
from aiogen.cli.results import Ending
from aiogen.models import Action, FailureCode


@attrs.frozen(kw_only=True)
class Part:
    """One provider's share."""

    name: str
    endings: Sequence[Ending]
    seconds: float
    requests: int

    def failures(self) -> list[tuple[int, FailureCode, Action]]:
        """How many failed with which code, and what helps."""
        known = (ending.generation for ending in self.endings if ending.generation is not None)
        counts = Counter((g.failure_code, g.action) for g in known if g.failure_code is not None)
        return [(n, code, action) for (code, action), n in counts.items() if code is not None and action is not None]


def report(parts: Sequence[Part], survived: Sequence[tuple[str, Incident]], images: int, overview: Path) -> Group:
    """All of it."""
    lines: list[RenderableType] = [Text(), _table(parts), Text()]
    if survived:
        lines.append(Text("Came through all the same:", "bold"))
        lines += [Text.assemble(("  ✓ ", "green"), (f"{name:<9} ", "bold"), i.what) for name, i in survived]
        lines.append(Text())
    lines.append(Text.assemble(f"{images} images are in {overview.parent}, all of them in one picture: ", (str(overview), "bold")))
    lines.append(
        Text.assemble(
            "Next, with a key of your own: ",
            ("export LUMA_AGENTS_API_KEY=… ", "cyan"),
            "(or LEONARDO_API_KEY), then ",
            ('aiogen generate luma/uni-1 "a lighthouse at dawn"', "cyan"),
        )
    )
    return Group(*lines)


def _table(parts: Sequence[Part]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for heading in ("provider", "completed", "failed", "what helps", "seconds", "requests"):
        is_number = heading in ("seconds", "requests")
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=heading != "what helps")
    for part in parts:
        failures = part.failures()
        completed = len(part.endings) - sum(n for n, _, _ in failures)
        table.add_row(
            Text(part.name, "bold"),
            Text(f"{completed} of {len(part.endings)}", "green"),
            Text("\n".join(f"{n} × {code}" for n, code, _ in failures), "red"),
            # The first half of the sentence is the advice, the second half the reason.
            "\n".join(action.help_text.partition(";")[0].rstrip(".") for _, _, action in failures),
            f"{part.seconds:.1f}",
            str(part.requests),
        )
    return table
