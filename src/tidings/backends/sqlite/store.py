"""The store on SQLite: what is remembered lies in the same file as the log, so both are kept in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from tidings.backends.sqlite import (
    answers,
    attempts,
    audit,
    census,
    commands,
    deliveries,
    endpoints,
    keys,
    leases,
    outbox,
    parked,
)
from tidings.backends.sqlite.database import Database, translated
from tidings.backends.sqlite.emits import Appender
from tidings.backends.sqlite.inline import Inline
from tidings.backends.sqlite.receipt_keys import ReceiptKeys
from tidings.backends.sqlite.receipts import Receipts
from tidings.backends.sqlite.scripts import run as run_script
from tidings.backends.sqlite.seen_run import SIZES, Sizes
from tidings.backends.sqlite.sql import Guard
from tidings.backends.sqlite.table import Table, Tables
from tidings.backends.sqlite.unit import Job, OpenUnit, SqliteSurroundings, T, at_once
from tidings.backends.sqlite.views import Views
from tidings.backends.sqlite.wal import caution_with
from tidings.errors import StoreUnavailableError
from tidings.ports import Ports
from tidings.store.claims import Checkpoint, Claim
from tidings.store.facts import StoreFacts
from tidings.store.parking import Parked
from tidings.store.rows import Key, Row, ViewRecord, ViewTable
from tidings.store.scripts.script import Script
from tidings.store.statement_store import StatementStore
from tidings.store.statements import Statements


def statements(receipts: Receipts) -> Statements[sqlite3.Connection, int]:
    """Return what is written, where these receipts are."""
    return Statements(
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


UNIT_SECONDS = 0.020
"""Whoever writes waits for a unit's end."""


class SqliteStore(StatementStore[sqlite3.Connection, int]):
    """Without a `log` of the same database, emitted envelopes are staged."""

    _database: Database
    _around: SqliteSurroundings

    def __init__(self, database: Database, ports: Ports, *, log: Appender | None = None, sizes: Sizes = SIZES) -> None:
        tables: Tables = cache(Table)
        views = Views(tables)
        inline = Inline(views)
        keys = ReceiptKeys(database.keys, lambda: database.transactions, newest_max=sizes.receipts)
        database.on_commit.append(keys.committed)
        around = SqliteSurroundings(
            ports=ports,
            now=ports.clock.now_us,
            statements=statements(Receipts(keys)),
            tables=tables,
            log=log,
            inline=inline,
            guard=Guard(),
        )
        facts = StoreFacts(
            name="sqlite",
            partitions=1,
            unit_seconds=UNIT_SECONDS,
            shares_transaction_with_log=log is not None,
            engine=f"SQLite {sqlite3.sqlite_version}",
            caution=caution_with(sqlite3.sqlite_version_info),
        )
        super().__init__(facts, database, around, views=views, inline=inline)

    async def _transacted(self, job: Job[T]) -> T:
        with translated(StoreUnavailableError):
            return await self._database.job(at_once(job))

    async def _single(self, job: Job[T]) -> T:
        return await self._transacted(job)

    async def _seen(self, job: Job[T]) -> T:
        with translated(StoreUnavailableError):
            return await self._database.read(at_once(job))

    async def _peek(self, job: Job[T]) -> T:
        """Read what touches a few pages."""
        if self._joined is not None:
            return await self._joined.run(job)
        self._check_open()
        with translated(StoreUnavailableError):
            return await self._database.peek(at_once(job))

    def _open(self, claims: Sequence[Claim]) -> OpenUnit:
        return OpenUnit(self._database, self._around, claims)

    async def checkpoints(self, consumer: str) -> Mapping[int, Checkpoint]:
        return await self._peek(lambda of: leases.checkpoints(of, consumer))

    async def parked(self, consumer: str | None = None) -> Sequence[Parked]:
        if not await self._peek(lambda of: parked.is_any(of, consumer)):
            return []
        return await super().parked(consumer)

    async def _glance(self, script: Script[T]) -> T:
        return await self._peek(lambda of: run_script(of, script))

    async def views(self) -> Sequence[ViewRecord]:
        return await self._peek(self._views.all)

    async def select(
        self, view: ViewTable, *, equal: Mapping[str, Any], after: Key | None, limit: int
    ) -> Sequence[Row]:
        table = self._around.tables(view)
        read = self._peek if table.has_key(equal) else self._read
        return await read(lambda of: table.select(of, equal, after=after, limit=limit))
