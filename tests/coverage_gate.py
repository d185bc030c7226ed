"""The coverage that has to be kept: the pure modules whole, the package at 95 %.  Run by `make test`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PACKAGE_PERCENT = 95.0
PURE = (
    "_codes.py", "_wording.py", "_schema.py", "models.py", "errors.py", "exchange.py", "_checks.py", "references.py",
    "catalogue.py", "costs.py", "_content/", "_safety/", "_options.py", "_polling/", "_limits/", "_hooks/",
    "providers/", "_answers/", "_account/",
)  # fmt: skip
"""The rooms that are pure, as in tests/test_rooms.py."""
RULES = ("stores/turns.py", "stores/shares.py", "stores/peers.py", "stores/unread.py")
"""What the stores share of rules, as pure as those."""
ELSEWHERE = ("stores/postgres/", "stores/moving.py")
"""What other tests run than those of `make test`: `make postgres`, where there is a server."""


def main() -> int:
    """Read .coverage, show what is missing, and say whether it is enough."""
    coverage = [sys.executable, "-m", "coverage"]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "coverage.json")
        # Each takes some seconds: both at once.
        with subprocess.Popen([*coverage, "json", "-q", "-o", str(target)]) as writing:
            subprocess.run([*coverage, "report"], check=False)
        if writing.returncode:
            return 1
        report = json.loads(target.read_text())
    short = [
        f"{name} is pure and has to be covered whole, lines and branches"
        for name, file in report["files"].items()
        if name.removeprefix("aiogen/").startswith(PURE + RULES) and file["summary"]["percent_covered"] < 100.0
    ]
    total = _percent({n: f for n, f in report["files"].items() if not n.removeprefix("aiogen/").startswith(ELSEWHERE)})
    if total < PACKAGE_PERCENT:
        short.append(f"the package is at {total:.1f} %, below {PACKAGE_PERCENT} %")
    print(*short or [f"coverage: pure modules 100 %, package {total:.1f} % (lines and branches)"], sep="\n")
    return 1 if short else 0


def _percent(files: dict[str, Any]) -> float:
    """Of lines and branches, as coverage counts them."""
    sums = [file["summary"] for file in files.values()]
    every = sum(each["num_statements"] + each["num_branches"] for each in sums)
    return 100.0 * sum(each["covered_lines"] + each["covered_branches"] for each in sums) / every


if __name__ == "__main__":
    sys.exit(main())
