"""Whose request it is, and the jobs that are theirs."""

# Annotations are read when a dependency is made, for one names what `owner_of` was given: so they are not put off here.
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import Depends

from aiogen._answers.asked import LONGEST_KEY
from aiogen._checks import own_id
from aiogen._jobs.keyed import Key, KeyedJobs
from aiogen.errors import ConfigurationError
from aiogen.integrations.fastapi.bodies import Seen, is_expired
from aiogen.integrations.fastapi.learned import learned_by
from aiogen.integrations.fastapi.problems import Refused
from aiogen.providers.base import Provider, TypedRequest
from aiogen.session import Session
from aiogen.stores.base import RecordQuery


def owner_of(scope: Any) -> Callable[..., Any]:
    """The dependency that gives the scope; a value that cannot be a scope is refused with 403."""
    if scope is None:

        async def everybody() -> str:
            return ""

        return everybody

    async def checked(found: Annotated[Any, Depends(scope)]) -> str:
        if not isinstance(found, str) or not 1 <= len(found) <= 256 or not found.isprintable():
            raise Refused(403, "forbidden", "It is not known whose request this is.")
        return found

    return checked


async def find(session: Session, scope: str, job_id: str) -> Seen:
    """A job of this scope.

    Raises:
        Refused: there is none; 404 also for another scope's.
        StoreError: the ledger cannot be read.
    """
    # Without the request, which may hold megabytes of pictures.
    query = RecordQuery(ids=[own_id(job_id)] if job_id.isprintable() else [], limit=1)
    record = next(iter(await session.store.find(query)), None)
    if record is None or record.scope != scope:
        raise Refused(404, "not_found", "There is no such generation.")
    if is_expired(record):  # taken up again it would be another job than the one under this id
        return Seen(record)
    learned, again = learned_by(session), partial(find, session, scope, job_id)
    try:
        return Seen(record, await session.job(record.id), learned, again)
    except ConfigurationError:  # made with a key that this session does not have: the ledger's record is shown
        return Seen(record, None, learned, again)


async def expired_job(
    session: Session, scope: str, key: str | None, provider: Provider, request: TypedRequest
) -> str | None:
    """The id of the job of a key of which nothing else is kept; `session.submit` would ask the provider for it again.

    Raises:
        KeyReused: it stands for another request.
        StoreError: the ledger cannot be read.
    """
    if key is None:
        return None
    record = await session.store.latest(scope, key)
    if record is None or not is_expired(record):
        return None
    prepared = await session._open().submitting.prepare(provider, request, is_keyed=True)
    KeyedJobs.check(Key(key=key, scope=scope, asked=prepared.asked or ""), record)
    return record.id


def check_key_header(headers: Sequence[str]) -> None:
    """The `Idempotency-Key` of a request: servers read what is no ASCII as something else.

    Raises:
        Refused: there are several, or it is no key.
    """
    if len(headers) > 1:
        raise Refused(422, "invalid_request", "A request has one Idempotency-Key.")
    for key in headers:
        if not (1 <= len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
            said = f"An Idempotency-Key has 1 to {LONGEST_KEY} printable ASCII characters."
            raise Refused(422, "invalid_request", said)
