"""Endpoints and what is sent to them: scripts that are the same everywhere, and what is quicker in SQLite's own way."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from tidings.backends.sqlite.scripts import run
from tidings.backends.sqlite.statements import filled, flat, values
from tidings.store.claims import Lease
from tidings.store.endpoint_deliveries import Claiming, Ending, EndpointClaim, EndpointDelivery, Turned
from tidings.store.endpoints import EndpointRecord
from tidings.store.inserting import by_endpoint, is_wanted, row_of
from tidings.store.scripts import claiming, keeping, line, settling

__all__ = ["claim", "deliver", "run", "turn"]


def deliver(connection: sqlite3.Connection, deliveries: Sequence[EndpointDelivery], *, now: int) -> int:
    found: dict[str, EndpointRecord] = {}
    for id in by_endpoint(deliveries):
        endpoint = run(connection, keeping.find(id, lock=True))
        if endpoint is not None:
            found[id] = endpoint
    added = _add(connection, deliveries, found, now=now)
    for id, numbers in added.items():
        if found[id].pacing.ordering != "none":
            run(connection, line.fall_in(found[id], first=min(numbers), last=max(numbers), at=now))
    return sum(map(len, added.values()))


def _add(
    connection: sqlite3.Connection,
    deliveries: Sequence[EndpointDelivery],
    endpoints: Mapping[str, EndpointRecord],
    *,
    now: int,
) -> dict[str, list[int]]:
    for_now = [(each, endpoints.get(each.endpoint)) for each in deliveries]
    rows = [row_of(each, of, now=now) for each, of in for_now if of is not None and is_wanted(each, of)]
    added: dict[str, list[int]] = {}
    for piece in filled(rows, 12):
        new = connection.execute(
            "INSERT INTO tidings_delivery (key, endpoint, position, run, subject, type, pin, expires, state, next_at, "
            f"held, intended) VALUES {values(12, len(piece))} ON CONFLICT DO NOTHING RETURNING n, endpoint",
            flat(piece),
        ).fetchall()
        for n, id in new:
            added.setdefault(id, []).append(n)
    return added


def turn(connection: sqlite3.Connection, lease: Lease[int], ending: Ending, claiming_: Claiming | None) -> Turned:
    settled = run(connection, settling.settle_untold(ending, now=lease.now))
    return Turned(settled, [] if claiming_ is None else claim(connection, lease, claiming_))


def claim(connection: sqlite3.Connection, lease: Lease[int], claiming_: Claiming) -> list[EndpointClaim]:
    endpoints = run(connection, claiming.due_endpoints(now=lease.now))
    return run(connection, claiming.claim(endpoints, claiming_, lease))
