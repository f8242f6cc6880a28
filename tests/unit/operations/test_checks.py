from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.unit.operations.stage import SERVICES, OrderPlaced, Stage
from tidings import App, Settings
from tidings.operations import checks as room
from tidings.operations.checks import Checks

ALL = ("settings", "log", "store", "schema", "leases", "checkpoints")


def checks(stage: Stage, services: Any = SERVICES) -> Checks:
    return Checks(stage.opened.host, stage.log, stage.store, stage.opened.ports, services)


async def problems(of: Checks) -> dict[str, str]:
    return {check.name: check.problem for check in await of.run() if check.problem is not None}


async def caught_up(stage: Stage) -> None:
    head = (await stage.log.head()).position
    for consumer in ("billing", "rates", "orders.order@1"):
        await stage.settle(consumer, to=head)


async def test_all_is_well_with_nothing_to_do(stage: Stage) -> None:
    found = await checks(stage).run()
    assert tuple(check.name for check in found) == ALL
    assert [check.problem for check in found] == [None] * len(ALL)


async def test_entries_that_nobody_reads_are_a_problem_at_the_first_look_once_they_are_old(stage: Stage) -> None:
    await caught_up(stage)
    await stage.say(OrderPlaced("a", 1))
    await stage.settle("orders.order@1", to=1)
    stage.clock.pass_by(seconds=29)
    assert await problems(checks(stage)) == {}
    stage.clock.pass_by(seconds=1)
    told = "no process carries billing, whose next entry is 30 s old"
    assert await problems(checks(stage)) == {"checkpoints": told}


async def test_a_checkpoint_that_stands_before_waiting_entries_is_a_problem_though_its_lease_is_held(
    stage: Stage,
) -> None:
    looked = checks(stage)
    await stage.say(OrderPlaced("a", 1), OrderPlaced("b", 1))
    await caught_up(stage)
    await stage.say(OrderPlaced("c", 1), OrderPlaced("d", 1))
    await stage.settle("orders.order@1", to=4)
    [claim] = await stage.claim("billing")
    assert await problems(looked) == {}
    stage.clock.pass_by(seconds=40)
    await stage.store.renew([claim], ttl=room.TTL)
    assert await problems(looked) == {"checkpoints": "billing has stood at 2 for 40 s"}
    async with stage.store.unit(claim) as unit:
        unit.advance(to=3)
    assert await problems(looked) == {}, "it came on"
    assert await problems(looked) == {}


async def test_a_paused_consumer_is_no_problem(stage: Stage) -> None:
    await caught_up(stage)
    await stage.store.pause("billing", "the operator said so")
    await stage.say(OrderPlaced("a", 1))
    await stage.settle("orders.order@1", to=1)
    stage.clock.pass_by(seconds=60)
    assert await problems(checks(stage)) == {}


async def test_a_consumer_that_the_application_does_not_have_is_no_problem_of_it(stage: Stage) -> None:
    await caught_up(stage)
    await stage.settle("retired", to=0)
    await stage.say(OrderPlaced("a", 1))
    for consumer in ("billing", "orders.order@1"):
        await stage.settle(consumer, to=1)
    stage.clock.pass_by(seconds=60)
    assert await problems(checks(stage)) == {}
    assert "retired" in (await problems(checks(stage, None)))["checkpoints"], "nobody knows that it is retired"


async def test_a_view_without_a_table_is_named(stage: Stage) -> None:
    async with App().open(Settings(database_url="sqlite:///:memory:"), consume=False) as empty:
        looked = Checks(empty.host, empty.log, empty.store, empty.ports, SERVICES)
        assert await problems(looked) == {
            "schema": "orders.order, orders.placed have no table yet: `tidings run` makes them"
        }


async def test_a_question_that_is_not_answered_in_time_is_a_problem(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(room, "WRITE_SECONDS", 0.01)
    monkeypatch.setattr(stage.store, "claim", never)
    assert await problems(checks(stage)) == {"leases": "no answer within 0.01 s"}
    monkeypatch.setattr(room, "ANSWER_SECONDS", 0.01)
    monkeypatch.setattr(stage.store, "consumers", never)
    assert await problems(checks(stage)) == {"store": "no answer within 0.01 s"}, "and nothing else is asked of it"
