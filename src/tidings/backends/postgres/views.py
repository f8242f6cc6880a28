"""Which tables of views there are, in which state, and how one takes the place of another.

Tables lie in a schema of their service; the SQL view that people read, `service_view`, in the schema that comes first
for the user of the database, so that the same statement reads it on every back end.
"""

from __future__ import annotations

import logging

import asyncpg

from tidings.backends.postgres import audit, leases, locks, parked
from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.table import Table, Tables
from tidings.errors import RefusedError
from tidings.store.rows import ViewRecord
from tidings.store.swapping import (
    Swap,
    built,
    current_of,
    is_behind,
    is_to_be_made,
    of_view,
    same_name,
    stamps_of,
    to_be_removed,
    version_of,
)
from tidings.store.view_notes import ViewNotes, columns_of

# Not to_regclass and its like: they answer from a cache that need not know what another process has just committed.
_HAS_SCHEMA = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)"
_HAS_TABLE = (
    "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = ANY ($1::text[]) AND c.relname = $2)"
)
# By what it shows: its name alone may be that of somebody else's.
_PUBLISHED_IN = """
SELECT s.nspname::text FROM pg_class v JOIN pg_namespace s ON s.oid = v.relnamespace
WHERE v.relkind = 'v' AND v.relname = $1 AND EXISTS (
  SELECT FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
  JOIN pg_class t ON d.refclassid = 'pg_class'::regclass AND t.oid = d.refobjid
  JOIN pg_namespace o ON o.oid = t.relnamespace
  WHERE r.ev_class = v.oid AND o.nspname = $2 AND t.relname ~ ('^' || $3 || '__v[0-9]+$'))
ORDER BY v.oid
"""
_MAKES_NO_LONGER = (asyncpg.InvalidTableDefinitionError, asyncpg.WrongObjectTypeError)

_log = logging.getLogger("tidings.postgres")


class Views:
    """The notes of all tables of views, and the statements that make and remove the tables.

    Whoever changes something waits for whoever else does.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._notes = ViewNotes()

    async def all(self, connection: Connection) -> list[ViewRecord]:
        rows = await connection.fetch("SELECT spec, state FROM tidings.view ORDER BY service, name, version")
        return self._notes.records_of(rows)

    async def create(self, connection: Connection, record: ViewRecord) -> None:
        """Make the table. If it is there from the same record, nothing is done; RefusedError if from another."""
        await locks.alone(connection, locks.MAKING)
        records = await self.all(connection)
        if not is_to_be_made(records, record):
            return
        table = self._tables(record.table)
        await _refuse_taken_names(connection, table, is_known=bool(of_view(records, record.table)))
        if not await connection.fetchval(_HAS_SCHEMA, record.table.service):
            await connection.execute(f"CREATE SCHEMA {table.schema}")
        for statement in table.definition():
            await connection.execute(statement)
        if record.state == "current":
            await _publish(connection, table)
        await connection.execute(
            "INSERT INTO tidings.view (service, name, version, state, shape, mode, declared, spec, audited) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, (SELECT coalesce(max(n), 0) FROM tidings.audit))",
            *columns_of(record),
        )
        await self._stamp(connection)

    async def swap(self, connection: Connection, swap: Swap) -> bool:
        """Make the building table the current one. False while it does not have all that the other has."""
        await locks.alone(connection, locks.MAKING)
        found = of_view(await self.all(connection), swap.record.table)
        ours = built(found, swap.record)
        if ours.state != "building":
            return ours.state == "current"
        current = current_of(found)
        if current is not None and await _goes_back(connection, swap):
            return False
        if current is not None:
            await _set_state(connection, current, "replaced")
        await _set_state(connection, ours, "current")
        await _publish(connection, self._tables(ours.table))
        if swap.replaced_consumer is not None and await leases.partitions_of(connection, swap.replaced_consumer):
            await leases.pause(connection, swap.replaced_consumer, f"{ours.table.name} took its place")
        if swap.replaced_consumer is not None and current is not None:
            await _take_away(connection, swap, swap.replaced_consumer, current)
        await self._stamp(connection)
        return True

    async def drop(self, connection: Connection, record: ViewRecord) -> None:
        """Remove a table that is not current; nothing is done if it is gone.

        One that somebody has built something on stays as replaced, so that nothing waits for it.
        """
        await locks.alone(connection, locks.MAKING)
        there = to_be_removed(await self.all(connection), record)
        if there is None:
            return
        if await _is_removed(connection, self._tables(there.table)):
            await connection.execute(
                "DELETE FROM tidings.view WHERE service = $1 AND name = $2 AND version = $3", *version_of(there)
            )
        else:
            await _set_state(connection, there, "replaced")
        await self._stamp(connection)

    async def _stamp(self, connection: Connection) -> None:
        """Write down which shapes of inline views each type is fed to: what every appender looks at."""
        stamps = stamps_of(await self.all(connection))
        held = [type for type, _ in stamps], [stamp for _, stamp in stamps]
        given = "SELECT * FROM unnest($1::text[], $2::text[])"
        await connection.execute(f"DELETE FROM tidings.inline WHERE (type, stamp) NOT IN ({given})", *held)
        await connection.execute(f"INSERT INTO tidings.inline (type, stamp) {given} ON CONFLICT DO NOTHING", *held)


async def _refuse_taken_names(connection: Connection, table: Table, *, is_known: bool) -> None:
    """RefusedError if somebody else's table or view has one of its names. `is_known`: the view's own name is ours."""
    if await connection.fetchval(_HAS_TABLE, [table.view.service], table.bare_name):
        raise same_name(table.name)
    schemas = await connection.fetchval("SELECT current_schemas(false)")
    if not is_known and await connection.fetchval(_HAS_TABLE, schemas, table.view.public_name):
        raise same_name(table.view.public_name)


async def _publish(connection: Connection, table: Table) -> None:
    """Have readers of the view's name read this table. What they were granted stays, if only columns were added."""
    await _bring_along(connection, table)
    try:
        async with connection.transaction():
            await connection.execute(f"CREATE OR REPLACE VIEW {table.public} AS {table.public_view()}")
    except _MAKES_NO_LONGER:
        await _publish_anew(connection, table)


async def _bring_along(connection: Connection, table: Table) -> None:
    """Move the SQL view to the schema that comes first now: where it was, it would show the old table for ever."""
    first = await connection.fetchval("SELECT current_schema()::text")
    view = table.view
    found = [name for (name,) in await connection.fetch(_PUBLISHED_IN, view.public_name, view.service, view.view)]
    if first is None or not found or first in found:
        return
    [(old, new)] = await connection.fetch("SELECT quote_ident($1), quote_ident($2)", found[0], first)
    try:
        async with connection.transaction():
            await connection.execute(f"ALTER VIEW {old}.{table.public} SET SCHEMA {new}")
    except asyncpg.DuplicateTableError as error:
        raise same_name(view.public_name) from error


async def _publish_anew(connection: Connection, table: Table) -> None:
    try:
        async with connection.transaction():
            await connection.execute(f"DROP VIEW IF EXISTS {table.public}")
            await connection.execute(f"CREATE VIEW {table.public} AS {table.public_view()}")
    except asyncpg.DependentObjectsStillExistError as error:
        raise RefusedError(
            f"{table.view.public_name} has other columns now, and something is built on it: {error.detail}; drop that, "
            "and make it again afterwards"
        ) from error


async def _is_removed(connection: Connection, table: Table) -> bool:
    """Remove the table, and say so; where something is built on it, say in the log what that is."""
    try:
        async with connection.transaction():
            for statement in table.removal():
                await connection.execute(statement)
    except asyncpg.DependentObjectsStillExistError as error:
        _log.warning(
            "%s is read no more, and is not removed, since something is built on it: %s; drop that, and build it on "
            "%s: the next rebuild removes the table",
            table.view.name,
            error.detail,
            table.view.public_name,
        )
        return False
    return True


async def _set_state(connection: Connection, record: ViewRecord, state: str) -> None:
    await connection.execute(
        "UPDATE tidings.view SET state = $4 WHERE service = $1 AND name = $2 AND version = $3",
        *version_of(record),
        state,
    )


async def _goes_back(connection: Connection, swap: Swap) -> bool:
    """Say whether the new table is not there yet: whoever reads the current one would miss something in it."""
    if swap.replaced_consumer is None:
        return False
    old = await leases.hold(connection, swap.replaced_consumer)
    if is_behind(await leases.hold(connection, swap.consumer), old):
        return True
    return not swap.accepts_parked and await parked.is_any(connection, swap.consumer)


async def _take_away(connection: Connection, swap: Swap, replaced_consumer: str, current: ViewRecord) -> None:
    """Remove what is parked for the table that was replaced. asyncpg's LockNotAvailableError if somebody is at it."""
    if current.mode == "inline":
        # Appends that know nothing of the swap may still park for the replaced one. Last of all, and for an instant
        # only: whoever appends waits behind this.
        await locks.alone(connection, locks.ORDER, seconds=locks.DRAIN_SECONDS)
    subjects, entries = await parked.take_away(connection, replaced_consumer)
    if subjects:
        change = swap.taking_away(replaced_consumer, subjects=subjects, entries=entries)
        await audit.note(connection, change, now=swap.now)
