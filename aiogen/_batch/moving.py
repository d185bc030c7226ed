"""Generations that are deleted once everything of them is on the disk: saved, compared, synced, or else kept."""

from __future__ import annotations

from pathlib import Path

import attrs

from aiogen._answers.outcomes import ids_of
from aiogen._engine.hub import Hub
from aiogen._jobs.calls import Calls
from aiogen._jobs.outputs import Outputs
from aiogen.errors import DownloadError, InputError, Unsupported
from aiogen.models import Action, Generation
from aiogen.providers.base import Provider


@attrs.frozen(kw_only=True)
class Place:
    """A connection, and what works on it."""

    provider: Provider
    hub: Hub
    calls: Calls
    outputs: Outputs


def check_can(provider: Provider, *, lists: bool) -> None:
    """Before anything is asked.

    Raises:
        Unsupported: the vendor deletes nothing, or, if `lists`, has no list.
    """
    can = provider.capabilities
    missing = [what for what, can_it in (("lists", can.list or not lists), ("deletes", can.delete)) if not can_it]
    if missing:
        raise Unsupported(
            f"{provider.facts.vendor} has no API call that {' or '.join(missing)} generations, so nothing can be "
            "cleaned up there.",
            provider=provider.facts.name,
            connection=provider.name,
        )


async def secured(place: Place, provider_id: str, directory: Path) -> list[Path]:
    """Everything that the vendor has of a generation, on the disk: as it is read now, dropped outputs included.

    Raises:
        DownloadError: that is not sure; the generation has to stay.
        NotFound: the vendor does not know it.
    """
    reading = await place.calls.whole(place.provider, provider_id)
    _check(place, reading)
    return await place.outputs.secure(reading, directory)


async def move(place: Place, generation: Generation, directory: Path) -> list[Path]:
    """See `Session.download` with `then_delete`.

    Raises: as `secured`.
    """
    provider_id = generation.provider_id
    files = await secured(place, provider_id, directory) if provider_id is not None else []
    if not files or provider_id is None:
        raise InputError(
            f"Generation {provider_id} is {generation.state} and has no outputs to save; it was not deleted.",
            **ids_of(generation),
        )
    await place.calls.delete(place.provider, provider_id, missing_ok=True)
    return files


def _check(place: Place, reading: Generation) -> None:
    if not reading.state.is_terminal:
        raise InputError(
            f"Generation {reading.provider_id} is {reading.state}; save and delete it once it has ended.",
            **ids_of(reading),
        )
    if (beside := place.provider.kept_beside(reading)) is not None:
        raise DownloadError(
            f"Generation {reading.provider_id} was not deleted: {beside}, which would be lost.",
            action=Action.GIVE_UP,
            **ids_of(reading),
        )


__all__ = ["Place", "check_can", "move", "secured"]
