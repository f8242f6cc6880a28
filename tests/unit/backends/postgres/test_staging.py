"""Events that somebody stages in a transaction of their own, and the relay that appends them after its commit."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from tests.unit.backends.postgres.room import Opened, opened
from tidings.conformance.samples import event, ids_in, keep
from tidings.consumers.relay import OUTBOX, Relay
from tidings.events.envelope import Envelope
from tidings.events.rules import checked
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.store.staging import staged_text
from tidings.versions.retelling import Retelling

STAGE = "SELECT tidings.stage($1)"


@pytest.fixture
async def at(postgres_url: str) -> AsyncIterator[Opened]:
    async with opened(postgres_url) as room:
        yield room


@pytest.fixture
async def theirs(at: Opened, postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


async def relay(at: Opened) -> int:
    log = Log(at.log, Ports())
    return await Relay(at.store, log, Ports(), Retelling(log.find, {})).carry()


async def test_what_they_commit_is_appended_and_what_they_roll_back_is_not(
    at: Opened, theirs: asyncpg.Connection
) -> None:
    whole = Envelope(
        id="whole",
        source="urn:suite",
        type="suite.whole",
        version=3,
        subject="éü",
        time="2024-02-29T23:59:59+02:00",
        attributes={"flag": True, "count": -5, "text": "'"},
        data=b"\x00\xff not JSON",
    )
    async with theirs.transaction():
        for each in (whole, event("bare", subject=None, data=None)):
            await theirs.execute(STAGE, staged_text(each))
        assert await relay(at) == 0
    rolled_back = theirs.transaction()
    await rolled_back.start()
    await theirs.execute(STAGE, staged_text(event("undone")))
    await rolled_back.rollback()
    assert await relay(at) == 2
    page = await at.log.read(after=0, limit=9)
    assert [entry.envelope for entry in page.entries] == [whole, event("bare", subject=None, data=None)]
    assert await at.rows("SELECT * FROM tidings.outbox") == []


async def test_a_late_commit_is_found_although_later_numbers_were_carried(
    at: Opened, theirs: asyncpg.Connection
) -> None:
    async with theirs.transaction():
        await theirs.execute(STAGE, staged_text(event("late")))
        async with at.database.connection() as connection:
            await connection.execute(STAGE, staged_text(event("early")))
        assert await relay(at) == 1
    assert await relay(at) == 1
    assert await ids_in(at.log) == ["early", "late"]


async def test_an_id_that_is_taken_becomes_a_dead_letter_and_holds_nobody_up(at: Opened) -> None:
    await keep(at.log, event("b"))
    async with at.database.connection() as connection:
        for each in (event("a"), event("b", data=b"2"), event("c"), event("c", data=b"3"), event("d")):
            await connection.execute(STAGE, staged_text(each))
    assert await relay(at) == 5
    assert await ids_in(at.log) == ["b", "a", "c", "d"]
    [parked] = await at.store.parked()
    assert (parked.consumer, parked.reason, parked.entries) == (OUTBOX, "id-taken", 2)


async def test_one_relay_at_a_time_empties_the_outbox(at: Opened) -> None:
    async with at.database.connection() as connection:
        await connection.execute(STAGE, staged_text(event("a")))
    async with at.store.unit() as unit:
        assert len(await unit.take_outbox(limit=9)) == 1
        async with at.database._pool.lent() as other, other.transaction():
            assert not await other.fetchval("SELECT pg_try_advisory_xact_lock(1953063944, 1)")
        unit.emit([event("a")])
    assert await relay(at) == 0
    assert await ids_in(at.log) == ["a"]


def told(**changed: Any) -> str:
    """Return an event as text, with some members as somebody might write them who does it himself."""
    return json.dumps(json.loads(staged_text(event("a"))) | changed)


def attributes(text: bytes) -> str:
    return told(attrs=b64encode(text).decode())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "source"),
        (told(source=None), "source"),
        (told(source=""), "source"),
        (told(source="s" * 1025), "source"),
        (told(id=""), "id"),
        (told(id="i" * 257), "id"),
        (told(id="a\nb"), "control character"),
        (told(type="t" * 256), "type"),
        (told(dataversion=None), "dataversion"),
        (told(dataversion=0), "dataversion"),
        (told(subject=""), "subject"),
        (told(subject="s" * 1025), "subject"),
        (told(subject="\U0001f40e" * 501), "subject"),
        (told(attrs=None), "attrs"),
        (told(attrs="!"), "attrs"),
        (attributes(b"\x00garbage"), "attrs"),
        (attributes(b"\xff"), "attrs"),
        (attributes(b"[]"), "attrs"),
        (attributes(b'{"a":null}'), "attrs"),
        (attributes(b'{"a":{},"a":1}'), "attrs"),
        (attributes(b'{"a":1.0}'), "attrs"),
        (attributes(rb'{"a":"\ud800"}'), "attrs"),
        (attributes(b'{"time":1}'), "attrs"),
        (told(data="!"), "base64"),
    ],
)
async def test_what_is_no_event_fails_where_it_is_staged_and_not_in_the_relay(
    at: Opened, theirs: asyncpg.Connection, text: str | None, why: str
) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match=why):
        await theirs.execute(STAGE, text)
    assert await relay(at) == 0


async def test_what_is_as_long_as_may_be_is_staged(at: Opened, theirs: asyncpg.Connection) -> None:
    longest = Envelope(
        id="é" * 256,
        source="s" * 1024,
        type="t" * 255,
        version=2**31 - 1,
        subject="\U0001f40e" * 500,
        attributes={"text": '"\\ü/', "least": -(2**31), "none": 0, "not": False},
    )
    for each in (longest, replace(longest, id="b", time="2024-02-29T23:59:59Z", time_stamped=True, attributes={})):
        await theirs.execute(STAGE, staged_text(checked(each)))
    assert await relay(at) == 2
    assert (await at.log.read(after=0, limit=9)).entries[0].envelope == longest
