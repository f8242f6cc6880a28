"""Who may move which checkpoint: registration, claims, epochs, rewinding.

A lease ends by the database's clock, which all processes share. What others are told of it is put in terms of the
clock of whoever asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidings.backends.postgres import locks
from tidings.backends.postgres.connection import Connection
from tidings.log.driver import Position
from tidings.ports import is_gone
from tidings.store.claims import Checkpoint, Claim, Lease, lease_lost, no_consumer, other_partitions

OURS = "unnest($1::text[], $2::smallint[], $3::bigint[], $4::bigint[]) AS o(consumer, part, epoch, pos)"
_SAME = "c.consumer = o.consumer AND c.part = o.part AND c.epoch = o.epoch"
_FREE = (
    "SELECT part, epoch, owner FROM tidings.checkpoint WHERE consumer = $1 AND paused IS NULL "
    "AND (owner IS NULL OR until <= tidings.now_us($2) OR owner = ANY ($3::text[])) "
    "ORDER BY part LIMIT $4 FOR UPDATE SKIP LOCKED"
)
CLAIM = (
    f"WITH free AS ({_FREE}) UPDATE tidings.checkpoint c SET epoch = c.epoch + 1, owner = $5, "
    "until = tidings.now_us($2) + $6 FROM free WHERE c.consumer = $1 AND c.part = free.part "
    "RETURNING c.part, c.pos, c.epoch, c.gate, free.owner IS NOT NULL"
)
ADVANCE = (
    f"UPDATE tidings.checkpoint c SET pos = greatest(c.pos, $5) FROM {OURS} WHERE {_SAME} AND c.pos = o.pos "
    "RETURNING c.part"
)


async def register(connection: Connection, consumer: str, *, partitions: int, start: Position) -> None:
    await locks.alone(connection, locks.MAKING)
    there = await partitions_of(connection, consumer)
    if there and there != partitions:
        raise other_partitions(consumer, there, partitions)
    if not there:
        await connection.execute(
            "INSERT INTO tidings.checkpoint (consumer, part, pos) SELECT $1, n, $3 FROM generate_series(0, $2 - 1) n",
            consumer,
            partitions,
            start,
        )


async def partitions_of(connection: Connection, consumer: str) -> int:
    count: int = await connection.fetchval("SELECT count(*) FROM tidings.checkpoint WHERE consumer = $1", consumer)
    return count


async def claim(connection: Connection, consumer: str, lease: Lease[int | None], *, want: int) -> list[Claim]:
    """Take up to `want` partitions; each of them is one statement's, so that two who claim at once share them."""
    gone = await _gone(connection, consumer)
    rows = await connection.fetch(CLAIM, consumer, lease.now, gone, want, lease.owner, lease.ttl)
    if not rows:
        return []
    await connection.execute("DELETE FROM tidings.asking WHERE consumer = $1 AND owner = $2", consumer, lease.owner)
    partitions = await partitions_of(connection, consumer)
    return [
        Claim(
            consumer=consumer,
            part=part,
            partitions=partitions,
            position=position,
            epoch=epoch,
            gate=gate,
            expired=expired,
        )
        for part, position, epoch, gate, expired in sorted(map(tuple, rows))
    ]


async def _gone(connection: Connection, consumer: str) -> list[str]:
    """Return the owners that are certainly dead."""
    rows = await connection.fetch(
        "SELECT DISTINCT owner FROM tidings.checkpoint WHERE consumer = $1 AND owner IS NOT NULL", consumer
    )
    return [owner for (owner,) in rows if is_gone(owner)]


async def ask(connection: Connection, consumer: str, lease: Lease[int | None]) -> None:
    await connection.execute(
        "INSERT INTO tidings.asking (consumer, owner, until) VALUES ($1, $2, tidings.now_us($3) + $4) "
        "ON CONFLICT (consumer, owner) DO UPDATE SET until = EXCLUDED.until",
        consumer,
        lease.owner,
        lease.now,
        lease.ttl,
    )


async def asking(connection: Connection, consumer: str, *, now: int | None) -> frozenset[str]:
    rows = await connection.fetch(
        "SELECT owner FROM tidings.asking WHERE consumer = $1 AND until > tidings.now_us($2)", consumer, now
    )
    return frozenset([owner for (owner,) in rows if not is_gone(owner)])


async def renew(connection: Connection, claims: Sequence[Claim], *, lease: Lease[int | None]) -> list[Claim]:
    rows = await connection.fetch(
        f"UPDATE tidings.checkpoint c SET until = tidings.now_us($5) + $6 FROM {OURS} WHERE {_SAME} "
        "RETURNING c.consumer, c.part, c.epoch",
        *_fences(claims),
        lease.now,
        lease.ttl,
    )
    ours = {tuple(row) for row in rows}
    return [claim for claim in claims if (claim.consumer, claim.part, claim.epoch) in ours]


async def release(connection: Connection, claims: Sequence[Claim]) -> None:
    await connection.execute(
        f"UPDATE tidings.checkpoint c SET owner = NULL, until = NULL FROM {OURS} WHERE {_SAME}",
        *_fences(claims),
    )


async def check(connection: Connection, claims: Sequence[Claim]) -> None:
    """CheckpointMovedError unless all of the claims are still ours, and stay so until the transaction ends."""
    if not claims:
        return
    rows = await connection.fetch(
        f"SELECT c.part FROM tidings.checkpoint c JOIN {OURS} ON {_SAME} ORDER BY c.consumer, c.part FOR UPDATE OF c",
        *_fences(claims),
    )
    if len(rows) != len(claims):
        raise lease_lost(claims[0].consumer)


async def advance(connection: Connection, claims: Sequence[Claim], *, to: Position) -> None:
    """Move the checkpoints, never back; CheckpointMovedError unless all stand where the claims say they do."""
    if not claims:
        return
    if len(await connection.fetch(ADVANCE, *_fences(claims), to)) != len(claims):
        raise lease_lost(claims[0].consumer)


async def begin_attempt(connection: Connection, claim: Claim, position: Position) -> int:
    attempt: int | None = await connection.fetchval(
        "UPDATE tidings.checkpoint SET tries = CASE WHEN trying = $1 THEN tries + 1 ELSE 1 END, trying = $1 "
        "WHERE consumer = $2 AND part = $3 AND epoch = $4 RETURNING tries",
        position,
        claim.consumer,
        claim.part,
        claim.epoch,
    )
    if attempt is None:
        raise lease_lost(claim.consumer)
    return attempt


async def checkpoints(connection: Connection, consumer: str, *, now: int | None, here: int) -> dict[int, Checkpoint]:
    """Return the partitions. `now`: as of `Lease`; `here`: what the clock of who asks says at that moment, in µs."""
    rows = await connection.fetch(
        "SELECT part, pos, epoch, gate, owner, until - tidings.now_us($2) + $3, paused "
        "FROM tidings.checkpoint WHERE consumer = $1 ORDER BY part",
        consumer,
        now,
        here,
    )
    return {
        part: Checkpoint(part=part, position=position, epoch=epoch, gate=gate, owner=owner, until=until, paused=paused)
        for part, position, epoch, gate, owner, until, paused in rows
    }


async def hold(connection: Connection, consumer: str) -> dict[int, Checkpoint]:
    """Return the partitions; until this transaction ends, nobody moves their checkpoints."""
    await connection.execute("SELECT FROM tidings.checkpoint WHERE consumer = $1 ORDER BY part FOR UPDATE", consumer)
    return await checkpoints(connection, consumer, now=0, here=0)


async def consumers(connection: Connection) -> list[str]:
    rows = await connection.fetch("SELECT DISTINCT consumer FROM tidings.checkpoint ORDER BY consumer")
    return [consumer for (consumer,) in rows]


async def forget(connection: Connection, consumer: str) -> None:
    for table in ("checkpoint", "asking", "parked", "dead_letter"):
        await connection.execute(f"DELETE FROM tidings.{table} WHERE consumer = $1", consumer)


async def _have_owners_ask(connection: Connection, consumer: str) -> None:
    """Note that whose leases are about to end still want them: nobody else would know that somebody runs this."""
    await connection.execute(
        "INSERT INTO tidings.asking (consumer, owner, until) "
        "SELECT consumer, owner, max(until) FROM tidings.checkpoint "
        "WHERE consumer = $1 AND owner IS NOT NULL GROUP BY consumer, owner "
        "ON CONFLICT (consumer, owner) DO UPDATE SET until = EXCLUDED.until",
        consumer,
    )


async def pause(connection: Connection, consumer: str, reason: str | None) -> None:
    """Pause or go on. A pause ends the leases, so that nothing that is under way under them is kept."""
    if reason is not None:
        await _have_owners_ask(connection, consumer)
    ended = "" if reason is None else ", epoch = epoch + 1, owner = NULL, until = NULL"
    statement = f"UPDATE tidings.checkpoint SET paused = $2{ended} WHERE consumer = $1 RETURNING part"
    _known(await connection.fetch(statement, consumer, reason), consumer)


async def rewind(connection: Connection, consumer: str, *, to: Position) -> None:
    await _have_owners_ask(connection, consumer)
    changed = await connection.fetch(
        "UPDATE tidings.checkpoint SET gate = greatest(gate, pos), pos = least(pos, $2), epoch = epoch + 1, "
        "owner = NULL, until = NULL, trying = NULL, tries = 0 WHERE consumer = $1 RETURNING part",
        consumer,
        to,
    )
    _known(changed, consumer)


async def skip(connection: Connection, consumer: str, *, to: Position) -> None:
    if not await partitions_of(connection, consumer):
        raise no_consumer(consumer)
    await _have_owners_ask(connection, consumer)
    await connection.execute(
        "UPDATE tidings.checkpoint SET pos = $2, epoch = epoch + 1, owner = NULL, until = NULL, trying = NULL, "
        "tries = 0 WHERE consumer = $1 AND pos < $2",
        consumer,
        to,
    )


def _known(changed: Sequence[Any], consumer: str) -> None:
    if not changed:
        raise no_consumer(consumer)


def _fences(claims: Sequence[Claim]) -> tuple[list[Any], ...]:
    return (
        [claim.consumer for claim in claims],
        [claim.part for claim in claims],
        [claim.epoch for claim in claims],
        [claim.position for claim in claims],
    )
