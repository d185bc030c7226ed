"""What of the ledger in PostgreSQL needs no server: urls, statements, notices, and which store a url means."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import asyncpg
import pytest

import aiogen
from aiogen import ConfigurationError, InputError
from aiogen.stores import MemoryStore, PostgresStore, SqliteStore
from aiogen.stores.postgres import notices, schema, sql, where
from aiogen.stores.postgres.address import Address, is_url, schema_name
from aiogen.stores.postgres.failures import store_error
from aiogen.stores.query import RecordQuery


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg", "PostgreSQL+psycopg"])
def test_what_others_put_behind_the_scheme_is_left_out(scheme: str) -> None:
    address = Address.of(f" {scheme}://ann:p%40ss@host:6432/jobs?sslmode=require&statement_cache_size=0&a=b")
    assert address.url == "postgresql://ann:p%40ss@host:6432/jobs?sslmode=require&a=b"
    assert address.statement_cache_size == 0
    assert (str(address), address.shown) == (f"<Address {address.shown}>", "postgresql://ann@host:6432/jobs")
    assert "p%40ss" not in repr(address)
    assert address.by_hand == "postgresql://ann:…@host:6432/jobs?sslmode=require&statement_cache_size=0&a=b"


@pytest.mark.parametrize(
    ("url", "by_hand", "schema"),
    [
        ("postgresql://host/jobs?search_path=pictures", None, "pictures"),
        ("postgresql://ann@h1:1,[::1]:5/jobs?search_path=a,b", None, None),
        ("postgresql:///jobs?host=/run/db&user=a@b&search_path=x%20y", None, None),
        ("postgres://a%40b:c@%2Frun/jobs", "postgresql://a%40b:…@%2Frun/jobs", None),
        ("postgresql://:pw@host", "postgresql://:…@host", None),
        ("postgresql://h/?passWord=pw&sslpassword=pw&a=b", "postgresql://h/?passWord=…&sslpassword=…&a=b", None),
    ],
)
def test_a_url_is_typed_without_its_password(url: str, by_hand: str | None, schema: str | None) -> None:
    address = Address.of(url)
    assert address.by_hand == by_hand or (by_hand is None and address.by_hand == url == address.url)
    assert address.schema == schema
    assert "pw" not in address.shown + address.by_hand


@pytest.mark.parametrize(
    ("said", "passed_on"),
    [
        ("connect_timeout=5&sslmode=require", "?sslmode=require"),
        ("connect%5Ftimeout=5", ""),
        ("ssl=require", "?sslmode=require"),
        ("ssl=true", "?sslmode=require"),
        ("gssencmode=disable&channel_binding=prefer&client_encoding=UTF8&fallback_application_name=x", ""),
        ("application_name=x&options=-c%20jit%3Doff", "?application_name=x&options=-c%20jit%3Doff"),
        ("target_session_attrs=read-write&passfile=/p", "?target_session_attrs=read-write&passfile=/p"),
    ],
)
def test_what_libpq_has_means_the_same(said: str, passed_on: str) -> None:
    """So that one url serves psycopg, SQLAlchemy and us; what the driver does anyway is not passed on to the server."""
    address = Address.of(f"postgresql+psycopg://h/jobs?{said}")
    assert address.url == f"postgresql://h/jobs{passed_on}"
    assert address.by_hand == f"postgresql://h/jobs?{said}"


@pytest.mark.parametrize(("said", "seconds"), [("5", 5.0), ("1", 2.0), ("0", None), ("600", 600.0)])
def test_connecting_takes_as_long_as_the_url_says(said: str, seconds: float | None) -> None:
    """As libpq has it: two seconds at least, and 0 is no limit of its own."""
    assert Address.of(f"postgresql://h/jobs?connect_timeout={said}").connect_timeout == seconds


@pytest.mark.parametrize(("said", "seconds"), [("?connect_timeout=7", 7.0), ("?connect_timeout=0", 21.0), ("", 21.0)])
async def test_the_driver_is_given_that_time(monkeypatch: pytest.MonkeyPatch, said: str, seconds: float) -> None:
    """Else what a statement may take."""
    given: list[float] = []

    async def refuses(*_: Any, timeout: float, **__: Any) -> None:
        given.append(timeout)
        raise OSError("nobody is there")

    monkeypatch.setattr(asyncpg, "create_pool", refuses)
    store = PostgresStore(f"postgresql://h/jobs{said}", timeout=21.0)
    with pytest.raises(aiogen.StoreError, match="nobody is there"):
        await store.open()
    await store.close()
    assert given == [seconds]


@pytest.mark.parametrize(
    "said",
    [
        "keepalives=1", "keepalives_idle=30", "keepalives_interval=1", "keepalives_count=3", "tcp_user_timeout=9",
        "hostaddr=10.0.0.1", "requirepeer=postgres", "channel_binding=require", "gssencmode=require", "sslsni=0",
        "client_encoding=latin1", "load_balance_hosts=random", "connect_timeout=soon", "connect_timeout=-1",
        "ssl=maybe", "statement_cache_size=x",
    ],
)  # fmt: skip
def test_what_the_driver_does_not_have_is_refused_by_its_name(said: str) -> None:
    """The server would say that it has no such parameter, which is libpq's and not the server's."""
    key = said.partition("=")[0]
    with pytest.raises(ConfigurationError, match=f"^--store: {key} ") as caught:
        Address.of(f"postgresql://ann:geheim@h/jobs?{said}", "--store")
    assert "geheim" not in str(caught.value)


def test_the_namespace_of_a_url_is_the_stores() -> None:
    assert PostgresStore("postgresql://h/jobs?search_path=x").place == "postgresql://h/jobs (x)"
    assert PostgresStore("postgresql://h/jobs?search_path=x", schema="y").place == "postgresql://h/jobs (y)"
    assert PostgresStore("postgresql://h/jobs").place == "postgresql://h/jobs"
    assert PostgresStore(pool=object()).place == "of the given pool"


@pytest.mark.parametrize(
    "rest", ["ge/heim@host/jobs", "1/heim@host/jobs", "ge?heim@host/jobs", "1#heim@host/jobs", "heim", "1:heim"]
)
def test_a_password_that_is_not_written_as_it_has_to_be_is_not_taken_for_something_else(rest: str) -> None:
    """What follows a / ? or # of it would be shown, and asked for on another machine."""
    with pytest.raises(ConfigurationError, match="written as %XX") as caught:
        Address.of(f"postgresql://ann:{rest}")
    assert "heim" not in str(caught.value)


@pytest.mark.parametrize(("name", "said"), [("listen_dsn", "listen_dsn= takes"), ("--store", "--store takes")])
def test_a_url_is_called_by_its_name(name: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{said} postgresql://"):
        Address.of("jobs.db", name)


@pytest.mark.parametrize(
    "url",
    ["", "jobs.db", "mysql://h/db", "postgresql:/h", "postgres://[::1/db", "postgresql://h/?statement_cache_size=x"],
)
def test_what_is_no_url_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Address.of(f"{url}geheim", "listen_dsn")
    assert "geheim" not in str(caught.value)
    assert "listen_dsn=" in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", 'a"b', "1a", "a" * 64, 5])
def test_a_namespace_is_a_plain_name(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="schema="):
        schema_name(name)
    assert [schema_name(each) for each in (None, "a", "_B1", "a" * 63)] == [None, "a", "_B1", "a" * 63]


def test_a_url_means_a_database() -> None:
    store = aiogen.Session([], store="postgresql+asyncpg://ann:geheim@host/jobs")._store
    assert isinstance(store, PostgresStore)
    assert repr(store) == "<PostgresStore postgresql://ann@host/jobs>"
    assert store.can_be_cut_off
    assert [is_url(each) for each in ("postgres://h", "a.db", b"postgresql://h", None)] == [True, False, False, False]
    others = [aiogen.Session([], store=each)._store for each in (None, ":memory:", "a.db", store)]
    assert [type(each) for each in others] == [MemoryStore, MemoryStore, SqliteStore, PostgresStore]
    assert not any(each.can_be_cut_off for each in others[:3])


def test_without_the_driver_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(vars(aiogen.stores), "PostgresStore", raising=False)
    monkeypatch.delitem(sys.modules, "aiogen.stores.postgres.store", raising=False)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    for name in [name for name in sys.modules if name.startswith("aiogen.stores.postgres.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ConfigurationError, match=r"pip install \"aiogen-sdk\[postgres\]\""):
        aiogen.Session([], store="postgresql://host/jobs")
    with pytest.raises(ImportError, match="needs asyncpg"):
        aiogen.stores.PostgresStore  # noqa: B018
    with pytest.raises(AttributeError):
        aiogen.stores.MongoStore  # noqa: B018


@pytest.mark.parametrize(
    "options", [{"lease": 0.1}, {"timeout": 0.0}, {"statement_cache_size": -1}, {"keep_finished": -1.0}]
)
def test_a_number_out_of_its_range_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        PostgresStore("postgresql://host/jobs", **options)


@pytest.mark.parametrize(
    ("error", "helps", "retryable"),
    [
        (ConnectionRefusedError("refused"), "Check that the server runs", True),
        (TimeoutError(), "no answer in time.*Check that the server runs", True),
        (asyncpg.InterfaceError("connection is closed"), "Check that the server runs", True),
        (asyncpg.CannotConnectNowError("starting up"), "Check that the server runs", True),
        (asyncpg.TooManyConnectionsError("too many"), "max_connections", True),
        (asyncpg.DeadlockDetectedError("deadlock"), "Nothing was sent", True),
        (asyncpg.InvalidPasswordError("no"), "the user and the password", False),
        (asyncpg.InvalidCatalogNameError("no"), "Create the database first", False),
        (asyncpg.InsufficientPrivilegeError("no"), "aiogen db sql", False),
        (asyncpg.UndefinedTableError("no"), "not all there", False),
        (asyncpg.InvalidSQLStatementNameError("no"), r"\?statement_cache_size=0", False),
        (asyncpg.DuplicatePreparedStatementError("no"), r"\?statement_cache_size=0", False),
        (asyncpg.DiskFullError("no"), "disk is full", False),
        (asyncpg.ReadOnlySQLTransactionError("no"), "address of the primary.*target_session_attrs", True),
        (asyncpg.AdminShutdownError("no"), "Check that the server runs", True),
        (asyncpg.CrashShutdownError("no"), "Check that the server runs", True),
        (asyncpg.IdleSessionTimeoutError("no"), "Check that the server runs", True),
        (asyncpg.IdleInTransactionSessionTimeoutError("no"), "Check that the server runs", True),
        (asyncpg.TransactionTimeoutError("no"), "Check that the server runs", True),
        (asyncpg.ForeignKeyViolationError("no"), "longer than its lease", True),
        (asyncpg.ClientConfigurationError("`sslmode` parameter must be one of"), "sslmode.*behind the [?]", False),
        (UnicodeEncodeError("utf-8", "geheim \ud800", 7, 8, "surrogates"), "characters that the database", False),
        (asyncpg.DataError("invalid input: 'geheim'"), "characters that the database", False),
        (KeyError("what"), "cannot read", False),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
def test_what_goes_wrong_is_said_with_what_helps(error: Exception, helps: str, retryable: bool) -> None:
    said = store_error(error, "postgresql://ann@host/jobs", "written")
    assert re.search(helps, str(said))
    assert "postgresql://ann@host/jobs" in str(said)
    assert "geheim" not in str(said)
    assert said.retryable is retryable
    assert store_error(said, "elsewhere", "read") is said


def test_what_cannot_be_opened_is_not_tried_again() -> None:
    assert str(store_error(OSError("no"), "postgresql://host/jobs", "opened")).endswith("can be reached from here.")
    assert str(store_error(OSError("no"), "postgresql://host/jobs", "read")).endswith("; aiogen tries again.")


def test_what_says_nothing_when_it_is_opened_is_no_server_or_not_reached() -> None:
    assert re.search("does not answer as PostgreSQL does", str(store_error(TimeoutError(), "at x", "opened")))


# --- statements


def test_each_table_is_named_with_its_namespace() -> None:
    """Also in the code of a trigger; indexes have none, and words that only look so are left alone."""
    written = "SELECT a FROM aiogen_job j, aiogen_job_created, x.aiogen_job, my_aiogen_job WHERE t < aiogen_now()"
    assert sql.in_schema(written, "Ann") == (
        'SELECT a FROM "Ann".aiogen_job j, aiogen_job_created, x.aiogen_job, my_aiogen_job '
        "WHERE t < extract(epoch FROM clock_timestamp())::float8"
    )
    script = schema.script("ann")
    assert script.startswith('CREATE SCHEMA IF NOT EXISTS "ann";\n')
    assert 'CREATE TABLE "ann".aiogen_job(' in script
    assert 'EXECUTE FUNCTION "ann".aiogen_job_removed()' in script
    assert "CREATE INDEX aiogen_job_owner ON" in script
    assert script.count("INSERT INTO \"ann\".aiogen_meta VALUES ('version'") == schema.VERSION


def test_a_query_has_its_values_in_their_places() -> None:
    values = sql.Values("before")
    text = where.conditions(RecordQuery(scope="ann", ids=["a"], prefix="b", younger=3.0, limit=7), values)
    text += where.limited(RecordQuery(limit=7), values)
    assert values.all == ["before", ["a"], "b", "ann", 3.0, 7]
    assert "id = ANY($2::text[])" in text
    assert "scope = $4" in text
    assert text.endswith("LIMIT $6")


# --- notices


@pytest.mark.parametrize("job_id", ["d290f1ee-6c54-4b01-90e6-d701748f0851-{}", 'é😀"\\ {}'])
def test_notices_are_small_and_say_each_job_once(job_id: str) -> None:
    ids = [job_id.format(i) for i in range(3000)]
    texts = list(notices.texts("me", [*ids, *ids]))
    assert max(len(text.encode()) for text in texts) < 7900
    assert len(texts) < 3000 * (len(json.dumps(ids[-1])) + 1) / 7000
    assert [each for text in texts for each in notices.read(text).job_ids] == ids
    assert {notices.read(text).by for text in texts} == {"me"}


def test_a_notice_may_be_about_nothing_or_everything() -> None:
    assert [notices.read(text) for text in notices.texts("me", [])] == [notices.Notice("me")]
    assert [notices.read(text).is_of_all for text in notices.texts("me", ["a", "b" * 9000, "c"])][-1]
    assert notices.read(notices.echo("me")) == notices.Notice("me", is_echo=True)
    for text in ("", "{}", "5", '["a", 5]', "nonsense", "[5]"):
        assert notices.read(text).is_of_all
