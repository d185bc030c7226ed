"""What Luma refuses, its three kinds of 429, and answers that cannot be read."""

from __future__ import annotations

from typing import Any

import pytest
from providers.drive import answer, names_of, sample, sample_body
from providers.luma_calls import (
    ID,
    complaint,
    created,
    reading,
)

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
from aiogen.exchange import Snapshot
from aiogen.models import Action, FailureCode, State

# --- refusals

REFUSALS = [
    ("400_aspect_ratio", InvalidRequest, "invalid_request", "change_input"),
    ("400_media_type", InvalidRequest, "invalid_request", "change_input"),
    ("400_prompt_length", InvalidRequest, "invalid_request", "change_input"),
    ("400_reference_both", InvalidRequest, "invalid_request", "change_input"),
    ("400_reference_neither", InvalidRequest, "invalid_request", "change_input"),
    ("400_source_missing", InvalidRequest, "invalid_request", "change_input"),
    ("400_source_refused", InvalidRequest, "invalid_request", "change_input"),
    ("400_too_many_references", InvalidRequest, "invalid_request", "change_input"),
    ("400_type", InvalidRequest, "invalid_request", "change_input"),
    ("400_unknown_model", InvalidRequest, "invalid_request", "change_input"),
    ("401_expired", AuthenticationError, "auth", "fix_key"),
    ("401_invalid", AuthenticationError, "auth", "fix_key"),
    ("401_missing", AuthenticationError, "auth", "fix_key"),
    ("401_revoked", AuthenticationError, "auth", "fix_key"),
    ("402", InsufficientFunds, "budget_exhausted", "add_funds"),
    ("403_deactivated", AuthenticationError, "auth", "fix_key"),
    ("403_suspended", AuthenticationError, "auth", "fix_key"),
    ("404", NotFound, "not_found", "give_up"),
    ("413_image", InvalidRequest, "image_too_large", "change_input"),
    ("413_source", InvalidRequest, "image_too_large", "change_input"),
    ("422_base64", InvalidRequest, "invalid_request", "change_input"),
    ("422_content_type", InvalidRequest, "invalid_request", "change_input"),
    ("422_fetch", InvalidRequest, "invalid_request", "change_input"),
    ("422_fetch_404", InvalidRequest, "invalid_request", "change_input"),
    ("502_fetch_proxy", ProviderError, "provider_error", "wait"),
    ("502_upstream", ProviderError, "provider_error", "wait"),
    ("503_ingestion", ProviderError, "provider_error", "wait"),
]


@pytest.mark.parametrize("verb", ["create", "retrieve"])
@pytest.mark.parametrize(("name", "cls", "code", "action"), REFUSALS, ids=[name for name, *_ in REFUSALS])
def test_each_refusal(name: str, cls: type[APIError], code: str, action: str, verb: str) -> None:
    """Each documented refusal is its kind of error, with status, code, action and the vendor's words."""
    response, detail = sample(f"luma/error_{name}"), sample_body(f"luma/error_{name}")["detail"]
    error = complaint(response, verb)
    assert type(error) is cls
    assert (error.code, error.action, error.status, error.details) == (code, action, response.status, detail)
    assert str(error) == f"Failed to {verb} generation. API error {response.status}: {detail}"
    assert (error.provider, error.connection) == ("luma", "luma-eu")
    assert error.request_id == "550e8400-e29b-41d4-a716-446655440000"


def test_every_sample_of_a_refusal_is_tried() -> None:
    """No recorded refusal is left out; two have their own tests."""
    tried = [*(name for name, *_ in REFUSALS), "422_listed", "502_html"]
    assert names_of("luma", "error_") == sorted(f"luma/error_{name}" for name in tried)


def test_a_refusal_in_a_list() -> None:
    """A list of complaints is said on one line, each with its place."""
    assert str(complaint(sample("luma/error_422_listed"))) == (
        "Failed to create generation. API error 422: body.prompt: Field required"
    )


def test_a_page_of_the_networks_edge() -> None:
    """HTML with a 502 is an error of the provider, and its page is quoted shortly."""
    error = complaint(sample("luma/error_502_html"))
    assert type(error) is ProviderError
    assert str(error) == (
        "Failed to create generation. API error 502: HTML page: <html><body>502 Bad Gateway</body></html> "
        "(the answer is not Luma's own: something in between sent it)"
    )


DETAILS = [
    (
        {"detail": [{"loc": ["body", 0], "msg": "bad"}, {"loc": [], "msg": "worse"}, "text"]},
        "body.0: bad; : worse; text",
    ),
    ({"detail": [{"msg": "bad"}]}, ": bad"),
    ({"detail": []}, "{'detail': []}"),
    ({"detail": {"a": 1}}, "{'a': 1}"),
    ({"detail": 5}, "5"),
    ({"detail": None}, "{'detail': None}"),
    ({"message": "no"}, "{'message': 'no'}"),
    (["no", 5], "['no', 5]"),
    ("no", "no"),
    (5, "5"),
    ({"detail": "two\n  lines"}, "two lines"),
]


@pytest.mark.parametrize(("document", "details"), DETAILS, ids=lambda value: repr(value)[:40])
def test_a_refusal_in_another_shape(document: Any, details: str) -> None:
    """Whatever shape the words of a refusal come in, they are shown, and nothing breaks."""
    assert complaint(answer(document, status=422)).details == details


@pytest.mark.parametrize("loc", ["body", 5, None])
def test_a_place_in_another_shape(loc: Any) -> None:
    """A complaint whose place is not a list is still shown, with its place."""
    error = complaint(answer({"detail": [{"loc": loc, "msg": "bad"}]}, status=422))
    assert type(error) is InvalidRequest
    assert "bad" in error.details
    assert loc is None or str(loc) in error.details


def test_a_long_refusal_is_cut() -> None:
    """The words of a refusal never fill a page."""
    assert len(complaint(answer({"detail": "x" * 10_000}, status=400)).details) == 500
    assert len(complaint(answer({"detail": ["x" * 10_000]}, status=400)).details) == 500
    assert len(complaint(answer({"detail": {"x": "x" * 10_000}}, status=400)).details) == 500


def test_an_empty_refusal() -> None:
    """A refusal without a body is reported by its status."""
    assert complaint(answer(b"", status=500)).message.startswith(
        "Failed to create generation. API error 500: (empty body) (the answer is not Luma's own"
    )


@pytest.mark.parametrize(
    "body",
    ["<html>Forbidden</html>", "", "Forbidden", {"message": "Forbidden"}, ["no"], {"detail": "Forbidden"},
     {"detail": None}, {"detail": ""}, {"detail": []}, {"detail": {}}, {"detail": False}],
)  # fmt: skip
@pytest.mark.parametrize("status", [401, 402, 403])
def test_what_the_api_did_not_say_blames_no_key(status: int, body: Any) -> None:
    """A refusal that has not the API's own shape says nothing about the key or the balance."""
    error = complaint(answer(body, status=status), "retrieve")
    assert (type(error), error.code, error.status) == (ProviderError, FailureCode.PROVIDER_ERROR, status)
    assert not error.from_api


@pytest.mark.parametrize("detail", ["no", ["no"], {"why": "no"}])
def test_a_403_of_the_api_is_about_the_key(detail: Any) -> None:
    """A 403 in the API's own JSON is about the key, whatever shape its words have."""
    assert type(complaint(answer({"detail": detail}, status=403), "retrieve")) is AuthenticationError


@pytest.mark.parametrize(
    ("status", "cls"), [(400, InvalidRequest), (404, NotFound), (500, ProviderError), (504, ProviderError)]
)
def test_other_pages_count_by_their_status(status: int, cls: type[APIError]) -> None:
    """Any other refusal that is no JSON goes by its status."""
    assert type(complaint(answer("<html>", status=status))) is cls


# --- three kinds of 429

THROTTLES = [
    ("429_creates", Throttle.CREATES, 12.0),
    ("429_concurrency", Throttle.CONCURRENCY, 60.0),
    ("429_concurrency_weights", Throttle.CONCURRENCY, None),
    ("429_concurrency_limit", Throttle.CONCURRENCY, None),
    ("429_account", Throttle.ACCOUNT, 30.0),
]


@pytest.mark.parametrize(("name", "throttle", "wait"), THROTTLES, ids=[name for name, *_ in THROTTLES])
def test_each_429_of_a_create(name: str, throttle: Throttle, wait: float | None) -> None:
    """Each recorded 429 says which limit it speaks of and how long to wait, in the known text."""
    error = complaint(sample(f"luma/{name}"))
    assert type(error) is RateLimited
    assert (error.throttle, error.retry_after, error.status, error.action) == (throttle, wait, 429, Action.WAIT)
    assert str(error) == f"Failed to create generation. API error 429: {sample_body(f'luma/{name}')['detail']}"


@pytest.mark.parametrize("name", names_of("luma", "429_"))
def test_a_429_of_a_read_is_the_abuse_ceiling(name: str) -> None:
    """Reads are outside the limits of creates, so a refused read slows everything, whatever its words."""
    assert complaint(sample(name), "retrieve").throttle is Throttle.ACCOUNT


@pytest.mark.parametrize(
    ("detail", "headers", "throttle"),
    [
        ("CONCURRENCY reached", {"X-RateLimit-Remaining": "0"}, Throttle.CONCURRENCY),
        ("Rate Limit hit", {"Retry-After": "60"}, Throttle.CREATES),
        ("slow down", {"X-RateLimit-Remaining": "3"}, Throttle.CREATES),
        ("slow down", {"Retry-After": "60"}, Throttle.CONCURRENCY),
        ("slow down", {"Retry-After": "59"}, Throttle.ACCOUNT),
        ("slow down", {}, Throttle.ACCOUNT),
        (["concurrent"], {}, Throttle.CONCURRENCY),
    ],
)
def test_words_before_headers(detail: Any, headers: dict[str, str], throttle: Throttle) -> None:
    """Words drift: first "concurren", then "rate limit" or its header, then a minute's wait, else the account."""
    assert complaint(answer({"detail": detail}, status=429, headers=headers)).throttle is throttle


@pytest.mark.parametrize("body", ["<html>Too Many Requests</html>", ""])
def test_a_429_without_json(body: str) -> None:
    """A 429 of the network's edge slows the account."""
    error = complaint(answer(body, status=429))
    assert (type(error), error.throttle) == (RateLimited, Throttle.ACCOUNT)


# --- answers that cannot be read

UNREADABLE = [
    ("<html><body>hello</body></html>", "HTML that is not JSON", "$"),
    ('{"id": "d290f1', "text that is not JSON", "$"),
    ("", "an empty body", "$"),
    ("null", "a NoneType instead of an object", "$"),
    ([], "a list instead of an object", "$"),
    ([{"id": ID, "state": "queued"}], "a list instead of an object", "$"),
    ('"queued"', "a str instead of an object", "$"),
    ({"state": "queued"}, "required field missing", "$.id"),
    ({"id": ID}, "required field missing", "$.state"),
    ({"id": 5, "state": "queued"}, "expected str", "$.id"),
    ({"id": "  ", "state": "queued"}, "an empty id", "$.id"),
    ({"id": ID, "state": None}, "expected str", "$.state"),
    ({"id": ID, "state": ["queued"]}, "expected str", "$.state"),
    ({"id": ID, "state": "completed", "output": 5}, "cannot read", "$.output"),
    ({"id": ID, "state": "completed", "output": [None]}, "cannot read", "$.output"),
    ({"id": ID, "state": "completed", "output": [{}, {"url": 5}]}, "cannot read", "$.output"),
]


def names_a_job(body: Any) -> bool:
    return isinstance(body, dict) and body.get("id") == ID


@pytest.mark.parametrize(
    ("body", "what", "path", "verb"),
    [(*case, verb) for case in UNREADABLE for verb in ("create", "retrieve")[names_a_job(case[0]) :]],
)
def test_an_answer_that_cannot_be_read(body: Any, what: str, path: str, verb: str) -> None:
    """A 2xx with anything but a generation is an error that names what came, where, and with which status."""
    error = complaint(answer(body, status=203), verb)
    assert type(error) is ProtocolError
    assert (error.status, error.path) == (203, path)
    assert f"Cannot read the answer to {verb!r}: HTTP 203 with " in str(error)
    assert what in str(error)


@pytest.mark.parametrize("body", [body for body, *_ in UNREADABLE if names_a_job(body)])
def test_a_create_that_names_a_job_has_taken_it(body: Any) -> None:
    """Whatever else is wrong with the answer: it runs and is paid for, and the next reading says the rest."""
    snapshot = created(answer(body, status=203)).snapshot
    assert snapshot == Snapshot(provider_id=ID, state=State.QUEUED, kind="image")


@pytest.mark.parametrize("name", ["a/b", "..", "x" * 257, "\ud800", "\n\x00"])
def test_a_create_that_names_what_is_no_id(name: str) -> None:
    """Nobody could ask about it: whether something runs is not known."""
    error = complaint(answer({"id": name, "state": "queued"}, status=201))
    assert (type(error), error.path) == (ProtocolError, "$.id")


@pytest.mark.parametrize(
    "output",
    [["https://a"], "https://a", [["https://a"]], {"0": {"url": "https://a"}}, [{"url": {"a": 1}}], [{}, None]],
)
def test_outputs_in_another_shape(output: Any) -> None:
    """Outputs that are not a list of objects are an answer that cannot be read, at `$.output`."""
    error = complaint(answer({"id": ID, "state": "completed", "output": output}), "retrieve")
    assert type(error) is ProtocolError
    assert error.path.startswith("$.output")


@pytest.mark.parametrize("value", [5, True, {}, [], ["x"], None, 1.5], ids=repr)
@pytest.mark.parametrize("name", ["created_at", "model", "type", "failure_code", "failure_reason", "style", "video"])
def test_a_field_that_nobody_needs_hides_no_picture(name: str, value: Any) -> None:
    """Whatever type it has: the picture is there, and the whole answer is kept."""
    given = {"id": ID, "state": "completed", "output": [{"type": "image", "url": "https://a"}], name: value}
    snapshot = reading(answer(given))
    assert (snapshot.state, [output.url for output in snapshot.outputs]) == (State.COMPLETED, ["https://a"])
    assert snapshot.raw == given


@pytest.mark.parametrize("value", [5, {}, ["x"]], ids=repr)
def test_a_failure_whose_words_cannot_be_read_is_a_failure(value: Any) -> None:
    """It has ended all the same."""
    snapshot = reading(answer({"id": ID, "state": "failed", "failure_code": value, "failure_reason": value}))
    assert (snapshot.state, snapshot.failure.code, snapshot.failure.reason) == ("failed", FailureCode.UNKNOWN, None)


@pytest.mark.parametrize("odd", [None, 5, "https://a", [], {"type": "image"}, {"url": 5}], ids=repr)
def test_an_odd_element_beside_good_outputs(odd: Any) -> None:
    """The good ones count, and that something is missing is said."""
    given = {"id": ID, "state": "completed", "output": [{"url": "https://a"}, odd, {"type": 5, "url": "https://b"}]}
    snapshot = reading(answer(given))
    assert [(output.kind, output.url) for output in snapshot.outputs] == [
        ("image", "https://a"),
        ("image", "https://b"),
    ]
    assert snapshot.warnings == ("1 of 3 outputs could not be read; raw has what the vendor sent",)


def test_one_output_that_is_not_in_a_list() -> None:
    """A list of one, written as what it holds."""
    snapshot = reading(answer({"id": ID, "state": "completed", "output": {"url": "https://a"}}))
    assert ([output.url for output in snapshot.outputs], snapshot.warnings) == (["https://a"], ())


@pytest.mark.parametrize("verb", ["create", "retrieve", "account"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int, verb: str) -> None:
    """A redirect would carry the key to another host, so it is an answer that cannot be used."""
    error = complaint(answer("", status=status, headers={"Location": "https://elsewhere"}), verb)
    assert type(error) is ProtocolError
    assert "a redirect, which is not followed because the request contains the key" in str(error)
