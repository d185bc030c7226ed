"""`aiogen.stores.unread`: what is said of rows that cannot be read."""

from __future__ import annotations

import pytest

from aiogen.stores.rows import Unreadable
from aiogen.stores.unread import NAMED, UnreadRows


def test_each_is_named_once_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    unread = UnreadRows("'a.db'", "SqliteStore")
    for _ in range(2):
        unread.skip(Unreadable("j-1", ValueError("no JSON")))
    (message,) = caplog.messages
    assert message == "Job j-1 in 'a.db' cannot be read, and is neither sent nor followed: ValueError('no JSON')"
    assert unread.found == {"j-1": "ValueError('no JSON')"}


def test_of_many_the_log_names_some_and_says_where_all_are(caplog: pytest.LogCaptureFixture) -> None:
    unread = UnreadRows("'a.db'", "SqliteStore")
    for i in range(NAMED + 5):
        unread.skip(Unreadable(f"j-{i}", ValueError()))
    assert len(caplog.messages) == NAMED + 1
    assert caplog.messages[-1] == "More jobs in 'a.db' cannot be read; see SqliteStore.unreadable."
    assert len(unread.found) == NAMED + 5


def test_a_ledger_that_is_opened_again_begins_anew() -> None:
    unread = UnreadRows("'a.db'", "SqliteStore")
    unread.skip(Unreadable("j-1", ValueError()))
    unread.clear()
    assert unread.found == {}


def test_an_end_is_named_each_time(caplog: pytest.LogCaptureFixture) -> None:
    UnreadRows("'a.db'", "SqliteStore").skip_end("j-1", ValueError("no JSON"))
    assert "The end of job j-1 in 'a.db'" in caplog.text
