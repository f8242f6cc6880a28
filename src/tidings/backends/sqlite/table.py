"""One table of a view: its definition, and its rows there and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tidings.backends.sqlite.statements import column_name, filled, flat, packed, table_name, values
from tidings.errors import NotFoundError
from tidings.events.codec import Decoder
from tidings.log.driver import Position
from tidings.store.rows import ColumnKind, Key, Rank, Row, ViewTable

_TYPES: dict[ColumnKind, str] = {
    "text": "TEXT",
    "integer": "INTEGER",
    "real": "REAL",
    "boolean": "INTEGER",
    "blob": "BLOB",
    "time": "INTEGER",
    "decimal": "TEXT",
    "json": "TEXT",
}
_EMPTY: dict[str, Any] = {"TEXT": "", "INTEGER": 0, "REAL": 0.0, "BLOB": b""}
_UNPACKABLE = frozenset({"real", "blob"})
_PACKED_COLUMNS = 100  # a function of SQLite takes at most 127 arguments
_KEYS = 1024
_META = ("_rank_at", "_settled", "_kind", "_hash", "_pos")
_unpack = Decoder(list[tuple[Any, ...]]).decode

Member = tuple[Key, Position]
"""A row's key, and the position of an entry that is in the row."""

_NEWER = "(excluded._rank_at, excluded._settled, excluded._kind, excluded._hash) > (_rank_at, _settled, _kind, _hash)"


class Table:
    """Statements over one table. RefusedError for a name that no table or column can have."""

    def __init__(self, view: ViewTable) -> None:
        self.view = view
        self.name = table_name(view.name)
        self.members_name = table_name(f"{view.name}__members")
        self._types = {column.name: _TYPES[column.kind] for column in view.columns}
        self._columns = [column_name(column.name) for column in view.columns]
        self._key = [column_name(name) for name in view.key]
        names = [column.name for column in view.columns]
        self._places = tuple(names.index(name) for name in view.key)
        self._empty = tuple(_EMPTY[kind] for kind in self._types.values())
        self._booleans = tuple(place for place, column in enumerate(view.columns) if column.kind == "boolean")
        self._width = len(names)
        self._leads = self._places == tuple(range(len(view.key)))
        self._packs_keys = not any(column.kind in _UNPACKABLE for column in view.columns if column.name in view.key)
        self._packs = _UNPACKABLE.isdisjoint(column.kind for column in view.columns) and self._width <= _PACKED_COLUMNS
        self._all = ", ".join([*self._columns, *_META])
        self._keys = ", ".join(self._key)
        others = [name for name in [*self._columns, *_META] if name not in self._key]
        self._set = ", ".join(f"{name} = excluded.{name}" for name in others)

    # definition
    def definition(self) -> list[str]:
        """Return the statements that make the table and, for a view that spans subjects, its members beside it."""
        columns = [
            f"{column_name(column.name)} {self._types[column.name]}{'' if column.nullable else ' NOT NULL'}"
            for column in self.view.columns
        ]
        meta = [f"{name} INTEGER NOT NULL" for name in _META]
        body = ", ".join([*columns, *meta, f"PRIMARY KEY ({self._keys})"])
        made = [f"CREATE TABLE {self.name} ({body}) STRICT, WITHOUT ROWID"]
        if self.view.spans:
            keys = ", ".join(f"{column_name(name)} {self._types[name]} NOT NULL" for name in self.view.key)
            body = f"{keys}, _pos INTEGER NOT NULL, PRIMARY KEY ({self._keys}, _pos)"
            made.append(f"CREATE TABLE {self.members_name} ({body}) STRICT, WITHOUT ROWID")
        return made

    def removal(self) -> list[str]:
        return [f"DROP TABLE IF EXISTS {name}" for name in (self.name, self.members_name)]

    def public_view(self) -> list[str]:
        """Return the statements that make readers of the view's name read this table."""
        public, columns = table_name(self.view.public_name), ", ".join(self._columns)
        return [
            f"DROP VIEW IF EXISTS {public}",
            f"CREATE VIEW {public} AS SELECT {columns} FROM {self.name} WHERE _kind = 0",
        ]

    # rows
    def rows(self, connection: sqlite3.Connection, keys: Sequence[Key]) -> dict[Key, Row]:
        found: list[Row] = []
        for piece in filled(keys, len(self._key), most=_KEYS):
            source = f"wanted CROSS JOIN {self.name} USING ({self._keys})"
            found += self._fetched(connection, source, flat(piece), wanted=len(piece))
        if self._leads:
            end = len(self._places)
            return {row.values[:end]: row for row in found}
        return {tuple([row.values[place] for place in self._places]): row for row in found}

    def put(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
        self._upsert(connection, rows, f" WHERE {_NEWER}")

    def replace(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
        self._upsert(connection, rows, "")

    def purge(self, connection: sqlite3.Connection, tombstones: Mapping[Key, Rank]) -> None:
        """Remove those that are still of this rank."""
        wanted = " AND ".join(f"{name} = ?" for name in [*self._key, "_rank_at", "_settled", "_kind", "_hash"])
        statement = f"DELETE FROM {self.name} WHERE {wanted} AND _kind = 1"
        connection.executemany(statement, [(*key, *rank) for key, rank in tombstones.items()])

    def _upsert(self, connection: sqlite3.Connection, rows: Sequence[Row], condition: str) -> None:
        width = self._width + len(_META)
        for piece in filled(rows, width):
            statement = (
                f"INSERT INTO {self.name} ({self._all}) VALUES {values(width, len(piece))} "
                f"ON CONFLICT ({self._keys}) DO UPDATE SET {self._set}{condition}"
            )
            connection.execute(statement, self._stored(piece))

    def _stored(self, rows: Iterable[Row]) -> list[Any]:
        stored: list[Any] = []
        for row in rows:
            if row.rank.kind:
                stored += [
                    empty if value is None else value for value, empty in zip(row.values, self._empty, strict=True)
                ]
            else:
                stored += row.values
            stored += row.rank
            stored.append(row.position)
        return stored

    def _fetched(
        self, connection: sqlite3.Connection, source: str, held: Sequence[Any], *, wanted: int = 0
    ) -> list[Row]:
        keys = f"WITH wanted({self._keys}) AS (VALUES {values(len(self._key), wanted)}) " if wanted else ""
        if self._packs:
            (page,) = connection.execute(keys + packed(self._all, source), held).fetchone()
            return self._loaded(_unpack(page))
        return self._loaded(connection.execute(f"{keys}SELECT {self._all} FROM {source}", held).fetchall())

    def _loaded(self, fetched: Iterable[tuple[Any, ...]]) -> list[Row]:
        width, end = self._width, self._width + 4
        rows = [Row(found[:width], Rank._make(found[width:end]), found[end]) for found in fetched]
        return [self._with_booleans(row) for row in rows] if self._booleans else rows

    def _with_booleans(self, row: Row) -> Row:
        held = list(row.values)
        for place in self._booleans:
            held[place] = None if held[place] is None else bool(held[place])
        return Row(tuple(held), row.rank, row.position)

    # members of rows that span subjects
    def join(self, connection: sqlite3.Connection, members: Sequence[Member]) -> frozenset[Member]:
        """Note the members; return those that were not noted yet."""
        new = frozenset(members) - self._noted(connection, members)
        for piece in filled([(*key, position) for key, position in sorted(new)], len(self._key) + 1):
            statement = (
                f"INSERT INTO {self.members_name} ({self._keys}, _pos) VALUES {values(len(piece[0]), len(piece))}"
            )
            connection.execute(f"{statement} ON CONFLICT DO NOTHING", flat(piece))
        return new

    def _noted(self, connection: sqlite3.Connection, members: Sequence[Member]) -> set[Member]:
        found: list[tuple[Any, ...]] = []
        for piece in filled([(*key, position) for key, position in members], len(self._key) + 1, most=_KEYS):
            found += self._members(connection, f"{self._keys}, _pos", piece)
        return {(each[:-1], each[-1]) for each in found}

    def members(self, connection: sqlite3.Connection, keys: Sequence[Key]) -> dict[Key, Sequence[Position]]:
        found: dict[Key, set[Position]] = {}
        for piece in filled(keys, len(self._key), most=_KEYS):
            for each in self._members(connection, self._keys, piece):
                found.setdefault(each[:-1], set()).add(each[-1])
        return {key: sorted(positions) for key, positions in found.items()}

    def _members(
        self, connection: sqlite3.Connection, columns: str, wanted: Sequence[tuple[Any, ...]]
    ) -> list[tuple[Any, ...]]:
        keys = f"WITH wanted({columns}) AS (VALUES {values(len(wanted[0]), len(wanted))}) "
        source = f"wanted CROSS JOIN {self.members_name} USING ({columns})"
        if self._packs_keys:
            (page,) = connection.execute(keys + packed(f"{self._keys}, _pos", source), flat(wanted)).fetchone()
            return _unpack(page)
        return connection.execute(f"{keys}SELECT {self._keys}, _pos FROM {source}", flat(wanted)).fetchall()

    # reading by key order
    def has_key(self, wanted: Mapping[str, Any]) -> bool:
        """Say whether no more than one row can have these values."""
        return wanted.keys() >= set(self.view.key)

    def select(
        self, connection: sqlite3.Connection, wanted: Mapping[str, Any], *, after: Key | None, limit: int
    ) -> list[Row]:
        """Return rows that are not tombstones; NotFoundError for a column that is not there."""
        unknown = sorted(set(wanted) - set(self._types))
        if unknown:
            raise NotFoundError("column", unknown[0], self._types, of=self.view.public_name)
        conditions = ["_kind = 0", *(f"{column_name(name)} IS ?" for name in wanted)]
        return self._page(connection, conditions, list(wanted.values()), after=after, limit=limit)

    def every(self, connection: sqlite3.Connection, *, after: Key | None, limit: int) -> list[Row]:
        return self._page(connection, ["TRUE"], [], after=after, limit=limit)

    def _page(
        self, connection: sqlite3.Connection, conditions: list[str], held: list[Any], *, after: Key | None, limit: int
    ) -> list[Row]:
        if after is not None:
            conditions = [*conditions, f"({self._keys}) > {values(len(self._key), 1)}"]
            held = [*held, *after]
        source = f"(SELECT * FROM {self.name} WHERE {' AND '.join(conditions)} ORDER BY {self._keys} LIMIT ?)"
        return self._fetched(connection, source, [*held, limit])


Tables = Callable[[ViewTable], Table]
