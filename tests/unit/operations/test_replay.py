from __future__ import annotations

import pytest

from tests.unit.operations.stage import SERVICES, OrderPlaced, RateSet, Stage
from tidings.errors import CallerError, NotFoundError, RefusedError
from tidings.operations.replay import replay_from_position, replay_from_time


async def test_a_replay_sets_the_checkpoint_back_and_the_gate_to_where_it_stood(stage: Stage) -> None:
    await stage.say(*(RateSet(rate) for rate in range(5)))
    await stage.settle("rates", to=5)
    done = await replay_from_position(stage.log, stage.store, SERVICES, "rates", 3, who="cli")
    assert (done.after, done.gate, done.entries, done.at_least) == (2, 5, 3, False)
    checkpoint = (await stage.store.checkpoints("rates"))[0]
    assert (checkpoint.position, checkpoint.gate) == (2, 5)


async def test_a_second_replay_keeps_the_higher_gate(stage: Stage) -> None:
    await stage.say(*(RateSet(rate) for rate in range(5)))
    await stage.settle("rates", to=5)
    await replay_from_position(stage.log, stage.store, SERVICES, "rates", 3, who="cli")
    await stage.settle("rates", to=3)
    done = await replay_from_position(stage.log, stage.store, SERVICES, "rates", 1, who="cli")
    assert (done.after, done.gate) == (0, 5)


async def test_a_replay_from_a_time_has_everything_recorded_since(stage: Stage) -> None:
    await stage.say(RateSet(1))
    stage.clock.pass_by(seconds=3_600)
    since = stage.clock.now_us()
    await stage.say(RateSet(2), RateSet(3))
    await stage.settle("rates", to=3)
    done = await replay_from_time(stage.log, stage.store, SERVICES, "rates", since, who="cli")
    assert (done.after, done.gate, done.entries) == (1, 3, 2)


async def test_handlers_that_are_not_replayable_are_named_and_nothing_moves(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1))
    await stage.settle("billing", to=1)
    with pytest.raises(RefusedError, match=r"bill might change its own tables twice.*@billing\.on\(…, replayable=True"):
        await replay_from_position(stage.log, stage.store, SERVICES, "billing", 1, who="cli")
    assert (await stage.store.checkpoints("billing"))[0].position == 1


@pytest.mark.parametrize("view", ["order", "placed"])
async def test_a_view_is_not_replayed_since_its_readers_would_be_set_back(stage: Stage, view: str) -> None:
    await stage.say(OrderPlaced("a", 1))
    await stage.fold(view)
    with pytest.raises(RefusedError, match=f"`tidings views rebuild orders.{view}`"):
        await replay_from_position(stage.log, stage.store, SERVICES, f"orders.{view}@1", 1, who="cli")
    assert (await stage.store.checkpoints(f"orders.{view}@1"))[0].position == 1


async def test_a_view_that_nobody_declares_here_is_refused_as_a_view(stage: Stage) -> None:
    with pytest.raises(RefusedError, match=r"`tidings views rebuild orders\.order`"):
        await replay_from_position(stage.log, stage.store, (), "orders.order@1", 1, who="cli")


async def test_a_consumer_that_is_not_declared_here_is_refused(stage: Stage) -> None:
    await stage.settle("gone", to=0)
    with pytest.raises(RefusedError, match="does not declare gone"):
        await replay_from_position(stage.log, stage.store, SERVICES, "gone", 1, who="cli")


async def test_an_unknown_consumer_is_refused_with_those_there_are(stage: Stage) -> None:
    with pytest.raises(NotFoundError, match=r"no consumer 'rate'; there is billing, orders\.order@1"):
        await replay_from_position(stage.log, stage.store, SERVICES, "rate", 1, who="cli")


async def test_what_is_not_settled_yet_cannot_come_again(stage: Stage) -> None:
    await stage.say(RateSet(1), RateSet(2))
    with pytest.raises(RefusedError, match="has never run"):
        await replay_from_position(stage.log, stage.store, SERVICES, "rates", 1, who="cli")
    await stage.settle("rates", to=1)
    with pytest.raises(RefusedError, match="at or after position 2: it stands at 1"):
        await replay_from_position(stage.log, stage.store, SERVICES, "rates", 2, who="cli")


async def test_no_entry_stands_before_the_first(stage: Stage) -> None:
    with pytest.raises(CallerError, match="--from-position 1"):
        await replay_from_position(stage.log, stage.store, SERVICES, "rates", 0, who="cli")
