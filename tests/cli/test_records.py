"""One JSON object for a generation, in every command."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import attrs

from aiogen import errors
from aiogen.cli.records import as_record, of_record
from aiogen.models import Action, Cost, FailureCode, Generation, Output, State
from aiogen.stores.base import Record

AT = datetime(2026, 11, 27, 10, 0, 0, 208_000, tzinfo=UTC)
WHOLE = Generation(
    id="ours",
    provider_id="theirs",
    provider="leonardo",
    connection="leonardo",
    model="lucid-origin",
    state=State.COMPLETED,
    prompt="a boat",
    outputs=(
        Output(kind="image", url="https://x/0", expires_at=AT, provider_id="o-0", nsfw=False, raw={"a": 1}),
        Output(kind="image", url="https://x/1"),
    ),
    partial=True,
    warnings=("1 of 3 outputs could not be read",),
    cost=Cost(Decimal("0.0404"), "DOLLARS"),
    created_at=AT,
    accepted_at=AT + timedelta(seconds=1),
    finished_at=AT + timedelta(seconds=9),
    raw={"secret": "of the vendor"},
)


def record(generation: Generation | None = WHOLE, **more: object) -> dict[str, object]:
    return as_record(generation, connection="leonardo", provider_id="theirs", **more)  # type: ignore[arg-type]


def test_everything_that_a_generation_knows_is_in_it_but_the_raw_answer() -> None:
    shown = record(files=[Path("leonardo-theirs-1.png")])
    assert {field.name for field in attrs.fields(Generation)} - {"raw"} <= set(shown)
    assert (shown["prompt"], shown["kind"], shown["partial"]) == ("a boat", "image", True)
    assert shown["cost"] == {"amount": "0.0404", "unit": "DOLLARS", "is_estimate": False}
    assert shown["created_at"] == "2026-11-27T10:00:00.208Z"
    assert shown["accepted_at"] == "2026-11-27T10:00:01.208Z"
    assert shown["finished_at"] == "2026-11-27T10:00:09.208Z"
    assert shown["outputs"] == [
        {
            "kind": "image", "url": "https://x/0", "expires_at": "2026-11-27T10:00:00.208Z", "provider_id": "o-0",
            "nsfw": False, "media_type": None, "width": None, "height": None, "path": None,
        },
        {
            "kind": "image", "url": "https://x/1", "expires_at": None, "provider_id": None, "nsfw": None,
            "media_type": None, "width": None, "height": None, "path": "leonardo-theirs-1.png",
        },
    ]  # fmt: skip
    assert shown["warnings"] == ["fewer outputs came than were asked for", "1 of 3 outputs could not be read"]
    assert shown["error"] is None


def test_a_failure_is_told_by_its_code_and_what_helps() -> None:
    failed = attrs.evolve(
        WHOLE, state=State.FAILED, failure_code=FailureCode.CONTENT_MODERATED, failure_reason="no",
        action=Action.CHANGE_INPUT,
    )  # fmt: skip
    shown = record(failed, error=errors.GenerationFailed.of(failed))
    assert (shown["failure_code"], shown["failure_reason"], shown["action"]) == (
        "content_moderated",
        "no",
        "change_input",
    )
    assert shown["error"]["type"] == "GenerationFailed"  # type: ignore[index]


def test_what_nobody_has_seen_has_an_error_and_no_state() -> None:
    """An id that was only typed is neither queued nor an image."""
    attached = Generation(
        id="ours", provider_id="theirs", provider="luma", connection="luma", model=None, state=State.QUEUED
    )  # fmt: skip
    error = errors.NotFound("not found", provider_id="theirs", request_id="r-1")
    for generation in (attached, None):
        shown = record(generation, error=error)
        assert (shown["state"], shown["kind"], shown["provider_id"]) == (None, None, "theirs")
        assert shown["error"] == {
            "type": "NotFound", "message": "not found", "code": "not_found", "action": "give_up", "retryable": False,
            "request_id": "r-1",
        }  # fmt: skip
    assert record(attrs.evolve(attached, state=State.FAILED), error=error)["state"] is None
    assert record(attrs.evolve(attached, state=State.FAILED, accepted_at=AT), error=error)["state"] == "failed"
    seen = attrs.evolve(attached, accepted_at=AT)
    assert record(seen)["state"] == "queued"
    assert record(attrs.evolve(attached, raw={"id": "x"}))["state"] == "queued"
    assert record(attrs.evolve(attached, state=State.UNKNOWN))["state"] == "unknown"


def test_the_ledger_is_told_in_the_same_keys() -> None:
    """Also of a job that still runs, and of one whose state has been changed by others since."""
    running = Record(
        id="ours", connection="leonardo", provider="leonardo", account="a", state=State.PROCESSING,
        provider_id="theirs", batch="fleet", fingerprint="f", created_at=AT, submitted_at=AT, accepted_at=AT,
    )  # fmt: skip
    shown = of_record(running)
    assert list(shown) == list(record())
    assert (shown["state"], shown["batch"], shown["fingerprint"]) == ("processing", "fleet", "f")
    assert shown["added_at"] == shown["submitted_at"] == shown["accepted_at"] == "2026-11-27T10:00:00.208Z"
    assert of_record(attrs.evolve(running, generation=WHOLE, state=State.UNKNOWN))["state"] == "unknown"


def test_the_page_lists_every_key() -> None:
    page = Path(__file__, "../../../docs/cli.md").resolve().read_text()
    listed = set(re.findall(r"`([a-z_]+)`", page[page.index("## For programs") : page.index("## Exit codes")]))
    assert set(record()) <= listed
    assert set(record()["outputs"][0]) <= listed  # type: ignore[index]


def test_every_command_has_the_same_keys(aiogen, vendors, tmp_path: Path) -> None:
    said = aiogen("generate", "leonardo/lucid-origin", "a boat", "--batch", "fleet", "--json", "--out", tmp_path)
    [made] = said.records
    keys = list(made)
    named = ("leonardo", made["provider_id"], "--json")
    shown = {
        words[0]: aiogen(*words).records[0]
        for words in (
            ("wait", *named, "--out", tmp_path),
            ("get", *named),
            ("download", *named, "--out", tmp_path),
            ("list", "leonardo", "--json"),
            ("jobs", "--json"),
        )
    }
    assert {name: list(each) for name, each in shown.items()} == dict.fromkeys(shown, keys)
    assert {each["prompt"] for each in (made, *shown.values())} == {"a boat"}
    assert made["batch"] == shown["jobs"]["batch"] == "fleet"
    assert made["cost"] == shown["jobs"]["cost"]
    assert made["cost"]["unit"] == "DOLLARS"
    assert made["outputs"][0]["path"] == made["files"][0] == shown["wait"]["files"][0] == shown["download"]["files"][0]


def test_a_bad_id_that_is_waited_for_has_an_error_and_no_state(aiogen, vendors) -> None:
    [record] = aiogen("wait", "luma", "d290f1ee-6c54-4b01-90e6-d701748f0851", "--json").records
    assert (record["state"], record["error"]["type"], record["failure_code"]) == (None, "NotFound", "not_found")
    said = aiogen("wait", "luma", "d290f1ee-6c54-4b01-90e6-d701748f0851")
    assert said.out.startswith("unreadable\tluma\td290f1ee-")
