"""Which errors of the driver pass by themselves, and what is said of those that come when connecting."""

from __future__ import annotations

import ssl
from typing import Any

import asyncpg
import pytest

from tidings.backends.postgres.database import open_database
from tidings.backends.postgres.failures import is_transient, not_opened, translated
from tidings.errors import LogUnavailableError, SchemaError, SettingError, StoreUnavailableError

PASSING = [
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.AdminShutdownError("terminating connection"),
    asyncpg.CrashShutdownError("crash of another server process"),
    asyncpg.TooManyConnectionsError("too many clients"),
    asyncpg.DiskFullError("no space left"),
    asyncpg.SerializationError("could not serialize"),
    asyncpg.DeadlockDetectedError("deadlock"),
    asyncpg.LockNotAvailableError("lock timeout"),
    asyncpg.QueryCanceledError("statement timeout"),
    asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT"),
    asyncpg.IdleInTransactionSessionTimeoutError("idle"),
    asyncpg.TransactionTimeoutError("terminating connection due to transaction timeout"),
    asyncpg.InvalidCachedStatementError("cached plan must not change result type"),
    asyncpg.PostgresIOError("could not write"),
    asyncpg.InterfaceError("cannot perform operation: connection is closed"),
    asyncpg.InterfaceError("pool is closing"),
    asyncpg.InterfaceError("cannot call Connection.fetch(): connection has been released back to the pool"),
    asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress"),
    ConnectionRefusedError(111, "Connect call failed"),
    TimeoutError(),
]
STAYING = [
    asyncpg.UniqueViolationError("duplicate key"),
    asyncpg.UndefinedTableError("no such table"),
    asyncpg.PostgresSyntaxError("syntax error"),
    asyncpg.DataError("invalid input"),
    asyncpg.InFailedSQLTransactionError("current transaction is aborted"),
    asyncpg.InsufficientPrivilegeError("permission denied"),
    asyncpg.InternalServerError("cache lookup failed"),
    asyncpg.InterfaceError("the server expects 2 arguments for this query, 1 was passed"),
    asyncpg.InterfaceError("cannot perform operation: another operation is in progress"),
    asyncpg.InternalClientError("cannot switch to state 12; another operation (11) is in progress"),
    ZeroDivisionError(),
]


@pytest.mark.parametrize("error", PASSING, ids=repr)
@pytest.mark.parametrize("kind", [LogUnavailableError, StoreUnavailableError])
def test_a_passing_failure_becomes_ours_and_says_to_repeat(
    error: Exception, kind: type[LogUnavailableError] | type[StoreUnavailableError]
) -> None:
    with pytest.raises(kind, match=r"could not do it now \(.+\); repeat the call") as told, translated(kind):
        raise error
    assert told.value.__cause__ is error


@pytest.mark.parametrize("number", [11, 12])
def test_a_connection_that_was_lost_is_told_as_that_and_not_by_states_of_the_driver(number: int) -> None:
    error = asyncpg.InternalClientError(f"cannot switch to state {number}; another operation (2) is in progress")
    said = r"now \(the connection was lost\); repeat the call"
    with pytest.raises(LogUnavailableError, match=said), translated(LogUnavailableError):
        raise error


@pytest.mark.parametrize("error", STAYING, ids=repr)
def test_any_other_error_stays_what_it_is(error: Exception) -> None:
    assert not is_transient(error)
    with pytest.raises(type(error)) as told, translated(LogUnavailableError):
        raise error
    assert told.value is error


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (asyncpg.InvalidPasswordError("password authentication failed"), SettingError, "user and password in TIDINGS"),
        (asyncpg.InvalidAuthorizationSpecificationError("no pg_hba.conf entry"), SettingError, "pg_hba.conf"),
        (asyncpg.InvalidCatalogNameError('database "shop" does not exist'), SettingError, "`createdb`"),
        (asyncpg.InsufficientPrivilegeError("permission denied for schema"), SchemaError, "run as the owner"),
        (ConnectionRefusedError(111, "refused"), StoreUnavailableError, "see that PostgreSQL runs"),
        (TimeoutError(), StoreUnavailableError, "TimeoutError"),
        (asyncpg.TooManyConnectionsError("too many clients"), StoreUnavailableError, "raise max_connections, or lower"),
    ],
    ids=repr,
)
def test_what_goes_wrong_when_connecting_is_told_to_who_can_mend_it(
    error: Exception, kind: type[Exception], said: str
) -> None:
    told = not_opened(error, "postgresql://db/shop")
    assert type(told) is kind
    assert said in str(told)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), "certificate that is not trusted .*sslrootcert"),
        (asyncpg.ClientConfigurationError('root certificate file "/r.crt" does not exist'), "/r.crt"),
        (asyncpg.ClientConfigurationError("`sslmode` parameter must be one of: disable"), "one of: disable"),
        (asyncpg.ClientConfigurationError("invalid DSN: s3cret"), "must be postgresql://USER"),
        (ValueError("invalid port: s3cret"), "must be postgresql://USER"),
    ],
    ids=repr,
)
async def test_what_the_driver_makes_of_a_wrong_url_is_told_without_what_may_be_a_password(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    async def refused(*_: object, **__: object) -> Any:
        raise error

    monkeypatch.setattr(asyncpg, "connect", refused)
    with pytest.raises(SettingError, match=said) as told:
        await open_database("postgresql://db/shop")
    assert "s3cret" not in str(told.value)


def test_options_that_are_no_command_line_are_a_matter_of_the_url() -> None:
    error = asyncpg.PostgresSyntaxError("-c nope requires a value")
    assert not_opened(error, "postgresql://db/shop") is None  # a statement of ours
    error.severity_en = "FATAL"
    told = not_opened(error, "postgresql://db/shop")
    assert type(told) is SettingError
    assert "see what stands behind the ? in TIDINGS_DATABASE_URL" in str(told)


def test_a_fault_of_ours_is_not_blamed_on_who_runs_it() -> None:
    assert not_opened(asyncpg.UndefinedTableError("no such table"), "postgresql://db/shop") is None
