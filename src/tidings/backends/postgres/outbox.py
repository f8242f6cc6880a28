"""Envelopes that wait to leave, staged in the user's transaction."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.backends.postgres import locks
from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.stored import STORED, stored_arrays, stored_columns
from tidings.events.codec import envelope_of
from tidings.events.envelope import Envelope
from tidings.store.staging import Staged, Waiting

_COLUMNS = STORED.format("subject")


async def stage(connection: Connection, envelopes: Sequence[Envelope], *, now: int | None) -> None:
    # Numbers are drawn while the rows are added, and they are added in the order in which they come.
    if envelopes:
        await connection.execute(
            f"INSERT INTO tidings.outbox (staged, {_COLUMNS}) "
            f"SELECT tidings.now_us($1), e.* FROM unnest({stored_arrays(2)}) AS e",
            now,
            *stored_columns(envelopes),
        )


async def take(connection: Connection, *, limit: int) -> list[Staged]:
    """Take the oldest; nothing while another transaction is at it: one relay at a time keeps their order."""
    if not await locks.is_alone(connection, locks.RELAY):
        return []
    rows = await connection.fetch(
        "DELETE FROM tidings.outbox WHERE n IN (SELECT n FROM tidings.outbox ORDER BY n LIMIT $1 FOR UPDATE) "
        f"RETURNING n, {_COLUMNS}",
        limit,
    )
    taken = sorted(map(tuple, rows), key=lambda row: row[0])
    return [Staged(n=n, envelope=envelope_of(stored)) for n, *stored in taken]  # type: ignore[arg-type]


async def waiting(connection: Connection, *, most: int, now: int | None) -> Waiting:
    envelopes, age = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM (SELECT FROM tidings.outbox LIMIT $1) AS counted), "
        "(SELECT greatest(tidings.now_us($2) - staged, 0) FROM tidings.outbox ORDER BY n LIMIT 1)",
        most,
        now,
    )
    return Waiting(envelopes=envelopes, age=age or 0)
