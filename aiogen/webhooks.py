"""Webhooks: a vendor's call to a web backend is a hint that brings the next question forward, and nothing else.

A call settles nothing: the generation is asked about as always, with the key, only sooner.  So a forged one costs one
request at most, and a lost one costs the waiting that polling has.

    webhooks = Webhooks(session, secrets={"leonardo": os.environ["LEONARDO_WEBHOOK_SECRET"]})

    body = await webhooks.read(request.stream())
    answer = webhooks.handle("leonardo", body, request.headers)  # at once, from any framework, in the session's loop
    # send answer.text with the status answer.status
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import AsyncIterable, Mapping, Sequence
from contextlib import suppress

import attrs

from aiogen._account.hint_lane import Key, Lane
from aiogen._checks import check_number
from aiogen._clock import TICK
from aiogen._engine.hub import Hub
from aiogen._hooks.judging import Judge, WebhookFormat
from aiogen._hooks.reading import MAX_BYTES
from aiogen._hooks.verdicts import Hint, Ignored, Refused, Verdict
from aiogen._hooks.verifying import (
    Bearer,
    SignedLines,
    StandardWebhooks,
    Unsigned,
    Verification,
    Verified,
    any_of,
)
from aiogen.errors import ConfigurationError, InputError
from aiogen.providers import registry
from aiogen.providers.base import Provider
from aiogen.session import Session

__all__ = [
    "Answer",
    "Bearer",
    "Hint",
    "Ignored",
    "Refused",
    "SignedLines",
    "StandardWebhooks",
    "Unsigned",
    "Verdict",
    "Verification",
    "Verified",
    "WebhookFormat",
    "Webhooks",
]

logger: logging.Logger = logging.getLogger("aiogen")

OneSecret = str | Verification
AnySecret = OneSecret | Sequence[OneSecret] | None


@attrs.frozen
class Answer:
    """The answer to a call.  There are two, and neither shows what the call meant."""

    status: int
    """200, or 401."""
    text: str
    """The body, plain text."""


ACCEPTED = Answer(200, "ok\n")
NOT_AUTHORIZED = Answer(401, "not authorized\n")


class Webhooks:
    """Takes the calls of vendors for one session; nothing in an answer waits for a ledger or a vendor."""

    def __init__(self, session: Session, secrets: Mapping[str, AnySecret], *, max_body_bytes: int = MAX_BYTES) -> None:
        """Nothing is opened and nothing is sent.

        Args:
            session: one that follows the jobs, or shares its ledger with those that do.
            secrets: by connection, what proves that a call is the vendor's: the secret as the vendor shows it; several
                while one is being replaced; a `Verification`; or None: then everybody who finds the address can send
                hints, and cause polls up to the limit of hints.
            max_body_bytes: a larger call is not read; 1,024 bytes to 16 MiB.  Let your framework refuse these, too.

        Raises:
            ConfigurationError: there is no such connection, its vendor makes no calls, or a secret is not valid.
            InputError: a number is out of its range.
        """
        check_number(max_body_bytes, "max_body_bytes", 1024, 16 * 1024 * 1024)
        self.max_body_bytes = max_body_bytes
        """Bytes; a larger call has no effect."""
        self._session = session
        self._judges = dict[str, Judge]()
        self._lanes = dict[str, Lane]()
        self._wakers = dict[str, asyncio.Event]()
        self._counts = dict[str, Counter[str]]()
        for name, secret in secrets.items():
            provider = _connection(session, name)
            form = provider.webhooks
            if form is None:
                raise ConfigurationError(
                    f"{provider.facts.vendor} makes no calls of its own, or none that are known: leave {name!r} out.",
                    action=None,
                )
            verification = _verification(name, secret, form)
            self._judges[name] = Judge(form, verification, max_bytes=max_body_bytes)
            self._counts[name] = Counter()

    def __repr__(self) -> str:
        return f"<Webhooks [{', '.join(self._judges)}]>"

    def handle(self, connection: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Take one call, and return the answer at once.

        Whatever a stranger sends, this does not raise.  What the call means for a job is looked up in the background.

        Args:
            connection: the connection that the address of the call names; one that is not in `secrets` is answered 401.
            body: the bytes as they came, never JSON that was parsed and written again: the signature is over the bytes.
            headers: the headers of the call, by their names in upper or lower case.

        Raises:
            InputError: this is not the session's process and loop, or `body` is not bytes.
        """
        if not isinstance(body, bytes | bytearray | memoryview):
            raise InputError(f"A call's body must be its bytes, not {type(body).__name__}.")
        return _answer(self._take(connection, bytes(body), headers))

    async def read(self, chunks: AsyncIterable[bytes]) -> bytes:
        """A call's body from a framework's stream, up to one byte more than `max_body_bytes`; the rest is not read.

        Pass it to `handle`, which ignores a body that is too large.  Errors of the stream are raised.

        Args:
            chunks: the body in pieces.
        """
        body = bytearray()
        async for chunk in chunks:
            body += chunk
            if len(body) > self.max_body_bytes:
                break
        return bytes(body[: self.max_body_bytes + 1])

    def counts(self, connection: str) -> dict[str, int]:
        """How many calls came for a connection, by the verdict: "hint", or a value of `Ignored` or `Refused`.

        Beside them "followed" and "unknown": hints of generations that a process on this ledger follows, and others;
        an id counts as unknown after it was looked up for 150 seconds.

        Args:
            connection: its name; a name that is not in `secrets` has no counts.
        """
        return dict(self._counts.get(connection, {}))

    def _take(self, connection: str, body: bytes, headers: Mapping[str, str]) -> Verdict:
        judge = self._judges.get(connection)
        if judge is None:
            return Refused.NO_SUCH_CONNECTION
        verdict: Verdict = Ignored.CLOSED
        if not self._session._lifetime.is_closed:
            parts = self._session._open()
            verdict = judge.judge(body, headers, parts.clock.wall())
            if isinstance(verdict, Hint):
                verdict = self._pass_on(parts.hub, connection, verdict)
        self._counts[connection]["hint" if isinstance(verdict, Hint) else verdict.value] += 1
        return verdict

    # --- in the background

    def _pass_on(self, hub: Hub, connection: str, hint: Hint) -> Verdict:
        connections = self._session.connections
        if connection not in connections:
            return Ignored.CLOSED
        provider = connections.find(connection)
        lane = self._lanes.setdefault(provider.account, Lane(provider.requests_per_minute))
        if not lane.put((connection, hint.provider_id, hint.is_proved)):
            self._judges[connection].forget(hint.provider_id)
            return Ignored.BUSY
        if (waker := self._wakers.get(provider.account)) is not None:
            waker.set()
        else:
            self._wakers[provider.account] = asyncio.Event()
            # It ends with the session, and by itself when nothing waits.
            hub.look_up(self._drain(provider, lane))
        return hint

    async def _drain(self, provider: Provider, lane: Lane) -> None:
        """Give the hints of one account to the session, as fast as they may go."""
        loop, waker = asyncio.get_running_loop(), self._wakers[provider.account]
        try:
            while (at := lane.at(now := loop.time())) < math.inf:
                if (taken := lane.take(now)) is not None:
                    await self._give(lane, *taken)
                    continue
                waker.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(at - now + TICK):
                        await waker.wait()
        finally:
            self._wakers.pop(provider.account, None)

    async def _give(self, lane: Lane, key: Key, tries: int) -> None:
        connection, provider_id, is_proved = key
        loop, failed = asyncio.get_running_loop(), None
        try:
            followed = await self._session._wake(connection, provider_id, proved=is_proved)
        except Exception as error:  # whatever a store may raise: the next question comes without the hint, too
            followed, failed = False, error
        if followed:
            lane.followed(loop.time())
            self._counts[connection]["followed"] += 1
        elif not lane.unknown(key, loop.time(), tries=tries):
            self._counts[connection]["unknown"] += 1
            if failed is not None:
                self._judges[connection].forget(provider_id)
                logger.warning(
                    "A webhook's hint for %s was lost: %s", connection, failed, extra={"connection": connection}
                )


def _connection(session: Session, name: str) -> Provider:
    connections = session.connections
    # Other names would be looked for among what is installed, which reads files.
    if name in connections or (isinstance(name, str) and registry.is_loaded(name)):
        return connections.find(name)
    raise ConfigurationError(
        f"There is no connection {name!r} whose calls could be taken (available: {', '.join(connections) or 'none'}). "
        "Give the session the connection first.",
        action=None,
    )


def _verification(name: str, secret: AnySecret, form: WebhookFormat) -> Verification:
    if secret is None:
        return Unsigned()
    secrets = [secret] if isinstance(secret, str) or not isinstance(secret, Sequence) else secret
    if not secrets or any(isinstance(each, str) and not each.strip() for each in secrets):
        raise ConfigurationError(
            f"The webhook secret of {name!r} is empty. Pass the secret that is set at the vendor; only if none is set "
            "there, None.",
            action=None,
        )
    return any_of(form.verification(each.strip()) if isinstance(each, str) else each for each in secrets)


def _answer(verdict: Verdict) -> Answer:
    return NOT_AUTHORIZED if isinstance(verdict, Refused) else ACCEPTED
