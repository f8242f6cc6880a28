"""What waits to be taken over, both in the user's transaction: ids taken in, and envelopes that are to leave."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.backends.postgres import locks
from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.stored import STORED, stored_arrays, stored_columns
from tidings.events.codec import envelope_of
from tidings.events.envelope import Entry, Envelope
from tidings.log.driver import Position
from tidings.store.inbox import marks, other_content
from tidings.store.staging import Staged

_COLUMNS = STORED.format("subject")


async def stage(connection: Connection, envelopes: Sequence[Envelope]) -> None:
    # Numbers are drawn while the rows are added, and they are added in the order in which they come.
    if envelopes:
        await connection.execute(
            f"INSERT INTO tidings.outbox ({_COLUMNS}) SELECT * FROM unnest({stored_arrays(1)})",
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


async def take_in(
    connection: Connection, consumer: str, entries: Sequence[Entry], *, secret: bytes
) -> frozenset[Position]:
    """Note the entries' ids; return the positions of those that are new. ConflictError for an id with other content."""
    first: dict[bytes, tuple[int, Position]] = {}
    marked = [(entry, *marks(entry.envelope, secret)) for entry in entries]
    for entry, k, h in marked:
        first.setdefault(k, (h, entry.position))
    keys = sorted(first)
    rows = await connection.fetch(
        "INSERT INTO tidings.inbox (consumer, k, h, pos) SELECT $1, * FROM unnest($2::bytea[], $3::bigint[], "
        "$4::bigint[]) ON CONFLICT DO NOTHING RETURNING k",
        consumer,
        keys,
        [first[k][0] for k in keys],
        [first[k][1] for k in keys],
    )
    new = {bytes(k) for (k,) in rows}
    kept = {k: first[k] for k in new}
    if len(new) < len(keys):
        there = await connection.fetch(
            "SELECT k, h, pos FROM tidings.inbox WHERE consumer = $1 AND k = ANY ($2::bytea[])",
            consumer,
            [k for k in keys if k not in new],
        )
        kept.update({bytes(k): (h, position) for k, h, position in there})
    for entry, k, h in marked:
        if kept[k][0] != h:
            raise other_content(entry, kept[k][1])
    return frozenset([first[k][1] for k in new])
