from __future__ import annotations

from tests.unit.operations.stage import SERVICES, OrderPlaced, RateSet, Stage
from tidings.events.filter import Filter
from tidings.operations.unheard import Unheard, is_heard, unheard_types
from tidings.wording import absent

ASKED = frozenset(["order-placed", "rate-set", "nope"])
KNOWN = ("order-paid", "order-placed", "order-withdrawn", "rate-set")


async def test_a_type_that_is_declared_is_known_though_no_entry_has_it(stage: Stage) -> None:
    found = await unheard_types(stage.log, stage.store, SERVICES, ASKED)
    assert found == Unheard(("nope",), KNOWN)


async def test_a_type_that_a_table_is_folded_from_is_known_without_the_application(stage: Stage) -> None:
    found = await unheard_types(stage.log, stage.store, None, ASKED)
    assert found == Unheard(("nope", "rate-set"), ("order-paid", "order-placed", "order-withdrawn"))


async def test_a_type_that_the_log_has_is_known(stage: Stage) -> None:
    await stage.say(RateSet(1))
    assert (await unheard_types(stage.log, stage.store, None, ASKED)).types == ("nope",)
    assert (await unheard_types(stage.log, stage.store, (), ASKED)).types == ("nope",)


async def test_what_no_entry_has_is_not_heard_of(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1), RateSet(1))
    source = (await stage.log.at([1]))[0].envelope.source
    heard = [Filter(subject="a"), Filter(source=source), Filter(types=frozenset(["rate-set"]))]
    assert [await is_heard(stage.log, where) for where in heard] == [True] * 3
    unheard = [Filter(subject="b"), Filter(source="x"), Filter(subject="a", source="x")]
    assert [await is_heard(stage.log, where) for where in unheard] == [False] * 3


def test_the_nearest_name_is_asked_for_and_the_far_ones_of_many_are_left_out() -> None:
    assert absent("view", "oders", ["orders", "users"]) == (
        "there is no view 'oders'; there is orders, users: did you mean orders?"
    )
    assert absent("view", "x", []) == "there is no view 'x'; there is none"
    many = [f"type-{n:02}" for n in range(30)]
    assert absent("type", "type-7", many) == (
        "there is no type 'type-7'; there is type-27 and 29 more: did you mean type-27?"
    )
    assert absent("type", "?", many).endswith("type-18, type-19 and 10 more")
    assert len(absent("type", "x" * 9_999, many[:1])) < 200
