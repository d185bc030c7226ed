"""Checks that no secret of a connection is shown, even where an answer quotes it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import attrs
import pytest

from aiogen._safety.secret import Secret
from aiogen.errors import AiogenError
from aiogen.exchange import Response
from aiogen.testing.providers.driving import answer
from aiogen.testing.providers.garbage import PAGE, replaced, shown, texts
from aiogen.testing.providers.stage import Outcome, ProviderStage

_SHORTEST = 12


class SecretsChecks(ProviderStage):
    """The key appears in nothing that a provider shows."""

    def test_the_connection_shows_no_key(self) -> None:
        """Not in `repr` of the connection, its account, or the submissions that it makes."""
        key = self._key()
        submission = self.provider.encode(self.request)
        shown_of = [repr(self.provider), self.provider.account, repr(submission), json.dumps(submission.body)]
        assert not [text for text in shown_of if key.text in text]

    def test_a_key_that_is_quoted_is_not_shown(self) -> None:
        """An answer that quotes the key passes it on to no error, no result, and no report of local variables."""
        key = self._key()
        for call in self.calls():
            for i, response in enumerate(call.answers):
                for where, text in texts(response):
                    quoting = replaced(response, where, f"{text} {key.text}")
                    self._shows_nothing(key, self.changed(call, i, quoting), f"{call.name!r}, quoted at {shown(where)}")
                headers = {**response.headers, "x-request-id": key.text, "x-ratelimit-remaining": key.text}
                quoting = attrs.evolve(response, headers=headers, request_id=key.text)
                self._shows_nothing(key, self.changed(call, i, quoting), f"{call.name!r}, quoted in a header")
                for quoting in self._refusals(key):
                    self._shows_nothing(key, self.instead(call, i, quoting), f"{call.name!r}, HTTP {quoting.status}")

    def _refusals(self, key: Secret) -> Iterator[Response]:
        for status in (200, 400, 401, 404, 429, 500):
            yield answer(f"invalid key {key.text} for this account", status=status)
            yield answer(PAGE.replace(b"Bad Gateway", key.text.encode()), status=status)
            for where, text in texts(self.refused):
                yield attrs.evolve(replaced(self.refused, where, f"{text} {key.text}"), status=status)

    def _shows_nothing(self, key: Secret, outcome: Outcome, what: str) -> None:
        for where, text in _everything(outcome):
            assert key.text not in text, f"the key appears in {where} ({what})"

    def _key(self) -> Secret:
        facts = type(self.provider).facts
        if not self.provider.secrets:
            own = "a provider with a key that is not the public one"
            assert facts.key_variable is None, f"give {type(self).__name__} {own}"
            pytest.skip("it takes no key")
        key = self.provider.secrets[0]
        assert len(key.text) >= _SHORTEST, f"a key of less than {_SHORTEST} characters could be found by chance"
        return key


def _everything(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """What is shown of an outcome: by `repr`, as JSON, by an error reporter."""
    for request in outcome.requests:
        yield "a request", repr(request)
    if outcome.error is None:
        yield "the result", repr(outcome.result)
        yield "a field of the result", repr(attrs.asdict(outcome.result))
    error: BaseException | None = outcome.error
    while error is not None:
        yield "an error", " ".join([str(error), repr(error), *getattr(error, "__notes__", ())])
        yield "an attribute of an error", repr(vars(error))
        if isinstance(error, AiogenError):
            yield "an error's description", error.describe()
        frame = error.__traceback__
        while frame is not None:
            if not frame.tb_frame.f_globals.get("__name__", "").startswith("aiogen.testing."):
                yield f"a local of {frame.tb_frame.f_code.co_qualname}", repr(frame.tb_frame.f_locals)
            frame = frame.tb_next
        error = error.__cause__ or error.__context__
