"""Ids that were taken in, noted in the user's transaction."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.backends.postgres.connection import Connection
from tidings.events.envelope import Entry
from tidings.log.driver import Position
from tidings.store.inbox import columns_of, other_content


async def take_in(
    connection: Connection, consumer: str, entries: Sequence[Entry], *, secret: bytes
) -> frozenset[Position]:
    """Note the entries' ids; return the positions of those that are new. ConflictError for an id with other content."""
    first: dict[bytes, tuple[int, Position]] = {}
    given = [(entry, *columns_of(entry.envelope, secret)) for entry in entries]
    for entry, k, h in given:
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
    for entry, k, h in given:
        if kept[k][0] != h:
            raise other_content(entry, kept[k][1])
    return frozenset([first[k][1] for k in new])
