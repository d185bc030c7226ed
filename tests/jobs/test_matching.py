"""`aiogen._jobs.matching`: what an unanswered create could have become."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import aiogen
from aiogen import State
from aiogen._jobs.matching import candidates, is_past, since
from aiogen.exchange import Snapshot, Submission
from aiogen.stores.base import Record

SENT = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
LEONARDO = aiogen.Leonardo(api_key="1e07a2d0-0000-4000-8000-5a4db0c50000")


def submission(prompt: str = "a paper boat", model: str = "gemini-image-2", **options: Any) -> Submission:
    return LEONARDO.encode(LEONARDO.prepare(model, prompt, options))


def record(**more: Any) -> Record:
    told = {"connection": "leonardo", "provider": "leonardo", "account": "a", "state": State.UNKNOWN}
    return Record(id="job", created_at=SENT, **(told | {"submission": submission()} | more))


def listed(provider_id: str, after: float | None = 1.0, prompt: str | None = "a paper boat", **raw: Any) -> Snapshot:
    created = None if after is None else SENT + timedelta(seconds=after)
    return Snapshot(provider_id=provider_id, state=State.QUEUED, prompt=prompt, created_at=created, raw=raw)


def found(of: Record, *snapshots: Snapshot, taken: tuple[str, ...] = ()) -> list[str | None]:
    return [each.generation.provider_id for each in candidates(of, LEONARDO, snapshots, taken, SENT)]


def test_the_nearest_in_time_comes_first() -> None:
    """With how far away it is; what has no time comes last."""
    far, near, none = listed("far", 40.0), listed("near", -2.0), listed("none", None)
    assert found(record(), none, far, near) == ["near", "far", "none"]
    first, *_, last = candidates(record(), LEONARDO, [none, near], (), SENT)
    assert (first.seconds, last.seconds) == (-2.0, None)


@pytest.mark.parametrize(("after", "fits"), [(-121.0, False), (-119.0, True), (599.0, True), (601.0, False)])
def test_it_was_created_when_the_create_was_sent(after: float, fits: bool) -> None:
    """The clocks may differ by two minutes, and an answer may take ten."""
    assert bool(found(record(), listed("a", after))) is fits


def test_the_last_sending_counts() -> None:
    """A job may have waited for hours."""
    late = record(submitted_at=SENT + timedelta(hours=2))
    assert found(late, listed("early"), listed("late", 7200.0)) == ["late"]
    assert since(late) == SENT + timedelta(hours=2, seconds=-120)


def test_what_the_ledger_has_for_others_is_none() -> None:
    """One generation is one job."""
    assert found(record(), listed("a"), listed("b"), taken=("a",)) == ["b"]


@pytest.mark.parametrize(
    ("asked", "told", "fits"),
    [
        ({}, {"prompt": "a paper  boat\n"}, True),
        ({}, {"prompt": "a paper cup"}, False),
        ({}, {"prompt": None}, True),
        ({"width": 512}, {"imageWidth": 512}, True),
        ({"width": 512}, {"imageWidth": 1024}, False),
        ({"height": 512}, {"imageHeight": 1024}, False),
        ({"height": 512}, {"imageHeight": None}, True),
        ({"seed": 7}, {"seed": 8}, False),
        ({"extra": {"enhancePrompt": True}}, {"prompt": "a paper boat, photorealistic"}, True),
        ({"prompt_enhance": "ON"}, {"prompt": "a paper boat, photorealistic"}, True),
        ({"prompt_enhance": "OFF"}, {"prompt": "a paper boat, photorealistic"}, False),
        ({"model": "b24e16ff-06e3-43eb-8d33-4416c2d75876"}, {"modelId": "another"}, False),
        ({"model": "b24e16ff-06e3-43eb-8d33-4416c2d75876"}, {"modelId": None}, True),
    ],
)
def test_what_surely_is_not_it_is_left_out(asked: dict[str, Any], told: dict[str, Any], fits: bool) -> None:
    """And nothing else: what either side does not say fits."""
    assert bool(found(record(submission=submission(**asked)), listed("a", **told))) is fits


def test_a_request_that_was_not_kept_fits_by_time_alone() -> None:
    """keep_requests=False leaves no prompt to compare."""
    assert found(record(submission=None), listed("a", prompt="anything"), listed("b", 4000.0)) == ["a"]


def test_a_page_that_is_too_old_ends_the_search() -> None:
    """Only if all of it is; an item without a time may be anything."""
    early = SENT - timedelta(hours=1)
    assert not is_past([], SENT)
    assert not is_past([listed("a", -4000.0), listed("b", 4000.0)], early)
    assert not is_past([listed("a", -4000.0), listed("b", None)], early)
    assert is_past([listed("a", -4000.0), listed("b", -5000.0)], early)


def test_by_default_the_prompts_are_compared() -> None:
    """For providers that tell no more."""
    luma = aiogen.Luma(api_key="luma-api-key")
    assert luma.resembles(submission(), listed("a"))
    assert not luma.resembles(submission(), listed("a", prompt="another"))
