"""Whether a goal was reached."""

from __future__ import annotations

import attrs


@attrs.frozen
class Verdict:
    """One line of the table."""

    what: str
    goal: str
    measured: str
    met: bool
    peer: str = ""
    ratio: str = ""
