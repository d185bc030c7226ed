"""The bytes of one output, from a url to a file that is not whole yet: one attempt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from yarl import URL

from aiogen._content.entity import Entity, Mismatch, Verdict, verdict
from aiogen._safety.address import Refused
from aiogen._transfer.guard import holding_to
from aiogen._transfer.parts import Part, TooLarge
from aiogen._transfer.source import Broken, Expired, Source
from aiogen._transfer.transport import USER_AGENT, Transport
from aiogen.errors import AiogenError, DownloadError
from aiogen.models import Action
from aiogen.providers.reading import retry_after

_BLOCK = 256 * 1024
_STALL = 60.0
"""Seconds without a byte after which a connection counts as broken."""
_MAX_REDIRECTS = 5


class Receiver:
    """Takes bytes off the network, for all downloads of a session."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def receive(self, part: Part, entity: Entity, address: str, source: Source) -> None:
        """One attempt: follow the address to its bytes, and write them."""
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **entity.request_headers()}
        timeout = aiohttp.ClientTimeout(total=None, connect=30.0, sock_read=_STALL)
        try:
            url = source.policy.url(address)
            if source.turn is not None:
                await source.turn()
            for _ in range(_MAX_REDIRECTS + 1):
                with holding_to(source.policy, url):
                    async with self._transport.clients.storage.get(
                        url,
                        headers={**headers, **source.headers_for(str(url))},
                        timeout=timeout,
                        allow_redirects=False,  # each hop is judged, and asked for in the bytes that were signed
                        auto_decompress=False,  # what is counted is what travels
                        raise_for_status=False,
                    ) as answer:
                        if verdict(answer.status) is not Verdict.MOVED:
                            await self._take(part, entity, answer, source)
                            return
                        url = _next_hop(answer, url, source)
        except AiogenError:
            raise
        except Refused as error:
            raise _refused("The provider gave an output url", error, source) from error
        except (aiohttp.ClientError, OSError, RuntimeError, ValueError) as error:
            # aiohttp raises some of its own errors bare, such as RuntimeError for invalid chunks.
            raise Broken(f"the connection broke after {entity.size:,} bytes ({type(error).__name__})") from error
        raise DownloadError("The storage redirects endlessly.", **source.context())

    async def _take(self, part: Part, entity: Entity, answer: aiohttp.ClientResponse, source: Source) -> None:
        """Take the bytes of an answer, which complete the file."""
        self._look_at_status(entity, answer, source)
        try:
            if not entity.begin(answer.status, answer.headers):
                part.begin(packed=entity.is_gzip)
            if (entity.total or 0) > part.max_bytes:
                raise TooLarge
            async for block in answer.content.iter_chunked(_BLOCK):
                entity.add(len(block))
                with self._on_disk(source):
                    await self._transport.threads.run(part.write, block)
            if entity.is_short:
                raise Broken(f"the storage sent {entity.size:,} of {entity.total:,} bytes")
            await self._transport.threads.run(part.finish)
            entity.check_end(ended=part.walk.ended)
            _check_whole(part)
        except Mismatch as error:
            entity.forget()
            raise Broken(str(error)) from error
        except TooLarge as error:
            answer.close()
            raise _too_large(part, source) from error

    async def write(self, part: Part, data: bytes, source: Source) -> None:
        """Bytes that the vendor has sent itself: there is nothing to fetch.

        Raises:
            DownloadError: they are too many, are no whole file, or cannot be written.
        """
        try:
            with self._on_disk(source):
                await self._transport.threads.run(part.write, data)
            await self._transport.threads.run(part.finish)
            _check_whole(part)
        except Mismatch as error:
            name = source.generation.provider_id
            raise DownloadError(
                f"An output of generation {name} cannot be saved: {error}.", **source.context()
            ) from error
        except TooLarge as error:
            raise _too_large(part, source) from error

    def _look_at_status(self, entity: Entity, answer: aiohttp.ClientResponse, source: Source) -> None:
        status = answer.status
        match verdict(status):
            case Verdict.EXPIRED:
                raise Expired(status)
            case Verdict.CHANGED:
                entity.forget()
                raise Broken("the file has changed in the meantime")
            case Verdict.BUSY:
                wait = retry_after(answer.headers, self._transport.clock.wall())
                raise Broken(f"the storage answered HTTP {status}", wait)
            case Verdict.REFUSED:
                raise DownloadError(
                    f"The storage answered HTTP {status} for an output of generation {source.generation.provider_id}.",
                    status=status,
                    **source.context(),
                )

    @staticmethod
    @contextmanager
    def _on_disk(source: Source) -> Iterator[None]:
        """What the disk refuses is no failure of the connection: another attempt does not help."""
        try:
            yield
        except OSError as error:
            raise DownloadError(
                f"An output of generation {source.generation.provider_id} cannot be written: "
                f"{error.strerror or error}.",
                **source.context(),
            ) from error


def _too_large(part: Part, source: Source) -> DownloadError:
    return DownloadError(
        f"An output is larger than {part.max_bytes:,} bytes; it was not saved. "
        "Allow more with Session(max_download_bytes=…).",
        action=Action.GIVE_UP,
        **source.context(),
    )


def _check_whole(part: Part) -> None:
    """What has come is a picture up to its end, as far as its format has one.

    Raises:
        Mismatch: its end is missing.
    """
    walk = part.walk
    if walk.ends and not walk.ended:
        raise Mismatch(f"the picture is incomplete: {walk.broken or 'its end is missing'}")


def _next_hop(answer: aiohttp.ClientResponse, url: URL, source: Source) -> URL:
    """Where the storage redirects to, if that may be fetched."""
    location = answer.headers.get("Location")
    if location is None:
        raise DownloadError(
            f"The storage redirects (HTTP {answer.status}) without saying where to.",
            status=answer.status,
            **source.context(),
        )
    try:
        return source.policy.url(location, url)
    except Refused as error:
        raise _refused(f"The storage redirects (HTTP {answer.status}) to an address", error, source) from error


def _refused(what: str, error: Refused, source: Source) -> DownloadError:
    return DownloadError(f"{what} that {error}; it was not fetched.", action=Action.GIVE_UP, **source.context())
