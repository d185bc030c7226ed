"""`aiogen.providers.leonardo`: our words here, Leonardo's there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from providers.drive import answer, drive, first_request, sample, sample_body
from providers.leonardo_calls import (
    AUTHORISED,
    BASE,
    ID,
    KEY,
    LEONARDO,
    PHOENIX,
    USER,
    V6,
    complaint,
    encoded,
    image,
    reading,
    reading_of,
    row,
)

from aiogen.errors import (
    ConfigurationError,
    InputError,
    NotFound,
    ProtocolError,
)
from aiogen.exchange import Deleted, Failure, Response, Ticket
from aiogen.models import ACTIONS, AccountInfo, Action, FailureCode, State
from aiogen.providers import Capabilities, Leonardo, LeonardoImage

# --- what is asked


@pytest.mark.parametrize(("model", "version"), [("gemini-image-2", "v2"), (PHOENIX, "v1")])
def test_a_create(model: str, version: str) -> None:
    """A slug is created on v2, the UUID of an older model on v1; the key is in its header alone."""
    request = first_request(LEONARDO.create(encoded(LeonardoImage(prompt="a boat", model=model))))
    assert (request.verb, request.method, request.url) == ("create", "POST", f"{BASE}/{version}/generations")
    assert (request.headers, request.query) == (AUTHORISED, {})
    assert KEY not in repr(request)


@pytest.mark.parametrize("provider_id", [ID, V6, "j9k0l1m2-n3o4-p5q6-rstu-vw8901234567"])
def test_a_read(provider_id: str) -> None:
    """A read is a GET on v1 for any id, UUID of whatever version or not."""
    request = first_request(LEONARDO.get(Ticket(provider_id=provider_id)))
    assert (request.verb, request.method, request.url) == ("retrieve", "GET", f"{BASE}/v1/generations/{provider_id}")
    assert (request.headers, request.query, request.body) == (AUTHORISED, {}, None)


def test_a_delete() -> None:
    """A delete is a DELETE of the same address."""
    request = first_request(LEONARDO.delete(ID))
    assert (request.verb, request.method, request.url) == ("delete", "DELETE", f"{BASE}/v1/generations/{ID}")
    assert (request.headers, request.query, request.body) == (AUTHORISED, {}, None)


@pytest.mark.parametrize(
    ("offset", "limit", "query"),
    [
        (0, 10, {"offset": "0", "limit": "10"}),
        (150, 50, {"offset": "150", "limit": "50"}),
        (0, 51, {"offset": "0", "limit": "50"}),
    ],
)
def test_a_page_of_a_list(offset: int, limit: int, query: dict[str, str]) -> None:
    """A page of a user's generations is a GET with offset and limit, of at most fifty."""
    request = first_request(LEONARDO.list(USER, offset, limit))
    assert (request.verb, request.method, request.url) == ("list", "GET", f"{BASE}/v1/generations/user/{USER}")
    assert (request.headers, request.query, request.body) == (AUTHORISED, query, None)


def test_a_list_of_my_own() -> None:
    """Without a user id the key's own user is looked up first, in the same exchange."""
    went = drive(LEONARDO.list(None, 0, 10), sample("leonardo/me"), sample("leonardo/list"))
    assert [request.url for request in went.requests] == [f"{BASE}/v1/me", f"{BASE}/v1/generations/user/{USER}"]
    assert len(went.result.snapshots) == 3


def test_a_look_at_the_account() -> None:
    """The account is one GET."""
    request = first_request(LEONARDO.read_account())
    assert (request.verb, request.method, request.url) == ("retrieve", "GET", f"{BASE}/v1/me")
    assert (request.headers, request.query, request.body) == (AUTHORISED, {}, None)


BLANK = {
    "Generation": "Generation ID cannot be empty. Please provide a valid generation ID.",
    "User": "User ID cannot be empty. Please provide a valid user ID.",
}


@pytest.mark.parametrize("wrong", ["", " \n", "a/b", "../me", "a\nb"])
@pytest.mark.parametrize("call", ["get", "delete", "list"])
def test_what_cannot_be_an_id_is_not_asked_about(call: str, wrong: str) -> None:
    """Nothing is sent for a blank id, in the known text, nor for a path."""
    calls = {
        "get": lambda: LEONARDO.get(Ticket(provider_id=wrong)),
        "delete": lambda: LEONARDO.delete(wrong),
        "list": lambda: LEONARDO.list(wrong, 0, 10),
    }
    what = "User" if call == "list" else "Generation"
    with pytest.raises(InputError) as caught:
        first_request(calls[call]())
    assert str(caught.value) == BLANK[what] if not wrong.strip() else f"{what} ID" in str(caught.value)


def test_an_id_stays_one_segment() -> None:
    """No id can lead to another address."""
    assert first_request(LEONARDO.delete(" a?b ")).url == f"{BASE}/v1/generations/a%3Fb"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://h.example.com/api/rest", "https://h.example.com/api/rest"),
        ("https://h.example.com/api/rest/v1", "https://h.example.com/api/rest"),
        ("https://h.example.com/api/rest/v2/", "https://h.example.com/api/rest"),
        ("https://h.example.com/v3", "https://h.example.com/v3"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_the_version_is_not_part_of_the_address(given: str, kept: str) -> None:
    """The vendor's own SDK takes the v1 address; here it may be given with a version or without."""
    assert Leonardo(api_key=KEY, base_url=given).base_url == kept


def test_what_leonardo_offers() -> None:
    """Lists of fifty, deletes, an account; limits a little below the published; no 5xx allows another create."""
    leonardo = Leonardo(api_key=KEY)
    assert Leonardo(api_key="1e07a2d0-0000-4000-8000-5a4db0c50000").capabilities == Capabilities(
        list=True, delete=True, account=True, models=True, list_page=50
    )
    assert (leonardo.max_active, leonardo.creates_per_minute, leonardo.requests_per_minute) == (180, 90, 1500)
    assert (leonardo.name, leonardo.nsfw, Leonardo.facts.resend_statuses) == ("leonardo", "keep", frozenset())
    assert not Leonardo.facts.sends_request_id  # nothing documents it


def test_how_often_leonardo_is_asked() -> None:
    """At most every second, at least every half minute; what was just created may be missing for a quarter."""
    assert (Leonardo.facts.poll_floor, Leonardo.facts.poll_ceiling, Leonardo.facts.not_found_grace) == (1.0, 30.0, 15.0)


@pytest.mark.parametrize("nsfw", ["", "KEEP", None, True])
def test_a_policy_that_is_none(nsfw: Any) -> None:
    """A misspelt policy is refused with the three there are."""
    with pytest.raises(ConfigurationError, match="nsfw= must be 'keep', 'drop' or 'fail'"):
        Leonardo(api_key=KEY, nsfw=nsfw)


# --- states


def test_pending() -> None:
    """A pending generation is queued: nothing distinguishes a queue from a run."""
    snapshot = reading(sample("leonardo/pending"))
    assert (snapshot.provider_id, snapshot.state, snapshot.outputs) == (ID, State.QUEUED, ())
    assert (snapshot.failure, snapshot.unknown_state, snapshot.partial, snapshot.missing_outputs) == (
        None,
        None,
        False,
        False,
    )
    assert snapshot.created_at == datetime(2024, 7, 23, 16, 56, 21, 208_000, tzinfo=UTC)
    assert snapshot.raw == sample_body("leonardo/pending")["generations_by_pk"]


def test_complete() -> None:
    """A complete generation has its pictures in order, each with its id, its flag, and no end of its url."""
    snapshot = reading(sample("leonardo/complete_image"))
    rows = row()["generated_images"]
    assert (snapshot.state, snapshot.failure, snapshot.kind) == (State.COMPLETED, None, None)
    assert (snapshot.model, snapshot.prompt) == ("lightning-xl", "A majestic cat in the snow")
    assert [output.url for output in snapshot.outputs] == [r["url"] for r in rows]
    assert [output.provider_id for output in snapshot.outputs] == [r["id"] for r in rows]
    assert [output.raw for output in snapshot.outputs] == rows
    assert {(output.kind, output.nsfw, output.expires_at) for output in snapshot.outputs} == {("image", False, None)}


def test_a_signed_url_says_when_it_expires() -> None:
    """Leonardo's own do not expire; whatever is signed does."""
    images = [{**image, "url": f"{image['url']}?Expires=1767225600&Signature=a"} for image in row()["generated_images"]]
    outputs = reading_of(generated_images=images).outputs
    assert {output.expires_at for output in outputs} == {datetime(2026, 1, 1, tzinfo=UTC)}


@pytest.mark.parametrize("word", ["COMPLETED", "complete", "Completed"])
def test_complete_in_other_words(word: str) -> None:
    """The word of other calls of this API, and another case, mean the same."""
    snapshot = reading_of(status=word)
    assert (snapshot.state, snapshot.unknown_state) == (State.COMPLETED, None)


@pytest.mark.parametrize("word", ["PROCESSING", "IN_PROGRESS", ""])
def test_an_unknown_state_counts_as_running(word: str) -> None:
    """A state word that is new keeps the job going and is shown as the vendor wrote it."""
    snapshot = reading_of("pending", status=word)
    assert (snapshot.state, snapshot.unknown_state, snapshot.failure) == (State.QUEUED, word, None)


def test_a_video_is_its_film() -> None:
    """Of a video the film is the output, and not its poster."""
    snapshot = reading(sample("leonardo/complete_video"))
    (output,) = snapshot.outputs
    assert (snapshot.kind, output.kind) == ("video", "video")
    assert output.url == row("complete_video")["generated_images"][0]["motionMP4URL"]


@pytest.mark.parametrize(("motion", "kind"), [(True, "video"), (False, None), (None, None)])
def test_a_video_is_known_before_its_film(motion: bool | None, kind: str | None) -> None:
    """A pending video says that it is one."""
    assert reading_of("pending", motion=motion).kind == kind


@pytest.mark.parametrize("field", ["presetStyle", "scheduler", "sdVersion", "modelId", "createdAt", "prompt", "motion"])
def test_null_where_the_schema_forbids_it(field: str) -> None:
    """Nulls, and missing fields, that the published schema does not allow break nothing."""
    assert reading_of(**{field: None}).state is State.COMPLETED
    document = row()
    del document[field]
    assert reading(answer({"generations_by_pk": document})).state is State.COMPLETED


def test_new_words_in_old_fields() -> None:
    """A new scheduler, style or version is nothing to stumble over, and can be read in `raw`."""
    assert reading_of(scheduler="NEW", sdVersion="PHOENIX_9", presetStyle="NEWER").raw["sdVersion"] == "PHOENIX_9"


def test_pending_without_a_list_of_pictures() -> None:
    """The list may be null or missing while there is nothing in it."""
    assert reading_of("pending", generated_images=None).outputs == ()


@pytest.mark.parametrize(("asked", "came", "partial"), [(2, 2, False), (3, 2, True), (1, 2, False), (None, 2, False)])
def test_fewer_pictures_than_asked_for(asked: int | None, came: int, partial: bool) -> None:
    """Fewer pictures than asked for is a success that says so."""
    ticket = Ticket(provider_id=ID, outputs=asked)
    snapshot = reading_of(ticket=ticket, generated_images=[image(i) for i in range(came)])
    assert (snapshot.state, len(snapshot.outputs), snapshot.partial) == (State.COMPLETED, came, partial)


def test_a_running_generation_is_not_partial() -> None:
    """While it runs, nothing is missing yet."""
    assert not reading_of("pending", ticket=Ticket(provider_id=ID, outputs=4)).partial


def test_a_picture_without_a_url_is_none() -> None:
    """A picture that cannot be downloaded is not an output."""
    snapshot = reading_of(generated_images=[image(0, url=None), image(1)])
    assert [output.provider_id for output in snapshot.outputs] == ["i1"]


# --- nsfw

MIXED = [image(0), image(1, nsfw=True), image(2, nsfw=None)]


@pytest.mark.parametrize(
    ("policy", "state", "kept"),
    [
        ("keep", State.COMPLETED, ["i0", "i1", "i2"]),
        ("drop", State.COMPLETED, ["i0", "i2"]),
        ("fail", State.FAILED, ["i0", "i1", "i2"]),
    ],
)
def test_the_policy_on_nsfw(policy: str, state: State, kept: list[str]) -> None:
    """Flagged pictures are kept with their flag, dropped, or make the generation a failure."""
    snapshot = reading_of(nsfw=policy, generated_images=MIXED)
    assert (snapshot.state, [output.provider_id for output in snapshot.outputs]) == (state, kept)


def test_kept_pictures_have_their_flag() -> None:
    """Who keeps flagged pictures can recognise them."""
    assert [output.nsfw for output in reading_of(generated_images=MIXED).outputs] == [False, True, None]
    assert reading(sample("leonardo/complete_nsfw")).outputs[0].nsfw is True


def test_dropped_pictures_are_missing() -> None:
    """A generation from which pictures were dropped is partial."""
    snapshot = reading_of(ticket=Ticket(provider_id=ID, outputs=3), nsfw="drop", generated_images=MIXED)
    assert snapshot.partial


def test_a_policy_of_failing_says_why() -> None:
    """The failure is moderation, and its reason is the policy."""
    assert reading(sample("leonardo/complete_nsfw"), nsfw="fail").failure == Failure(
        code=FailureCode.CONTENT_MODERATED,
        reason="images were flagged nsfw, and this connection has nsfw='fail'",
    )


def test_nothing_left_after_dropping() -> None:
    """If every picture was dropped, the generation was moderated."""
    snapshot = reading(sample("leonardo/complete_nsfw"), nsfw="drop")
    assert snapshot.state is State.FAILED
    assert snapshot.failure == Failure(code=FailureCode.CONTENT_MODERATED, reason="all images were withheld as nsfw")


@pytest.mark.parametrize("policy", ["keep", "drop", "fail"])
def test_clean_pictures_pass_every_policy(policy: str) -> None:
    """Without a flag no policy changes anything."""
    snapshot = reading(sample("leonardo/complete_image"), nsfw=policy)
    assert (snapshot.state, len(snapshot.outputs)) == (State.COMPLETED, 2)


# --- failures


def test_complete_but_moderated() -> None:
    """Complete without pictures and with a classification is a moderated failure, in the vendor's words."""
    snapshot = reading(sample("leonardo/complete_empty_moderated"))
    assert snapshot.state is State.FAILED
    assert snapshot.failure == Failure(code=FailureCode.CONTENT_MODERATED, reason="moderated: NSFW", vendor_code="NSFW")


def test_complete_but_empty() -> None:
    """Complete without pictures or words is no success: probably moderated, so change the input."""
    snapshot = reading_of(generated_images=[])
    assert snapshot.state is State.FAILED
    assert snapshot.failure == Failure(
        code=FailureCode.OUTPUT_NOT_FOUND,
        reason="completed without any image, probably because of moderation",
        action=Action.CHANGE_INPUT,
    )


def test_failed() -> None:
    """A failure without a hint is just that, and another create may help."""
    failure = reading(sample("leonardo/failed")).failure
    assert failure == Failure(code=FailureCode.GENERATION_FAILED)
    assert ACTIONS[failure.code] is Action.RETRY


def test_failed_because_moderated() -> None:
    """The classification of the prompt is the one hint there is."""
    assert reading(sample("leonardo/failed_moderated")).failure == Failure(
        code=FailureCode.CONTENT_MODERATED,
        reason="moderated: NSFW, EXTREME_VIOLENCE",
        vendor_code="NSFW,EXTREME_VIOLENCE",
    )


@pytest.mark.parametrize(
    ("moderations", "code"),
    [
        ([{"moderationClassification": ["NSFW"]}], "content_moderated"),
        ({"moderationClassification": ["NSFW"]}, "content_moderated"),
        ([{}, {"moderationClassification": None}, {"moderationClassification": ["NSFW"]}], "content_moderated"),
        ([{"moderationClassification": []}], "generation_failed"),
        ([], "generation_failed"),
        (None, "generation_failed"),
        ([None, 5, "NSFW"], "generation_failed"),
        ("NSFW", "generation_failed"),
    ],
    ids=repr,
)
def test_moderation_in_any_shape(moderations: Any, code: str) -> None:
    """The undocumented field is read as a list or one object, and nothing in it can break a reading."""
    failure = reading_of("failed", prompt_moderations=moderations).failure
    assert failure is not None
    assert failure.code == code


@pytest.mark.parametrize(
    ("hint", "reason"),
    [
        ({"failedReason": "out of memory"}, "out of memory"),
        ({"failedReason": {"type": "X", "message": "no"}}, "no"),
        ({"failedReason": {"type": "X"}}, "{'type': 'X'}"),
        ({"error": "boom"}, "boom"),
        ({"message": "two\n lines"}, "two lines"),
        ({"notes": [{"failureReason": "x"}]}, "[{'failureReason': 'x'}]"),
        ({"failedReason": "", "error": None, "notes": []}, None),
    ],
    ids=repr,
)
def test_words_about_a_failure(hint: dict[str, Any], reason: str | None) -> None:
    """Any words about a failure, under the names seen in other parts of this API, are its reason."""
    failure = reading_of("failed", **hint).failure
    assert failure is not None
    assert failure.reason == reason


def test_a_classification_does_not_spoil_a_success() -> None:
    """A classification beside pictures that came is no failure."""
    assert reading_of(prompt_moderations=[{"moderationClassification": ["NSFW"]}]).state is State.COMPLETED


# --- not found


@pytest.mark.parametrize(
    "response",
    [
        sample("leonardo/not_found"),
        answer({"generations_by_pk": []}),
        answer([]),
        answer({"error": "not found", "path": "$", "code": "not_found"}, status=404),
        answer("", status=404),
        sample("leonardo/error_graphql_not_found"),
    ],
    ids=["null", "empty", "list", "404", "404-empty", "graphql"],
)
def test_each_shape_of_not_found(response: Response) -> None:
    """Null, nothing, or a 404 in any dress is NotFound with status 404 in the known text."""
    error = complaint(response, "retrieve")
    assert type(error) is NotFound
    assert (error.status, error.code, error.action) == (404, FailureCode.NOT_FOUND, Action.GIVE_UP)
    assert str(error).startswith("Failed to retrieve generation. API error 404: ")


def test_null_is_put_into_words() -> None:
    """A null is reported as what it means."""
    assert str(complaint(sample("leonardo/not_found"), "retrieve")) == (
        "Failed to retrieve generation. API error 404: Generation not found"
    )


@pytest.mark.parametrize(
    ("response", "found"),
    [
        (sample("leonardo/deleted"), True),
        (sample("leonardo/delete_not_found"), False),
        (answer({"error": "not found", "code": "not_found"}, status=404), False),
        (answer("", status=404), False),
        (sample("leonardo/error_graphql_not_found"), False),
    ],
    ids=["deleted", "null", "404", "404-empty", "graphql"],
)
def test_what_became_of_a_delete(response: Response, found: bool) -> None:
    """A delete says whether there was something to delete, and missing is no error."""
    assert drive(LEONARDO.delete(ID), response).result == Deleted(found=found)


# --- lists


def test_a_list_is_one_page() -> None:
    """Each row of a page is a reading of its own, in the vendor's order."""
    page = drive(LEONARDO.list(USER, 0, 10), sample("leonardo/list")).result
    assert [(snapshot.provider_id[:8], snapshot.state, len(snapshot.outputs)) for snapshot in page.snapshots] == [
        ("5a1e2f3c", State.COMPLETED, 1),
        ("8d2e4f60", State.QUEUED, 0),
        ("2f2f2f2f", State.FAILED, 0),
    ]


def test_an_empty_page() -> None:
    """A page beyond the end is empty, and no error."""
    assert drive(LEONARDO.list(USER, 500, 50), answer({"generations": []})).result.snapshots == ()


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"generations": None}, "$.generations"),
        ({"generations": {}}, "$.generations"),
        ({}, "$.generations"),
        ([], "$.generations"),
        (None, "$.generations"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_list_that_cannot_be_read(document: Any, path: str) -> None:
    """Anything but a list of generations is an error that says where."""
    error = complaint(answer(document), "list")
    assert type(error) is ProtocolError
    assert (error.status, error.path) == (200, path)


@pytest.mark.parametrize(
    ("rows", "path"),
    [
        ([row(id=5), None], "$.generations[0].id"),
        ([None], "$.generations[0]"),
        ([row(id="")], "$.generations[0].id"),
    ],
)
def test_a_page_of_which_no_row_can_be_read(rows: list[Any], path: str) -> None:
    """Every row keeps its place; the first says what is wrong."""
    page = drive(LEONARDO.list(USER, 0, 50), answer({"generations": rows})).result
    assert (page.rows, page.problem.path) == ((None,) * len(rows), path)


UNREAD: list[Any] = [
    None, 5, "PENDING", [], {}, row(id=5), row(id=None), row(id=" "), row(status=None), row(status=["PENDING"]),
    row(generated_images=["https://a"]), row(generated_images={"0": image()}),
]  # fmt: skip


@pytest.mark.parametrize("odd", UNREAD, ids=repr)
def test_a_row_that_cannot_be_read_hides_no_other(odd: Any) -> None:
    """It keeps its place in the list, and a name by which it is known again; what was wrong with it is reported."""
    other = row(id="00000000-0000-4000-8000-00000000000f")
    page = drive(LEONARDO.list(USER, 0, 50), answer({"generations": [row(), odd, other]})).result
    first, gap, last = page.rows
    assert (first.provider_id, gap, last.provider_id) == (ID, None, other["id"])
    assert page.snapshots == (first, last)
    assert page.names[0] == ID.lower()
    assert page.problem.path.startswith("$.generations[1]")
    again = drive(LEONARDO.list(USER, 1, 50), answer({"generations": [odd, other]})).result
    assert again.names[0] == page.names[1]
    assert len(set(page.names)) == 3


# --- the account


def test_the_account() -> None:
    """The user, what is left, and how many jobs run at once, in the vendor's own names and numbers."""
    assert drive(LEONARDO.read_account(), sample("leonardo/me")).result == AccountInfo(
        provider="leonardo",
        connection="leo",
        user_id=USER,
        username="example-user",
        balances={
            "paidTokens": 0,
            "subscriptionTokens": 150,
            "subscriptionGptTokens": 0,
            "subscriptionModelTokens": 0,
            "apiPaidTokens": 5000,
            "apiSubscriptionTokens": 10000,
        },
        concurrency_slots=10,
        raw=sample_body("leonardo/me"),
    )


def test_an_account_with_little_in_it() -> None:
    """What is null or missing is left out."""
    details = {"user": {"id": USER}, "paidTokens": None, "apiConcurrencySlots": "10"}
    account = drive(LEONARDO.read_account(), answer({"user_details": [details]})).result
    assert (account.user_id, account.username, account.balances, account.concurrency_slots) == (USER, None, {}, None)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"user_details": None},
        {"user_details": []},
        {"user_details": {}},
        {"user_details": [{}]},
        {"user_details": [{"user": None}]},
        {"user_details": [{"user": {}}]},
        {"user_details": [{"user": []}]},
        {"user_details": [{"user": {"id": None}}]},
        {"user_details": [{"user": {"id": ""}}]},
        [],
        None,
    ],
    ids=repr,
)
def test_an_account_that_cannot_be_read(document: Any) -> None:
    """Without a user there is no account, and the error says where one belongs."""
    error = complaint(answer(document), "account")
    assert (type(error), error.path) == (ProtocolError, "$.user_details[0].user")


def test_requests_are_values() -> None:
    """A typed request cannot be changed, and shows no prompt."""
    request = LeonardoImage(prompt="a private matter", model="m")
    assert "private" not in repr(request)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        request.prompt = "x"  # type: ignore[misc]
