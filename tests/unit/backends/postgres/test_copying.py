"""Envelopes of every shape go into the log by COPY as they are, whatever stands in them and whatever does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.conformance.postgres_harness import open_log
from tidings.backends.postgres.appending import COPIED_FROM
from tidings.backends.postgres.log import PostgresLog
from tidings.conformance.samples import event, keep
from tidings.events.envelope import Envelope
from tidings.log.driver import Write

SHAPES = (
    event("plain"),
    event("no subject", subject=None),
    msgspec.structs.replace(event("no data"), data=None),
    msgspec.structs.replace(event("empty data"), data=b""),
    msgspec.structs.replace(event("bytes"), data=bytes(range(256)) * 300),
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
