"""What every part of a session works with."""

from __future__ import annotations

from aiogen._batch.moving import Place, check_can
from aiogen._lifetime import Lifetime, Parts
from aiogen._options import CallOptions
from aiogen.providers.base import Provider
from aiogen.providers.connections import Connections
from aiogen.stores.base import Store


class SessionBase:
    """What every part of a session works with."""

    connections: Connections
    """The configured providers by connection name."""
    _store: Store
    _is_memory_by_default: bool
    _call_options: CallOptions
    _lifetime: Lifetime

    def _begin(self) -> Parts:
        """The parts, made when the first call needs them."""
        raise NotImplementedError

    async def _find(self, name: str) -> Provider:
        await self._load(name)
        return self.connections.find(name)

    async def _load(self, name: object) -> None:
        await self._open().submitting.load(name)

    async def _step(self, parts: Parts) -> None:
        """Others have their turns before it; the session may be closed then."""
        await parts.checkpoint()
        self._open()

    def _accounts(self) -> set[str]:
        return {account for provider in self.connections.values() for account in provider.accounts}

    def _open(self) -> Parts:
        return self._lifetime.open(self._begin)

    @property
    def _parts(self) -> Parts | None:
        return self._lifetime.parts

    async def _place(self, connection: str, *, lists: bool) -> Place:
        """Where generations are deleted, once it is known that they can be."""
        provider, parts = await self._find(connection), self._open()
        check_can(provider, lists=lists)
        return Place(provider=provider, hub=parts.hub, calls=parts.calls, outputs=parts.outputs)
