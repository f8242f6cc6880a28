"""A row that is folded when it is read: as fresh as the log, and folded no more often than its subject changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.unit.views.events import Left, Name, Renamed, envelope, names
from tests.unit.views.room import Room, room
from tidings.events.envelope import Entry
from tidings.log.driver import History, Position
from tidings.log.log import Log
from tidings.views.fold import Folding
from tidings.views.live import Live

REMEMBERED = 1_024


class Counted:
    """A log that notes whose history is read."""

    def __init__(self, log: Log) -> None:
        self.read: list[str] = []
        self._log = log

    async def history(self, wanted: History) -> Sequence[Entry]:
        self.read += wanted.subjects
        return await self._log.history(wanted)

    async def last_of(self, subject: str) -> Position:
        return await self._log.last_of(subject)


class Reader:
    """One live view that is read again and again."""

    def __init__(self, at: Room) -> None:
        self.log = Counted(at.log)
        self._live = Live(at.view, self.log)
        self._codec = Folding(at.view).codec

    async def name(self, user_id: str) -> Any:
        row = await self._live.row([user_id])
        return None if row is None else self._codec.load(row.values)


def renamed(user_id: str, name: str, at: int) -> Any:
    return envelope(Renamed(user_id, name), f"{user_id}-{at}", at)


async def test_a_row_that_is_read_again_after_an_event_is_fresh() -> None:
    async with room(names("live")) as at:
        reader = Reader(at)
        await at.append([renamed("jack", "A", 1)])
        assert await reader.name("jack") == Name("jack", "A", 1)  # type: ignore[call-arg]
        await at.append([renamed("jack", "B", 2)])
        assert await reader.name("jack") == Name("jack", "B", 2)  # type: ignore[call-arg]
        await at.append([envelope(Left("jack"), "gone", 3)])
        assert await reader.name("jack") is None


async def test_a_row_that_was_not_there_is_seen_once_it_is() -> None:
    async with room(names("live")) as at:
        reader = Reader(at)
        assert await reader.name("jack") is None
        await at.append([renamed("jack", "A", 1)])
        assert await reader.name("jack") == Name("jack", "A", 1)  # type: ignore[call-arg]


async def test_a_row_whose_subject_has_no_later_entry_is_not_folded_again() -> None:
    async with room(names("live")) as at:
        reader = Reader(at)
        await at.append([renamed("jack", "A", 1), renamed("jill", "B", 1)])
        for _ in range(3):
            await reader.name("jack")
            await reader.name("jill")
            await at.append([renamed("other", "C", at=len(reader.log.read))])
        assert reader.log.read == ["jack", "jill"]


async def test_only_so_many_rows_are_remembered_and_those_read_last_are() -> None:
    async with room(names("live")) as at:
        reader = Reader(at)
        users = [f"user-{n}" for n in range(REMEMBERED + 1)]
        await at.append([renamed(user, "A", 1) for user in users])
        for user in (*users[:REMEMBERED], users[0], users[REMEMBERED]):
            await reader.name(user)
        assert reader.log.read == users
        reader.log.read.clear()
        for user in (users[0], users[2], users[REMEMBERED], users[1]):
            await reader.name(user)
        assert reader.log.read == [users[1]]
