"""What a provider file states about its vendor: names, addresses, limits and what a request is worth there.  Pure."""

from __future__ import annotations

from typing import Any

import attrs

from aiogen._checks import check_name, check_number, check_seconds
from aiogen._options import POLL_COSTS
from aiogen.errors import InputError


def _text(_: Any, field: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"The fact {field.name} must be text, not {value!r}.")


def _variable(_: Any, field: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and (not isinstance(value, str) or not value.isidentifier()):
        raise InputError(f"The fact {field.name} must be the name of an environment variable, not {value!r}.")


def _count(_: Any, field: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, int):
        raise InputError(f"The fact {field.name} must be a whole number, not {value!r}.")
    check_number(value, f"The fact {field.name}", 0 if field.name == "list_page" else 1, 1_000_000)


def _seconds(_: Any, field: attrs.Attribute[Any], value: Any) -> None:
    check_seconds(value, f"The fact {field.name}")


def _worth(_: Any, field: attrs.Attribute[Any], value: Any) -> None:
    check_number(value, f"The fact {field.name}", *POLL_COSTS)


@attrs.frozen(kw_only=True)
class Facts:
    """What every connection to one vendor has in common.  The fields without a default have to be given.

    Raises:
        TypeError: one of them is missing; it is named.
        InputError: a value is of the wrong type or out of its range.
    """

    vendor: str = attrs.field(validator=_text)
    """The vendor's name as people write it."""
    name: str = attrs.field(validator=lambda _, __, value: check_name(value) and None)
    """With which model strings begin by default, such as "luma"; 1 to 64 letters, digits, "-", "_" or "."."""
    url: str = attrs.field(validator=_text)
    """The vendor's own base url."""
    request_type: type
    """The class of this provider's typed requests."""
    key_variable: str | None = attrs.field(validator=_variable)
    """The environment variable of the key; None for a server that takes no key."""
    max_active: int = attrs.field(validator=_count)
    """Units of work that may run at once, 1 to 1,000,000, unless a connection says otherwise."""
    creates_per_minute: int = attrs.field(validator=_count)
    """Creates in any 60 seconds, 1 to 1,000,000, unless a connection says otherwise."""
    requests_per_minute: int = attrs.field(validator=_count)
    """Requests of any kind per minute, 1 to 1,000,000, unless a connection says otherwise."""
    url_variable: str = attrs.field(
        default=attrs.Factory(lambda self: f"{self.name.upper().replace('-', '_').replace('.', '_')}_BASE_URL", True),
        validator=_variable,
    )
    """The environment variable of the base url; by default the name in capitals and `_BASE_URL`."""
    public_key: str | None = None
    """The key that everybody may use who has none of their own; it is no secret."""
    max_reference_bytes: int = attrs.field(default=50 * 1024 * 1024)
    """Bytes of the largest local file that a request may refer to."""
    resend_statuses: frozenset[int] = frozenset()
    """5xx statuses of which the vendor documents that the create was not carried out."""
    resend_is_free: bool = False
    """Whether a create may be sent again under the id that it chose itself (`Submission.provider_id`) once the vendor
    says that it does not know that id: because nothing is charged, or because one id is carried out once."""
    needs_reference: bool = False
    """Whether asking about a generation needs `Accepted.reference` beside its id."""
    sends_request_id: bool = False
    """Whether the vendor documents `X-Request-Id` on requests."""
    list_page: int = attrs.field(default=0, validator=_count)
    """Most generations per page of a list; 0 if the vendor cannot list, or lists in no pages."""
    most_requests_per_minute: int = attrs.field(default=1_000_000, validator=_count)
    """Requests of any kind per minute that the vendor documents, 1 to 1,000,000: up to this number
    `requests_per_minute` grows by itself where a connection raises its other limits.  By default without bound."""
    poll_cost: float = attrs.field(default=0.15, validator=_worth)
    """Seconds of waiting that one request is worth, 0.001 to 60, unless a session or a job says otherwise.  On a
    server of one's own a request costs next to nothing."""
    poll_floor: float = attrs.field(default=1.0, validator=_seconds)
    """Fewest seconds between two status requests about one generation."""
    poll_ceiling: float = attrs.field(default=30.0, validator=_seconds)
    """Most seconds between two status requests about one generation."""
    not_found_grace: float = attrs.field(default=10.0, validator=_seconds)
    """Seconds for which the vendor must keep answering "not found" about a generation that is followed."""
