from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.operations.stage import RateSet, Stage
from tidings.events.envelope import Entry, Envelope
from tidings.operations import chain as operation
from tidings.operations.chain import Link, chain

Tree = list[tuple[str, Any]]


async def say(stage: Stage, id: str, *, cause: str | None = None, correlation: str | None = None) -> Entry:
    named = {"causationid": cause, "correlationid": correlation}
    given = {name: value for name, value in named.items() if value is not None}
    envelope = Envelope(id=id, source="/shop", type="rate-set", attributes=given, data=b'{"rate":1}')
    await stage.log.append((envelope,))
    found = await stage.log.find("/shop", id)
    assert found is not None
    return found


def tree(links: Sequence[Link]) -> Tree:
    return [(link.entry.envelope.id, tree(link.effects)) for link in links]


async def told(stage: Stage, entry: Entry) -> tuple[Tree, bool]:
    found = await chain(stage.log, entry)
    return tree(found.roots), found.is_whole


async def test_an_event_that_nothing_caused_and_that_caused_nothing_stands_alone(stage: Stage) -> None:
    await stage.say(RateSet(1))
    alone = await say(stage, "a")
    assert await told(stage, alone) == ([("a", [])], True)


async def test_causes_and_effects_are_a_tree_whichever_of_them_is_asked_for(stage: Stage) -> None:
    first = await say(stage, "a")
    await stage.say(RateSet(1))
    left = await say(stage, "b", cause="a", correlation="a")
    await say(stage, "c", cause="a", correlation="a")
    deep = await say(stage, "d", cause="b", correlation="a")
    whole = ([("a", [("b", [("d", [])]), ("c", [])])], True)
    assert [await told(stage, each) for each in (first, left, deep)] == [whole] * 3


async def test_an_event_whose_cause_is_not_kept_here_is_a_root_and_the_chain_is_not_called_whole(stage: Stage) -> None:
    lost = await say(stage, "b", cause="elsewhere", correlation="elsewhere")
    assert await told(stage, lost) == ([("b", [])], False)


async def test_effects_from_hours_later_are_found_from_the_first_event_but_not_the_other_way_round(
    stage: Stage,
) -> None:
    first = await say(stage, "a")
    stage.clock.pass_by(seconds=7_300)
    late = await say(stage, "b", cause="a", correlation="a")
    assert await told(stage, first) == ([("a", [("b", [])])], True)
    assert await told(stage, late) == ([("b", [])], False)


async def test_no_more_is_looked_at_than_was_promised(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "PAGE", 2)
    monkeypatch.setattr(operation, "LOOKED_AT", 4)
    first = await say(stage, "a")
    await stage.say(*(RateSet(rate) for rate in range(4)))
    await say(stage, "b", cause="a", correlation="a")
    assert await told(stage, first) == ([("a", [])], False)
    monkeypatch.setattr(operation, "SHOWN", 1)
    assert await told(stage, first) == ([("a", [])], False)
