"""Whatever a vendor sends: no crash, no end of a job but by the vendor's own words, and no second bill.

The best hostile answer is an honest one with a single thing wrong.  Here it is read without a network, and in
test_hostile_wire.py it comes over one.  AIOGEN_LONG=1 tries many times as much, and something else each time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import attrs
import pytest
from hostility import hostile, recorded, with_one_thing_wrong
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from providers.drive import drive

import aiogen
from aiogen._answers import snapshots
from aiogen._checks import check_id
from aiogen._limits.retry import Verdict, judge_create
from aiogen.exchange import Accepted, Deleted, Exchange, Page, Response, Snapshot, Ticket
from aiogen.models import AccountInfo
from aiogen.providers.base import Provider
from aiogen.providers.reading import parse_json
from aiogen.stores.rows import generation_from, result_text

pytestmark = pytest.mark.no_cover  # what is read here is measured where its meaning is tested
LONG = bool(os.environ.get("AIOGEN_LONG"))
many = settings(
    deadline=None,
    derandomize=not LONG,
    max_examples=3_000 if LONG else 100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
LUMA = aiogen.Luma(api_key="luma-api-0123456789")
LEONARDO = aiogen.Leonardo(api_key="leonardo-key-0123456789")
BOATS = {provider.facts.name: provider.encode(provider.prepare("uni-1", "a boat", {})) for provider in (LUMA, LEONARDO)}
ID = "d290f1ee-6c54-4b01-90e6-d701748f0851"
NOW = datetime(2026, 4, 8, 12, tzinfo=UTC)


# --- what may come of it


def outcome(exchange: Exchange[Any], response: Response) -> Any:
    """The result, or the error: always one of ours, and never one that blames the caller."""
    try:
        return drive(exchange, response).result
    except (aiogen.APIError, aiogen.ProtocolError) as caught:
        error = caught
    assert error.retry_after is None or 0.0 <= error.retry_after <= 7 * 86_400.0
    return error


def document_of(response: Response) -> Any:
    try:
        return parse_json(response, "read")
    except aiogen.ProtocolError:
        return None


def words_of(response: Response) -> str:
    document = document_of(response)
    try:
        return (response.body.decode("utf-8", "replace") if document is None else repr(document)).lower()
    except RecursionError:
        return ""


def asked(provider: Provider, response: Response) -> Any:
    """One generation: over by its state word in a good answer, and by nothing else."""
    result = outcome(provider.get(Ticket(provider_id=ID, outputs=2)), response)
    document = document_of(response)
    row = document if provider is LUMA or not isinstance(document, dict) else document.get("generations_by_pk")
    if isinstance(result, Snapshot):
        assert response.status < 300
        assert isinstance(row, dict)
        said = row["state"] if provider is LUMA else row["status"].lower()
        ends = ("completed", "failed") if provider is LUMA else ("complete", "completed", "failed")
        assert result.state.is_terminal is (said in ends)
        assert result.provider_id == row["id"]
        check_kept(snapshots.looked_up(provider, result, at=NOW))
    # What may end the waiting without being a state needs the vendor's word as well.
    if isinstance(result, aiogen.NotFound):
        assert response.status == 404 or row in (None, []) or re.search("not_found|404", words_of(response))
    if isinstance(result, aiogen.AuthenticationError):
        assert response.status in (401, 403) or re.search(r"auth\w+ hook|access-denied|40[13]", words_of(response))
    return result


def check_kept(generation: aiogen.Generation) -> None:
    """The ledger can keep it, whatever is in it."""
    outputs = tuple(attrs.evolve(output, raw={}) for output in generation.outputs)
    assert generation_from(result_text(generation, whole=True)) == attrs.evolve(generation, raw={}, outputs=outputs)


def created(provider: Provider, response: Response) -> Any:
    """Who answered well and named an id has taken the job; who did not surely refuse it is not asked again."""
    result = outcome(provider.create(BOATS[provider.facts.name]), response)
    name = name_in(provider, response)
    if name is not None or isinstance(result, Accepted):
        assert isinstance(result, Accepted)
        assert response.status < 300
        assert result.snapshot.provider_id == name
        for figure in (result.quota.limit, result.quota.remaining) if result.quota is not None else ():
            assert figure is None or abs(figure) < 10**9
        return result
    inside = provider is LEONARDO and re.search(r"error|message|extensions|auth\w+ hook", words_of(response))
    verdict = judge_create(result, provider.facts.resend_statuses)
    if verdict is Verdict.REFUSED:
        assert 400 <= response.status < 500 or inside
    if verdict is Verdict.THROTTLED:
        assert response.status == 429 or inside
    if verdict is Verdict.UNREACHABLE:
        assert response.status in provider.facts.resend_statuses
    return result


def name_in(provider: Provider, response: Response) -> str | None:
    """The new generation's id, if there is one that can be asked about."""
    document = document_of(response)
    if not (200 if provider is LUMA else 0) <= response.status < 300:
        return None
    if provider is LEONARDO and isinstance(document, list) and len(document) == 1:
        (document,) = document
    if not isinstance(document, dict):
        return None
    names = [document.get("id")]
    if provider is LEONARDO:
        keys = ("generate", "sdGenerationJob", "motionVideoGenerationJob", "motionSvdGenerationJob")
        candidates = [*map(document.get, keys), document]
        names = [candidate.get("generationId") for candidate in candidates if isinstance(candidate, dict)]
    for name in names:
        try:
            return check_id(name)
        except aiogen.InputError:
            continue
    return None


def described(provider: Provider, response: Response) -> Any:
    """Whose key it is."""
    account = outcome(provider.read_account(), response)
    if isinstance(account, AccountInfo):
        assert account.concurrency_slots is None or 0 < account.concurrency_slots < 10**9
        assert account.user_id is None or account.user_id == check_id(account.user_id)
    return account


def listed(response: Response) -> Any:
    return outcome(LEONARDO.list("user", 0, 50), response)


def deleted(response: Response) -> Any:
    return outcome(LEONARDO.delete(ID), response)


Check = Callable[[Response], Any]
"""Gives what came of it."""
RESULTS = {"asking": Snapshot, "creating": Accepted, "describing": AccountInfo, "listing": Page, "deleting": Deleted}
CALLS: dict[str, tuple[Check, str, str]] = {
    "asking luma": (partial(asked, LUMA), "luma", "processing|completed_image$|failed_con|unknown"),
    "asking leonardo": (partial(asked, LEONARDO), "leonardo", "pending|complete_image|failed_mod|not_found"),
    "creating at luma": (partial(created, LUMA), "luma", "created|429_creates"),
    "creating at leonardo": (partial(created, LEONARDO), "leonardo", "created|error_graphql"),
    "describing luma": (partial(described, LUMA), "luma", "files"),
    "describing leonardo": (partial(described, LEONARDO), "leonardo", "me"),
    "listing": (listed, "leonardo", "list"),
    "deleting": (deleted, "leonardo", "delete"),
}


@pytest.mark.parametrize("call", CALLS)
def test_one_thing_wrong_in_every_place(call: str) -> None:
    """Each value of each honest answer replaced by each odd one, each header, and each status."""
    check, folder, kind = CALLS[call]
    for honest in recorded(folder, kind):
        for response in with_one_thing_wrong(honest):
            assert isinstance(check(response), RESULTS[call.split()[0]] | aiogen.AiogenError)


@pytest.mark.parametrize("call", CALLS)
@many
@given(data=st.data())
def test_several_things_wrong_anywhere(call: str, data: st.DataObject) -> None:
    """Any honest answer, to this call or to another one, changed in any way that hypothesis finds."""
    check, folder, kind = CALLS[call]
    assert isinstance(check(data.draw(hostile(folder, kind))), RESULTS[call.split()[0]] | aiogen.AiogenError)
