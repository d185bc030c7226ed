"""`aiogen._options`: what a program may set, and what it reads when it sets something else."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import attrs
import pytest

import aiogen
from aiogen._options import CallOptions, DownloadOptions, JobOptions, Limits, RequestOptions, StoreOptions
from aiogen.stores.sqlite import SqliteStore

OF_A_SESSION = (Limits, RequestOptions, DownloadOptions, CallOptions)
DAY = 86_400.0

WHOLE = {
    "max_in_flight": (1, 1000),
    "read_attempts": (1, 20),
    "max_downloads": (1, 100),
    "max_answer_bytes": (1024, 1 << 40),
    "max_download_bytes": (1, 1 << 50),
}
SECONDS = {
    "poll_cost": (0.001, 60.0),
    **dict.fromkeys(
        ["handler_timeout", "queue_timeout", "unreachable_timeout", "connect_timeout", "read_timeout",
         "submit_timeout", "download_timeout", "call_timeout"], (0.001, 30 * DAY)),
}  # fmt: skip
STORE = {"keep_finished": (0.0, 36_500 * DAY), "lease": (0.5, 3600.0), "busy_timeout": (0.0, 600.0)}


def names(*classes: Any) -> list[str]:
    return sorted(field.name for cls in classes for field in attrs.fields(cls))


def ranges(table: dict[str, tuple[float, float]]) -> Any:
    return pytest.mark.parametrize(("name", "low", "high"), [(name, *span) for name, span in table.items()])


def session(**options: Any) -> aiogen.Session:
    return aiogen.Session([], **options)


@ranges(WHOLE | SECONDS)
def test_both_ends_of_a_range_are_in_it(name: str, low: float, high: float) -> None:
    """And what lies beyond is refused by the keyword's name, with the range, before anything is opened."""
    session(**{name: low})
    session(**{name: high})
    for value in (0 if low >= 1 else low / 2, high + 1, -1):
        with pytest.raises(aiogen.InputError, match=rf"^{name} has to be from .* to .*, not [-\d]"):
            session(**{name: value})


@ranges(WHOLE | SECONDS)
@pytest.mark.parametrize("value", ["5", None, True, float("nan"), float("inf"), [5]])
def test_what_is_no_number_is_refused(name: str, low: float, high: float, value: Any) -> None:
    if (name, value) == ("poll_cost", None):
        return  # then it is the provider's
    with pytest.raises(aiogen.InputError, match=rf"^{name} has to be a number .*, not "):
        session(**{name: value})


@ranges(WHOLE)
def test_what_is_counted_is_whole(name: str, low: float, high: float) -> None:
    """2.5 attempts would never end: the third is not the last one.  1e3 bytes are a thousand."""
    session(**{name: float(high)})
    with pytest.raises(aiogen.InputError, match=rf"^{name} has to be a whole number, not {low}\.5\."):
        session(**{name: low + 0.5})


def test_the_words_of_a_refusal() -> None:
    with pytest.raises(aiogen.InputError) as caught:
        session(queue_timeout=31 * DAY)
    assert str(caught.value).startswith("queue_timeout has to be from 0.001 s to 30 days, not 2,678,400 s.")


@ranges(STORE)
def test_a_store_has_its_ranges(tmp_path: Path, name: str, low: float, high: float) -> None:
    SqliteStore(tmp_path / "jobs.db", **{name: low})
    SqliteStore(tmp_path / "jobs.db", **{name: high})
    for value in (low - 0.1, high + 1, "5"):
        with pytest.raises(aiogen.InputError, match=f"^{name} has to be "):
            SqliteStore(tmp_path / "jobs.db", **{name: value})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["timeout", "poll_cost"])
def test_a_job_may_have_none_of_its_own(name: str) -> None:
    assert getattr(JobOptions(), name) is None
    assert getattr(JobOptions(**{name: 5.0}), name) == 5.0
    with pytest.raises(aiogen.InputError, match=f"^{name} has to be "):
        JobOptions(**{name: 0.0})


@pytest.mark.parametrize(("owner", "classes"), [(aiogen.Session, OF_A_SESSION), (SqliteStore, (StoreOptions,))])
def test_every_option_is_a_keyword_that_is_explained(owner: Any, classes: tuple[Any, ...]) -> None:
    """With a default there, and nowhere else."""
    parameters = inspect.signature(owner).parameters
    text = f"{inspect.getdoc(owner)}\n{inspect.getdoc(owner.__init__)}"
    for name in names(*classes):
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].default is not inspect.Parameter.empty
        assert f"\n    {name}: " in text
    assert all(field.default is attrs.NOTHING for cls in classes for field in attrs.fields(cls))


def test_the_tables_above_are_whole() -> None:
    assert sorted(WHOLE | SECONDS) == names(*OF_A_SESSION)
    assert sorted([*STORE, "adopt", "keep_requests"]) == names(StoreOptions)
