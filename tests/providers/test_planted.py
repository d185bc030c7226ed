"""The battery of providers can fail: each fault that is planted in a small provider is reported, and by which check."""

from __future__ import annotations

import inspect
import random
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs
import pytest
from providers.kiln import STATES, Kiln, KilnImage

from aiogen import FailureCode, Output, Reference, State
from aiogen.errors import APIError, ProviderError, Unsupported
from aiogen.exchange import (
    Accepted,
    Cancelled,
    Deleted,
    Exchange,
    Failure,
    Page,
    Response,
    Snapshot,
    Submission,
    Ticket,
)
from aiogen.providers.base import Provider
from aiogen.providers.checks import check_id, path_of
from aiogen.providers.reading import parse_json
from aiogen.testing import ProviderBattery, answer

KEY = "kiln-key-0123456789"
REPORTED = (AssertionError, pytest.fail.Exception, TypeError)


class TestKiln(ProviderBattery):
    """The small provider itself, which passes."""

    provider = Kiln(api_key=KEY)
    request = KilnImage(prompt="a paper boat", model="stoneware", extra={"heat": [1200, None]})
    request_with_file = KilnImage(prompt="a paper boat", model="stoneware", source=Reference(path=Path("a.png")))
    accepted = answer({"id": "f-1", "cost": "2"}, status=201)
    running = answer({"id": "f-1", "state": "hot", "created": "2026-04-08T12:00:41Z"})
    completed = answer({"id": "f-1", "state": "done", "pictures": [{"url": "https://files.kiln.example/1.png"}]})
    failed = answer({"id": "f-1", "state": "cracked", "why": "too hot"})
    refused = answer({"error": "it is so"}, status=400)
    listed = answer({"firings": [{"id": "f-1", "state": "hot"}, {"id": "f-2", "state": "done"}]})
    deleted = answer({})
    cancelled = answer({"stopped": True})
    account = answer({"name": "potter"})


def runs_of(battery: ProviderBattery, name: str) -> Iterator[Callable[[], None]]:
    """One test of a battery, with each of its parameters."""
    test = getattr(battery, name)
    (mark,) = [*getattr(test, "pytestmark", ()), None][:1]
    if mark is not None:
        names, values = mark.args
        for value in values:
            yield lambda value=value: test(**{names: value})
    elif "monkeypatch" in inspect.signature(test).parameters:
        yield lambda: patched(test)
    else:
        yield test


def patched(test: Callable[[pytest.MonkeyPatch], None]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        test(monkeypatch)


# --- the faults: each is Kiln with one thing wrong


@attrs.frozen(kw_only=True)
class CrashesOnNewWords(Kiln):
    def snapshot(self, document: Any, response: Response, verb: str) -> Snapshot:
        return attrs.evolve(super().snapshot(document, response, verb), state=STATES[document["state"]])


@attrs.frozen(kw_only=True)
class EndsOnNewWords(Kiln):
    def snapshot(self, document: Any, response: Response, verb: str) -> Snapshot:
        found = super().snapshot(document, response, verb)
        if found.unknown_state is None:
            return found
        return attrs.evolve(found, state=State.FAILED, unknown_state=None, failure=Failure(code=FailureCode.UNKNOWN))


@attrs.frozen(kw_only=True)
class SwallowsNewWords(Kiln):
    def snapshot(self, document: Any, response: Response, verb: str) -> Snapshot:
        return attrs.evolve(super().snapshot(document, response, verb), unknown_state=None)


@attrs.frozen(kw_only=True)
class ReadsWithoutLooking(Kiln):
    def answered(self, response: Response, verb: str) -> dict[str, Any]:
        if response.status >= 300:
            return super().answered(response, verb)
        return parse_json(response, verb)  # type: ignore[no-any-return]


@attrs.frozen(kw_only=True)
class TrustsPictures(Kiln):
    def snapshot(self, document: Any, response: Response, verb: str) -> Snapshot:
        found = super().snapshot(document, response, verb)
        outputs = tuple(Output(kind="image", url=item["url"]) for item in document.get("pictures") or ())
        return attrs.evolve(found, outputs=outputs)


@attrs.frozen(kw_only=True)
class MissesNothing(Kiln):
    def snapshot(self, document: Any, response: Response, verb: str) -> Snapshot:
        return attrs.evolve(super().snapshot(document, response, verb), missing_outputs=False)


@attrs.frozen(kw_only=True)
class TakesAnythingForDone(Kiln):
    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        response = yield from self._got(ticket)
        if response.status == 200 and "hot" not in response.body.decode("utf-8", "replace"):
            outputs = (Output(kind="image", url="https://files.kiln.example/1.png"),)
            return Snapshot(provider_id=ticket.provider_id, state=State.COMPLETED, outputs=outputs, raw={"a": 1})
        return self.snapshot(self.answered(response, "retrieve"), response, "retrieve")

    def _got(self, ticket: Ticket) -> Exchange[Response]:
        return (yield self.request("retrieve", "GET", f"/firings/{path_of(ticket.provider_id)}"))


@attrs.frozen(kw_only=True)
class MakesUpAnId(Kiln):
    def create(self, submission: Submission) -> Exchange[Accepted]:
        response = yield self.request("create", "POST", "/firings", body=submission.body)
        self.answered(response, "create")
        return Accepted(snapshot=Snapshot(provider_id=str(uuid4()), state=State.QUEUED))


@attrs.frozen(kw_only=True)
class LosesPaidJobs(Kiln):
    def create(self, submission: Submission) -> Exchange[Accepted]:
        response = yield self.request("create", "POST", "/firings", body=submission.body)
        document = self.answered(response, "create")
        float(document["cost"])
        return Accepted(snapshot=self.snapshot({"state": "cold", **document}, response, "create"))


@attrs.frozen(kw_only=True)
class RefusesPaidJobs(Kiln):
    def create(self, submission: Submission) -> Exchange[Accepted]:
        try:
            return (yield from super().create(submission))
        except APIError:
            raise
        except Exception:
            response = Response(status=400)
            raise self.refusal(response, "create", "no id") from None


@attrs.frozen(kw_only=True)
class LowersIds(Kiln):
    def create(self, submission: Submission) -> Exchange[Accepted]:
        accepted = yield from super().create(submission)
        name = accepted.snapshot.provider_id.lower()
        return attrs.evolve(accepted, snapshot=attrs.evolve(accepted.snapshot, provider_id=name))


@attrs.frozen(kw_only=True)
class TakesAnyId(Kiln):
    def create(self, submission: Submission) -> Exchange[Accepted]:
        response = yield self.request("create", "POST", "/firings", body=submission.body)
        name = str(self.answered(response, "create").get("id"))
        return Accepted(snapshot=Snapshot(provider_id=name, state=State.QUEUED))


@attrs.frozen(kw_only=True)
class SendsTwice(Kiln):
    def create(self, submission: Submission) -> Exchange[Accepted]:
        for _ in range(3):
            response = yield self.request("create", "POST", "/firings", body=submission.body)
            if response.status < 500:
                break
        name = self.answered(response, "create")["id"]
        return Accepted(snapshot=Snapshot(provider_id=name, state=State.QUEUED))


@attrs.frozen(kw_only=True)
class CallsItAnUpload(Kiln):
    def create(self, submission: Submission) -> Exchange[Accepted]:
        response = yield self.request("upload", "POST", "/firings", body=submission.body)
        name = self.answered(response, "create")["id"]
        return Accepted(snapshot=Snapshot(provider_id=name, state=State.QUEUED))


@attrs.frozen(kw_only=True)
class PutsIdsIntoPaths(Kiln):
    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        response = yield self.request("retrieve", "GET", f"/firings/{ticket.provider_id}")
        return self.snapshot(self.answered(response, "retrieve"), response, "retrieve")


@attrs.frozen(kw_only=True)
class DeletesAnything(Kiln):
    def delete(self, provider_id: str) -> Exchange[Deleted]:
        response = yield self.request("delete", "DELETE", f"/firings/{path_of(provider_id)}")
        self.answered(response, "delete")
        return Deleted(found=True)


@attrs.frozen(kw_only=True)
class BelievesPages(Kiln):
    def delete(self, provider_id: str) -> Exchange[Deleted]:
        response = yield from self._asked(provider_id)
        return Deleted(found=response.status == 200)

    def _asked(self, provider_id: str) -> Exchange[Response]:
        (request,) = [next(super().delete(provider_id))]
        response = yield request
        if response.status != 200:
            self.answered(response, "delete")
        return response


@attrs.frozen(kw_only=True)
class BlamesTheKey(Kiln):
    def refused(self, response: Response, verb: str) -> APIError:
        return self.refusal(response, verb, "refused")


@attrs.frozen(kw_only=True)
class LosesTheWords(Kiln):
    def refused(self, response: Response, verb: str) -> APIError:
        error = super().refused(response, verb)
        return self.refusal(response, verb, "refused", from_api=error.from_api)


@attrs.frozen(kw_only=True)
class LosesTheRequestId(Kiln):
    def refused(self, response: Response, verb: str) -> APIError:
        return super().refused(attrs.evolve(response, request_id=None), verb)


@attrs.frozen(kw_only=True)
class LosesRetryAfter(Kiln):
    def refused(self, response: Response, verb: str) -> APIError:
        return super().refused(attrs.evolve(response, headers={}), verb)


@attrs.frozen(kw_only=True)
class HasOneError(Kiln):
    def refused(self, response: Response, verb: str) -> APIError:
        error = super().refused(response, verb)
        return ProviderError(error.message, status=error.status, provider="kiln", from_api=error.from_api)


@attrs.frozen(kw_only=True)
class FollowsRedirects(Kiln):
    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        request = next(super().get(ticket))
        response = yield request
        if 300 <= response.status < 400:
            response = yield attrs.evolve(request, url=response.headers["location"])
        return self.snapshot(self.answered(response, "retrieve"), response, "retrieve")


@attrs.frozen(kw_only=True)
class SendsTheKeyAnywhere(Kiln):
    def create(self, submission: Submission) -> Exchange[Accepted]:
        response = yield self.request("create", "POST", "/firings", body=submission.body)
        document = self.answered(response, "create")
        name = str(document.get("id", "f-1"))
        return Accepted(
            snapshot=Snapshot(provider_id=name, state=State.QUEUED), reference={"url": document.get("poll_at")}
        )

    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        request = next(super().get(ticket))
        response = yield attrs.evolve(request, url=(ticket.reference or {}).get("url") or request.url)
        return self.snapshot(self.answered(response, "retrieve"), response, "retrieve")


@attrs.frozen(kw_only=True)
class QuotesItsKey(Kiln):
    def refused(self, response: Response, verb: str) -> APIError:
        error = super().refused(response, verb)
        return self.refusal(response, verb, f"{error.details} (key {self.api_key})", from_api=error.from_api)


@attrs.frozen(kw_only=True)
class KeepsItsKeyInALocal(Kiln):
    def refused(self, response: Response, verb: str) -> APIError:
        spoken = f"Bearer {self.api_key}"
        if spoken in response.headers.values():
            raise AssertionError("never")
        raise super().refused(response, verb)


@attrs.frozen(kw_only=True)
class PutsTheKeyIntoTheUrl(Kiln):
    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        request = next(super().get(ticket))
        response = yield attrs.evolve(request, url=f"{request.url}?key={self.api_key}")
        return self.snapshot(self.answered(response, "retrieve"), response, "retrieve")


@attrs.frozen(kw_only=True)
class ShowsItsHeader(Kiln):
    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        request = next(super().get(ticket))
        response = yield attrs.evolve(request, headers={"Authorization": f"Bearer {self.api_key}"})
        return self.snapshot(self.answered(response, "retrieve"), response, "retrieve")


@attrs.frozen(kw_only=True)
class LeavesOutHeaders(Kiln):
    def read_account(self) -> Exchange[Any]:
        request = next(super().read_account())
        response = yield attrs.evolve(request, headers=self.headers())
        return (yield from super().read_account()) if response is None else self._account(response)

    def _account(self, response: Response) -> Any:
        exchange = super().read_account()
        next(exchange)
        try:
            exchange.send(response)
        except StopIteration as end:
            return end.value


@attrs.frozen(kw_only=True)
class GoesHome(Kiln):
    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        request = next(super().get(ticket))
        url = request.url.replace(self.base_url, self.facts.url)
        response = yield attrs.evolve(request, url=url)
        return self.snapshot(self.answered(response, "retrieve"), response, "retrieve")


@attrs.frozen(kw_only=True)
class ReadsAFile(Kiln):
    def snapshot(self, document: Any, response: Response, verb: str) -> Snapshot:
        Path(__file__).read_bytes()
        return super().snapshot(document, response, verb)


@attrs.frozen(kw_only=True)
class OpensASocket(Kiln):
    def refused(self, response: Response, verb: str) -> APIError:
        socket.socket().close()
        return super().refused(response, verb)


@attrs.frozen(kw_only=True)
class Sleeps(Kiln):
    def encode(self, request: KilnImage) -> Submission:
        time.sleep(0.0)
        return super().encode(request)


@attrs.frozen(kw_only=True)
class PlaysWithDice(Kiln):
    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        request = next(super().get(ticket))
        response = yield attrs.evolve(request, query={"nonce": str(random.random())})
        return self.snapshot(self.answered(response, "retrieve"), response, "retrieve")


@attrs.frozen(kw_only=True)
class SaysItWithATuple(Kiln):
    def encode(self, request: KilnImage) -> Submission:
        submission = super().encode(request)
        return attrs.evolve(submission, body={**submission.body, "size": (1, 2)})


@attrs.frozen(kw_only=True)
class SaysAnything(Kiln):
    def prepare(self, model: str, prompt: str | None, options: Mapping[str, Any]) -> KilnImage:
        made = super().prepare(model, prompt, {})
        object.__setattr__(made, "extra", dict(options))
        return made


@attrs.frozen(kw_only=True)
class TakesAnyWord(Kiln):
    def prepare(self, model: str, prompt: str | None, options: Mapping[str, Any]) -> KilnImage:
        return super().prepare(model, prompt, {"extra": {**options, **(options.get("extra") or {})}})


@attrs.frozen(kw_only=True)
class LosesExtra(Kiln):
    def prepare(self, model: str, prompt: str | None, options: Mapping[str, Any]) -> KilnImage:
        made = super().prepare(model, prompt, options)
        return attrs.evolve(made, extra={})


@attrs.frozen(kw_only=True)
class ForgetsThePrompt(Kiln):
    def encode(self, request: KilnImage) -> Submission:
        return super().encode(attrs.evolve(request, prompt="a boat"))


@attrs.frozen(kw_only=True)
class HasItsOwnDurations(Kiln):
    def encode(self, request: KilnImage) -> Submission:
        submission = super().encode(request)
        return attrs.evolve(submission, typical=attrs.evolve(submission.typical, median=20.0))


@attrs.frozen(kw_only=True)
class NumbersItsRequests(Kiln):
    def encode(self, request: KilnImage) -> Submission:
        submission = super().encode(request)
        return attrs.evolve(submission, body={**submission.body, "number": str(uuid4())})


@attrs.frozen(kw_only=True)
class SendsUnreadFiles(Kiln):
    def encode(self, request: KilnImage) -> Submission:
        if request.source is not None and request.source.path is not None:
            request = attrs.evolve(request, source=None)
        return super().encode(request)


@attrs.frozen(kw_only=True)
class CannotListAfterAll(Kiln):
    def list(self, user_id: str | None, offset: int, limit: int) -> Exchange[Page]:
        raise Unsupported("no list")


@attrs.frozen(kw_only=True)
class IsCalledLuma(Kiln):
    facts = attrs.evolve(Kiln.facts, name="luma", url_variable="KILN_URL")


@attrs.frozen(kw_only=True)
class ReadsLumasKey(Kiln):
    facts = attrs.evolve(Kiln.facts, key_variable="LUMA_AGENTS_API_KEY")


@attrs.frozen(kw_only=True)
class HasAPlainAddress(Kiln):
    facts = attrs.evolve(Kiln.facts, url="https://api.kiln.example/v1/")


@attrs.frozen(kw_only=True)
class AsksTooOften(Kiln):
    facts = attrs.evolve(Kiln.facts, poll_floor=60.0)


@attrs.frozen(kw_only=True)
class NeedsMoreThanAKey(Kiln):
    kiln: str

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()


@attrs.frozen(kw_only=True)
class ForgetsTheZone(Kiln):
    def snapshot(self, document: Any, response: Response, verb: str) -> Snapshot:
        found = super().snapshot(document, response, verb)
        return attrs.evolve(found, created_at=found.created_at and found.created_at.replace(tzinfo=None))


@attrs.frozen(kw_only=True)
class IsAboutAnother(Kiln):
    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        found = yield from super().get(ticket)
        return attrs.evolve(found, provider_id="f-2")


@attrs.frozen(kw_only=True)
class AsksForEver(Kiln):
    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        while True:
            response = yield next(super().get(ticket))
            if response.status == 200:
                return self.snapshot(self.answered(response, "retrieve"), response, "retrieve")


@attrs.frozen(kw_only=True)
class HidesFailures(Kiln):
    def snapshot(self, document: Any, response: Response, verb: str) -> Snapshot:
        found = super().snapshot(document, response, verb)
        return attrs.evolve(found, failure=None)


@attrs.frozen(kw_only=True)
class LosesPictures(Kiln):
    def snapshot(self, document: Any, response: Response, verb: str) -> Snapshot:
        return super().snapshot({**document, "pictures": []}, response, verb)


@attrs.frozen(kw_only=True)
class HasNoDeadline(Kiln):
    def encode(self, request: KilnImage) -> Submission:
        return attrs.evolve(super().encode(request), timeout=0.0)


@attrs.frozen(kw_only=True)
class QuotesNothing(Kiln):
    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        response = yield self.request("retrieve", "GET", f"/firings/{check_id(ticket.provider_id)}")
        return self.snapshot(self.answered(response, "retrieve"), response, "retrieve")


@attrs.frozen(kw_only=True)
class TakesHalfForDone(Kiln):
    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        response = yield next(super().get(ticket))
        if response.status == 200 and b"pictures" not in response.body and b"hot" not in response.body:
            failure = Failure(code=FailureCode.UNKNOWN)
            return Snapshot(provider_id=ticket.provider_id, state=State.FAILED, failure=failure, raw={"a": 1})
        return self.snapshot(self.answered(response, "retrieve"), response, "retrieve")


@attrs.frozen(kw_only=True)
class FailsAtOnce(Kiln):
    def create(self, submission: Submission) -> Exchange[Accepted]:
        accepted = yield from super().create(submission)
        failure = Failure(code=FailureCode.UNKNOWN)
        return attrs.evolve(accepted, snapshot=attrs.evolve(accepted.snapshot, state=State.FAILED, failure=failure))


@attrs.frozen(kw_only=True)
class SendsItsKeyAlong(Kiln):
    def encode(self, request: KilnImage) -> Submission:
        submission = super().encode(request)
        return attrs.evolve(submission, body={**submission.body, "key": self.api_key})


class ForgetsToYield(Kiln):
    def cancel(self, ticket: Ticket) -> Exchange[Cancelled]:
        return Cancelled(stopped=True)  # type: ignore[return-value]


PLANTED: dict[type[Provider], str] = {
    CrashesOnNewWords: "an_unknown_state_counts_as_running",
    EndsOnNewWords: "an_unknown_state_counts_as_running",
    SwallowsNewWords: "an_unknown_state_counts_as_running",
    ReadsWithoutLooking: "garbage_is_no_answer",
    TrustsPictures: "values_of_other_kinds_break_nothing",
    MissesNothing: "values_of_other_kinds_break_nothing",
    TakesAnythingForDone: "garbage_is_no_answer",
    MakesUpAnId: "equal_answers_have_equal_results",
    LosesPaidJobs: "a_create_that_names_its_job_is_taken",
    RefusesPaidJobs: "garbage_is_no_answer",
    LowersIds: "an_id_that_cannot_be_asked_about_is_none",
    TakesAnyId: "an_id_that_cannot_be_asked_about_is_none",
    SendsTwice: "a_page_in_between_blames_nobody",
    CallsItAnUpload: "a_create_is_one_request",
    PutsIdsIntoPaths: "what_is_no_id_is_not_asked_about",
    DeletesAnything: "what_is_no_id_is_not_asked_about",
    BelievesPages: "garbage_is_no_answer",
    BlamesTheKey: "a_page_in_between_blames_nobody",
    LosesTheWords: "a_refusal_of_the_vendors_is_known_by_its_status",
    LosesTheRequestId: "a_refusal_of_the_vendors_is_known_by_its_status",
    LosesRetryAfter: "a_refusal_of_the_vendors_is_known_by_its_status",
    HasOneError: "a_refusal_of_the_vendors_is_known_by_its_status",
    FollowsRedirects: "a_redirect_is_not_followed",
    SendsTheKeyAnywhere: "an_address_in_an_answer_never_gets_the_key",
    QuotesItsKey: "a_key_that_is_quoted_is_not_shown",
    KeepsItsKeyInALocal: "a_key_that_is_quoted_is_not_shown",
    PutsTheKeyIntoTheUrl: "one_that_runs_is_running",
    ShowsItsHeader: "one_that_runs_is_running",
    LeavesOutHeaders: "every_request_has_the_connections_headers",
    GoesHome: "an_address_may_be_another",
    ReadsAFile: "it_asks_nobody_itself",
    OpensASocket: "it_asks_nobody_itself",
    Sleeps: "it_asks_nobody_itself",
    PlaysWithDice: "equal_answers_have_equal_results",
    SaysItWithATuple: "a_submission_survives_a_restart",
    SaysAnything: "keywords_become_its_own_request",
    TakesAnyWord: "a_parameter_that_there_is_not_is_refused",
    LosesExtra: "extra_passes_on_what_is_not_known",
    ForgetsThePrompt: "equal_requests_are_recognised",
    HasItsOwnDurations: "it_keeps_what_it_was_given",
    NumbersItsRequests: "equal_requests_are_recognised",
    SendsUnreadFiles: "references_are_found",
    CannotListAfterAll: "it_can_do_what_it_writes",
    IsCalledLuma: "its_names_are_its_own",
    ReadsLumasKey: "its_names_are_its_own",
    HasAPlainAddress: "the_facts_are_sound",
    AsksTooOften: "the_facts_are_sound",
    NeedsMoreThanAKey: "the_key_alone_is_enough",
    ForgetsTheZone: "one_that_runs_is_running",
    IsAboutAnother: "one_that_runs_is_running",
    AsksForEver: "a_page_in_between_blames_nobody",
    HidesFailures: "one_that_has_failed_says_why",
    LosesPictures: "one_that_is_done_has_its_outputs",
    HasNoDeadline: "a_submission_says_what_was_asked",
    QuotesNothing: "an_id_stays_one_segment",
    TakesHalfForDone: "half_an_answer_is_none",
    FailsAtOnce: "a_create_is_accepted",
    SendsItsKeyAlong: "the_connection_shows_no_key",
    ForgetsToYield: "its_other_calls_answer",
}


class Planted(TestKiln):
    """The same about a provider with a fault; not collected, for it fails."""

    __test__ = False


@pytest.mark.parametrize("cls", PLANTED, ids=lambda cls: cls.__name__)
def test_a_planted_fault_is_reported(cls: type[Provider]) -> None:
    """By the check that is there for it."""
    battery = Planted()
    more = {"kiln": "left"} if cls is NeedsMoreThanAKey else {}
    battery.provider = cls(api_key=KEY, **more)  # type: ignore[misc, call-arg]
    if cls is SendsTheKeyAnywhere:
        battery.accepted = answer({"id": "f-1", "poll_at": "https://api.kiln.example/v1/firings/f-1"})  # type: ignore[misc]
    failures = []
    for test in runs_of(battery, f"test_{PLANTED[cls]}"):
        try:
            test()
        except REPORTED as error:
            failures.append(str(error))
    assert failures


def test_each_check_reports_something() -> None:
    """No check of the battery is left without a fault that it reports."""
    checks = {name.removeprefix("test_") for name in dir(ProviderBattery) if name.startswith("test_")}
    assert checks - set(PLANTED.values()) == set()
