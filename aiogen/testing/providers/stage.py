"""What the author of a provider gives the battery, and how its checks carry out calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

import attrs

from aiogen._safety.redact import redacted
from aiogen.errors import AiogenError
from aiogen.exchange import Accepted, Exchange, Request, Response, Submission, Ticket
from aiogen.providers import Provider, TypedRequest
from aiogen.testing.providers import promises

Answers = Response | Sequence[Response]
"""One answer, or those of an exchange of several requests, in their order."""

ELSEWHERE = "elsewhere.example"
_MOST_REQUESTS = 20
"""The most requests of one exchange; one that sends more never ends."""


@attrs.frozen
class Outcome:
    """What came of an exchange: its requests, and its result or its error."""

    requests: list[Request]
    result: Any = None
    error: AiogenError | None = None


@attrs.frozen
class Call:
    """One operation of the provider, with the vendor's usual answers."""

    name: str
    make: Callable[[Provider], Exchange[Any]] = attrs.field(repr=False)
    answers: tuple[Response, ...] = attrs.field(repr=False)
    ticket: Ticket | None = None


class ProviderStage:
    """What a battery knows of one provider, and how it calls it."""

    provider: ClassVar[Provider]
    """A connection, with a key of twelve characters or more where it takes one."""
    request: ClassVar[TypedRequest]
    """A request, as complete as you like: everything that `encode` makes of it is compared."""
    accepted: ClassVar[Answers]
    """The answer to a create that is accepted."""
    running: ClassVar[Answers]
    """The answers to a poll of a generation that is queued or running: the one that `accepted` names."""
    completed: ClassVar[Answers]
    """The answers to a poll of one that is completed, with its outputs."""
    failed: ClassVar[Answers]
    """The answers to a poll of one that has failed."""
    refused: ClassVar[Response]
    """A refusal in the vendor's own shape, with a meaning by its status only, such as `{"error": "not accepted"}`."""
    listed: ClassVar[Answers | None] = None
    """The answers to `list`, if the provider can."""
    deleted: ClassVar[Answers | None] = None
    """The answers to `delete`, if the provider can."""
    cancelled: ClassVar[Answers | None] = None
    """The answers to `cancel`, if the provider can."""
    account: ClassVar[Answers | None] = None
    """The answers to `read_account`, if the provider can."""
    request_with_file: ClassVar[TypedRequest | None] = None
    """A request with `aiogen.Reference(path=…)` in it, if requests may refer to files."""
    provider_id: ClassVar[str | None] = None
    """The id in the answers, where creates choose it themselves (`Submission.provider_id`)."""
    has_state_words: ClassVar[bool] = True
    """False if no word in the vendor's answers says what state a generation is in."""

    def __getattr__(self, name: str) -> Any:
        words = ProviderStage.__annotations__.get(name)
        if words is None:
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        raise AttributeError(f"{type(self).__name__} has no {name}: the battery needs it; see ProviderBattery.{name}.")

    # --- calls

    def encoded(self) -> Submission:
        """The submission of `request`, under the id that the answers name."""
        submission = self.provider.encode(self.request)
        return submission if self.provider_id is None else attrs.evolve(submission, provider_id=self.provider_id)

    def ticket(self) -> Ticket:
        """The ticket after a create and a restart: what is in it was written as JSON and read again."""
        submission = self.encoded()
        accepted = self.converse(self.provider.create(submission), answers_of(self.accepted)).result
        assert isinstance(accepted, Accepted), f"the create's exchange returned {accepted!r}, and no Accepted"
        return Ticket(
            provider_id=accepted.snapshot.provider_id,
            model=submission.model,
            kind=submission.kind,
            outputs=submission.outputs,
            reference=json.loads(json.dumps(accepted.reference)),
        )

    def call(self, name: str) -> Call:
        """The call of that name."""
        return next(call for call in self.calls() if call.name == name)

    def calls(self) -> Iterator[Call]:
        """Every operation that the provider offers, with prepared answers."""
        submission, ticket = self.encoded(), self.ticket()
        able = self.provider.capabilities
        yield Call("create", lambda p: p.create(submission), answers_of(self.accepted))
        for name in ("running", "completed", "failed"):
            yield Call(name, lambda p: p.get(ticket), answers_of(getattr(self, name)), ticket)
        more: list[tuple[str, bool, Callable[[Provider], Exchange[Any]]]] = [
            ("listed", able.list, lambda p: p.list(None, 0, 10)),
            ("deleted", able.delete, lambda p: p.delete(ticket.provider_id)),
            ("cancelled", able.cancel, lambda p: p.cancel(ticket)),
            ("account", able.account, lambda p: p.read_account()),
        ]
        for name, can, make in more:
            if can:
                prepared = getattr(self, name)
                battery = type(self).__name__
                assert prepared is not None, f"{battery} has no {name}: the provider offers it, so give answers."
                yield Call(name, make, answers_of(prepared))

    # --- carrying them out

    def converse(
        self,
        exchange: Exchange[Any],
        answers: Sequence[Response],
        then: Response | None = None,
        *,
        provider: Provider | None = None,
    ) -> Outcome:
        """Answer every request, as the transport would; after `answers` always with `then`.

        Each request and the result are checked on the way.
        """
        provider = provider or self.provider
        assert hasattr(exchange, "send"), f"{exchange!r} is no exchange: write it as a generator, with a yield in it"
        requests: list[Request] = []
        waiting = list(answers)
        try:
            request = next(exchange)
            while True:
                requests.append(request)
                promises.check_request(request, provider)
                promises.check_creates(requests)
                assert len(requests) <= _MOST_REQUESTS, f"it never stops sending requests: {request}"
                response = waiting.pop(0) if waiting else then
                assert response is not None, f"no answer is prepared for request {len(requests)}, {request}"
                for secret in provider.secrets:
                    response = redacted(secret, response)
                request = exchange.send(response)
        except StopIteration as end:
            promises.check_result(end.value)
            assert not (waiting and then is None), f"{len(waiting)} prepared answers were not used"
            return Outcome(requests, result=end.value)
        except AiogenError as error:
            return Outcome(requests, error=error)
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(
                f"{type(error).__name__}: {error} came out of the exchange; an answer that cannot be read is a "
                "ProtocolError (aiogen.providers.reading.unreadable), and a refusal an APIError (Provider.refusal)"
            ) from error
        finally:
            exchange.close()

    def as_meant(self, call: Call) -> Outcome:
        """The outcome with the prepared answers."""
        outcome = self.converse(call.make(self.provider), call.answers)
        if outcome.error is not None:
            raise AssertionError(f"the answers of {call.name!r} end in an error: {outcome.error}") from outcome.error
        return outcome

    def instead(self, call: Call, i: int, response: Response, provider: Provider | None = None) -> Outcome:
        """The outcome if answer number `i`, and each one after it, is this one."""
        provider = provider or self.provider
        return self.converse(call.make(provider), call.answers[:i], response, provider=provider)

    def changed(self, call: Call, i: int, response: Response) -> Outcome:
        """The outcome if answer number `i` alone is this one; further requests are answered with the last one."""
        answers = [*call.answers[:i], response, *call.answers[i + 1 :]]
        return self.converse(call.make(self.provider), answers, answers[-1])

    @property
    def base(self) -> str:
        """Host and port of the connection."""
        return urlsplit(self.provider.base_url).netloc


def answers_of(prepared: Answers) -> tuple[Response, ...]:
    """As a sequence."""
    return (prepared,) if isinstance(prepared, Response) else tuple(prepared)
