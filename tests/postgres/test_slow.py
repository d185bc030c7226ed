"""What several processes on one file have to do, several on one database do: the same tests, unchanged."""

from __future__ import annotations

import itertools

import asyncpg
import pytest
from postgres.server import Server
from slow import test_budget as of_budgets
from slow import test_processes as of_files
from slow.test_budget import test_two_processes_spend_one_budget  # noqa: F401
from slow.test_keys import test_two_processes_that_get_the_same_keys_pay_once  # noqa: F401
from slow.test_processes import (
    test_one_that_stood_still_touches_nothing_that_is_anothers,  # noqa: F401
    test_two_processes_that_await_one_job_get_one_result,  # noqa: F401
    test_what_it_was_about_to_do_when_it_was_stopped_is_not_done,  # noqa: F401
)

pytestmark = [pytest.mark.postgres, pytest.mark.looptime(False), pytest.mark.no_cover]
_NUMBERS = itertools.count()


@pytest.fixture
async def path(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A url where those tests have a path; there the dead are seen sooner, so that their leases may be shorter."""
    monkeypatch.setattr(of_files, "LEASE", 3.0)
    monkeypatch.setattr(of_budgets, "JOBS", 150)  # each takes a lock of the server's: fewer show the same
    monkeypatch.setattr(of_budgets, "FIT", 75)
    name = f"processes_{next(_NUMBERS)}"
    connection = await asyncpg.connect(server.url)
    await connection.execute(f"CREATE SCHEMA {name}")
    await connection.close()
    return f"{server.url}?search_path={name}"
