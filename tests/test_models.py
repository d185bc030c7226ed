"""`aiogen.models`: what callers hold."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiogen._schema import moment
from aiogen.models import ACTIONS, AccountInfo, Action, Cost, Event, FailureCode, Generation, Output, State

ZONE = timezone(timedelta(hours=2))
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
    """The advice to retry says that it costs again."""
    assert "new charge" in Action.RETRY.help_text


def test_the_signature_of_a_url_is_not_shown() -> None:
    """The repr of an output shows where it lies, and not what signs its url."""
    shown = repr(Output(kind="image", url=SIGNED))
    assert "https://storage.example.com/a/output.png?…" in shown
    assert "secret" not in shown


def test_no_raw_answer_is_shown() -> None:
    """What the vendor wrote besides, which may hold anything, is in no repr."""
    output = Output(kind="image", url="https://a", raw={"k": "the raw"})
    account = AccountInfo(provider="luma", connection="luma", raw={"k": "the raw"})
    assert "the raw" not in repr(output) + repr(account)


def test_a_plain_url_is_shown_whole() -> None:
    """Without a query there is nothing to hide."""
    output = Output(kind="image", url="https://cdn.example.com/a.png", nsfw=True)
    assert repr(output) == "<Output image https://cdn.example.com/a.png nsfw>"


@pytest.mark.parametrize("url", ["", "no url at all", "https://[half", "http://[::1"])
def test_any_output_can_be_shown(url: str) -> None:
    """Whatever a vendor calls a url, the output that holds it can be printed."""
    output = Output(kind="image", url=url)
    assert repr(output).startswith("<Output image ")
    assert output.describe().startswith("Output: image")


IMAGE = Output(kind="image", url="https://cdn.example.com/a.png")
LONG_ID = "670f1e2d-6c54-4b01-90e6-d701748f0851"


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        (
            {"state": State.COMPLETED, "provider_id": LONG_ID, "outputs": (IMAGE,), "prompt": "a lighthouse at dawn"},
            "<Generation completed luma/uni-1 670f… 1 image 'a lighthouse at dawn'>",
        ),
        ({"provider_id": None, "prompt": "a boat"}, "<Generation queued luma/uni-1 'a boat'>"),
        ({"model": None}, "<Generation queued luma p1>"),
        (
            {"state": State.FAILED, "failure_code": FailureCode.AUTH, "failure_reason": "their words"},
            "<Generation failed luma/uni-1 p1 auth>",
        ),
        (
            {"state": State.COMPLETED, "outputs": (IMAGE, IMAGE), "partial": True},
            "<Generation completed luma/uni-1 p1 2 images, not all>",
        ),
        (
            {"state": State.COMPLETED, "outputs": (IMAGE, attrs.evolve(IMAGE, kind="video"))},
            "<Generation completed luma/uni-1 p1 2 outputs>",
        ),
        ({"prompt": "a\n\x1b[31mboat " + "x" * 99, "model": "m\x07\u202e"}, None),
    ],
)
def test_a_generation_is_shown_in_one_line(changes: dict[str, object], shown: str | None) -> None:
    """Where it stands, who makes it, what came of it and what of; short, printable, without raw and signatures."""
    text = repr(generation(raw={"k": "the raw"}, **changes))
    assert shown is None or text == shown
    assert text.isprintable()
    assert len(text) < 150
    assert "the raw" not in text


def test_no_signature_is_shown() -> None:
    """Neither in one line nor in many."""
    made = generation(prompt="a boat", outputs=(Output(kind="image", url=SIGNED),), raw={"k": "the raw"})
    assert not [word for word in ("secret", "the raw") if word in repr(made) + made.describe()]


def test_a_generation_describes_itself() -> None:
    """Everything but `raw`, one fact a line; a prompt of several lines stays on one."""
    made = generation(
        provider_id=LONG_ID,
        state=State.COMPLETED,
        prompt="a boat\non a lake",
        outputs=(Output(kind="image", url=SIGNED),),
        cost=Cost(Decimal("0.0404"), "DOLLARS"),
        accepted_at=datetime(2026, 1, 1, 12, tzinfo=UTC),
        finished_at=datetime(2026, 1, 1, 12, 0, 31, tzinfo=UTC),
    )
    assert made.describe().splitlines() == [
        "Generation: luma/uni-1",
        "  state        completed",
        f"  provider id  {LONG_ID}",
        "  job id       j1",
        "  model        uni-1",
        r"  prompt       a boat\non a lake",
        "  kind         image",
        "  cost         0.0404 dollars",
        "  accepted     2026-01-01 12:00:00+00:00",
        "  finished     2026-01-01 12:00:31+00:00",
        "  took         31 s",
        "  outputs      1 image",
        "  output 0     https://storage.example.com/a/output.png?…",
    ]


def test_a_failed_generation_describes_why() -> None:
    """The code, the vendor's words, and what helps."""
    text = generation(
        state=State.FAILED, failure_code=FailureCode.AUTH, failure_reason="no\x1b", action=Action.FIX_KEY
    ).describe()
    assert "  failure      auth" in text.splitlines()
    assert r"  reason       no\x1b" in text.splitlines()
    assert "  what helps   Check the API key" in text


def test_an_output_describes_itself() -> None:
    """What is known of it, without what signs its url."""
    output = Output(kind="image", url=SIGNED, provider_id="o1", nsfw=False, expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert output.describe().splitlines() == [
        "Output: image",
        "  url          https://storage.example.com/a/output.png?…",
        "  expires      2026-01-01 00:00:00+00:00",
        "  provider id  o1",
        "  nsfw         no",
    ]


def test_a_cost_is_said_in_its_unit() -> None:
    """As people write it, without an exponent."""
    assert repr(Cost(Decimal("0.0404"), "DOLLARS")) == "<Cost 0.0404 dollars>"
    assert repr(Cost(Decimal("0.0404"), "DOLLARS", is_estimate=True)) == "<Cost about 0.0404 dollars>"
    assert str(Cost(Decimal("1.2E+4"), "CREDITS")) == "12,000 credits"


def test_an_account_is_shown_in_one_line() -> None:
    """Who it is and what it has; however much a vendor says."""
    account = AccountInfo(
        provider="leonardo",
        connection="leonardo",
        username="some\x1bone",
        balances={"apiPaidTokens": 5000, "note": "x" * 99},
        window={"creates_used": 1, "per_minute": 1500.5},
        concurrency_slots=10,
    )
    assert repr(account) == (rf"<AccountInfo leonardo 'some\x1bone', apiPaidTokens 5,000, note {'x' * 39}…>")
    assert account.describe().splitlines()[:4] == [
        "Account: leonardo",
        "  provider       leonardo",
        r"  user           some\x1bone",
        "  jobs at once   10",
    ]
    assert "  per minute     1,500.5" in account.describe().splitlines()
    assert repr(AccountInfo(provider="luma", connection="luma")) == "<AccountInfo luma>"
    many = AccountInfo(provider="luma", connection="luma", balances={f"n{i}": i for i in range(10_000)})
    assert len(repr(many)) < 200


def test_what_is_shown_does_not_decide_what_is_equal() -> None:
    """Snapshots are equal by what they hold, and can be copied and hashed as before."""
    one = generation(prompt="x" * 40 + "a", raw={})
    other = generation(prompt="x" * 40 + "b", raw={})
    assert repr(one) == repr(other)
    assert one != other
    assert attrs.evolve(one) == one
    assert hash(Cost(Decimal(1), "CREDITS")) == hash(Cost(Decimal(1), "CREDITS"))


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
        AccountInfo(provider="luma", connection="luma"),
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


# --- as JSON, and back

moments = st.datetimes(datetime(1970, 1, 2), datetime(9998, 1, 1), timezones=st.sampled_from([UTC, ZONE]))
words = st.text(max_size=8)
perhaps = st.none() | words
raws = st.dictionaries(words, st.none() | st.integers() | words | st.lists(words, max_size=2), max_size=3)
sizes = st.none() | st.integers(1, 100_000)
outputs = st.builds(
    Output,
    kind=words.filter(bool),
    url=words,
    data=st.none() | st.binary(max_size=40),
    expires_at=st.none() | moments,
    provider_id=perhaps,
    nsfw=st.none() | st.booleans(),
    media_type=perhaps,
    width=sizes,
    height=sizes,
    raw=raws,
)
generations = st.builds(
    Generation,
    id=perhaps,
    provider_id=perhaps,
    provider=words,
    connection=words,
    model=perhaps,
    kind=words.filter(bool),
    state=st.sampled_from(State),
    prompt=perhaps,
    outputs=st.lists(outputs, max_size=3).map(tuple),
    partial=st.booleans(),
    failure_code=st.none() | st.sampled_from(FailureCode),
    failure_reason=perhaps,
    action=st.none() | st.sampled_from(Action),
    vendor_code=perhaps,
    cost=st.none() | st.builds(Cost, st.decimals(0, 10**9, places=6), words),
    warnings=st.lists(words, max_size=2).map(tuple),
    created_at=st.none() | moments,
    accepted_at=st.none() | moments,
    finished_at=st.none() | moments,
    began_at=st.none() | moments,
    asked_after=st.lists(st.floats(0.0, 1e6), max_size=3).map(tuple),
    raw=raws,
)


@given(generations)
def test_a_generation_comes_back_from_json_as_it_was(made: Generation) -> None:
    """Through text and all, with whatever stands in it; without the raw answers nothing else is missing."""
    assert Generation.from_dict(json.loads(json.dumps(made.to_dict(raw=True)))) == made
    bare = attrs.evolve(made, raw={}, outputs=tuple(attrs.evolve(output, raw={}) for output in made.outputs))
    assert Generation.from_dict(json.loads(json.dumps(made.to_dict()))) == bare
    assert bare.to_dict() == made.to_dict()


WHOLE = generation(
    state=State.COMPLETED,
    outputs=(Output(kind="image", data=b"\0\1", width=8, height=9, raw={"k": 1}),),
    cost=Cost(Decimal("1E+2"), "CREDITS"),
    accepted_at=datetime(2026, 11, 27, 12, 0, 0, 208_900, ZONE),
    raw={"k": "the raw"},
)


def test_how_a_generation_is_told() -> None:
    """Times in UTC and exact, amounts as text, bytes in base64; raw answers only if they are asked for."""
    told = WHOLE.to_dict()
    assert set(told) == {field.name for field in attrs.fields(Generation)} - {"raw"}
    assert (told["accepted_at"], told["state"]) == ("2026-11-27T10:00:00.208900Z", "completed")
    assert told["cost"] == {"amount": "100", "unit": "CREDITS", "is_estimate": False}
    assert told["outputs"][0] == {
        "kind": "image", "url": "", "data": "AAE=", "expires_at": None, "provider_id": None, "nsfw": None,
        "media_type": None, "width": 8, "height": 9,
    }  # fmt: skip
    assert set(told["outputs"][0]) - set(WHOLE.to_dict(data=False)["outputs"][0]) == {"data"}
    with_raw = WHOLE.to_dict(raw=True)
    assert (with_raw["raw"], with_raw["outputs"][0]["raw"]) == ({"k": "the raw"}, {"k": 1})


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (None, None),
        (datetime(2026, 11, 27, 10, tzinfo=UTC), "2026-11-27T10:00:00Z"),
        (datetime(2026, 11, 27, 12, 0, 0, 208_000, ZONE), "2026-11-27T10:00:00.208Z"),
        (datetime(2026, 11, 27, 12, 0, 0, 208_900, ZONE), "2026-11-27T10:00:00.208900Z"),
        (datetime(2026, 11, 27, 10), "2026-11-27T10:00:00Z"),
    ],
)
def test_moments_are_in_utc(at: datetime | None, said: str | None) -> None:
    """As short as they are exact."""
    assert moment(at) == said


def test_other_versions_are_read() -> None:
    """What they have more is ignored, what they have less is not known; words that are new count as unknown."""
    least = {"provider": "luma", "connection": "eu", "state": "failed", "failure_code": "brand_new", "action": "dance"}
    read = Generation.from_dict({**least, "batch": "b", "error": {"type": "X"}, "files": ["a"], "new": [1]})
    assert (read.state, read.failure_code, read.action, read.id, read.kind) == (
        State.FAILED, FailureCode.UNKNOWN, None, None, "image",
    )  # fmt: skip
    named = Generation.from_dict({**least, "outputs": [{"kind": "video", "url": "u", "path": "p"}], "kind": None})
    assert named.outputs == (Output(kind="video", url="u"),)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"state": None}, r"\$\.state is missing"),
        ({"state": "dreaming"}, r"\$\.state is not a state that this version knows"),
        ({"provider": 3}, r"\$\.provider has to be text"),
        ({"connection": None}, r"\$\.connection is missing"),
        ({"partial": "no"}, r"\$\.partial has to be true or false"),
        ({"outputs": {}}, r"\$\.outputs has to be a list"),
        ({"outputs": ["u"]}, r"\$\.outputs\[0\] has to be an object"),
        ({"outputs": [{"width": True}]}, r"\$\.outputs\[0\]\.width has to be a whole number"),
        ({"outputs": [{"data": "a"}]}, r"\$\.outputs\[0\]\.data has to be base64"),
        ({"outputs": [{"expires_at": "soon"}]}, r"\$\.outputs\[0\]\.expires_at has to be a time"),
        ({"created_at": "2026-11-27T10:00:00"}, r"\$\.created_at has to be a time with its zone"),
        ({"cost": {"amount": "much", "unit": "x"}}, r"\$\.cost\.amount has to be a number"),
        ({"cost": {"amount": 0.1, "unit": "x"}}, r"\$\.cost\.amount has to be a number"),
        ({"cost": {"amount": "1"}}, r"\$\.cost\.unit is missing"),
        ({"warnings": [1]}, r"\$\.warnings has to be a list of texts"),
        ({"raw": []}, r"\$\.raw has to be an object"),
    ],
)
def test_what_is_no_generation_is_named(change: dict[str, object], where: str) -> None:
    """By the key at which it is wrong; what stands there may be a signed address, and is not told."""
    with pytest.raises(ValueError, match=where):
        Generation.from_dict({**WHOLE.to_dict(), **change})
    with pytest.raises(ValueError, match="has to be an object"):
        Generation.from_dict([])  # type: ignore[arg-type]
