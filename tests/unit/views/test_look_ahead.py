"""A change that comes before its creation: a fold that fails looks at what the log has by now before it gives up."""

from __future__ import annotations

import pytest

from tests.unit.consumers.room import until_idle
from tests.unit.views.events import envelope
from tests.unit.views.poison import Begun, app, begun, moved
from tests.unit.views.room import Room, room
from tidings.consumers.consumer import Consumer
from tidings.errors import FoldError
from tidings.events.envelope import Envelope
from tidings.ports import Ports
from tidings.store.rows import Key
from tidings.views.fold import Folding

BETWEEN = 1_100
"""More entries than a page has."""
within_and_across = pytest.mark.parametrize(("spans", "key"), [(False, "a"), (True, "jack")], ids=["within", "across"])


async def moves(at: Room) -> dict[Key, list[int]]:
    codec = Folding(at.view).codec
    return {key: codec.load(row.values).moves for key, row in (await at.stored()).items()}


def consumer(at: Room) -> Consumer:
    return Consumer(at.folder, log=at.log, store=at.store, ports=Ports(), owner="one")


def others() -> list[Envelope]:
    return [envelope(Begun(f"other-{n}", f"jill-{n}"), f"other-{n}") for n in range(BETWEEN)]


@within_and_across
async def test_a_page_with_a_change_alone_is_folded_with_what_the_log_has(spans: bool, key: str) -> None:
    async with room(app(spans=spans).views[0]) as at:
        change, creation = await at.append([moved(1, 5), begun(1)])
        await at.carry([change])
        assert await moves(at) == {(key,): [1]}
        await at.carry([creation])
        await at.carry([change, creation])
        assert await moves(at) == {(key,): [1]}


@within_and_across
async def test_a_change_pages_before_its_creation_ends_right_and_parks_nothing(spans: bool, key: str) -> None:
    async with room(app(spans=spans).views[0]) as at:
        await at.append([moved(1, 5), moved(2, 3), *others(), begun(1)])
        await until_idle(consumer(at))
        assert await at.store.parked() == []
        assert (await moves(at))[key,] == [2, 1]


@within_and_across
async def test_a_change_without_its_creation_fails_and_nothing_of_its_page_is_kept(spans: bool, key: str) -> None:
    async with room(app(spans=spans).views[0]) as at:
        entries = await at.append([*others()[:3], moved(1, 5), moved(2, 6)])
        with pytest.raises(FoldError, match="'a-1' at position 4"):
            await at.carry(entries)
        assert await moves(at) == {}
        await at.carry([*entries[:3], *await at.append([begun(1)]), *entries[3:]])
        assert (await moves(at))[key,] == [1, 2]


@within_and_across
async def test_what_fails_with_all_that_the_log_has_is_parked_until_the_creation_is_there(
    spans: bool, key: str
) -> None:
    async with room(app(spans=spans).views[0]) as at:
        carrying = consumer(at)
        await at.append([moved(1, 5)])
        await until_idle(carrying)
        [parked] = await at.store.parked()
        assert (parked.subject, parked.reason, parked.state) == ("a", "fold-failed", "retrying")
        await at.append([begun(1), moved(2, 6)])
        await at.store.schedule_redrive(at.folder.name, "a", at=0)
        later = consumer(at)
        await carrying.release()
        await until_idle(later)
        assert await at.store.parked() == []
        assert await moves(at) == {(key,): [1, 2]}
