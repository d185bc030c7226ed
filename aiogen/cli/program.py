"""How this program was called, for commands that are printed to be copied."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

_NAME = "aiogen"


def program() -> list[str]:
    """The words that call this program again from the same folder.

    `aiogen` where that is what the shell would find; else as it was called: `.venv/bin/aiogen`, `python -m aiogen`.
    """
    called = (sys.argv[0] if sys.argv else "") or _NAME
    path = Path(called)
    if path.name == "__main__.py" and path.parent.name == _NAME:
        # The interpreter as it was typed: `python` may mean another one, or nothing, outside its environment.
        return [(getattr(sys, "orig_argv", None) or [sys.executable])[0], "-m", _NAME]
    if path.stem != _NAME or path.suffix not in ("", ".exe"):
        return [_NAME]  # run by another program, such as a test
    found = shutil.which(_NAME)
    try:
        is_found = found is not None and os.path.samefile(found, called)
    except OSError:
        is_found = False
    return [_NAME] if is_found else [called]


def command(*words: str) -> str:
    """A command of this program, as it is typed into a shell."""
    return shlex.join([*program(), *words])
