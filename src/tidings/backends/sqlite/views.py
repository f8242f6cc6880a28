"""Which tables of views there are, in which state, and how one takes the place of another."""

from __future__ import annotations

import sqlite3

from tidings.backends.sqlite import audit, leases, parked
from tidings.backends.sqlite.table import Table, Tables
from tidings.store.rows import ViewRecord, ViewTable
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


class Views:
    """The notes of all tables of views, and the statements that make and remove the tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._notes = ViewNotes()

    def all(self, connection: sqlite3.Connection) -> list[ViewRecord]:
        rows = connection.execute("SELECT spec, state FROM tidings_view ORDER BY service, name, version").fetchall()
        return self._notes.records_of(rows)

    def of(self, connection: sqlite3.Connection, table: ViewTable) -> list[ViewRecord]:
        """Return the tables of this view, of every version."""
        return of_view(self.all(connection), table)

    def create(self, connection: sqlite3.Connection, record: ViewRecord) -> None:
        """Make the table. If it is there from the same record, nothing is done; RefusedError if from another."""
        if not is_to_be_made(self.all(connection), record):
            return
        table = self._tables(record.table)
        self._refuse_taken_names(connection, record)
        for statement in table.definition():
            connection.execute(statement)
        if record.state == "current":
            self._publish(connection, table)
        connection.execute(
            "INSERT INTO tidings_view (service, name, version, state, shape, mode, declared, spec, audited) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(n), 0) FROM tidings_audit))",
            columns_of(record),
        )
        _stamp(connection, self.all(connection))

    def swap(self, connection: sqlite3.Connection, swap: Swap) -> bool:
        """Make the building table the current one. False while it does not have all that the other has."""
        found = self.of(connection, swap.record.table)
        ours = built(found, swap.record)
        if ours.state != "building":
            return ours.state == "current"
        current = current_of(found)
        if current is not None and _goes_back(connection, swap):
            return False
        if current is not None:
            _set_state(connection, current, "replaced")
        _set_state(connection, ours, "current")
        self._publish(connection, self._tables(ours.table))
        if swap.replaced_consumer is not None and leases.partitions_of(connection, swap.replaced_consumer):
            leases.pause(connection, swap.replaced_consumer, f"{ours.table.name} took its place")
        if swap.replaced_consumer is not None:
            _take_away(connection, swap, swap.replaced_consumer)
        _stamp(connection, self.all(connection))
        return True

    def drop(self, connection: sqlite3.Connection, record: ViewRecord) -> None:
        """Remove a table that is not current; nothing is done if it is gone."""
        there = to_be_removed(self.all(connection), record)
        if there is None:
            return
        for statement in self._tables(there.table).removal():
            connection.execute(statement)
        connection.execute("DELETE FROM tidings_view WHERE service = ? AND name = ? AND version = ?", version_of(there))
        _stamp(connection, self.all(connection))

    def _publish(self, connection: sqlite3.Connection, table: Table) -> None:
        for statement in table.public_view():
            connection.execute(statement)

    def _refuse_taken_names(self, connection: sqlite3.Connection, record: ViewRecord) -> None:
        own = {old.table.public_name for old in self.of(connection, record.table)}
        for name in (record.table.name, record.table.public_name):
            taken = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ? COLLATE NOCASE", (name,)).fetchall()
            if taken and name not in own:
                raise same_name(name)


def _set_state(connection: sqlite3.Connection, record: ViewRecord, state: str) -> None:
    statement = "UPDATE tidings_view SET state = ? WHERE service = ? AND name = ? AND version = ?"
    connection.execute(statement, (state, *version_of(record)))


def _goes_back(connection: sqlite3.Connection, swap: Swap) -> bool:
    """Say whether the new table is not there yet: whoever reads the current one would miss something in it."""
    if swap.replaced_consumer is None:
        return False
    old = leases.checkpoints(connection, swap.replaced_consumer)
    if is_behind(leases.checkpoints(connection, swap.consumer), old):
        return True
    return not swap.accepts_parked and parked.is_any(connection, swap.consumer)


def _take_away(connection: sqlite3.Connection, swap: Swap, replaced_consumer: str) -> None:
    subjects, entries = parked.take_away(connection, replaced_consumer)
    if subjects:
        change = swap.taking_away(replaced_consumer, subjects=subjects, entries=entries)
        audit.note(connection, change, now=swap.now)


def _stamp(connection: sqlite3.Connection, records: list[ViewRecord]) -> None:
    """Write down which shapes of inline views each type is fed to: what every appender looks at."""
    stamps = stamps_of(records)
    before = connection.execute("SELECT type, stamp FROM tidings_inline").fetchall()
    if stamps == sorted(before) and not stamps:
        return
    connection.execute("DELETE FROM tidings_inline")
    for stamp in stamps:
        connection.execute("INSERT INTO tidings_inline (type, stamp) VALUES (?, ?)", stamp)
    connection.execute("UPDATE tidings_head SET seen_version = seen_version + 1")
