"""Records as rows of text and numbers, and back.  Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import cattrs

from aiogen._content.portions import LARGE, read_json, written
from aiogen.exchange import Submission
from aiogen.models import Generation, State
from aiogen.stores.base import Record
from aiogen.stores.charges import UNKNOWN, Charge, is_free

COLUMNS = (
    "id",
    "connection",
    "provider",
    "account",
    "provider_id",
    "reference",
    "state",
    "owner",
    "batch",
    "key",
    "scope",
    "attempt",
    "asked",
    "priority",
    "metadata",
    "prompt",
    "request",
    "fingerprint",
    "weight",
    "result",
    "timeout",
    "created_at",
    "submitted_at",
    "accepted_at",
    "finished_at",
    "model",
    "kind",
    "charge",
    "charge_unit",
    "charge_is_estimate",
)


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(omit_if_default=True)
    converter.register_unstructure_hook(datetime, lambda moment: moment.isoformat())
    converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))
    converter.register_unstructure_hook(Decimal, str)
    converter.register_structure_hook(Decimal, lambda text, _: Decimal(text))
    converter.register_unstructure_hook(bytes, lambda data: base64.b64encode(data).decode())
    converter.register_structure_hook(bytes, lambda text, _: base64.b64decode(text))
    # What a vendor sent, or will be sent, is JSON already.
    converter.register_structure_hook_func(lambda kind: kind == Mapping[str, Any], lambda value, _: value)
    converter.register_unstructure_hook_func(lambda kind: kind == Mapping[str, Any], lambda value: value)
    return converter


_json = _converter()


def prepare() -> None:
    """How the two are written and read is worked out at their first, which takes ten milliseconds: now, in a thread."""
    for kind in (Submission, Generation):
        _json.get_unstructure_hook(kind)
        _json.get_structure_hook(kind)


def request_text(submission: Submission, *, whole: bool) -> str:
    """What a create will say.  If not `whole`, only what following it needs, without prompt and parameters."""
    if not whole:
        submission = attrs.evolve(submission, prompt=None, body={})
    return "".join(written(_json.unstructure(submission), separators=(",", ":")))


def _submission(text: str) -> Submission:
    value = json.loads(text) if len(text) <= LARGE else read_json(text.encode("utf-8", "surrogatepass"))
    return _json.structure(value, Submission)


def result_text(generation: Generation, *, whole: bool) -> str:
    """How a job ended.  The vendor's raw answers, and without `whole` the prompt, are left out."""
    outputs = tuple(attrs.evolve(output, raw={}) for output in generation.outputs)
    prompt = generation.prompt if whole else None
    bare = attrs.evolve(generation, raw={}, outputs=outputs, prompt=prompt)
    return json.dumps(_json.unstructure(bare), separators=(",", ":"))


def json_text(value: Mapping[str, Any] | None) -> str | None:
    """An object as JSON, and nothing as nothing."""
    return None if value is None else json.dumps(value, separators=(",", ":"))


def seconds(moment: datetime | None) -> float | None:
    """A moment as the ledger has it: seconds since the epoch."""
    return None if moment is None else moment.timestamp()


def _moment(number: float | None) -> datetime | None:
    return None if number is None else datetime.fromtimestamp(number, UTC)


def row(record: Record, *, whole: bool) -> tuple[Any, ...]:
    """The values of `COLUMNS`."""
    submission, generation = record.submission, record.generation
    fingerprint = record.fingerprint or (submission.fingerprint() if submission is not None else None)
    return (
        record.id,
        record.connection,
        record.provider,
        record.account,
        record.provider_id,
        json_text(record.reference),
        str(record.state),
        record.owner,
        record.batch,
        record.key,
        record.scope,
        record.attempt,
        record.asked,
        record.priority,
        json_text(record.metadata),
        record.prompt if whole else None,
        None if submission is None else request_text(submission, whole=whole),
        fingerprint,
        record.weight,
        None if generation is None else result_text(generation, whole=whole),
        record.timeout,
        seconds(record.created_at),
        seconds(record.submitted_at),
        seconds(record.accepted_at),
        seconds(record.finished_at),
        record.model,
        record.kind,
        *charge_row(record.charge),
    )


def charge_row(charge: Charge) -> tuple[int | None, str | None, int]:
    """The values of the three columns."""
    return charge.millionths, charge.unit, int(charge.is_estimate)


def generation_from(text: str) -> Generation:
    """How a job ended."""
    return _json.structure(json.loads(text), Generation)


def lenient(raw: bytes) -> str:
    """Text that may be damaged, for SQLite to read; `record_from` says so, of one row at a time."""
    return raw.decode("utf-8", "surrogateescape")


@attrs.frozen
class End:
    """How a job ended, as the ledger writes it."""

    job_id: str
    provider_id: str | None
    state: str
    result: str
    charge: Charge = UNKNOWN
    """What it cost, if the generation says so."""
    is_free: bool = False
    """It surely was not charged: what nobody charged stays in its unit."""

    @classmethod
    def of(cls, generation: Generation, *, whole: bool) -> End:
        """`whole`: with the prompt."""
        return cls(
            job_id=generation.id or "",
            provider_id=generation.provider_id,
            state=str(generation.state),
            result=result_text(generation, whole=whole),
            charge=Charge.of(generation.cost),
            is_free=is_free(generation),
        )


class Unreadable(Exception):
    """A row that this version cannot read: it is damaged, or somebody else wrote there."""

    def __init__(self, job_id: object, cause: Exception) -> None:
        self.job_id: str = str(job_id).encode("utf-8", "replace").decode()
        self.cause = cause
        super().__init__(f"job {self.job_id}: {cause!r}")


def record_from(values: tuple[Any, ...], now: float) -> Record:
    """The record in a row that was read at this time.

    Raises:
        Unreadable: it holds no record that this version can read.
    """
    try:
        return _record_of(values, now)
    except Exception as error:  # of any kind: whatever may stand in a file
        raise Unreadable(values[0], error) from error


def _record_of(values: tuple[Any, ...], now: float) -> Record:
    for value in values:
        if isinstance(value, str):
            value.encode()  # text with invalid characters was let through so far
    fields = dict(zip(COLUMNS, values, strict=True))
    request, result = fields.pop("request"), fields.pop("result")
    for name in ("reference", "metadata"):
        fields[name] = None if fields[name] is None else json.loads(fields[name])
    for name in ("created_at", "submitted_at", "accepted_at", "finished_at"):
        fields[name] = _moment(fields[name])
    fields["state"] = State(fields["state"])
    charge = Charge(fields.pop("charge"), fields.pop("charge_unit"), bool(fields.pop("charge_is_estimate")))
    return Record(
        **fields,
        submission=None if request is None else _submission(request),
        generation=None if result is None else generation_from(result),
        read_at=_moment(now),
        charge=charge,
    )
