"""Checks of what a provider states: its facts, its capabilities, its key, and the content of its creates."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import attrs
import pytest

from aiogen.errors import AiogenError, ConfigurationError, InputError, UnknownParameter, Unsupported
from aiogen.exchange import Exchange, Submission
from aiogen.providers import Facts, Provider
from aiogen.providers.registry import BUILT_IN
from aiogen.references import Reference
from aiogen.testing.providers.stage import ProviderStage

_KEY = "battery-key-0123456789"
_PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(40))
_NEW = "battery_parameter"
"""A parameter that no vendor has."""
_NO_JSON: tuple[Any, ...] = (object(), float("nan"), float("inf"), {1, 2}, {"a": object()}, {5: 6}, "\ud800")


class StatingChecks(ProviderStage):
    """Facts, capabilities, keys and submissions: all that is known before anything is sent."""

    def test_the_facts_are_sound(self) -> None:
        """The facts are complete and consistent: an address that can be used, and limits that fit each other."""
        provider, facts = self.provider, type(self.provider).facts
        assert isinstance(facts, Facts)
        usual = attrs.evolve(provider, base_url=facts.url, name="")
        assert usual.base_url == facts.url, "facts.url ends with a slash, or with a path that the provider removes"
        assert usual.name == facts.name
        assert usual.is_at_home
        assert urlsplit(facts.url).scheme == "https" or not _leaves_this_machine(provider), "a key needs https"
        assert isinstance(self.request, facts.request_type), "request= is not of the class facts.request_type"
        assert facts.poll_floor <= facts.poll_ceiling
        assert facts.creates_per_minute <= facts.requests_per_minute, "each create is one of the requests per minute"
        assert facts.max_reference_bytes > 0
        assert all(500 <= status < 600 for status in facts.resend_statuses), "resend_statuses are not all of 500 to 599"
        if facts.key_variable is None:
            assert facts.public_key is None, "facts have a public key, but no key_variable for one's own"

    def test_its_names_are_its_own(self) -> None:
        """It has no other provider's name, and reads no other vendor's key."""
        cls = type(self.provider)
        others = [other for other in BUILT_IN if not issubclass(cls, other)]
        names = [other.facts.name for other in others]
        assert cls.facts.name not in names, "it has the name of one of aiogen's own providers"
        keys = [other.facts.key_variable for other in others if other.facts.key_variable is not None]
        assert cls.facts.key_variable not in keys, "its key_variable is that of another vendor"

    def test_it_can_do_what_it_writes(self) -> None:
        """A call that is not offered raises Unsupported when it is called; one that is offered sends a request."""
        provider, able, ticket = self.provider, self.provider.capabilities, self.ticket()
        calls: dict[str, Callable[[], Exchange[Any]]] = {
            "list": lambda: provider.list(None, 0, 10),
            "delete": lambda: provider.delete(ticket.provider_id),
            "cancel": lambda: provider.cancel(ticket),
            "account": lambda: provider.read_account(),
            "models": lambda: provider.models(),
        }
        for name, call in calls.items():
            if not getattr(able, name):
                with pytest.raises(Unsupported):
                    call()
                continue
            try:
                next(call(), None)
            except Unsupported:
                raise AssertionError(f"it defines {name!r}, so it says that it can; leave out what it cannot") from None
        assert able.list or not able.list_page, "Capabilities.list_page is set, but not list"

    def test_it_keeps_what_it_was_given(self) -> None:
        """A connection is immutable, and has the name, the limits and the durations that it is given."""
        given: dict[str, Any] = {"name": "another", "max_active": 7, "creates_per_minute": 8, "requests_per_minute": 9}
        provider = attrs.evolve(self.provider, **given, typical_seconds={self.request.model: 123.0})
        assert {name: getattr(provider, name) for name in given} == given
        assert provider.encode(self.request).typical.median == 123.0, "encode asks self.typical(model, …) for it"
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            provider.name = "third"  # type: ignore[misc]

    def test_the_key_alone_is_enough(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is found by its variable in the environment; without it, the error names the variable."""
        cls = type(self.provider)
        variable = cls.facts.key_variable
        monkeypatch.delenv(cls.facts.url_variable, raising=False)
        if variable is None:
            assert cls().api_key == ""
            return
        monkeypatch.setenv(variable, _KEY)
        found = cls.from_environment()
        assert found is not None
        assert found.api_key == _KEY
        monkeypatch.delenv(variable)
        assert cls.from_environment() is None
        if cls.facts.public_key is None:
            with pytest.raises(ConfigurationError) as caught:
                cls()
            assert variable in "".join([str(caught.value), *caught.value.__notes__])

    # --- the content of creates

    def test_keywords_become_its_own_request(self) -> None:
        """Model and prompt are in the submission; what JSON cannot represent is refused before anything is sent."""
        provider, model = self.provider, self.request.model
        made: Any = provider.prepare(model, "a paper boat", {})
        is_own = isinstance(made, type(provider).facts.request_type)
        assert is_own, f"prepare returned a {type(made).__name__}, which is no facts.request_type"
        assert made.model == model
        provider.encode(made)
        for value in _NO_JSON:
            given = {"extra": {_NEW: value}} if hasattr(made, "extra") else {_NEW: value}
            try:
                body = provider.encode(provider.prepare(model, "a paper boat", given)).body
                json.dumps(body, allow_nan=False).encode()
                json.dumps(body, ensure_ascii=False).encode()
            except InputError:
                continue
            except AiogenError as error:
                raise AssertionError(f"{given} is no InputError, but {error!r}") from error
            except (TypeError, ValueError) as error:
                raise AssertionError(f"{given} is not refused (aiogen.providers.checks.check_json): {error}") from error

    def test_a_parameter_that_there_is_not_is_refused(self) -> None:
        """An unknown parameter is refused: a misspelt one would be ignored, and the picture paid for."""
        provider, error = self.provider, None
        try:
            provider.encode(provider.prepare(self.request.model, "a paper boat", {_NEW: 1}))
        except AiogenError as refusal:
            error = refusal
        assert error is not None, f"{_NEW}=1 is taken: prepare refuses what it does not know (check_known)"
        assert isinstance(error, UnknownParameter), f"{_NEW}=1 is no UnknownParameter, but {error!r}"
        assert error.parameter == _NEW, f"UnknownParameter.parameter is {error.parameter!r}"
        assert _NEW in str(error), "the message does not name the parameter"

    def test_extra_passes_on_what_is_not_known(self) -> None:
        """`extra` is sent as it is: a vendor has new parameters before a provider knows them."""
        provider, model = self.provider, self.request.model
        if not hasattr(provider.prepare(model, "a paper boat", {}), "extra"):
            return
        body = provider.encode(provider.prepare(model, "a paper boat", {"extra": {_NEW: [1, None]}})).body
        assert _has(body, _NEW, [1, None]), f"extra={{{_NEW!r}: …}} is not in what is sent: {body}"

    def test_a_submission_says_what_was_asked(self) -> None:
        """A submission has the model, a deadline and a typical duration."""
        submission = self.encoded()
        assert isinstance(submission, Submission)
        assert submission.model == self.request.model
        assert submission.kind
        assert submission.endpoint
        assert submission.timeout > 0
        assert submission.typical.median > 0
        assert submission.weight >= 1
        assert submission.outputs is None or submission.outputs >= 1
        assert all(isinstance(words, str) for words in submission.warnings), "a warning is no text"
        assert submission.estimate is None or submission.estimate.is_estimate, "an estimate is not marked is_estimate"
        prompt = getattr(self.request, "prompt", None)
        assert submission.prompt == prompt, "Submission.prompt is not the request's"

    def test_a_submission_survives_a_restart(self) -> None:
        """A submission is kept in the ledger as JSON, and what is sent afterwards is the same."""
        submission = self.encoded()
        body = json.loads(json.dumps(submission.body, allow_nan=False))
        assert body == submission.body, "the body is not plain JSON: no tuples, and keys that are text"
        restored = attrs.evolve(submission, body=body)
        assert restored.fingerprint() == submission.fingerprint()
        first, second = (next(self.provider.create(each)) for each in (submission, restored))
        assert first == second

    def test_equal_requests_are_recognised(self) -> None:
        """Fingerprints are equal for equal requests, and differ for another prompt or model."""
        provider, model = self.provider, self.request.model
        one, same = provider.encode(self.request), provider.encode(self.request)
        if one.provider_id is not None:  # then the id identifies it, and what is sent may be random
            assert one.provider_id != same.provider_id, "two creates choose the same id"
        else:
            assert one.fingerprint() == same.fingerprint(), "equal requests have different fingerprints"
        boat, cat = (provider.encode(provider.prepare(model, prompt, {})) for prompt in ("a boat", "a cat"))
        assert boat.fingerprint() != cat.fingerprint(), "another prompt has the same fingerprint"

    def test_references_are_found(self) -> None:
        """Every image of a request is named by `references()`, and a local file is replaced by its bytes."""
        assert all(isinstance(reference, Reference) for reference in self.request.references())
        request = self.request_with_file
        if request is None:
            assert not hasattr(type(self.provider).facts.request_type, "with_files"), (
                f"requests may refer to files: give {type(self).__name__} a request_with_file"
            )
            return
        paths = [reference.path for reference in request.references() if reference.path is not None]
        assert paths, "references() does not name the file of request_with_file"
        with pytest.raises(InputError):
            self.provider.encode(request)  # it has not been read yet
        loaded = request.with_files({path: Reference(data=_PNG) for path in paths})  # type: ignore[attr-defined]
        assert [reference.path for reference in request.references() if reference.path is not None] == paths
        assert not [reference for reference in loaded.references() if reference.path is not None]
        submission = self.provider.encode(loaded)
        assert json.loads(json.dumps(submission.body)) == submission.body
        assert submission.fingerprint() != self.provider.encode(self.request).fingerprint()


def _has(value: Any, name: str, wanted: Any) -> bool:
    """Whether that name has that value anywhere in the document."""
    if isinstance(value, dict):
        return (name in value and value[name] == wanted) or any(_has(each, name, wanted) for each in value.values())
    return isinstance(value, list) and any(_has(each, name, wanted) for each in value)


def _leaves_this_machine(provider: Provider) -> bool:
    return type(provider).facts.key_variable is not None
