"""Checks of what a provider requests, and of how it reads answers in the vendor's own form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from aiogen.errors import InputError
from aiogen.exchange import Accepted, Cancelled, Deleted, Exchange, Page, Snapshot, Ticket
from aiogen.models import AccountInfo, State
from aiogen.testing.providers.driving import answer
from aiogen.testing.providers.garbage import GARBAGE, PAGE
from aiogen.testing.providers.promises import RUNNING
from aiogen.testing.providers.stage import ProviderStage
from aiogen.testing.providers.watching import listening

_ODD_IDS = ("D290F1EE-6C54-4B01-90E6-D701748F0851", "a b", "a?b", "a#b", "a%2fb", "a&b=c", "bücher", "x" * 256, "..a")
_NO_IDS = ("", "  ", ".", "..", "../files", "a/b", "a\\b", "a\nb", "a\0b", "x" * 257)


class AskingChecks(ProviderStage):
    """Requests, and the results of usual answers."""

    def test_a_create_is_one_request(self) -> None:
        """A create sends the verb "create" once and last, and no other call sends it: all others may be repeated."""
        outcome = self.as_meant(self.call("create"))
        assert [request.verb for request in outcome.requests].count("create") == 1
        assert outcome.requests[-1].verb == "create", "the create itself has to be the last request"
        for call in self.calls():
            if call.name != "create":
                verbs = [request.verb for request in self.as_meant(call).requests]
                assert "create" not in verbs, f"{call.name!r} sends a create"

    def test_a_create_is_accepted(self) -> None:
        """An accepted create names an id that can be asked about; whether the job fails only a poll says."""
        accepted = self.as_meant(self.call("create")).result
        assert isinstance(accepted, Accepted)
        assert accepted.snapshot.state is not State.FAILED

    def test_one_that_runs_is_running(self) -> None:
        """It is queued or processing, and the snapshot is of the generation that was asked about."""
        snapshot = self._read("running")
        assert snapshot.state in RUNNING
        assert snapshot.unknown_state is None

    def test_one_that_is_done_has_its_outputs(self) -> None:
        """It is completed, with at least one output that can be fetched, and without warnings."""
        snapshot = self._read("completed")
        assert snapshot.state is State.COMPLETED
        assert snapshot.outputs
        assert not snapshot.missing_outputs
        for output in snapshot.outputs:
            assert output.data or output.url.startswith(("https://", "http://")), f"{output.url!r} cannot be fetched"
        assert snapshot.raw, "Snapshot.raw has to be what the vendor sent"

    def test_one_that_has_failed_says_why(self) -> None:
        """A failure has a code of ours and, where the vendor gives any, the vendor's words."""
        snapshot = self._read("failed")
        assert snapshot.state is State.FAILED
        assert snapshot.failure is not None

    def _read(self, name: str) -> Snapshot:
        call = self.call(name)
        snapshot = self.as_meant(call).result
        assert isinstance(snapshot, Snapshot)
        assert call.ticket is not None
        assert snapshot.provider_id.lower() == call.ticket.provider_id.lower(), (
            f"{name!r} is about {snapshot.provider_id}, and the create was accepted as {call.ticket.provider_id}"
        )
        return snapshot

    def test_its_other_calls_answer(self) -> None:
        """Each call that the provider offers returns its own kind of result."""
        kinds = {"listed": Page, "deleted": Deleted, "cancelled": Cancelled, "account": AccountInfo}
        for call in self.calls():
            if call.name in kinds:
                result = self.as_meant(call).result
                assert isinstance(result, kinds[call.name])
                if isinstance(result, Page):
                    assert result.rows, "the answers of listed= have no rows"
                    assert result.problem is None, str(result.problem)
                if isinstance(result, AccountInfo):
                    assert (result.provider, result.connection) == (type(self.provider).facts.name, self.provider.name)

    def test_every_request_has_the_connections_headers(self) -> None:
        """`extra_headers` are sent with every request to the vendor, and to no other address; nor is the key."""
        hidden = "battery-header-0123456789"
        provider = attrs.evolve(self.provider, extra_headers={"X-Battery": hidden})
        for call in self.calls():
            for request in self.converse(call.make(provider), call.answers, provider=provider).requests:
                is_below = request.url.startswith(provider.base_url)
                assert (request.headers.get("X-Battery") == hidden) == is_below, (
                    f"{call.name!r} leaves out extra_headers=: make requests with self.request(…)"
                )
                assert hidden not in repr(request)

    def test_an_address_may_be_another(self) -> None:
        """With `base_url` set, every request goes below that address."""
        provider = attrs.evolve(self.provider, base_url="http://127.0.0.1:8000/proxy")
        for call in self.calls():
            if (request := next(call.make(provider), None)) is not None:
                assert request.url.startswith("http://127.0.0.1:8000/proxy/"), f"{call.name!r} goes to {request.url}"

    def test_it_asks_nobody_itself(self) -> None:
        """A provider opens no file and no connection, and never blocks: that would hold up every other job."""
        heard: list[str] = []
        for _ in range(2):  # what is imported late is imported by the first
            heard.clear()
            with listening() as found:
                self.provider.encode(self.request)
            heard += found
            for call in self.calls():
                for i in range(len(call.answers)):
                    for response in (call.answers[i], answer(PAGE, status=502), answer(GARBAGE["words"])):
                        with listening() as found:
                            self.changed(call, i, response)
                        heard += found
        assert not heard, f"it does by itself what only the transport may do: {', '.join(dict.fromkeys(heard))}"

    def test_equal_answers_have_equal_results(self) -> None:
        """A provider uses no clock and no random numbers, and remembers nothing."""
        for call in self.calls():
            first, second = self.as_meant(call), self.as_meant(call)
            assert first.requests == second.requests, f"{call.name!r} makes another request the second time"
            assert first.result == second.result, f"{call.name!r} reads the same answers differently the second time"

    # --- ids

    @pytest.mark.parametrize("provider_id", _ODD_IDS)
    def test_an_id_stays_one_segment(self, provider_id: str) -> None:
        """Whatever characters are in it, no id leads to another address; upper and lower case are kept."""
        for name, usual, odd in zip(*self._urls("1"), self._urls(provider_id)[1], strict=True):
            assert odd is not None, f"{name!r} does not ask about {provider_id!r}"
            assert usual is not None
            a, b = urlsplit(usual), urlsplit(odd)
            assert (a.scheme, a.netloc) == (b.scheme, b.netloc)
            assert a.path.count("/") == b.path.count("/"), f"{name!r} with {provider_id!r} asks for {odd}"
            assert parse_qs(a.query).keys() == parse_qs(b.query).keys(), f"{name!r} with {provider_id!r} asks for {odd}"
            assert not b.fragment, f"{name!r} with {provider_id!r} asks for {odd}"
            if provider_id.isascii() and provider_id[0].isupper():
                assert provider_id in odd or a.path == b.path, "the id is not sent as it is"

    @pytest.mark.parametrize("provider_id", _NO_IDS)
    def test_what_is_no_id_is_not_asked_about(self, provider_id: str) -> None:
        """An id that cannot be part of a url is refused, and nothing is sent."""
        for name, url in zip(*self._urls(provider_id), strict=True):
            assert url is None, (
                f"{name!r} asks for {url!r} with the id {provider_id!r}: aiogen.providers.checks.check_id refuses it"
            )

    def _urls(self, provider_id: str) -> tuple[list[str], list[str | None]]:
        """Which calls ask about an id, and what each would ask for; None if it refuses the id."""
        provider = self.provider
        reference = self.ticket().reference if type(provider).facts.needs_reference else None
        ticket = Ticket(provider_id=provider_id, reference=reference)
        calls: dict[str, Callable[[], Exchange[Any]]] = {"get": lambda: provider.get(ticket)}
        if provider.capabilities.delete:
            calls["delete"] = lambda: provider.delete(provider_id)
        if provider.capabilities.cancel:
            calls["cancel"] = lambda: provider.cancel(ticket)
        urls: list[str | None] = []
        for call in calls.values():
            try:
                urls.append(next(call()).url)
            except InputError:
                urls.append(None)
        return list(calls), urls
