"""What holds for every request, every result and every error of a provider, whatever the answers are.  Pure."""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from aiogen._checks import check_id
from aiogen.errors import InputError
from aiogen.exchange import Accepted, Cancelled, Deleted, Multipart, Page, Raw, Request, Snapshot
from aiogen.models import AccountInfo, FailureCode, State
from aiogen.providers import Provider

VERBS = ("create", "retrieve", "list", "delete", "cancel", "upload")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
_OURS = ("host", "content-length", "content-type", "transfer-encoding", "connection", "user-agent")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_READINGS = (State.QUEUED, State.PROCESSING, State.COMPLETED, State.FAILED, State.CANCELLED)
RUNNING = (State.QUEUED, State.PROCESSING)


def check_request(request: Request, provider: Provider) -> None:
    """A request can be sent as it is, and shows no secret."""
    assert isinstance(request, Request), f"the exchange yielded {request!r}, and no Request"
    assert request.verb in VERBS, f"the verb {request.verb!r} is not one of {', '.join(VERBS)}"
    assert request.method in _METHODS, f"{request.method!r} is not an HTTP method"
    _check_address(request, provider)
    for name, value in request.headers.items():
        assert _HEADER_NAME.fullmatch(name), f"no header can be called {name!r}"
        assert name.lower() not in _OURS, f"the header {name} is set by aiogen itself"
        assert isinstance(value, str), f"the value of the header {name} is no text"
        assert all(" " <= c <= "~" for c in value), f"the value of the header {name} is not plain ASCII"
    for name, value in request.query.items():
        assert isinstance(name, str), f"the query has the name {name!r}, which is no text"
        assert isinstance(value, str), f"the query has {name}={value!r}, which is no text"
    body = _check_body(request)
    for secret in provider.secrets:
        for what, text in (("url", request.url), ("query", str(dict(request.query))), ("body", body)):
            assert not secret.stands_in(text), f"the key is in the {what} of {request.verb!r}, where logs show it"
        for name, value in request.headers.items():
            assert not secret.stands_in(repr(value)), (
                f"the header {name} shows the key: make requests with self.request(…), which hides it"
            )


def _check_address(request: Request, provider: Provider) -> None:
    url, base = request.url, urlsplit(provider.base_url)
    assert isinstance(url, str), f"the url {url!r} is no text"
    parts = urlsplit(url)
    assert parts.scheme in ("http", "https"), f"the url {url!r} cannot be requested"
    assert parts.hostname, f"the url {url!r} cannot be requested"
    assert not any(c.isspace() or not c.isprintable() for c in url), f"the url {url!r} contains white space"
    assert not parts.fragment, f"the url {url!r} has a fragment, which is never sent"
    if not any(secret.stands_in(value) for secret in provider.secrets for value in request.headers.values()):
        return
    assert (parts.scheme, parts.netloc) == (base.scheme, base.netloc), (
        f"the key is sent to {parts.scheme}://{parts.netloc}: an address out of an answer must not get it"
    )
    is_below = parts.path.startswith(f"{base.path.rstrip('/')}/") and ".." not in unquote(parts.path).split("/")
    assert is_below, f"the key is sent to {parts.path}, which is not below {provider.base_url}"


def _check_body(request: Request) -> str:
    """The body as text, to search it for the key."""
    body = request.body
    if isinstance(body, Raw):
        _check_base64(body.base64)
        return ""
    if isinstance(body, Multipart):
        for part in body.parts:
            is_one = (part.text is None) != (part.base64 is None)
            assert is_one, f"the part {part.name!r} has to be either text or a file"
            if part.base64 is not None:
                _check_base64(part.base64)
        return json.dumps([part.text for part in body.parts])
    try:
        return json.dumps(body, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"the body of {request.verb!r} is no JSON: {error}") from None


def _check_base64(text: str) -> None:
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise AssertionError("a file in the body is not base64") from None


def check_creates(requests: Sequence[Request]) -> None:
    """A create is paid for: whatever the answers are, one exchange sends at most one."""
    creates = [request for request in requests if request.verb == "create"]
    assert len(creates) <= 1, "a second create is sent in one exchange: it may be a second bill"


def check_result(result: Any) -> None:
    """A result is what its type says."""
    if isinstance(result, Accepted):
        check_snapshot(result.snapshot)
        _check_id(result.snapshot.provider_id)
        assert json.loads(json.dumps(result.reference)) == result.reference, "Accepted.reference is not plain JSON"
    elif isinstance(result, Snapshot):
        check_snapshot(result)
    elif isinstance(result, Page):
        assert len(result.rows) == len(result.names), "Page.names has to have one name for each row"
        for row in result.snapshots:
            check_snapshot(row)
    else:
        assert isinstance(result, Deleted | Cancelled | AccountInfo), (
            f"the exchange returned {result!r}: it has to be Accepted, Snapshot, Page, Deleted, Cancelled or "
            "AccountInfo"
        )


def _check_id(provider_id: str) -> None:
    try:
        check_id(provider_id)
    except InputError as error:
        raise AssertionError(f"accepted under an id that cannot be asked about: {error}") from None


def check_snapshot(snapshot: Snapshot) -> None:
    """A snapshot does not contradict itself."""
    assert isinstance(snapshot, Snapshot), f"{snapshot!r} is no Snapshot"
    assert isinstance(snapshot.provider_id, str), f"the id {snapshot.provider_id!r} is no text"
    assert snapshot.provider_id.strip(), "the id is blank"
    assert snapshot.state in _READINGS, f"{snapshot.state!r} is no state of a generation at a vendor"
    is_failed = snapshot.state is State.FAILED
    assert is_failed == (snapshot.failure is not None), f"state {snapshot.state} and failure {snapshot.failure}"
    if snapshot.failure is not None:
        assert isinstance(snapshot.failure.code, FailureCode), f"{snapshot.failure.code!r} is no FailureCode"
        assert isinstance(snapshot.failure.reason, str | None), f"the reason {snapshot.failure.reason!r} is no text"
        assert isinstance(snapshot.failure.vendor_code, str | None), f"{snapshot.failure.vendor_code!r} is no text"
    if snapshot.unknown_state is not None:
        assert snapshot.state in RUNNING, "an unknown state counts as running"
    if snapshot.state is State.COMPLETED and not snapshot.outputs:
        assert snapshot.missing_outputs, "completed without outputs, but missing_outputs is not set"
    for output in snapshot.outputs:
        assert isinstance(output.kind, str), f"the kind of an output is {output.kind!r}"
        assert isinstance(output.url, str), f"the url of an output is {output.url!r}"
        assert output.url or output.data, "an output has neither a url nor bytes"
        _check_moment(output.expires_at)
    _check_moment(snapshot.created_at)
    for text in (snapshot.model, snapshot.kind, snapshot.prompt):
        assert isinstance(text, str | None), f"{text!r} is no text"
    assert isinstance(snapshot.outputs, tuple), "outputs is no tuple"
    assert all(isinstance(words, str) for words in snapshot.warnings), f"a warning is no text: {snapshot.warnings}"
    json.dumps(snapshot.raw)


def _check_moment(at: datetime | None) -> None:
    assert at is None or at.tzinfo is not None, f"{at} has no time zone: aiogen.providers.reading.parse_time gives one"
