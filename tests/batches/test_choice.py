"""Which generations a clean-up means: what is not known, and what runs, is never among them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import aiogen
from aiogen import Generation, Output, State, Where
from aiogen._batch.choice import could_be_ours, oldest_first

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
MONTH = timedelta(days=30)


def made(days: float | None = 40, state: State = State.COMPLETED, **more: Any) -> Generation:
    return Generation(
        id=None, provider_id=more.pop("provider_id", "P1"), provider="leonardo", connection="leonardo", model=None,
        state=state, created_at=None if days is None else NOW - timedelta(days=days), **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("where", "generation", "is_meant"),
    [
        (Where(failed=True), made(state=State.FAILED), True),
        (Where(failed=True), made(), False),
        (Where(failed=True), made(state=State.CANCELLED), False),
        (Where(failed=True), made(state=State.FAILED, outputs=(Output(kind="image", url="https://x/1"),)), False),
        (Where(older_than=MONTH), made(), True),
        (Where(older_than=MONTH), made(days=30), False),
        (Where(older_than=MONTH), made(days=None), False),
        (Where(older_than=MONTH), made(days=-400), False),
        (Where(prompt_contains="test"), made(prompt="A TEST of boats"), True),
        (Where(prompt_contains="test"), made(prompt="the latest boat"), True),
        (Where(prompt_contains="test"), made(prompt="a boat"), False),
        (Where(prompt_contains="test"), made(prompt=None), False),
        (Where(marked=True), made(), True),
        (Where(marked=True), made(prompt="not marked"), False),
        (Where(failed=True, older_than=MONTH), made(days=3, state=State.FAILED), False),
        (Where(failed=True, older_than=MONTH), made(), False),
        (Where(failed=True, older_than=MONTH, prompt_contains="b"), made(state=State.FAILED, prompt="b"), True),
        (Where(not_in_ledger=True), made(), True),  # the ledger is asked later
        (Where(not_in_ledger=True), made(provider_id=None), False),
    ],
)  # fmt: skip
def test_all_of_it_has_to_hold(where: Where, generation: Generation, is_meant: bool) -> None:
    assert where.matches(generation, NOW, is_marked=generation.prompt != "not marked") is is_meant


@pytest.mark.parametrize("state", [state for state in State if not state.is_terminal])
def test_what_runs_is_never_meant(state: State) -> None:
    where = Where(older_than=MONTH)
    assert where.matches(made(), NOW)
    assert not where.matches(made(state=state), NOW)


def test_one_of_which_something_has_come_has_not_failed() -> None:
    """Images whose address is missing, or that cannot be read, are images all the same."""
    assert not Where(failed=True).matches(made(state=State.FAILED), NOW, beside="1 of 1 outputs could not be read")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "Nothing says which"),
        ({"failed": False, "marked": False}, "Nothing says which"),
        ({"prompt_contains": " "}, "has to be text"),
        ({"prompt_contains": ["test"]}, "has to be text"),
        ({"older_than": timedelta(0)}, "older_than"),
        ({"older_than": 30}, "timedelta"),
        ({"older_than": -MONTH}, "older_than"),
        ({"failed": "yes"}, "True or False"),
        ({"marked": 1}, "True or False"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(aiogen.InputError, match=words):
        Where(**options)


def test_a_limit_leaves_the_newest() -> None:
    ages = [None, 3, 40, 7]
    found = oldest_first([made(days=days, provider_id=str(days)) for days in ages])
    assert [g.provider_id for g in found] == ["40", "7", "3", "None"]


def test_a_create_without_an_answer_may_be_any_generation_from_then_on() -> None:
    since = NOW - timedelta(days=2)
    assert could_be_ours(made(days=1), since)
    assert could_be_ours(made(days=None), since)
    assert not could_be_ours(made(days=3), since)
    assert not could_be_ours(made(days=None), None)
