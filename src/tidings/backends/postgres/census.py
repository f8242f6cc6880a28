"""How many entries of each version there are: those in segments are counted already, the others lie in the log."""

from __future__ import annotations

from tidings.backends.postgres.connection import UNBOUNDED, Connection
from tidings.backends.postgres.scripts import run
from tidings.log.driver import Position
from tidings.store.scripts import tallying
from tidings.store.versions import Tally

# Of a range with one end the planner would think that it is a third of the log.
_COUNT = (
    "SELECT type, dataversion, count(*), min(pos), max(pos) FROM tidings.log WHERE pos > $1 AND pos <= $2 "
    "AND ($3::int IS NULL OR slot >= $3 AND slot < $4::int) GROUP BY type, dataversion ORDER BY type, dataversion"
)
_FOLD = (
    f"SELECT pos >> {tallying.SEGMENT_BITS} AS segment, type, dataversion, count(*), min(pos), max(pos) "
    "FROM tidings.log WHERE pos > $1 AND pos <= $2 GROUP BY segment, type, dataversion ORDER BY segment, type, "
    "dataversion"
)


async def head(connection: Connection) -> Position:
    found: int = await connection.fetchval("SELECT coalesce(max(pos), 0) FROM tidings.log")
    return found


async def count(
    connection: Connection, *, after: Position, upto: Position, slots: tuple[int, int] | None
) -> list[Tally]:
    rows = await connection.fetch(_COUNT, after, upto, *(slots or (None, None)), timeout=UNBOUNDED)
    return [_tally(*row) for row in rows]


async def fold(connection: Connection, *, most: int) -> int:
    """Nothing appears any more at or below the place that is proved to be final, so no entry is left out."""
    after = await run(connection, tallying.begin())
    final: int = await connection.fetchval("SELECT safe_pos FROM tidings.head")
    upto = min(final, after + most)
    if upto <= after:
        return 0
    rows = await connection.fetch(_FOLD, after, upto)
    return await run(connection, tallying.add([(row[0], _tally(*row[1:])) for row in rows], upto=upto))


def _tally(type: str, version: int, entries: int, first: Position, last: Position) -> Tally:
    return Tally(type=type, version=version, entries=entries, first=first, last=last)
