"""Operators look at the log: while somebody holds a position open, and where what they seek is far."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.postgres.held import held
from tests.unit.backends.postgres.room import Opened, opened
from tidings import Context, Service, event
from tidings.backends.postgres import log as room
from tidings.conformance.samples import event as envelope
from tidings.conformance.samples import keep
from tidings.events.filter import EVERYTHING, Filter
from tidings.log.log import Log
from tidings.operations import inspect
from tidings.operations.lag import ConsumerLag, lag
from tidings.ports import Ports

RARE = Filter(types=frozenset({"rare-seen"}))


@event("rare-seen", subject="name")
class RareSeen:
    name: str


watch = Service("watch")


@watch.on(RareSeen)
async def seen(event: RareSeen, ctx: Context) -> None:
    return


@pytest.fixture
async def at(postgres_url: str) -> AsyncIterator[Opened]:
    async with opened(postgres_url) as room:
        yield room


async def say(at: Opened, *types: str) -> None:
    await keep(at.log, *(envelope(f"{type}-{n}", type=type) for n, type in enumerate(types)))


async def lag_of(at: Opened) -> ConsumerLag:
    [found] = await lag(Log(at.log, Ports()), at.store, Ports().clock, [watch])
    return found


@pytest.mark.parametrize("where", [EVERYTHING, RARE])
async def test_the_last_entries_before_an_open_position_are_shown(at: Opened, postgres_url: str, where: Filter) -> None:
    await keep(at.log, envelope("first", type="rare-seen"))
    async with held(postgres_url) as slow:
        await slow.run("BEGIN")
        await slow.append(envelope("open"))
        await say(at, *["rare-seen"] * 30)
        entries, upto = await inspect.tail(Log(at.log, Ports()), where=where)
        assert ([entry.envelope.id for entry in entries], upto) == (["first"], 1)


async def test_entries_behind_an_open_position_are_counted_and_have_no_age_yet(at: Opened, postgres_url: str) -> None:
    async with held(postgres_url) as slow:
        await slow.run("BEGIN")
        await slow.append(envelope("open"))
        await say(at, "rare-seen")
        found = await lag_of(at)
        assert (found.entries, found.head, found.seconds) == (1, 0, 0.0)


async def test_the_age_of_an_entry_is_found_however_far_it_is(at: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LOOKED_THROUGH", 2)
    await say(at, *["common"] * 5, "rare-seen")
    found = await lag_of(at)
    assert (found.entries, found.seconds > 0) == (1, True)
