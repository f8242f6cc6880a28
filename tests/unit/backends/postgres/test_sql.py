"""What a handler's own statements may do, whatever they look like."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.unit.backends.postgres.room import Opened, opened
from tidings.backends.postgres.sql import first_word
from tidings.errors import InvalidDataError, RefusedError
from tidings.store.rows import Column, Rank, Row, ViewRecord, ViewTable

TABLE = ViewTable(service="shop", view="order", version=1, columns=(Column("key", "text"),), key=("key",), spans=True)
ORDER = "shop.order__v1"


@pytest.fixture
async def at(postgres_url: str) -> AsyncIterator[Opened]:
    async with opened(postgres_url) as room:
        await room.store.create_view(ViewRecord(table=TABLE, state="current", shape="s", mode="async"))
        async with room.store.unit() as unit:
            await unit.sql.execute("CREATE TABLE shop_line (key text PRIMARY KEY, count bigint)")
        yield room


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("SELECT 1", "SELECT"),
        ("  ;\n (select 1)", "SELECT"),
        ("-- one\n/* two /* three */ SELECT */ COMMIT", "COMMIT"),
        ("/* /* */ SELECT */ COMMIT", "COMMIT"),
        ("/* never ends COMMIT", ""),
        ("-- SELECT 1", ""),
        ("1", ""),
        ("", ""),
    ],
)
def test_the_first_word_is_what_postgresql_would_run(statement: str, word: str) -> None:
    assert first_word(statement) == word


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE tidings.checkpoint SET pos = 0", "tidings.checkpoint"),
        ("/* x */ DELETE FROM tidings.log", "tidings.log"),
        ('WITH x AS (SELECT 1) DELETE FROM "tidings"."log"', "tidings.log"),
        ("WITH x AS (DELETE FROM tidings.log RETURNING 1) SELECT * FROM x", "tidings.log"),
        ("INSERT INTO tidings.view SELECT * FROM tidings.view", "tidings.view"),
        ("INSERT INTO shop.order__v1 VALUES ('a', 0, 0, 0, 0, 0)", ORDER),
        ("INSERT INTO shop_order VALUES ('a')", ORDER),
        ("DELETE FROM shop.order__v1__members", f"{ORDER}__members"),
        ("DROP TABLE tidings.log", "tidings.log"),
        ("TRUNCATE shop_line, tidings . outbox", "tidings . outbox"),
        ("ALTER TABLE shop.order__v1 ADD COLUMN zz int", "order__v1"),
        ("CREATE TABLE shop.order__v2 (a int)", "order__v2"),
        ("SELECT 1 AS a INTO tidings.made", "tidings.made"),
        ("WITH x AS (SELECT 1 AS a) SELECT a INTO UNLOGGED TABLE tidings.made FROM x", "tidings.made"),
        ('CREATE TRIGGER t AFTER INSERT ON "tidings"."log" EXECUTE FUNCTION f()', '"tidings"."log"'),
        ("CREATE SCHEMA IF NOT EXISTS tidings", "tidings"),
        ("ALTER TABLE shop_line SET SCHEMA tidings", "tidings"),
        ("SELECT setval('tidings.position', 1)", "tidings.position"),
        ("INSERT INTO shop_line SELECT 'a', nextval ( '\"tidings\".position'::regclass)", '"tidings".position'),
        ("DROP VIEW shop_order", "shop_order"),
        ('DROP VIEW IF EXISTS shop_mine, public."shop_order" CASCADE', "shop_order"),
        ("ALTER VIEW /* x */ shop_order RENAME TO shop_mine", "shop_order"),
        ("ALTER TABLE shop_order RENAME TO shop_mine", "shop_order"),
        ("CREATE OR REPLACE VIEW Shop_Order (key) AS SELECT 'x'::text", "shop_order"),
    ],
)
async def test_tables_of_tidings_and_of_views_are_not_a_handlers_to_write(
    at: Opened, statement: str, name: str
) -> None:
    tables = "SELECT relname FROM pg_class ORDER BY 1"
    before = await at.rows(tables)
    async with at.store.unit() as unit:
        for run in (unit.sql.execute, unit.sql.fetch):
            with pytest.raises(RefusedError) as error:
                await run(statement)
            assert str(error.value).startswith(f"{name} is not a handler's to write")
        assert await unit.sql.execute("INSERT INTO shop_line VALUES ($1, $2)", ("a", 1)) == 1
    assert await at.rows(tables) == before
    assert await at.rows("SELECT * FROM shop_line") == [("a", 1)]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DROP SCHEMA tidings CASCADE", "DROP SCHEMA"),
        ("DROP SCHEMA IF EXISTS shop CASCADE", "DROP SCHEMA"),
        ("alter /* a */ schema -- b\n shop RENAME TO other", "alter schema"),
        ("DROP OWNED BY CURRENT_USER", "DROP OWNED"),
        ("ALTER ROLE CURRENT_USER SET search_path = tidings", "ALTER ROLE"),
        ("ALTER USER CURRENT_USER SET search_path = tidings", "ALTER USER"),
        ("ALTER DATABASE shop SET search_path = tidings", "ALTER DATABASE"),
        ("REVOKE ALL ON ALL TABLES IN SCHEMA tidings FROM CURRENT_USER", "ALL TABLES IN SCHEMA"),
        ("GRANT ALL ON ALL TABLES IN SCHEMA shop TO PUBLIC", "ALL TABLES IN SCHEMA"),
        ("REVOKE CREATE, USAGE ON SCHEMA shop FROM CURRENT_USER", "ON SCHEMA"),
        ('ALTER TABLE U&"t\\0069dings".log ADD x int', 'U&"'),
    ],
)
async def test_what_reaches_tables_without_their_names_is_refused(at: Opened, statement: str, why: str) -> None:
    async with at.store.unit() as unit:
        for run in (unit.sql.execute, unit.sql.fetch):
            with pytest.raises(RefusedError) as error:
                await run(statement)
            assert str(error.value).startswith(f"{why} ")


async def test_a_handler_defines_what_it_likes_of_its_own(at: Opened) -> None:
    async with at.store.unit() as unit:
        for statement in (
            "CREATE SCHEMA IF NOT EXISTS shop_own",
            "CREATE TABLE shop_own.line (schema text, role text, owned text, tidings text, shop_order text)",
            "COMMENT ON TABLE shop_own.line IS 'DROP SCHEMA tidings; DROP VIEW shop_order; U&\"x\"'",
            "ALTER TABLE shop_own.line RENAME COLUMN shop_order TO schema_tidings",
            "CREATE OR REPLACE VIEW shop_mine AS SELECT key FROM shop_order",
            "ALTER VIEW shop_mine RENAME TO shop_yours",
            "DROP VIEW shop_yours",
            "GRANT SELECT ON shop_order TO PUBLIC",
            "COMMENT ON VIEW shop_order IS 'what was ordered'",
            "GRANT USAGE ON SCHEMA shop_own TO PUBLIC",
            "CREATE SEQUENCE shop_own.number",
            "SELECT setval('shop_own.number', 7), nextval('shop_own.number')",
            "SELECT pg_sequence_last_value('tidings.position')",
            "DROP TABLE shop_own.line",
        ):
            await unit.sql.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SET search_path = x",
        "DO $$ BEGIN END $$",
        "CALL f()",
        "PREPARE TRANSACTION 'x'",
        "LISTEN x",
        "EXPLAIN ANALYZE DELETE FROM tidings.log",
        "EXPLAIN (COSTS off, analyze) SELECT 1",
        "SELECT set_config('synchronous_commit', 'off', false)",
        "SELECT set_config('a.b', 'x', true), set_config('a.c', 'x', 1 = 2)",
        "SELECT set_config('search_path', 'tidings', true)",
        "SELECT pg_advisory_lock(42)",
        "SELECT pg_try_advisory_lock_shared(4, 2)",
    ],
)
async def test_what_outlives_the_unit_is_refused(at: Opened, statement: str) -> None:
    async with at.store.unit() as unit:
        for run in (unit.sql.execute, unit.sql.fetch):
            with pytest.raises(RefusedError):
                await run(statement)


async def test_no_search_path_is_set_by_a_parameter(at: Opened) -> None:
    async with at.store.unit() as unit:
        with pytest.raises(RefusedError, match="search_path"):
            await unit.sql.fetch("SELECT set_config($1, $2, true)", ("search_path", "tidings"))


async def test_a_units_settings_hold_for_no_commit_and_its_own_tables_go(at: Opened) -> None:
    kept = "SELECT current_setting('synchronous_commit'), to_regclass('pg_temp.scratch')::text, pg_backend_pid()"
    async with at.store.unit() as unit:
        [(before, _, process)] = await unit.sql.fetch(kept)
    async with at.store.unit() as unit:
        await unit.sql.execute("UPDATE pg_settings SET setting = 'off' WHERE name = 'synchronous_commit'")
        await unit.sql.execute("CREATE TEMP TABLE scratch (a int)")
        await unit.leave()
        assert await unit.sql.fetch(kept) == [(before, None, process)]
    async with at.store.unit() as unit:
        assert await unit.sql.fetch(kept) == [(before, None, process)]


@pytest.mark.parametrize("run", ["execute", "fetch"])
async def test_one_call_is_one_statement(at: Opened, run: str) -> None:
    with pytest.raises(asyncpg.PostgresSyntaxError):
        async with at.store.unit() as unit:
            await getattr(unit.sql, run)("SELECT 1; COMMIT")
    with pytest.raises(asyncpg.PostgresSyntaxError):
        async with at.store.unit() as unit:
            await getattr(unit.sql, run)("INSERT INTO shop_line VALUES ($1, 1); COMMIT", ("a",))
    assert await at.rows("SELECT * FROM shop_line") == []


async def test_rows_and_counts_come_back(at: Opened) -> None:
    async with at.store.unit() as unit:
        add = "INSERT INTO shop_line SELECT 'k' || n, n FROM generate_series(1, $1::int) AS n"
        assert await unit.sql.execute(add, (5,)) == 5
        assert await unit.sql.execute("UPDATE shop_line SET count = 0 WHERE count > $1", (3,)) == 2
        assert await unit.sql.execute("DELETE FROM shop_line WHERE count = 0") == 2
        assert await unit.sql.fetch("SELECT key, count FROM shop_line WHERE count > $1 ORDER BY 1", (1,)) == [
            ("k2", 2),
            ("k3", 3),
        ]
        assert await unit.sql.fetch("DELETE FROM shop_line WHERE count = $1 RETURNING key", (1,)) == [("k1",)]
        assert await unit.sql.execute("SELECT 1") == 0


async def test_a_statement_that_failed_and_was_passed_over_keeps_nothing_and_says_so(at: Opened) -> None:
    async def pass_over() -> None:
        async with at.store.unit() as unit:
            await unit.sql.execute("INSERT INTO shop_line VALUES ('a', 1)")
            with pytest.raises(asyncpg.UniqueViolationError):
                await unit.sql.execute("INSERT INTO shop_line VALUES ('a', 2)")
            unit.advance(to=1)
            await unit.parked("somebody", ["a"])

    with pytest.raises(RefusedError, match="a statement failed before"):
        await pass_over()
    assert await at.rows("SELECT * FROM shop_line") == []


async def test_in_a_savepoint_a_statement_may_fail(at: Opened) -> None:
    async with at.store.unit() as unit:
        await unit.sql.execute("INSERT INTO shop_line VALUES ('a', 1)")
        with pytest.raises(asyncpg.UniqueViolationError):
            async with unit.savepoint():
                await unit.sql.execute("INSERT INTO shop_line VALUES ('a', 2)")
        with pytest.raises(RefusedError, match="a statement failed before"):
            async with unit.savepoint():
                with pytest.raises(asyncpg.UniqueViolationError):
                    await unit.sql.execute("INSERT INTO shop_line VALUES ('a', 3)")
        await unit.sql.execute("INSERT INTO shop_line VALUES ('b', 2)")
    assert await at.rows("SELECT * FROM shop_line ORDER BY 1") == [("a", 1), ("b", 2)]


async def test_what_no_text_can_hold_is_refused_in_the_callers_words(at: Opened) -> None:
    with pytest.raises(InvalidDataError, match=r"U\+0000"):
        async with at.store.unit() as unit:
            await unit.replace(TABLE, [Row(("a\x00b",), Rank(1, 0, 0, 0), 1)])


async def test_reading_is_free(at: Opened) -> None:
    async with at.store.unit() as unit:
        assert await unit.sql.fetch("SELECT count(*) FROM tidings.checkpoint") == [(0,)]
        assert await unit.sql.fetch("SELECT * FROM shop_order") == []
