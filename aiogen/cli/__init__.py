"""The command line: `aiogen`, or `python -m aiogen`.

Results go to stdout, everything else to stderr.  The only part of the package that imports cyclopts and rich, which
come with the extra `cli`; this module imports neither, so that it can say in a sentence that they are missing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

_NEEDED = ("cyclopts", "rich")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `aiogen.cli.exits` has the table."""
    try:
        from aiogen.cli.app import run
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in _NEEDED:
            raise
        print('The command line needs two more packages: pip install "aiogen-sdk[cli]"', file=sys.stderr)
        return 3
    return run(sys.argv[1:] if argv is None else argv)


__all__ = ["main"]
