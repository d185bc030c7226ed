"""A request of aiohttp's that asks for its permit right before its bytes are written.

Apart from `permits`, which the engine imports: aiohttp is loaded only with the first session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from aiogen._transfer.permits import NotPermitted, is_permitted

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.connector import Connection


class PermittedRequest(aiohttp.ClientRequest):
    """Is sent only while its permit holds."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Write the request, over a connection that is there.

        Raises:
            NotPermitted: it may not be sent any more; nothing was written.
        """
        if not is_permitted():
            raise NotPermitted
        return await super().send(conn)

    async def write_bytes(  # pyright: ignore[reportIncompatibleMethodOverride]  # older aiohttp passes no length
        self, writer: AbstractStreamWriter, conn: Connection, *length: int | None
    ) -> None:
        """Write the headers and the body, in a task of its own, before which others may have had their turn."""
        if is_permitted():
            await super().write_bytes(writer, conn, *length)
        elif conn.protocol is not None:
            conn.protocol.set_exception(NotPermitted())  # for the task that waits for the answer, and closes it
