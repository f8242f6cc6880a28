"""Queries of the log, each a statement with a snapshot of its own. What is final is decided elsewhere: `horizon`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import asyncpg

from tidings.backends.postgres.horizon import Look
from tidings.errors import LogUnavailableError, PositionExpiredError
from tidings.events.codec import envelope_of
from tidings.events.envelope import Entry
from tidings.events.filter import Filter
from tidings.events.identity import subject_key, subject_keys
from tidings.log.driver import Head, History, Position

_ENTRY = "pos, recorded, source, id, type, dataversion, subject, attrs, data"

ORDER = 1953063937
"""The advisory lock (ORDER, 1) that whoever draws positions holds."""

# One call of pg_locks, which begins when the snapshot that shows `top` has been taken already. What this very
# connection holds is its own, and hides nothing from it.
_LOOK = f"""
SELECT (SELECT max(pos) FROM tidings.log) AS top, pg_is_in_recovery() AS is_standby,
  current_setting('synchronous_commit') AS synchronous_commit,
  h.safe_pos, h.floor_pos, h.incarnation, held.holders, held.prepared
FROM tidings.head h, (
  SELECT array_agg(virtualtransaction) FILTER (WHERE pid IS NOT NULL) AS holders,
    array_agg(virtualtransaction) FILTER (WHERE pid IS NULL) AS prepared
  FROM pg_catalog.pg_locks
  WHERE locktype = 'advisory' AND classid = {ORDER} AND objid = 1 AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    AND pid IS DISTINCT FROM pg_backend_pid()
) AS held
"""
# A row in place of an entry, behind all others.
_FLOOR_ABOVE = f"SELECT floor_pos{', NULL' * _ENTRY.count(',')} FROM tidings.head WHERE floor_pos > $1"
_PAGE = f"(SELECT {_ENTRY} FROM tidings.log WHERE pos > $1 ORDER BY pos LIMIT $2) UNION ALL {_FLOOR_ABOVE}"
_POSITIONS = "SELECT pos FROM tidings.log WHERE pos > $1 ORDER BY pos LIMIT $2"
_AT = f"SELECT {_ENTRY} FROM tidings.log WHERE pos = ANY ($1::bigint[]) ORDER BY pos"
_RANGE = "slot >= ${}::int AND slot < ${}::int"
_SEEN_TIME = "SELECT pos FROM tidings.seen_time WHERE k1 = $1 AND k2 = $2"
_SEEN_OPAQUE = "SELECT pos FROM tidings.seen_opaque WHERE k1 = $1 AND k2 = $2"
_LAST_OF = "SELECT max(pos) FROM tidings.log WHERE skey = $1 AND subject = $2"
_HISTORY = (
    f"SELECT {_ENTRY} FROM tidings.log WHERE skey = ANY ($1::bigint[]) AND pos <= $2 AND subject = ANY ($3::text[]) "
    "AND type = ANY ($4::text[]) ORDER BY pos + 0"
)
_RECORDED_AT = "SELECT pos, recorded FROM tidings.log WHERE pos >= $1 ORDER BY pos LIMIT 1"
_RECORDED_FROM = "SELECT pos FROM tidings.log WHERE pos > $1 AND recorded >= $2 ORDER BY pos LIMIT 1"
_CLOCK_SET_BACK_US = 60_000_000


async def look(connection: asyncpg.Connection) -> tuple[Look, Head]:
    """See who may yet fill holes. The head's position is the highest visible one: it need not be final.

    LogUnavailableError on a standby: who holds ORDER on its primary is not seen there.
    """
    row: Any = await connection.fetchrow(_LOOK)
    if row["is_standby"]:
        raise LogUnavailableError(
            "the server is a standby now, and the log is read from the primary: see where TIDINGS_DATABASE_URL leads to"
        )
    top = max(row["top"] or 0, row["floor_pos"])
    seen = Look(
        top=top,
        safe=row["safe_pos"],
        holders=frozenset(row["holders"] or ()),
        prepared=frozenset(row["prepared"] or ()),
        synchronous_commit=row["synchronous_commit"],
    )
    return seen, Head(position=top, floor=row["floor_pos"], incarnation=row["incarnation"])


async def page(connection: asyncpg.Connection, after: Position, limit: int) -> list[Entry]:
    """Return the first `limit` visible entries above `after`. PositionExpiredError, as `matching`."""
    return _kept(await connection.fetch(_PAGE, after, limit), after)


async def positions(connection: asyncpg.Connection, after: Position, limit: int) -> list[Position]:
    return [row[0] for row in await connection.fetch(_POSITIONS, after, limit)]


async def matching(
    connection: asyncpg.Connection, where: Filter, *, after: Position, upto: Position, limit: int
) -> list[Entry]:
    """Return the first `limit` matching entries above `after`, at or below `upto`. PositionExpiredError.

    Where the log begins is asked in the same snapshot: what was removed since somebody looked would be passed over.
    """
    conditions, given = _conditions(where, [after, upto, limit])
    # A subject's entries are found by their index and sorted: by position, the whole log might have to be passed.
    order = "pos" if where.subject is None else "pos + 0"
    statement = f"SELECT {_ENTRY} FROM tidings.log WHERE pos > $1 AND pos <= $2{conditions} ORDER BY {order} LIMIT $3"
    return _kept(await connection.fetch(f"({statement}) UNION ALL {_FLOOR_ABOVE}", *given), after)


def check_kept(after: Position, *, floor: Position) -> None:
    """PositionExpiredError where entries behind this position were removed."""
    if after < floor:
        raise PositionExpiredError(f"entries up to {floor} are no longer kept; read after it", floor=floor)


async def count(connection: asyncpg.Connection, where: Filter, *, after: Position, most: int) -> int:
    conditions, given = _conditions(where, [after, most])
    found: int = await connection.fetchval(
        f"SELECT count(*) FROM (SELECT FROM tidings.log WHERE pos > $1{conditions} LIMIT $2) AS found", *given
    )
    return found


def _conditions(where: Filter, given: list[Any]) -> tuple[str, list[Any]]:
    """Return the filter as SQL, from " AND" on, and the values of its parameters, behind those that are `given`."""
    parts = []
    ranges = ((None, None),) if where.slots is None else where.slots or ((0, 0),)
    named: Sequence[tuple[Any, ...]] = (
        ("type = ANY (${}::text[])", None if where.types is None else sorted(where.types)),
        ("source = ${}", where.source),
        ("skey = ${} AND subject = ${}", *_keyed(where.subject)),
        (f"({' OR '.join([_RANGE] * len(ranges))})", *chain.from_iterable(ranges)),
    )
    for condition, *values in named:
        if values[0] is not None:
            parts.append(" AND " + condition.format(*range(len(given) + 1, len(given) + 1 + len(values))))
            given += values
    return "".join(parts), given


def _keyed(subject: str | None) -> tuple[int | None, str | None]:
    return (None, None) if subject is None else (subject_key(subject), subject)


async def at(connection: asyncpg.Connection, wanted: Sequence[Position]) -> list[Entry]:
    return _entries(await connection.fetch(_AT, sorted(set(wanted)))) if wanted else []


async def position_of(connection: asyncpg.Connection, *, timed: bool, halves: tuple[int, int]) -> Position | None:
    """Return where the identity stands whose key has these halves; None if it is unknown."""
    found: Position | None = await connection.fetchval(_SEEN_TIME if timed else _SEEN_OPAQUE, *halves)
    return found


async def last_of(connection: asyncpg.Connection, subject: str) -> Position:
    return await connection.fetchval(_LAST_OF, subject_key(subject), subject) or 0


async def history(connection: asyncpg.Connection, wanted: History) -> list[Entry]:
    if not wanted.subjects or not wanted.types:
        return []
    subjects = sorted(set(wanted.subjects))
    rows = await connection.fetch(_HISTORY, subject_keys(subjects), wanted.upto, subjects, sorted(wanted.types))
    return _entries(rows)


async def recorded_from(connection: asyncpg.Connection, recorded: int, *, floor: Position, top: Position) -> Position:
    """Return the last position before the first entry recorded at or after this time, `top` if there is none.

    Times rise with positions, but for a clock that was set back: by up to 60 s of it the search is not misled.
    """
    low, high = floor, top
    aim = recorded - _CLOCK_SET_BACK_US
    while low < high:
        middle = (low + high + 1) // 2
        row = await connection.fetchrow(_RECORDED_AT, middle)
        if row is None or row["recorded"] >= aim:
            high = middle - 1
        else:
            low = min(row["pos"], high)
    first: Position | None = await connection.fetchval(_RECORDED_FROM, low, recorded)
    return top if first is None else first - 1


def _kept(rows: Sequence[Any], after: Position) -> list[Entry]:
    """Return the entries of a query that ends with `_FLOOR_ABOVE`; PositionExpiredError if that has a row."""
    if rows and rows[-1]["recorded"] is None:
        check_kept(after, floor=rows[-1]["pos"])
    return _entries(rows)


def _entries(rows: Sequence[Any]) -> list[Entry]:
    return [Entry(pos, recorded, envelope_of(stored)) for pos, recorded, *stored in rows]
