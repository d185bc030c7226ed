"""Which generations at a vendor a clean-up is about.  Pure.

What is not known never matches: an age, a prompt, a state.  What runs, or may run, never does either.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import attrs

from aiogen._checks import check_json
from aiogen.errors import InputError
from aiogen.models import Generation, State

_LONGEST = timedelta(days=36_500)


def _age(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is None:
        return
    if not isinstance(value, timedelta):
        raise InputError(f"{attribute.name} has to be a timedelta, such as timedelta(days=30), not {value!r}.")
    if not timedelta(0) < value <= _LONGEST:
        raise InputError(f"{attribute.name} has to be longer than zero and at most 100 years, not {value}.")


def _text(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is None:
        return
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{attribute.name} has to be text that is not empty: an empty text is part of every prompt.")
    check_json(value, attribute.name)


def _flag(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, bool):
        raise InputError(f"{attribute.name} has to be True or False, not {value!r}.")


@attrs.frozen(kw_only=True)
class Where:
    """Which generations: all conditions that are given have to hold, and at least one has to be given.

    Raises:
        InputError: no condition is given, or a value is not valid.
    """

    failed: bool = attrs.field(default=False, validator=_flag)
    """Those that failed at the vendor, and of which nothing has come.  What only a connection's own choice calls failed
    (`nsfw="fail"`) did not."""
    older_than: timedelta | None = attrs.field(default=None, validator=_age)
    """Those that were created longer ago, by the vendor's moment and this machine's clock.  One of which the vendor
    does not say when it was created is never among them."""
    prompt_contains: str | None = attrs.field(default=None, validator=_text)
    """Those whose prompt has this in it, in upper or lower case: "test" is in "latest", too."""
    marked: bool = attrs.field(default=False, validator=_flag)
    """Those that were marked for deletion, see `Session.mark`."""
    not_in_ledger: bool = attrs.field(default=False, validator=_flag)
    """Those that the session's ledger does not know, which made none of its own there.  It has to know this account;
    and it forgets completed jobs without a key or batch after seven days."""

    def __attrs_post_init__(self) -> None:
        if not any((self.failed, self.older_than, self.prompt_contains, self.marked, self.not_in_ledger)):
            raise InputError(
                "Nothing says which generations to clean up: say that they failed, their age, what is in their prompt, "
                "that they were marked, or that they are not in the ledger."
            )

    def matches(
        self, generation: Generation, now: datetime, *, is_marked: bool = False, beside: str | None = None
    ) -> bool:
        """Whether all of it holds, but for what only a ledger can say (`not_in_ledger`).

        Args:
            generation: as the vendor lists it, with every output that it has.
            now: with a time zone.
            is_marked: whether its user has marked it for deletion.
            beside: what the vendor keeps with it beside its outputs; then something has come of it.
        """
        if not generation.provider_id or not generation.state.is_terminal:
            return False
        came_to_nothing = generation.state is State.FAILED and not generation.outputs and beside is None
        return (
            (not self.failed or came_to_nothing)
            and (self.older_than is None or _is_older(generation, self.older_than, now))
            and (self.prompt_contains is None or _is_in(self.prompt_contains, generation.prompt))
            and (not self.marked or is_marked)
        )


def _is_older(generation: Generation, age: timedelta, now: datetime) -> bool:
    return generation.created_at is not None and now - generation.created_at > age


def _is_in(words: str, prompt: str | None) -> bool:
    return prompt is not None and words.casefold() in prompt.casefold()


def could_be_ours(generation: Generation, since: datetime | None) -> bool:
    """Whether an unfinished create of the ledger's, whose id is not known yet, may have become this generation.

    `since`: when the first of them could have arrived at the vendor; None if there is none.
    """
    return since is not None and (generation.created_at is None or generation.created_at >= since)


def oldest_first(found: list[Generation]) -> list[Generation]:
    """As they are deleted, so that a limit leaves the newest; those of unknown age last."""
    known = sorted((g for g in found if g.created_at is not None), key=lambda g: (g.created_at, g.provider_id))
    return [*known, *(g for g in found if g.created_at is None)]


__all__ = ["Where", "could_be_ours", "oldest_first"]
