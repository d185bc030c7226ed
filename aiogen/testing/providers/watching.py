"""Notices by audit events of the interpreter what a provider should not do: files, sockets, processes, waiting."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_EVENTS = (
    "open",
    "time.sleep",
    "urllib.Request",
    "sqlite3.connect",
    "tempfile.mkstemp",
    "glob.glob",
    "shutil.copyfile",
)
_FAMILIES = ("socket.", "subprocess.", "os.", "http.client.", "ftplib.", "smtplib.", "_thread.")

_heard: dict[int, list[str]] = {}
"""By thread, while a check watches it."""


@contextmanager
def listening() -> Iterator[list[str]]:
    """The list of what this thread does meanwhile that a provider must not do."""
    _listen_for_good()
    me, sleep = threading.get_ident(), time.sleep

    def hear_sleep(seconds: Any, /) -> None:
        _hear("time.sleep", (seconds,))
        sleep(seconds)

    found = _heard[me] = []
    time.sleep = hear_sleep  # an audit event only from Python 3.13 on
    try:
        yield found
    finally:
        time.sleep = sleep
        del _heard[me]


@cache
def _listen_for_good() -> None:
    sys.addaudithook(_hear)  # an audit hook cannot be removed


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _heard:
        return  # once added, the hook runs for each file that the process opens
    found = _heard.get(threading.get_ident())
    if found is not None and (event in _EVENTS or event.startswith(_FAMILIES)):
        found.append(f"{event} {arguments[:1]}")
