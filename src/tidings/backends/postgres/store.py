"""The store on PostgreSQL: what is remembered lies beside the log, so both are kept in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import cache
from math import inf

import asyncpg

from tidings.backends.postgres import (
    answers,
    attempts,
    audit,
    census,
    commands,
    deliveries,
    endpoints,
    halted,
    keys,
    leases,
    locks,
    outbox,
    parked,
    receipts,
)
from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.database import Database
from tidings.backends.postgres.emits import Appender
from tidings.backends.postgres.failures import DRIVER_ERRORS
from tidings.backends.postgres.inline import Inline
from tidings.backends.postgres.sql import Guard
from tidings.backends.postgres.table import Table, Tables
from tidings.backends.postgres.unit import Job, OpenUnit, PostgresSurroundings, T, awaiting, told
from tidings.backends.postgres.views import Views
from tidings.errors import StoreUnavailableError
from tidings.ports import Ports
from tidings.store.claims import Checkpoint, Claim
from tidings.store.facts import StoreFacts
from tidings.store.rows import ViewRecord
from tidings.store.statement_store import StatementStore
from tidings.store.statements import Statements

PARTITIONS = 16
UNIT_SECONDS = 0.050
"""Nobody waits for a unit but for rows that it has locked."""
WATCHES = 3
"""For so many looks, from when leases that ran out were taken over, those are watched who may have stopped in a unit:
two tell who stands still, if each comes late. Leases are renewed meanwhile, which is when it is looked."""
STATEMENTS: Statements[Connection, int | None] = Statements(
    leases=leases,
    parked=parked,
    deliveries=deliveries,
    endpoints=endpoints,
    receipts=receipts,
    census=census,
    attempts=attempts,
    audit=audit,
    keys=keys,
    answers=answers,
    commands=commands,
    outbox=outbox,
)


def by_the_database() -> None:
    """What `PostgresStore` is given where the database says what time it is."""
    return


class PostgresStore(StatementStore[Connection, int | None]):
    """Without a `log` of the same database, emitted envelopes are staged.

    `now`: what time it is for leases, in µs since 1970. It is the database's, since the clocks of machines differ.
    """

    _database: Database
    _around: PostgresSurroundings
    _log: Appender | None

    def __init__(
        self,
        database: Database,
        ports: Ports,
        *,
        log: Appender | None = None,
        now: Callable[[], int | None] = by_the_database,
    ) -> None:
        tables: Tables = cache(Table)
        views = Views(tables)
        inline = Inline(views)
        around = PostgresSurroundings(
            ports=ports,
            now=now,
            statements=STATEMENTS,
            tables=tables,
            log=log,
            inline=inline,
            guard=Guard(),
            cleared=database.cleared,
        )
        facts = StoreFacts(
            name="postgres",
            partitions=PARTITIONS,
            unit_seconds=UNIT_SECONDS,
            shares_transaction_with_log=log is not None,
            takes_staged=True,
            engine=database.server.engine,
            caution=database.server.caution,
        )
        super().__init__(facts, database, around, views=views, inline=inline)
        self._makers = halted.Watch(halted.MAKERS)
        self._watched_until = -inf

    async def _transacted(self, job: Job[T]) -> T:
        with told():
            async with self._database.transaction() as connection:
                return await awaiting(job)(connection)

    async def _single(self, job: Job[T]) -> T:
        return await self._seen(job)  # one statement is a transaction by itself

    async def _seen(self, job: Job[T]) -> T:
        with told():
            async with self._database.connection() as connection:
                return await awaiting(job)(connection)

    def _open(self, claims: Sequence[Claim]) -> OpenUnit:
        return OpenUnit(self._database, self._around, claims)

    async def claim(self, consumer: str, *, owner: str, want: int, ttl: timedelta) -> Sequence[Claim]:
        claims = await super().claim(consumer, owner=owner, want=want, ttl=ttl)
        if any(claim.expired for claim in claims):
            self._watched_until = self._clock.monotonic() + WATCHES * halted.APART_SECONDS
        return claims

    async def renew(self, claims: Sequence[Claim], *, ttl: timedelta) -> Sequence[Claim]:
        renewed = await super().renew(claims, ttl=ttl)
        now = self._clock.monotonic()
        if now < self._watched_until and not self._database.inside_unit:
            with suppress(*DRIVER_ERRORS):
                async with self._database.connection() as connection:
                    await self._makers.look(connection, now)
        return renewed

    async def checkpoints(self, consumer: str) -> Mapping[int, Checkpoint]:
        now, here = self._around.now(), self._clock.now_us()
        return await self._read(lambda of: leases.checkpoints(of, consumer, now=now, here=here))

    async def create_view(self, record: ViewRecord) -> None:
        await super().create_view(record)
        if record.mode == "inline" and self._joined is None:
            await self._drain()

    async def swap_view(
        self,
        record: ViewRecord,
        *,
        consumer: str,
        replaced_consumer: str | None,
        who: str = "",
        accepts_parked: bool = False,
    ) -> bool:
        try:
            return await super().swap_view(
                record, consumer=consumer, replaced_consumer=replaced_consumer, who=who, accepts_parked=accepts_parked
            )
        except StoreUnavailableError as error:
            if self._joined is None and _waited_in_vain(error):
                return False  # somebody is at what is to be taken away, and the swap gives way
            raise

    async def _drain(self) -> None:
        """Wait until every append has ended that may not know of the table: they began before it was committed.

        Appends that come meanwhile wait behind this one, so it gives way to them again and again.
        """
        while not await self._is_drained():
            pass

    async def _is_drained(self) -> bool:
        try:
            self._check()
            with told():
                async with self._database.transaction() as connection:
                    await locks.alone(connection, locks.ORDER, seconds=locks.DRAIN_SECONDS)
        except StoreUnavailableError as error:
            if _waited_in_vain(error):
                return False
            raise
        return True


def _waited_in_vain(error: StoreUnavailableError) -> bool:
    return isinstance(error.__cause__, asyncpg.LockNotAvailableError)
