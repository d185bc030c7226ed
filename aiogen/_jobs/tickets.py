"""What asking about a generation needs, when nobody here follows it."""

from __future__ import annotations

from aiogen._engine.hub import Hub
from aiogen.errors import InputError
from aiogen.exchange import Ticket
from aiogen.providers.base import Provider


async def ticket_of(hub: Hub, provider: Provider, provider_id: str) -> Ticket:
    """The id alone, or with what the ledger has kept beside it, where the vendor needs that.

    Raises:
        InputError: it needs more than the id, and the ledger does not know the generation.
        StoreError: the ledger cannot be read.
    """
    if not provider.facts.needs_reference:
        return Ticket(provider_id=provider_id)
    await hub.ledger.ready()
    known = await hub.known(provider, [provider_id])
    reference = next((record.reference for record in known if record.reference is not None), None)
    if reference is None:
        raise InputError(
            f"{provider.facts.vendor} cannot be asked about generation {provider_id} by its id alone, and this ledger "
            "does not know it: only what was created with this ledger can be read or followed.",
            provider=provider.facts.name,
        )
    return Ticket(provider_id=provider_id, reference=reference)
