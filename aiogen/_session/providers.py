"""Single calls: one reading, one list, one delete, the account, its models and prices."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing, suppress
from uuid import UUID

from aiogen._answers import snapshots
from aiogen._checks import check_given_id, check_number
from aiogen._jobs.requests import AnyRequest, each_cost
from aiogen._session.base import SessionBase
from aiogen.catalogue import ModelInfo
from aiogen.costs import Costs
from aiogen.errors import StoreError
from aiogen.models import AccountInfo, Generation

_ROWS_AT_ONCE = 20
"""Generations of a list in one turn of the loop."""


class ProviderCalls(SessionBase):
    """Single calls: one reading, one list, one delete, the account, its models and prices."""

    async def get(self, connection: str, provider_id: str | UUID) -> Generation:
        """Read a generation once, as it is now; a failed one is returned, not raised.

        What is likely to pass (429, 5xx, no answer) is tried again: `read_attempts` in all, within `call_timeout`.

        Args:
            connection: the connection that it was made over.
            provider_id: the vendor's id.

        Raises:
            NotFound: the provider does not know it.
            InputError: the id is empty or cannot be an id.
            ConfigurationError: there is no such connection.
            AuthenticationError: the key does not work.
            RateLimited, ProviderError, NetworkError, ProtocolError: there is no usable answer after the last attempt.
            SessionClosed: the session was closed meanwhile.
        """
        provider = await self._find(connection)
        return await self._open().calls.get(provider, check_given_id(provider_id))

    async def list(
        self, connection: str, *, user_id: str | UUID | None = None, limit: int | None = None
    ) -> AsyncIterator[Generation]:
        """The user's generations, page by page, in the provider's order (Leonardo: newest first, undocumented).

        Each one that was there at the start comes once, also if generations are deleted or made meanwhile, here or by
        other programs.  A row that cannot be read is left out with a warning in the log.

        Args:
            connection: one whose provider can list (Leonardo; Luma has no such call).
            user_id: whose; by default the owner of the key, who is looked up once.
            limit: stop after this number, 1 to 1,000,000; by default after the last.

        Raises:
            Unsupported: the provider has no such call.
            InputError: the user's id cannot be an id, or the limit is out of its range.
            ConfigurationError: there is no such connection.
            ProtocolError: no row of the first page can be read, or the list changes faster than it can be read.
        """
        provider = await self._find(connection)
        if user_id is not None:
            user_id = check_given_id(user_id, "User")
        if limit is not None:
            check_number(limit, "limit", 1, 1_000_000)
        parts = self._open()
        count = 0
        async with aclosing(parts.calls.pages(provider, user_id)) as pages:
            async for page in pages:
                for snapshot in page:
                    yield snapshots.looked_up(provider, snapshot, at=parts.clock.datetime())
                    count += 1
                    if count == limit:
                        return
                    if count % _ROWS_AT_ONCE == 0:
                        await asyncio.sleep(0)  # a vendor may send thousands on one page

    async def delete(self, connection: str, provider_id: str | UUID, *, missing_ok: bool = False) -> bool:
        """Delete a generation at the provider, with its images; True if it was there.

        This is not a cancel: no vendor documents whether it stops a running generation.

        Args:
            connection: the connection that it was made over.
            provider_id: the vendor's id.
            missing_ok: return False for a generation that is not there, instead of raising `NotFound`.

        Raises:
            InputError: the id is empty or cannot be an id.
            ConfigurationError: there is no such connection.
            NotFound: it is not there (any more), unless `missing_ok`.
            Unsupported: the provider has no such call (Luma).
        """
        provider = await self._find(connection)
        return await self._open().calls.delete(provider, check_given_id(provider_id), missing_ok=missing_ok)

    async def account(self, connection: str) -> AccountInfo:
        """Who the key belongs to, and what the session allows itself; the cheapest proof that a key works.

        Args:
            connection: the connection whose key is meant.

        Raises:
            ConfigurationError: there is no such connection.
            NetworkError, ProviderError: there is no answer after the last attempt.
            AuthenticationError: the key does not work.
        """
        provider = await self._find(connection)
        return await self._open().calls.account(provider)

    async def models(self, connection: str) -> builtins.list[ModelInfo]:
        """The models of a connection, and what is known of each: its parameters, its price, how long it takes.

        The duration is what was learned here, if this session or an earlier one on the same ledger has used the model.
        Models come and go: one that is not listed may work all the same.

        Args:
            connection: the connection whose models are meant.

        Raises:
            ConfigurationError: there is no such connection.
            Unsupported: the provider file has no list of models.
            AuthenticationError: the key does not work, where the vendor has to be asked.
        """
        provider = await self._find(connection)
        parts = self._open()
        found = await parts.calls.models(provider)
        with suppress(StoreError):  # then only what was learned is not known
            await parts.hub.ledger.ready()
        return [await parts.hub.learned.described(provider, info) for info in found]

    async def estimate(self, requests: AnyRequest | Iterable[AnyRequest]) -> Costs:
        """What requests would cost together, as far as that is known; nothing is made, and nothing charged.

        By the vendor's published prices (Luma), or by its own calculator (Leonardo's older models).  Requests whose
        price is not known before they are accepted (most models of Leonardo) are counted apart.

        Args:
            requests: one, or any number: each a typed request, `("luma/uni-1", "a boat")`, perhaps with a mapping of
                parameters as third, or `{"model": "luma/uni-1", "prompt": "a boat", …}`.

        Raises:
            InputError: a request is not valid.
            ConfigurationError: there is no such connection.
        """
        parts = self._open()
        single = isinstance(requests, tuple | Mapping) or hasattr(requests, "references")
        each: Iterable[object] = [requests] if single else requests  # type: ignore[assignment]
        costs = each_cost(parts.hub, parts.calls, self.connections, each)
        return Costs.of([cost async for cost in costs])
