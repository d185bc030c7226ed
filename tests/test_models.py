"""`aiogen.models`: what callers hold."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import attrs
import pytest

from aiogen.models import ACTIONS, Account, Action, Cost, Event, FailureCode, Generation, Output, State

SIGNED = "https://storage.example.com/a/output.png?X-Amz-Signature=secret&X-Amz-Expires=3600"


def generation(**changes: object) -> Generation:
    known = {"id": "j1", "provider_id": "p1", "provider": "luma", "connection": "luma", "model": "uni-1"}
    return Generation(**{**known, "state": State.QUEUED, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("state", State)
def test_three_states_are_the_end(state: State) -> None:
    """Completed, failed and cancelled are terminal; nothing else is."""
    assert state.is_terminal is (state in {"completed", "failed", "cancelled"})


def test_states_and_codes_are_their_words() -> None:
    """States, codes and actions compare and print as the words they are stored as."""
    assert f"{State.QUEUED} {FailureCode.CONTENT_MODERATED} {Action.CHANGE_INPUT}" == (
        "queued content_moderated change_input"
    )
    assert State("processing") is State.PROCESSING


HELPS = {
    "content_moderated": "change_input",
    "generation_failed": "retry",
    "output_not_found": "retry",
    "budget_exhausted": "add_funds",
    "image_too_large": "change_input",
    "unsupported_format": "change_input",
    "corrupt_input": "change_input",
    "invalid_request": "change_input",
    "rate_limited": "wait",
    "auth": "fix_key",
    "not_found": "give_up",
    "provider_error": "wait",
    "unknown": "give_up",
}


def test_every_code_says_what_helps() -> None:
    """The table of actions holds every failure code, each with the action that helps."""
    assert ACTIONS == HELPS
    assert set(HELPS) == set(FailureCode)


@pytest.mark.parametrize("action", Action)
def test_every_action_is_one_sentence(action: Action) -> None:
    """Each action has a sentence of its own for people."""
    assert action.help_text.endswith(".")
    assert len({other.help_text for other in Action}) == len(Action)


def test_a_retry_is_called_a_new_charge() -> None:
    """Whoever is told to retry is told that it costs again."""
    assert "new charge" in Action.RETRY.help_text


def test_the_signature_of_a_url_is_not_shown() -> None:
    """The repr of an output shows where it lies, and not what signs its url."""
    shown = repr(Output(kind="image", url=SIGNED))
    assert "https://storage.example.com/a/output.png?…" in shown
    assert "secret" not in shown


def test_no_raw_answer_is_shown() -> None:
    """What the vendor wrote besides, which may hold anything, is in no repr."""
    output = Output(kind="image", url="https://a", raw={"k": "the raw"})
    account = Account(provider="luma", connection="luma", raw={"k": "the raw"})
    assert "the raw" not in repr(output) + repr(account)


def test_a_plain_url_is_shown_whole() -> None:
    """Without a query there is nothing to hide."""
    assert "'https://cdn.example.com/a.png'" in repr(Output(kind="image", url="https://cdn.example.com/a.png"))


@pytest.mark.parametrize("url", ["", "no url at all", "https://[half", "http://[::1"])
def test_any_output_can_be_shown(url: str) -> None:
    """Whatever a vendor calls a url, the output that holds it can be printed."""
    assert repr(Output(kind="image", url=url)).startswith("Output(kind='image'")


def test_a_generation_shows_no_prompt_and_no_raw() -> None:
    """Prompts, raw answers and signatures stay out of a generation's repr."""
    shown = repr(
        generation(prompt="a private matter", raw={"k": "the raw"}, outputs=(Output(kind="image", url=SIGNED),))
    )
    assert "p1" in shown
    assert not [word for word in ("private", "the raw", "secret") if word in shown]


def test_the_first_output_is_the_url() -> None:
    """`url` is the first output's, or None while there is none."""
    outputs = (Output(kind="image", url="https://a/1"), Output(kind="image", url="https://a/2"))
    assert generation(outputs=outputs).url == "https://a/1"
    assert generation().url is None


@pytest.mark.parametrize(
    "snapshot",
    [
        generation(),
        Output(kind="image", url="https://a"),
        Cost(Decimal("0.1"), "DOLLARS"),
        Account(provider="luma", connection="luma"),
        Event("j1", State.QUEUED, None, datetime(2026, 1, 1, tzinfo=UTC)),
    ],
    ids=lambda snapshot: type(snapshot).__name__,
)
def test_snapshots_never_change(snapshot: object) -> None:
    """Nothing that callers hold can be changed under their hands."""
    name = attrs.fields(type(snapshot))[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(snapshot, name, "other")


def test_two_snapshots_share_no_defaults() -> None:
    """A default dictionary belongs to one snapshot only."""
    first, second = generation(), generation()
    assert first.raw == {}
    assert first.raw is not second.raw
