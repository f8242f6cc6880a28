"""Who may move which checkpoint: registration, claims, epochs, rewinding."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from tidings.backends.sqlite.statements import flat, values
from tidings.log.driver import Position
from tidings.ports import is_gone
from tidings.store.claims import Checkpoint, Claim, Lease, lease_lost, no_consumer, other_partitions

_OURS = "c.consumer = o.consumer AND c.part = o.part AND c.epoch = o.epoch"


def register(connection: sqlite3.Connection, consumer: str, *, partitions: int, start: Position) -> None:
    there = partitions_of(connection, consumer)
    if there == partitions:
        return
    if there:
        raise other_partitions(consumer, there, partitions)
    connection.execute(
        f"INSERT INTO tidings_checkpoint (consumer, part, pos) VALUES {values(3, partitions)}",
        [value for part in range(partitions) for value in (consumer, part, start)],
    )


def partitions_of(connection: sqlite3.Connection, consumer: str) -> int:
    statement = "SELECT count(*) FROM tidings_checkpoint WHERE consumer = ?"
    count: int = connection.execute(statement, (consumer,)).fetchone()[0]
    return count


def claim(connection: sqlite3.Connection, consumer: str, lease: Lease[int], *, want: int) -> list[Claim]:
    rows = connection.execute(
        "SELECT part, pos, epoch, gate, owner, until, paused FROM tidings_checkpoint WHERE consumer = ? ORDER BY part",
        (consumer,),
    ).fetchall()
    owners = {owner for *_, owner, until, _ in rows if owner is not None and until > lease.now}
    alive = {owner for owner in owners if not is_gone(owner)}
    free = [row for row in rows if row[6] is None and (row[4] not in alive or row[5] <= lease.now)][:want]
    if not free:
        return []
    connection.execute("DELETE FROM tidings_asking WHERE consumer = ? AND owner = ?", (consumer, lease.owner))
    connection.execute(
        "UPDATE tidings_checkpoint SET epoch = epoch + 1, owner = ?, until = ? "
        f"WHERE consumer = ? AND part IN (VALUES {values(1, len(free))})",
        (lease.owner, lease.now + lease.ttl, consumer, *(row[0] for row in free)),
    )
    return [
        Claim(
            consumer=consumer,
            part=part,
            partitions=len(rows),
            position=position,
            epoch=epoch + 1,
            gate=gate,
            expired=owner is not None,
        )
        for part, position, epoch, gate, owner, _, _ in free
    ]


def ask(connection: sqlite3.Connection, consumer: str, lease: Lease[int]) -> None:
    connection.execute(
        "INSERT INTO tidings_asking (consumer, owner, until) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET until = excluded.until",
        (consumer, lease.owner, lease.now + lease.ttl),
    )


def asking(connection: sqlite3.Connection, consumer: str, *, now: int) -> frozenset[str]:
    rows = connection.execute("SELECT owner FROM tidings_asking WHERE consumer = ? AND until > ?", (consumer, now))
    return frozenset([owner for (owner,) in rows if not is_gone(owner)])


def renew(connection: sqlite3.Connection, claims: Sequence[Claim], *, lease: Lease[int]) -> list[Claim]:
    statement = (
        f"{_ours(claims)} UPDATE tidings_checkpoint AS c SET until = ? FROM ours o WHERE {_OURS} "
        "RETURNING consumer, part, epoch"
    )
    ours = set(connection.execute(statement, [*_fences(claims), lease.now + lease.ttl]).fetchall())
    return [claim for claim in claims if (claim.consumer, claim.part, claim.epoch) in ours]


def release(connection: sqlite3.Connection, claims: Sequence[Claim]) -> None:
    statement = (
        f"{_ours(claims)} UPDATE tidings_checkpoint AS c SET owner = NULL, until = NULL FROM ours o WHERE {_OURS}"
    )
    connection.execute(statement, _fences(claims))


def check(connection: sqlite3.Connection, claims: Sequence[Claim]) -> None:
    """CheckpointMovedError unless all of the claims are still ours."""
    if not claims:
        return
    statement = f"{_ours(claims)} SELECT count(*) FROM ours o CROSS JOIN tidings_checkpoint c WHERE {_OURS}"
    if connection.execute(statement, _fences(claims)).fetchone()[0] != len(claims):
        raise lease_lost(claims[0].consumer)


def advance(connection: sqlite3.Connection, claims: Sequence[Claim], *, to: Position) -> None:
    """Move the checkpoints, never back; CheckpointMovedError unless all stand where the claims say they do."""
    if not claims:
        return
    statement = (
        f"{_ours(claims)} UPDATE tidings_checkpoint AS c SET pos = max(c.pos, ?) FROM ours o "
        f"WHERE {_OURS} AND c.pos = o.pos RETURNING part"
    )
    if len(connection.execute(statement, [*_fences(claims), to]).fetchall()) != len(claims):
        raise lease_lost(claims[0].consumer)


def begin_attempt(connection: sqlite3.Connection, claim: Claim, position: Position) -> int:
    found = connection.execute(
        "UPDATE tidings_checkpoint SET tries = CASE WHEN trying = ?1 THEN tries + 1 ELSE 1 END, trying = ?1 "
        "WHERE consumer = ?2 AND part = ?3 AND epoch = ?4 RETURNING tries",
        (position, claim.consumer, claim.part, claim.epoch),
    ).fetchall()
    if not found:
        raise lease_lost(claim.consumer)
    attempt: int = found[0][0]
    return attempt


def checkpoints(connection: sqlite3.Connection, consumer: str) -> Mapping[int, Checkpoint]:
    rows = connection.execute(
        "SELECT part, pos, epoch, gate, owner, until, paused FROM tidings_checkpoint WHERE consumer = ? ORDER BY part",
        (consumer,),
    ).fetchall()
    return {
        part: Checkpoint(part=part, position=position, epoch=epoch, gate=gate, owner=owner, until=until, paused=paused)
        for part, position, epoch, gate, owner, until, paused in rows
    }


def consumers(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT DISTINCT consumer FROM tidings_checkpoint ORDER BY consumer").fetchall()
    return [consumer for (consumer,) in rows]


def forget(connection: sqlite3.Connection, consumer: str) -> None:
    for table in ("checkpoint", "asking", "parked", "dead_letter"):
        connection.execute(f"DELETE FROM tidings_{table} WHERE consumer = ?", (consumer,))


def _have_owners_ask(connection: sqlite3.Connection, consumer: str) -> None:
    """Note that whose leases are about to end still want them: nobody else would know that somebody runs this."""
    connection.execute(
        "INSERT INTO tidings_asking (consumer, owner, until) "
        "SELECT consumer, owner, max(until) FROM tidings_checkpoint "
        "WHERE consumer = ? AND owner IS NOT NULL GROUP BY consumer, owner "
        "ON CONFLICT DO UPDATE SET until = excluded.until",
        (consumer,),
    )


def pause(connection: sqlite3.Connection, consumer: str, reason: str | None) -> None:
    """Pause or go on. A pause ends the leases, so that nothing that is under way under them is kept."""
    if reason is not None:
        _have_owners_ask(connection, consumer)
    ended = "" if reason is None else ", epoch = epoch + 1, owner = NULL, until = NULL"
    statement = f"UPDATE tidings_checkpoint SET paused = ?{ended} WHERE consumer = ?"
    _known(connection.execute(statement, (reason, consumer)), consumer)


def rewind(connection: sqlite3.Connection, consumer: str, *, to: Position) -> None:
    _have_owners_ask(connection, consumer)
    changed = connection.execute(
        "UPDATE tidings_checkpoint SET gate = max(gate, pos), pos = min(pos, ?), epoch = epoch + 1, owner = NULL, "
        "until = NULL, trying = NULL, tries = 0 WHERE consumer = ?",
        (to, consumer),
    )
    _known(changed, consumer)


def skip(connection: sqlite3.Connection, consumer: str, *, to: Position) -> None:
    if not partitions_of(connection, consumer):
        raise no_consumer(consumer)
    _have_owners_ask(connection, consumer)
    connection.execute(
        "UPDATE tidings_checkpoint SET pos = ?, epoch = epoch + 1, owner = NULL, until = NULL, trying = NULL, "
        "tries = 0 WHERE consumer = ? AND pos < ?",
        (to, consumer, to),
    )


def _known(changed: sqlite3.Cursor, consumer: str) -> None:
    if changed.rowcount == 0:
        raise no_consumer(consumer)


def _ours(claims: Sequence[Claim]) -> str:
    # A join, because SQLite answers IN over several rows of several columns by a scan of the whole table.
    return f"WITH ours(consumer, part, epoch, pos) AS (VALUES {values(4, len(claims))})"


def _fences(claims: Sequence[Claim]) -> list[object]:
    return flat([(claim.consumer, claim.part, claim.epoch, claim.position) for claim in claims])
