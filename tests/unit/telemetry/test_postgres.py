"""What only PostgreSQL has to show: positions held open, and events that others stage."""

from __future__ import annotations

from datetime import timedelta

import asyncpg

from tests.house.pages import ROOT, blocks
from tests.postgres.held import held
from tests.unit.telemetry.scrape import scrape
from tests.unit.telemetry.shop import placed, shop
from tests.unit.telemetry.test_consumers import StoodClock
from tidings import Settings
from tidings.consumers.relay import Relay
from tidings.ports import Ports
from tidings.store.staging import staged_text


async def test_a_position_that_is_held_open_is_shown_with_its_age_until_it_is_filled(postgres_url: str) -> None:
    clock = StoodClock()
    settings = Settings(database_url=postgres_url)
    async with shop().open(settings, ports=Ports(clock=clock), consume=False) as opened, held(postgres_url) as slow:

        async def seconds() -> float:
            clock.at += 2
            return (await scrape(opened))["tidings_hole_seconds", ()]

        await opened.log.append([placed("a")])
        assert await seconds() == 0
        await slow.run("BEGIN")
        await slow.append(placed("b"))
        assert await seconds() == 0, "nobody waits for it: nothing stands behind it"
        await opened.log.append([placed("c")])
        first = await seconds()
        assert 0 < first < await seconds()
        await slow.run("COMMIT")
        assert await seconds() == 0


async def test_what_is_rolled_back_or_has_no_owner_holds_nobody(postgres_url: str) -> None:
    clock = StoodClock()
    settings = Settings(database_url=postgres_url)
    async with shop().open(settings, ports=Ports(clock=clock), consume=False) as opened, held(postgres_url) as slow:
        await slow.run("BEGIN")
        await slow.append(placed("b"))
        await opened.log.append([placed("c")])
        assert (await scrape(opened))["tidings_hole_seconds", ()] > 0
        await slow.run("ROLLBACK")
        clock.at += 2
        assert (await scrape(opened))["tidings_hole_seconds", ()] == 0


async def test_what_others_stage_is_counted_with_its_age_until_it_is_appended(postgres_url: str) -> None:
    clock = StoodClock()
    settings = Settings(database_url=postgres_url)
    async with shop().open(settings, ports=Ports(clock=clock), consume=False) as opened:

        async def waiting() -> tuple[float, float]:
            clock.at += 2  # a look is kept for a second
            found = await scrape(opened)
            return found["tidings_outbox_pending", ()], found["tidings_outbox_oldest_seconds", ()]

        assert await waiting() == (0, 0)
        theirs = await asyncpg.connect(postgres_url)
        async with theirs.transaction():
            for id in "abc":
                await theirs.execute("SELECT tidings.stage($1)", staged_text(placed(id)))
            assert await waiting() == (0, 0), "it need not be committed"
        count, age = await waiting()
        assert (count, age > 0) == (3, True)
        await theirs.execute(
            "UPDATE tidings.outbox SET staged = staged - 90000000 WHERE n = (SELECT min(n) FROM tidings.outbox)"
        )
        count, age = await waiting()
        assert (count, 90 < age < 150) == (3, True)
        assert await Relay(opened.store, opened.log, opened.ports, opened.retelling, page=1).carry() == 1
        count, younger = await waiting()
        assert (count, 0 < younger < age - 60) == (2, True)
        assert await Relay(opened.store, opened.log, opened.ports, opened.retelling).carry() == 2
        assert await waiting() == (0, 0)
        await theirs.close()


async def test_nothing_waits_on_sqlite() -> None:
    async with shop().open(Settings(database_url="sqlite:///:memory:"), consume=False) as opened:
        found = await scrape(opened)
        assert [found[f"tidings_outbox_{what}", ()] for what in ("pending", "oldest_seconds")] == [0, 0]


async def test_each_page_that_the_relay_appends_is_timed(postgres_url: str) -> None:
    async with shop().open(Settings(database_url=postgres_url), consume=False) as opened:
        relay = Relay(opened.store, opened.log, opened.ports, opened.retelling, page=2)
        assert await relay.carry() == 0
        assert (await scrape(opened))["tidings_relay_publish_seconds_count", ()] == 0
        theirs = await asyncpg.connect(postgres_url)
        for id in "abc":
            await theirs.execute("SELECT tidings.stage($1)", staged_text(placed(id)))
        await theirs.close()
        assert [await relay.carry() for _ in range(3)] == [2, 1, 0]
        samples = await scrape(opened)
        assert samples["tidings_relay_publish_seconds_count", ()] == 2
        assert samples["tidings_relay_publish_seconds_sum", ()] > 0


async def test_the_page_on_deploying_has_a_query_for_who_holds_it(postgres_url: str) -> None:
    page = ROOT / "docs" / "operate" / "deploy-on-postgresql.md"
    [query] = [block.text for block in blocks(page) if block.kind == "sql"]
    asking = await asyncpg.connect(postgres_url)
    async with held(postgres_url) as slow:
        assert await asking.fetch(query) == []
        await slow.run("BEGIN")
        await slow.append(placed("b"))
        [one] = await asking.fetch(query)
        assert one["pid"] == slow.connection.get_server_pid()
        assert one["open_for"] > timedelta(0)
        await slow.run("PREPARE TRANSACTION 'theirs'")
        [one] = await asking.fetch(query)
        assert (one["pid"], one["prepared"]) == (None, "theirs")
        assert one["open_for"] > timedelta(0)
        await slow.run("ROLLBACK PREPARED 'theirs'")
    await asking.close()
