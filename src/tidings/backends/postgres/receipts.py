"""Requests that came to receivers. Their keys are taken first: who takes the same one elsewhere waits for this end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.scripts import run
from tidings.store.judging import all_new, in_conflict, is_repeat, judge, keys_to_add, repeats_of
from tidings.store.receipts import ADDED, Identity, Judged, Owner, Received, SourceKey, row_of
from tidings.store.scripts import receiving

_Keys = dict[SourceKey, tuple[bytes, int]]
"""What is known by each key, and the number of the first that brings it."""

_TYPES = (
    *("text", "text", "text", "text", "bigint", "bigint", "bigint", "bytea", "bytea", "bytea", "bytea", "text"),
    "bigint",
)
# What is acknowledged is flushed, also where this is switched off while programs run.
_DRAW = (
    "SELECT nextval(pg_get_serial_sequence('tidings.receipt', 'n')) FROM generate_series(1, $1) WHERE "
    "current_setting('synchronous_commit') <> 'off' OR set_config('synchronous_commit', 'on', true) = 'on' ORDER BY 1"
)
_KEYS = "unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[])"
_TAKE = (
    f"INSERT INTO tidings.receipt_key (source, key, content, receipt) SELECT * FROM {_KEYS} ON CONFLICT DO NOTHING "
    "RETURNING source, key"
)
_OWNERS = (
    "SELECT k.source, k.key, k.content, k.receipt, r.outcome = 'failed' FROM "
    "unnest($1::text[], $2::text[]) AS w(source, key) JOIN tidings.receipt_key k USING (source, key) "
    "JOIN tidings.receipt r ON r.n = k.receipt"
)
_ADD = (
    f"INSERT INTO tidings.receipt ({ADDED}) OVERRIDING SYSTEM VALUE SELECT * FROM "
    f"unnest({', '.join(f'${n}::{type}[]' for n, type in enumerate(_TYPES, 1))})"
)
_REPEATED = (
    "UPDATE tidings.receipt r SET seen = r.seen + g.times, last_seen = greatest(r.last_seen, g.at), "
    "forget_at = greatest(r.forget_at, g.forget_at) FROM (SELECT n, count(*) AS times, max(at) AS at, "
    "max(forget_at) AS forget_at FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS u(n, at, forget_at) "
    "GROUP BY n) g WHERE r.n = g.n"
)


async def receive(connection: Connection, received: Sequence[Received]) -> list[Judged]:
    numbers = [n for (n,) in await connection.fetch(_DRAW, len(received))]
    taken = await _take(connection, _keys_of(received, numbers))
    if _are_all_new(received, taken):
        judged = all_new(received, numbers)
    else:
        kept = await _owners(connection, [place for place in taken if taken[place] is None])
        judged = judge(received, kept, numbers)
        conflicts = await _take(connection, _keys_of_conflicts(in_conflict(received, judged)))
        if conflicts:
            kept |= await _owners(connection, [place for place in conflicts if conflicts[place] is None])
            judged = judge(received, kept, numbers)
            taken |= conflicts
        await _put_right(connection, taken, keys_to_add(received, judged, kept))
    rows = [row_of(each, verdict) for each, verdict in zip(received, judged, strict=True) if not is_repeat(verdict)]
    if rows:
        await connection.execute(_ADD, *map(list, zip(*rows, strict=True)))
    repeats = repeats_of(received, judged)
    if repeats:
        await connection.execute(_REPEATED, *map(list, zip(*repeats, strict=True)))
    return judged


def _are_all_new(received: Sequence[Received], taken: Mapping[SourceKey, int | None]) -> bool:
    """Say whether each key was taken, by the one request that has it: most requests are no repeats."""
    if None in taken.values() or any(each.refused for each in received):
        return False
    return len(taken) == sum([len(each.identities) for each in received])


def _keys_of(received: Sequence[Received], numbers: Sequence[int]) -> _Keys:
    first: _Keys = {}
    for each, n in zip(received, numbers, strict=True):
        for identity in each.identities:
            first.setdefault((each.source, identity.key), (identity.content, n))
    return first


def _keys_of_conflicts(conflicts: Sequence[tuple[Received, int]]) -> _Keys:
    first: _Keys = {}
    for each, n in conflicts:
        identity = each.conflict
        first.setdefault((each.source, identity.key), (identity.content, n))
    return first


async def _take(connection: Connection, first: _Keys) -> dict[SourceKey, int | None]:
    """Take every key that nobody has; return all of them with the receipt that took it, None where somebody has it."""
    if not first:
        return {}
    rows = [(*place, *first[place]) for place in sorted(first)]  # in one order, so that no two wait for each other
    new = {(source, key) for source, key in await connection.fetch(_TAKE, *map(list, zip(*rows, strict=True)))}
    return {place: first[place][1] if place in new else None for place in first}


async def owners(connection: Connection, source: str, keys: Sequence[str]) -> dict[SourceKey, Owner]:
    return await _owners(connection, [(source, key) for key in keys])


async def _owners(connection: Connection, places: Sequence[SourceKey]) -> dict[SourceKey, Owner]:
    if not places:
        return {}
    rows = await connection.fetch(_OWNERS, [source for source, _ in places], [key for _, key in places])
    return {(source, key): Owner(bytes(content), n, failed) for source, key, content, n, failed in rows}


async def _put_right(
    connection: Connection, taken: dict[SourceKey, int | None], keys: Sequence[tuple[str, str, bytes, int]]
) -> None:
    """Give back what was taken for a request that turned out to be in conflict, or a repeat of another."""
    wanted = {(source, key): n for source, key, _, n in keys}
    wrong = [place for place, n in taken.items() if n is not None and wanted.get(place) != n]
    if not wrong:
        return
    await connection.execute(
        "DELETE FROM tidings.receipt_key k USING unnest($1::text[], $2::text[]) AS w(source, key) "
        "WHERE k.source = w.source AND k.key = w.key",
        [source for source, _ in wrong],
        [key for _, key in wrong],
    )
    again = [row for row in keys if (row[0], row[1]) in set(wrong)]
    if again:
        await connection.execute(f"{_TAKE}", *map(list, zip(*again, strict=True)))


async def finish(
    connection: Connection, n: int, identities: Sequence[Identity], items: bytes, *, at: int | None
) -> bool:
    source = await run(connection, receiving.finish(n, items, at=at))
    if source is None:
        return False
    rows = {each.key: (source, each.key, each.content, n) for each in sorted(identities, reverse=True)}
    if rows:
        await connection.fetch(_TAKE, *map(list, zip(*[rows[key] for key in sorted(rows)], strict=True)))
    return True


async def forget(connection: Connection, *, now: int, limit: int) -> int:
    rows = await connection.fetch(
        "DELETE FROM tidings.receipt WHERE n IN (SELECT n FROM tidings.receipt WHERE outcome <> 'failed' "
        "AND forget_at < $1 ORDER BY forget_at LIMIT $2) RETURNING n",
        *(now, limit),
    )
    gone = [n for (n,) in rows]
    await connection.execute("DELETE FROM tidings.receipt_key WHERE receipt = ANY ($1::bigint[])", gone)
    return len(gone)
