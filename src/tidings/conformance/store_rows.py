"""Chapter "rows": what a view's table is given is what comes back, whatever is in it and whatever order it came in."""

from __future__ import annotations

from itertools import permutations
from random import Random
from typing import Any

import pytest

from tidings.conformance.store_samples import claimed_one, made, replace_rows, row, rows_in, table, undone
from tidings.errors import InvalidDataError, NotFoundError, RefusedError
from tidings.store.driver import StoreDriver
from tidings.store.rows import Column, ColumnKind, Rank, Row, ViewTable

KINDS: tuple[tuple[ColumnKind, tuple[Any, ...]], ...] = (
    ("text", ("", "a", "ünï", "'\";--", "\u05d0\u202e", "x" * 65_536, "1", "null")),
    ("integer", (0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1)),
    ("real", (0.0, 0.1, 1 / 3, -1.5e308, 5e-324, 1.7976931348623157e308, float("inf"), float("-inf"))),
    ("boolean", (True, False)),
    ("blob", (b"", b"\x00\xff", bytes(range(256)) * 16)),
    ("time", (0, 1_700_000_000_123_456, -1)),
    ("decimal", ("0.10", "-1E+400", "12345678901234567890.123456789")),
    ("json", ("null", '{"a":[1,2.50,"\\u0000"]}', '"text"')),
)
HOSTILE = [
    "",
    " ",
    "'",
    '"',
    "';DROP TABLE x;--",
    "%",
    "_",
    "100%_a",
    "\\",
    "?",
    ":a",
    "$1",
    "\n\t",
    "\x7f",
    "é",
    "e\u0301",
    "\u202e\u05d0\u05d1",
    "\U0001f700",
    "NULL",
    "k" * 65_536,
    "[]",
    "{}",
    "\ufeff",
    "\uffff",
]
COUNTS = table()
PAIRS = table(Column("shop", "text"), Column("count", "integer"), Column("item", "integer"), key=("item", "shop"))


class Rowing:
    """A mixin of `StoreSuite`."""

    @pytest.mark.parametrize(("kind", "values"), KINDS, ids=[kind for kind, _ in KINDS])
    async def test_values_of_every_kind_come_back_as_they_were(
        self, store: StoreDriver, kind: ColumnKind, values: tuple[Any, ...]
    ) -> None:
        view = await made(store, table(Column("key", "integer"), Column("value", kind), Column("none", kind, True)))
        given = [row(n, value, None if n % 2 else value) for n, value in enumerate(values)]
        await replace_rows(store, view, *given)
        async with store.unit() as unit:
            found = await unit.rows(view, [(n,) for n in range(len(values))])
        assert list(found.values()) == given
        assert [type(each.values[1]) for each in found.values()] == [type(value) for value in values]
        assert await rows_in(store, view) == given

    async def test_ranks_and_positions_come_back_as_they_were(self, store: StoreDriver) -> None:
        view = await made(store, COUNTS)
        most, least = 2**63 - 1, -(2**63)
        given = [Row(("a", 1), Rank(most, 1, 0, least), most), Row(("b", 1), Rank(least, 0, 1, most), 1)]
        await replace_rows(store, view, *given)
        async with store.unit() as unit:
            found = await unit.rows(view, [("a",), ("b",)])
        assert list(found.values()) == given
        assert isinstance(found["a",].rank, Rank)
        assert [each.is_tombstone for each in found.values()] == [False, True]

    @pytest.mark.parametrize("kind", ["text", "blob"])
    async def test_hostile_keys_come_back_as_they_were(self, store: StoreDriver, kind: ColumnKind) -> None:
        view = await made(store, table(Column("key", kind), Column("count", "integer"), spans=True))
        wanted = [text.encode() if kind == "blob" else text for text in HOSTILE]
        given = [row(key, n) for n, key in enumerate(wanted)]
        async with store.unit() as unit:
            await unit.replace(view, given)
            assert await unit.join(view, [((key,), 1) for key in wanted]) == {((key,), 1) for key in wanted}
        async with store.unit() as unit:
            assert await unit.rows(view, [(key,) for key in wanted]) == {each.values[:1]: each for each in given}
            assert await unit.members(view, [(key,) for key in wanted]) == {(key,): [1] for key in wanted}
        for each in given:
            assert list(await store.select(view, equal={"key": each.values[0]}, after=None, limit=9)) == [each]
        assert [each.values[0] for each in await rows_in(store, view)] == sorted(
            wanted, key=lambda key: key.encode() if isinstance(key, str) else key
        )

    async def test_a_text_with_u0000_comes_back_whole_or_is_refused(self, store: StoreDriver) -> None:
        view = await made(store, COUNTS)
        given = [row("a", 1), row("a\x00", 2), row("a\x00b", 3)]
        try:
            await replace_rows(store, view, *given)
        except InvalidDataError:
            given = []
        assert await rows_in(store, view) == given

    async def test_a_key_of_several_columns_is_in_its_own_order(self, store: StoreDriver) -> None:
        view = await made(store, PAIRS)
        given = [row(shop, 10 * item, item) for shop in ("a", "b") for item in (1, 2, 3)]
        await replace_rows(store, view, *given)
        async with store.unit() as unit:
            found = await unit.rows(view, [(2, "b"), (3, "a"), (9, "a")])
        assert found == {(2, "b"): row("b", 20, 2), (3, "a"): row("a", 30, 3)}
        page = await store.every(view, after=(1, "b"), limit=3)
        assert [each.values for each in page] == [("a", 20, 2), ("b", 20, 2), ("a", 30, 3)]

    @pytest.mark.parametrize("count", [0, 1, 2, 3, 255, 256, 257, 1_000, 2_049])
    async def test_pages_of_any_size_are_kept_and_found(self, store: StoreDriver, count: int) -> None:
        view = await made(store, COUNTS)
        given = [row(f"{n:05}", n) for n in range(count)]
        async with store.unit() as unit:
            await unit.replace(view, given)
            await unit.replace(view, given)
            found = await unit.rows(view, [each.values[:1] for each in given])
        assert list(found.values()) == given
        assert await rows_in(store, view) == given

    async def test_what_was_looked_for_in_vain_is_kept_among_what_was_there(self, store: StoreDriver) -> None:
        columns = [Column(kind, kind, nullable=kind == "json") for kind, _ in KINDS]
        view = await made(store, table(Column("key", "text"), Column("n", "integer"), *columns, key=("n", "key")))
        given = [
            row("ü", n, *(values[n % len(values)] if n % 7 or kind != "json" else None for kind, values in KINDS), at=n)
            for n in range(600)
        ]
        given[5:8] = [row(*each.values[:2], *[None] * len(KINDS), kind=1, position=9) for each in given[5:8]]
        await replace_rows(store, view, *given[::3])
        keys = [each.values[1::-1] for each in given]
        async with store.unit(await claimed_one(store, view.consumer)) as unit:
            assert list(await unit.rows(view, keys)) == keys[::3]
            await unit.replace(view, [*given, *given[:9]])
            found = await unit.rows(view, keys)
        assert list(found) == keys
        assert [each.is_tombstone for each in found.values()] == [each.is_tombstone for each in given]
        assert [each for each in await rows_in(store, view) if not each.is_tombstone] == given[:5] + given[8:]

    async def test_a_wide_table_is_kept_and_found(self, store: StoreDriver) -> None:
        names = [f"c{n}" for n in range(200)]
        view = await made(store, table(*(Column(name, "integer") for name in names), key=("c199",)))
        given = [row(*range(n, 199 + n), n) for n in range(300)]
        await replace_rows(store, view, *given)
        assert await rows_in(store, view) == given

    async def test_columns_may_have_names_that_mean_something_else(self, store: StoreDriver) -> None:
        names = ["select", "group", "order", "Mixed", "rowid", "k", "d", "value", "excluded", "wanted"]
        view = await made(store, table(*(Column(name, "integer") for name in names), key=("order", "group")))
        given = [row(*range(10))]
        async with store.unit() as unit:
            await unit.replace(view, given)
            await unit.put(view, given)
            assert list((await unit.rows(view, [(2, 1)])).values()) == given
        assert list(await store.select(view, equal={"select": 0, "Mixed": 3}, after=(1, 1), limit=2)) == given

    async def test_replacing_keeps_the_row_whatever_is_there(self, store: StoreDriver) -> None:
        view = await made(store, COUNTS)
        await replace_rows(store, view, row("a", 1, at=9, position=9))
        await replace_rows(store, view, row("a", 2, at=1, position=3))
        assert await rows_in(store, view) == [row("a", 2, at=1, position=3)]

    async def test_the_newest_rank_stays_whatever_order_rows_are_put_in(self, store: StoreDriver) -> None:
        states = [
            row("a", 1, at=1, position=1),
            row("a", 2, at=5, position=2),
            row("a", 3, at=5, hash=-1, position=3),
            row("a", 4, at=5, settled=1, position=4),
            row("a", 5, at=5, kind=1, position=5),
            row("a", 6, at=-3, hash=9, position=6),
        ]
        highest = max(states, key=lambda state: state.rank)
        for number, order in enumerate(permutations(states)):
            if number % 12:
                continue
            view = await made(store, table(view=f"put_{number}"))
            async with store.unit() as unit:
                for state in order[:3]:
                    await unit.put(view, [state])
                await unit.put(view, [*order[2:], order[0]])
            assert await rows_in(store, view) == [highest]

    @pytest.mark.parametrize("seed", range(8))
    async def test_any_order_any_repetition_and_any_pages_of_puts_end_in_the_same_rows(
        self, store: StoreDriver, seed: int
    ) -> None:
        draw = Random(seed)  # noqa: S311 - a seed makes the same rows again
        given = [
            row(f"{n % 7}", n, at=draw.randrange(5), settled=draw.randrange(2), kind=n % 3 // 2, hash=n, position=n)
            for n in range(60)
        ]
        newest = {each.values[0]: each for each in sorted(given, key=lambda each: each.rank)}
        for number in range(4):
            view = await made(store, table(view=f"put_{number}"))
            left = given + draw.choices(given, k=40)
            draw.shuffle(left)
            while left:
                first, second = draw.randrange(1, 30), draw.randrange(1, 30)
                async with store.unit() as unit:
                    await unit.put(view, left[:first])
                    await unit.put(view, left[first : first + second])
                del left[: first + second]
            assert await rows_in(store, view) == [newest[key] for key in sorted(newest)]

    async def test_a_late_put_does_not_bring_back_what_is_deleted(self, store: StoreDriver) -> None:
        view = await made(store, COUNTS)
        gone = row("a", None, at=5, kind=1, position=9)
        async with store.unit() as unit:
            await unit.put(view, [gone])
            await unit.put(view, [row("a", 1, at=4, position=10)])
            found = (await unit.rows(view, [("a",)]))["a",]
        assert found.is_tombstone
        assert (found.rank, found.position) == (gone.rank, gone.position)
        assert list(await store.select(view, equal={}, after=None, limit=9)) == []
        assert len(await rows_in(store, view)) == 1

    async def test_a_tombstone_is_purged_only_while_it_has_the_rank_that_was_read(self, store: StoreDriver) -> None:
        view = await made(store, PAIRS)
        gone = [row("x", 0, n, at=n, kind=1) for n in range(5)]
        live = row("x", 1, 9, at=3)
        await replace_rows(store, view, *gone, live)
        newer = row("x", 0, 2, at=7, kind=1)
        async with store.unit() as unit:
            await unit.put(view, [newer, row("x", 1, 3, at=9)])
            ranks = {(each.values[2], each.values[0]): each.rank for each in [*gone, live]}
            await unit.purge(view, {(0, "x"): gone[0].rank})
            assert (0, "x") not in await unit.rows(view, [(0, "x")])
            await unit.purge(view, {})
            await unit.purge(view, ranks)
        assert await rows_in(store, view) == [newer, row("x", 1, 3, at=9), live]

    async def test_reading_passes_over_tombstones_and_compares_by_value(self, store: StoreDriver) -> None:
        columns = (Column("key", "text"), Column("shop", "text", True), Column("open", "boolean"))
        view = await made(store, table(*columns))
        given = [
            row("a", "x", True),
            row("b", None, True),
            row("c", "x", False, kind=1),
            row("d", "x", False),
            row("e", "y", True),
        ]
        await replace_rows(store, view, *given)

        async def found(after: tuple[str, ...] | None = None, limit: int = 9, **equal: Any) -> str:
            page = await store.select(view, equal=equal, after=after, limit=limit)
            return "".join(each.values[0] for each in page)

        assert await found() == "abde"
        assert await found(("a",), 2) == "bd"
        assert await found(("e",)) == ""
        assert await found(shop="x") == "ad"
        assert await found(shop=None) == "b"
        assert await found(open=True, shop="y") == "e"
        assert await found(key="d", open=True) == ""
        with pytest.raises(NotFoundError, match="nothing"):
            await found(nothing=1)

    async def test_members_are_noted_once(self, store: StoreDriver) -> None:
        view = await made(store, table(spans=True))
        first = [(("a",), 1), (("a",), 3), (("b",), 1)]
        async with store.unit() as unit:
            assert await unit.join(view, first) == set(first)
            assert await unit.join(view, [*first, (("a",), 2), (("a",), 2)]) == {(("a",), 2)}
        async with undone(store.unit()) as unit:
            await unit.join(view, [(("a",), 9)])
        async with store.unit() as unit:
            assert await unit.members(view, [("b",), ("a",), ("c",)]) == {("a",): [1, 2, 3], ("b",): [1]}

    async def test_many_members_are_noted(self, store: StoreDriver) -> None:
        view = await made(store, table(spans=True))
        noted = [((f"{n % 7}",), n) for n in range(1, 2_000)]
        async with store.unit() as unit:
            await unit.join(view, noted[::2])
            assert await unit.join(view, noted) == set(noted[1::2])
            found = await unit.members(view, [(f"{n}",) for n in range(7)])
        assert found["3",] == [n for n in range(1, 2_000) if n % 7 == 3]

    @pytest.mark.parametrize("name", ["a b", "", 'a"b', "a;b", "_kind", "é", "a.b"])
    async def test_names_that_no_column_can_have_are_refused(self, store: StoreDriver, name: str) -> None:
        with pytest.raises(RefusedError):
            await made(store, table(Column(name, "text"), key=(name,)))
        with pytest.raises(RefusedError):
            await made(store, ViewTable(service="x", view=f"{name}!", version=1, columns=COUNTS.columns, key=("key",)))
        assert await store.views() == []
