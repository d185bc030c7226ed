"""Reading the files that a request refers to, off the event loop and before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aiogen._answers.asked import fingerprint
from aiogen._transfer.threads import Threads
from aiogen.errors import InputError
from aiogen.exchange import Submission
from aiogen.providers.base import Provider
from aiogen.references import Reference


def _read(path: Path, limit: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > limit:
            raise InputError(
                f"The reference {str(path)!r} has {size:,} bytes; the provider accepts at most {limit:,}. Make it "
                "smaller."
            )
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"The reference {str(path)!r} cannot be read: {error.strerror or error}. "
            "Pass the path of a readable file, an https url, or bytes."
        ) from None


async def load(references: Iterable[Reference], limit: int, threads: Threads) -> dict[Path, Reference]:
    """The local files among the references, read: path to a reference that holds its bytes.

    Raises:
        InputError: a file cannot be read, is larger than `limit` bytes, or is no known image type and none was given.
    """
    kinds = {r.path: r.media_type for r in references if r.path is not None}
    contents = [await threads.run(_read, path, limit) for path in kinds]
    read = zip(kinds.items(), contents, strict=True)
    return {path: Reference(data=data, media_type=kind) for (path, kind), data in read}


async def encode(
    provider: Provider, request: Any, threads: Threads, *, is_keyed: bool = False
) -> tuple[Submission, str | None]:
    """What the create will say, with local files read and images written as the vendor wants them.

    Also the fingerprint of what was asked for, if it will have a key.

    Raises:
        InputError: a file cannot be read, or a value is not valid.
    """
    references = list(request.references())
    if any(r.path is not None for r in references):
        request = request.with_files(await load(references, provider.facts.max_reference_bytes, threads))
    if any(r.data is not None or r.path is not None for r in references):
        return await threads.run(_encoded, provider, request, is_keyed)  # megabytes would hold up the loop
    return _encoded(provider, request, is_keyed)


def _encoded(provider: Provider, request: Any, is_keyed: bool) -> tuple[Submission, str | None]:
    return provider.encode(request), fingerprint(provider.facts.name, request) if is_keyed else None
