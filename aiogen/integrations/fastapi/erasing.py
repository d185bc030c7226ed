"""Everything that is kept of one scope, removed at once."""

# Annotations are read when a route is made, for some name what `router` was given: so they are not put off here.
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from aiogen._answers.asked import check_key
from aiogen.integrations.fastapi.bodies import ErasedBody
from aiogen.integrations.fastapi.sessions import SessionDep
from aiogen.integrations.fastapi.uploading import on_disk
from aiogen.integrations.uploads import Uploads
from aiogen.session import Session


async def erase(session: Session, scope: str, *, uploads: Uploads | None = None) -> ErasedBody:
    """Remove the jobs of a scope from the ledger, and its uploads; how many there were.

    What is not over stays, and is counted: cancel it, or wait, and call this again.  A key that is removed stands for a
    new job the next time, which is paid.  At the provider nothing changes: what it keeps is deleted by
    `Session.delete`, before this.

    Args:
        session: of any worker.
        scope: whose they are, as the router's dependency says it.
        uploads: as `router` was given them.

    Raises:
        InputError: the scope is empty or invalid.
        StoreError: the ledger cannot be written.
        OSError: the disk does not let go of a picture.
    """
    check_key(scope, "scope")
    pictures = await uploads.erase(scope) if uploads is not None else 0
    gone = await session.forget(scope=scope)
    return ErasedBody(generations=int(gone), running=gone.running, uploads=pictures)


def add_erasing(made: APIRouter, whose: Callable[..., Any], uploads: Uploads | None) -> None:
    """`DELETE /generations`."""

    @made.delete("/generations")
    async def erase_generations(session: SessionDep, scope: Annotated[str, Depends(whose)]) -> ErasedBody:
        """Remove everything of this scope: its generations that are over, and its uploads.

        What is not over stays, and is counted in `running`: cancel it, or wait, and ask again.
        """
        with on_disk():
            return await erase(session, scope, uploads=uploads)
