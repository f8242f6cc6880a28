"""A consumer that has not read what was removed from the log waits to be told, and is seen to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from tests.unit.operations.stage import SERVICES, OrderPlaced, RateSet, Stage
from tidings.backends.sqlite.log import SqliteLog
from tidings.cli.shapes import lag_row
from tidings.consumers.consumer import Consumer
from tidings.errors import NotFoundError, PositionExpiredError, RefusedError
from tidings.events.envelope import Entry
from tidings.faces.consumers import consumer_object
from tidings.faces.tokens import Tokens
from tidings.log.log import Log
from tidings.operations.beginning import begin
from tidings.operations.checks import Checks
from tidings.operations.lag import ConsumerLag, lag
from tidings.operations.pausing import pause
from tidings.operations.replay import replay_from_position
from tidings.store.unit import Unit


async def remove(log: Log, *, upto: int) -> None:
    """Remove entries from the log, as an operator does who takes a partition off."""
    database = cast(SqliteLog, log._driver._driver)._database  # type: ignore[attr-defined]
    await database.hop(lambda connection: connection.execute("UPDATE tidings_head SET floor_pos = ?", (upto,)))


async def lag_of(stage: Stage, consumer: str) -> ConsumerLag:
    return next(each for each in await lag(stage.log, stage.store, stage.clock, SERVICES) if each.name == consumer)


class Rates:
    """What reads the rates, and notes where they stood."""

    def __init__(self) -> None:
        self.name = "rates"
        self.spans = False
        self.types = frozenset({"rate-set"})
        self.positions: list[int] = []

    async def apply(self, unit: Unit, entries: Sequence[Entry], *, gated: bool = False) -> None:
        self.positions += [each.position for each in entries]


async def carried(stage: Stage, rates: Rates) -> None:
    """Carry what there is to be carried, as a process that is begun anew."""
    consumer = Consumer(rates, log=stage.log, store=stage.store, ports=stage.opened.ports, owner="one")
    try:
        while await consumer.step(asyncio.Event()) is None:
            pass
    finally:
        await consumer.release()


async def test_a_new_consumer_skips_nothing_unasked_and_begins_with_what_is_kept_once_it_is_told(stage: Stage) -> None:
    await stage.say(RateSet(1), RateSet(2), RateSet(3))
    await remove(stage.log, upto=2)
    rates = Rates()
    with pytest.raises(PositionExpiredError, match=r"up to position 2: .* `tidings consumers begin rates`") as error:
        await carried(stage, rates)
    assert error.value.floor == 2
    assert await begin(stage.log, stage.store, SERVICES, "rates", who="cli") == 2
    await carried(stage, rates)
    assert rates.positions == [3]
    [audited] = await stage.store.audit()
    assert (audited.what, audited.on, audited.position, audited.who) == ("begin", "rates", 3, "cli")


async def test_consumers_are_listed_though_one_has_not_read_what_was_removed(stage: Stage) -> None:
    await stage.say(RateSet(1), RateSet(2), RateSet(3))
    await remove(stage.log, upto=2)
    assert (await lag_of(stage, "rates")).state == "new"
    await stage.settle("rates", to=1)
    stage.clock.pass_by(seconds=5)
    found = await lag_of(stage, "rates")
    assert (found.state, found.expired, found.seconds) == ("expired", 2, 5.0)
    assert (await lag_of(stage, "billing")).expired is None
    await begin(stage.log, stage.store, SERVICES, "rates", who="cli")
    assert (await lag_of(stage, "rates")).state == "stopped"


async def test_what_was_removed_is_told_to_programs_and_of_one_that_is_paused_too(stage: Stage) -> None:
    await stage.say(RateSet(1), RateSet(2), RateSet(3))
    await stage.settle("rates", to=1)
    tokens, checkpoints = Tokens("one"), await stage.store.checkpoints("rates")
    assert consumer_object(tokens, await lag_of(stage, "rates"), checkpoints)["expired"] is None
    await remove(stage.log, upto=2)
    found = await lag_of(stage, "rates")
    assert consumer_object(tokens, found, checkpoints)["expired"] == "one-2"
    assert lag_row(found)["state"].startswith("expired: entries up to 2 were removed unread")
    await pause(stage.store, SERVICES, "rates", reason="the bank asked", who="cli")
    found = await lag_of(stage, "rates")
    told = consumer_object(tokens, found, checkpoints)
    assert (told["state"], told["paused"], told["expired"]) == ("paused", "the bank asked", "one-2")
    assert lag_row(found)["state"] == (
        "paused: the bank asked; resumed, it is expired: entries up to 2 were removed unread, see `tidings consumers "
        "begin --help`"
    )


async def test_the_checks_say_who_waits_to_be_told(stage: Stage) -> None:
    await stage.say(RateSet(1), RateSet(2))
    await stage.settle("rates", to=0)
    await remove(stage.log, upto=1)
    checks = Checks(stage.opened.host, stage.log, stage.store, stage.opened.ports, SERVICES)
    told = [check.problem for check in await checks.run() if check.name == "checkpoints"]
    assert told == ["entries up to 1 were removed that rates had not read: `tidings consumers begin rates`"]


async def test_who_has_nothing_to_be_told_is_left_alone(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1), RateSet(1))
    await remove(stage.log, upto=1)
    await stage.settle("rates", to=1)
    for consumer, why in (("rates", "has read all"), ("billing", "never run"), ("orders.placed@1", "reads nothing")):
        with pytest.raises(RefusedError, match=why):
            await begin(stage.log, stage.store, SERVICES, consumer, who="cli")
    with pytest.raises(NotFoundError):
        await begin(stage.log, stage.store, SERVICES, "nobody", who="cli")


async def test_a_replay_goes_back_no_further_than_what_is_kept(stage: Stage) -> None:
    await stage.say(RateSet(1), RateSet(2), RateSet(3))
    await stage.settle("rates", to=3)
    await remove(stage.log, upto=1)
    with pytest.raises(RefusedError, match="may be replayed from 2 on"):
        await replay_from_position(stage.log, stage.store, SERVICES, "rates", 1, who="cli")
    assert (await replay_from_position(stage.log, stage.store, SERVICES, "rates", 2, who="cli")).entries == 2
