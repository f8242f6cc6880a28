"""Which tables of views there are, in which state, and how one takes the place of another."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tidings.backends.sqlite import leases, parked
from tidings.backends.sqlite.table import Table
from tidings.errors import NotFoundError, RefusedError
from tidings.events.codec import Decoder, encode_json
from tidings.store.claims import Checkpoint
from tidings.store.rows import ViewRecord, ViewTable

Tables = Callable[[ViewTable], Table]
_LAST = 2**63 - 1
SAME_NAME = "{} is there already, made by somebody else: rename it, or rename the view"


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """A building table that is to become the live one, its consumer, and the consumer of the table that is live."""

    record: ViewRecord
    consumer: str
    old_consumer: str | None


class Views:
    """The notes of all tables of views, and the statements that make and remove the tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._decoder = Decoder(ViewRecord)
        self._decoded: dict[bytes, ViewRecord] = {}

    def all(self, connection: sqlite3.Connection) -> list[ViewRecord]:
        rows = connection.execute("SELECT spec, state FROM tidings_view ORDER BY service, name, version").fetchall()
        return [replace(self._decode(spec), state=state) for spec, state in rows]

    def _decode(self, spec: bytes) -> ViewRecord:
        # A note is never changed but for its state, and every append of an inline type reads all of them.
        found = self._decoded.get(spec)
        if found is None:
            found = self._decoded[spec] = self._decoder.decode(spec)
        return found

    def of(self, connection: sqlite3.Connection, table: ViewTable) -> list[ViewRecord]:
        """Return the tables of this view, of every version."""
        return [
            record
            for record in self.all(connection)
            if (record.table.service, record.table.view) == (table.service, table.view)
        ]

    def create(self, connection: sqlite3.Connection, record: ViewRecord) -> None:
        """Make the table. If it is there from the same record, nothing is done; RefusedError if from another."""
        there = next((old for old in self.of(connection, record.table) if _version(old) == _version(record)), None)
        if there == record:
            return
        if there is not None:
            raise RefusedError(
                f"{record.table.name} is there in another shape, as {there.state}: take the next version"
            )
        table = self._tables(record.table)
        self._refuse_taken_names(connection, record)
        for statement in table.definition():
            connection.execute(statement)
        if record.state == "live":
            self._publish(connection, table)
        connection.execute(
            "INSERT INTO tidings_view (service, name, version, state, shape, mode, declared, spec, audited) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(n), 0) FROM tidings_audit))",
            (
                record.table.service,
                record.table.view,
                record.table.version,
                record.state,
                record.shape,
                record.mode,
                record.declared,
                encode_json(record),
            ),
        )
        _stamp(connection, self.all(connection))

    def swap(self, connection: sqlite3.Connection, swap: Swap) -> bool:
        """Make the building table the live one. False while it does not have all that the old one has."""
        found = self.of(connection, swap.record.table)
        ours = next((record for record in found if _version(record) == _version(swap.record)), None)
        if ours is None:
            raise NotFoundError(f"there is no table {swap.record.table.name}: build it first")
        if ours.state != "building":
            return ours.state == "live"
        live = next((record for record in found if record.state == "live"), None)
        if live is not None and _goes_back(connection, swap, live):
            return False
        if live is not None:
            _set_state(connection, live, "old")
        _set_state(connection, ours, "live")
        self._publish(connection, self._tables(ours.table))
        if swap.old_consumer is not None and leases.partitions_of(connection, swap.old_consumer):
            leases.pause(connection, swap.old_consumer, f"{ours.table.name} took its place")
        _stamp(connection, self.all(connection))
        return True

    def drop(self, connection: sqlite3.Connection, record: ViewRecord) -> None:
        """Remove a table that is not live; nothing is done if it is gone."""
        there = next((old for old in self.of(connection, record.table) if _version(old) == _version(record)), None)
        if there is None:
            return
        if there.state == "live":
            raise RefusedError(f"{record.table.name} is live: make another version of the view the live one first")
        for statement in self._tables(there.table).removal():
            connection.execute(statement)
        connection.execute("DELETE FROM tidings_view WHERE service = ? AND name = ? AND version = ?", _version(there))
        _stamp(connection, self.all(connection))

    def _publish(self, connection: sqlite3.Connection, table: Table) -> None:
        for statement in table.public_view():
            connection.execute(statement)

    def _refuse_taken_names(self, connection: sqlite3.Connection, record: ViewRecord) -> None:
        own = {old.table.public_name for old in self.of(connection, record.table)}
        for name in (record.table.name, record.table.public_name):
            taken = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ? COLLATE NOCASE", (name,)).fetchall()
            if taken and name not in own:
                raise RefusedError(SAME_NAME.format(name))


def _version(record: ViewRecord) -> tuple[str, str, int]:
    return record.table.service, record.table.view, record.table.version


def _set_state(connection: sqlite3.Connection, record: ViewRecord, state: str) -> None:
    statement = "UPDATE tidings_view SET state = ? WHERE service = ? AND name = ? AND version = ?"
    connection.execute(statement, (state, *_version(record)))


def _goes_back(connection: sqlite3.Connection, swap: Swap, live: ViewRecord) -> bool:
    """Say whether a reader of the live table would miss something in the new one."""
    if swap.old_consumer is None:
        return False
    if _is_behind(connection, swap.consumer, swap.old_consumer):
        return True
    old = leases.checkpoints(connection, swap.old_consumer).values()
    # An inline table is as new as the log itself.
    upto = _LAST if live.mode == "inline" else max((checkpoint.position for checkpoint in old), default=0)
    return parked.sets_back(connection, swap.consumer, swap.old_consumer, upto=upto)


def _is_behind(connection: sqlite3.Connection, consumer: str, old_consumer: str) -> bool:
    new, old = leases.checkpoints(connection, consumer), leases.checkpoints(connection, old_consumer)
    if not old:
        return False
    if len(new) == len(old):
        return any(new[part].position < checkpoint.position for part, checkpoint in old.items())
    return _lowest(new) < max(checkpoint.position for checkpoint in old.values())


def _lowest(checkpoints: Mapping[int, Checkpoint]) -> int:
    return min((checkpoint.position for checkpoint in checkpoints.values()), default=0)


def _stamp(connection: sqlite3.Connection, records: list[ViewRecord]) -> None:
    """Write down which shapes of inline views each type is fed to: what every appender looks at."""
    stamps = {
        (type, record.shape)
        for record in records
        if record.mode == "inline" and record.state != "old"
        for type in record.types
    }
    before = set(connection.execute("SELECT type, stamp FROM tidings_inline").fetchall())
    if stamps == before and not stamps:
        return
    connection.execute("DELETE FROM tidings_inline")
    for stamp in sorted(stamps):
        connection.execute("INSERT INTO tidings_inline (type, stamp) VALUES (?, ?)", stamp)
    connection.execute("UPDATE tidings_head SET seen_version = seen_version + 1")
