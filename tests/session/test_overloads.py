"""What type checkers and editors are told of `submit` and `generate` is what these take."""

from __future__ import annotations

import inspect
from typing import Any, get_overloads

import pytest

import aiogen
from aiogen.session import Session

CALLS = [Session.submit, Session.generate]


def keywords(call: Any) -> dict[str, tuple[Any, Any]]:
    """The keywords of a job, each with its type and its default, in their order."""
    parameters = inspect.signature(call).parameters.values()
    return {p.name: (p.annotation, p.default) for p in parameters if p.kind is p.KEYWORD_ONLY}


JOB = keywords(Session.submit)


def takes_any(call: Any) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(call).parameters.values())


@pytest.mark.parametrize("call", CALLS)
def test_all_have_the_same_keywords(call: Any) -> None:
    """In whichever way a job is asked for; only a model string leaves room for the provider's."""
    typed, named = get_overloads(call)
    assert keywords(call)
    assert list(keywords(typed).items()) == list(keywords(named).items()) == list(JOB.items())
    assert list(keywords(call).items()) == list(keywords(named).items())
    assert (takes_any(typed), takes_any(named), takes_any(call)) == (False, True, True)


@pytest.mark.parametrize("name", list(keywords(Session.generate)))
async def test_generate_passes_each_keyword_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To `submit`, as it was given, beside the provider's own."""
    seen: dict[str, Any] = {}

    async def submit(self: Session, *args: Any, **options: Any) -> Any:
        seen.update(options)
        raise aiogen.InputError("not today")

    monkeypatch.setattr(Session, "submit", submit)
    given = object()
    async with Session([aiogen.Luma(api_key="luma-api-test-key-0123456789")]) as session:
        with pytest.raises(aiogen.InputError, match="not today"):
            await session.generate("luma/uni-1", "a boat", **{name: given}, seed=1)
    assert seen[name] is given
    assert seen["seed"] == 1
    assert {each: value for each, value in seen.items() if each not in (name, "seed")} == {
        each: default for each, (_, default) in JOB.items() if each != name
    }
