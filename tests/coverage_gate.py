"""The coverage that has to be kept: the pure modules whole, the package at 95 %.  Run by `make test`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE_PERCENT = 95.0
PURE = (
    "_wording.py", "models.py", "errors.py", "exchange.py", "_checks.py", "references.py", "catalogue.py", "costs.py",
    "_content/", "_safety/", "_options.py", "_polling/", "_limits/", "providers/", "_answers/", "_account/",
)  # fmt: skip
"""The rooms that are pure, as in tests/test_rooms.py."""


def main() -> int:
    """Read .coverage, show what is missing, and say whether it is enough."""
    subprocess.run([sys.executable, "-m", "coverage", "report"], check=False)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "coverage.json")
        subprocess.run([sys.executable, "-m", "coverage", "json", "-q", "-o", str(target)], check=True)
        report = json.loads(target.read_text())
    short = [
        f"{name} is pure and has to be covered whole, lines and branches"
        for name, file in report["files"].items()
        if name.removeprefix("aiogen/").startswith(PURE) and file["summary"]["percent_covered"] < 100.0
    ]
    total = report["totals"]["percent_covered"]
    if total < PACKAGE_PERCENT:
        short.append(f"the package is at {total:.1f} %, below {PACKAGE_PERCENT} %")
    print(*short or [f"coverage: pure modules 100 %, package {total:.1f} % (lines and branches)"], sep="\n")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
