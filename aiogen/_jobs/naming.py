"""What a caller says of a job beside the request, checked: its key and scope, its metadata, its priority."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiogen._account.create_queue import NORMAL, PRIORITIES
from aiogen._answers.asked import check_key
from aiogen._checks import check_json
from aiogen.errors import InputError
from aiogen.stores.base import AtMost

_OTHERS_KEYS = ("idempotency_key", "request_id", "client_request_id")


def check_names(options: Mapping[str, Any], key: object, scope: object, metadata: object, *, retry: bool) -> None:
    """What the user calls the job.

    Raises:
        InputError: a name cannot be one, the metadata is no JSON object, or a key was meant and is called otherwise.
    """
    for name in _OTHERS_KEYS:
        if name in options:
            raise InputError(
                f"{name}= is no parameter of a provider. To have a request carried out once, however often it is "
                'repeated, name it: key="…".'
            )
    if key is not None:
        check_key(key, "key")
    elif retry:
        raise InputError("To try again needs a key, the name of the job that is meant.")
    if scope != "":
        check_key(scope, "scope")
    if metadata is not None:
        if not isinstance(metadata, Mapping):
            raise InputError(f"metadata= takes a JSON object, not {type(metadata).__name__}.")
        check_json(dict(metadata), "metadata")


def check_bound(at_most: object) -> None:
    """A bound on unfinished jobs.

    Raises:
        InputError: it is not an `AtMost`.
    """
    if at_most is not None and not isinstance(at_most, AtMost):
        raise InputError(f"at_most= takes an AtMost, with bounds for the scope and in all, not {str(at_most)[:40]!r}.")


def rank_of(priority: object) -> int:
    """A priority as a number.

    Raises:
        InputError: it is not a priority.
    """
    if priority is None:
        return NORMAL
    if isinstance(priority, str) and priority in PRIORITIES:
        return PRIORITIES[priority]
    if isinstance(priority, bool) or not isinstance(priority, int) or not 0 <= priority <= 9:
        words = " or ".join(map(repr, PRIORITIES))
        raise InputError(f"priority= takes {words}, or a whole number from 0 to 9, not {str(priority)[:40]!r}.")
    return priority
