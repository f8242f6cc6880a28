"""How PostgreSQL finds entries, with statistics and without any, and how many statements an append or a page takes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import asyncpg
import pytest

from tests.conformance.postgres_harness import open_log
from tidings.backends.postgres import log as room
from tidings.backends.postgres import reading
from tidings.backends.postgres.appending import COPIED_FROM, PostgresAppender
from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.log import PostgresLog
from tidings.conformance.samples import event, events, turn
from tidings.events.filter import Filter
from tidings.events.identity import subject_key
from tidings.log.driver import Condition, History, Write
from tidings.ports import SystemClock

ENTRIES = 50_000
SUBJECT = "subject/7"
KEY = subject_key(SUBJECT)

FILL = f"""
INSERT INTO tidings.log (pos, recorded, slot, skey, source, id, type, dataversion, subject, attrs, data)
  SELECT n, n, n % 1024, CASE WHEN n % 1000 = 7 THEN {KEY} ELSE n END, 's', n::text, 't', 1,
    CASE WHEN n % 1000 = 7 THEN '{SUBJECT}' ELSE n::text END, '{{}}', 'y' FROM generate_series(1, {ENTRIES}) AS n;
INSERT INTO tidings.seen_time (k1, k2, pos) SELECT n, n, n FROM generate_series(1, {ENTRIES}) AS n;
INSERT INTO tidings.seen_opaque (k1, k2, pos) SELECT hashint8(n), n, n FROM generate_series(1, {ENTRIES}) AS n;
SELECT setval('tidings.position', {ENTRIES});
"""


TABLES = ("log_0", "seen_time", *(f"seen_opaque_{n}" for n in range(16)))


class Explained:
    """A connection that notes how each query was answered, also those within functions; plans hold for any values."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._told: list[str] = []
        connection.add_log_listener(lambda _, message: self._told.append(str(message.message)))

    async def begin(self) -> None:
        await self.connection.execute(
            "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; "
            "SET client_min_messages = log; SET plan_cache_mode = force_generic_plan"
        )
        self._told.clear()

    @property
    def plans(self) -> Sequence[str]:
        """Return what was noted since the last time."""
        told, self._told = self._told, []
        return [plan for plan in told if " on log" in plan or " on seen" in plan]


@pytest.fixture(params=["no statistics", "statistics"])
async def explained(postgres_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Explained]:
    connection = await asyncpg.connect(postgres_url, connection_class=Connection)
    for table in TABLES:
        await connection.execute(f"ALTER TABLE tidings.{table} SET (autovacuum_enabled = off)")
    await connection.execute(FILL)
    if request.param == "statistics":
        for table in TABLES:
            await connection.execute(f"ANALYZE tidings.{table}")
    explained = Explained(connection)
    await explained.begin()
    yield explained
    connection.terminate()


def check(plans: Sequence[str], *indexes: str) -> None:
    """Fail unless every plan finds its rows by one of these indexes, or adds some."""
    assert plans
    for plan in plans:
        assert not re.search(r"Seq Scan on (log|seen)", plan), plan
        found = re.findall(r"(?:Scan|Backward) using (\w+) on|Bitmap Index Scan on (\w+)", plan)
        assert {re.sub(r"_\d+_", "_", one or other) for one, other in found} <= set(indexes), plan


def check_probes(plans: Sequence[str]) -> None:
    """Fail unless known keys are looked for where they would lie: an index that is passed from end to end grows."""
    probes = re.findall(r"using seen_\w+ on .*\n\s*(.*)", "\n".join(plans))
    assert probes
    assert {probe.partition("k1")[0] for probe in probes} == {"Index Cond: (("}, probes


async def test_pages_are_read_in_the_logs_own_order(explained: Explained) -> None:
    connection = explained.connection
    await reading.page(connection, 100, 1_000)
    await reading.positions(connection, 100, 1_000)
    slots = Filter(slots=((0, 256), (512, 768)))
    for where in (Filter(types=frozenset({"t"})), Filter(source="none"), slots):
        await reading.matching(connection, where, after=ENTRIES - 100, upto=ENTRIES, limit=1_000)
    await reading.look(connection)
    await reading.at(connection, [5, 6, 7])
    plans = explained.plans
    check(plans, "log_pkey")
    assert not any("Sort" in plan for plan in plans[:5])


async def test_a_subject_is_found_by_its_index(explained: Explained) -> None:
    connection = explained.connection
    assert len(await reading.matching(connection, Filter(subject=SUBJECT), after=0, upto=ENTRIES, limit=1_000)) == 50
    assert await reading.last_of(connection, SUBJECT) == ENTRIES - 993
    assert await reading.last_of(connection, "nobody") == 0
    wanted = History(subjects=[SUBJECT, "nobody"], types=frozenset({"t"}), upto=ENTRIES)
    assert len(await reading.history(connection, wanted)) == 50
    check(explained.plans, "log_skey_pos_idx")


async def test_an_append_probes_indexes_only(explained: Explained) -> None:
    appender = PostgresAppender(bytes(32), SystemClock())
    condition = Condition(where=Filter(subject=SUBJECT, types=frozenset({"other"})), after=0)
    for write in (
        Write(envelopes=events(0, 20), expected={"nobody": 0, SUBJECT: ENTRIES - 993}),
        Write(envelopes=events(0, 20)),
        Write(envelopes=(event("x"), event("018f0000-0000-7000-8000-000000000000")), condition=condition),
        Write(envelopes=events(0, 2 * COPIED_FROM)),
    ):
        [receipt] = await appender.append_in(explained.connection, [write])
        assert receipt.conflict is None
    for alone in (event("y"), event("018f0000-0000-7000-8000-000000000001")):
        [receipt] = await appender.keep(explained.connection, [Write(envelopes=(alone,))])
        assert receipt.outcome == "appended"
    plans = explained.plans
    check(plans, "log_pkey", "log_skey_pos_idx", "seen_time_pkey", "seen_opaque_pkey", "head_pkey", "inline_pkey")
    assert any("seen_opaque_pkey" in re.sub(r"_\d+_", "_", plan) for plan in plans)
    check_probes(plans)


@pytest.fixture
async def log(postgres_url: str) -> AsyncIterator[PostgresLog]:
    opened = await open_log(postgres_url)
    yield opened
    await opened.close()


async def test_an_append_is_one_statement_and_a_copied_one_four(log: PostgresLog) -> None:
    said: list[str] = []
    async with log._database.connection() as connection:
        await log._appender.keep(connection, some(2))  # it asks for the types, once
        connection.add_query_logger(lambda record: said.append(record.query.split()[0]))
        for count in (1, COPIED_FROM - 1):
            for _ in range(2):  # new, then all known
                await log._appender.keep(connection, some(count))
        await turn()  # who logs is told after the query
        assert said == ["SELECT"] * 5  # one that is alone and known is judged by a second one
        said.clear()
        await log._appender.keep(connection, some(COPIED_FROM))
        await turn()
        assert said[0].startswith("BEGIN")
        assert said[-1].startswith("COMMIT")
        assert len(said) <= 4


async def test_a_page_without_a_hole_is_one_statement(log: PostgresLog) -> None:
    await log.append(some(20))
    said: list[str] = []
    async with log._database.connection() as connection:
        connection.add_query_logger(lambda record: said.append(record.query))
    for limit in (7, 20):
        assert len((await log.read(after=0, limit=limit)).entries) == limit
    await turn()
    assert len(said) == 2


def some(count: int) -> Sequence[Write]:
    return [Write(envelopes=events(n, n + 1, source=str(count))) for n in range(count)]


async def test_a_rare_type_is_looked_for_in_so_many_positions_at_a_time(
    log: PostgresLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LOOKED_THROUGH", 10)
    await log.append([Write(envelopes=(*events(0, 34), event("rare", type="rare"), *events(35, 40)))])
    rare = Filter(types=frozenset({"rare"}))
    pages = [await log.read(after=after, limit=5, where=rare) for after in (0, 10, 20, 30)]
    assert [page.upto for page in pages] == [10, 20, 30, 40]
    assert [[entry.envelope.id for entry in page.entries] for page in pages] == [[], [], [], ["rare"]]
    await log.wait(after=10, timeout=timedelta(seconds=60))  # at once, since there is more
    by_subject = await log.read(after=0, limit=50, where=Filter(subject=event("").subject))
    assert (len(by_subject.entries), by_subject.upto) == (40, 40)
