"""What can go wrong with a database, in words that say what helps; never with a password in them."""

from __future__ import annotations

import asyncpg

from aiogen.errors import StoreError
from aiogen.models import Action

_READ_ONLY = (asyncpg.ReadOnlySQLTransactionError,)
"""Also what a standby says of everything that cannot be done during recovery."""
_AWAY = (
    *_READ_ONLY,
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.TooManyConnectionsError,
)
CONFLICTS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""Two transactions were in each other's way, and this one was undone: done again it succeeds."""
_POOLED = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)
"""Statements that were prepared in a session which is somebody else's by now."""
_RIGHTS = (asyncpg.InsufficientPrivilegeError,)
_MISSING = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.InvalidSchemaNameError)
_WRONG = (asyncpg.exceptions.ClientConfigurationError,)
_LOGIN = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError)


def is_away(error: BaseException) -> bool:
    """The server cannot be reached, or cannot serve now: worth trying again, whatever was asked."""
    return isinstance(error, _AWAY) and not isinstance(error, ValueError)  # which is a value that cannot be sent


def is_read_only(error: BaseException) -> bool:
    """The server that this connection leads to only reads, as a former primary does: nothing was written there.

    Another connection may lead to the one that has taken over.
    """
    return isinstance(error, _READ_ONLY)


def is_of_a_value(error: BaseException) -> bool:
    """A value that cannot be kept, and is quoted: it may be a prompt."""
    return isinstance(error, ValueError | asyncpg.DataError)


def store_error(error: BaseException, place: str, verb: str) -> StoreError:
    """The error for what went wrong, with what helps."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, asyncpg.ForeignKeyViolationError):
        return StoreError(
            f"This process could not reach the ledger {place} for longer than its lease, and gets a new one in a "
            "moment; nothing was written.",
            action=Action.RETRY,
            retryable=True,
        )
    retryable = is_away(error) or isinstance(error, CONFLICTS)
    if not isinstance(error, (*_AWAY, asyncpg.PostgresError, ValueError)):
        return StoreError(f"The ledger {place} contains something that this version cannot read: {error!r}")
    said = _said(error)
    return StoreError(
        f"The ledger {place} could not be {verb}: {said.rstrip('.')}. {_what_helps(error, verb)}",
        action=Action.WAIT if retryable else Action.GIVE_UP,
        retryable=retryable,
    )


def _said(error: BaseException) -> str:
    """Without details, in which there may be a whole row."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if is_of_a_value(error) and not isinstance(error, _WRONG):
        return "a text contains characters that the database cannot keep"
    return str(error).partition("\n")[0] or type(error).__name__


def _what_helps(error: BaseException, verb: str) -> str:
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return "The server has no connection left: allow more (max_connections), or put a pooler before it."
    if isinstance(error, _WRONG):
        return "Look at what stands behind the ? of the url."
    if isinstance(error, _LOGIN):
        return "Check the user and the password."
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return "Create the database first."
    if isinstance(error, _RIGHTS):
        return (
            "Grant this user the right to read and write the tables, and to create them, unless they are created with "
            "the output of: aiogen db sql"
        )
    if isinstance(error, _POOLED):
        return "A pooler before the server shares its sessions: put ?statement_cache_size=0 behind the url."
    if isinstance(error, _MISSING):
        return "Its tables are not all there, or were not made by aiogen."
    if isinstance(error, asyncpg.DiskFullError):
        return "The server's disk is full; free some space."
    if is_read_only(error):
        return (
            "The server is read-only: it may be a standby, or a primary that another one has replaced. aiogen connects "
            "again at each try; if it stays so, use the address of the primary, or name all servers and put "
            "?target_session_attrs=read-write behind the url."
        )
    if isinstance(error, TimeoutError) and verb == "opened":
        return (
            "Check the host and the port, and that the server runs: what listens there does not answer as PostgreSQL "
            "does, or a firewall lets nothing through."
        )
    if is_away(error):
        again = "" if verb == "opened" else "; aiogen tries again"
        return f"Check that the server runs and can be reached from here{again}."
    return "Nothing was sent."
