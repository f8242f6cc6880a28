"""Receipts in blocks are as they would be in rows, whatever is done to them, and are found by an index."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from itertools import product
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.backends.sqlite.store_of import Opened, opened
from tidings.backends.sqlite import receipt_blocks as blocks
from tidings.conformance.store_receiving import came, receive
from tidings.store.receipts import Received

STEPS, CHECKED = 60, 6
OUTCOMES = (None, "stored", "failed", "conflict", "dropped")


@pytest.fixture
async def store() -> AsyncIterator[Opened]:
    async with opened() as each:
        yield each


async def _blocks(store: Opened) -> list[tuple[int, int, str]]:
    rows: Any = await store.rows(f"SELECT first, last, receiver FROM {blocks.TABLE} ORDER BY last")
    return rows


async def _take_all_out(store: Opened) -> None:
    numbers = [n for first, last, _ in await _blocks(store) for n in range(first, last + 1)]
    await store.database.job(lambda connection: blocks.take_out(connection, numbers))


async def test_what_came_together_is_one_row_and_what_changes_is_taken_out(store: Opened) -> None:
    judged = await receive(store.store, *(came(key) for key in "abcd"))
    assert await _blocks(store) == [(judged[0].n, judged[3].n, "till")]
    assert await store.rows("SELECT n FROM tidings_receipt") == []
    await receive(store.store, came("b", at=9))
    numbers = [each.n for each in judged]
    assert await _blocks(store) == [(numbers[0], numbers[0], "till"), (numbers[2], numbers[3], "till")]
    assert [(each.n, each.seen) for each in await store.store.receipts()] == [
        *((numbers[3], 1), (numbers[2], 1), (numbers[1], 2), (numbers[0], 1))
    ]
    assert await store.store.forget_bodies(before=10, limit=9) == 4
    await receive(store.store, came("d", at=11))
    assert await store.store.forget_bodies(before=12, limit=9) == 0


async def test_a_block_has_no_gap_and_one_receiver(store: Opened) -> None:
    await receive(store.store, came("a"))
    both = [came("b"), came("a"), came("c"), came("d", receiver="bank"), came("e", outcome="failed"), came("f")]
    numbers = [each.n for each in await receive(store.store, *both) if each.verdict == "new"]
    assert [first for first, _, _ in await _blocks(store)] == [numbers[0], numbers[1], numbers[2], numbers[4]]
    assert all(first == last for first, last, _ in await _blocks(store))
    assert await store.rows("SELECT n FROM tidings_receipt WHERE outcome = 'failed'") == [(numbers[3],)]


async def test_a_block_is_closed_when_it_is_large(store: Opened) -> None:
    await receive(store.store, *(came(str(n)) for n in range(blocks.RECEIPTS_MAX + 1)))
    large = [replace(came(f"l{n}"), body=bytes(blocks.BYTES_MAX // 2 + 1)) for n in range(3)]
    await receive(store.store, *large)
    assert [last - first + 1 for first, last, _ in await _blocks(store)] == [blocks.RECEIPTS_MAX, 1, 2, 1]


class Both:
    """The same done to two stores, of which the second is never left with a block."""

    def __init__(self, store: Opened, other: Opened, seed: int) -> None:
        self.stores = (store, other)
        self.draw = random.Random(seed)
        self.now = 0
        self.numbers = [10**9]

    def later(self) -> int:
        self.now += 1
        return self.now

    def request(self) -> Received:
        key = str(self.draw.randrange(60))
        content, outcome = self.draw.choice([b"h"] * 9 + [b"o"]), self.draw.choice(["stored"] * 5 + ["failed"])
        receiver = self.draw.choice(("till", "till", "till", "bank"))
        one: Any = came(key, content=content, outcome=outcome, receiver=receiver, at=self.later())  # type: ignore[arg-type]
        return replace(one, forget_at=one.received + self.draw.choice((10, 200)))

    async def step(self) -> None:
        act = self.draw.choice((self._receive, self._receive, self._receive, self._replay, self._forget, self._bodies))
        await act()
        await _take_all_out(self.stores[1])

    async def _receive(self) -> None:
        requests = [self.request() for _ in range(self.draw.randrange(1, 12))]
        judged, others = [await receive(each.store, *requests) for each in self.stores]
        assert judged == others
        self.numbers += [each.n for each in judged]

    async def _replay(self) -> None:
        n, at = self.draw.choice(self.numbers), self.later()
        if await self.stores[0].store.receipt(n) is not None:
            for each in self.stores:
                await each.store.note_replay(n, None, at=at)

    async def _forget(self) -> None:
        now, limit = self.later(), self.draw.randrange(1, 30)
        for _ in range(99):
            gone = [await each.store.forget_receipts(now=now, limit=limit) for each in self.stores]
            assert gone[0] <= limit
            if gone == [0, 0]:
                return
        raise AssertionError("there is always more to forget")

    async def _bodies(self) -> None:
        before, limit = self.later() - self.draw.randrange(30), self.draw.randrange(1, 30)
        for _ in range(99):
            if [await each.store.forget_bodies(before=before, limit=limit) for each in self.stores] == [0, 0]:
                return
        raise AssertionError("there is always another body to forget")

    async def check(self) -> None:
        shown, others = [await self._shown(each) for each in self.stores]
        assert shown == others

    async def _shown(self, opened: Opened) -> Sequence[Any]:
        store, at, n = opened.store, self.now, self.numbers[-1]
        listed = [
            await store.receipts(receiver, outcome=outcome, limit=limit)  # type: ignore[arg-type]
            for receiver, outcome, limit in product((None, "till", "bank"), OUTCOMES, (1, 7, 1_000))
        ]
        listed += [await store.receipts("till", since=at - 20, until=at - 5), await store.receipts(before=n, limit=9)]
        single = [(await store.receipt(each), await store.stored_receipt(each)) for each in self.numbers[-30:]]
        owners = await store.owners("/till", [str(key) for key in range(60)])
        counted = [await store.count_receipts(each) for each in OUTCOMES if each is not None]  # type: ignore[arg-type]
        tallies = [await store.tally_receipts(each, newest=10**6) for each in ("till", "bank")]
        return [listed, single, owners, counted, tallies, await store.last_received(["till", "bank"])]


@pytest.mark.parametrize("seed", range(2))
async def test_receipts_in_blocks_are_those_that_would_be_in_rows(seed: int) -> None:
    async with opened() as store, opened() as other:
        both = Both(store, other, seed)
        for step in range(STEPS):
            await both.step()
            if step % CHECKED == 0:
                await both.check()
        assert len(both.numbers) > STEPS


async def test_of_a_block_as_much_is_counted_as_is_asked_for(store: Opened) -> None:
    await receive(store.store, *(came(str(n)) for n in range(10)))
    await receive(store.store, *(came(str(n), outcome="failed") for n in range(10, 13)))
    assert (await store.store.tally_receipts("till", newest=3)).outcomes == {"failed": 3}
    assert (await store.store.tally_receipts("till", newest=7)).outcomes == {"failed": 3, "stored": 4}
    assert (await store.store.tally_receipts("till", newest=99)).outcomes == {"failed": 3, "stored": 10}


async def test_what_is_found_in_blocks_is_found_by_an_index(store: Opened) -> None:
    await receive(store.store, came("a"), came("b"))
    async with store.steps() as steps:
        await store.store.receipts("till", limit=2)
        await store.store.receipts(limit=2)
        await store.store.receipt(1)
        await store.store.last_received(["till"])
        await store.store.tally_receipts("till", newest=5)
        await store.store.forget_bodies(before=5, limit=5)
        await store.store.forget_receipts(now=1, limit=5)
    asked = [step for step in dict.fromkeys(steps) if blocks.TABLE in step and not step.startswith("UPDATE")]
    plans = [await store.plan(step) for step in asked]
    assert len(plans) == 7
    scans = [plan for plan in plans if f"SCAN {blocks.TABLE}" in plan]
    assert scans == [f"SCAN {blocks.TABLE}"]  # of the newest ones of all receivers, by their numbers
    assert not any("TEMP B-TREE" in plan for plan in plans[:3])
