from __future__ import annotations

from typing import Any

import pytest

from tidings.app.moves import Moves
from tidings.backends.sqlite import open_sqlite
from tidings.ports import Ports
from tidings.store.claims import Claim


async def test_a_unit_that_is_kept_is_told_and_one_that_fails_is_not() -> None:
    back_end, moves, told = open_sqlite(":memory:", Ports()), Moves(), []
    moves.listen(lambda: told.append(moves.count))
    store: Any = moves.over(back_end.store)
    async with store.unit():
        assert told == []
    with pytest.raises(ValueError, match="broken"):
        async with store.unit():
            raise ValueError("broken")
    async with store.unit():
        pass
    assert told == [1, 2]
    assert await store.consumers() == []
    await back_end.log.close()
    await back_end.close()


def test_who_listens_to_one_consumer_is_told_of_its_units_alone() -> None:
    moves, told = Moves(), []
    shop, till = (
        Claim(consumer=name, part=0, partitions=1, position=0, epoch=1, gate=0, expired=False)
        for name in ("shop", "till")
    )
    moves.listen(lambda: told.append(moves.count), consumer="shop")
    moves.tell([till], 1)
    moves.tell([], None)
    moves.tell([shop], 1)
    moves.tell([shop], None)
    assert told == [3, 4]


def test_what_a_consumer_has_reached_is_known_once_all_its_partitions_were_told() -> None:
    moves = Moves()
    first, second = (
        Claim(consumer="shop", part=part, partitions=2, position=0, epoch=1, gate=0, expired=False) for part in (0, 1)
    )
    assert moves.reached("shop") == 0
    moves.tell([first], 7)
    assert moves.reached("shop") == 0
    moves.tell([second], 5)
    assert moves.reached("shop") == 5
    moves.tell([second], 3)  # a replay from further back takes nothing out of a row
    assert moves.reached("shop") == 5
    moves.tell([first, second], None)
    moves.tell([second], 9)
    assert (moves.reached("shop"), moves.reached("other")) == (7, 0)
