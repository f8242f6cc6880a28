"""What a page is taken in by is read at once, and is what reading it piece by piece gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.unit.reconciliation.shop import shop
from tidings.backends.sqlite.database import Database
from tidings.reconciliation.kept.book import Book, Kept, spans_of_page
from tidings.reconciliation.kept.coding import Finding, Mirrored, Suspect, place_key
from tidings.reconciliation.listing import Page
from tidings.reconciliation.rules.facts import Rate
from tidings.reconciliation.rules.floors import Known
from tidings.reconciliation.rules.places import START, Range
from tidings.store.note_store import Alike
from tidings.store.rows import Rank

SCOPE = "till-orders"
PLACES = [place_key((key,)) for key in ("a", "b", "c", "d")]
RANGE = Range(("a",), ("c",))
OPEN = Finding(
    id="1", kind="stale", key="b", at=PLACES[1], rank=(2, 1, 0, 6), base=None, run="r", since=1, state="open"
)


def held(at: bytes, hash: int, kind: int = 0) -> Mirrored:
    return Mirrored("k", at, Rank(1, 1, kind, hash))


def alike(*hashes: int) -> Alike:
    joined = b"".join(at + Mirrored.content(hash) for at, hash in zip(PLACES[1:], hashes, strict=False))
    return Alike(Mirrored.CONTENT, joined, len(hashes))


async def fill(book: Book) -> None:
    await book.write_mirror({at: held(at, n) for n, at in enumerate(PLACES)})
    await book.write_suspects(
        {at: Suspect(key="k", at=at, run="r", as_of=1, ticket=0, since=1) for at in (PLACES[0], PLACES[2])}
    )
    await book.write_key_floors(dict.fromkeys(PLACES, 7))
    floors = await book.floors(RANGE)
    await book.write_floors(floors, floors.raised(Range(START, ("b",)), Known(put=3, delete=3)))


async def kept(book: Book, range: Range, alike: Alike | None = None) -> Kept:
    await book.look_ahead(spans_of_page("r", range, alike))
    return await book.kept(range)


@pytest.mark.parametrize("range", [RANGE, Range(START, None), Range(("c",), None), Range(("b",), ("b",))])
async def test_what_was_read_ahead_is_what_is_kept(range: Range) -> None:
    async with shop() as at, at.opened.store.unit() as unit:
        await unit.hold(SCOPE)
        await fill(book := Book(unit, SCOPE))
        one_by_one = await book.kept(range)
        assert await kept(book, range) == one_by_one
        await book.write_findings([OPEN])
        assert (await kept(book, range)).open == (await book.kept(range)).open


async def test_a_mirror_that_is_alike_is_not_told_and_any_other_is() -> None:
    async with shop() as at, at.opened.store.unit() as unit:
        await unit.hold(SCOPE)
        await fill(book := Book(unit, SCOPE))
        found = await kept(book, RANGE, alike(1, 2))
        assert (found.is_alike, found.mirror) == (True, {})
        for other in (alike(1, 3), alike(1), alike(1, 2, 3), None):
            found = await kept(book, RANGE, other)
            assert (found.is_alike, [*found.mirror]) == (False, PLACES[1:3])
        await book.write_mirror({PLACES[2]: held(PLACES[2], 2, kind=1)})  # gone, whatever it is a hash of
        assert not (await kept(book, RANGE, alike(1, 2))).is_alike


async def test_where_a_repair_is_open_the_mirror_is_told_although_it_is_alike() -> None:
    async with shop() as at, at.opened.store.unit() as unit:
        await unit.hold(SCOPE)
        await fill(book := Book(unit, SCOPE))
        await book.write_findings([OPEN])
        found = await kept(book, RANGE, alike(1, 2))
        assert (found.is_alike, [*found.mirror], [*found.open]) == (False, PLACES[1:3], [PLACES[1]])


async def test_what_was_changed_since_is_read_anew() -> None:
    async with shop() as at, at.opened.store.unit() as unit:
        await unit.hold(SCOPE)
        await fill(book := Book(unit, SCOPE))
        await book.look_ahead(spans_of_page("r", RANGE, alike(1, 2)))
        await book.write_mirror({PLACES[1]: held(PLACES[1], 9)})
        await book.write_key_floors({PLACES[1]: None})
        found = await book.kept(RANGE)
        assert (found.is_alike, found.mirror.shows(PLACES[1], 9), found.key_floors) == (False, True, {PLACES[2]: 7})


async def test_a_page_that_agrees_is_two_turns_of_the_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []
    stood: list[int] = []
    found: list[Kept] = []
    kept = Book.kept

    async def told(self: Book, range: Range) -> Kept:
        found.append(await kept(self, range))
        return found[-1]

    monkeypatch.setattr(Book, "kept", told)
    for name in ("hop", "read"):
        monkeypatch.setattr(Database, name, counted(getattr(Database, name), name, turns))

    def bend(page: Page) -> Page:
        stood.append(len(turns))
        return page

    rate = Rate(per_second=1e6, burst=10**6, bulk_share=1.0)
    async with shop(url=f"sqlite:///{tmp_path / 'shop.db'}", rate=rate) as at:
        for n in range(40):
            at.provider.put(f"o{n:02d}", n)
        await at.run()
        at.provider.bend = bend
        found.clear()
        assert (await at.run()).equal == 40
    assert [each.is_alike for each in found] == [True] * 10
    # Between some pages there are two more, since it has to be looked how often the provider may be asked.
    assert min(after - before for before, after in pairwise(stood)) == 2


def counted(do: Callable[[Database, Any], Awaitable[Any]], name: str, turns: list[str]) -> Any:
    async def call(self: Database, job: Any) -> Any:
        turns.append(name)
        return await do(self, job)

    return call
