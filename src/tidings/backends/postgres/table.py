"""One table of a view: its definition, and its rows there and back, many in one statement: an array for each column.

Rows are looked up one by one, by their index: a join might be planned while the table is small, and pass all of it.

Texts compare byte by byte, as on every other back end. Numbers of time are µs since 1970, so that a handler's own
statements mean the same on every one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from tidings.backends.postgres import locks
from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.names import column_name, schema_name, table_name
from tidings.backends.postgres.table_copying import LEAST, NewRows
from tidings.errors import NotFoundError
from tidings.log.driver import Position
from tidings.store.rows import ColumnKind, Key, Rank, Row, ViewTable

STRIPES = 256
"""How many locks there are for the rows of a table that are not there yet."""
MANY = 8
"""For so many keys the plan is made anew: one that was kept from when the table was tiny passes all of it for each."""

_TYPES: dict[ColumnKind, str] = {
    "text": "text",
    "integer": "bigint",
    "real": "double precision",
    "boolean": "boolean",
    "blob": "bytea",
    "time": "bigint",
    "decimal": "text",
    "json": "json",
}
_EMPTY: dict[str, Any] = {
    "text": "",
    "bigint": 0,
    "double precision": 0.0,
    "boolean": False,
    "bytea": b"",
    "json": "null",
}
_META = {"_rank_at": "bigint", "_settled": "smallint", "_kind": "smallint", "_hash": "bigint", "_pos": "bigint"}
_RANK = ("_rank_at", "_settled", "_kind", "_hash")

Member = tuple[Key, Position]
"""A row's key, and the position of an entry that is in the row."""


class Table:
    """Statements over one table. RefusedError for a name that no table or column can have."""

    def __init__(self, view: ViewTable) -> None:
        self.view = view
        self.schema = schema_name(view.service)
        self.bare_name = f"{view.view}__v{view.version}"
        self.name = f"{self.schema}.{table_name(self.bare_name)}"
        self.members_name = f"{self.schema}.{table_name(f'{self.bare_name}__members')}"
        self.public = table_name(view.public_name)
        self._types = {column.name: _type_of(column.kind, column.name in view.key) for column in view.columns}
        self._columns = [column_name(column.name) for column in view.columns]
        self._key = [column_name(name) for name in view.key]
        self._key_types = [self._types[name] for name in view.key]
        nullable = [column.nullable for column in view.columns]
        self._new = NewRows(view.service, self.bare_name, self._types, nullable, meta=[*_META])
        names = [column.name for column in view.columns]
        self._places = tuple(names.index(name) for name in view.key)
        self._empty = tuple(_EMPTY[type] for type in self._types.values())
        self._width = len(names)
        self._all = ", ".join([*self._columns, *_META])
        self._keys = ", ".join(self._key)
        order = ", ".join(name + _collation(type) for name, type in zip(self._key, self._key_types, strict=True))
        self._wanted = _given("w", self._key, self._key_types)
        self._matches = " AND ".join(f"t.{name} = w.{name}" for name in self._key)
        self._find = (
            f"SELECT {_of('t', [*self._columns, *_META])} FROM (SELECT * FROM {self._wanted} ORDER BY {order}) w "
            f"CROSS JOIN LATERAL (SELECT * FROM {self.name} t WHERE {self._matches} FOR UPDATE) t"
        )
        self._upsert = self._upserting(order)

    def _upserting(self, order: str) -> str:
        given = _given("g", [*self._columns, *_META], [*self._types.values(), *_META.values()])
        others = [name for name in [*self._columns, *_META] if name not in self._key]
        changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in others)
        return (
            f"INSERT INTO {self.name} AS t ({self._all}) SELECT {self._all} FROM {given} ORDER BY {order} "
            f"ON CONFLICT ({self._keys}) DO UPDATE SET {changes}"
        )

    # definition
    def definition(self) -> list[str]:
        """Return the statements that make the table and, for a view that spans subjects, its members beside it."""
        nullable = {column.name for column in self.view.columns if column.nullable}
        columns = [
            f"{column_name(name)} {type}{_collation(type)}{'' if name in nullable else ' NOT NULL'}"
            for name, type in self._types.items()
        ]
        meta = [f"{name} {type} NOT NULL" for name, type in _META.items()]
        body = ", ".join([*columns, *meta, f"PRIMARY KEY ({self._keys})"])
        made = [f"CREATE TABLE {self.name} ({body}) WITH (fillfactor = 85)"]
        if self.view.spans:
            keys = ", ".join(
                f"{name} {type}{_collation(type)} NOT NULL"
                for name, type in zip(self._key, self._key_types, strict=True)
            )
            body = f"{keys}, _pos bigint NOT NULL, PRIMARY KEY ({self._keys}, _pos)"
            made.append(f"CREATE TABLE {self.members_name} ({body})")
        return made

    def removal(self) -> list[str]:
        return [f"DROP TABLE IF EXISTS {name}" for name in (self.name, self.members_name)]

    def public_view(self) -> str:
        """Return what the SQL view of the view's name shows: this table's rows."""
        return f"SELECT {', '.join(self._columns)} FROM {self.name} WHERE _kind = 0"

    # rows
    async def rows(self, connection: Connection, keys: Sequence[Key], *, whole: bool) -> dict[Key, Row]:
        """Return the rows of these keys, locked in the order of their keys.

        `whole`: lock those that are not there, too, so that nobody else makes them before this transaction ends.
        """
        if not keys:
            return {}
        wanted = _columns_of(keys)
        if len(keys) >= MANY:
            await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        if whole:
            await self._lock_missing(connection, wanted)
        found = self._loaded(await connection.fetch(self._find, *wanted))
        return {tuple([row.values[place] for place in self._places]): row for row in found}

    async def _lock_missing(self, connection: Connection, wanted: Sequence[Sequence[Any]]) -> None:
        """Lock the stripes of rows that are not there, in order, in a statement before the one that finds rows.

        That one sees, then, what was made by whoever held a stripe before.
        """
        text = " || ':' || ".join(f"w.{name}::text" for name in self._key)
        missing = (
            f"SELECT DISTINCT abs(hashtext($1 || ':' || {text})::bigint) % {STRIPES} AS stripe FROM "
            f"{_given('w', self._key, self._key_types, first=2)} WHERE NOT EXISTS "
            f"(SELECT FROM {self.name} t WHERE {self._matches} OFFSET 0) ORDER BY 1"
        )
        await connection.execute(
            f"SELECT pg_advisory_xact_lock({locks.ROWS}, s.stripe::int) FROM ({missing} OFFSET 0) s",
            self.name,
            *wanted,
        )

    async def put(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Keep each unless what is there has a higher or equal rank."""
        newest: dict[Key, Row] = {}
        for row in rows:
            there = newest.setdefault(self._key_of(row), row)
            if row.rank > there.rank:
                newest[self._key_of(row)] = row
        given, kept = _of("EXCLUDED", _RANK), _of("t", _RANK)
        await self._keep(connection, newest.values(), f"{self._upsert} WHERE ({given}) > ({kept})")

    async def replace(
        self, connection: Connection, rows: Sequence[Row], *, absent: AbstractSet[Key] = frozenset()
    ) -> None:
        """Keep the rows, whatever is there. ContendedError, also for the transaction, if somebody else made one of
        those that were `absent` meanwhile."""
        newest = {self._key_of(row): row for row in rows}
        new = [newest[key] for key in newest if key in absent] if absent else ()
        if len(new) >= LEAST:
            await self._new.copy(connection, [self._stored(row) for row in new])
            newest = {key: row for key, row in newest.items() if key not in absent}
        await self._keep(connection, newest.values(), self._upsert)

    async def purge(self, connection: Connection, tombstones: Mapping[Key, Rank]) -> None:
        """Remove those that are still of this rank."""
        if not tombstones:
            return
        columns = [*self._key, *_RANK]
        given = _given("g", columns, [*self._key_types, *(_META[name] for name in _RANK)])
        matches = " AND ".join(f"t.{name} = g.{name}" for name in columns)
        await connection.execute(
            f"DELETE FROM {self.name} t USING {given} WHERE {matches} AND t._kind = 1",
            *_columns_of([(*key, *rank) for key, rank in tombstones.items()]),
        )

    async def _keep(self, connection: Connection, rows: Iterable[Row], statement: str) -> None:
        stored = [self._stored(row) for row in rows]
        if stored:
            await connection.execute(statement, *_columns_of(stored))

    def _key_of(self, row: Row) -> Key:
        return tuple([row.values[place] for place in self._places])

    def _stored(self, row: Row) -> tuple[Any, ...]:
        values: Sequence[Any] = row.values
        if row.rank.kind:
            values = [empty if value is None else value for value, empty in zip(values, self._empty, strict=True)]
        return (*values, *row.rank, row.position)

    def _loaded(self, fetched: Iterable[Sequence[Any]]) -> list[Row]:
        width, end = self._width, self._width + len(_RANK)
        return [Row(tuple(found[:width]), Rank._make(found[width:end]), found[end]) for found in fetched]

    # members of rows that span subjects
    async def join(self, connection: Connection, members: Sequence[Member]) -> frozenset[Member]:
        """Note the members; return those that were not noted yet."""
        if not members:
            return frozenset()
        columns = [*self._key, "_pos"]
        given = _given("g", columns, [*self._key_types, "bigint"])
        names = ", ".join(columns)
        rows = await connection.fetch(
            f"INSERT INTO {self.members_name} ({names}) SELECT DISTINCT {names} FROM {given} ORDER BY {names} "
            f"ON CONFLICT DO NOTHING RETURNING {names}",
            *_columns_of([(*key, position) for key, position in members]),
        )
        return frozenset([(tuple(row[:-1]), row[-1]) for row in map(tuple, rows)])

    async def members(self, connection: Connection, keys: Sequence[Key]) -> dict[Key, Sequence[Position]]:
        if not keys:
            return {}
        rows = await connection.fetch(
            f"SELECT {_of('w', self._key)}, m.noted FROM {self._wanted} CROSS JOIN LATERAL (SELECT array_agg(t._pos "
            f"ORDER BY t._pos) AS noted FROM {self.members_name} t WHERE {self._matches}) m WHERE m.noted IS NOT NULL",
            *_columns_of(list(dict.fromkeys(keys))),
        )
        return {tuple(row[:-1]): row[-1] for row in map(tuple, rows)}

    # reading by key order
    async def select(
        self, connection: Connection, wanted: Mapping[str, Any], *, after: Key | None, limit: int
    ) -> list[Row]:
        """Return rows that are not tombstones; NotFoundError for a column that is not there."""
        unknown = sorted(set(wanted) - set(self._types))
        if unknown:
            raise NotFoundError("column", unknown[0], self._types, of=self.view.public_name)
        conditions = ["_kind = 0"]
        held: list[Any] = []
        for name, value in wanted.items():
            held.append(value)
            conditions.append(_equals(column_name(name), self._types[name], value, len(held)))
            if value is None:
                held.pop()
        return await self._page(connection, conditions, held, after=after, limit=limit)

    async def every(self, connection: Connection, *, after: Key | None, limit: int) -> list[Row]:
        return await self._page(connection, ["TRUE"], [], after=after, limit=limit)

    async def _page(
        self, connection: Connection, conditions: list[str], held: list[Any], *, after: Key | None, limit: int
    ) -> list[Row]:
        if after is not None:
            places = [f"${len(held) + n + 1}::{type}" for n, type in enumerate(self._key_types)]
            conditions = [*conditions, f"({self._keys}) > ({', '.join(places)})"]
            held = [*held, *after]
        return self._loaded(
            await connection.fetch(
                f"SELECT {self._all} FROM {self.name} WHERE {' AND '.join(conditions)} "
                f"ORDER BY {self._keys} LIMIT ${len(held) + 1}",
                *held,
                limit,
            )
        )


Tables = Callable[[ViewTable], Table]


def _type_of(kind: ColumnKind, in_key: bool) -> str:
    return "text" if kind == "json" and in_key else _TYPES[kind]  # JSON has no order


def _collation(type: str) -> str:
    return ' COLLATE "C"' if type == "text" else ""


def _of(alias: str, names: Iterable[str]) -> str:
    return ", ".join(f"{alias}.{name}" for name in names)


def _given(alias: str, names: Sequence[str], types: Sequence[str], *, first: int = 1) -> str:
    """Return rows that come as an array for each column, the first in the parameter `first`."""
    arrays = ", ".join(f"${first + n}::{type}[]" for n, type in enumerate(types))
    return f"unnest({arrays}) AS {alias}({', '.join(names)})"


def _columns_of(rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True))


def _equals(name: str, type: str, value: Any, place: int) -> str:
    if value is None:
        return f"{name} IS NULL"
    return f"{name}::text = ${place}::text" if type == "json" else f"{name} = ${place}::{type}"
