"""What Leonardo refuses, and answers that cannot be read."""

from __future__ import annotations

from typing import Any

import pytest
from providers.drive import answer, drive, names_of, sample, sample_body
from providers.leonardo_calls import (
    EXCHANGES,
    ID,
    LEONARDO,
    TICKET,
    USER,
    complaint,
    image,
    reading,
    row,
)

from aiogen._limits.retry import Verdict, judge_create
from aiogen.errors import (
    APIError,
    AuthenticationError,
    InsufficientFunds,
    InvalidRequest,
    NotFound,
    ProtocolError,
    ProviderError,
    RateLimited,
    Throttle,
)
from aiogen.models import State
from aiogen.providers import Leonardo

# --- refusals

V1 = [
    ("auth", AuthenticationError, "auth", "fix_key"),
    ("auth_hook", AuthenticationError, "auth", "fix_key"),
    ("dimensions", InvalidRequest, "invalid_request", "change_input"),
    ("extension", InvalidRequest, "invalid_request", "change_input"),
    ("image_access", InvalidRequest, "invalid_request", "change_input"),
    ("inappropriate", InvalidRequest, "content_moderated", "change_input"),
    ("init_image", InvalidRequest, "invalid_request", "change_input"),
    ("init_variation", InvalidRequest, "invalid_request", "change_input"),
    ("internal_error", ProviderError, "provider_error", "wait"),
    ("missing_prompt", InvalidRequest, "invalid_request", "change_input"),
    ("model", InvalidRequest, "invalid_request", "change_input"),
    ("moderation", InvalidRequest, "content_moderated", "change_input"),
    ("phoenix", InvalidRequest, "invalid_request", "change_input"),
    ("prompt_improve", InvalidRequest, "invalid_request", "change_input"),
    ("prompt_length", InvalidRequest, "invalid_request", "change_input"),
    ("service_error", ProviderError, "provider_error", "wait"),
    ("unexpected_variable", InvalidRequest, "invalid_request", "change_input"),
    ("wrong_type", InvalidRequest, "invalid_request", "change_input"),
]
VERBS = [
    ("create", "create generation"),
    ("retrieve", "retrieve generation"),
    ("list", "list generations"),
    ("delete", "delete generation"),
]


@pytest.mark.parametrize(("call", "what"), VERBS, ids=[call for call, _ in VERBS])
@pytest.mark.parametrize(("name", "cls", "code", "action"), V1, ids=[name for name, *_ in V1])
def test_each_refusal_of_v1(name: str, cls: type[APIError], code: str, action: str, call: str, what: str) -> None:
    """Each error of v1 is its kind, with status, code, action and the vendor's words in the known text."""
    response, text = sample(f"leonardo/error_v1_{name}"), sample_body(f"leonardo/error_v1_{name}")["error"]
    error = complaint(response, call)
    assert type(error) is cls
    assert (error.code, error.action, error.status, error.details) == (code, action, response.status, text)
    assert str(error) == f"Failed to {what}. API error {response.status}: {text}"
    assert (error.provider, error.connection) == ("leonardo", "leo")


def test_an_empty_account_tells_no_user() -> None:
    """The user's id in the vendor's words about an empty account is nobody's business in a log."""
    error = complaint(sample("leonardo/error_v1_tokens"))
    assert (type(error), error.code, error.action) == (InsufficientFunds, "budget_exhausted", "add_funds")
    assert str(error) == "Failed to create generation. API error 400: not enough api tokens userId: …"
    assert USER not in repr(error)


GRAPHQL = [
    ("bad_request", InvalidRequest, 400, "invalid_request", "Bad request. Please check your input."),
    ("errors_key", InvalidRequest, 400, "invalid_request", "Bad request"),
    ("not_found", NotFound, 404, "not_found", "Blueprint execution not found"),
    ("rate_limit", RateLimited, 429, "rate_limited", "Rate limit exceeded"),
    ("tokens", InsufficientFunds, 402, "budget_exhausted", "Insufficient tokens"),
    ("validation", InvalidRequest, 400, "invalid_request", "parameters.width must be one of: 1344, 768"),
]


@pytest.mark.parametrize(("name", "cls", "status", "code", "details"), GRAPHQL, ids=[name for name, *_ in GRAPHQL])
def test_each_error_inside_a_200(name: str, cls: type[APIError], status: int, code: str, details: str) -> None:
    """HTTP 200 does not mean success: an error inside it has the status, the code and the words of the body."""
    error = complaint(sample(f"leonardo/error_graphql_{name}"))
    assert type(error) is cls
    assert (error.status, error.code, error.details) == (status, code, details)
    assert str(error) == f"Failed to create generation. API error {status}: {details}"


def test_every_sample_of_a_refusal_is_tried() -> None:
    """No recorded refusal is left out."""
    tried = [*(f"v1_{name}" for name, *_ in V1), *(f"graphql_{name}" for name, *_ in GRAPHQL), "v1_tokens", "html"]
    assert names_of("leonardo", "error_") == sorted(f"leonardo/error_{name}" for name in tried)


def graphql(message: Any = "An error occurred.", **extensions: Any) -> Any:
    return [{"message": message, "extensions": extensions}]


WORDS = [
    (graphql(details={"errors": [{"message": "inner"}], "message": "outer"}), "inner"),
    (graphql(details={"errors": [{}], "message": "outer"}), "outer"),
    (graphql(details={"errors": "x", "message": "outer"}), "outer"),
    (graphql(details={"errors": [5], "message": "outer"}), "outer"),
    (graphql(details="words"), "words"),
    (graphql("shown", details="An error occurred processing your request."), "shown"),
    (graphql("shown", details=None), "shown"),
    (graphql("shown", details=[1]), "shown"),
    (graphql(None), "An error occurred."),
    ([{"message": "bare"}], "bare"),
    ([{"extensions": None, "message": "bare"}], "bare"),
    ([{"extensions": "odd", "message": "bare"}], "bare"),
    ([{"extensions": {"code": "X"}}], "An error occurred."),
    ({"errors": ["just text"]}, "just text"),
    ({"errors": [{"message": "first"}, {"message": "second"}]}, "first"),
    ({"error": "no code here"}, "no code here"),
    ({"error": {"a": 1}, "code": "unexpected"}, "{'a': 1}"),
    ([{"message": "two\n  lines"}], "two lines"),
]


@pytest.mark.parametrize(("document", "details"), WORDS, ids=[repr(document) for document, _ in WORDS])
def test_whose_words_are_shown(document: Any, details: str) -> None:
    """Of the words in an error the innermost that say something are shown, at any status."""
    assert complaint(answer(document)).details == details
    assert complaint(answer(document, status=400)).details == details


STATUSES = [
    (graphql(statusCode=402), 402, InsufficientFunds),
    (graphql(details={"statusCode": 404}), 404, NotFound),
    (graphql(statusCode=401, details={"statusCode": 404}), 401, AuthenticationError),
    (graphql(statusCode=500), 500, ProviderError),
    (graphql(statusCode="500"), 500, ProviderError),
    (graphql(statusCode="429"), 429, RateLimited),
    ([{"message": "x"}, *graphql(statusCode=429)], 429, RateLimited),
    ([{"message": "x", "statusCode": 429}], 429, RateLimited),
    (graphql(code="RATE_LIMITED"), 200, RateLimited),
    (graphql(code="TOO_MANY_REQUESTS"), 200, RateLimited),
    (graphql(statusCode=True), 200, ProviderError),
    (graphql(), 200, ProviderError),
    (graphql(statusCode=429), 429, RateLimited),
]


@pytest.mark.parametrize(("document", "status", "cls"), STATUSES, ids=[repr(document) for document, *_ in STATUSES])
def test_the_status_inside_an_error(document: Any, status: int, cls: type[APIError]) -> None:
    """The status inside an error counts; without one, and without words, it is an error of the provider."""
    error = complaint(answer(document))
    assert (type(error), error.status) == (cls, status)


MEANINGS = [
    (400, "x", "access-denied", AuthenticationError, "auth"),
    (403, "x", "unexpected", InvalidRequest, "invalid_request"),
    (400, "Unexpected variable concurrency", "bad-request", InvalidRequest, "invalid_request"),
    (400, "x", "rate-limit-exceeded", RateLimited, "rate_limited"),
    (403, "content moderation filter: x", "unexpected", InvalidRequest, "content_moderated"),
    (400, "PROVIDER_MODERATION_BLOCKED", "unexpected", InvalidRequest, "content_moderated"),
    (400, "Insufficient credits", "unexpected", InsufficientFunds, "budget_exhausted"),
    (402, "x", "unexpected", InsufficientFunds, "budget_exhausted"),
    (400, "Too many pending jobs", "unexpected", RateLimited, "rate_limited"),
    (400, "concurrency limit", "unexpected", RateLimited, "rate_limited"),
    (400, "the queue is full", "unexpected", RateLimited, "rate_limited"),
    (429, "x", "unexpected", RateLimited, "rate_limited"),
    (429, "Unexpected variable x", "bad-request", RateLimited, "rate_limited"),
    (400, "x", "not_found", NotFound, "not_found"),
    (400, "x", "notfound", InvalidRequest, "invalid_request"),
    (418, "x", "unexpected", InvalidRequest, "invalid_request"),
    (200, "Unexpected variable x", "unexpected", InvalidRequest, "invalid_request"),
    (200, "x", "validation-failed", InvalidRequest, "invalid_request"),
    (503, "Service Error", "unexpected", ProviderError, "provider_error"),
    (400, "Service Error", "unexpected", InvalidRequest, "invalid_request"),
]


@pytest.mark.parametrize(("status", "words", "vendors", "cls", "code"), MEANINGS)
def test_words_tell_more_than_a_status(status: int, words: str, vendors: str, cls: type[APIError], code: str) -> None:
    """The vendor's codes are too coarse, so the words decide, and the status where they say nothing."""
    error = complaint(answer({"error": words, "path": "$", "code": vendors}, status=status))
    assert (type(error), error.code, error.status) == (cls, code, status)


@pytest.mark.parametrize(
    ("extensions", "cls"),
    [
        ({"code": "access-denied"}, AuthenticationError),
        ({"code": "BadRequestException"}, InvalidRequest),
        ({"code": "BAD_REQUEST"}, InvalidRequest),
        ({"code": "NOT_FOUND"}, NotFound),
        ({"details": {"code": "VALIDATION_ERROR"}}, InvalidRequest),
        ({"code": "NOT", "details": {"code": "FOUND"}}, ProviderError),
        ({"code": "HttpException", "details": {"code": "NOT_FOUND"}}, NotFound),
    ],
    ids=repr,
)
def test_the_codes_inside_an_error_tell_too(extensions: dict[str, Any], cls: type[APIError]) -> None:
    """Where the words say nothing, either code in an error may."""
    assert type(complaint(answer(graphql("x", **extensions)))) is cls


def test_a_delete_that_cannot_be_read() -> None:
    """An answer to a delete that does not say what became of it says where it should."""
    assert complaint(answer({"ok": True}), "delete").path == "$.delete_generations_by_pk"


def test_a_refused_request_slows_the_account() -> None:
    """Which limit was met is not documented, so the whole account slows down, as long as it was asked to."""
    error = complaint(answer({"error": "Too many requests"}, status=429, headers={"Retry-After": "9"}))
    assert (error.throttle, error.retry_after) == (Throttle.ACCOUNT, 9.0)


@pytest.mark.parametrize("words", ["could not serialize access due to concurrent update", "internal error"])
@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_broken_create_is_never_sent_again(status: int, words: str) -> None:
    """After a 5xx it is not known whether the job runs, whatever its words, so it is not sent again."""
    error = complaint(answer({"error": words, "path": "$", "code": "unexpected"}, status=status))
    assert judge_create(error, Leonardo.facts.resend_statuses) is Verdict.UNKNOWN


WORDS = ["Rate limit exceeded", "access-denied", "insufficient funds", "bad_request", "authorization hook"]


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("document", ["{'error': %r}", "{'error': {'message': %r}}", "{'errors': [%r]}"])
@pytest.mark.parametrize("status", [200, 201, 408, 500, 502, 503, 504])
def test_words_alone_do_not_say_that_nothing_was_made(status: int, document: str, words: str) -> None:
    """Something on the way may say them after it has passed the create on: it is neither refused nor sent again."""
    error = complaint(answer((document % words).replace("'", '"'), status=status))
    assert judge_create(error, Leonardo.facts.resend_statuses) is Verdict.UNKNOWN
    assert not error.from_api


def test_a_page_of_the_networks_edge() -> None:
    """An HTML page with a 403 blames no key."""
    error = complaint(sample("leonardo/error_html"), "retrieve")
    assert (type(error), error.code, error.status) == (ProviderError, "provider_error", 403)
    assert str(error) == (
        "Failed to retrieve generation. API error 403: HTML page: Attention Required! | Cloudflare "
        "(the answer is not Leonardo AI's own: something in between sent it)"
    )


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (401, ProviderError),
        (402, ProviderError),
        (403, ProviderError),
        (404, NotFound),
        (429, RateLimited),
        (500, ProviderError),
        (400, InvalidRequest),
    ],
)
@pytest.mark.parametrize(
    "body",
    ["<html>no</html>", "", '{"error": "ha', '{"message": "Unauthorized"}', '{"error": "Unauthorized"}', '["no"]',
     '{"errors": [{"title": "Unauthorized"}]}', '{"error": "Unauthorized", "code": 401}',
     '{"status": 401, "error": "Unauthorized", "path": "/api/rest/v2/generations"}', '{"error": "no", "code": "401"}'],
)  # fmt: skip
def test_what_the_api_did_not_say_blames_no_key(status: int, cls: type[APIError], body: str) -> None:
    """An answer in none of the API's shapes goes by its status, and says nothing of the key or the balance."""
    error = complaint(answer(body, status=status))
    assert (type(error), error.from_api) == (cls, False)
    assert "something in between sent it" in str(error)


@pytest.mark.parametrize("document", [{"ok": True}, [], [1], "no", None, {"errors": []}, {"error": ""}, [{"id": 1}]])
def test_a_refusal_in_another_shape(document: Any) -> None:
    """JSON of any shape with a status that says no is an error, and says what came."""
    error = complaint(answer(document, status=400))
    assert (type(error), error.details) == (InvalidRequest, str(document))


def test_an_empty_error_is_none() -> None:
    """A success that also has an empty `error` is a success."""
    assert reading(answer({"generations_by_pk": row(), "error": ""})).state is State.COMPLETED


def test_a_long_refusal_is_cut() -> None:
    """The words of a refusal never fill a page."""
    assert len(complaint(answer({"error": "x" * 10_000, "code": "unexpected"}, status=400)).details) == 500
    assert len(complaint(answer({"x": "x" * 10_000}, status=400)).details) == 300


# --- answers that cannot be read


@pytest.mark.parametrize("call", EXCHANGES)
@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("<html><body>hello</body></html>", "HTML that is not JSON"),
        ('{"generations_by_pk": {"id', "text that is not JSON"),
        ("", "an empty body"),
        ("5", ""),
        ('"COMPLETE"', ""),
        ("{}", ""),
        ('[{"a": 1}, {"b": 2}]', ""),
    ],
)
def test_an_answer_that_cannot_be_read(body: str, what: str, call: str) -> None:
    """A 2xx that is not what was asked for is an error that names what came, where, and with which status."""
    error = complaint(answer(body, status=203), call)
    assert type(error) is ProtocolError
    assert error.status == 203
    assert error.path.startswith("$")
    verb = "retrieve" if call == "account" else call
    assert f"Cannot read the answer to {verb!r}: HTTP 203 with {what}" in str(error)


@pytest.mark.parametrize(
    ("found", "path"),
    [
        ({"status": "COMPLETE"}, "$.generations_by_pk.id"),
        ({"id": ID}, "$.generations_by_pk.status"),
        ({"id": 5, "status": "COMPLETE"}, "$.generations_by_pk.id"),
        ({"id": " ", "status": "COMPLETE"}, "$.generations_by_pk.id"),
        ({"id": ID, "status": None}, "$.generations_by_pk.status"),
        (row(generated_images=5), "$.generations_by_pk.generated_images"),
        (row(generated_images=[None]), "$.generations_by_pk.generated_images"),
        (row(generated_images=[image(url=5)]), "$.generations_by_pk.generated_images"),
        ([row()], "$.generations_by_pk"),
        ("COMPLETE", "$.generations_by_pk"),
        (5, "$.generations_by_pk"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_generation_that_cannot_be_read(found: Any, path: str) -> None:
    """Something missing or of another type is an error that says where."""
    error = complaint(answer({"generations_by_pk": found}), "retrieve")
    assert type(error) is ProtocolError
    assert (error.status, error.path.startswith(path)) == (200, True)


@pytest.mark.parametrize(
    "images", [["https://a"], "https://a", [["https://a"]], {"0": image()}, [None], [image(url={"a": 1})]], ids=repr
)
def test_pictures_in_another_shape_end_no_paid_job(images: Any) -> None:
    """Pictures that are not a list of objects cannot be read, which is not the same as no pictures."""
    error = complaint(answer({"generations_by_pk": row(generated_images=images)}), "retrieve")
    assert type(error) is ProtocolError
    assert error.path.startswith("$.generations_by_pk.generated_images")


USELESS: list[dict[str, Any]] = [
    {name: value}
    for name in ("createdAt", "modelId", "prompt", "motion", "prompt_moderations", "imageWidth", "scheduler")
    for value in (5, "no", True, {}, [], ["x"], None, 1.5)
]


@pytest.mark.parametrize("odd", USELESS, ids=repr)
def test_a_field_that_nobody_needs_hides_no_picture(odd: dict[str, Any]) -> None:
    """Whatever type it has: the picture is there, and the whole answer is kept."""
    given = row(generated_images=[image()], **odd)
    snapshot = drive(LEONARDO.get(TICKET), answer({"generations_by_pk": given})).result
    assert (snapshot.state, len(snapshot.outputs), snapshot.raw) == (State.COMPLETED, 1, given)


@pytest.mark.parametrize("odd", [None, 5, "https://a", [], image(url=None), image(url=5)], ids=repr)
def test_an_odd_element_beside_good_pictures(odd: Any) -> None:
    """The good ones count, and that something is missing is said."""
    given = row(generated_images=[image(), odd, image(id="i2")])
    snapshot = drive(LEONARDO.get(TICKET), answer({"generations_by_pk": given})).result
    assert (snapshot.state, len(snapshot.outputs)) == (State.COMPLETED, 2)
    assert snapshot.warnings == ("1 of 3 outputs could not be read; raw has what the vendor sent",)


def test_one_picture_that_is_not_in_a_list() -> None:
    """A list of one, written as what it holds."""
    snapshot = drive(LEONARDO.get(TICKET), answer({"generations_by_pk": row(generated_images=image())})).result
    assert (len(snapshot.outputs), snapshot.warnings) == (1, ())


@pytest.mark.parametrize(
    ("given", "flag"),
    [(True, True), (1, True), ("true", True), (False, False), (0, False), ("False", False), (None, None),
     ("maybe", None), ({}, None), ([1], None), (7, None)],
)  # fmt: skip
def test_the_nsfw_flag_in_any_form(given: Any, flag: bool | None) -> None:
    """A user who wants flagged pictures dropped does not get one because its flag is a number."""
    found = row(generated_images=[image(nsfw=given)])
    snapshot = drive(LEONARDO.get(TICKET), answer({"generations_by_pk": found})).result
    assert [output.nsfw for output in snapshot.outputs] == [flag]


def test_an_answer_without_the_generation() -> None:
    """An answer that does not even mention a generation is not the same as a generation that is not there."""
    error = complaint(answer({"something": "else"}), "retrieve")
    assert (type(error), error.path) == (ProtocolError, "$.generations_by_pk")
    assert "no generations_by_pk" in str(error)


@pytest.mark.parametrize("call", EXCHANGES)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int, call: str) -> None:
    """A redirect would carry the key to another host, so it is an answer that cannot be used."""
    error = complaint(answer("", status=status, headers={"Location": "https://elsewhere"}), call)
    assert type(error) is ProtocolError
    assert "a redirect, which is not followed because the request contains the key" in str(error)
