from __future__ import annotations

from typing import Any

import pytest

from tidings.app.moves import Moves
from tidings.backends.sqlite import open_sqlite
from tidings.ports import Ports


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
