"""Scripts about who runs, with which versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidings.store.scripts.keeping import now_of
from tidings.store.scripts.script import Script, ask
from tidings.store.versions import VersionLease

_COLUMNS = (
    "instance, service, consumer, type, role, versions, revision, gate_epoch, admission, details, renewed_at, "
    "expires_at"
)
_GONE = "(admission = 'left' OR expires_at <= ${n} OR renewed_at - ${n} > expires_at - renewed_at)"
"""As `VersionLease.is_live` has it."""
_SAME = "service = $1 AND consumer = $2 AND type = $3 AND role = $4 AND revision = $5"


def join(leases: Sequence[VersionLease], *, ttl: int, now: int | None) -> Script[None]:
    at = yield from now_of(now)
    for instance in sorted({each.instance for each in leases}):
        yield from ask("DELETE FROM tidings.version_lease WHERE instance = $1 RETURNING 1", instance)
    for each in leases:
        same = (each.service, each.consumer, each.type, each.role, each.revision)
        yield from ask(
            f"DELETE FROM tidings.version_lease WHERE {_SAME} AND {_GONE.format(n=6)} RETURNING 1", *same, at
        )
        yield from ask(
            f"INSERT INTO tidings.version_lease ({_COLUMNS}) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING 1",
            *(each.instance, each.service, each.consumer, each.type, each.role),
            *(" ".join(map(str, each.versions)), each.revision, each.gate_epoch, each.admission, each.details),
            *(at, at + ttl),
        )


def renew(instance: str, epochs: Mapping[str, int], *, ttl: int, now: int | None) -> Script[bool]:
    at = yield from now_of(now)
    rows = yield from ask(
        f"SELECT type, role, gate_epoch, CASE WHEN {_GONE.format(n=2)} THEN 1 ELSE 0 END FROM tidings.version_lease "
        "WHERE instance = $1 FOR UPDATE",
        *(instance, at),
    )
    if not rows or any(is_gone for *_, is_gone in rows):
        return False
    yield from ask(
        "UPDATE tidings.version_lease SET renewed_at = $2, expires_at = $3 WHERE instance = $1 RETURNING 1",
        *(instance, at, at + ttl),
    )
    known = {type: epoch for type, role, epoch, *_ in rows if role == "emit"}
    for type, epoch in sorted(epochs.items()):
        if type in known and known[type] != epoch:
            yield from ask(
                "UPDATE tidings.version_lease SET gate_epoch = $3 WHERE instance = $1 AND type = $2 RETURNING 1",
                *(instance, type, epoch),
            )
    return True


def admit(instance: str, consumer: str) -> Script[None]:
    yield from ask(
        "UPDATE tidings.version_lease SET admission = 'admitted' WHERE instance = $1 AND consumer = $2 "
        "AND admission = 'held' RETURNING 1",
        *(instance, consumer),
    )


def leave(instance: str, *, now: int | None) -> Script[None]:
    at = yield from now_of(now)
    yield from ask(
        "UPDATE tidings.version_lease SET admission = 'left', expires_at = $2 WHERE instance = $1 RETURNING 1",
        *(instance, at),
    )


def listed() -> Script[list[VersionLease]]:
    rows = yield from ask(
        f"SELECT {_COLUMNS} FROM tidings.version_lease ORDER BY service, consumer, revision, instance, type, role"
    )
    return [_lease_of(row) for row in rows]


def checkpoints(consumer: str) -> Script[list[tuple[int, int]]]:
    """Return the consumer's partitions, each with where its checkpoint stands."""
    rows = yield from ask("SELECT part, pos FROM tidings.checkpoint WHERE consumer = $1 ORDER BY part", consumer)
    return [(part, pos) for part, pos in rows]


def forget(consumer: str, *, now: int | None) -> Script[None]:
    at = yield from now_of(now)
    yield from ask(
        f"DELETE FROM tidings.version_lease WHERE consumer = $1 AND {_GONE.format(n=2)} RETURNING 1", consumer, at
    )


def _lease_of(row: Sequence[Any]) -> VersionLease:
    instance, service, consumer, type, role, versions, revision, epoch, admission, details, renewed, expires = row
    return VersionLease(
        instance=instance,
        service=service,
        consumer=consumer,
        type=type,
        role=role,
        versions=tuple(map(int, versions.split())),
        revision=revision,
        gate_epoch=epoch,
        admission=admission,
        details=details,
        renewed_at=renewed,
        expires_at=expires,
    )
