"""Checks of how unusual answers are read: refusals, garbage, unknown words and missing values."""

from __future__ import annotations

import attrs
import pytest

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
)
from aiogen.exchange import Accepted, Response, Snapshot, Ticket
from aiogen.testing.providers.driving import answer
from aiogen.testing.providers.garbage import GARBAGE, PAGE, addressed, has, replaced, shown, spoilt, strange, texts
from aiogen.testing.providers.promises import RUNNING
from aiogen.testing.providers.stage import ELSEWHERE, Call, Outcome, ProviderStage

_NEW_WORD = "a-word-of-next-year"
_STATUSES: dict[int, tuple[type[APIError], ...]] = {
    400: (InvalidRequest,),
    401: (AuthenticationError,),
    402: (InsufficientFunds,),
    403: (AuthenticationError, InvalidRequest),
    404: (NotFound,),
    422: (InvalidRequest,),
    429: (RateLimited,),
    500: (ProviderError,),
    503: (ProviderError,),
}
_PAGES = (400, 401, 402, 403, 404, 405, 408, 413, 421, 429, 500, 502, 503, 504, 520, 529)
_MATTERS = (401, 402, 403, 404, 500, 502, 503, 504, 520, 529)
"""Statuses that would say something of the account, or of a create, if the vendor itself had sent them."""
_REDIRECTS = (301, 302, 303, 307, 308)
_ID = "X-Request-Id"


class AnsweringChecks(ProviderStage):
    """Refusals, garbage, unknown words and missing values."""

    # --- refusals

    @pytest.mark.parametrize("status", _STATUSES)
    def test_a_refusal_of_the_vendors_is_known_by_its_status(self, status: int) -> None:
        """A refusal becomes an error with the vendor's words, its request id, and how long it asks to wait."""
        headers = {"x-request-id": "battery-request", "retry-after": "7"}
        response = attrs.evolve(self.refused, status=status, headers=headers, request_id="battery-request")
        for name in ("create", "running"):
            call = self.call(name)
            error = self.instead(call, len(call.answers) - 1, response).error
            assert isinstance(error, _STATUSES[status]), f"HTTP {status} to {name!r} is {error!r}"
            assert error.status == status
            assert error.from_api, "the vendor's own refusal is taken for one by a proxy"
            assert error.request_id == "battery-request", "the error has no request id"
            assert error.retry_after == 7.0, "the error has no retry_after, and the answer a Retry-After"
            assert error.provider == type(self.provider).facts.name
            assert error.action is not None, "the error has no action: it does not say what helps"
            words = [text for _, text in texts(self.refused) if " " in text]
            is_quoted = not words or any(text in error.message for text in words)
            assert is_quoted, f"the error does not have the vendor's words: {error}"

    @pytest.mark.parametrize("status", _PAGES)
    def test_a_page_in_between_blames_nobody(self, status: int) -> None:
        """A page by a proxy says nothing about the key, the balance, or what became of a create."""
        response = answer(PAGE, status=status, headers={_ID: "battery-request"})
        for call, i in self._places():
            outcome = self.instead(call, i, response)
            if status in (403, 404) and call.name in ("account", "deleted", "cancelled"):
                continue  # it may say so: at the vendor's own address no proxy answers
            error = outcome.error
            assert isinstance(error, APIError), f"HTTP {status} with a page is {outcome} to {call.name!r}"
            assert error.status == status
            is_theirs = status in _MATTERS and error.from_api
            assert not is_theirs, f"HTTP {status} with a page of HTML is taken for an answer of the API"
            assert not isinstance(error, AuthenticationError | InsufficientFunds)
            assert error.request_id == "battery-request"
            if call.name == "create" and _is_sent(outcome) and status in (408, *range(500, 600)):
                self._is_unknown(outcome, f"HTTP {status}")

    @pytest.mark.parametrize("status", _REDIRECTS)
    def test_a_redirect_is_not_followed(self, status: int) -> None:
        """A redirect is never followed: the key would be sent along."""
        response = answer(b"", status=status, headers={"Location": f"https://{ELSEWHERE}/"})
        for call, i in self._places():
            outcome = self.instead(call, i, response)
            assert outcome.error is not None, f"HTTP {status} to {call.name!r} is read as {outcome.result!r}"
            assert not [request for request in outcome.requests if ELSEWHERE in request.url]

    # --- garbage

    @pytest.mark.parametrize("kind", GARBAGE)
    def test_garbage_is_no_answer(self, kind: str) -> None:
        """Garbage ends no generation, and the fate of a create that is answered with it is unknown."""
        for call, i in self._places():
            response = attrs.evolve(call.answers[i], body=GARBAGE[kind])
            outcome = self.instead(call, i, response)
            what = f"HTTP {response.status} with {kind}"
            if call.ticket is not None:
                ended = isinstance(outcome.result, Snapshot) and outcome.result.state not in RUNNING
                assert not ended, f"{what} ends a generation: {outcome.result!r}"
            elif call.name == "create" and _is_sent(outcome):
                self._is_unknown(outcome, what)
            elif kind == "a page":
                assert outcome.error is not None, f"{what} is taken for an answer to {call.name!r}: {outcome.result!r}"

    def test_half_an_answer_is_none(self) -> None:
        """Truncated, in another encoding, twice: an answer is read correctly or not at all."""
        for call, i in self._places():
            for words, response in spoilt(call.answers[i]):
                outcome = self._tried(call, i, response, words)
                if call.name == "running" and isinstance(outcome.result, Snapshot):
                    assert outcome.result.state in RUNNING, f"{words} ends a generation: {outcome.result!r}"

    def test_values_of_other_kinds_break_nothing(self) -> None:
        """Each value of each answer is removed, and replaced by others: nothing crashes, and nothing is made up."""
        for call, i in self._places():
            for words, _, response in strange(call.answers[i]):
                self._tried(call, i, response, words)

    def test_a_create_that_names_its_job_is_taken(self) -> None:
        """An answer that names the job's id is accepted, whatever else is wrong: that job runs, and is paid for."""
        call = self.call("create")
        last = len(call.answers) - 1
        name = self.ticket().provider_id
        for words, where, response in strange(call.answers[last]):
            if not has(call.answers[last], where, name):
                outcome = self._tried(call, last, response, words)
                taken = outcome.result.snapshot.provider_id if isinstance(outcome.result, Accepted) else None
                found = outcome.error or outcome.result
                assert taken == name, f"{words}, the create's answer is not read as accepted: {found}"

    def test_an_id_that_cannot_be_asked_about_is_none(self) -> None:
        """A create that is answered with an unusable id is unknown; upper and lower case are kept."""
        call = self.call("create")
        last, name = len(call.answers) - 1, self.ticket().provider_id
        places = [where for where, text in texts(call.answers[last]) if text == name]
        for where in places:
            for wrong in ("", " ", "..", "a/b", "x" * 300, "a\0b"):
                outcome = self._tried(call, last, replaced(call.answers[last], where, wrong), f"the id {wrong!r}")
                if outcome.error is not None:
                    self._is_unknown(outcome, f"the id {wrong!r}")
            if len(places) == 1 and self.provider_id is None:
                response = replaced(call.answers[last], where, "AbC-1")
                outcome = self._tried(call, last, response, "the id 'AbC-1'")
                taken = outcome.result.snapshot.provider_id if isinstance(outcome.result, Accepted) else None
                assert taken == "AbC-1", f"the id 'AbC-1' is read as {taken!r}"

    def test_an_unknown_state_counts_as_running(self) -> None:
        """An unknown state word ends nothing, and is passed on."""
        call, name, seen = self.call("running"), self.ticket().provider_id, False
        for i, response in enumerate(call.answers):
            for where in [where for where, text in texts(response) if text != name]:
                outcome = self._tried(call, i, replaced(response, where, _NEW_WORD), f"{_NEW_WORD} at {shown(where)}")
                is_gone = isinstance(outcome.error, NotFound)
                assert not is_gone, f"{_NEW_WORD} at {shown(where)} means that the generation is not there"
                if isinstance(outcome.result, Snapshot):
                    assert outcome.result.state in RUNNING, f"{_NEW_WORD} at {shown(where)} ends a generation"
                    seen = seen or outcome.result.unknown_state == _NEW_WORD
        assert seen or not self.has_state_words, (
            "none of the words in running= becomes Snapshot.unknown_state; if no word says what state a generation "
            "is in, set has_state_words = False"
        )

    def test_an_address_in_an_answer_never_gets_the_key(self) -> None:
        """Requests with the key go below the base url only, whatever addresses the answers name."""
        for call, i in self._places():
            for words, response in addressed(call.answers[i]):
                outcome = self._tried(call, i, response, words)
                if isinstance(outcome.result, Accepted):  # its addresses are asked by the next poll
                    ticket = attrs.evolve(self.ticket(), reference=outcome.result.reference)
                    self._tried(self._poll(ticket), 0, self.call("running").answers[0], words)

    # --- inside

    def _poll(self, ticket: Ticket) -> Call:
        """A poll of a running generation, with another ticket."""
        return attrs.evolve(self.call("running"), make=lambda provider: provider.get(ticket))

    def _places(self) -> list[tuple[Call, int]]:
        """Every call with the position of each of its answers."""
        return [(call, i) for call in self.calls() for i in range(len(call.answers))]

    def _tried(self, call: Call, i: int, response: Response, words: str) -> Outcome:
        try:
            outcome = self.changed(call, i, response)
            is_read = outcome.error is None or isinstance(outcome.error, APIError | ProtocolError)
            # A poll whose ticket is not valid any more is refused before it is sent.
            assert is_read, f"it raises {outcome.error!r}: an answer leads to an APIError or a ProtocolError"
        except AssertionError as error:
            raise AssertionError(f"answer {i + 1} of {call.name!r}, {words}: {error}") from error
        return outcome

    def _is_unknown(self, outcome: Outcome, what: str) -> None:
        """It is unknown whether the create was carried out, unless it chose its id itself."""
        if isinstance(outcome.result, Accepted) and self.provider_id is not None:
            return
        assert outcome.error is not None, f"{what} is read as accepted: {outcome.result!r}"
        verdict = judge_create(outcome.error, type(self.provider).facts.resend_statuses)
        assert verdict is Verdict.UNKNOWN, (
            f"a create that is answered with {what} may run and cost money, but {outcome.error!r} says that it does not"
        )


def _is_sent(outcome: Outcome) -> bool:
    return any(request.verb == "create" for request in outcome.requests)
