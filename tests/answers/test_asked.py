"""`aiogen._answers.asked`: what counts as the same request, and what a key is."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import pytest

from aiogen._answers.asked import check_key, fingerprint, job_id, may_retry
from aiogen.errors import InputError
from aiogen.models import Action, FailureCode, State
from aiogen.references import Reference

SPACE = UUID("0c7f7f5e-1111-4222-8333-444455556666")


@attrs.frozen(kw_only=True)
class Asked:
    """A request with fields of every kind."""

    prompt: str = "a boat"
    width: int | None = None
    extra: Any = attrs.field(factory=dict)
    images: tuple[Reference, ...] = ()


PNG = bytes.fromhex("89504e470d0a1a0a") + b"x" * 40


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ({}, {"width": None, "extra": {}, "images": ()}, True),
        ({"width": 512}, {"width": 513}, False),
        ({"extra": {"a": 1, "b": [2]}}, {"extra": {"b": [2], "a": 1}}, True),
        ({"extra": {"a": Path("x")}}, {"extra": {"a": "x"}}, True),
        ({"extra": {"a": PNG}}, {"extra": {"a": bytearray(PNG)}}, True),
        ({"extra": {"a": {1}}}, {"extra": {"a": [1]}}, True),
        ({"extra": {"a": 1.5}}, {"extra": {"a": "1.5"}}, False),
        ({"extra": {"a": complex(1)}}, {"extra": {"a": complex(2)}}, False),
        ({"images": (Reference(data=PNG),)}, {"images": (Reference(data=PNG, media_type="image/png"),)}, True),
        ({"images": (Reference(url="https://a.example/b.png"),)}, {"images": (Reference(data=PNG),)}, False),
    ],
)
def test_what_counts_as_the_same_request(one: dict[str, Any], other: dict[str, Any], is_same: bool) -> None:
    """Fields that were given, pictures by their bytes, in whatever order and type they are written."""
    assert (fingerprint("luma", Asked(**one)) == fingerprint("luma", Asked(**other))) is is_same
    assert fingerprint("luma", Asked(**one)) != fingerprint("leonardo", Asked(**one))


def test_the_id_of_an_attempt() -> None:
    """The same wherever it is made; another one for each scope, key and attempt of each ledger."""
    ids = {job_id(SPACE, scope, key, attempt) for scope in ("", "a") for key in ("a", "b") for attempt in (1, 2)}
    assert len(ids) == 8
    assert job_id(SPACE, "a", "b", 1) == job_id(UUID(str(SPACE)), "a", "b", 1)
    assert job_id(UUID(int=0), "a", "b", 1) not in ids


@pytest.mark.parametrize("key", ["", "x" * 257, 5, None, "a\nb", "\0"])
def test_what_is_no_key(key: Any) -> None:
    """It is text that can be shown, and not too long."""
    with pytest.raises(InputError, match="key= takes 1 to 256 printable characters"):
        check_key(key, "key")
    assert check_key("night 1/é", "key") == "night 1/é"


@pytest.mark.parametrize(
    ("state", "code", "action", "may"),
    [
        (State.FAILED, FailureCode.GENERATION_FAILED, None, True),
        (State.FAILED, FailureCode.CONTENT_MODERATED, None, False),
        (State.FAILED, FailureCode.PROVIDER_ERROR, Action.RETRY, True),
        (State.FAILED, None, None, False),
        (State.CANCELLED, None, None, True),
        (State.COMPLETED, None, None, False),
        (State.QUEUED, None, None, False),
    ],
)
def test_what_may_be_tried_again(state: State, code: FailureCode | None, action: Action | None, may: bool) -> None:
    """What has failed and may work the next time, and what was withdrawn or cancelled."""
    assert may_retry(state, code, action) is may
