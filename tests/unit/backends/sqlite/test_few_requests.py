"""What a few requests write is written on the event loop's thread; their commit, and what many write, is not."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from tidings.backends.sqlite import open_sqlite
from tidings.backends.sqlite.connecting import BUSY_SECONDS
from tidings.backends.sqlite.database import Database
from tidings.backends.sqlite.multirow import EXACT, ROWS, pieces
from tidings.backends.sqlite.unit import HERE_BYTES, HERE_EVENTS
from tidings.conformance.samples import event
from tidings.conformance.store_receiving import came
from tidings.ports import Ports
from tidings.store.receipts import Arrival

HERE = threading.main_thread().name


class Threads:
    """Notes on which thread each crash point was passed."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}

    def at(self, name: str) -> None:
        self.of[name] = threading.current_thread().name


def arrivals(count: int, *, body: bytes = b"{}", events: int = 1) -> list[Arrival]:
    return [
        Arrival(
            received=came(f"k{n}", body=body),
            events=(tuple(event(f"k{n}.{place}", source="/till") for place in range(events)),),
        )
        for n in range(count)
    ]


async def threads_of(path: Path, arrived: list[Arrival]) -> tuple[str, str]:
    """Return on which threads these were written and committed."""
    seen = Threads()
    both = open_sqlite(str(path), Ports(points=seen))
    async with both.store.unit() as unit:
        unit.receive(arrived)
    assert [each.verdict for each in unit.judged] == ["new"] * len(arrived)
    assert (await both.log.head()).position == sum(len(each.events[0]) for each in arrived)
    await both.close()
    return seen.of["receiver:receipt-written"], seen.of["unit:commit-sent"]


async def test_a_few_are_written_on_the_loops_thread_and_committed_on_the_writers(tmp_path: Path) -> None:
    written, committed = await threads_of(tmp_path / "x.db", arrivals(HERE_EVENTS))
    assert written == HERE != committed


@pytest.mark.parametrize(
    "arrived",
    [
        arrivals(HERE_EVENTS + 1),
        arrivals(2, body=b"x" * (HERE_BYTES // 2 + 1)),
        arrivals(2, events=HERE_EVENTS // 2 + 1),
    ],
    ids=["many", "large", "many events"],
)
async def test_what_would_hold_up_the_loop_is_written_on_the_writers_thread(
    tmp_path: Path, arrived: list[Arrival]
) -> None:
    written, committed = await threads_of(tmp_path / "x.db", arrived)
    assert written == committed != HERE


async def test_while_another_process_writes_the_writers_thread_waits_and_the_loop_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[bool, int]] = []
    begin = Database._begin

    def noted(self: Database, connection: sqlite3.Connection) -> None:
        [(waits,)] = connection.execute("PRAGMA busy_timeout")
        begun.append((threading.current_thread().name == HERE, waits))
        begin(self, connection)

    monkeypatch.setattr(Database, "_begin", noted)
    both = open_sqlite(str(tmp_path / "x.db"), Ports())
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def receive() -> None:
        async with both.store.unit() as unit:
            unit.receive(arrivals(1))

    receiving = asyncio.create_task(receive())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not receiving.done()
    other.execute("COMMIT")
    await receiving
    assert begun == [(True, 0), (False, BUSY_SECONDS * 1_000)]
    assert [row.n for row in await both.store.receipts(limit=9)] == [1]
    other.close()
    await both.close()


async def test_what_fails_on_the_loops_thread_is_undone_and_the_next_is_kept(tmp_path: Path) -> None:
    both = open_sqlite(str(tmp_path / "x.db"), Ports())
    contradicting = [
        Arrival(received=came("a"), events=((event("same", source="/till"),),)),
        Arrival(received=came("b"), events=((event("same", source="/till", type="another"),),)),
    ]
    with pytest.raises(Exception, match="same"):
        async with both.store.unit() as unit:
            unit.receive(contradicting)
    assert list(await both.store.receipts(limit=9)) == []
    async with both.store.unit() as unit:
        unit.receive(arrivals(1))
    assert [each.verdict for each in unit.judged] == ["new"]
    await both.close()


@pytest.mark.parametrize("count", [0, 1, EXACT - 1, EXACT, EXACT + 1, ROWS - 1, ROWS, ROWS + 1, 3 * ROWS + EXACT])
def test_rows_come_in_few_pieces(count: int) -> None:
    sizes = list(pieces(count))
    assert sum(sizes) == count
    assert 0 not in sizes
    assert len([size for size in sizes if size != ROWS]) <= 2
