"""`aiogen.providers.luma`: our words here, Luma's there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from providers.drive import answer, drive, first_request, names_of, sample, sample_body
from providers.luma_calls import (
    AUTHORISED,
    ID,
    KEY,
    LUMA,
    NOON,
    TICKET,
    complaint,
    encoded,
    reading,
    reading_of,
)

from aiogen.errors import (
    APIError,
    AuthenticationError,
    InputError,
    InsufficientFunds,
    NotFound,
    ProtocolError,
    ProviderError,
    RateLimited,
    Unsupported,
)
from aiogen.exchange import Failure, Snapshot, Ticket
from aiogen.models import ACTIONS, AccountInfo, Action, FailureCode, State
from aiogen.providers import (
    Capabilities,
    Luma,
    LumaImage,
)

# --- what is asked


def test_a_create() -> None:
    """A create is one POST with the body as JSON, and the key in its header alone."""
    request = first_request(LUMA.create(encoded(LumaImage(prompt="a boat"))))
    assert (request.verb, request.method, request.url) == (
        "create", "POST", "https://agents.lumalabs.ai/v1/generations",
    )  # fmt: skip
    assert request.headers == AUTHORISED
    assert request.query == {}
    assert request.body == {"prompt": "a boat", "type": "image", "model": "uni-1"}
    assert KEY not in repr(request)


def test_a_read() -> None:
    """A read is one GET of the generation's own address, without query or body."""
    request = first_request(LUMA.get(TICKET))
    assert (request.verb, request.method, request.url) == (
        "retrieve", "GET", f"https://agents.lumalabs.ai/v1/generations/{ID}",
    )  # fmt: skip
    assert (request.headers, request.query, request.body) == (AUTHORISED, {}, None)


def test_a_look_at_the_account() -> None:
    """There is no account call: a generation is asked for that nobody has, which needs the key and no grant."""
    request = first_request(LUMA.read_account())
    assert (request.verb, request.method) == ("retrieve", "GET")
    assert request.url == "https://agents.lumalabs.ai/v1/generations/00000000-0000-0000-0000-000000000000"
    assert (request.headers, request.query, request.body) == (AUTHORISED, {}, None)


def test_another_address_keeps_its_path() -> None:
    """Behind a proxy, requests go below the address that was given."""
    luma = Luma(api_key=KEY, base_url="http://127.0.0.1:8000/proxy/v1/")
    assert first_request(luma.get(TICKET)).url == f"http://127.0.0.1:8000/proxy/v1/generations/{ID}"


@pytest.mark.parametrize(
    ("given", "segment"), [(f"  {ID}\n", ID), ("a b", "a%20b"), ("a?b#c", "a%3Fb%23c"), ("a%2fb", "a%252fb")]
)
def test_an_id_stays_one_segment(given: str, segment: str) -> None:
    """No id can lead to another address."""
    url = first_request(LUMA.get(Ticket(provider_id=given))).url
    assert url == f"https://agents.lumalabs.ai/v1/generations/{segment}"


@pytest.mark.parametrize("wrong", ["", "  "])
def test_a_blank_id_is_not_asked_about(wrong: str) -> None:
    """Nothing is sent for a blank id; the text is the known one."""
    with pytest.raises(InputError) as caught:
        first_request(LUMA.get(Ticket(provider_id=wrong)))
    assert str(caught.value) == "Generation ID cannot be empty. Please provide a valid generation ID."


@pytest.mark.parametrize("wrong", ["../files", "a/b", "a\\b", "a\nb", ".."])
def test_a_path_is_no_id(wrong: str) -> None:
    """Nothing is sent for what cannot be an id."""
    with pytest.raises(InputError, match="is not valid: an id has no slashes and no control characters"):
        first_request(LUMA.get(Ticket(provider_id=wrong)))


def test_what_luma_does_not_offer() -> None:
    """There is no list and no delete, and the capabilities say so."""
    assert Luma(api_key="luma-api-0123456789").capabilities == Capabilities(account=True, models=True)
    with pytest.raises(Unsupported, match="Luma has no API call that lists generations"):
        LUMA.list(None, 0, 10)
    with pytest.raises(Unsupported, match="Luma has no API call that deletes a generation"):
        LUMA.delete(ID)


def test_the_documented_limits() -> None:
    """Without other word the limits are the documented ones; only 502 and 503 allow another create."""
    luma = Luma(api_key=KEY)
    assert (luma.name, luma.max_active, luma.creates_per_minute, luma.requests_per_minute) == ("luma", 10, 30, 600)
    assert Luma.facts.resend_statuses == {502, 503}
    assert Luma.facts.sends_request_id
    assert Luma.facts.max_reference_bytes == 50 * 1024 * 1024


def test_how_often_luma_is_asked() -> None:
    """At most every half second, at least every half minute; what was just created may be missing for ten seconds."""
    assert (Luma.facts.poll_floor, Luma.facts.poll_ceiling, Luma.facts.not_found_grace) == (0.5, 30.0, 10.0)


# --- states


def test_queued() -> None:
    """A queued generation has nothing yet."""
    assert reading(sample("luma/queued")) == Snapshot(
        provider_id=ID,
        state=State.QUEUED,
        model="uni-1",
        kind="image",
        created_at=datetime(2026, 4, 8, 12, tzinfo=UTC),
        raw=sample_body("luma/queued"),
    )


def test_processing() -> None:
    """A processing generation is distinguished from a queued one."""
    assert reading(sample("luma/processing")).state is State.PROCESSING


def test_completed() -> None:
    """A completed image has its url, which dies an hour after the answer came."""
    snapshot = reading(sample("luma/completed_image", received_at=NOON.timestamp()))
    (output,) = snapshot.outputs
    assert (snapshot.state, snapshot.failure, snapshot.missing_outputs) == (State.COMPLETED, None, False)
    assert output.kind == "image"
    assert output.url == sample_body("luma/completed_image")["output"][0]["url"]
    assert output.expires_at == datetime(2026, 4, 8, 13, 0, 41, tzinfo=UTC)
    assert output.raw == sample_body("luma/completed_image")["output"][0]


def test_the_url_knows_better_when_it_expires() -> None:
    """An hour is what the documents say; a url of six minutes lives six minutes."""
    url = "https://storage.example/a.png?X-Amz-Date=20260408T120000Z&X-Amz-Expires=360&X-Amz-Signature=ab"
    document = {**sample_body("luma/completed_image"), "output": [{"type": "image", "url": url}]}
    (output,) = reading(answer(document)).outputs
    assert output.expires_at == datetime(2026, 4, 8, 12, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "kind", "outputs"),
    [("completed_image_edit", "image_edit", ["image"]), ("completed_video", "video", ["video"])],
)
def test_other_kinds_complete_too(name: str, kind: str, outputs: list[str]) -> None:
    """Edits and videos say what they are."""
    snapshot = reading(sample(f"luma/{name}"))
    assert (snapshot.kind, [output.kind for output in snapshot.outputs]) == (kind, outputs)


def test_layers_are_several_outputs() -> None:
    """Every layer is an output, in the vendor's order, with what the vendor says about it in `raw`."""
    outputs = reading(sample("luma/completed_layering")).outputs
    assert [output.raw["layer"]["label"] for output in outputs] == ["cup", "background"]
    assert len({output.url for output in outputs}) == 2


def test_an_output_of_a_new_kind() -> None:
    """A kind of output that this version does not know is passed on in the vendor's word, and none means an image."""
    snapshot = reading_of(output=[{"type": "exr", "url": "https://a"}, {"url": "https://b", "type": None}])
    assert [(output.kind, output.url) for output in snapshot.outputs] == [("exr", "https://a"), ("image", "https://b")]


@pytest.mark.parametrize("output", [None, [], [{"type": "image"}], [{"type": "image", "url": None}], [{"url": ""}]])
def test_completed_without_a_url_is_hollow(output: Any) -> None:
    """Completed, yet nothing to download: worth asking again before it is believed."""
    snapshot = reading_of(output=output)
    assert (snapshot.state, snapshot.outputs, snapshot.missing_outputs) == (State.COMPLETED, (), True)


def test_completed_without_output_is_hollow() -> None:
    """The field may be missing altogether."""
    assert reading(sample("luma/completed_missing_output")).missing_outputs


def test_only_a_completed_generation_can_be_hollow() -> None:
    """A running or failed generation has no outputs, and nobody misses them."""
    assert not [
        name for name in ("queued", "processing", "failed_null") if reading(sample(f"luma/{name}")).missing_outputs
    ]


def test_an_unknown_state_counts_as_running() -> None:
    """A state word that is new keeps the job going and is shown as the vendor wrote it."""
    snapshot = reading(sample("luma/unknown_state"))
    assert (snapshot.state, snapshot.unknown_state, snapshot.failure) == (State.QUEUED, "moderating", None)
    assert reading(sample("luma/queued")).unknown_state is None


def test_new_fields_stay_in_raw() -> None:
    """A field that this version does not know breaks nothing and can be read in `raw`."""
    snapshot = reading_of(bounds={"w": 1}, output=[{"type": "image", "url": "https://a", "seed": 7}])
    assert snapshot.raw["bounds"] == {"w": 1}
    assert snapshot.outputs[0].raw["seed"] == 7


@pytest.mark.parametrize("field", ["type", "model", "created_at", "failure_code", "failure_reason", "output"])
def test_what_may_be_null_may_be(field: str) -> None:
    """Null where the types allow it, or nothing at all, is no error."""
    document = sample_body("luma/queued")
    assert reading(answer({**document, field: None})).state is State.QUEUED
    del document[field]
    assert reading(answer(document)).state is State.QUEUED


def test_a_time_that_cannot_be_read_is_none() -> None:
    """A creation time in another form loses nothing but itself."""
    assert reading_of(created_at="last tuesday").created_at is None


# --- failures

FAILURES = [
    ("content_moderated", Action.CHANGE_INPUT),
    ("generation_failed", Action.RETRY),
    ("output_not_found", Action.RETRY),
    ("budget_exhausted", Action.ADD_FUNDS),
    ("image_too_large", Action.CHANGE_INPUT),
    ("unsupported_format", Action.CHANGE_INPUT),
    ("corrupt_input", Action.CHANGE_INPUT),
    ("invalid_request", Action.CHANGE_INPUT),
    ("rate_limited", Action.WAIT),
]


@pytest.mark.parametrize(("code", "action"), FAILURES)
def test_each_failure_code(code: str, action: Action) -> None:
    """Each of the nine codes is ours of the same name, with the vendor's reason, and leads to the action that helps."""
    snapshot = reading(sample(f"luma/failed_{code}"))
    reason = sample_body(f"luma/failed_{code}")["failure_reason"]
    assert snapshot.state is State.FAILED
    refunded = code in (
        "content_moderated",
        "generation_failed",
        "output_not_found",
    )  # as documented; of others unknown
    assert snapshot.failure == Failure(code=FailureCode(code), reason=reason, vendor_code=code, refunded=refunded)
    assert ACTIONS[snapshot.failure.code] is action


def test_every_sample_of_a_failure_is_tried() -> None:
    """No recorded failure is left out."""
    assert names_of("luma", "failed_") == sorted(f"luma/failed_{code}" for code in [*dict(FAILURES), "null"])


def test_a_failure_without_a_code() -> None:
    """A null code is unknown, nothing is known to help, and the reason is kept."""
    failure = reading(sample("luma/failed_null")).failure
    assert failure == Failure(code=FailureCode.UNKNOWN, reason="Generation failed")
    assert ACTIONS[failure.code] is Action.GIVE_UP


@pytest.mark.parametrize("word", ["cosmic_ray", "auth", "unknown", ""])
def test_a_failure_code_that_is_new(word: str) -> None:
    """A code that is not Luma's is unknown here, and kept as it was written."""
    failure = reading_of(state="failed", failure_code=word, failure_reason=None).failure
    assert failure == Failure(code=FailureCode.UNKNOWN, vendor_code=word)


def test_only_a_failed_generation_has_a_failure() -> None:
    """A code beside a state that is not failed is not believed."""
    assert reading_of(failure_code="generation_failed").failure is None


# --- the account


def test_a_key_that_works() -> None:
    """Whoever has a good key is told that there is no such generation; more is not known of the account."""
    assert drive(LUMA.read_account(), sample("luma/error_404")).result == AccountInfo(
        provider="luma", connection="luma-eu"
    )


def test_a_key_that_finds_something_works() -> None:
    """Should that id ever be somebody's, it is a generation that is answered, and the key is good all the same."""
    assert drive(LUMA.read_account(), sample("luma/queued")).result.connection == "luma-eu"


@pytest.mark.parametrize("body", [{"detail": "Not Found"}, "<html>Not Found</html>", "", {"error": "no such route"}])
def test_a_404_of_somebody_else_is_no_proof(body: Any) -> None:
    """A server without this route says nothing about the key."""
    assert type(complaint(answer(body, status=404), "account")) is NotFound


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("error_401_invalid", AuthenticationError),
        ("error_402", InsufficientFunds),
        ("error_403_suspended", AuthenticationError),
        ("error_403_deactivated", AuthenticationError),
        ("429_account", RateLimited),
        ("error_502_html", ProviderError),
    ],
)
def test_a_key_that_does_not_work(name: str, cls: type[APIError]) -> None:
    """A refusal of the key, of the client, or of every client is reported."""
    assert type(complaint(sample(f"luma/{name}"), "account")) is cls


@pytest.mark.parametrize("body", ["<html>Sign in to the hotel's network</html>", "", '{"data": ['])
def test_a_page_in_between_is_no_proof(body: str) -> None:
    """A 200 that is not the API's answer does not show that the key works."""
    assert type(complaint(answer(body), "account")) is ProtocolError


def test_no_answer_is_changed_on_the_way() -> None:
    """`raw` is the vendor's whole answer."""
    assert reading(sample("luma/completed_layering")).raw == sample_body("luma/completed_layering")


def test_requests_are_values() -> None:
    """A typed request cannot be changed, and shows no prompt."""
    request = LumaImage(prompt="a private matter")
    assert "private" not in repr(request)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        request.prompt = "x"  # type: ignore[misc]
