"""`aiogen db sql`: the tables of a ledger in PostgreSQL."""

from __future__ import annotations

from typing import Any

from aiogen.stores.postgres.schema import script


def test_the_tables_are_printed(aiogen: Any) -> None:
    """Each with its namespace, ready for `psql`."""
    said = aiogen("db", "sql", "--schema", "pictures")
    assert (said.code, said.out) == (0, script("pictures"))
    assert 'CREATE TABLE "public".aiogen_job(' in aiogen("db", "sql").out


def test_a_namespace_that_is_none_is_code_2(aiogen: Any) -> None:
    said = aiogen("db", "sql", "--schema", "a b")
    assert said.code == 2
    assert "--schema takes a name" in said.err
