"""The back ends there are, by what a database's URL begins with. Only the one that is asked for is imported."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from tidings.errors import SettingError, StoreUnavailableError
from tidings.log.driver import LogDriver
from tidings.log.lives import Life
from tidings.ports import Clock, Ports
from tidings.settings import Settings
from tidings.store.driver import StoreDriver
from tidings.store.host import Host
from tidings.store.schema import Schema, Step


class BackEnd(Protocol):
    """A log and a store over one database, opened."""

    @property
    def log(self) -> LogDriver:
        """What is written."""

    @property
    def store(self) -> StoreDriver:
        """What is remembered."""

    @property
    def host(self) -> Host:
        """What both stand on."""

    async def close(self) -> None:
        """Let go of everything; twice is once."""


async def open_back_end(settings: Settings, ports: Ports) -> BackEnd:
    """Open the database of these settings, and make its tables if it has none.

    SchemaError if it belongs to another release or is none; SequenceRewoundError if its next position was used before;
    StoreUnavailableError if it cannot be opened now.
    """
    if settings.engine == "postgresql":
        from tidings.backends.postgres.opening import open_postgres

        with _files_named(settings):
            return await open_postgres(settings.database_url, ports, connections=settings.postgres_connections)
    from tidings.backends.sqlite import open_sqlite

    return open_sqlite(settings.sqlite_path, ports, synchronous=settings.sqlite_synchronous)


async def schema_of(settings: Settings) -> Schema:
    """Say how far the tables of the database are; nothing is made of it. SchemaError; StoreUnavailableError."""
    if settings.engine == "postgresql":
        from tidings.backends.postgres import migrating as on_postgres

        with _files_named(settings):
            return await on_postgres.schema_of(settings.database_url)
    from tidings.backends.sqlite import migrating as on_sqlite

    return on_sqlite.schema_of(settings.sqlite_path)


async def migrate(settings: Settings, clock: Clock, *, tell: Callable[[str], None]) -> Sequence[Step]:
    """Do the steps that the database lacks, and return them. SchemaError; StoreUnavailableError.

    `tell`: is told a sentence where it waits for somebody else on a server, once for each.
    """
    if settings.engine == "postgresql":
        from tidings.backends.postgres import migrating as on_postgres

        with _files_named(settings):
            return await on_postgres.migrate(settings.database_url, clock, tell=tell)
    from tidings.backends.sqlite import migrating as on_sqlite

    return await on_sqlite.migrate(settings.sqlite_path)


async def life_of(settings: Settings, clock: Clock) -> Life:
    """Return the log's life as it is now. RefusedError if somebody uses it; SchemaError; StoreUnavailableError."""
    if settings.engine == "postgresql":
        from tidings.backends.postgres import restoring as on_postgres

        with _files_named(settings):
            return await on_postgres.life_of(settings.database_url, clock)
    from tidings.backends.sqlite import restoring as on_sqlite

    return on_sqlite.life_of(settings.sqlite_path)


async def begin_life(settings: Settings, clock: Clock, *, who: str) -> Life:
    """Have the log, which was restored from an older copy, go on as another. Errors as `life_of`."""
    if settings.engine == "postgresql":
        from tidings.backends.postgres import restoring as on_postgres

        with _files_named(settings):
            return await on_postgres.begin_life(settings.database_url, clock, who=who)
    from tidings.backends.sqlite import restoring as on_sqlite

    return on_sqlite.begin_life(settings.sqlite_path, clock, who=who)


async def holds_log(settings: Settings) -> bool:
    """Say whether the database is there, with a log in it, of whatever release. SchemaError; StoreUnavailableError."""
    return (await schema_of(settings)).state != "none"


@contextmanager
def _files_named(settings: Settings) -> Iterator[None]:
    """SettingError with the file of TLS that could not be used, by the URL or by the driver's own variables."""
    from tidings.backends.postgres import certificates

    try:
        yield
    except StoreUnavailableError as error:
        is_of_files = isinstance(error.__cause__, certificates.OF_FILES)
        wrong = certificates.unusable(settings.database_url, os.environ) if is_of_files else None
        if wrong is None:
            raise
        raise SettingError(f"{settings.place} cannot be connected to: {wrong}") from error
