from __future__ import annotations

from msgspec.structs import replace

from tests.unit.reconciliation.shop import shop
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.kept.coding import Finding, place_key

AT = place_key(("o1",))
FIRST = Finding(id="1", kind="missing", key="o1", at=AT, rank=(1, 1, 0, 5), base=None, run="r", since=1, state="open")
SECOND = replace(FIRST, id="2", kind="stale", rank=(2, 1, 0, 6), base=FIRST.rank)


async def test_a_merged_repair_does_not_hide_a_later_one_of_its_key() -> None:
    async with shop() as at, at.opened.store.unit() as unit:
        await unit.hold("till-orders")
        book = Book(unit, "till-orders")
        for each in (FIRST, SECOND, replace(FIRST, state="merged")):
            await book.write_findings([each])
        assert await book.open_at([AT]) == {AT: SECOND}
        await book.write_findings([replace(SECOND, state="merged")])
        assert await book.open_at([AT]) == {}
