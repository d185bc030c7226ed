"""Request and response bodies: a job has the same one in answers, lists and events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import quote

import attrs
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from aiogen._content.measure import Measured
from aiogen._engine.job import Job
from aiogen.integrations.fastapi.learned import Learned
from aiogen.integrations.fastapi.telling import without_addresses
from aiogen.models import Action, Cost, FailureCode, Generation, Output, State
from aiogen.stores.base import Record
from aiogen.stores.charges import is_free


class NewGeneration(BaseModel):
    """A request for a generation."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    model: str = Field(description="connection/model, such as luma/uni-1")
    prompt: str | None = Field(default=None, description="What the picture should show")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="The model's own parameters; one that it does not have is refused"
    )


class Size(BaseModel):
    """Pixels."""

    width: int
    height: int


class UploadBody(BaseModel):
    """A picture that was sent, to be named in `parameters` by its url where a picture is taken."""

    id: str = Field(description="SHA-256 of the bytes")
    url: str = Field(description="Where this server has it, a path")
    media_type: str
    bytes: int
    size: Size | None
    expires: datetime = Field(description="It is deleted then, unless it is sent again")


class ErasedBody(BaseModel):
    """What was removed."""

    generations: int = Field(description="Generations that were removed")
    running: int = Field(description="Generations that stay, because they are not over")
    uploads: int = Field(description="Pictures that were deleted")


class Times(BaseModel):
    """Moments in the life of the job; null for what has not happened."""

    created: datetime | None
    accepted: datetime | None
    began: datetime | None
    finished: datetime | None


class EtaBody(BaseModel):
    """Estimated seconds from this answer to the end; clients count down between two events."""

    seconds: float = Field(description="Half of such jobs have ended by then")
    low: float = Field(description="One in ten has ended by then")
    high: float = Field(description="Nine in ten have ended by then")


class OutputBody(BaseModel):
    """One result."""

    url: str = Field(description="Where this server has it, a path")
    kind: str = Field(description="image, video, or the provider's word for something newer")
    media_type: str | None
    size: Size | None


class Failure(BaseModel):
    """Why there is no picture."""

    code: FailureCode
    reason: str | None = Field(description="The provider's words")
    action: Action | None = Field(description="What helps")


class CostBody(BaseModel):
    """What it costs; 0 for what surely was not charged: not sent, refused, or refunded as the provider documents it."""

    amount: str = Field(description="A decimal number")
    unit: str = Field(description="DOLLARS or CREDITS")
    is_estimate: bool


class Links(BaseModel):
    """Paths on this server."""

    self: str
    events: str


class GenerationBody(BaseModel):
    """One job, as it stands."""

    id: str
    model: str | None = Field(description="connection/model")
    state: State
    times: Times
    eta: EtaBody | None
    outputs: list[OutputBody]
    expired: bool = Field(description="It was over so long ago that only its key and its end are kept, and no outputs")
    partial: bool = Field(description="It has fewer outputs than were asked for")
    warnings: list[str] = Field(description="What the model does not take and was not sent, and whatever else is odd")
    failure: Failure | None
    cost: CostBody | None
    links: Links


class PageBody(BaseModel):
    """Jobs, the newest first."""

    items: list[GenerationBody]
    next: str | None = Field(description="The cursor of the next page; null at the end")


def base_of(request: Request, behind: int) -> str:
    """The path of the collection as the client has it, whatever the router is included or mounted under.

    Written as addresses are, for servers give it without its escapes, in which a prefix may have any letters.
    """
    path: str = request.scope["path"]
    root: str = request.scope.get("root_path", "").rstrip("/")
    if path != root and not path.startswith(f"{root}/"):  # the application's own `root_path`, which the proxy takes off
        path = root + path
    path = quote(path, safe="/-._~!$&'()*+,;=:@", errors="replace")
    return path.rstrip("/").rsplit("/", behind)[0] if behind else path.rstrip("/")


def is_expired(record: Record) -> bool:
    """Its result was removed from the ledger (`keep_finished`)."""
    return record.state.is_terminal and record.generation is None


@attrs.frozen
class Seen:
    """A job of the ledger, and its handle where this worker has one or made one."""

    record: Record
    job: Job | None = None
    learned: Learned | None = None
    """What this worker has seen of outputs."""
    again: Callable[[], Awaitable[Seen]] | None = attrs.field(default=None, eq=False, repr=False)
    """Looks at the ledger once more; it may be removed meanwhile."""

    @property
    def is_expired(self) -> bool:
        """It ended so long ago that only its key and its state are kept."""
        return is_expired(self.record)

    @property
    def is_followed(self) -> bool:
        """Its handle gets the end; the handle of a job whose deadline has passed does not."""
        return self.job is not None and not self.job.done

    @property
    def state(self) -> State:
        """By the handle where there is one, which is updated before the ledger."""
        return self.job.state if self.job is not None else self.record.state

    @property
    def is_over(self) -> bool:
        """It has ended, or it is not known whether it runs; nothing more happens by itself."""
        return self.state.is_terminal or self.state is State.UNKNOWN

    @property
    def generation(self) -> Generation | None:
        """By the handle where there is one; None of a job that another worker follows and that has not ended."""
        return self.job.generation if self.job is not None else self.record.generation

    def body(self, base: str) -> GenerationBody:
        """Its present state; `base`: the path of the collection on this server."""
        record, job, known = self.record, self.job, self.generation
        path = f"{base}/{record.id}"
        model = record.model or (known.model if known is not None else None)
        eta = job.eta() if job is not None else None
        cost = _cost(self)
        return GenerationBody(
            id=record.id,
            model=f"{record.connection}/{model}" if model else None,
            state=self.state,
            times=Times(
                created=record.created_at,
                accepted=(known.accepted_at if known is not None else None) or record.accepted_at,
                began=known.began_at if known is not None else None,
                finished=(known.finished_at if known is not None else None) or record.finished_at,
            ),
            eta=EtaBody(seconds=eta.seconds, low=eta.low, high=eta.high) if eta is not None else None,
            outputs=_outputs(self, path),
            expired=self.is_expired,
            partial=known is not None and known.partial,
            warnings=_warnings(self),
            failure=_failure(self),
            cost=CostBody(amount=f"{cost.amount:f}", unit=cost.unit, is_estimate=cost.is_estimate) if cost else None,
            links=Links(self=path, events=f"{path}/events"),
        )


def _outputs(seen: Seen, path: str) -> list[OutputBody]:
    known = seen.generation
    if known is None or known.state is not State.COMPLETED:
        return []
    found = seen.learned.of(seen.record.id, known.outputs) if seen.learned is not None else known.outputs
    return [
        OutputBody(
            url=f"{path}/outputs/{n}",
            kind=output.kind,
            media_type=output.media_type,
            size=size_of(output),
        )
        for n, output in enumerate(found)
    ]


def size_of(measured: Measured | Output) -> Size | None:
    """Pixels, where they are known."""
    width, height = measured.width, measured.height
    return Size(width=width, height=height) if width and height else None


def _warnings(seen: Seen) -> list[str]:
    """Also before it has ended: a parameter that was not sent may change the picture."""
    known = seen.generation
    asked = seen.record.submission or (seen.job.submission if seen.job is not None else None)
    said = (*(asked.warnings if asked is not None else ()), *(known.warnings if known is not None else ()))
    return [without_addresses(each) for each in dict.fromkeys(said)]


def _cost(seen: Seen) -> Cost | None:
    known = seen.generation
    cost = (known.cost if known is not None else None) or seen.record.charge.cost
    has_failed = known is not None and known.state in (State.FAILED, State.CANCELLED)
    return Cost(Decimal(0), cost.unit) if cost is not None and known and has_failed and is_free(known) else cost


def _failure(seen: Seen) -> Failure | None:
    known = seen.generation
    if seen.state is State.UNKNOWN:
        reason = "It is not known whether the provider has carried it out: it may run, and may be charged."
        return Failure(code=FailureCode.UNKNOWN, reason=reason, action=Action.GIVE_UP)
    if seen.state is not State.FAILED:
        return None
    if seen.is_expired:
        return Failure(code=FailureCode.UNKNOWN, reason="Why it failed is not kept any more.", action=None)
    code = known.failure_code if known is not None else None
    return Failure(
        code=code or FailureCode.UNKNOWN,
        reason=without_addresses(known.failure_reason) if known is not None and known.failure_reason else None,
        action=known.action if known is not None else None,
    )
