"""What happens to one job. Pure."""

from __future__ import annotations

from typing import Literal

import attrs

from . import validators
from .faults import Fault, Faults, read_fault, read_faults


@attrs.frozen(kw_only=True)
class Fate:
    """What happens to one job. What is not given happens as usual.

    Seconds are the vendor's, and are shortened by the sandbox's `speed`, except for `latency`.
    """

    queued: float | None = attrs.field(default=None, validator=validators.seconds)
    processing: float | None = attrs.field(default=None, validator=validators.seconds)
    failure_code: str | None = attrs.field(default=None, validator=validators.text)
    """One of the vendor's codes, any other word, or "null" for a failure without a code. Where a vendor reports no
    codes the job fails all the same; what else is seen of the code is up to the vendor."""
    failure_reason: str | None = attrs.field(default=None, validator=validators.text)
    outputs: int | None = attrs.field(default=None, validator=validators.count)
    """Number of outputs."""
    unknown_state: str | None = attrs.field(default=None, validator=validators.text)
    """A word in place of the true state, until the job ends."""
    unknown_polls: int | None = attrs.field(default=None, validator=validators.count)
    """Number of polls that report `unknown_state`; None: all until the end."""
    missing_output: Literal["empty", "absent"] | None = attrs.field(default=None, validator=validators.missing_output)
    missing_polls: int | None = attrs.field(default=None, validator=validators.count)
    """Number of polls after the end for which outputs are missing; None: always."""
    nsfw: int | Literal["all"] | None = attrs.field(default=None, validator=validators.flagged)
    """Number of outputs that are flagged, where the vendor flags."""
    moderation: tuple[str, ...] = attrs.field(default=(), converter=validators.as_tuple, validator=validators.texts)
    """Moderation classes of the ended job, where the vendor reports them."""
    null_enums: bool = attrs.field(default=False, validator=validators.boolean)
    not_found_polls: int = attrs.field(default=0, validator=validators.count)
    create_fault: Fault | None = attrs.field(default=None, converter=read_fault, validator=validators.fault)
    """For every create that gets this fate; `Rule.times` and `Rule.nth` select them."""
    poll_faults: Faults = attrs.field(default=(), converter=read_faults, validator=validators.faults)
    """For successive polls."""
    delete_faults: Faults = attrs.field(default=(), converter=read_faults, validator=validators.faults)
    download_faults: Faults = attrs.field(default=(), converter=read_faults, validator=validators.download_faults)
    """For successive downloads of each output."""
    url_lifetime: float | None = attrs.field(default=None, validator=validators.lifetime)
    webhook: tuple[str, ...] = attrs.field(default=(), converter=validators.as_tuple, validator=validators.webhook)
    """How the vendor's call comes, where it makes one: `never`, `twice`, `late@S`; with `forged` a call by a stranger
    comes before it, as soon as the job is accepted."""
    latency: float | None = attrs.field(default=None, validator=validators.seconds)
    """Before each answer about this job, downloads included."""

    def over(self, other: Fate) -> Fate:
        """Both fates in one; where both set something, this one has precedence."""
        own = {
            field.name: getattr(self, field.name)
            for field in attrs.fields(Fate)
            if getattr(self, field.name) != field.default
        }
        return attrs.evolve(other, **own)


USUAL = Fate()
