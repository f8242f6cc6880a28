"""Envelopes of every shape go into the log by COPY as they are, whatever stands in them and whatever does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import asyncpg
import msgspec
import pytest

from tests.conformance.postgres_harness import open_log
from tests.postgres.proxy import Door
from tests.unit.backends.postgres.test_terminated import TURNS, terminate
from tidings.backends.postgres import appending, copying
from tidings.backends.postgres import connection as room
from tidings.backends.postgres.appending import COPIED_FROM
from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.log import PostgresLog
from tidings.conformance.samples import event, keep
from tidings.errors import LogUnavailableError
from tidings.events.envelope import Envelope
from tidings.log.driver import Position, Write

SHAPES = (
    event("plain"),
    event("no subject", subject=None),
    msgspec.structs.replace(event("no data"), data=None),
    msgspec.structs.replace(event("empty data"), data=b""),
    msgspec.structs.replace(event("bytes"), data=bytes(range(256)) * 300),
    msgspec.structs.replace(event("of several messages"), data=bytes(range(256)) * 3_000),
    msgspec.structs.replace(event("versioned"), version=2**31 - 1),
    msgspec.structs.replace(event("Grüße 😀 ‮"), subject="é e\u0301 ", source="//quelle/ß", type="ereignis-für-alle"),
    msgspec.structs.replace(event("attributes"), attributes={"a": 1, "b": True, "c": "ü"}, time="2026-01-02T03:04:05Z"),
)


@pytest.fixture
async def log(postgres_url: str) -> AsyncIterator[PostgresLog]:
    opened = await open_log(postgres_url)
    yield opened
    await opened.close()


def many() -> list[Envelope]:
    return [*SHAPES, *(event(f"{n}", subject=f"s{n % 7}") for n in range(2 * COPIED_FROM))]


async def test_what_is_copied_is_read_as_it_was_given(log: PostgresLog) -> None:
    given = many()
    receipt = await keep(log, *given)
    found = (await log.read(after=0, limit=10_000)).entries
    assert [entry.envelope for entry in found] == given
    assert tuple(entry.position for entry in found) == receipt.positions


async def test_what_is_known_or_refused_is_not_copied(log: PostgresLog) -> None:
    first = await keep(log, *SHAPES)
    changed = Write(envelopes=(event("no data"), event("with it")))
    known, refused, new = await log.append(
        [Write(envelopes=SHAPES), changed, Write(envelopes=tuple(many()[len(SHAPES) :]))]
    )
    assert (known.outcome, known.positions) == ("duplicate", first.positions)
    assert refused.outcome == "conflict"
    found = (await log.read(after=0, limit=10_000)).entries
    assert [entry.envelope for entry in found] == many()
    assert tuple(entry.position for entry in found) == first.positions + new.positions


async def test_who_is_cancelled_while_the_server_works_leaves_nothing_behind(log: PostgresLog) -> None:
    async with log._database.connection() as first:
        await first.execute("BEGIN; LOCK TABLE tidings.seen_opaque")
        cut_off = asyncio.create_task(keep(log, *many()))
        while not await first.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
            await asyncio.sleep(0.01)
        cut_off.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cut_off
        await first.execute("COMMIT")
    assert (await log.read(after=0, limit=10)).entries == ()
    assert (await keep(log, *many())).outcome == "appended"


@pytest.mark.parametrize("turns", TURNS)
async def test_a_connection_that_is_ended_before_the_copy_is_unavailable_and_is_not_used_again(
    log: PostgresLog, postgres_url: str, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    used: list[Connection] = []

    async def ended(connection: Connection, rows: Sequence[tuple[Position, bytes]]) -> None:
        used.append(connection)
        if len(used) == 1:
            terminate(postgres_url, await connection.fetchval("SELECT pg_backend_pid()"))
            for _ in range(turns):
                await asyncio.sleep(0)
        await copying.copy(connection, rows)

    monkeypatch.setattr(appending, "copy", ended)
    with pytest.raises(LogUnavailableError, match="repeat the call"):
        await keep(log, *many())
    assert (await keep(log, *many())).outcome == "appended"
    assert used[0].is_closed()
    assert used[1] is not used[0]


@pytest.fixture
async def door(postgres_url: str) -> AsyncIterator[Door]:
    async with Door(postgres_url) as door:
        yield door


async def not_taken(door: Door) -> AsyncIterator[bytes]:
    """Yield more than buffers take, none of which gets to the server."""
    door.flows.clear()
    for _ in range(64):
        yield b"x" * (1 << 20)


@pytest.mark.parametrize("end", ["cut", "terminate", "out of time"])
async def test_a_copy_that_nobody_takes_in_ends_with_its_connection_or_its_time(
    door: Door, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    if end == "out of time":
        monkeypatch.setattr(room, "STATEMENT_SECONDS", 0.5)
    connection: Connection = await asyncpg.connect(door.url, connection_class=Connection)
    await connection.execute("CREATE TABLE note (text text)")
    copied = asyncio.create_task(connection.copy_to_table("note", source=not_taken(door)))
    while connection._protocol.writing_allowed.is_set():  # type: ignore[attr-defined]
        await asyncio.sleep(0.001)
    if end == "cut":
        await door.cut()
    if end == "terminate":
        connection.terminate()
    await asyncio.wait((copied,), timeout=room.CONNECT_SECONDS)
    assert copied.done()
    with pytest.raises((asyncpg.ConnectionDoesNotExistError, TimeoutError)):
        copied.result()
    connection.terminate()
