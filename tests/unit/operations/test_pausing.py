from __future__ import annotations

import pytest

from tests.unit.operations.stage import SERVICES, RateSet, Stage
from tidings.errors import CallerError, NotFoundError, RefusedError
from tidings.operations.lag import lag
from tidings.operations.pausing import REASON_MAX, pause, resume


async def state(stage: Stage, consumer: str) -> tuple[str, str | None]:
    found = {each.name: each for each in await lag(stage.log, stage.store, stage.clock, SERVICES)}
    return found[consumer].state, found[consumer].paused


async def test_a_paused_consumer_says_why_and_gives_no_partition_away_until_it_is_resumed(stage: Stage) -> None:
    await stage.say(RateSet(1))
    await stage.settle("rates", to=0)
    await pause(stage.store, SERVICES, "rates", reason="  the bank asked us to \n", who="cli")
    assert await state(stage, "rates") == ("paused", "the bank asked us to")
    assert await stage.claim("rates") == []
    await resume(stage.store, SERVICES, "rates", who="cli")
    assert await state(stage, "rates") == ("stopped", None)
    assert len(await stage.claim("rates")) == 1


async def test_a_consumer_that_some_process_carries_runs_from_the_moment_it_is_resumed(stage: Stage) -> None:
    await stage.claim("rates")
    await pause(stage.store, SERVICES, "rates", reason="x", who="cli")
    await resume(stage.store, SERVICES, "rates", who="cli")
    assert await state(stage, "rates") == ("running", None)
    stage.clock.pass_by(seconds=9)
    assert await state(stage, "rates") == ("stopped", None)


async def test_a_pause_needs_a_reason_of_bounded_length(stage: Stage) -> None:
    await stage.settle("rates", to=0)
    with pytest.raises(CallerError, match="say why"):
        await pause(stage.store, SERVICES, "rates", reason=" ", who="cli")
    with pytest.raises(CallerError, match="501 characters"):
        await pause(stage.store, SERVICES, "rates", reason="x" * (REASON_MAX + 1), who="cli")
    assert await state(stage, "rates") == ("stopped", None)


async def test_what_cannot_be_paused_says_why(stage: Stage) -> None:
    for act in (
        lambda name: pause(stage.store, SERVICES, name, reason="x", who="cli"),
        lambda name: resume(stage.store, SERVICES, name, who="cli"),
    ):
        with pytest.raises(NotFoundError, match="there is no consumer 'rate'"):
            await act("rate")
        with pytest.raises(RefusedError, match="never run"):
            await act("billing")
        with pytest.raises(RefusedError, match="folded by appends"):
            await act("orders.placed@1")


async def test_the_consumer_of_a_table_that_was_replaced_is_not_resumed(stage: Stage) -> None:
    await stage.say()
    await stage.fold("order")
    await stage.opened.carrying.rebuild(stage.view("order"))
    with pytest.raises(RefusedError, match="a newer one took"):
        await resume(stage.store, SERVICES, "orders.order@1", who="cli")
