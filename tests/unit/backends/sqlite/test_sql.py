"""What a handler's own statements may write, whatever they look like."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.backends.sqlite.store_of import Opened, opened
from tidings.errors import RefusedError
from tidings.store.rows import Column, ViewRecord, ViewTable

HEAD = "UPDATE tidings_head SET pos = pos"


@pytest.fixture
async def store() -> AsyncIterator[Opened]:
    table = ViewTable(
        service="shop", view="order", version=1, columns=(Column("key", "text"),), key=("key",), spans=True
    )
    async with opened() as made:
        await made.store.create_view(ViewRecord(table=table, state="current", shape="s", mode="async"))
        async with made.store.unit() as unit:
            await unit.sql.execute("CREATE TABLE shop_line (key TEXT, tidings_note TEXT)")
        yield made


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("DROP TABLE tidings_log", "tidings_log"),
        ("/* x */ UPDATE tidings_head SET pos = 0", "tidings_head"),
        ("DELETE FROM tidings_log", "tidings_log"),
        ('WITH x AS (SELECT 1) DELETE FROM main."TIDINGS_LOG"', "tidings_log"),
        ("INSERT INTO tidings_view SELECT * FROM tidings_view", "tidings_view"),
        ("ALTER TABLE tidings_log ADD COLUMN zz", "tidings_log"),
        ("CREATE TRIGGER t AFTER INSERT ON tidings_log BEGIN SELECT 1; END", "tidings_log"),
        ("CREATE INDEX i ON tidings_log (type)", "tidings_log"),
        ("CREATE TABLE tidings_mine (a)", "tidings_mine"),
        ("CREATE TEMP TABLE Tidings_Log (a)", "Tidings_Log"),
        ("CREATE TEMP VIEW tidings_log AS SELECT 1", "tidings_log"),
        ("INSERT INTO shop_order__v1 VALUES ('a', 0, 0, 0, 0, 0)", "shop_order__v1"),
        ("REPLACE INTO shop_order__v1__members VALUES ('a', 1)", "shop_order__v1__members"),
        ("DROP TABLE shop_order__v1", "shop_order__v1"),
        ("CREATE TABLE shop_order__v2 (a)", "shop_order__v2"),
        ("DROP VIEW shop_order", "shop_order"),
        ("DROP /* x */ VIEW IF EXISTS main.Shop_Order", "shop_order"),
        ("CREATE TEMP VIEW shop_order AS SELECT 1", "shop_order"),
    ],
)
async def test_tables_of_tidings_and_of_views_are_not_a_handlers_to_write(
    store: Opened, statement: str, name: str
) -> None:
    before = await store.rows("SELECT * FROM sqlite_master")
    async with store.store.unit() as unit:
        with pytest.raises(RefusedError, match=f"^{name} is not a handler's to write"):
            await unit.sql.execute(statement)
        with pytest.raises(RefusedError, match=f"^{name} is not a handler's to write"):
            await unit.sql.fetch(statement)
        await unit.sql.execute("INSERT INTO shop_line VALUES ('a', 'b')")
    assert await store.rows("SELECT * FROM sqlite_master") == before
    assert await store.rows("SELECT * FROM shop_line") == [("a", "b")]


async def test_no_trigger_is_a_way_around(store: Opened) -> None:
    async with store.store.unit() as unit:
        await unit.sql.execute("CREATE TRIGGER t AFTER INSERT ON shop_line BEGIN DELETE FROM tidings_log; END")
        with pytest.raises(RefusedError, match="tidings_log is not a handler's to write"):
            await unit.sql.execute("INSERT INTO shop_line VALUES ('a', 'b')")


async def test_a_statement_that_tidings_has_prepared_itself_is_refused_too(store: Opened) -> None:
    await store.rows(HEAD)
    async with store.store.unit() as unit:
        for _ in range(2):
            with pytest.raises(RefusedError, match="tidings_head is not a handler's"):
                await unit.sql.execute(HEAD)
    await store.rows(HEAD)


async def test_a_handler_reads_everything_and_does_what_it_likes_with_its_own(store: Opened) -> None:
    async with store.store.unit() as unit:
        assert await unit.sql.fetch("SELECT count(*) FROM tidings_log, shop_order__v1, shop_order") == [(0,)]
        await unit.sql.execute("INSERT INTO shop_line (key, tidings_note) SELECT 'a', pos FROM tidings_head;")
        assert await unit.sql.execute("UPDATE shop_line SET tidings_note = ? -- mine", ("b",)) == 1
        await unit.sql.execute("CREATE INDEX shop_index ON shop_line (tidings_note)")
        await unit.sql.execute("ALTER TABLE shop_line RENAME TO shop_lines")
        await unit.sql.execute("DROP TABLE shop_lines")
        await unit.sql.execute("CREATE VIEW shop_mine AS SELECT key FROM shop_order")
        await unit.sql.execute("DROP VIEW shop_mine")


async def test_what_sqlite_refuses_by_itself_is_told_as_it_is(store: Opened) -> None:
    async with store.store.unit() as unit:
        with pytest.raises(RefusedError):
            await unit.sql.execute("DROP TABLE tidings_log")
        with pytest.raises(Exception, match="no such table: nowhere"):
            await unit.sql.execute("DELETE FROM nowhere")


async def test_a_placeholder_with_a_number_means_that_parameter_wherever_it_stands(store: Opened) -> None:
    async with store.store.unit() as unit:
        assert await unit.sql.fetch("SELECT $2, $1, $2", ("a", "b")) == [("b", "a", "b")]
        assert await unit.sql.execute("INSERT INTO shop_line (tidings_note, key) VALUES ($2, $1)", ("k", "n")) == 1
        assert await unit.sql.fetch("SELECT * FROM shop_line WHERE key = ?", ("k",)) == [("k", "n")]
        quoted = "SELECT '$1', \"key\", ? /* $1 */ FROM shop_line -- $2"
        assert await unit.sql.fetch(quoted, ("x",)) == [("$1", "k", "x")]
