"""What PostgreSQL's and asyncpg's errors mean: which pass by themselves, and what to say of those at the door."""

from __future__ import annotations

import re
import ssl

import asyncpg

from tidings.errors import (
    ContendedError,
    LogUnavailableError,
    OperatorError,
    SchemaError,
    SettingError,
    StoreUnavailableError,
)

PASSING_CLASSES = frozenset(
    {
        "08",  # connection exception
        "53",  # insufficient resources: disk, memory, connections
        "58",  # system error: input or output failed
    }
)
PASSING_STATES = frozenset(
    {
        "25006",  # read only: the primary became a standby, and the next connection finds the new one
        "25P03",  # idle in transaction for too long
        "25P04",  # in a transaction for too long
        "40001",  # serialization failure
        "40003",  # statement completion unknown
        "40P01",  # deadlock
        "55P03",  # a lock was not to be had in time
        "57014",  # cancelled, by a time-out or by an operator
        "57P01",  # the server shuts down
        "57P02",  # the server crashed
        "57P03",  # the server starts up
        "57P05",  # the session was idle for too long
    }
)
_GONE = re.compile(
    r"\b(connection|pool) (is|was|has been) (closed|closing|released)\b"
    # The server's last words were read, and not yet that it hung up: asyncpg waits for more, and takes no statement.
    r"|^cannot switch to state \d+; (another operation \(2\) is in progress|protocol is in the \"failed\" state)"
)


DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""Whatever a connection may raise: the last but one when it is lost between two messages of the server."""


_WRONG_OPTIONS = (
    asyncpg.UndefinedObjectError,
    asyncpg.InvalidParameterValueError,
    asyncpg.CantChangeRuntimeParamError,
)


def is_transient(error: BaseException) -> bool:
    """Say whether the same call may succeed later: no connection, no room, no lock, no time."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        is_stale_plan = isinstance(error, asyncpg.InvalidCachedStatementError | asyncpg.OutdatedSchemaCacheError)
        return state[:2] in PASSING_CLASSES or state in PASSING_STATES or is_stale_plan
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return True  # there are only standbys: one of them may be made the primary, or the address be moved to it
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
        return _GONE.search(str(error)) is not None  # asyncpg has no class of its own for a connection that is gone
    return isinstance(error, OSError)  # TimeoutError is one


class translated:  # noqa: N801 - it reads as a function does, and is a class because it is passed at each append
    """Turn passing failures into `kind`, a deadlock in the store into ContendedError; others stay what they are."""

    __slots__ = ("_kind",)

    def __init__(self, kind: type[LogUnavailableError] | type[StoreUnavailableError]) -> None:
        self._kind = kind

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DRIVER_ERRORS) and is_transient(error):
            contended = self._kind is StoreUnavailableError and isinstance(error, asyncpg.DeadlockDetectedError)
            told = ContendedError if contended else self._kind
            raise told(f"PostgreSQL could not do it now ({described(error)}); repeat the call") from error


def described(error: BaseException) -> str:
    """Return one line about an error, also where it has no text of its own, or none that an operator understands."""
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return "every server that TIDINGS_DATABASE_URL leads to is a standby, and the log is read from the primary"
    if isinstance(error, asyncpg.InternalClientError) and is_transient(error):
        return "the connection was lost"
    return str(error).partition("\n")[0] or type(error).__name__


def not_opened(error: Exception, place: str) -> OperatorError | None:
    """Return what to tell who runs the system, if connecting failed with this; None if it says nothing about that."""
    state = getattr(error, "sqlstate", None) or ""
    if state.startswith("28"):
        return SettingError(
            f"{place} refuses the user ({described(error)}): see user and password in TIDINGS_DATABASE_URL, "
            "and the server's pg_hba.conf"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return SettingError(
            f"{place} shows a certificate that is not trusted ({described(error)}): see sslrootcert and sslmode in "
            "TIDINGS_DATABASE_URL"
        )
    if state == "3D000":
        return SettingError(
            f"{place}: {described(error)}; make it with `createdb`, or name another in TIDINGS_DATABASE_URL"
        )
    if "statement pooling mode" in str(error):
        return SettingError(
            f"{place} leads to a PgBouncer that takes no transactions: set pool_mode = transaction there"
        )
    is_command_line = state == "42601" and getattr(error, "severity_en", None) == "FATAL"  # `options` is read as one
    if is_command_line or isinstance(error, _WRONG_OPTIONS):
        return SettingError(f"{place}: {described(error)}; see what stands behind the ? in TIDINGS_DATABASE_URL")
    if state == "42501":
        return SchemaError(f"{place}: {described(error)}; have the database's owner grant it, or run as the owner")
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return StoreUnavailableError(
            f"the database {place} has no connection to spare ({described(error)}): raise max_connections, or lower "
            "TIDINGS_POSTGRES_CONNECTIONS of the processes that run"
        )
    if is_transient(error) or isinstance(error, asyncpg.ObjectNotInPrerequisiteStateError):  # it lets nobody in
        return StoreUnavailableError(
            f"the database {place} cannot be reached now ({described(error)}): see that PostgreSQL runs and may be "
            "connected to from here"
        )
    return None
